//! Objects told in text, as `kubectl describe` would, from a snapshot alone: no API server is asked.

mod pod;

pub use pod::state as pod_state;

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value;

use super::snapshot::{Object, Snapshot, event_time, text};
use crate::limits::humane;

/// Whether an object is worth a description.
pub fn is_told(object: &Object) -> bool {
    matches!(
        object.kind.as_str(),
        "Pod"
            | "Node"
            | "Deployment"
            | "StatefulSet"
            | "DaemonSet"
            | "ReplicaSet"
            | "Job"
            | "CronJob"
            | "PersistentVolumeClaim"
            | "PersistentVolume"
            | "Service"
    ) || has_bad_condition(object)
}

fn has_bad_condition(object: &Object) -> bool {
    object.list("/status/conditions").iter().any(|condition| {
        text(condition, "/type") == "Ready" && text(condition, "/status") != "True"
    })
}

/// What there is to say of an object.
pub fn describe(snapshot: &Snapshot, object: &Object) -> String {
    let mut out = Writer::default();
    head(&mut out, snapshot, object);
    match object.kind.as_str() {
        "Pod" => pod::describe(&mut out, snapshot, object),
        "Node" => node(&mut out, snapshot, object),
        "PersistentVolumeClaim" => claim(&mut out, object),
        "Service" => service(&mut out, snapshot, object),
        _ => workload(&mut out, snapshot, object),
    }
    conditions(&mut out, object);
    events(&mut out, snapshot, object);
    out.0
}

/// Lines of `Name:  value`.
#[derive(Default)]
struct Writer(String);

impl Writer {
    fn field(&mut self, indent: usize, name: &str, value: impl std::fmt::Display) {
        let name = format!("{name}:");
        writeln!(
            self.0,
            "{:indent$}{name:<width$} {value}",
            "",
            width = 21usize.saturating_sub(indent)
        )
        .expect("a string takes any text");
    }

    fn heading(&mut self, indent: usize, name: &str) {
        writeln!(self.0, "{:indent$}{name}:", "").expect("a string takes any text");
    }

    fn line(&mut self, indent: usize, line: impl std::fmt::Display) {
        writeln!(self.0, "{:indent$}{line}", "").expect("a string takes any text");
    }

    /// A field whose value may be absent.
    fn some(&mut self, indent: usize, name: &str, value: &str) {
        if !value.is_empty() {
            self.field(indent, name, value);
        }
    }
}

fn head(out: &mut Writer, snapshot: &Snapshot, object: &Object) {
    out.field(0, "Name", object.name());
    out.some(0, "Namespace", object.namespace().unwrap_or_default());
    out.field(
        0,
        "Kind",
        format!("{} ({})", object.kind, object.api_version),
    );
    let created = object.text("/metadata/creationTimestamp");
    out.some(0, "Created", &with_age(created, snapshot.taken));
    out.some(0, "Deleted", object.text("/metadata/deletionTimestamp"));
    if let Some((kind, name)) = object.controller() {
        out.field(0, "Controlled by", format!("{kind}/{name}"));
    }
    for (name, pointer) in [
        ("Labels", "/metadata/labels"),
        ("Annotations", "/metadata/annotations"),
    ] {
        let Some(Value::Object(map)) = object.value.pointer(pointer) else {
            continue;
        };
        let mut name = Some(name);
        for (key, value) in map {
            let value = format!("{key}={}", value.as_str().unwrap_or_default());
            let value: String = value.chars().take(300).collect();
            match name.take() {
                Some(name) => out.field(0, name, value),
                None => out.line(22, value),
            }
        }
    }
}

/// A moment with how long before the snapshot it was.
fn with_age(moment: &str, taken: Timestamp) -> String {
    match moment.parse::<Timestamp>() {
        Ok(at) => format!("{moment} ({} before)", age(at, taken)),
        Err(_) => moment.to_owned(),
    }
}

/// The span between two moments; none where the clocks disagree.
pub fn age(from: Timestamp, to: Timestamp) -> String {
    let span = to.duration_since(from);
    humane(std::time::Duration::from_secs(
        u64::try_from(span.as_secs()).unwrap_or(0),
    ))
}

fn workload(out: &mut Writer, snapshot: &Snapshot, object: &Object) {
    for (name, pointer) in [
        ("Replicas wanted", "/spec/replicas"),
        ("Replicas", "/status/replicas"),
        ("Updated", "/status/updatedReplicas"),
        ("Ready", "/status/readyReplicas"),
        ("Available", "/status/availableReplicas"),
        ("Unavailable", "/status/unavailableReplicas"),
        ("GatherRequest on nodes", "/status/desiredNumberScheduled"),
        ("Ready on nodes", "/status/numberReady"),
        ("Completions wanted", "/spec/completions"),
        ("Back-off limit", "/spec/backoffLimit"),
        ("Active", "/status/active"),
        ("Succeeded", "/status/succeeded"),
        ("Failed", "/status/failed"),
        ("Generation", "/metadata/generation"),
        ("Observed", "/status/observedGeneration"),
    ] {
        if let Some(number) = object.number(pointer) {
            out.field(0, name, number);
        }
    }
    out.some(0, "Phase", object.text("/status/phase"));
    let owned: Vec<_> = snapshot
        .objects
        .iter()
        .filter(|other| {
            other.namespace() == object.namespace()
                && other.controller() == Some((object.kind.as_str(), object.name()))
        })
        .collect();
    if !owned.is_empty() {
        out.heading(0, "Controls");
        for other in owned {
            let state = if other.kind == "Pod" {
                pod::state(other)
            } else {
                String::new()
            };
            out.line(2, format!("{}/{}  {state}", other.kind, other.name()));
        }
    }
}

