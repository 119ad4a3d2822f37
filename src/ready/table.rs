//! The one table of readiness: of each kind, what else has to be in view to judge it, whether it ends, how it is judged.
//!
//! Kubernetes' own kinds and Kubeflow's are here, those of other projects in [`custom`]. A kind of Kubernetes without a row is
//! ready once it was accepted; any other is judged by the general rule.

use std::{collections::HashMap, sync::LazyLock};

use serde_json::Value;

use crate::{
    api::ObjectId,
    ready::{
        ClusterView, Verdict, conditions::unobserved, custom, generic, others, pods, suspend, told,
        workloads,
    },
};

/// A kind: group and name.
type Kind = (&'static str, &'static str);

/// How objects of some kinds of one group are judged.
#[derive(Debug)]
pub(super) struct Row {
    /// The group; `*.example.org` stands for all below it, and for itself.
    pub(super) group: &'static str,
    /// The kinds; `*` stands for all others of the group, `*Template` for all that end so.
    pub(super) kinds: &'static [&'static str],
    /// What else has to be in view.
    pub(super) also: &'static [Kind],
    /// Whether it comes to an end: what it has done stays done, also when it is cleaned up.
    pub(super) ends: bool,
    /// How it is judged.
    pub(super) judge: Judge,
}

/// What tells how far an object is.
#[derive(Debug)]
pub(super) enum Judge {
    /// Its own function.
    By(fn(&Value, &ClusterView<'_>) -> Verdict),
    /// The same, but nothing waits for it: on a small cluster it may stay so for good.
    Told(fn(&Value, &ClusterView<'_>) -> Verdict),
    /// Its conditions.
    Conditions(Conditions),
    /// Its phase.
    Phase(Phases),
    /// The general rule, which is right for its kind.
    General,
    /// The general rule; most of its kind never have a status.
    Quiet,
    /// That it was accepted.
    Accepted,
    /// The gates of its webhooks, which the deployment keeps.
    Gates,
}

/// What an object's conditions mean.
#[derive(Debug)]
pub(super) struct Conditions {
    /// Ready once one of these is `True`, or all of them.
    pub(super) ready: &'static [&'static str],
    /// Whether it takes all of them.
    pub(super) all: bool,
    /// Failed once one of these is.
    pub(super) failed: &'static [&'static str],
    /// Stuck once the first of `ready` was `False` for so many minutes; 0 for never.
    pub(super) stuck: i64,
}

/// What an object's phase means; what is not named here is on its way.
#[derive(Debug)]
pub(super) struct Phases {
    /// Where it is in the status, as a JSON pointer.
    pub(super) at: &'static str,
    pub(super) ready: &'static [&'static str],
    pub(super) failed: &'static [&'static str],
    pub(super) suspended: &'static [&'static str],
}

