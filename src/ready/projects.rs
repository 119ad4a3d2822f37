//! Kinds of other projects that no list of words describes. What their fields mean is from each project's API reference.

mod batch;
mod data;

pub(super) use batch::{
    advanced_cron_job, flink, kruise, ray_job, ray_service, subscription, tekton_run,
};
pub(super) use data::{
    applied, collector, compliance, elasticsearch, gloo, racks, snapshot, template, tenant,
};

use serde_json::Value;

use crate::{
    api::{list, string},
    ready::{
        ClusterView, Condition, Verdict,
        conditions::unobserved,
        generic::{self, NO_STATUS},
        suspend,
        table::{Judge, all_of},
    },
    report::one_line,
};

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

/// Whether no controller has written a status, or has not seen the object as it is now.
fn unseen(live: &Value) -> Option<Verdict> {
    if generic::is_silent(live, None) {
        return Some(Verdict::Waiting(NO_STATUS.into()));
    }
    unobserved(live)
}

/// The first of these conditions that is `True`.
fn holding<'a>(live: &'a Value, kinds: &[&str]) -> Option<Condition<'a>> {
    let mut conditions = kinds.iter().filter_map(|kind| Condition::of(live, kind));
    conditions.find(|condition| condition.is("True"))
}

/// What all of these conditions say: ready when each is `True`.
fn all(live: &Value, kinds: &'static [&'static str], cluster: &ClusterView<'_>) -> Verdict {
    match all_of(kinds) {
        Judge::Conditions(conditions) => conditions.judge(live, cluster),
        _ => Verdict::Ready,
    }
}

/// An Argo Rollout. Its phase sums it up, since version 1.0.
pub(super) fn rollout(live: &Value, _: &ClusterView<'_>) -> Verdict {
    let status = &live["status"];
    if generic::is_silent(live, None) {
        return Verdict::Waiting(NO_STATUS.into());
    }
    // Older versions have a hash there.
    let observed = status["observedGeneration"]
        .as_str()
        .and_then(|it| it.parse::<i64>().ok());
    let generation = live["metadata"]["generation"].as_i64();
    if observed
        .zip(generation)
        .is_some_and(|(observed, now)| observed < now)
    {
        return Verdict::Waiting("its controller has not seen the change yet".into());
    }
    let workload = string(&status["workloadObservedGeneration"]);
    let wanted =
        string(&live["metadata"]["annotations"]["rollout.argoproj.io/workload-generation"]);
    if workload
        .zip(wanted)
        .is_some_and(|(observed, wanted)| observed != wanted)
    {
        return Verdict::Waiting(
            "its controller has not seen the change of its workload yet".into(),
        );
    }
    if let Some(invalid) = holding(live, &["InvalidSpec"]) {
        return Verdict::Stuck(invalid.text().into());
    }
    let message = status["message"].as_str().map(one_line).unwrap_or_default();
    match status["phase"].as_str() {
        Some("Healthy") => return Verdict::Ready,
        Some("Degraded") => return Verdict::Stuck(format!("Degraded: {message}").into()),
        Some("Paused") => return Verdict::Suspended(format!("Paused: {message}").into()),
        Some(phase) => return Verdict::Waiting(format!("{phase}: {message}").into()),
        None => {}
    }
    if live["spec"]["paused"] == true || list(&status["pauseConditions"]).next().is_some() {
        return Verdict::Suspended("it is paused".into());
    }
    if status["abort"] == true {
        return Verdict::Stuck("it was aborted".into());
    }
    let slow =
        Condition::of(live, "Progressing").filter(|it| it.reason() == "ProgressDeadlineExceeded");
    if let Some(slow) = slow {
        return Verdict::Stuck(slow.text().into());
    }
    by_counts(live)
}

/// What the counts of a workload say that rolls out as a Deployment does.
fn by_counts(live: &Value) -> Verdict {
    let status = &live["status"];
    let wanted = live["spec"]["replicas"].as_i64().unwrap_or(1);
    let there = number(&status["replicas"]);
    let updated = number(&status["updatedReplicas"]);
    let available = match status["availableReplicas"].as_i64() {
        Some(available) => available,
        None => number(&status["readyReplicas"]),
    };
    if updated < wanted {
        return Verdict::Waiting(format!("{updated} of {wanted} updated").into());
    }
    if there > updated {
        return Verdict::Waiting(
            format!("{} old replicas are still there", there - updated).into(),
        );
    }
    if available < updated {
        return Verdict::Waiting(format!("{available} of {updated} available").into());
    }
    Verdict::Ready
}

/// An Argo `ApplicationSet`: an error of its generators, or resources that are not up to date.
pub(super) fn application_set(live: &Value, _: &ClusterView<'_>) -> Verdict {
    if let Some(unseen) = unseen(live) {
        return unseen;
    }
    if let Some(error) = holding(live, &["ErrorOccurred"]) {
        return Verdict::Stuck(error.text().into());
    }
    if let Some(busy) = holding(live, &["RolloutProgressing"]) {
        return Verdict::Waiting(busy.text().into());
    }
    match Condition::of(live, "ResourcesUpToDate") {
        Some(it) if it.is("False") => Verdict::Stuck(it.text().into()),
        Some(it) if it.is("True") => Verdict::Ready,
        _ => Verdict::Waiting("its resources are not up to date".into()),
    }
}

