//! Why a volume cannot be mounted, by the words of the kubelet.

use serde_json::Value;

use super::{Why, events::told, text};

/// What the kubelet said last of a mount that fails, where it has not pulled or started anything since: that comes after
/// the mounts.
pub(super) fn unmounted<'a>(events: &[&'a Value]) -> Option<(Why, &'a str)> {
    const LATER: [&str; 5] = ["Pulling", "Pulled", "Created", "Started", "BackOff"];
    let is_later = |event: &&Value| LATER.contains(&text(&event["reason"]));
    let mounted = events.iter().rposition(is_later);
    let since = &events[mounted.map_or(0, |at| at + 1)..];
    let message = told(since, &["FailedMount", "FailedAttachVolume"], "")?;
    let why = if is_absent(message) {
        Why::Mount
    } else {
        Why::Volume
    };
    Some((why, message))
}

/// Whether it fails for lack of what the volume is made of.
fn is_absent(message: &str) -> bool {
    let has = |sign: &str| message.contains(sign);
    (has("configmap \"") || has("secret \"")) && has("not found")
        || has("references non-existent")
        || has("hostPath type check failed")
}