impl Row {
    /// The rule of an object's kind.
    pub(super) fn of(id: &ObjectId) -> Option<&'static Self> {
        static EXACT: LazyLock<HashMap<Kind, &Row>> = LazyLock::new(|| {
            let exact = all().filter(|row| !row.group.starts_with('*'));
            let kinds = exact.flat_map(|row| row.kinds.iter().map(move |kind| (row, *kind)));
            kinds.map(|(row, kind)| ((row.group, kind), row)).collect()
        });
        let exact = EXACT.get(&(id.group.as_str(), id.kind.as_str()));
        exact.copied().or_else(|| {
            static PATTERNS: LazyLock<Vec<&Row>> = LazyLock::new(|| {
                let is_pattern = |row: &&Row| {
                    row.group.starts_with('*') || row.kinds.iter().any(|it| it.starts_with('*'))
                };
                all().filter(is_pattern).collect()
            });
            PATTERNS.iter().copied().find(|row| row.covers(id))
        })
    }

    fn covers(&self, id: &ObjectId) -> bool {
        let group = match self.group.strip_prefix("*.") {
            Some(domain) => {
                let above = id.group.strip_suffix(domain);
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            None => self.group == id.group,
        };
        group
            && self.kinds.iter().any(|kind| match kind.strip_prefix('*') {
                Some(end) => id.kind.ends_with(end),
                None => *kind == id.kind,
            })
    }

    /// Judges an object as it is.
    pub(super) fn judge(&self, live: &Value, cluster: &ClusterView<'_>) -> Verdict {
        let verdict = match &self.judge {
            Judge::By(judge) | Judge::Told(judge) => return judge(live, cluster),
            Judge::Gates | Judge::Accepted => return Verdict::Ready,
            Judge::Quiet if generic::is_silent(live, None) => Verdict::Ready,
            Judge::General | Judge::Quiet => return self.given_up(generic::judge(live)),
            Judge::Conditions(conditions) => conditions.judge(live, cluster),
            Judge::Phase(phases) => phases.judge(live),
        };
        let is_over = matches!(verdict, Verdict::Failed(_)) || self.ends && verdict.is_ready();
        match suspend::of(live) {
            Some(what) if !is_over => suspend::verdict(live, &what),
            _ => self.given_up(verdict),
        }
    }

    /// Only what ends has failed for good; any other may be reconciled again.
    fn given_up(&self, verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::Failed(missing) if !self.ends => Verdict::Stuck(missing),
            other => other,
        }
    }
}

/// Every row.
pub(super) fn all() -> impl Iterator<Item = &'static Row> {
    ROWS.iter().chain(custom::ROWS)
}

impl Phases {
    fn judge(&self, live: &Value) -> Verdict {
        if let Some(waiting) = unobserved(live) {
            return waiting;
        }
        let status = &live["status"];
        let phase = status.pointer(self.at).and_then(Value::as_str);
        let Some(phase) = phase.filter(|phase| !phase.is_empty()) else {
            return Verdict::Waiting(generic::NO_STATUS.into());
        };
        let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(phase));
        let said = [
            "message",
            "reason",
            "error",
            "statusMessage",
            "failureMessage",
        ];
        let said = said
            .iter()
            .find_map(|key| crate::api::string(&status[*key]));
        let what = match said {
            Some(said) => format!("{phase}: {}", crate::report::one_line(&said)),
            None => phase.to_owned(),
        };
        if is(self.ready) {
            Verdict::Ready
        } else if is(self.failed) {
            Verdict::Failed(what.into())
        } else if is(self.suspended) {
            Verdict::Suspended(what.into())
        } else {
            Verdict::Waiting(what.into())
        }
    }
}

const POD: Kind = ("", "Pod");
const EVENT: Kind = ("", "Event");
const SECRET: Kind = ("", "Secret");
const NAMESPACE: Kind = ("", "Namespace");
const CLAIM: Kind = ("", "PersistentVolumeClaim");
const CLASS: Kind = ("storage.k8s.io", "StorageClass");
const REPLICAS: Kind = ("apps", "ReplicaSet");
const SLICE: Kind = ("discovery.k8s.io", "EndpointSlice");
const ACCOUNT: Kind = ("", "ServiceAccount");
const BINDING: Kind = ("rbac.authorization.k8s.io", "RoleBinding");

/// Kinds that serve, judged alike.
pub(super) const fn row(group: &'static str, kinds: &'static [&'static str], judge: Judge) -> Row {
    Row {
        group,
        kinds,
        also: &[],
        ends: false,
        judge,
    }
}

/// Kinds that come to an end, judged alike.
pub(super) const fn run(group: &'static str, kinds: &'static [&'static str], judge: Judge) -> Row {
    row(group, kinds, judge).ends()
}

/// Ready once one of these conditions is `True`.
pub(super) const fn any_of(ready: &'static [&'static str]) -> Judge {
    conditions(ready, &[], 0)
}

/// Ready once all of these conditions are `True`.
pub(super) const fn all_of(ready: &'static [&'static str]) -> Judge {
    Judge::Conditions(Conditions {
        ready,
        all: true,
        failed: &[],
        stuck: 0,
    })
}

