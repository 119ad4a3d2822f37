//! Pods and their containers.

use serde_json::Value;

use super::{Finding, Scene, lines, probes};
use crate::{
    logs::{
        diagnose::{
            Class, Evidence,
            index::{id, id_of},
            whole,
        },
        snapshot::{Container, Line, Log, Object, containers, healthy},
    },
    pod::{self, Trouble, Why, brief},
};

/// Lines of a log that are shown as evidence.
const SHOWN: usize = 6;

/// What is wrong with each pod that its owner still needs.
pub(super) fn pods(scene: &Scene<'_>) -> Vec<Finding> {
    let pods = scene.index.pods().iter().filter(|pod| {
        !healthy(pod)
            && pod.text("/metadata/deletionTimestamp").is_empty()
            && !scene.index.is_satisfied(pod)
    });
    pods.flat_map(|pod| one(scene, pod)).collect()
}

fn one(scene: &Scene<'_>, pod: &Object) -> Vec<Finding> {
    let events = scene.index.events_of(pod);
    let values: Vec<&Value> = events.iter().map(|event| &event.value).collect();
    let all = containers(pod);
    let troubles = pod::troubles(&pod.value, &values).into_iter();
    troubles
        .filter_map(|trouble| {
            let since = trouble.since;
            let named = trouble.container.as_deref();
            let container = all.iter().find(|it| Some(it.name) == named);
            let found = match container {
                Some(container) => of_container(scene, pod, container, trouble)?,
                None => of_pod(scene, pod, &trouble)?,
            };
            Some(found.since(since))
        })
        .collect()
}

/// A trouble of the whole pod.
fn of_pod(scene: &Scene<'_>, pod: &Object, trouble: &Trouble) -> Option<Finding> {
    let class = class(trouble)?;
    let finding = Finding::new(class, scene.index.owner(pod), trouble.what.clone());
    let node = id("Node", "", pod.text("/spec/nodeName"));
    Some(match trouble.why {
        Why::NoRoom | Why::NoNode => finding
            .shown([scene.evidence(pod, &trouble.message)])
            .shown(nodes_that_refuse(scene, class))
            .needing(nodes_not_ready(scene, &trouble.what)),
        Why::Volume | Why::Mount | Why::Evicted => finding
            .shown([scene.evidence(pod, &trouble.message)])
            .needing([node]),
        _ => finding.shown([scene.evidence(pod, &trouble.message)]),
    })
}