fn node(out: &mut Writer, snapshot: &Snapshot, node: &Object) {
    for (name, pointer) in [
        ("Kubelet", "/status/nodeInfo/kubeletVersion"),
        ("Runtime", "/status/nodeInfo/containerRuntimeVersion"),
        ("Kernel", "/status/nodeInfo/kernelVersion"),
        ("OS", "/status/nodeInfo/osImage"),
        ("Architecture", "/status/nodeInfo/architecture"),
    ] {
        out.some(0, name, node.text(pointer));
    }
    for (name, pointer) in [
        ("Capacity", "/status/capacity"),
        ("Allocatable", "/status/allocatable"),
    ] {
        if let Some(Value::Object(map)) = node.value.pointer(pointer) {
            let parts: Vec<_> = map
                .iter()
                .map(|(key, value)| format!("{key} {}", value.as_str().unwrap_or_default()))
                .collect();
            out.field(0, name, parts.join(", "));
        }
    }
    for taint in node.list("/spec/taints") {
        out.field(
            0,
            "Taint",
            format!(
                "{}={}:{}",
                text(taint, "/key"),
                text(taint, "/value"),
                text(taint, "/effect")
            ),
        );
    }
    out.heading(0, "Pods");
    for pod in snapshot
        .pods()
        .filter(|pod| pod.text("/spec/nodeName") == node.name())
    {
        out.line(2, format!("{}  {}", pod.path(), pod::state(pod)));
    }
}

fn claim(out: &mut Writer, claim: &Object) {
    out.some(0, "Phase", claim.text("/status/phase"));
    out.some(0, "Storage class", claim.text("/spec/storageClassName"));
    out.some(0, "Volume", claim.text("/spec/volumeName"));
    out.some(
        0,
        "GatherRequest",
        claim.text("/spec/resources/requests/storage"),
    );
    out.some(0, "Capacity", claim.text("/status/capacity/storage"));
}

fn service(out: &mut Writer, snapshot: &Snapshot, service: &Object) {
    out.some(0, "Type", service.text("/spec/type"));
    out.some(0, "Cluster IP", service.text("/spec/clusterIP"));
    for port in service.list("/spec/ports") {
        let number = |pointer| {
            port.pointer(pointer)
                .map_or(String::new(), Value::to_string)
        };
        out.field(
            0,
            "Port",
            format!(
                "{} {} → {}",
                text(port, "/name"),
                number("/port"),
                number("/targetPort")
            ),
        );
    }
    let endpoints = snapshot
        .of_kind("discovery.k8s.io", "EndpointSlice")
        .filter(|slice| {
            slice.namespace() == service.namespace()
                && slice.text("/metadata/labels/kubernetes.io~1service-name") == service.name()
        })
        .flat_map(|slice| slice.list("/endpoints"));
    for endpoint in endpoints {
        let ready = endpoint.pointer("/conditions/ready") != Some(&Value::Bool(false));
        out.field(
            0,
            "Endpoint",
            format!(
                "{} {} ({})",
                text(endpoint, "/addresses/0"),
                text(endpoint, "/targetRef/name"),
                if ready { "ready" } else { "not ready" }
            ),
        );
    }
}

fn conditions(out: &mut Writer, object: &Object) {
    let conditions = object.list("/status/conditions");
    if conditions.is_empty() {
        return;
    }
    out.heading(0, "Conditions");
    for condition in conditions {
        let part = |pointer| text(condition, pointer);
        out.line(
            2,
            format!(
                "{:<26} {:<8} {} {} {}",
                part("/type"),
                part("/status"),
                part("/lastTransitionTime"),
                part("/reason"),
                part("/message")
            )
            .trim_end(),
        );
    }
}

fn events(out: &mut Writer, snapshot: &Snapshot, object: &Object) {
    let events = snapshot.events_of(object);
    if events.is_empty() {
        out.line(0, "Events:               none");
        return;
    }
    out.heading(0, "Events");
    for event in events {
        let count = event
            .number("/count")
            .or_else(|| event.number("/series/count"))
            .filter(|count| *count > 1)
            .map_or(String::new(), |count| format!(" (×{count})"));
        out.line(
            2,
            format!(
                "{}  {:<8}{:<20}{}{count}",
                event_time(event),
                event.text("/type"),
                event.text("/reason"),
                event.text("/message").trim()
            ),
        );
    }
}

#[cfg(test)]
mod tests;