/// What the text at this place of the status means.
pub(super) const fn phase(
    at: &'static str,
    ready: &'static [&'static str],
    failed: &'static [&'static str],
    suspended: &'static [&'static str],
) -> Judge {
    Judge::Phase(Phases {
        at,
        ready,
        failed,
        suspended,
    })
}

impl Row {
    /// The same with more in view.
    const fn with(self, also: &'static [Kind]) -> Self {
        Self { also, ..self }
    }

    /// The same of kinds that come to an end.
    const fn ends(self) -> Self {
        Self { ends: true, ..self }
    }
}

const fn conditions(
    ready: &'static [&'static str],
    failed: &'static [&'static str],
    stuck: i64,
) -> Judge {
    Judge::Conditions(Conditions {
        ready,
        all: false,
        failed,
        stuck,
    })
}

/// A job of the training operator, or of Katib.
const TRAINING: Judge = conditions(&["Succeeded"], &["Failed"], 0);

/// The kinds of the training operator that run to an end.
const TRAININGS: &[&str] = &[
    "Experiment",
    "TFJob",
    "PyTorchJob",
    "XGBoostJob",
    "PaddleJob",
    "JAXJob",
    "MPIJob",
];
const WEBHOOKS: &[&str] = &[
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("apps", &["Deployment"], Judge::By(workloads::deployment)).with(&[REPLICAS, POD]),
    row("apps", &["StatefulSet"], Judge::By(workloads::stateful_set)).with(&[POD, CLAIM, CLASS, EVENT]),
    row("apps", &["DaemonSet"], Judge::By(workloads::daemon_set)).with(&[POD, EVENT]),
    row("apps", &["ReplicaSet"], Judge::By(workloads::replica_set)).with(&[POD]),
    row("batch", &["Job"], Judge::By(workloads::job)).with(&[POD, EVENT]).ends(),
    row("", &["Pod"], Judge::By(pods::bare)),
    row("", &["PersistentVolumeClaim"], Judge::By(workloads::claim)).with(&[CLASS, POD]),
    row("", &["Namespace"], Judge::By(others::namespace)),
    row("", &["Service"], Judge::Told(told::service)),
    row("networking.k8s.io", &["Ingress"], Judge::Told(told::ingress)),
    row("autoscaling", &["HorizontalPodAutoscaler"], Judge::Told(told::autoscaler)),
    row("policy", &["PodDisruptionBudget"], Judge::Told(told::budget)),
    row("apiextensions.k8s.io", &["CustomResourceDefinition"], Judge::By(others::definition)),
    row("apiregistration.k8s.io", &["APIService"], conditions(&["Available"], &[], 0)),
    row("admissionregistration.k8s.io", WEBHOOKS, Judge::Gates).with(&[SLICE]),
    row("cert-manager.io", &["Certificate"], Judge::By(others::certificate)).with(&[SECRET]),
    row("cert-manager.io", &["Issuer", "ClusterIssuer"], conditions(&["Ready"], &[], 5)),
    row("serving.kserve.io", &["InferenceService"], Judge::By(others::inference_service)),
    row("serving.knative.dev", &["Service"], conditions(&["Ready"], &[], 2)),
    row("kubeflow.org", &["Profile"], Judge::By(others::profile)).with(&[NAMESPACE, ACCOUNT, BINDING, SECRET]),
    row("kubeflow.org", &["Notebook"], Judge::By(others::notebook)),
    row("kubeflow.org", TRAININGS, TRAINING).ends(),
    row("kubeflow.org", &["Trial"], conditions(&["Succeeded"], &["Failed", "MetricsUnavailable", "Killed"], 0)).ends(),
    row("trainer.kubeflow.org", &["TrainJob"], conditions(&["Complete"], &["Failed"], 0)).ends(),
    row("jobset.x-k8s.io", &["JobSet"], conditions(&["Completed"], &["Failed"], 0)).ends(),
    row("sparkoperator.k8s.io", &["SparkApplication"], Judge::By(others::spark)).ends(),
];