/// The nodes that are cordoned or tainted, as evidence.
fn nodes_that_refuse(scene: &Scene<'_>, class: Class) -> Vec<Evidence> {
    let nodes = scene.index.of_kind("", "Node").iter();
    match class {
        Class::NodeCordoned => nodes
            .filter(|node| node.value.pointer("/spec/unschedulable") == Some(&true.into()))
            .map(|node| scene.evidence(node, &format!("{} is cordoned", id_of(node))))
            .collect(),
        Class::TaintNotTolerated => nodes
            .flat_map(|node| {
                node.list("/spec/taints")
                    .iter()
                    .map(move |taint| (node, taint))
            })
            .filter(|(_, taint)| taint["effect"] != "PreferNoSchedule")
            .map(|(node, taint)| {
                let said = format!(
                    "{} has the taint {}={}:{}",
                    id_of(node),
                    taint["key"].as_str().unwrap_or_default(),
                    taint["value"].as_str().unwrap_or_default(),
                    taint["effect"].as_str().unwrap_or_default()
                );
                scene.evidence(node, &said)
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The nodes whose state keeps a pod away.
fn nodes_not_ready(scene: &Scene<'_>, lacks: &str) -> Vec<String> {
    let words = ["node.kubernetes.io/", "were unschedulable"];
    if !words.iter().any(|word| lacks.contains(word)) {
        return Vec::new();
    }
    let nodes = scene.index.of_kind("", "Node").iter();
    nodes
        .filter(|node| !node.is("Ready", "True"))
        .map(|node| id_of(node))
        .collect()
}

/// A trouble of a container.
fn of_container(
    scene: &Scene<'_>,
    pod: &Object,
    container: &Container<'_>,
    trouble: Trouble,
) -> Option<Finding> {
    let class = class(&trouble)?;
    let owner = scene.index.owner(pod);
    let node = id("Node", "", pod.text("/spec/nodeName"));
    let found = match trouble.why {
        why if why.is_pull() => {
            pull(class, owner, &trouble).shown([scene.evidence(pod, &trouble.message)])
        }
        Why::Crash | Why::NotReady | Why::Probe | Why::ProbePort => {
            return Some(failing(scene, pod, container, class, trouble));
        }
        Why::OutOfMemory => {
            Finding::new(class, owner, trouble.what).shown(shown(scene, pod, container))
        }
        Why::Waits => Finding::new(class, owner, trouble.what).needing([node]),
        _ => {
            let what = trouble.what;
            Finding::new(class, owner, what).shown([scene.evidence(pod, &trouble.message)])
        }
    };
    Some(found)
}

/// An image that cannot be pulled. Images of one registry that is at fault are one cause.
fn pull(class: Class, owner: String, trouble: &Trouble) -> Finding {
    let finding = Finding::new(class, owner, trouble.what.clone());
    if !trouble.why.is_registry() || trouble.why == Why::ImagePull {
        return finding;
    }
    let registry = registry(&trouble.image);
    let said = trouble
        .what
        .rsplit("cannot be pulled: ")
        .next()
        .unwrap_or_default();
    finding.sharing(
        registry,
        format!("images of {registry} cannot be pulled: {said}"),
    )
}

/// The registry of an image; without one it is Docker's.
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => "docker.io",
    }
}

/// A container that ends, or is not ready: a probe, a line of its log, or somebody whom it cannot reach tells why.
fn failing(
    scene: &Scene<'_>,
    pod: &Object,
    container: &Container<'_>,
    class: Class,
    trouble: Trouble,
) -> Finding {
    let owner = scene.index.owner(pod);
    let log = log(scene, pod, container);
    let lines = log.map_or(&[][..], |log| log.lines.as_slice());
    let telling = lines::telling(lines);
    let by_line = telling.and_then(|line| Some((line, class_of(container, line)?)));
    if let Some((line, class)) = by_line {
        let said = match lines::denied_mount(container, &line.text) {
            Some(path) => format!(
                "container {} may not use its volume at {path}: {}",
                container.name,
                brief(line.text.trim())
            ),
            None => lines::sentence(class, pod, container, &line.text),
        };
        let finding = Finding::new(class, owner, said).needing(lines::needs(scene, pod));
        return lines::shared(finding, pod).shown(log.map(|log| Evidence::line(log, line)));
    }
    if let Some((class, event)) = probes::killed(scene, pod, container) {
        return probes::finding(scene, pod, container, class, event)
            .shown(shown(scene, pod, container));
    }
    let word = match class {
        Class::ReadinessProbeFails => "Readiness",
        Class::LivenessProbeFails => "Liveness",
        Class::StartupProbeFails => "Startup",
        _ => "no probe",
    };
    if let Some(event) = unhealthy(scene, pod, word) {
        let node = id("Node", "", pod.text("/spec/nodeName"));
        return probes::finding(scene, pod, container, class, event)
            .needing([node])
            .shown(shown(scene, pod, container));
    }
    if let Some((said, evidence)) = lines::unreached(scene, pod) {
        let said = format!("{}: {said}", trouble.what);
        return Finding::new(Class::DependencyUnreachable, owner, said)
            .needing(lines::needs(scene, pod))
            .shown([evidence]);
    }
    let why = telling.map_or(trouble.message.as_str(), |line| line.text.trim());
    let said = if why.is_empty() || class != Class::CrashLoop {
        trouble.what
    } else {
        format!("{}: {}", trouble.what, brief(why))
    };
    Finding::new(class, owner, said)
        .needing(lines::needs(scene, pod))
        .shown(shown(scene, pod, container))
}

fn class_of(container: &Container<'_>, line: &Line) -> Option<Class> {
    if lines::denied_mount(container, &line.text).is_some() {
        return Some(Class::VolumePermissionDenied);
    }
    lines::class(&line.text)
}

fn unhealthy<'a>(scene: &Scene<'a>, pod: &Object, word: &str) -> Option<&'a Object> {
    let events = scene.index.events_of(pod);
    events.into_iter().rev().find(|event| {
        event.text("/reason") == "Unhealthy" && event.text("/message").starts_with(word)
    })
}

