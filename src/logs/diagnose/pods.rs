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
            let class = class(trouble.why)?;
            let (cause, evidence) = told(snapshot, pod, trouble, class);
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
fn class(why: Why) -> Option<Class> {
    Some(match why {
        // A claim that is not bound is told as such, by its own rule; who lifts a gate is nobody's trouble.
        Why::Claim | Why::Gated => return None,
        Why::Evicted => Class::Evicted,
        Why::NoRoom => Class::Unschedulable,
        Why::Configuration | Why::RunsAsRoot | Why::Waits => Class::Configuration,
        Why::OutOfMemory => Class::OutOfMemory,
        Why::Crash => Class::CrashLoop,
        Why::Volume => Class::Volume,
        Why::NotReady => Class::NotReady,
        Why::Webhook => Class::Webhook,
        Why::PodSecurity | Why::Quota | Why::Refused => Class::Refused,
        why if why.is_pull() => Class::ImagePull,
        _ => return None,
    })
}

/// A trouble in one line, and what shows it.
fn told(
    snapshot: &Snapshot,
    pod: &Object,
    trouble: Trouble,
    class: Class,
) -> (String, Vec<String>) {
    let Some(name) = trouble.container.as_deref() else {
        let shown = (class == Class::Unschedulable).then(|| whole(&trouble.message));
        return (trouble.what, shown.into_iter().collect());
    };
    match class {
        Class::ImagePull => (trouble.what, vec![whole(&trouble.message)]),
        Class::OutOfMemory | Class::NotReady => (trouble.what, log(snapshot, pod, name)),
        Class::CrashLoop => {
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
