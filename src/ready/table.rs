//! The one table of readiness: of each kind, what has to be in view to judge it, whether it ends, how it is judged.
//!
//! A kind without a row is ready once it was accepted.

use serde_json::Value;

use crate::{
    api::ObjectId,
    ready::{ClusterView, Verdict, others, pods, workloads},
};

/// A kind: group and name.
type Kind = (&'static str, &'static str);

/// How objects of one kind are judged.
pub(super) struct Row {
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
    By(fn(&Value, &ClusterView<'_>) -> Verdict),
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

impl Row {
    /// The rule of an object's kind.
    pub(super) fn of(id: &ObjectId) -> Option<&'static Self> {
        ROWS.iter().find(|row| {
            let (group, kind) = row.watches[0];
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

macro_rules! row {
    ($group:literal $kind:literal [$($also:ident),*] $judge:expr) => {
        Row { watches: &[($group, $kind), $($also),*], ends: false, judge: $judge }
    };
    ($group:literal $kind:literal ends [$($also:ident),*] $judge:expr) => {
        Row { watches: &[($group, $kind), $($also),*], ends: true, judge: $judge }
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
pub(super) const ROWS: &[Row] = &[
    row!("apps" "Deployment" [REPLICAS, POD] Judge::By(workloads::deployment)),
    row!("apps" "StatefulSet" [POD, CLAIM, CLASS, EVENT] Judge::By(workloads::stateful_set)),
    row!("apps" "DaemonSet" [POD, EVENT] Judge::By(workloads::daemon_set)),
    row!("apps" "ReplicaSet" [POD] Judge::By(workloads::replica_set)),
    row!("batch" "Job" ends [POD, EVENT] Judge::By(workloads::job)),
    row!("" "Pod" [] Judge::By(pods::bare)),
    row!("" "PersistentVolumeClaim" [CLASS, POD] Judge::By(workloads::claim)),
    row!("" "Namespace" [] Judge::By(others::namespace)),
    row!("apiextensions.k8s.io" "CustomResourceDefinition" [] Judge::By(others::definition)),
    row!("apiregistration.k8s.io" "APIService" [] conditions(&["Available"], &[], 0)),
    row!("admissionregistration.k8s.io" "MutatingWebhookConfiguration" [SLICE] Judge::Gates),
    row!("admissionregistration.k8s.io" "ValidatingWebhookConfiguration" [SLICE] Judge::Gates),
    row!("cert-manager.io" "Certificate" [SECRET] Judge::By(others::certificate)),
    row!("cert-manager.io" "Issuer" [] conditions(&["Ready"], &[], 5)),
    row!("cert-manager.io" "ClusterIssuer" [] conditions(&["Ready"], &[], 5)),
    row!("serving.kserve.io" "InferenceService" [] Judge::By(others::inference_service)),
    row!("serving.kserve.io" "InferenceGraph" [] conditions(&["Ready"], &[], 0)),
    row!("serving.knative.dev" "Service" [] conditions(&["Ready"], &[], 2)),
    row!("kubeflow.org" "Profile" [NAMESPACE, ACCOUNT, BINDING, SECRET] Judge::By(others::profile)),
    row!("kubeflow.org" "Notebook" [] Judge::By(others::notebook)),
    row!("kubeflow.org" "Experiment" ends [] TRAINING),
    row!("kubeflow.org" "Trial" ends [] conditions(&["Succeeded"], &["Failed", "MetricsUnavailable", "Killed"], 0)),
    row!("kubeflow.org" "TFJob" ends [] TRAINING),
    row!("kubeflow.org" "PyTorchJob" ends [] TRAINING),
    row!("kubeflow.org" "XGBoostJob" ends [] TRAINING),
    row!("kubeflow.org" "PaddleJob" ends [] TRAINING),
    row!("kubeflow.org" "JAXJob" ends [] TRAINING),
    row!("kubeflow.org" "MPIJob" ends [] TRAINING),
    row!("trainer.kubeflow.org" "TrainJob" ends [] conditions(&["Complete"], &["Failed"], 0)),
    row!("jobset.x-k8s.io" "JobSet" ends [] conditions(&["Completed"], &["Failed"], 0)),
    row!("sparkoperator.k8s.io" "SparkApplication" ends [] Judge::By(others::spark)),
];
