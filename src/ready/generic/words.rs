//! The words of the ecosystem: what a condition's type, or a phase, says of its object.
//!
//! Types of conditions follow the API conventions of Kubernetes and the habits of its operators: some say that all is well
//! (`Ready`), some that something is not (`Stalled`, `PullFailed`), some that it is under way (`Reconciling`).

/// What it means that a condition is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It sums up the object: false, and the object is not ready; true, and its parts do not count.
    Summary,
    /// The object is not ready without it.
    Needed,
    /// It is a part of the object, and counts where nothing sums it up.
    Part,
    /// Something is wrong.
    Wrong,
    /// Something is wrong with a part; it counts where nothing says that the object is ready.
    WrongPart,
    /// It is under way.
    Busy,
    /// It is suspended.
    Suspended,
}

/// What a phase says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Ready,
    Busy,
    Wrong,
    Suspended,
}

const SUMMARY: &[&str] = &["available", "healthy", "ready"];

const NEEDED: &[&str] = &[
    "accepted",
    "applied",
    "compliant",
    "deployed",
    "established",
    "installed",
    "programmed",
    "reconciled",
    "reconcilesuccess",
    "reconcilesuccessful",
    "resolvedrefs",
    "resourcesynced",
    "succeeded",
    "success",
    "successful",
    "synced",
    "uptodate",
    "valid",
    "validated",
];

/// Last words of a type that says something good of a part.
const PARTS: &[&str] = &[
    "accepted",
    "active",
    "applied",
    "available",
    "bound",
    "complete",
    "completed",
    "configured",
    "connected",
    "created",
    "deployed",
    "healthy",
    "initialized",
    "installed",
    "joined",
    "online",
    "programmed",
    "provisioned",
    "ready",
    "reachable",
    "reconciled",
    "registered",
    "resolved",
    "running",
    "scheduled",
    "succeeded",
    "synced",
    "valid",
];

const WRONG: &[&str] = &[
    "aborted",
    "conflict",
    "conflicted",
    "crashed",
    "degraded",
    "error",
    "errored",
    "errors",
    "failed",
    "failing",
    "failure",
    "invalid",
    "misconfigured",
    "notaccepted",
    "notready",
    "reconcileerror",
    "reconcilefailed",
    "rejected",
    "stalled",
    "terminal",
    "unavailable",
    "unhealthy",
    "unrecoverable",
];

const WRONG_PARTS: &[&str] = &[
    "conflicted",
    "degraded",
    "error",
    "errors",
    "failed",
    "failure",
    "invalid",
    "rejected",
    "stalled",
    "unavailable",
    "unhealthy",
];

const BUSY: &[&str] = &[
    "creating",
    "deleting",
    "deploying",
    "initializing",
    "inprogress",
    "installing",
    "migrating",
    "pending",
    "progressing",
    "provisioning",
    "reconciling",
    "restarting",
    "rollingout",
    "rollingupdate",
    "scaling",
    "starting",
    "terminating",
    "updating",
    "upgrading",
];

const SUSPENDED: &[&str] = &["hibernated", "paused", "suspended"];

/// Phases beside the last words of conditions.
const READY_PHASES: &[&str] = &[
    "alive", "done", "enabled", "finished", "green", "issued", "live", "ok", "open", "serving",
    "stable", "success", "up", "uptodate",
];
const BUSY_PHASES: &[&str] = &[
    "applying",
    "binding",
    "building",
    "configuring",
    "inactive",
    "initialising",
    "new",
    "preparing",
    "processing",
    "queued",
    "resizing",
    "reconcile",
    "scheduling",
    "stopping",
    "submitted",
    "syncing",
    "submitting",
    "uninstalling",
    "uninitialized",
    "unknown",
    "validating",
    "verifying",
    "waiting",
    "warning",
    "warmup",
];
const WRONG_PHASES: &[&str] = &[
    "cancelled",
    "canceled",
    "crashloopbackoff",
    "dead",
    "deadlineexceeded",
    "down",
    "expired",
    "fail",
    "fatal",
    "inconclusive",
    "killed",
    "lost",
    "noncompliant",
    "outofsync",
    "red",
    "terminated",
    "timedout",
    "timeout",
];
const SUSPENDED_PHASES: &[&str] = &["hibernating", "pausing", "stopped", "suspending"];

/// A type or a phase in lower case without what parts its words; of a path only what follows the last slash or dot.
fn plain(text: &str) -> String {
    let last = text.rsplit(['/', '.']).next().unwrap_or_default();
    let letters = last.chars().filter(char::is_ascii_alphanumeric);
    letters.collect::<String>().to_ascii_lowercase()
}

