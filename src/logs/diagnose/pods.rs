//! Rules that look at pods and their containers.

use serde_json::Value;

use super::{Class, Finding, brief, event, owner, whole};
use crate::logs::snapshot::{Container, Object, Snapshot, containers, healthy, text};

/// Lines of a log that are shown as evidence.
const SHOWN: usize = 6;

pub(super) fn all(snapshot: &Snapshot) -> Vec<Finding> {
    let pods = snapshot
        .pods()
        .filter(|pod| !healthy(pod) && pod.text("/metadata/deletionTimestamp").is_empty());
    pods.flat_map(|pod| one(snapshot, pod)).collect()
}

fn one(snapshot: &Snapshot, pod: &Object) -> Vec<Finding> {
    let finding = |class, cause: String, evidence: Vec<String>| Finding {
        class,
        affects: vec![owner(snapshot, pod)],
        cause,
        evidence,
    };
    if pod.text("/status/reason") == "Evicted" {
        let message = brief(pod.text("/status/message"));
        return vec![finding(
            Class::Evicted,
            format!("evicted: {message}"),
            vec![],
        )];
    }
    if let Some(condition) = pod
        .condition("PodScheduled")
        .filter(|condition| text(condition, "/status") == "False")
    {
        let message = text(condition, "/message");
        // A claim that is not bound is told as such, by its own rule.
        if message.contains("unbound immediate PersistentVolumeClaims")
            || text(condition, "/reason") != "Unschedulable"
        {
            return Vec::new();
        }
        return vec![finding(
            Class::Unschedulable,
            unschedulable(message),
            vec![whole(message)],
        )];
    }
    let mut found: Vec<_> = containers(pod)
        .iter()
        .filter_map(|container| {
            let (class, cause, evidence) = trouble(snapshot, pod, container)?;
            Some(finding(class, cause, evidence))
        })
        .collect();
    if found.is_empty() {
        found.extend(
            mount(snapshot, pod).map(|(cause, evidence)| finding(Class::Volume, cause, evidence)),
        );
    }
    found
}

/// What is short, rather than how many nodes of which kind were looked at.
fn unschedulable(message: &str) -> String {
    let reasons: Vec<_> = message
        .split_once(": ")
        .map_or(message, |(_, reasons)| reasons)
        .split("preemption:")
        .next()
        .unwrap_or_default()
        .split([',', '.'])
        .map(|reason| {
            reason
                .trim()
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .trim()
        })
        .filter(|reason| !reason.is_empty() && !reason.starts_with("no new claims"))
        .collect();
    format!("no node takes it: {}", brief(&reasons.join(", ")))
}

type Trouble = (Class, String, Vec<String>);

fn trouble(snapshot: &Snapshot, pod: &Object, container: &Container<'_>) -> Option<Trouble> {
    let waiting = text(container.status, "/state/waiting/reason");
    let message = text(container.status, "/state/waiting/message");
    match waiting {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable" => {
            let image = text(container.spec, "/image");
            let told = event(snapshot, pod, "Failed", "Failed to pull image").unwrap_or_default();
            let full = format!("{message} {told}");
            let cause = format!(
                "image {image} cannot be pulled: {}",
                pull_reason(&full, waiting)
            );
            return Some((Class::ImagePull, cause, vec![whole(full.trim())]));
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            let cause = format!(
                "container {} cannot be made: {}",
                container.name,
                brief(message)
            );
            return Some((Class::Configuration, cause, vec![]));
        }
        _ => {}
    }
    let ended = ["/state/terminated", "/lastState/terminated"]
        .iter()
        .find_map(|state| container.status.pointer(state));
    let code = ended
        .and_then(|ended| ended.pointer("/exitCode"))
        .and_then(Value::as_i64)
        .unwrap_or(0);
    if let Some(ended) = ended
        && (code != 0 || waiting == "CrashLoopBackOff")
    {
        let name = container.name;
        if text(ended, "/reason") == "OOMKilled" {
            let limit = text(container.spec, "/resources/limits/memory");
            let cause = if limit.is_empty() {
                format!("container {name} was killed: the node had no memory left")
            } else {
                format!("container {name} was killed: it needs more than its {limit} of memory")
            };
            return Some((Class::OutOfMemory, cause, log(snapshot, pod, container)));
        }
        let lines = log(snapshot, pod, container);
        let why = telling(&lines).map_or_else(
            || match text(ended, "/message") {
                "" => String::new(),
                message => format!(": {}", brief(message)),
            },
            |line| format!(": {}", brief(line)),
        );
        let how = if container.restarts() > 0 {
            format!("ended {} times", container.restarts() + 1)
        } else {
            "ended".to_owned()
        };
        let cause = format!("container {name} {how}, last with exit code {code}{why}");
        return Some((Class::CrashLoop, cause, lines));
    }
    let running = container.status.pointer("/state/running").is_some();
    let ready = container.status.pointer("/ready") == Some(&Value::Bool(true));
    if running && !ready && container.role == "container" {
        let probe = event(snapshot, pod, "Unhealthy", "probe failed")?;
        let cause = format!(
            "container {} runs but is not ready: {}",
            container.name,
            brief(probe)
        );
        return Some((Class::NotReady, cause, log(snapshot, pod, container)));
    }
    None
}

/// Why an image cannot be pulled, in the words of people.
fn pull_reason(message: &str, reason: &str) -> String {
    let low = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| low.contains(word));
    if reason == "InvalidImageName" || has(&["invalid reference format"]) {
        "its name is not valid".to_owned()
    } else if has(&["429", "toomanyrequests", "rate limit"]) {
        "the registry limits the rate of pulls (429)".to_owned()
    } else if has(&[
        "no match for platform",
        "exec format",
        "no matching manifest",
    ]) {
        "there is none for this architecture".to_owned()
    } else if has(&["not found", "manifest unknown", "name unknown", "404"]) {
        "not found".to_owned()
    } else if has(&[
        "401",
        "403",
        "unauthorized",
        "authorization failed",
        "access denied",
        "pull access",
    ]) {
        "the registry refuses access".to_owned()
    } else if has(&[
        "no such host",
        "connection refused",
        "i/o timeout",
        "dial tcp",
        "deadline exceeded",
        "tls",
    ]) {
        "the registry is out of reach".to_owned()
    } else {
        brief(message.trim())
    }
}

/// The last lines of the run that failed, and where it left none, of the present one.
fn log(snapshot: &Snapshot, pod: &Object, container: &Container<'_>) -> Vec<String> {
    let previous = snapshot.tail(pod, container.name, true);
    let lines = if previous.is_empty() || container.status.pointer("/state/terminated").is_some() {
        snapshot.tail(pod, container.name, false)
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

fn mount(snapshot: &Snapshot, pod: &Object) -> Option<(String, Vec<String>)> {
    if pod.text("/status/phase") != "Pending" {
        return None;
    }
    let message = event(snapshot, pod, "FailedMount", "")
        .or_else(|| event(snapshot, pod, "FailedAttachVolume", ""))?;
    Some((
        format!("a volume cannot be mounted: {}", brief(message)),
        vec![],
    ))
}
