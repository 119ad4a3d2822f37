//! The one table of readiness: of each kind, what has to be in view to judge it, whether it ends, how it is judged.
//!
//! A kind without a row is ready once it was accepted.

use serde_json::Value;

use crate::{
    api::ObjectId,
    ready::{Sight, Verdict, others, pods, workloads},
};

/// A kind: group and name.
type Kind = (&'static str, &'static str);

/// How objects of one kind are judged.
pub(super) struct Rule {
    /// What has to be in view: the kind itself, then what it is judged by.
    pub(super) watches: &'static [Kind],
    /// Whether it comes to an end: what it has done stays done, also when it is cleaned up.
    pub(super) ends: bool,
    /// How it is judged.
    pub(super) judge: Judge,
}

/// What tells how far an object is.
pub(super) enum Judge {
    /// Its own function.
    By(fn(&Value, &Sight<'_>) -> Verdict),
    /// Its conditions.
    Conditions(Conditions),
    /// The gates of its webhooks, which the deployment keeps.
    Gates,
}

/// What an object's conditions mean.
pub(super) struct Conditions {
    /// Ready once one of these is `True`.
    pub(super) ready: &'static [&'static str],
    /// Failed once one of these is.
    pub(super) failed: &'static [&'static str],
    /// Stuck once the first of `ready` was `False` for so many minutes; 0 for never.
    pub(super) stuck: i64,
}

impl Rule {
    /// The rule of an object's kind.
    pub(super) fn of(id: &ObjectId) -> Option<&'static Self> {
        RULES.iter().find(|rule| {
            let (group, kind) = rule.watches[0];
            id.is(group, kind)
        })
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

macro_rules! rule {
    ($group:literal $kind:literal [$($also:ident),*] $judge:expr) => {
        Rule { watches: &[($group, $kind), $($also),*], ends: false, judge: $judge }
    };
    ($group:literal $kind:literal ends [$($also:ident),*] $judge:expr) => {
        Rule { watches: &[($group, $kind), $($also),*], ends: true, judge: $judge }
    };
}

const fn conditions(
    ready: &'static [&'static str],
    failed: &'static [&'static str],
    stuck: i64,
) -> Judge {
    Judge::Conditions(Conditions {
        ready,
        failed,
        stuck,
    })
}

/// A job of the training operator, or of Katib.
const TRAINING: Judge = conditions(&["Succeeded"], &["Failed"], 0);

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    rule!("apps" "Deployment" [REPLICAS, POD] Judge::By(workloads::deployment)),
    rule!("apps" "StatefulSet" [POD, CLAIM, CLASS, EVENT] Judge::By(workloads::stateful_set)),
    rule!("apps" "DaemonSet" [POD, EVENT] Judge::By(workloads::daemon_set)),
    rule!("apps" "ReplicaSet" [POD] Judge::By(workloads::replica_set)),
    rule!("batch" "Job" ends [POD, EVENT] Judge::By(workloads::job)),
    rule!("" "Pod" [] Judge::By(pods::bare)),
    rule!("" "PersistentVolumeClaim" [CLASS, POD] Judge::By(workloads::claim)),
    rule!("" "Namespace" [] Judge::By(others::namespace)),
    rule!("apiextensions.k8s.io" "CustomResourceDefinition" [] Judge::By(others::definition)),
    rule!("apiregistration.k8s.io" "APIService" [] conditions(&["Available"], &[], 0)),
    rule!("admissionregistration.k8s.io" "MutatingWebhookConfiguration" [SLICE] Judge::Gates),
    rule!("admissionregistration.k8s.io" "ValidatingWebhookConfiguration" [SLICE] Judge::Gates),
    rule!("cert-manager.io" "Certificate" [SECRET] Judge::By(others::certificate)),
    rule!("cert-manager.io" "Issuer" [] conditions(&["Ready"], &[], 5)),
    rule!("cert-manager.io" "ClusterIssuer" [] conditions(&["Ready"], &[], 5)),
    rule!("serving.kserve.io" "InferenceService" [] Judge::By(others::inference_service)),
    rule!("serving.kserve.io" "InferenceGraph" [] conditions(&["Ready"], &[], 0)),
    rule!("serving.knative.dev" "Service" [] conditions(&["Ready"], &[], 2)),
    rule!("kubeflow.org" "Profile" [NAMESPACE, ACCOUNT, BINDING, SECRET] Judge::By(others::profile)),
    rule!("kubeflow.org" "Notebook" [] Judge::By(others::notebook)),
    rule!("kubeflow.org" "Experiment" ends [] TRAINING),
    rule!("kubeflow.org" "Trial" ends [] conditions(&["Succeeded"], &["Failed", "MetricsUnavailable", "Killed"], 0)),
    rule!("kubeflow.org" "TFJob" ends [] TRAINING),
    rule!("kubeflow.org" "PyTorchJob" ends [] TRAINING),
    rule!("kubeflow.org" "XGBoostJob" ends [] TRAINING),
    rule!("kubeflow.org" "PaddleJob" ends [] TRAINING),
    rule!("kubeflow.org" "JAXJob" ends [] TRAINING),
    rule!("kubeflow.org" "MPIJob" ends [] TRAINING),
    rule!("trainer.kubeflow.org" "TrainJob" ends [] conditions(&["Complete"], &["Failed"], 0)),
    rule!("jobset.x-k8s.io" "JobSet" ends [] conditions(&["Completed"], &["Failed"], 0)),
    rule!("sparkoperator.k8s.io" "SparkApplication" ends [] Judge::By(others::spark)),
];
