//! Kinds in order: among objects that could go, which goes first.

use crate::{api::is_builtin, set::objects::Object};

/// Kinds that go first, in this order; all others follow.
const FIRST: [&str; 27] = [
    "Namespace",
    "CustomResourceDefinition",
    "PriorityClass",
    "StorageClass",
    "ResourceQuota",
    "LimitRange",
    "ServiceAccount",
    "ClusterRole",
    "Role",
    "ClusterRoleBinding",
    "RoleBinding",
    "NetworkPolicy",
    "ConfigMap",
    "Secret",
    "Service",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    // Before pods start, which slows all that is asked of a small cluster.
    "PodDisruptionBudget",
    "HorizontalPodAutoscaler",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Pod",
    "Job",
    "CronJob",
];

/// Rank of an object in the gated order: lower goes first.
pub fn rank(object: &Object) -> u32 {
    if is_builtin(&object.id.group) {
        of_kind(&object.id.kind)
    } else {
        of_kind("")
    }
}

/// Rank of one of Kubernetes' own kinds.
pub(super) fn of_kind(kind: &str) -> u32 {
    let at = FIRST.iter().position(|known| *known == kind);
    u32::try_from(at.unwrap_or(FIRST.len())).unwrap_or(u32::MAX)
}

/// Upstream's order: what kustomize calls `legacy`.
const LEGACY: [&str; 21] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "MutatingWebhookConfiguration",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
];
const LEGACY_LAST: [&str; 3] = [
    "CronJob",
    "PodDisruptionBudget",
    "ValidatingWebhookConfiguration",
];

/// Rank of a kind in upstream's order, from 1.
pub fn legacy_rank(kind: &str) -> u32 {
    let others = LEGACY.len();
    let at = LEGACY
        .iter()
        .position(|known| *known == kind)
        .or_else(|| {
            let last = LEGACY_LAST.iter().position(|known| *known == kind)?;
            Some(others + 1 + last)
        })
        .unwrap_or(others);
    u32::try_from(at + 1).unwrap_or(u32::MAX)
}
