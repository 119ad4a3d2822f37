//! Each class: a small cluster where it is the cause, and one that looks like it and has another, or none.

mod cluster;
mod images;
mod lines;
mod network;
mod pods;
mod volumes;

use super::*;
use crate::logs::snapshot::CpuStats;

/// What is found in one cluster and not in another.
struct Case {
    class: Class,
    found: Cluster,
    not: Cluster,
}

/// Objects as YAML, and logs: pod, container, text.
#[derive(Clone, Default)]
pub(super) struct Cluster {
    objects: String,
    logs: Vec<(&'static str, &'static str, &'static str)>,
    cpu: &'static str,
}

impl Cluster {
    pub(super) fn with_log(mut self, pod: &'static str, text: &'static str) -> Self {
        self.logs.push((pod, "c", text));
        self
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::empty("test");
        let values = crate::set::objects::values("test", &self.objects).unwrap();
        snapshot.objects = values
            .into_iter()
            .map(|(_, value)| Object::of(value).unwrap())
            .collect();
        snapshot.cpu = CpuStats::of("host/cpu-stat.txt", self.cpu);
        for (pod, container, text) in &self.logs {
            let key = LogKey {
                namespace: "n".into(),
                pod: (*pod).into(),
                container: (*container).into(),
                previous: false,
            };
            snapshot.logs.insert(key, Log::of("log", text.lines()));
        }
        snapshot
    }
}

impl<T: AsRef<str>> From<&[T]> for Cluster {
    fn from(objects: &[T]) -> Self {
        let objects: Vec<&str> = objects.iter().map(AsRef::as_ref).collect();
        Self {
            objects: objects.join("\n---\n"),
            logs: Vec::new(),
            cpu: "",
        }
    }
}

fn case(class: Class, found: impl Into<Cluster>, not: impl Into<Cluster>) -> Case {
    Case {
        class,
        found: found.into(),
        not: not.into(),
    }
}

/// A cluster of these objects.
#[expect(clippy::needless_pass_by_value, reason = "it is called with literals")]
pub(super) fn of<const N: usize>(objects: [String; N]) -> Cluster {
    Cluster::from(&objects[..])
}

/// The status of a pod that is ready.
pub(super) const READY: &str = "phase: Running, conditions: [{type: Ready, status: 'True'}], containerStatuses: [{name: c, ready: true, restartCount: 0, state: {running: {startedAt: '2026-01-01T00:00:00Z'}}}]";

/// The status of a pod whose container ends again and again.
pub(super) const CRASHES: &str = "phase: Running, containerStatuses: [{name: c, ready: false, restartCount: 3, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1}}}]";

/// The status of a pod whose container runs and is not ready.
pub(super) const UNREADY: &str = "phase: Running, containerStatuses: [{name: c, ready: false, restartCount: 0, state: {running: {}}}]";

/// The status of a pod whose container waits.
pub(super) fn waits(reason: &str, message: &str) -> String {
    format!(
        "phase: Pending, containerStatuses: [{{name: c, ready: false, restartCount: 0, state: {{waiting: {{reason: {reason}, message: {}}}}}}}]",
        quoted(message)
    )
}

pub(super) fn unschedulable(message: &str) -> String {
    format!(
        "phase: Pending, conditions: [{{type: PodScheduled, status: 'False', reason: Unschedulable, message: {}}}]",
        quoted(message)
    )
}

pub(super) fn pod(name: &str, status: &str) -> String {
    pod_with(name, "", status)
}

/// A pod on node `one` whose container has port 80 and what is given.
pub(super) fn pod_with(name: &str, container: &str, status: &str) -> String {
    let node = if status.contains("PodScheduled") || status == "phase: Pending" {
        ""
    } else {
        "nodeName: one, "
    };
    let container = if container.is_empty() {
        ", ports: [{name: http, containerPort: 80}]"
    } else {
        container
    };
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: 'n', labels: {{app: {name}}}}}, spec: {{{node}containers: [{{name: c, image: 'quay.io/x:1'{container}}}]}}, status: {{{status}}}}}"
    )
}

pub(super) fn event(kind: &str, name: &str, reason: &str, message: &str) -> String {
    events(kind, name, reason, message, 1)
}

pub(super) fn events(kind: &str, name: &str, reason: &str, message: &str, count: u32) -> String {
    let namespace = if kind == "Node" {
        ""
    } else {
        ", namespace: 'n'"
    };
    format!(
        "{{apiVersion: v1, kind: Event, metadata: {{name: {name}.{reason}.{count}.{}, namespace: 'n'}}, type: Warning, reason: {reason}, count: {count}, involvedObject: {{kind: {kind}, name: {name}{namespace}}}, lastTimestamp: '2026-01-01T01:00:00Z', message: {}}}",
        message.len(),
        quoted(message)
    )
}

pub(super) fn node(name: &str, ready: &str, message: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Node, metadata: {{name: {name}}}, status: {{conditions: [{{type: Ready, status: '{ready}', message: {}}}]}}}}",
        quoted(message)
    )
}

pub(super) fn service(name: &str, selector: &str, ports: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Service, metadata: {{name: {name}, namespace: 'n'}}, spec: {{selector: {{{selector}}}, ports: [{ports}]}}}}"
    )
}

pub(super) fn deployment(name: &str, replicas: u32, status: &str) -> String {
    format!(
        "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {name}, namespace: 'n'}}, spec: {{replicas: {replicas}, template: {{metadata: {{labels: {{app: {name}}}}}}}}}, status: {{{status}}}}}"
    )
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn all() -> Vec<Case> {
    let mut all = cluster::cases();
    all.extend(pods::cases());
    all.extend(images::cases());
    all.extend(lines::cases());
    all.extend(network::cases());
    all.extend(volumes::cases());
    all
}

fn has(findings: &[Finding], class: Class) -> bool {
    findings
        .iter()
        .any(|it| it.class == class || has(&it.below, class))
}

#[test]
fn each_class_is_found_where_it_is_the_cause() {
    for case in all() {
        let found = diagnose(&case.found.snapshot());
        let told: Vec<String> = found.iter().map(Finding::line).collect();
        let first = found.first().map(|it| it.class);
        assert_eq!(first, Some(case.class), "{told:#?}");
        assert!(!found[0].cause.ends_with(": "), "{told:#?}");
    }
}

#[test]
fn what_looks_like_it_is_not_taken_for_it() {
    for case in all() {
        let found = diagnose(&case.not.snapshot());
        let told: Vec<String> = found.iter().map(Finding::line).collect();
        assert!(!has(&found, case.class), "{:?}: {told:#?}", case.class);
    }
}

#[test]
fn each_class_has_its_cases() {
    let cases = all();
    for class in Class::ALL {
        assert!(cases.iter().any(|it| it.class == *class), "{class:?}");
    }
}
