//! Definitions, Kubeflow's kinds and those it stands on.

use jiff::SignedDuration;
use serde_json::Value;

use crate::{
    api::ObjectId,
    ready::{Condition, Sight, Verdict},
    report::one_line,
};

const BINDINGS: &str = "RoleBinding.rbac.authorization.k8s.io";

/// What tells how far an object of a kind is.
struct Rule {
    group: &'static str,
    kind: &'static str,
    /// Ready once one of these conditions is `True`.
    ready: &'static [&'static str],
    /// Failed once one of these is.
    failed: &'static [&'static str],
    /// Stuck once the first of `ready` was `False` for so many minutes; 0 for never.
    stuck: i64,
}

const fn rule(
    group: &'static str,
    kind: &'static str,
    ready: &'static [&'static str],
    failed: &'static [&'static str],
    stuck: i64,
) -> Rule {
    Rule {
        group,
        kind,
        ready,
        failed,
        stuck,
    }
}

const RULES: [Rule; 18] = [
    rule(
        "apiregistration.k8s.io",
        "APIService",
        &["Available"],
        &[],
        0,
    ),
    rule("cert-manager.io", "Certificate", &["Ready"], &[], 5),
    rule("cert-manager.io", "Issuer", &["Ready"], &[], 5),
    rule("cert-manager.io", "ClusterIssuer", &["Ready"], &[], 5),
    rule("serving.kserve.io", "InferenceService", &["Ready"], &[], 0),
    rule("serving.kserve.io", "InferenceGraph", &["Ready"], &[], 0),
    rule("serving.knative.dev", "Service", &["Ready"], &[], 2),
    rule("kubeflow.org", "Experiment", &["Succeeded"], &["Failed"], 0),
    rule(
        "kubeflow.org",
        "Trial",
        &["Succeeded"],
        &["Failed", "MetricsUnavailable", "Killed"],
        0,
    ),
    rule("kubeflow.org", "TFJob", &["Succeeded"], &["Failed"], 0),
    rule("kubeflow.org", "PyTorchJob", &["Succeeded"], &["Failed"], 0),
    rule("kubeflow.org", "XGBoostJob", &["Succeeded"], &["Failed"], 0),
    rule("kubeflow.org", "PaddleJob", &["Succeeded"], &["Failed"], 0),
    rule("kubeflow.org", "JAXJob", &["Succeeded"], &["Failed"], 0),
    rule("kubeflow.org", "MPIJob", &["Succeeded"], &["Failed"], 0),
    rule(
        "trainer.kubeflow.org",
        "TrainJob",
        &["Complete"],
        &["Failed"],
        0,
    ),
    rule("jobset.x-k8s.io", "JobSet", &["Completed"], &["Failed"], 0),
    rule("kubeflow.org", "Notebook", &["Ready"], &[], 0),
];

/// The kinds themselves, for [`super::needs`].
pub(super) fn needs(group: &str, kind: &str) -> &'static [(&'static str, &'static str)] {
    macro_rules! table {
        ($(($group:literal, $kind:literal)),* $(,)?) => {
            match (group, kind) {
                $(($group, $kind) => &[($group, $kind)],)*
                _ => &[],
            }
        };
    }
    table![
        ("cert-manager.io", "Issuer"),
        ("cert-manager.io", "ClusterIssuer"),
        ("serving.kserve.io", "InferenceService"),
        ("serving.kserve.io", "InferenceGraph"),
        ("serving.knative.dev", "Service"),
        ("kubeflow.org", "Experiment"),
        ("kubeflow.org", "Trial"),
        ("kubeflow.org", "TFJob"),
        ("kubeflow.org", "PyTorchJob"),
        ("kubeflow.org", "XGBoostJob"),
        ("kubeflow.org", "PaddleJob"),
        ("kubeflow.org", "JAXJob"),
        ("kubeflow.org", "MPIJob"),
        ("trainer.kubeflow.org", "TrainJob"),
        ("jobset.x-k8s.io", "JobSet"),
        ("kubeflow.org", "Notebook"),
        ("sparkoperator.k8s.io", "SparkApplication"),
    ]
}

pub(super) fn judge(id: &ObjectId, live: &Value, sight: &Sight<'_>) -> Verdict {
    match (id.group.as_str(), id.kind.as_str()) {
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(live),
        ("kubeflow.org", "Profile") => profile(id, live, sight),
        ("kubeflow.org", "Notebook") => notebook(live),
        ("sparkoperator.k8s.io", "SparkApplication") => spark(live),
        (group, kind) => RULES
            .iter()
            .find(|rule| rule.group == group && rule.kind == kind)
            .map_or(Verdict::Ready, |rule| by_rule(rule, live, sight)),
    }
}

