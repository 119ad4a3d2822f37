//! Definitions, Kubeflow's kinds and those it stands on.

use serde_json::Value;

use crate::{
    ready::{ClusterView, Condition, Verdict, conditions::unobserved, suspend, table::Conditions},
    report::one_line,
};

const BINDINGS: &str = "RoleBinding.rbac.authorization.k8s.io";

pub(super) fn namespace(live: &Value, _: &ClusterView<'_>) -> Verdict {
    match live["status"]["phase"].as_str() {
        Some("Active") => Verdict::Ready,
        phase => Verdict::Waiting(format!("it is {}", phase.unwrap_or("new")).into()),
    }
}

/// An `InferenceService`: what its model says is worse than what its conditions do.
pub(super) fn inference_service(live: &Value, cluster: &ClusterView<'_>) -> Verdict {
    let ready = Conditions {
        ready: &["Ready"],
        all: false,
        failed: &[],
        stuck: 0,
    };
    if let Some(what) = suspend::of(live) {
        return Verdict::Suspended(what.into());
    }
    let verdict = ready.judge(live, cluster);
    if verdict.is_ready() || unobserved(live).is_some() {
        return verdict;
    }
    let model = &live["status"]["modelStatus"];
    let status = model["transitionStatus"].as_str();
    let failed = model["states"]["targetModelState"] == "FailedToLoad";
    let failed = failed.then_some("FailedToLoad");
    let hopeless = status.filter(|it| matches!(*it, "BlockedByFailedLoad" | "InvalidSpec"));
    let Some(status) = hopeless.or(failed) else {
        return verdict;
    };
    let said = model["lastFailureInfo"]["message"].as_str();
    Verdict::Stuck(match said {
        Some(said) => format!("{status}: {}", one_line(said)).into(),
        None => status.into(),
    })
}

/// A Certificate: ready, and its Secret is there.
pub(super) fn certificate(live: &Value, cluster: &ClusterView<'_>) -> Verdict {
    let ready = Conditions {
        ready: &["Ready"],
        all: false,
        failed: &[],
        stuck: 5,
    };
    match ready.judge(live, cluster) {
        Verdict::Ready => {
            missing_secret(live, cluster).map_or(Verdict::Ready, |it| Verdict::Waiting(it.into()))
        }
        other => other,
    }
}

/// The Secret that a Certificate is for, where it is gone.
fn missing_secret(live: &Value, cluster: &ClusterView<'_>) -> Option<String> {
    if cluster.is_snapshot {
        return None;
    }
    let name = live["spec"]["secretName"].as_str()?;
    let namespace = live["metadata"]["namespace"].as_str();
    let there = cluster.view.get("Secret.", namespace, name).is_some();
    (!there).then(|| format!("there is no Secret {name}"))
}

pub(super) fn definition(live: &Value, _: &ClusterView<'_>) -> Verdict {
    if let Some(names) = Condition::of(live, "NamesAccepted").filter(|it| it.is("False")) {
        return Verdict::Failed(names.text().into());
    }
    if Condition::holds(live, "Established") && Condition::holds(live, "NamesAccepted") {
        return Verdict::Ready;
    }
    Verdict::Waiting("not established".into())
}

pub(super) fn notebook(live: &Value, _: &ClusterView<'_>) -> Verdict {
    if live["status"]["readyReplicas"].as_i64() == Some(1) {
        return Verdict::Ready;
    }
    if let Some(what) = suspend::of(live) {
        return Verdict::Suspended(what.into());
    }
    let waiting = &live["status"]["containerState"]["waiting"];
    let reason = waiting["reason"].as_str();
    Verdict::Waiting(reason.unwrap_or("no ready replica").into())
}

/// An application of Spark. One that is started again whenever it ends never completes. Of a snapshot nobody waits for the
/// end: it is well when its driver and all of its executors run.
pub(super) fn spark(live: &Value, cluster: &ClusterView<'_>) -> Verdict {
    let status = &live["status"];
    let state = status["applicationState"]["state"].as_str();
    let serves = live["spec"]["restartPolicy"]["type"] == "Always";
    match state {
        Some("COMPLETED") => Verdict::Ready,
        Some(state @ ("FAILED" | "SUBMISSION_FAILED")) => {
            let message = status["applicationState"]["errorMessage"].as_str();
            let what = message.map_or_else(
                || state.to_owned(),
                |it| format!("{state}: {}", one_line(it)),
            );
            // It is submitted again.
            if serves {
                Verdict::Stuck(what.into())
            } else {
                Verdict::Failed(what.into())
            }
        }
        Some("RUNNING") if serves || cluster.is_snapshot => {
            let executors = status["executorState"].as_object().into_iter().flatten();
            let mut others = executors.filter(|(_, it)| *it != "RUNNING" && *it != "COMPLETED");
            match others.next() {
                None => Verdict::Ready,
                Some((name, it)) => {
                    let it = it.as_str().unwrap_or_default();
                    Verdict::Waiting(format!("executor {name} is {it}").into())
                }
            }
        }
        Some("SUSPENDED" | "SUSPENDING") => Verdict::Suspended("spec.suspend is true".into()),
        state => Verdict::Waiting(state.unwrap_or("new").into()),
    }
}

/// A profile is ready once its namespace can be worked in.
pub(super) fn profile(live: &Value, cluster: &ClusterView<'_>) -> Verdict {
    let name = live["metadata"]["name"].as_str().unwrap_or_default();
    if let Some(failed) = Condition::of(live, "Failed").filter(|it| it.is("True")) {
        return Verdict::Failed(failed.text().into());
    }
    if cluster.is_snapshot {
        return Verdict::Ready;
    }
    let Some(namespace) = cluster.view.get("Namespace.", None, name) else {
        return Verdict::Waiting("its namespace is not there".into());
    };
    let part_of = &namespace["metadata"]["labels"]["app.kubernetes.io/part-of"];
    if namespace["status"]["phase"] != "Active" || part_of != "kubeflow-profile" {
        return Verdict::Waiting("its namespace is not set up".into());
    }
    // The Secret of the artifact store is made by the pipelines' own controller, where there is one.
    let has_pipelines = cluster
        .view
        .all("Deployment.apps")
        .any(|it| it["metadata"]["name"] == "kubeflow-pipelines-profile-controller");
    let wanted = [
        ("service account", "ServiceAccount.", "default-editor"),
        ("service account", "ServiceAccount.", "default-viewer"),
        ("role binding", BINDINGS, "default-editor"),
        ("role binding", BINDINGS, "default-viewer"),
        ("role binding", BINDINGS, "namespaceAdmin"),
        ("Secret", "Secret.", "mlpipeline-minio-artifact"),
    ];
    let missing: Vec<String> = wanted
        .into_iter()
        .filter(|(_, kind, wanted)| {
            (has_pipelines || *kind != "Secret.")
                && cluster.view.get(kind, Some(name), wanted).is_none()
        })
        .map(|(what, _, name)| format!("{what} {name}"))
        .collect();
    if missing.is_empty() {
        Verdict::Ready
    } else {
        Verdict::Waiting(format!("its namespace has no {}", missing.join(", ")).into())
    }
}
