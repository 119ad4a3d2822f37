//! Kubernetes' own kinds whose state is worth telling, and that nothing waits for: on a cluster without a load balancer, or
//! without metrics, they may stay as they are for good.

use serde_json::Value;

use crate::{
    api::list,
    ready::{ClusterView, Condition, Verdict},
    report::one_line,
};

/// Whether a load balancer has an address.
fn has_address(live: &Value) -> bool {
    list(&live["status"]["loadBalancer"]["ingress"])
        .next()
        .is_some()
}

pub(super) fn service(live: &Value, _: &ClusterView<'_>) -> Verdict {
    if live["spec"]["type"] == "LoadBalancer" && !has_address(live) {
        return Verdict::Waiting("its load balancer has no address".into());
    }
    Verdict::Ready
}

pub(super) fn ingress(live: &Value, _: &ClusterView<'_>) -> Verdict {
    if has_address(live) {
        Verdict::Ready
    } else {
        Verdict::Waiting("no controller has given it an address".into())
    }
}

/// An autoscaler: whether it can scale. Version 1 of its kind has its conditions in an annotation.
pub(super) fn autoscaler(live: &Value, _: &ClusterView<'_>) -> Verdict {
    const ANNOTATION: &str = "autoscaling.alpha.kubernetes.io/conditions";
    let annotated = live["metadata"]["annotations"][ANNOTATION].as_str();
    let annotated = annotated.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let conditions = annotated.as_ref().unwrap_or(&live["status"]["conditions"]);
    let mut is_active = false;
    for condition in list(conditions).map(Condition::new) {
        match condition.kind() {
            "AbleToScale" | "ScalingActive" if condition.is("False") => {
                // Nobody wants more than none.
                if condition.reason() == "ScalingDisabled" {
                    return Verdict::Suspended(condition.text().into());
                }
                return Verdict::Stuck(condition.text().into());
            }
            "AbleToScale" => is_active = true,
            _ => {}
        }
    }
    if is_active {
        Verdict::Ready
    } else {
        Verdict::Waiting("no controller has looked at it yet".into())
    }
}

/// A disruption budget: that its controller could compute it. That it allows no disruption is what it is for.
pub(super) fn budget(live: &Value, _: &ClusterView<'_>) -> Verdict {
    let status = &live["status"];
    let observed = status["observedGeneration"].as_i64().unwrap_or_default();
    let generation = live["metadata"]["generation"].as_i64();
    if status.is_null() || generation.is_some_and(|generation| observed < generation) {
        return Verdict::Waiting("its controller has not seen it yet".into());
    }
    match Condition::of(live, "DisruptionAllowed") {
        Some(it) if it.reason() == "SyncFailed" => Verdict::Stuck(one_line(&it.text()).into()),
        _ => Verdict::Ready,
    }
}
