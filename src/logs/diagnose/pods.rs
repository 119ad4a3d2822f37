//! Rules that look at pods and their containers.

use serde_json::Value;

use super::{Class, Finding, brief, owner, whole};
use crate::{
    logs::snapshot::{Object, Snapshot, containers, healthy},
    pod::{self, Trouble, Why},
};

/// Lines of a log that are shown as evidence.
const SHOWN: usize = 6;

pub(super) fn all(snapshot: &Snapshot) -> Vec<Finding> {
    let pods = snapshot
        .pods()
        .filter(|pod| !healthy(pod) && pod.text("/metadata/deletionTimestamp").is_empty());
    pods.flat_map(|pod| one(snapshot, pod)).collect()
}

fn one(snapshot: &Snapshot, pod: &Object) -> Vec<Finding> {
    let events: Vec<&Value> = snapshot
        .events_of(pod)
        .into_iter()
        .map(|event| &event.value)
        .collect();
    let troubles = pod::troubles(&pod.value, &events).into_iter();
    troubles
        .filter_map(|trouble| {
            let class = class(&trouble)?;
            let (cause, evidence) = told(snapshot, pod, trouble);
            Some(Finding {
                class,
                affects: vec![owner(snapshot, pod)],
                cause,
                evidence,
            })
        })
        .collect()
}

/// The class of a trouble; none for what another rule tells.
fn class(trouble: &Trouble) -> Option<Class> {
    let message = trouble.message.as_str();
    Some(match trouble.why {
        // A claim that is not bound is told as such, by its own rule; who lifts a gate is nobody's trouble.
        Why::Claim | Why::Gated => return None,
        Why::Evicted => Class::Evicted,
        Why::NoRoom => no_room(&trouble.what),
        Why::Configuration | Why::Volume if is_missing(message) => Class::ConfigurationMissing,
        Why::Configuration | Why::RunsAsRoot => Class::ContainerNotCreated,
        Why::Waits => Class::ContainerWaiting,
        Why::OutOfMemory => Class::OutOfMemory,
        Why::Crash => Class::CrashLoop,
        Why::Volume => Class::MountFailed,
        Why::NotReady if message.starts_with("Liveness") => Class::LivenessProbeFails,
        Why::NotReady if message.starts_with("Startup") => Class::StartupProbeFails,
        Why::NotReady => Class::ReadinessProbeFails,
        Why::ImageName => Class::ImageNameInvalid,
        Why::ImageGone => Class::ImageNotFound,
        Why::ImagePlatform => Class::ImagePlatformMissing,
        Why::ImageNever => Class::ImageNeverPulled,
        Why::RegistryDenies => Class::RegistryAccessDenied,
        Why::RegistryLimits => Class::RegistryRateLimited,
        Why::RegistryUnknown => Class::RegistryNameUnknown,
        Why::RegistryUnreachable => Class::RegistryUnreachable,
        Why::ImagePull => Class::ImagePullFailed,
        Why::Webhook | Why::PodSecurity | Why::Quota | Why::Refused => {
            refused(trouble.why, message)
        }
    })
}

/// The class of what the API server refuses.
pub(super) fn refused(why: Why, message: &str) -> Class {
    match why {
        Why::Webhook => Class::WebhookDown,
        Why::PodSecurity => Class::PodSecurityViolated,
        Why::Quota => Class::QuotaExceeded,
        _ if message.contains("serviceaccount") && message.contains("not found") => {
            Class::ServiceAccountMissing
        }
        _ => Class::PodsRefused,
    }
}

/// The class of what the scheduler lacks. A cordon is the class where nothing else is lacking: most clusters have a node
/// that takes no pods.
fn no_room(what: &str) -> Class {
    let has = |words: &[&str]| words.iter().any(|word| what.contains(word));
    if has(&["Insufficient", "Too many pods"]) {
        Class::InsufficientResources
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
    (is_of && message.contains("not found")) || message.contains("couldn't find key")
}

/// A trouble in one line, and what shows it.
fn told(snapshot: &Snapshot, pod: &Object, trouble: Trouble) -> (String, Vec<String>) {
    let Some(name) = trouble.container.as_deref() else {
        let shown = (trouble.why == Why::NoRoom).then(|| whole(&trouble.message));
        return (trouble.what, shown.into_iter().collect());
    };
    match trouble.why {
        why if why.is_pull() => (trouble.what, vec![whole(&trouble.message)]),
        Why::OutOfMemory | Why::NotReady => (trouble.what, log(snapshot, pod, name)),
        Why::Crash => {
            let lines = log(snapshot, pod, name);
            let why = telling(&lines).unwrap_or(trouble.message.as_str());
            let cause = if why.is_empty() {
                trouble.what
            } else {
                format!("{}: {}", trouble.what, brief(why))
            };
            (cause, lines)
        }
        _ => (trouble.what, Vec::new()),
    }
}

/// The last lines of the run that failed, and where it left none, of the present one.
fn log(snapshot: &Snapshot, pod: &Object, name: &str) -> Vec<String> {
    let previous = snapshot.tail(pod, name, true);
    let ended = containers(pod)
        .iter()
        .any(|it| it.name == name && it.status.pointer("/state/terminated").is_some());
    let lines = if previous.is_empty() || ended {
        snapshot.tail(pod, name, false)
    } else {
        previous
    };
    let lines = if lines.is_empty() { previous } else { lines };
    lines[lines.len().saturating_sub(SHOWN)..].to_vec()
}

/// The line that says most: the last that speaks of an error, else the last.
fn telling(lines: &[String]) -> Option<&str> {
    const WORDS: [&str; 10] = [
        "panic",
        "fatal",
        "error",
        "exception",
        "cannot",
        "failed",
        "refused",
        "denied",
        "no such",
        "not found",
    ];
    let lines = || {
        lines
            .iter()
            .rev()
            .map(|line| line.trim())
            .filter(|line| !line.is_empty())
    };
    lines()
        .find(|line| {
            let low = line.to_lowercase();
            WORDS.iter().any(|word| low.contains(word))
        })
        .or_else(|| lines().next())
}