fn by_rule(rule: &Rule, live: &Value, sight: &Sight<'_>) -> Verdict {
    let generation = live["metadata"]["generation"].as_i64().unwrap_or_default();
    let observed = live["status"]["observedGeneration"].as_i64();
    if observed.is_some_and(|observed| observed < generation) {
        return Verdict::Waiting("its controller has not seen the change yet".into());
    }
    if rule.ready.iter().any(|kind| Condition::holds(live, kind)) {
        return match missing_secret(rule, live, sight) {
            Some(missing) => Verdict::Waiting(missing.into()),
            None => Verdict::Ready,
        };
    }
    for kind in rule.failed {
        if let Some(failed) = Condition::of(live, kind).filter(|it| it.is("True")) {
            return Verdict::Failed(failed.text().into());
        }
    }
    if rule.kind == "InferenceService" {
        let model = &live["status"]["modelStatus"];
        let status = model["transitionStatus"].as_str();
        let failed = model["states"]["targetModelState"] == "FailedToLoad";
        let failed = failed.then_some("FailedToLoad");
        let hopeless = status.filter(|it| matches!(*it, "BlockedByFailedLoad" | "InvalidSpec"));
        if let Some(status) = hopeless.or(failed) {
            let said = model["lastFailureInfo"]["message"].as_str();
            return Verdict::Stuck(
                match said {
                    Some(said) => format!("{status}: {}", one_line(said)),
                    None => status.to_owned(),
                }
                .into(),
            );
        }
    }
    match Condition::of(live, rule.ready[0]) {
        Some(it) if it.is("False") && rule.stuck > 0 => {
            let text = it.text();
            if it.since(sight) > SignedDuration::from_mins(rule.stuck) {
                Verdict::Stuck(text.into())
            } else {
                Verdict::Waiting(text.into())
            }
        }
        Some(it) => Verdict::Waiting(it.text().into()),
        None => Verdict::Waiting("no controller has looked at it yet".into()),
    }
}

/// The Secret that a Certificate is for, where it is gone.
fn missing_secret(rule: &Rule, live: &Value, sight: &Sight<'_>) -> Option<String> {
    if rule.kind != "Certificate" {
        return None;
    }
    let name = live["spec"]["secretName"].as_str()?;
    let namespace = live["metadata"]["namespace"].as_str();
    let there = sight.view.get("Secret.", namespace, name).is_some();
    (!there).then(|| format!("there is no Secret {name}"))
}

fn definition(live: &Value) -> Verdict {
    if let Some(names) = Condition::of(live, "NamesAccepted").filter(|it| it.is("False")) {
        return Verdict::Failed(names.text().into());
    }
    if Condition::holds(live, "Established") && Condition::holds(live, "NamesAccepted") {
        return Verdict::Ready;
    }
    Verdict::Waiting("not established".into())
}

fn notebook(live: &Value) -> Verdict {
    if live["status"]["readyReplicas"].as_i64() == Some(1) {
        return Verdict::Ready;
    }
    let waiting = &live["status"]["containerState"]["waiting"];
    let reason = waiting["reason"].as_str();
    Verdict::Waiting(reason.unwrap_or("no ready replica").into())
}

fn spark(live: &Value) -> Verdict {
    match live["status"]["applicationState"]["state"].as_str() {
        Some("COMPLETED") => Verdict::Ready,
        Some(state @ ("FAILED" | "SUBMISSION_FAILED")) => Verdict::Failed(state.into()),
        state => Verdict::Waiting(state.unwrap_or("new").into()),
    }
}

/// A profile is ready once its namespace can be worked in.
fn profile(id: &ObjectId, live: &Value, sight: &Sight<'_>) -> Verdict {
    if let Some(failed) = Condition::of(live, "Failed").filter(|it| it.is("True")) {
        return Verdict::Failed(failed.text().into());
    }
    let Some(namespace) = sight.view.get("Namespace.", None, &id.name) else {
        return Verdict::Waiting("its namespace is not there".into());
    };
    let part_of = &namespace["metadata"]["labels"]["app.kubernetes.io/part-of"];
    if namespace["status"]["phase"] != "Active" || part_of != "kubeflow-profile" {
        return Verdict::Waiting("its namespace is not set up".into());
    }
    // The Secret of the artifact store is made by the pipelines' own controller, where there is one.
    let has_pipelines = sight
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
        .filter(|(_, kind, name)| {
            (has_pipelines || *kind != "Secret.")
                && sight.view.get(kind, Some(&id.name), name).is_none()
        })
        .map(|(what, _, name)| format!("{what} {name}"))
        .collect();
    if missing.is_empty() {
        Verdict::Ready
    } else {
        Verdict::Waiting(format!("its namespace has no {}", missing.join(", ")).into())
    }
}
