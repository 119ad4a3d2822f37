//! Nodes that are not as they should be.

use super::{Finding, Scene};
use crate::{
    logs::{
        diagnose::{Class, index::id_of},
        snapshot::{Object, text},
    },
    pod::brief,
};

/// Minutes for which an event of a node counts.
const RECENT: i64 = 10;

/// Each node that is not ready, or short of something.
pub(super) fn nodes(scene: &Scene<'_>) -> Vec<Finding> {
    let nodes = scene.index.of_kind("", "Node").iter();
    nodes.flat_map(|node| one(scene, node)).collect()
}

fn one(scene: &Scene<'_>, node: &Object) -> Vec<Finding> {
    let mut found = Vec::new();
    for condition in node.list("/status/conditions") {
        let (kind, status) = (text(condition, "/type"), text(condition, "/status"));
        let message = text(condition, "/message");
        let (class, what) = match kind {
            "Ready" if status != "True" => not_ready(scene, node, status, message),
            "NetworkUnavailable" if status == "True" => (
                Class::NetworkPluginDown,
                format!("the node has no pod network: {}", brief(message)),
            ),
            "MemoryPressure" | "DiskPressure" | "PIDPressure" if status == "True" => {
                (Class::NodePressure, format!("{kind}: {}", brief(message)))
            }
            _ => continue,
        };
        let since = text(condition, "/lastTransitionTime").parse().ok();
        let mut finding = Finding::new(class, id_of(node), what)
            .shown([scene.evidence(node, message)])
            .since(since);
        if kind == "Ready" {
            finding = finding.with(owners_on(scene, node.name()));
        }
        found.push(finding);
    }
    found
}

/// Why a node is not ready: by what its kubelet says, else by its silence.
fn not_ready(scene: &Scene<'_>, node: &Object, status: &str, message: &str) -> (Class, String) {
    let events = scene.index.events_of(node).into_iter();
    let mut recent = events.filter(|event| scene.index.is_recent(event, RECENT));
    let of_runtime = recent.find(|event| is_runtime_down(event.text("/message")));
    let low = message.to_lowercase();
    if of_runtime.is_none() && (low.contains("cni") || low.contains("network plugin")) {
        return (
            Class::NetworkPluginDown,
            format!(
                "not Ready: its network plugin does not work: {}",
                brief(message)
            ),
        );
    }
    if is_runtime_down(message) || message.contains("container runtime") || of_runtime.is_some() {
        let why = of_runtime.map_or(message, |event| event.text("/message"));
        return (
            Class::ContainerRuntimeDown,
            format!(
                "not Ready: the container runtime of the node does not answer: {}",
                brief(why)
            ),
        );
    }
    if status == "Unknown" {
        return (
            Class::KubeletDown,
            format!(
                "not Ready: its kubelet no longer reports: {}",
                brief(message)
            ),
        );
    }
    let said = format!("not Ready: {}", brief(message));
    (Class::NodeNotReady, said)
}

/// Whether a message tells that nobody listens at the socket of a container runtime.
pub(super) fn is_runtime_down(message: &str) -> bool {
    let sockets = [
        "containerd.sock",
        "crio.sock",
        "cri-dockerd.sock",
        "docker.sock",
    ];
    let is_of_socket = sockets.iter().any(|socket| message.contains(socket));
    is_of_socket
        && (message.contains("connect: ") || message.contains("is the docker daemon running"))
}

/// Whose pods on a node are not ready.
fn owners_on(scene: &Scene<'_>, node: &str) -> Vec<String> {
    let pods = scene.index.pods().iter();
    pods.filter(|pod| pod.text("/spec/nodeName") == node)
        .filter(|pod| pod.text("/status/phase") != "Succeeded" && !pod.is("Ready", "True"))
        .map(|pod| scene.index.owner(pod))
        .collect()
}
