//! Pods whose sandbox, the shell around their containers, cannot be made.

use super::{Finding, Scene, nodes::is_runtime_down};
use crate::{
    logs::{
        diagnose::{
            Class,
            index::{began, id},
        },
        snapshot::{Object, healthy, text},
    },
    pod::brief,
};

/// Minutes for which an event counts.
const RECENT: i64 = 10;

/// What keeps sandboxes from being made.
pub(super) fn sandboxes(scene: &Scene<'_>) -> Vec<Finding> {
    let pods = scene.index.pods().iter();
    let waiting = pods.filter(|pod| !healthy(pod) && pod.text("/status/phase") == "Pending");
    waiting.filter_map(|pod| one(scene, pod)).collect()
}

fn one(scene: &Scene<'_>, pod: &Object) -> Option<Finding> {
    let events = scene.index.events_of(pod);
    let event = events.iter().rev().find(|event| {
        event.text("/reason") == "FailedCreatePodSandBox" && scene.index.is_recent(event, RECENT)
    })?;
    let message = event.text("/message");
    let low = message.to_lowercase();
    let owner = scene.index.owner(pod);
    let node = id("Node", "", pod.text("/spec/nodeName"));
    let on_node = |class, what: &str| {
        let key = format!("{node} {what}");
        let said = format!("{what}: {}", brief(last_part(message)));
        Finding::new(class, node.clone(), said.clone())
            .with([owner.clone()])
            .sharing(key, said)
    };
    let finding = if low.contains("oom") {
        let limit = pod
            .list("/spec/containers")
            .iter()
            .map(|it| text(it, "/resources/limits/memory"))
            .find(|it| !it.is_empty());
        let said = match limit {
            Some(limit) => format!(
                "it does not even start within its {limit} of memory: the kernel kills it (OOM)"
            ),
            None => "the node has no memory left to start it: the kernel kills it (OOM)".to_owned(),
        };
        Finding::new(Class::OutOfMemory, owner, said)
    } else if is_runtime_down(message) {
        on_node(
            Class::ContainerRuntimeDown,
            "the container runtime of the node does not answer",
        )
    } else if low.contains("no space left") {
        on_node(Class::NoSpaceLeft, "the node's disk is full")
    } else if low.contains("cni") || low.contains("network for sandbox") {
        on_node(
            Class::NetworkPluginDown,
            "the network plugin cannot connect pods of the node",
        )
    } else {
        let said = format!("its sandbox cannot be made: {}", brief(last_part(message)));
        Finding::new(Class::SandboxNotCreated, owner, said).needing([node])
    };
    Some(
        finding
            .shown([scene.evidence(event, message)])
            .since(began(event)),
    )
}

/// The end of a chain of causes, which says what is wrong.
fn last_part(message: &str) -> &str {
    let mut marks = message.rmatch_indices(": ");
    marks
        .nth(1)
        .map_or(message, |(at, mark)| &message[at + mark.len()..])
}
