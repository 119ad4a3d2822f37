//! Rows of the report, each with what its line of the page shows.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{SHOWN, room};
use crate::{
    api::is_builtin,
    logs::{
        describe::{age, pod_state},
        snapshot::{Gap, Object, Snapshot, containers, event_time, healthy, text},
    },
    notebook::job::{MANAGED_BY, TEST},
    ready::ReadyWhen,
    report::one_line,
    status::{self, Found},
};

/// A workload and what its pods do.
#[derive(Debug, Serialize)]
pub struct WorkloadRow {
    /// `Deployment`.
    pub kind: String,
    /// `namespace/name`.
    pub name: String,
    /// `0/1`.
    pub ready: String,
    /// Its pods that are not ready: name and state.
    pub pods: Vec<(String, String)>,
}

/// A custom resource that is not ready.
#[derive(Debug, Serialize)]
pub struct CustomRow {
    /// Kind, namespace and name.
    pub object: String,
    /// `waiting`, `stuck`, `failed`.
    pub state: &'static str,
    /// What is missing.
    pub why: String,
}

/// A warning.
#[derive(Debug, Serialize)]
pub struct EventRow {
    /// How long before the report it was last seen.
    pub ago: String,
    /// Whom it is about.
    pub object: String,
    /// Its reason.
    pub reason: String,
    /// Its message.
    pub message: String,
    /// How often it was seen.
    pub count: i64,
}

/// A node.
#[derive(Debug, Serialize)]
pub struct NodeRow {
    /// Its name.
    pub name: String,
    /// `Ready`, or what is wrong.
    pub state: String,
    /// Whether it is as it should be.
    pub good: bool,
    /// Kubelet's version.
    pub version: String,
    /// What it has: `8 CPU, 31.3 GiB, 110 pods`.
    pub has: String,
    /// Pods on it.
    pub pods: usize,
}

/// Things that were not collected for the same reason.
#[derive(Debug, Serialize)]
pub struct GapRow {
    /// Why.
    pub error: String,
    /// What; the first few of them.
    pub files: Vec<String>,
    /// How many more.
    pub more: usize,
}

/// Workloads that are not ready, and how many workloads there are.
pub(super) fn workloads(snapshot: &Snapshot) -> (Vec<WorkloadRow>, usize) {
    const KINDS: [(&str, &str); 4] = [
        ("apps", "Deployment"),
        ("apps", "StatefulSet"),
        ("apps", "DaemonSet"),
        ("batch", "Job"),
    ];
    let all = Pods::of(snapshot);
    let mut count = 0;
    let mut rows = Vec::new();
    for (group, kind) in KINDS {
        for workload in snapshot.of_kind(group, kind) {
            count += 1;
            if let Some(ready) = lacking(workload).filter(|_| !all.is_own_and_done(workload)) {
                rows.push(WorkloadRow {
                    kind: kind.to_owned(),
                    name: workload.path(),
                    ready,
                    pods: all.unhealthy(workload),
                });
            }
        }
    }
    // Pods that nothing controls are workloads of their own.
    for pod in snapshot.pods().filter(|pod| pod.controller().is_none()) {
        count += 1;
        if !healthy(pod) {
            rows.push(WorkloadRow {
                kind: "Pod".to_owned(),
                name: pod.path(),
                ready: "0/1".to_owned(),
                pods: vec![(pod.name().to_owned(), room::sentence(&pod_state(pod)))],
            });
        }
    }
    (rows, count)
}

/// Ready of wanted, where that is less; a Job that has not completed.
fn lacking(workload: &Object) -> Option<String> {
    let number = |pointer: &str| workload.number(pointer).unwrap_or(0);
    let (ready, wanted) = match workload.kind.as_str() {
        "Job" if workload.is("Complete", "True") => return None,
        "Job" if workload.is("Suspended", "True") => return None,
        "Job" => (
            number("/status/succeeded"),
            workload.number("/spec/completions").unwrap_or(1),
        ),
        "DaemonSet" => (
            number("/status/numberReady"),
            number("/status/desiredNumberScheduled"),
        ),
        _ => (
            number("/status/readyReplicas"),
            workload.number("/spec/replicas").unwrap_or(1),
        ),
    };
    (ready < wanted).then(|| format!("{ready}/{wanted}"))
}

/// The pods of workloads, by namespace, kind and name of the workload.
pub(super) struct Pods<'a>(HashMap<(Option<&'a str>, &'a str, &'a str), Vec<&'a Object>>);

impl<'a> Pods<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        // Between a Deployment and its pods there is a ReplicaSet.
        let sets: HashMap<_, _> = snapshot
            .of_kind("apps", "ReplicaSet")
            .filter_map(|set| Some(((set.namespace(), set.name()), set.controller()?)))
            .collect();
        let mut pods: HashMap<_, Vec<&Object>> = HashMap::new();
        for pod in snapshot.pods() {
            let (Some((kind, name)), space) = (pod.controller(), pod.namespace()) else {
                continue;
            };
            pods.entry((space, kind, name)).or_default().push(pod);
            if kind == "ReplicaSet"
                && let Some((kind, name)) = sets.get(&(space, name))
            {
                pods.entry((space, *kind, *name)).or_default().push(pod);
            }
        }
        Self(pods)
    }

    /// The pods of a workload.
    pub(super) fn below<'b>(&'b self, workload: &'b Object) -> &'b [&'b Object] {
        let key = (
            workload.namespace(),
            workload.kind.as_str(),
            workload.name(),
        );
        self.0.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Those that are not as they should be, with what they do.
    fn unhealthy(&self, workload: &Object) -> Vec<(String, String)> {
        let pods = self.below(workload).iter().filter(|pod| !healthy(pod));
        pods.take(8)
            .map(|pod| (pod.name().to_owned(), room::sentence(&pod_state(pod))))
            .collect()
    }

    /// Whether it is the Job of a test of ours that passed: its pod stays a moment longer than the test, for the results.
    fn is_own_and_done(&self, job: &Object) -> bool {
        let (key, value) = MANAGED_BY;
        let label = format!("/metadata/labels/{}", key.replace('/', "~1"));
        job.text(&label) == value
            && self.below(job).iter().any(|pod| {
                containers(pod).iter().any(|container| {
                    let code = container.status.pointer("/state/terminated/exitCode");
                    container.name == TEST && code == Some(&Value::from(0))
                })
            })
    }
}

