//! What is said of pods that take their time, and when it is too much.

use super::*;

/// A `StatefulSet` of one replica whose pod is not ready.
fn stateful(spec: Value, status: Value) -> Verdict {
    let id = id("apps", "StatefulSet");
    let live = live(
        &id,
        json!({"replicas": 1}),
        json!({"observedGeneration": 2}),
    );
    let mut pod = pod("u", spec, status);
    pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
    verdict(&id, vec![("StatefulSet.apps", live), ("Pod.", pod)])
}

#[test]
fn an_init_container_that_runs_is_named() {
    let running = |name: &str| json!({"name": name, "state": {"running": {"startedAt": NOW}}});
    let spec =
        json!({"initContainers": [{"name": "mesh", "restartPolicy": "Always"}, {"name": "wait"}]});
    for (statuses, what) in [
        (
            vec![running("mesh"), running("wait")],
            "its init container wait runs, and has not ended",
        ),
        (vec![running("mesh")], "Pending"),
    ] {
        let status = json!({"phase": "Pending", "initContainerStatuses": statuses,
            "containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "PodInitializing"}}}]});
        let verdict = stateful(spec.clone(), status);
        assert_eq!(verdict.missing().unwrap().what, what);
    }
}

#[test]
fn a_pod_that_runs_for_very_long_and_is_not_ready_will_not_be() {
    for (started, is_stuck) in [
        ("2026-01-01T11:49:00Z", true),
        ("2026-01-01T11:51:00Z", false),
    ] {
        let running = json!({"name": "c", "state": {"running": {"startedAt": started}}});
        let status = json!({"phase": "Running", "containerStatuses": [running]});
        let verdict = stateful(json!({"containers": [{"name": "c"}]}), status.clone());
        assert_eq!(
            matches!(verdict, Verdict::Stuck(_)),
            is_stuck,
            "{verdict:?}"
        );
        let id = id("", "Pod");
        let bare = json!({"metadata": {"name": "a", "namespace": "n"}, "spec": {"containers": [{"name": "c"}]}, "status": status});
        let verdict = self::verdict(&id, vec![("Pod.", bare)]);
        assert_eq!(
            matches!(verdict, Verdict::Stuck(_)),
            is_stuck,
            "{verdict:?}"
        );
    }
}

#[test]
fn a_job_says_how_often_it_failed_before_it_is_over() {
    let id = id("batch", "Job");
    for (failed, expected) in [
        (1, Verdict::Waiting as fn(Missing) -> Verdict),
        (5, Verdict::Stuck),
    ] {
        let live = live(&id, json!({"backoffLimit": 6}), json!({"failed": failed}));
        let ended = json!({"terminated": {"exitCode": 3, "startedAt": NOW}});
        let status =
            json!({"phase": "Failed", "containerStatuses": [{"name": "c", "state": ended}]});
        let pod = pod("u", json!({"containers": [{"name": "c"}]}), status);
        let verdict = verdict(&id, vec![("Job.batch", live), ("Pod.", pod)]);
        let what = if failed == 1 {
            "a pod of it failed (container c: exit code 3), and another one is to come"
        } else {
            "5 pods of it failed, last with container c: exit code 3, and another one is to come"
        };
        assert_eq!(
            verdict,
            expected(Missing::because(Why::Crash, what).of_pod("", "p"))
        );
    }
}

#[test]
fn a_pod_whose_volume_is_being_made_is_not_overlooked_by_its_scheduler() {
    let spec = json!({"schedulerName": "default-scheduler", "containers": [{"name": "c"}],
        "volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]});
    let id = id("", "Pod");
    let selected = json!({"volume.kubernetes.io/selected-node": "node-1"});
    for (annotations, created, expected) in [
        (
            selected.clone(),
            "2026-01-01T11:59:00Z",
            "the volume of PersistentVolumeClaim data is not made yet",
        ),
        (
            selected,
            "2026-01-01T11:50:00Z",
            "the volume of PersistentVolumeClaim data is not made yet",
        ),
        (
            json!({}),
            "2026-01-01T11:59:00Z",
            "no scheduler has looked at it (schedulerName: default-scheduler)",
        ),
    ] {
        let pod = json!({"metadata": {"name": "a", "namespace": "n", "creationTimestamp": created}, "spec": spec, "status": {"phase": "Pending"}});
        let claim = json!({"metadata": {"name": "data", "namespace": "n", "annotations": annotations}, "spec": {}, "status": {"phase": "Pending"}});
        let verdict = verdict(&id, vec![("Pod.", pod), ("PersistentVolumeClaim.", claim)]);
        assert_eq!(verdict.missing().unwrap().what, expected);
        let is_late = created.contains("11:50");
        assert_eq!(matches!(verdict, Verdict::Stuck(_)), is_late);
    }
}
