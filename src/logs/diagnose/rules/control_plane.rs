//! The components of the control plane: those whose pods fail, and those of which one sees that they do nothing.

use jiff::Timestamp;

use super::{Finding, Scene, lines};
use crate::{
    logs::{
        diagnose::{
            Class, Evidence,
            index::{id, id_of, labels},
            mentions::How,
        },
        snapshot::{Object, containers, healthy, text},
    },
    pod::brief,
};

/// Seconds after which it is told that nobody cares for an object.
const LONG: i64 = 30;

/// Pods of the control plane that are not ready.
pub(super) fn components(scene: &Scene<'_>) -> Vec<Finding> {
    let pods = scene.index.pods_in("kube-system").iter();
    pods.filter(|pod| !healthy(pod) && pod.text("/metadata/deletionTimestamp").is_empty())
        .filter_map(|pod| {
            let label = |key: &str| {
                let mut all = labels(pod, "/metadata/labels");
                all.find(|(known, _)| *known == key).map(|(_, value)| value)
            };
            let (class, what) = match (label("component"), label("k8s-app")) {
                (Some("kube-scheduler"), _) => (Class::SchedulerDown, "kube-scheduler"),
                (Some("kube-controller-manager"), _) => {
                    (Class::ControllerManagerDown, "kube-controller-manager")
                }
                (Some("kube-apiserver"), _) => (Class::ApiServerDown, "kube-apiserver"),
                (Some("etcd"), _) => (Class::ApiServerDown, "etcd"),
                (_, Some("kube-proxy")) => (Class::KubeProxyDown, "kube-proxy"),
                _ => return None,
            };
            let node = pod.text("/spec/nodeName");
            let said = format!("{what} does not run on node {node}: {}", state(pod));
            let finding = Finding::new(class, id("Node", "", node), said)
                .with([scene.index.owner(pod)])
                .shown(last_words(scene, pod))
                .needing([id("Node", "", node)]);
            Some(finding)
        })
        .collect()
}

/// What a pod's containers are up to.
fn state(pod: &Object) -> String {
    let all = containers(pod);
    let bad = all.iter().find(|it| it.status["ready"] != true);
    let waiting = bad.map_or("", |it| text(it.status, "/state/waiting/reason"));
    let ended = bad.and_then(|it| it.status.pointer("/lastState/terminated/exitCode"));
    match (waiting, ended) {
        ("", None) => format!("its pod is {}", pod.text("/status/phase")),
        (reason, None) => reason.to_owned(),
        ("", Some(code)) => format!("it ended with exit code {code}"),
        (reason, Some(code)) => format!("{reason}, it ended with exit code {code}"),
    }
}

fn last_words(scene: &Scene<'_>, pod: &Object) -> Option<Evidence> {
    let container = containers(pod).into_iter().next()?;
    let log = |previous| scene.index.snapshot.log(pod, container.name, previous);
    let log = log(true).or_else(|| log(false))?;
    let line = lines::telling(&log.lines)?;
    Some(Evidence::line(log, line))
}

/// Pods that no scheduler has looked at.
pub(super) fn scheduler(scene: &Scene<'_>) -> Vec<Finding> {
    let pods = scene.index.pods().iter();
    let unseen: Vec<&&Object> = pods.filter(|pod| is_unseen(scene, pod)).collect();
    let Some(first) = unseen.first() else {
        return Vec::new();
    };
    let said = format!(
        "the scheduler does nothing: {} waits for a node, and nothing says that one was looked for",
        id_of(first)
    );
    let mut affects = control_planes(scene);
    affects.extend(unseen.iter().map(|pod| scene.index.owner(pod)));
    let first_affected = affects.remove(0);
    let finding = Finding::new(Class::SchedulerDown, first_affected, said)
        .with(affects)
        .shown(unseen.iter().take(3).map(|pod| {
            scene.evidence(
                pod,
                &format!(
                    "{} is Pending without the condition PodScheduled",
                    id_of(pod)
                ),
            )
        }));
    vec![finding]
}

fn is_unseen(scene: &Scene<'_>, pod: &Object) -> bool {
    let scheduler = pod.text("/spec/schedulerName");
    let is_old = is_older(scene, pod.text("/metadata/creationTimestamp"));
    let known = ["FailedScheduling", "Scheduled"];
    pod.text("/status/phase") == "Pending"
        && pod.text("/spec/nodeName").is_empty()
        && pod.condition("PodScheduled").is_none()
        && pod.list("/status/containerStatuses").is_empty()
        && pod.list("/status/initContainerStatuses").is_empty()
        && pod.list("/spec/schedulingGates").is_empty()
        && pod.text("/metadata/deletionTimestamp").is_empty()
        && matches!(scheduler, "" | "default-scheduler")
        && is_old
        && !scene
            .index
            .events_of(pod)
            .iter()
            .any(|event| known.contains(&event.text("/reason")))
}