/// The words of a type in lower case: `deployments` and `available` of `DeploymentsAvailable`.
fn split(text: &str) -> Vec<String> {
    let last = text.rsplit(['/', '.']).next().unwrap_or_default();
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for c in last.chars() {
        if !c.is_ascii_alphanumeric() {
            words.push(String::new());
        } else if c.is_ascii_uppercase() && !before.is_ascii_uppercase() || words.is_empty() {
            words.push(c.to_ascii_lowercase().to_string());
        } else if let Some(word) = words.last_mut() {
            word.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What it means that a condition of this type is true; none for a type that says nothing of readiness.
pub(super) fn condition(kind: &str) -> Option<Meaning> {
    let whole = plain(kind);
    let is = |words: &[&str], word: &str| words.contains(&word);
    if is(SUMMARY, &whole) {
        return Some(Meaning::Summary);
    }
    if is(NEEDED, &whole) {
        return Some(Meaning::Needed);
    }
    if is(WRONG, &whole) {
        return Some(Meaning::Wrong);
    }
    if is(SUSPENDED, &whole) {
        return Some(Meaning::Suspended);
    }
    if is(BUSY, &whole) {
        return Some(Meaning::Busy);
    }
    let words = split(kind);
    let (word, before) = match words.as_slice() {
        [] => return None,
        [.., before, word] => (word.as_str(), before.as_str()),
        [word] => (word.as_str(), ""),
    };
    let is_denied = matches!(before, "not" | "no" | "never");
    if is(PARTS, word) {
        return Some(if is_denied {
            Meaning::WrongPart
        } else {
            Meaning::Part
        });
    }
    if is_denied {
        return None;
    }
    let leads = matches!(words[0].as_str(), "error" | "invalid");
    if is(WRONG_PARTS, word) || leads {
        Some(Meaning::WrongPart)
    } else if is(BUSY, word) {
        Some(Meaning::Busy)
    } else {
        None
    }
}

/// What a phase says; none for a text that is no word of these.
pub(super) fn phase(text: &str) -> Option<Phase> {
    // "ERROR, no such secret": the word that a sentence begins with.
    let whole = plain(text.split([',', ':', ';']).next().unwrap_or_default());
    let is = |words: &[&str]| words.contains(&whole.as_str());
    if is(READY_PHASES) || is(SUMMARY) || is(NEEDED) || is(PARTS) {
        Some(Phase::Ready)
    } else if is(SUSPENDED) || is(SUSPENDED_PHASES) {
        Some(Phase::Suspended)
    } else if is(WRONG) || is(WRONG_PHASES) || whole.ends_with("failed") || whole.ends_with("error")
    {
        Some(Phase::Wrong)
    } else if is(BUSY) || is(BUSY_PHASES) || whole.ends_with("pending") {
        Some(Phase::Busy)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_of_a_condition_means_what_its_last_word_says() {
        for (kind, expected) in [
            ("Ready", Some(Meaning::Summary)),
            ("ACK.ResourceSynced", Some(Meaning::Needed)),
            ("DeploymentsAvailable", Some(Meaning::Part)),
            ("ContainersNotReady", Some(Meaning::WrongPart)),
            ("NotReady", Some(Meaning::Wrong)),
            ("Stalled", Some(Meaning::Wrong)),
            ("ImagePullFailed", Some(Meaning::WrongPart)),
            ("EKSControlPlaneUpdating", Some(Meaning::Busy)),
            ("Reconciling", Some(Meaning::Busy)),
            ("ErrorOccurred", Some(Meaning::WrongPart)),
            ("Paused", Some(Meaning::Suspended)),
            // An autoscaler that is at its limit does what it was asked for.
            ("ScalingLimited", None),
            ("NoErrors", None),
            ("", None),
        ] {
            assert_eq!(condition(kind), expected, "{kind}");
        }
    }

    #[test]
    fn a_phase_is_one_word_however_it_is_written() {
        for (text, expected) in [
            ("Running", Some(Phase::Ready)),
            ("COMPLETED", Some(Phase::Ready)),
            ("in-progress", Some(Phase::Busy)),
            ("CreateFailed", Some(Phase::Wrong)),
            ("NonCompliant", Some(Phase::Wrong)),
            ("ERROR, there is no such secret", Some(Phase::Wrong)),
            ("paused", Some(Phase::Suspended)),
            ("Cluster in healthy state", None),
            ("", None),
        ] {
            assert_eq!(phase(text), expected, "{text}");
        }
    }
}
