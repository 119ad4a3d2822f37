//! Kubeflow's kinds and those it stands on, as their controllers leave them: ready, on their way, and beyond help.

mod parts;

use serde_json::json;

use crate::ready::*;

const NOW: &str = "2026-01-01T12:00:00Z";

/// What is expected of an object.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Is {
    Ready,
    Waiting,
    Stuck,
    Failed,
}

fn read(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Judges the first of some objects, written in YAML one after the other, in view of all of them.
fn judged(text: &str) -> (Is, String) {
    let mut view = View::default();
    let mut first = None;
    for text in text.split("\n---") {
        let value = read(text);
        let api = value["apiVersion"].as_str().unwrap_or_default();
        let group = api.split_once('/').map_or("", |(group, _)| group);
        let part = |name: &str| value["metadata"][name].as_str().map(str::to_owned);
        let id = ObjectId {
            group: group.to_owned(),
            kind: value["kind"].as_str().unwrap_or_default().to_owned(),
            namespace: part("namespace"),
            name: part("name").unwrap_or_default(),
        };
        view.put(&id.group_kind(), value);
        first.get_or_insert(id);
    }
    let id = first.unwrap();
    assert!(
        is_judged(&id, None) && !is_generic(&id, None),
        "{id} is not looked at"
    );
    let verdict = judge(&id, None, 1, &ClusterView::new(&view, NOW.parse().unwrap()));
    let is = match &verdict {
        Verdict::Ready => Is::Ready,
        Verdict::Waiting(_) | Verdict::Suspended(_) => Is::Waiting,
        Verdict::Stuck(_) => Is::Stuck,
        Verdict::Failed(_) => Is::Failed,
    };
    (
        is,
        verdict.missing().cloned().unwrap_or_default().to_string(),
    )
}

fn expect(object: &str, rows: &[(&str, Is, &str)]) {
    for (status, is, said) in rows {
        let (found, missing) = judged(&format!("{object}\nstatus: {status}"));
        assert_eq!(found, *is, "{object}: {status}: {missing}");
        assert!(missing.contains(said), "{object}: {status}: {missing}");
    }
}

#[test]
fn a_profile_is_ready_when_its_namespace_can_be_worked_in() {
    let profile = "{apiVersion: kubeflow.org/v1, kind: Profile, metadata: {name: user, generation: 1}, spec: {owner: {kind: User, name: user@example.com}}}";
    let namespace = "\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: user, labels: {app.kubernetes.io/part-of: kubeflow-profile, istio-injection: enabled}}, status: {phase: Active}}";
    let member = |api: &str, kind: &str, name: &str| {
        format!(
            "\n---\n{{apiVersion: {api}, kind: {kind}, metadata: {{name: {name}, namespace: user}}}}"
        )
    };
    let mut set_up = format!("{profile}{namespace}");
    for name in ["default-editor", "default-viewer"] {
        set_up += &member("v1", "ServiceAccount", name);
        set_up += &member("rbac.authorization.k8s.io/v1", "RoleBinding", name);
    }
    let missing = judged(&set_up);
    assert_eq!(
        missing,
        (
            Is::Waiting,
            "its namespace has no role binding namespaceAdmin".to_owned()
        )
    );
    set_up += &member(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        "namespaceAdmin",
    );
    assert_eq!(judged(&set_up).0, Is::Ready);
    // Where pipelines are installed their Secret is part of it.
    set_up += "\n---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: kubeflow-pipelines-profile-controller, namespace: kubeflow}}";
    assert_eq!(
        judged(&set_up).1,
        "its namespace has no Secret mlpipeline-minio-artifact"
    );
    set_up += &member("v1", "Secret", "mlpipeline-minio-artifact");
    assert_eq!(judged(&set_up).0, Is::Ready);

    let plain = namespace.replace("kubeflow-profile", "else");
    for (text, is, said) in [
        (profile.to_owned(), Is::Waiting, "its namespace is not there"),
        (format!("{profile}{plain}"), Is::Waiting, "is not set up"),
        (
            profile.replace(
                "spec:",
                "status: {conditions: [{type: Failed, status: 'True', message: namespace already exist but not owned by profile creator user@example.com}]}, spec:",
            ),
            Is::Failed,
            "not owned by profile creator",
        ),
    ] {
        let (found, missing) = judged(&text);
        assert_eq!(found, is, "{missing}");
        assert!(missing.contains(said), "{missing}");
    }
}

#[test]
fn a_notebook_is_ready_with_its_replica() {
    expect(
        "apiVersion: kubeflow.org/v1\nkind: Notebook\nmetadata: {name: a, namespace: 'n', generation: 1}\nspec: {template: {spec: {containers: [{name: a, image: jupyter:1}]}}}",
        &[
            (
                "{readyReplicas: 1, containerState: {running: {startedAt: '2026-01-01T11:59:00Z'}}, conditions: [{type: Running, status: 'True'}, {type: Ready, status: 'True'}]}",
                Is::Ready,
                "",
            ),
            (
                "{readyReplicas: 0, conditions: [{type: Waiting, status: 'True', reason: PodInitializing}], containerState: {waiting: {reason: ImagePullBackOff}}}",
                Is::Waiting,
                "ImagePullBackOff",
            ),
            (
                "{readyReplicas: 0, containerState: {}, conditions: []}",
                Is::Waiting,
                "no ready replica",
            ),
        ],
    );
}

#[test]
fn an_inference_service_is_ready_by_exactly_that_condition() {
    expect(
        "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: a, namespace: 'n', generation: 1}\nspec: {predictor: {model: {modelFormat: {name: sklearn}}}}",
        &[
            (
                "{observedGeneration: 1, conditions: [{type: IngressReady, status: 'True'}, {type: PredictorReady, status: 'True'}, {type: Ready, status: 'True'}], modelStatus: {transitionStatus: UpToDate, states: {activeModelState: Loaded, targetModelState: Loaded}}}",
                Is::Ready,
                "",
            ),
            (
                "{conditions: [{type: PredictorReady, status: 'True'}, {type: IngressReady, status: Unknown}, {type: Ready, status: Unknown, reason: Uninitialized, message: Waiting for load balancer}]}",
                Is::Waiting,
                "Waiting for load balancer",
            ),
            (
                "{observedGeneration: 0, conditions: [{type: Ready, status: 'True'}]}",
                Is::Waiting,
                "has not seen the change",
            ),
            (
                "{conditions: [{type: Ready, status: 'False', reason: PredictorNotReady}], modelStatus: {transitionStatus: BlockedByFailedLoad, lastFailureInfo: {reason: ModelLoadFailed, message: no such model}, states: {targetModelState: FailedToLoad}}}",
                Is::Stuck,
                "BlockedByFailedLoad: no such model",
            ),
            (
                "{conditions: [{type: Ready, status: 'False'}], modelStatus: {transitionStatus: InvalidSpec}}",
                Is::Stuck,
                "InvalidSpec",
            ),
            (
                "{conditions: [{type: Ready, status: 'False'}], modelStatus: {transitionStatus: InProgress, states: {activeModelState: '', targetModelState: FailedToLoad}}}",
                Is::Stuck,
                "FailedToLoad",
            ),
        ],
    );
}

#[test]
fn a_knative_service_may_be_unready_for_two_minutes() {
    expect(
        "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: a, namespace: 'n', generation: 2}\nspec: {template: {}}",
        &[
            (
                "{observedGeneration: 2, conditions: [{type: ConfigurationsReady, status: 'True'}, {type: Ready, status: 'True'}]}",
                Is::Ready,
                "",
            ),
            (
                "{observedGeneration: 1, conditions: [{type: Ready, status: 'True'}]}",
                Is::Waiting,
                "has not seen the change",
            ),
            (
                "{observedGeneration: 2, conditions: [{type: Ready, status: 'False', lastTransitionTime: '2026-01-01T11:59:00Z', reason: RevisionFailed, message: Unable to fetch image}]}",
                Is::Waiting,
                "Unable to fetch image",
            ),
            (
                "{observedGeneration: 2, conditions: [{type: Ready, status: 'False', lastTransitionTime: '2026-01-01T11:57:00Z', reason: RevisionFailed, message: Unable to fetch image}]}",
                Is::Stuck,
                "RevisionFailed",
            ),
        ],
    );
}

#[test]
fn an_experiment_and_its_trials_are_over_when_they_succeed_or_fail() {
    let ran = "{type: Created, status: 'True', reason: ExperimentCreated}, {type: Running, status: 'False', reason: ExperimentRunning}";
    expect(
        "apiVersion: kubeflow.org/v1beta1\nkind: Experiment\nmetadata: {name: a, namespace: 'n', generation: 1}\nspec: {}",
        &[
            (
                &format!(
                    "{{conditions: [{ran}, {{type: Succeeded, status: 'True', reason: ExperimentMaxTrialsReached}}]}}"
                ),
                Is::Ready,
                "",
            ),
            (
                &format!(
                    "{{conditions: [{ran}, {{type: Failed, status: 'True', reason: ExperimentMaxFailedTrialsReached, message: max failed trials}}]}}"
                ),
                Is::Failed,
                "max failed trials",
            ),
            (&format!("{{conditions: [{ran}]}}"), Is::Waiting, ""),
        ],
    );
    expect(
        "apiVersion: kubeflow.org/v1beta1\nkind: Trial\nmetadata: {name: a, namespace: 'n', generation: 1}\nspec: {}",
        &[
            (
                "{conditions: [{type: Succeeded, status: 'True', reason: TrialSucceeded}]}",
                Is::Ready,
                "",
            ),
            (
                "{conditions: [{type: Failed, status: 'True', message: Trial has failed}]}",
                Is::Failed,
                "Trial has failed",
            ),
            (
                "{conditions: [{type: MetricsUnavailable, status: 'True', reason: MetricsUnavailable, message: Metrics are not available}]}",
                Is::Failed,
                "Metrics are not available",
            ),
            (
                "{conditions: [{type: Killed, status: 'True', message: Trial is killed}]}",
                Is::Failed,
                "killed",
            ),
            (
                "{conditions: [{type: Running, status: 'True', reason: TrialRunning}]}",
                Is::Waiting,
                "",
            ),
        ],
    );
}

#[test]
fn a_job_that_trains_is_over_when_it_succeeds_or_fails() {
    for kind in [
        "TFJob",
        "PyTorchJob",
        "XGBoostJob",
        "PaddleJob",
        "JAXJob",
        "MPIJob",
    ] {
        expect(
            &format!(
                "apiVersion: kubeflow.org/v1\nkind: {kind}\nmetadata: {{name: a, namespace: 'n', generation: 1}}\nspec: {{}}"
            ),
            &[
                (
                    "{conditions: [{type: Created, status: 'True'}, {type: Running, status: 'False'}, {type: Succeeded, status: 'True', message: successfully completed}], replicaStatuses: {Worker: {succeeded: 1}}}",
                    Is::Ready,
                    "",
                ),
                (
                    "{conditions: [{type: Running, status: 'True', message: is running}], replicaStatuses: {Worker: {active: 1}}}",
                    Is::Waiting,
                    "",
                ),
                (
                    "{conditions: [{type: Failed, status: 'True', reason: JobFailed, message: is failed because 1 Worker replica failed}]}",
                    Is::Failed,
                    "1 Worker replica failed",
                ),
            ],
        );
    }
    expect(
        "apiVersion: trainer.kubeflow.org/v1alpha1\nkind: TrainJob\nmetadata: {name: a, namespace: 'n', generation: 1}\nspec: {runtimeRef: {name: torch-distributed}}",
        &[
            (
                "{conditions: [{type: Suspended, status: 'False', reason: Resumed}, {type: Complete, status: 'True', reason: AllJobsCompleted, message: jobset completed successfully}]}",
                Is::Ready,
                "",
            ),
            (
                "{conditions: [{type: Suspended, status: 'False', reason: Resumed}]}",
                Is::Waiting,
                "",
            ),
            (
                "{conditions: [{type: Failed, status: 'True', reason: TrainingRuntimeNotSupported, message: 'referenced training runtime not supported'}]}",
                Is::Failed,
                "TrainingRuntimeNotSupported",
            ),
            (
                "{conditions: [{type: Failed, status: 'True', reason: DeadlineExceeded, message: too long}]}",
                Is::Failed,
                "DeadlineExceeded",
            ),
        ],
    );
    expect(
        "apiVersion: jobset.x-k8s.io/v1alpha2\nkind: JobSet\nmetadata: {name: a, namespace: 'n', generation: 1}\nspec: {}",
        &[
            (
                "{conditions: [{type: Completed, status: 'True', reason: AllJobsCompleted}], terminalState: Completed}",
                Is::Ready,
                "",
            ),
            (
                "{conditions: [{type: Failed, status: 'True', reason: FailedJobs, message: jobset failed due to one or more job failures}]}",
                Is::Failed,
                "FailedJobs",
            ),
            (
                "{restarts: 0, replicatedJobsStatus: [{name: node, active: 1}]}",
                Is::Waiting,
                "no controller",
            ),
        ],
    );
    expect(
        "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: SparkApplication\nmetadata: {name: a, namespace: 'n', generation: 1}\nspec: {}",
        &[
            ("{applicationState: {state: COMPLETED}}", Is::Ready, ""),
            (
                "{applicationState: {state: RUNNING}}",
                Is::Waiting,
                "RUNNING",
            ),
            (
                "{applicationState: {state: FAILED, errorMessage: driver container failed}}",
                Is::Failed,
                "FAILED",
            ),
            (
                "{applicationState: {state: SUBMISSION_FAILED}}",
                Is::Failed,
                "SUBMISSION_FAILED",
            ),
        ],
    );
}
