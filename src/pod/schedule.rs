//! Why no node takes a pod, by the words of the scheduler.

use serde_json::Value;

use super::{Why, brief};
use crate::api::list;

/// What the scheduler lacks, rather than how many nodes of which kind it looked at.
pub(super) fn unschedulable(reason: &str, message: &str) -> (Why, String) {
    if reason == "SchedulingGated" {
        return (Why::Gated, "its scheduling gates are not lifted".to_owned());
    }
    let reasons = message
        .split_once(": ")
        .map_or(message, |(_, reasons)| reasons)
        .split("preemption:")
        .next()
        .unwrap_or_default();
    // A taint has dots and commas of its own, but no blank after them.
    let lacks: Vec<&str> = reasons
        .split(", ")
        .flat_map(|part| part.split(". "))
        .map(|part| {
            let part = part.trim().trim_end_matches(['.', ',']);
            part.trim_start_matches(|c: char| c.is_ascii_digit()).trim()
        })
        .filter(|part| !part.is_empty() && !part.starts_with("no new claims"))
        .collect();
    let has = |sign: &str| message.contains(sign);
    let why = if has("unbound immediate PersistentVolumeClaims") || has("persistentvolumeclaim \"")
    {
        Why::Claim
    } else if has("Insufficient") || has("Too many pods") {
        Why::NoRoom
    } else {
        Why::NoNode
    };
    let lacks = lacks.join(", ");
    (why, format!("no node takes it: {}", brief(&lacks)))
}

/// That nobody has tried to find a node for a pod, in words.
pub(super) fn unseen(pod: &Value) -> Option<String> {
    let status = &pod["status"];
    let mut conditions = list(&status["conditions"]);
    let is_seen = !pod["spec"]["nodeName"].is_null()
        || !status["containerStatuses"].is_null()
        || conditions.any(|it| it["type"] == "PodScheduled");
    let name = pod["spec"]["schedulerName"].as_str();
    (!is_seen).then(|| {
        let name = name.unwrap_or("default-scheduler");
        format!("no scheduler has looked at it (schedulerName: {name})")
    })
}