/// A schedule of Argo's: it has conditions only where something is wrong.
pub(super) fn cron_workflow(live: &Value, _: &ClusterView<'_>) -> Verdict {
    if let Some(error) = holding(live, &["SpecError", "SubmissionError"]) {
        return Verdict::Stuck(error.text().into());
    }
    match suspend::of(live) {
        Some(what) => Verdict::Suspended(what.into()),
        None => Verdict::Ready,
    }
}

/// A repository of charts; one of OCI is looked at only when a chart is pulled, and has no status.
pub(super) fn helm_repository(live: &Value, cluster: &ClusterView<'_>) -> Verdict {
    if live["spec"]["suspend"] == true {
        return Verdict::Suspended("spec.suspend is true".into());
    }
    if live["spec"]["type"] == "oci" && generic::is_silent(live, None) {
        return Verdict::Ready;
    }
    all(live, &["Ready"], cluster)
}

/// A request for a certificate: refused for good, or not there yet.
pub(super) fn certificate_request(live: &Value, cluster: &ClusterView<'_>) -> Verdict {
    if let Some(refused) = holding(live, &["Denied", "InvalidRequest"]) {
        return Verdict::Failed(refused.text().into());
    }
    match Condition::of(live, "Ready") {
        Some(it) if it.is("False") && it.reason() == "Failed" => Verdict::Failed(it.text().into()),
        _ => all(live, &["Ready"], cluster),
    }
}

/// A resource of AWS by its controllers for Kubernetes.
pub(super) fn ack(live: &Value, _: &ClusterView<'_>) -> Verdict {
    if let Some(terminal) = holding(live, &["ACK.Terminal"]) {
        return Verdict::Stuck(terminal.text().into());
    }
    match Condition::of(live, "ACK.ResourceSynced") {
        Some(it) if it.is("True") => Verdict::Ready,
        Some(it) => match holding(live, &["ACK.Recoverable"]) {
            Some(error) => Verdict::Stuck(error.text().into()),
            None => Verdict::Waiting(it.text().into()),
        },
        None => match holding(live, &["ACK.Recoverable"]) {
            Some(error) => Verdict::Stuck(error.text().into()),
            None => Verdict::Waiting(NO_STATUS.into()),
        },
    }
}

/// A schedule of pipelines: its own status has what went wrong.
pub(super) fn scheduled_workflow(live: &Value, _: &ClusterView<'_>) -> Verdict {
    match holding(live, &["Error"]) {
        Some(error) => Verdict::Stuck(error.text().into()),
        None if live["spec"]["enabled"] == false => {
            Verdict::Suspended("spec.enabled is false".into())
        }
        None => Verdict::Ready,
    }
}

pub(super) fn tensorboard(live: &Value, _: &ClusterView<'_>) -> Verdict {
    if number(&live["status"]["readyReplicas"]) >= 1 {
        return Verdict::Ready;
    }
    Verdict::Waiting("no ready replica".into())
}

/// A Gateway: taken by its controller, and set up with each of its listeners.
pub(super) fn gateway(live: &Value, cluster: &ClusterView<'_>) -> Verdict {
    for listener in list(&live["status"]["listeners"]) {
        for condition in list(&listener["conditions"]).map(Condition::new) {
            let is_bad = match condition.kind() {
                "Conflicted" => condition.is("True"),
                "Accepted" | "Programmed" | "ResolvedRefs" => condition.is("False"),
                _ => false,
            };
            if is_bad && !condition.is_stale(live) {
                let name = listener["name"].as_str().unwrap_or_default();
                return Verdict::Stuck(format!("listener {name}: {}", condition.named()).into());
            }
        }
    }
    if let Some(it) = Condition::of(live, "ResolvedRefs").filter(|it| it.is("False")) {
        return Verdict::Stuck(it.text().into());
    }
    all(live, &["Accepted", "Programmed"], cluster)
}

/// A route or a policy: taken by each of its parents. What a parent said of an older generation counts only where none has
/// said anything since.
pub(super) fn route(live: &Value, _: &ClusterView<'_>) -> Verdict {
    let mut is_taken = false;
    for parent in generic::parents(live) {
        let mut is_accepted = false;
        for condition in list(&parent["conditions"]).map(Condition::new) {
            let kind = condition.kind();
            if !matches!(kind, "Accepted" | "ResolvedRefs" | "Programmed") {
                continue;
            }
            if condition.is_stale(live) {
                return Verdict::Waiting("its controller has not seen the change yet".into());
            }
            if condition.is("False") {
                return Verdict::Stuck(condition.named().into());
            }
            is_accepted |= kind == "Accepted" && condition.is("True");
        }
        if !is_accepted {
            let name = parent["parentRef"]["name"]
                .as_str()
                .or(parent["ancestorRef"]["name"].as_str());
            let name = name.unwrap_or_default();
            return Verdict::Waiting(format!("not accepted by {name} yet").into());
        }
        is_taken = true;
    }
    if is_taken {
        Verdict::Ready
    } else {
        Verdict::Waiting(NO_STATUS.into())
    }
}
