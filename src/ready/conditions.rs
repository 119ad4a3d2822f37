//! Conditions as most kinds have them.

use jiff::SignedDuration;
use serde_json::Value;

use crate::{api::list, ready::ClusterView, report::one_line};

/// One condition of an object's status.
#[derive(Clone, Copy, Debug)]
pub struct Condition<'a>(&'a Value);

impl<'a> Condition<'a> {
    /// The condition of exactly this type: `PredictorReady` is not `Ready`.
    pub fn of(object: &'a Value, kind: &str) -> Option<Self> {
        list(&object["status"]["conditions"])
            .find(|condition| condition["type"] == kind)
            .map(Self)
    }

    /// Whether an object has it, with status `True`.
    pub fn holds(object: &Value, kind: &str) -> bool {
        Condition::of(object, kind).is_some_and(|it| it.is("True"))
    }

    /// Whether its status is this.
    pub fn is(self, status: &str) -> bool {
        self.0["status"] == status
    }

    /// Reason and message in one line.
    pub fn text(self) -> String {
        let part = |key: &str| one_line(self.0[key].as_str().unwrap_or_default());
        let (reason, message) = (part("reason"), part("message"));
        match (reason.is_empty(), message.is_empty()) {
            (true, true) => format!(
                "{} is {}",
                self.0["type"].as_str().unwrap_or_default(),
                self.0["status"].as_str().unwrap_or_default()
            ),
            (true, false) => message,
            (false, true) => reason,
            (false, false) => format!("{reason}: {message}"),
        }
    }

    /// How long it has been so.
    pub fn since(self, cluster: &ClusterView<'_>) -> SignedDuration {
        cluster.since(&self.0["lastTransitionTime"])
    }
}
