//! What runs: jobs, streams, workloads that are not of Kubernetes, and what installs operators.

use serde_json::Value;

use super::{all, holding, unseen};
use crate::{
    api::string,
    ready::{ClusterView, Condition, Verdict, generic::NO_STATUS, suspend},
    report::one_line,
};

/// A job of Ray: the deployment of it, and the job itself.
pub(in crate::ready) fn ray_job(live: &Value, _: &ClusterView<'_>) -> Verdict {
    let status = &live["status"];
    let deployment = status["jobDeploymentStatus"].as_str().unwrap_or_default();
    let job = status["jobStatus"].as_str().unwrap_or_default();
    let message = status["message"].as_str().map(one_line).unwrap_or_default();
    let what = format!("{deployment} {job} {message}");
    let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
    match (deployment, job) {
        ("Complete", "SUCCEEDED") => Verdict::Ready,
        ("Failed" | "ValidationFailed", _) | (_, "FAILED" | "STOPPED") => {
            Verdict::Failed(what.into())
        }
        ("Suspended" | "Suspending", _) => Verdict::Suspended(what.into()),
        ("", "") => Verdict::Waiting(NO_STATUS.into()),
        _ => Verdict::Waiting(what.into()),
    }
}

/// A service of Ray; older versions have a word in place of conditions.
pub(in crate::ready) fn ray_service(live: &Value, cluster: &ClusterView<'_>) -> Verdict {
    if Condition::of(live, "Ready").is_none() && live["status"]["serviceStatus"] == "Running" {
        return Verdict::Ready;
    }
    all(live, &["Ready"], cluster)
}

/// A deployment of Flink: its job manager, then its job.
pub(in crate::ready) fn flink(live: &Value, _: &ClusterView<'_>) -> Verdict {
    let status = &live["status"];
    if let Some(error) = string(&status["error"]) {
        return Verdict::Stuck(one_line(&error).into());
    }
    let manager = status["jobManagerDeploymentStatus"]
        .as_str()
        .unwrap_or_default();
    let job = status["jobStatus"]["state"].as_str().unwrap_or_default();
    let is_wanted = live["spec"]["job"]["state"].as_str().unwrap_or("running");
    if job.eq_ignore_ascii_case("suspended") || job.eq_ignore_ascii_case("finished") {
        // As it was asked for, or the job is done.
        let is_done = job.eq_ignore_ascii_case("finished");
        if is_done || is_wanted.eq_ignore_ascii_case("suspended") {
            return Verdict::Ready;
        }
        return Verdict::Suspended("its job is suspended".into());
    }
    match (manager, job) {
        ("ERROR", _) => Verdict::Stuck("its job manager failed".into()),
        (_, "FAILED" | "FAILING") => Verdict::Stuck(format!("its job is {job}").into()),
        ("READY", "RUNNING") => Verdict::Ready,
        // A session cluster has no job of its own.
        ("READY", "") if live["spec"]["job"].is_null() => Verdict::Ready,
        ("", "") => Verdict::Waiting(NO_STATUS.into()),
        (manager, job) => Verdict::Waiting(format!("job manager {manager}, job {job}").into()),
    }
}

/// A run of Tekton's: its condition `Succeeded` is unknown while it runs.
pub(in crate::ready) fn tekton_run(live: &Value, _: &ClusterView<'_>) -> Verdict {
    match Condition::of(live, "Succeeded") {
        Some(it) if it.is("True") => Verdict::Ready,
        Some(it) if it.is("False") => Verdict::Failed(it.text().into()),
        Some(it) => Verdict::Waiting(it.text().into()),
        None => Verdict::Waiting(NO_STATUS.into()),
    }
}

/// A subscription of OLM's.
pub(in crate::ready) fn subscription(live: &Value, _: &ClusterView<'_>) -> Verdict {
    let wrong = [
        "ResolutionFailed",
        "InstallPlanFailed",
        "CatalogSourcesUnhealthy",
        "BundleUnpackFailed",
    ];
    if let Some(wrong) = holding(live, &wrong) {
        return Verdict::Stuck(wrong.named().into());
    }
    match live["status"]["state"].as_str() {
        Some("AtLatestKnown") => Verdict::Ready,
        Some("UpgradePending") if live["spec"]["installPlanApproval"] == "Manual" => {
            Verdict::Suspended("its install plan waits for an approval".into())
        }
        state => Verdict::Waiting(state.unwrap_or(NO_STATUS).into()),
    }
}

/// How many replicas an update of `OpenKruise`'s leaves as they are.
fn partition_of(live: &Value) -> i64 {
    let update = &live["spec"]["updateStrategy"];
    let partition = update["partition"].as_i64();
    let partition = partition.or(update["rollingUpdate"]["partition"].as_i64());
    partition.unwrap_or_default()
}

/// A workload of `OpenKruise`: like those of Kubernetes, with a pause and a partition.
pub(in crate::ready) fn kruise(live: &Value, _: &ClusterView<'_>) -> Verdict {
    if let Some(unseen) = unseen(live) {
        return unseen;
    }
    let (spec, status) = (&live["spec"], &live["status"]);
    let update = &spec["updateStrategy"];
    let rolling = &update["rollingUpdate"];
    let is_paused = [update, rolling].iter().any(|it| it["paused"] == true);
    if is_paused {
        return Verdict::Suspended("its update is paused".into());
    }
    let wanted = status["desiredNumberScheduled"]
        .as_i64()
        .or(spec["replicas"].as_i64())
        .unwrap_or(1);
    let first = |keys: &[&str]| keys.iter().find_map(|key| status[*key].as_i64());
    let updated = first(&[
        "updatedNumberScheduled",
        "updatedReplicas",
        "updatedAvailableReplicas",
    ]);
    let updated = updated.unwrap_or_default();
    let available = first(&[
        "updatedAvailableReplicas",
        "numberAvailable",
        "availableReplicas",
        "numberReady",
        "readyReplicas",
    ]);
    let available = available.unwrap_or_default();
    let partition = partition_of(live);
    if updated < wanted - partition {
        return Verdict::Waiting(format!("{updated} of {wanted} updated").into());
    }
    if partition > 0 && updated < wanted {
        return Verdict::Suspended(format!("a partition keeps {partition} as they are").into());
    }
    if available < wanted {
        return Verdict::Waiting(format!("{available} of {wanted} available").into());
    }
    Verdict::Ready
}

/// A schedule of `OpenKruise`.
pub(in crate::ready) fn advanced_cron_job(live: &Value, _: &ClusterView<'_>) -> Verdict {
    match suspend::of(live) {
        Some(what) => Verdict::Suspended(what.into()),
        None => Verdict::Ready,
    }
}