/// Custom resources that are not ready, by the rules of `deploy-manifests`: one without any status counts as ready there.
pub(super) fn custom(snapshot: &Snapshot) -> Vec<CustomRow> {
    let is_custom = |object: &&Object| {
        let group = object.api_version.rsplit_once('/');
        let status = object.value.pointer("/status").and_then(Value::as_object);
        group.is_some_and(|(group, _)| !is_builtin(group))
            && status.is_some_and(|it| !it.is_empty())
    };
    let found = |object: &Object| Found {
        source: String::new(),
        value: object.value.clone(),
    };
    let all: Vec<Found> = snapshot
        .objects
        .iter()
        .filter(is_custom)
        .map(found)
        .collect();
    let judged = status::judge(&all, &ReadyWhen::default());
    judged
        .into_iter()
        .filter(|it| !it.state.is_ready() && it.state.state() != "suspended")
        .map(|it| CustomRow {
            state: it.state.state(),
            why: room::sentence(&it.why),
            object: it.object,
        })
        .collect()
}

pub(super) fn events(snapshot: &Snapshot) -> Vec<EventRow> {
    let mut warnings: Vec<_> = snapshot
        .of_kind("", "Event")
        .filter(|event| event.text("/type") == "Warning")
        .collect();
    warnings.sort_by_key(|event| std::cmp::Reverse(event_time(event)));
    warnings
        .iter()
        .take(SHOWN)
        .map(|event| EventRow {
            ago: event_time(event)
                .parse::<Timestamp>()
                .map_or(String::new(), |at| age(at, snapshot.taken)),
            object: involved(event),
            reason: event.text("/reason").to_owned(),
            message: room::sentence(&one_line(event.text("/message"))),
            count: count(event),
        })
        .collect()
}

/// Whom an event is about: `Pod namespace/name`.
pub(super) fn involved(event: &Object) -> String {
    let part = |name: &str| event.text(&format!("/involvedObject/{name}"));
    let (kind, namespace, name) = (part("kind"), part("namespace"), part("name"));
    let slash = if namespace.is_empty() { "" } else { "/" };
    format!("{kind} {namespace}{slash}{name}")
}

/// How often an event was seen.
pub(super) fn count(event: &Object) -> i64 {
    event
        .number("/count")
        .or_else(|| event.number("/series/count"))
        .unwrap_or(1)
}

pub(super) fn nodes(snapshot: &Snapshot) -> Vec<NodeRow> {
    let mut pods: HashMap<&str, usize> = HashMap::new();
    for pod in snapshot.pods() {
        *pods.entry(pod.text("/spec/nodeName")).or_default() += 1;
    }
    let row = |node: &Object| {
        let mut wrong: Vec<_> = node
            .list("/status/conditions")
            .iter()
            .filter(|condition| {
                text(condition, "/type") != "Ready" && text(condition, "/status") == "True"
            })
            .map(|condition| text(condition, "/type").to_owned())
            .collect();
        if !node.is("Ready", "True") {
            wrong.insert(0, "not Ready".to_owned());
        }
        let capacity = |what: &str| node.text(&format!("/status/capacity/{what}")).to_owned();
        NodeRow {
            name: node.name().to_owned(),
            good: wrong.is_empty(),
            state: if wrong.is_empty() {
                "Ready".to_owned()
            } else {
                wrong.join(", ")
            },
            version: node.text("/status/nodeInfo/kubeletVersion").to_owned(),
            has: format!(
                "{} CPU, {}, {} pods",
                capacity("cpu"),
                gib(&capacity("memory")),
                capacity("pods")
            ),
            pods: pods.get(node.name()).copied().unwrap_or(0),
        }
    };
    snapshot.of_kind("", "Node").map(row).collect()
}

/// `32875648Ki` as `31.4 GiB`.
fn gib(quantity: &str) -> String {
    quantity
        .strip_suffix("Ki")
        .and_then(|kib| kib.parse::<u64>().ok())
        .map_or_else(
            || quantity.to_owned(),
            |kib| {
                let tenths = kib * 10 / 1024 / 1024;
                format!("{}.{} GiB", tenths / 10, tenths % 10)
            },
        )
}

/// Gaps by their reason, the most frequent first.
pub(super) fn gaps(gaps: &[Gap]) -> Vec<GapRow> {
    let mut rows: Vec<GapRow> = Vec::new();
    for gap in gaps {
        let error = room::sentence(&gap.error);
        if let Some(row) = rows.iter_mut().find(|row| row.error == error) {
            if row.files.len() < 8 {
                row.files.push(gap.file.clone());
            } else {
                row.more += 1;
            }
        } else if rows.len() < SHOWN {
            rows.push(GapRow {
                error,
                files: vec![gap.file.clone()],
                more: 0,
            });
        }
    }
    rows
}