/// Whether something was made so long ago that somebody should have cared; what has no time counts.
fn is_older(scene: &Scene<'_>, made: &str) -> bool {
    let made: Option<Timestamp> = made.parse().ok();
    match (made, scene.index.now) {
        (Some(made), Some(now)) => now.as_second() - made.as_second() >= LONG,
        _ => true,
    }
}

/// The nodes of the control plane.
fn control_planes(scene: &Scene<'_>) -> Vec<String> {
    let is_one = |node: &&&Object| {
        labels(node, "/metadata/labels").any(|(key, value)| {
            matches!(
                key,
                "node-role.kubernetes.io/control-plane" | "node-role.kubernetes.io/master"
            ) || key == "kubernetes.io/role" && value == "master"
        })
    };
    let nodes = scene.index.of_kind("", "Node").iter();
    nodes.filter(is_one).map(|it| id_of(it)).collect()
}

/// Deployments for which no controller has made a `ReplicaSet`.
pub(super) fn controllers(scene: &Scene<'_>) -> Vec<Finding> {
    // Files with manifests alone have no status.
    if scene.index.pods().is_empty() || scene.index.now.is_none() {
        return Vec::new();
    }
    let with_sets: std::collections::HashSet<(Option<&str>, &str)> = scene
        .index
        .of_kind("apps", "ReplicaSet")
        .iter()
        .filter_map(|set| Some((set.namespace(), set.controller()?.1)))
        .collect();
    let unseen: Vec<&&Object> = scene
        .index
        .of_kind("apps", "Deployment")
        .iter()
        .filter(|it| {
            let made = it.text("/metadata/creationTimestamp");
            it.number("/status/observedGeneration").is_none()
                && it.list("/status/conditions").is_empty()
                && !with_sets.contains(&(it.namespace(), it.name()))
                && !made.is_empty()
                && it.number("/spec/replicas") != Some(0)
                && is_older(scene, made)
        })
        .collect();
    let Some(first) = unseen.first() else {
        return Vec::new();
    };
    let said = format!(
        "the controller manager does nothing: {} has no status and no ReplicaSet",
        id_of(first)
    );
    let mut affects = control_planes(scene);
    affects.extend(unseen.iter().map(|it| id_of(it)));
    let first_affected = affects.remove(0);
    vec![Finding::new(Class::ControllerManagerDown, first_affected, said).with(affects)]
}

/// The API server, by those who cannot reach it, or wait for it.
pub(super) fn api_server(scene: &Scene<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for mention in &scene.mentions.all {
        let is_one = mention
            .service
            .is_some_and(|it| it.name() == "kubernetes" && it.namespace() == Some("default"));
        let is_bad = matches!(mention.how, How::Refused | How::Silent);
        let matters = !healthy(mention.pod) || mention.line.times >= 3;
        if is_one && is_bad && matters && mention.log.is_late(mention.line) {
            let how = if mention.how == How::Refused {
                "it refuses connections"
            } else {
                "it does not answer"
            };
            let said = format!("pods cannot reach the API server: {how}");
            let finding = Finding::new(
                Class::ApiServerDown,
                "Service default/kubernetes",
                said.clone(),
            )
            .with([scene.index.owner(mention.pod)])
            .sharing("", said)
            .shown([Evidence::line(mention.log, mention.line)]);
            found.push(finding);
        }
    }
    let nodes = scene.index.of_kind("", "Event").iter();
    let slow = nodes.filter(|event| {
        lines::class(event.text("/message")) == Some(Class::ApiServerSlow)
            && scene.index.is_recent(event, 10)
    });
    found.extend(slow.map(|event| {
        let message = event.text("/message");
        let object = id(
            event.text("/involvedObject/kind"),
            event.text("/involvedObject/namespace"),
            event.text("/involvedObject/name"),
        );
        let said = format!("the API server is too slow: {}", brief(message));
        Finding::new(Class::ApiServerSlow, object, said)
            .sharing("", "the API server is too slow")
            .shown([scene.evidence(event, message)])
    }));
    found
}
