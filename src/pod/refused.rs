//! Why there is no pod, by the words of the API server.

use super::Why;

/// Why the API server refuses the pods of a workload, by the message of its `FailedCreate`.
pub fn not_created(message: &str) -> Why {
    if message.contains("violates PodSecurity") {
        Why::PodSecurity
    } else if message.contains("failed calling webhook") {
        Why::Webhook
    } else if message.contains("exceeded quota") || message.contains("must specify") {
        Why::Quota
    } else if [
        "error looking up service account",
        "no PriorityClass",
        "RuntimeClass \"",
    ]
    .iter()
    .any(|sign| message.contains(sign))
    {
        Why::Absent
    } else {
        Why::Refused
    }
}
