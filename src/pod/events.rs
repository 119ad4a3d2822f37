//! The events of a pod: which was last, and what it says.

use jiff::Timestamp;
use serde_json::Value;

use super::{moment, text};

/// The newest message of an event of one of these reasons that holds a text.
pub(super) fn told<'a>(events: &[&'a Value], reasons: &[&str], holding: &str) -> Option<&'a str> {
    reasons.iter().find_map(|reason| {
        let of_reason = |event: &&&Value| {
            event["reason"] == *reason && text(&event["message"]).contains(holding)
        };
        events
            .iter()
            .rev()
            .find(of_reason)
            .map(|event| text(&event["message"]))
    })
}

/// When an event was seen last.
pub fn last_seen(event: &Value) -> Option<Timestamp> {
    let moments = [
        &event["series"]["lastObservedTime"],
        &event["lastTimestamp"],
        &event["eventTime"],
        &event["metadata"]["creationTimestamp"],
    ];
    moments.into_iter().find_map(moment)
}