/// The class of a trouble; none for what another rule tells.
fn class(trouble: &Trouble) -> Option<Class> {
    let message = trouble.message.as_str();
    Some(match trouble.why {
        // A claim that is not bound or not there is told as such, by its own rule; who lifts a gate is nobody's trouble.
        Why::Claim | Why::Gated => return None,
        Why::Evicted => Class::Evicted,
        Why::NoRoom | Why::NoNode => no_room(&trouble.what),
        Why::Unscheduled => Class::Unschedulable,
        Why::Configuration | Why::Volume | Why::Mount if is_missing(message) => {
            Class::ConfigurationMissing
        }
        _ if message.contains("no space left on device") => Class::NoSpaceLeft,
        Why::Configuration | Why::RunsAsRoot => Class::ContainerNotCreated,
        Why::Waits => Class::ContainerWaiting,
        Why::OutOfMemory => Class::OutOfMemory,
        Why::Crash => Class::CrashLoop,
        Why::Volume | Why::Mount if is_denied(message) => Class::VolumePermissionDenied,
        Why::Volume | Why::Mount => Class::MountFailed,
        Why::NotReady if message.starts_with("Liveness") => Class::LivenessProbeFails,
        Why::NotReady | Why::Probe if message.starts_with("Startup") => Class::StartupProbeFails,
        Why::NotReady | Why::Probe | Why::ProbePort => Class::ReadinessProbeFails,
        Why::ImageName => Class::ImageNameInvalid,
        Why::ImageGone => Class::ImageNotFound,
        Why::ImagePlatform => Class::ImagePlatformMissing,
        Why::ImageNever => Class::ImageNeverPulled,
        Why::RegistryDenies => Class::RegistryAccessDenied,
        Why::RegistryLimits => Class::RegistryRateLimited,
        Why::RegistryUnknown => Class::RegistryNameUnknown,
        Why::RegistryUnreachable => Class::RegistryUnreachable,
        Why::ImagePull => Class::ImagePullFailed,
        Why::Webhook | Why::PodSecurity | Why::Absent | Why::Quota | Why::Refused => {
            super::refused::class(trouble.why, message)
        }
    })
}

/// The class of what the scheduler lacks. A cordon is the class where nothing else is lacking: most clusters have a node
/// that takes no pods.
fn no_room(what: &str) -> Class {
    let has = |words: &[&str]| words.iter().any(|word| what.contains(word));
    if has(&["Insufficient", "Too many pods"]) {
        Class::InsufficientResources
    } else if has(&["free ports"]) {
        Class::PortInUse
    } else if has(&["affinity/selector"]) {
        Class::NodeSelectorMismatch
    } else if has(&["affinity rules", "topology spread"]) {
        Class::PodAffinityConflict
    } else if has(&["untolerated taint"]) {
        Class::TaintNotTolerated
    } else if has(&["were unschedulable"]) {
        Class::NodeCordoned
    } else {
        Class::Unschedulable
    }
}

/// Whether a message is about a Secret, a `ConfigMap` or a key that is not there.
fn is_missing(message: &str) -> bool {
    let is_of = message.contains("secret") || message.contains("configmap");
    (is_of && message.contains("not found"))
        || message.contains("couldn't find key")
        || message.contains("references non-existent")
}

/// Whether a message is about rights at a volume.
fn is_denied(message: &str) -> bool {
    let low = message.to_lowercase();
    [
        "permission denied",
        "access denied",
        "operation not permitted",
    ]
    .iter()
    .any(|word| low.contains(word))
}

/// The log of the run that failed, and where it left none, of the present one.
fn log<'a>(scene: &Scene<'a>, pod: &Object, container: &Container<'_>) -> Option<&'a Log> {
    let of = |previous| {
        let log = scene.index.snapshot.log(pod, container.name, previous);
        log.filter(|log| !log.lines.is_empty())
    };
    let ended = container.status.pointer("/state/terminated").is_some();
    if ended {
        of(false).or_else(|| of(true))
    } else {
        of(true).or_else(|| of(false))
    }
}

/// The last lines of that log.
fn shown(scene: &Scene<'_>, pod: &Object, container: &Container<'_>) -> Vec<Evidence> {
    let Some(log) = log(scene, pod, container) else {
        return Vec::new();
    };
    let tail = log.tail();
    let from = tail.len().saturating_sub(SHOWN);
    let mut lines: Vec<Evidence> = tail[from..]
        .iter()
        .map(|it| Evidence::line(log, it))
        .collect();
    // What says most may be far from the end.
    if let Some(line) = lines::telling(&log.lines)
        && !lines.iter().any(|it| it.text == whole(&line.text))
    {
        lines.insert(0, Evidence::line(log, line));
    }
    lines
}
