//! The table of readiness, case by case.

mod claims;
mod custom;
mod kubeflow;
mod pods;

use serde_json::json;

use super::*;

const NOW: &str = "2026-01-01T12:00:00Z";

fn id(group: &str, kind: &str) -> ObjectId {
    ObjectId {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: (!matches!(kind, "Namespace" | "CustomResourceDefinition" | "Profile"))
            .then(|| "n".to_owned()),
        name: "a".to_owned(),
    }
}

/// An object of name `a` with spec and status, as the server would show it.
#[expect(clippy::needless_pass_by_value, reason = "it is called with literals")]
fn live(kind: &ObjectId, spec: Value, status: Value) -> Value {
    json!({"metadata": {"name": "a", "namespace": kind.namespace, "uid": "u", "generation": 2},
           "spec": spec, "status": status})
}

#[expect(clippy::needless_pass_by_value, reason = "it is called with literals")]
fn pod(owner: &str, spec: Value, status: Value) -> Value {
    json!({"metadata": {"name": "p", "namespace": "n", "uid": "p", "creationTimestamp": "2026-01-01T11:50:00Z",
                        "ownerReferences": [{"controller": true, "uid": owner}]},
           "spec": spec, "status": status})
}

fn verdict(id: &ObjectId, objects: Vec<(&str, Value)>) -> Verdict {
    let mut view = View::default();
    for (group_kind, value) in objects {
        if !view.is_synced(group_kind) {
            view.replace(group_kind, Vec::new());
        }
        view.put(group_kind, value);
    }
    let cluster = ClusterView::new(&view, NOW.parse().unwrap());
    judge(id, None, 2, &cluster)
}

fn holding(kind: &str) -> Value {
    json!({"conditions": [{"type": kind, "status": "True", "reason": "R", "message": "m"}]})
}

#[test]
fn a_deployment_is_ready_when_all_its_replicas_are_new_and_available() {
    let id = id("apps", "Deployment");
    let full = json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2});
    for (change, ready) in [
        (json!({}), true),
        (json!({"observedGeneration": 1}), false),
        (json!({"replicas": 3}), false),
        (json!({"updatedReplicas": 1}), false),
        (json!({"availableReplicas": 1}), false),
    ] {
        let mut status = full.clone();
        status
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let live = live(&id, json!({"replicas": 2}), status);
        assert_eq!(
            verdict(&id, vec![("Deployment.apps", live)]).is_ready(),
            ready,
            "{change}"
        );
    }
    let none = live(
        &id,
        json!({"replicas": 0}),
        json!({"observedGeneration": 2}),
    );
    assert!(verdict(&id, vec![("Deployment.apps", none)]).is_ready());
}

#[test]
fn a_change_that_was_not_seen_yet_is_not_ready() {
    let id = id("", "Namespace");
    let mut old = live(&id, json!({}), json!({"phase": "Active"}));
    old["metadata"]["generation"] = json!(1);
    assert!(!verdict(&id, vec![("Namespace.", old)]).is_ready());
    assert_eq!(
        verdict(&id, vec![]),
        Verdict::Waiting("not seen yet".into())
    );
}

/// A deployment of one replica whose pod has one container in this state.
fn with_pod(ready: bool, spec: Value, container: Value) -> Verdict {
    let id = id("apps", "Deployment");
    let count = i64::from(ready);
    let status = json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": count});
    let mut container = container;
    container["name"] = json!("c");
    let mut spec = spec;
    spec["name"] = json!("c");
    let conditions = json!([{"type": "Ready", "status": if ready { "True" } else { "False" }}]);
    verdict(
        &id,
        vec![
            ("Deployment.apps", live(&id, json!({"replicas": 1}), status)),
            (
                "ReplicaSet.apps",
                json!({"metadata": {"name": "r", "namespace": "n", "uid": "r", "ownerReferences": [{"controller": true, "uid": "u"}]},
                       "spec": {"replicas": 1}}),
            ),
            (
                "Pod.",
                pod(
                    "r",
                    json!({"containers": [spec]}),
                    json!({"phase": "Running", "conditions": conditions, "containerStatuses": [container]}),
                ),
            ),
        ],
    )
}

#[test]
fn a_container_that_cannot_be_asked_is_relied_on_after_ten_seconds() {
    let probe = json!({"readinessProbe": {}});
    let at = |moment: &str, restarts: i64| json!({"restartCount": restarts, "state": {"running": {"startedAt": moment}}});
    for (spec, container, ready) in [
        (json!({}), at("2026-01-01T11:59:55Z", 0), false),
        (json!({}), at("2026-01-01T11:59:50Z", 0), true),
        (probe.clone(), at("2026-01-01T11:59:59Z", 0), true),
        (probe.clone(), at("2026-01-01T11:59:59Z", 1), false),
        (probe, at("2026-01-01T11:59:49Z", 1), true),
    ] {
        assert_eq!(
            with_pod(true, spec.clone(), container.clone()).is_ready(),
            ready,
            "{spec} {container}"
        );
    }
}

