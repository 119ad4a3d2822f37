//! Conditions as most kinds have them.

use jiff::SignedDuration;
use serde_json::Value;

use crate::{
    api::list,
    ready::{ClusterView, Verdict, table::Conditions},
    report::one_line,
};

/// One condition of an object's status.
#[derive(Clone, Copy, Debug)]
pub struct Condition<'a>(&'a Value);

/// Parts of a reason that no controller gives for what is under way.
const COMPLAINTS: [&str; 15] = [
    "abort",
    "backoff",
    "conflict",
    "deadline",
    "denied",
    "error",
    "exceeded",
    "fail",
    "forbidden",
    "invalid",
    "mismatch",
    "missing",
    "notfound",
    "unsupported",
    "unauthorized",
];

impl<'a> Condition<'a> {
    /// A condition as a list of them has it.
    pub(super) fn new(value: &'a Value) -> Self {
        Self(value)
    }

    /// The condition of exactly this type: `PredictorReady` is not `Ready`. Of several the last: some controllers keep
    /// those of earlier days.
    pub fn of(object: &'a Value, kind: &str) -> Option<Self> {
        list(&object["status"]["conditions"])
            .filter(|condition| condition["type"] == kind)
            .last()
            .map(Self)
    }

    /// The condition of this type in any case of letters, as `kubectl wait` takes it.
    pub(super) fn of_any_case(object: &'a Value, kind: &str) -> Option<Self> {
        let is_it = |it: &Condition<'_>| it.kind().eq_ignore_ascii_case(kind);
        list(&object["status"]["conditions"])
            .map(Self)
            .filter(is_it)
            .last()
    }

    /// Whether an object has it, with status `True`.
    pub fn holds(object: &Value, kind: &str) -> bool {
        Condition::of(object, kind).is_some_and(|it| it.is("True"))
    }

    /// Its type.
    pub(super) fn kind(self) -> &'a str {
        self.0["type"].as_str().unwrap_or_default()
    }

    /// Its reason.
    pub(super) fn reason(self) -> &'a str {
        self.0["reason"].as_str().unwrap_or_default()
    }

    /// Whether its status is this. Some write it as a truth value, or in another case.
    pub fn is(self, status: &str) -> bool {
        match &self.0["status"] {
            Value::String(text) => text.eq_ignore_ascii_case(status),
            Value::Bool(truth) => status.eq_ignore_ascii_case(&truth.to_string()),
            _ => false,
        }
    }

    /// Whether it is one of an older generation of its object.
    pub(super) fn is_stale(self, object: &Value) -> bool {
        is_older(&self.0["observedGeneration"], object)
    }

    /// Whether its reason says that something went wrong, and not only that it is not done.
    pub(super) fn complains(self) -> bool {
        let reason = self.reason().to_ascii_lowercase();
        COMPLAINTS.iter().any(|word| reason.contains(word))
    }

    /// Whether what is under way has been done, by its reason: as a Deployment says of its progress.
    pub(super) fn is_done(self) -> bool {
        let reason = self.reason();
        let done = ["Available", "Complete", "Completed", "Succeeded", "Done"];
        done.iter().any(|word| reason.ends_with(word))
    }

    /// Whether an operator that runs Ansible says that it is at it: its condition `Running` stays true afterwards.
    pub(super) fn is_at_it(self) -> bool {
        self.kind() == "Running" && self.reason() == "Running"
    }

    /// Reason and message in one line.
    pub fn text(self) -> String {
        let part = |key: &str| one_line(self.0[key].as_str().unwrap_or_default());
        let (reason, message) = (part("reason"), part("message"));
        match (reason.is_empty(), message.is_empty()) {
            (true, true) => format!("{} is {}", self.kind(), self.status()),
            (true, false) => message,
            (false, true) => reason,
            (false, false) => format!("{reason}: {message}"),
        }
    }

    /// Type and status, then reason and message, in one line.
    pub(super) fn named(self) -> String {
        let text = self.text();
        let name = format!("{} is {}", self.kind(), self.status());
        if text == name {
            name
        } else {
            format!("{name}: {text}")
        }
    }

    fn status(self) -> String {
        match &self.0["status"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// How long it has been so.
    pub fn since(self, cluster: &ClusterView<'_>) -> SignedDuration {
        cluster.since(&self.0["lastTransitionTime"])
    }
}

/// Whether a generation that was looked at is not the object's own.
fn is_older(observed: &Value, object: &Value) -> bool {
    let generation = object["metadata"]["generation"].as_i64();
    let observed = match observed {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    };
    observed
        .zip(generation)
        .is_some_and(|(observed, generation)| observed < generation)
}

/// That its controller has not looked at the object as it is now, where it says at which one it looked.
pub(super) fn unobserved(live: &Value) -> Option<Verdict> {
    is_older(&live["status"]["observedGeneration"], live)
        .then(|| Verdict::Waiting("its controller has not seen the change yet".into()))
}

impl Conditions {
    /// What the conditions of an object say of it.
    pub(super) fn judge(&self, live: &Value, cluster: &ClusterView<'_>) -> Verdict {
        if let Some(waiting) = unobserved(live) {
            return waiting;
        }
        let holds = |kind: &&str| {
            Condition::of(live, kind).is_some_and(|it| it.is("True") && !it.is_stale(live))
        };
        let is_ready = if self.all {
            self.ready.iter().all(holds)
        } else {
            self.ready.iter().any(holds)
        };
        if is_ready {
            return Verdict::Ready;
        }
        for kind in self.failed {
            if let Some(failed) = Condition::of(live, kind).filter(|it| it.is("True")) {
                return Verdict::Failed(failed.text().into());
            }
        }
        let there = self.ready.iter().filter(|kind| !holds(kind));
        let mut there = there.filter_map(|kind| Condition::of(live, kind));
        match there.next() {
            Some(it) if it.is_stale(live) => {
                Verdict::Waiting("its controller has not seen the change yet".into())
            }
            Some(it)
                if it.is("False")
                    && self.stuck > 0
                    && it.since(cluster) > SignedDuration::from_mins(self.stuck) =>
            {
                Verdict::Stuck(it.text().into())
            }
            Some(it) => Verdict::Waiting(it.text().into()),
            None => Verdict::Waiting("no controller has looked at it yet".into()),
        }
    }
}
