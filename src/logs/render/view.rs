//! Rows of the report, each with what its line of the page shows.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::SHOWN;
use crate::{
    logs::{
        describe::{age, pod_state},
        snapshot::{Gap, Object, Snapshot, containers, event_time, healthy, text},
    },
    notebook::job::{MANAGED_BY, TEST},
    record::StageRecord,
    report::one_line,
};

/// A stage on the time axis of all of them.
#[derive(Debug, Serialize)]
pub struct StageRow {
    /// Its name.
    pub name: String,
    /// `passed`, `failed (1)`, `cut short`.
    pub result: String,
    /// `good`, `bad`, `open`.
    pub tone: &'static str,
    /// How long it took.
    pub took: String,
    /// Where its bar begins, in percent of the whole.
    pub from: u32,
    /// How long its bar is, in percent of the whole; at least 1.
    pub width: u32,
    /// Its one-line cause.
    pub cause: String,
}

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

fn bounds(stages: &[&StageRecord], now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let from = stages.iter().map(|stage| stage.started).min()?;
    let to = stages
        .iter()
        .map(|stage| stage.ended.unwrap_or(now))
        .max()?;
    Some((from, to))
}

pub(super) fn took(stages: &[&StageRecord], now: Timestamp) -> String {
    bounds(stages, now).map_or(String::new(), |(from, to)| age(from, to))
}

pub(super) fn stages(stages: &[&StageRecord], now: Timestamp) -> Vec<StageRow> {
    let Some((from, to)) = bounds(stages, now) else {
        return Vec::new();
    };
    let whole = (to.as_millisecond() - from.as_millisecond()).max(1);
    let percent = |span: i64| u32::try_from((span * 100 / whole).clamp(0, 100)).unwrap_or(0);
    let row = |stage: &&StageRecord| {
        let ended = stage.ended.unwrap_or(now);
        let (result, tone) = match stage.exit {
            Some(0) => ("passed".to_owned(), "good"),
            Some(124) => ("time limit (124)".to_owned(), "bad"),
            Some(130) => ("cancelled (130)".to_owned(), "bad"),
            Some(exit) => (format!("failed ({exit})"), "bad"),
            None => ("cut short".to_owned(), "open"),
        };
        let start = percent(stage.started.as_millisecond() - from.as_millisecond()).min(99);
        StageRow {
            name: stage.stage.clone(),
            result,
            tone,
            took: age(stage.started, ended),
            from: start,
            width: percent(ended.as_millisecond() - stage.started.as_millisecond())
                .max(1)
                .min(100 - start),
            cause: stage.cause.clone(),
        }
    };
    stages.iter().map(row).collect()
}

/// Workloads that are not ready, and how many workloads there are.
pub(super) fn workloads(snapshot: &Snapshot) -> (Vec<WorkloadRow>, usize) {
    const KINDS: [(&str, &str); 4] = [
        ("apps", "Deployment"),
        ("apps", "StatefulSet"),
        ("apps", "DaemonSet"),
        ("batch", "Job"),
    ];
    let mut count = 0;
    let mut rows = Vec::new();
    for (group, kind) in KINDS {
        for workload in snapshot.of_kind(group, kind) {
            count += 1;
            if let Some(ready) = lacking(workload).filter(|_| !is_own_and_done(snapshot, workload))
            {
                rows.push(WorkloadRow {
                    kind: kind.to_owned(),
                    name: workload.path(),
                    ready,
                    pods: pods_of(snapshot, workload),
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
                pods: vec![(pod.name().to_owned(), pod_state(pod))],
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

/// Whether it is the Job of a test of ours that passed: its pod stays a moment longer than the test, for the results.
fn is_own_and_done(snapshot: &Snapshot, job: &Object) -> bool {
    let (key, value) = MANAGED_BY;
    let label = format!("/metadata/labels/{}", key.replace('/', "~1"));
    job.text(&label) == value
        && below(snapshot, job).any(|pod| {
            containers(pod).iter().any(|container| {
                let code = container.status.pointer("/state/terminated/exitCode");
                container.name == TEST && code == Some(&Value::from(0))
            })
        })
}

/// The pods of a workload.
fn below<'a>(snapshot: &'a Snapshot, workload: &'a Object) -> impl Iterator<Item = &'a Object> {
    let below = move |pod: &&Object| {
        let Some((kind, name)) = pod.controller() else {
            return false;
        };
        if pod.namespace() != workload.namespace() {
            return false;
        }
        (kind == workload.kind && name == workload.name())
            || (kind == "ReplicaSet"
                && snapshot.of_kind("apps", "ReplicaSet").any(|set| {
                    set.name() == name
                        && set.namespace() == workload.namespace()
                        && set.controller() == Some((workload.kind.as_str(), workload.name()))
                }))
    };
    snapshot.pods().filter(below)
}

/// The pods of a workload that are not as they should be, with what they do.
fn pods_of(snapshot: &Snapshot, workload: &Object) -> Vec<(String, String)> {
    below(snapshot, workload)
        .filter(|pod| !healthy(pod))
        .take(8)
        .map(|pod| (pod.name().to_owned(), pod_state(pod)))
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
        .map(|event| {
            let namespace = event.text("/involvedObject/namespace");
            let name = event.text("/involvedObject/name");
            EventRow {
                ago: event_time(event)
                    .parse::<Timestamp>()
                    .map_or(String::new(), |at| age(at, snapshot.taken)),
                object: format!(
                    "{} {}{}{name}",
                    event.text("/involvedObject/kind"),
                    namespace,
                    if namespace.is_empty() { "" } else { "/" }
                ),
                reason: event.text("/reason").to_owned(),
                message: one_line(event.text("/message")),
                count: event
                    .number("/count")
                    .or_else(|| event.number("/series/count"))
                    .unwrap_or(1),
            }
        })
        .collect()
}

pub(super) fn nodes(snapshot: &Snapshot) -> Vec<NodeRow> {
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
            pods: snapshot
                .pods()
                .filter(|pod| {
                    pod.value.pointer("/spec/nodeName") == Some(&Value::from(node.name()))
                })
                .count(),
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
        if let Some(row) = rows.iter_mut().find(|row| row.error == gap.error) {
            if row.files.len() < 8 {
                row.files.push(gap.file.clone());
            } else {
                row.more += 1;
            }
        } else if rows.len() < SHOWN {
            rows.push(GapRow {
                error: gap.error.clone(),
                files: vec![gap.file.clone()],
                more: 0,
            });
        }
    }
    rows
}