#[test]
fn a_pod_says_why_it_waits_and_when_it_is_stuck() {
    let waiting = |reason: &str, message: &str, restarts: i64| {
        json!({"image": "i:1", "restartCount": restarts, "state": {"waiting": {"reason": reason, "message": message}},
               "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}})
    };
    for (container, stuck, said) in [
        (
            waiting("ImagePullBackOff", "rpc error: code = NotFound", 0),
            true,
            "1 ready: pod p: image i:1 cannot be pulled: not found",
        ),
        (
            waiting("ImagePullBackOff", "a: b: c: dial tcp: i/o timeout", 0),
            true,
            "image i:1 cannot be pulled: the registry is out of reach",
        ),
        (
            waiting("CrashLoopBackOff", "", 2),
            false,
            "container c ended 3 times, last with exit code 1",
        ),
        (
            waiting("CrashLoopBackOff", "", 6),
            true,
            "container c ended 7 times, last with exit code 1",
        ),
        (
            waiting("CreateContainerConfigError", "secret \"s\" not found", 0),
            true,
            "container c cannot be made: secret \"s\" not found",
        ),
    ] {
        let verdict = with_pod(false, json!({}), container);
        assert_eq!(matches!(verdict, Verdict::Stuck(_)), stuck, "{verdict:?}");
        let missing = verdict.missing().cloned().unwrap_or_default().to_string();
        assert!(missing.contains(said), "{verdict:?}");
    }
}

#[test]
fn a_job_is_over_when_it_is_complete_or_failed() {
    let id = id("batch", "Job");
    for (status, expected) in [
        (
            json!({"active": 1}),
            Verdict::Waiting("not complete".into()),
        ),
        (holding("Complete"), Verdict::Ready),
        (holding("Failed"), Verdict::Failed("R: m".into())),
    ] {
        let live = live(&id, json!({}), status);
        assert_eq!(verdict(&id, vec![("Job.batch", live)]), expected);
    }
}

#[test]
fn a_claim_that_nobody_uses_may_wait_for_its_first_consumer() {
    let id = id("", "PersistentVolumeClaim");
    let class = |name: &str, mode: &str| {
        (
            "StorageClass.storage.k8s.io",
            json!({"metadata": {"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}, "volumeBindingMode": mode}),
        )
    };
    let claim = |spec: Value| {
        (
            "PersistentVolumeClaim.",
            live(&id, spec, json!({"phase": "Pending"})),
        )
    };
    let user = (
        "Pod.",
        pod(
            "x",
            json!({"volumes": [{"persistentVolumeClaim": {"claimName": "a"}}]}),
            json!({}),
        ),
    );
    let lazy = class("s", "WaitForFirstConsumer");
    assert!(verdict(&id, vec![claim(json!({})), lazy.clone()]).is_ready());
    assert!(!verdict(&id, vec![claim(json!({})), lazy.clone(), user]).is_ready());
    assert!(!verdict(&id, vec![claim(json!({})), class("s", "Immediate")]).is_ready());
    let missing = verdict(&id, vec![claim(json!({"storageClassName": "gone"})), lazy]);
    assert_eq!(
        missing,
        Verdict::Stuck("Pending: there is no StorageClass gone".into())
    );
}

#[test]
fn sets_and_definitions_are_judged_by_their_own_rules() {
    let conditions = |pairs: &[(&str, &str)]| {
        let list: Vec<Value> = pairs
            .iter()
            .map(|(kind, status)| json!({"type": kind, "status": status}))
            .collect();
        json!({"conditions": list})
    };
    for (group, kind, spec, status, ready) in [
        (
            "apps",
            "StatefulSet",
            json!({"replicas": 2}),
            json!({"observedGeneration": 2, "readyReplicas": 2, "currentRevision": "1", "updateRevision": "1"}),
            true,
        ),
        (
            "apps",
            "StatefulSet",
            json!({"replicas": 2}),
            json!({"observedGeneration": 2, "readyReplicas": 2, "currentRevision": "1", "updateRevision": "2"}),
            false,
        ),
        (
            "apps",
            "DaemonSet",
            json!({}),
            json!({"observedGeneration": 2, "desiredNumberScheduled": 2, "numberReady": 2, "updatedNumberScheduled": 2}),
            true,
        ),
        (
            "apps",
            "DaemonSet",
            json!({}),
            json!({"observedGeneration": 2, "desiredNumberScheduled": 2, "numberReady": 1, "updatedNumberScheduled": 2}),
            false,
        ),
        (
            "apiextensions.k8s.io",
            "CustomResourceDefinition",
            json!({}),
            conditions(&[("Established", "True"), ("NamesAccepted", "True")]),
            true,
        ),
        (
            "apiextensions.k8s.io",
            "CustomResourceDefinition",
            json!({}),
            conditions(&[("NamesAccepted", "True")]),
            false,
        ),
    ] {
        let id = id(group, kind);
        let live = live(&id, spec, status.clone());
        let verdict = verdict(&id, vec![(&id.group_kind(), live)]);
        assert_eq!(verdict.is_ready(), ready, "{kind} {status}: {verdict:?}");
    }
}

#[test]
fn a_pod_of_its_own_is_done_when_it_succeeded_and_may_wait_for_room_a_while() {
    let id = id("", "Pod");
    let unscheduled = |since: &str| {
        json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
               "message": "0/1 nodes are available: 1 Insufficient cpu.", "lastTransitionTime": since}]})
    };
    let room = Missing::because(Why::NoRoom, "no node takes it: Insufficient cpu");
    for (status, expected) in [
        (json!({"phase": "Succeeded"}), Verdict::Ready),
        (
            json!({"phase": "Failed", "containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]}),
            Verdict::Failed("it failed: container c: exit code 137 (OOMKilled)".into()),
        ),
        (
            unscheduled("2026-01-01T11:58:00Z"),
            Verdict::Waiting(room.clone()),
        ),
        (unscheduled("2026-01-01T11:54:00Z"), Verdict::Stuck(room)),
        (
            json!({"phase": "Running", "reason": "Evicted", "message": "The node was low on resource: ephemeral-storage."}),
            Verdict::Stuck(Missing::because(
                Why::Evicted,
                "evicted: The node was low on resource: ephemeral-storage.",
            )),
        ),
    ] {
        let live = live(&id, json!({"containers": [{"name": "c"}]}), status);
        assert_eq!(verdict(&id, vec![("Pod.", live)]), expected);
    }
}

#[test]
fn what_can_never_be_has_failed() {
    let conditions = |kind: &str, status: &str, message: &str| json!({"observedGeneration": 2, "conditions": [{"type": kind, "status": status, "reason": "R", "message": message}]});
    for (group, kind, status) in [
        (
            "apiextensions.k8s.io",
            "CustomResourceDefinition",
            conditions("NamesAccepted", "False", "the plural is taken"),
        ),
        (
            "apps",
            "Deployment",
            conditions(
                "ReplicaFailure",
                "True",
                "pods \"a\" is forbidden: violates PodSecurity \"restricted:latest\"",
            ),
        ),
        ("batch", "Job", conditions("FailureTarget", "True", "m")),
        ("", "PersistentVolumeClaim", json!({"phase": "Lost"})),
    ] {
        let id = id(group, kind);
        let live = live(&id, json!({}), status);
        let verdict = verdict(&id, vec![(&id.group_kind(), live)]);
        assert!(matches!(verdict, Verdict::Failed(_)), "{kind}: {verdict:?}");
    }
    // By itself it goes on: a quota may be raised, a deadline of progress says nothing final.
    let id = id("apps", "Deployment");
    let slow = conditions("Progressing", "False", "ProgressDeadlineExceeded");
    let slow = live(&id, json!({}), slow);
    assert!(matches!(
        verdict(&id, vec![("Deployment.apps", slow)]),
        Verdict::Waiting(_)
    ));
}

#[test]
fn every_kind_has_one_row_and_is_in_view_itself() {
    let mut kinds = Vec::new();
    for row in table::all() {
        for kind in row.kinds {
            kinds.push((row.group, *kind));
            let id = id(row.group, kind);
            // What is not in view cannot be ready.
            let told = matches!(row.judge, table::Judge::Accepted | table::Judge::Told(_));
            assert_eq!(verdict(&id, Vec::new()).is_ready(), told, "{id}");
        }
    }
    let all = kinds.len();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), all);
    assert!(!is_judged(&id("", "ConfigMap"), None));
}

#[test]
fn what_ends_stays_done_and_what_serves_does_not() {
    for (group, kind, expected) in [
        ("batch", "Job", true),
        ("kubeflow.org", "PyTorchJob", true),
        ("trainer.kubeflow.org", "TrainJob", true),
        ("jobset.x-k8s.io", "JobSet", true),
        ("apps", "Deployment", false),
        ("", "Pod", false),
        ("", "ConfigMap", false),
    ] {
        assert_eq!(ends(&id(group, kind), None), expected, "{kind}");
    }
}
