mod cases;
mod healthy;
mod trees;

use serde_json::{Value, json};

use super::*;
use crate::logs::snapshot::{Log, LogKey, Object};

fn snapshot(objects: Vec<Value>) -> Snapshot {
    let mut snapshot = Snapshot::empty("test");
    snapshot.objects = objects
        .into_iter()
        .map(|value| Object::of(value).unwrap())
        .collect();
    snapshot
}

/// A pod of Deployment `n/web` whose only container has that status.
fn pod(name: &str, status: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "n", "ownerReferences": [{"kind": "ReplicaSet", "name": "web-1", "controller": true}]},
        "spec": {"containers": [{"name": "c", "image": "quay.io/x:1", "resources": {"limits": {"memory": "64Mi"}}}],
            "volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]},
        "status": {"phase": "Pending", "containerStatuses": [status]},
    })
}

fn replica_set() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": {"replicas": 1}, "status": {"replicas": 0},
        "metadata": {"name": "web-1", "namespace": "n", "ownerReferences": [{"kind": "Deployment", "name": "web", "controller": true}]}})
}

fn event(kind: &str, name: &str, reason: &str, message: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "n"}, "type": "Warning",
        "involvedObject": {"kind": kind, "name": name, "namespace": "n"}, "reason": reason, "message": message,
        "lastTimestamp": "2026-01-01T00:00:00Z"})
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({"name": "c", "restartCount": 0, "state": {"waiting": {"reason": reason, "message": message}}})
}

fn lines(snapshot: &Snapshot) -> Vec<String> {
    diagnose(snapshot).iter().map(Finding::line).collect()
}

#[expect(clippy::too_many_lines, reason = "a table is as long as it has cases")]
#[test]
fn each_clear_case_is_told() {
    let unschedulable = {
        let mut pod = pod("web-1-a", &Value::Null);
        pod["status"] = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/2 nodes are available: 1 Insufficient memory, 2 Insufficient cpu. no new claims to deallocate, preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."}]});
        pod
    };
    let evicted = {
        let mut pod = pod("web-1-a", &Value::Null);
        pod["status"] = json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: ephemeral-storage."});
        pod
    };
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": {"conditions": [
        {"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "True", "message": "kubelet has disk pressure"}]}});
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "n"},
        "spec": {"storageClassName": "fast"}, "status": {"phase": "Pending"}});
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "n"},
        "status": {"conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "Job was active longer than specified deadline"}]}});
    let not_ready = {
        let mut pod = pod(
            "web-1-a",
            &json!({"name": "c", "ready": false, "restartCount": 0, "state": {"running": {}}}),
        );
        pod["status"]["phase"] = "Running".into();
        pod
    };
    let cases: Vec<(Vec<Value>, &str)> = vec![
        (
            vec![
                pod(
                    "web-1-a",
                    &waiting("ImagePullBackOff", "Back-off pulling image"),
                ),
                event(
                    "Pod",
                    "web-1-a",
                    "Failed",
                    "Failed to pull image \"quay.io/x:1\": rpc error: code = NotFound desc = manifest unknown",
                ),
            ],
            "Deployment n/web: image quay.io/x:1 cannot be pulled: not found",
        ),
        (
            vec![pod(
                "web-1-a",
                &waiting("ErrImagePull", "429 Too Many Requests - toomanyrequests"),
            )],
            "Deployment n/web: image quay.io/x:1 cannot be pulled: the registry limits the rate of pulls (429)",
        ),
        (
            vec![pod(
                "web-1-a",
                &waiting("CreateContainerConfigError", "secret \"s\" not found"),
            )],
            "Deployment n/web: container c cannot be made: secret \"s\" not found",
        ),
        (
            vec![pod(
                "web-1-a",
                &json!({"name": "c", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}),
            )],
            "Deployment n/web: container c was killed: it needs more than its 64Mi of memory",
        ),
        (
            vec![unschedulable],
            "Deployment n/web: no node takes it: Insufficient memory, Insufficient cpu",
        ),
        (
            vec![evicted],
            "Deployment n/web: evicted: The node was low on resource: ephemeral-storage.",
        ),
        (
            vec![node],
            "Node n1: DiskPressure: kubelet has disk pressure",
        ),
        (
            vec![claim],
            "PersistentVolumeClaim n/data: claim data is not bound: there is no storage class fast",
        ),
        (
            vec![job],
            "Job n/j: the Job failed: DeadlineExceeded: Job was active longer than specified deadline",
        ),
        (
            vec![event(
                "ReplicaSet",
                "web-1",
                "FailedCreate",
                "Error creating: Internal error occurred: failed calling webhook \"w.example.org\": failed to call webhook: Post \"https://w.n.svc:443/\": no endpoints available for service \"w\"",
            )],
            "Deployment n/web: webhook w.example.org does not answer: no endpoints available for service \"w\"",
        ),
        (
            vec![event(
                "ReplicaSet",
                "web-1",
                "FailedCreate",
                "Error creating: pods \"x\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2",
            )],
            "Deployment n/web and 1 more: quota n/q is used up: requested pods=1, used pods=2, allowed pods=2",
        ),
        (
            vec![
                not_ready,
                event(
                    "Pod",
                    "web-1-a",
                    "Unhealthy",
                    "Readiness probe failed: HTTP probe failed with statuscode: 503",
                ),
            ],
            "Deployment n/web: the readiness probe of container c fails: the container says that it is not well: HTTP probe failed with statuscode: 503",
        ),
        (
            vec![
                pod("web-1-a", &waiting("ContainerCreating", "")),
                event(
                    "Pod",
                    "web-1-a",
                    "FailedMount",
                    "MountVolume.SetUp failed: configmap \"c\" not found",
                ),
            ],
            "Deployment n/web: a volume cannot be mounted: MountVolume.SetUp failed: configmap \"c\" not found",
        ),
    ];
    for (mut objects, expected) in cases {
        objects.push(replica_set());
        assert_eq!(lines(&snapshot(objects)), [expected]);
    }
}

#[test]
fn a_crash_is_told_by_the_log_of_the_run_that_crashed() {
    let status = json!({"name": "c", "restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 2, "reason": "Error"}}});
    let mut snapshot = snapshot(vec![pod("web-1-a", &status), replica_set()]);
    let key = LogKey {
        namespace: "n".into(),
        pod: "web-1-a".into(),
        container: "c".into(),
        previous: true,
    };
    let log = Log::of("p.log", "starting\nError: no table users\nbye".lines());
    snapshot.logs.insert(key, log);
    let findings = diagnose(&snapshot);
    assert_eq!(
        findings[0].line(),
        "Deployment n/web: container c ended 5 times, last with exit code 2: Error: no table users"
    );
    let shown: Vec<_> = findings[0]
        .evidence
        .iter()
        .map(|it| (it.line, it.text.as_str()))
        .collect();
    let expected = [
        (Some(1), "starting"),
        (Some(2), "Error: no table users"),
        (Some(3), "bye"),
    ];
    assert_eq!(shown, expected);
    assert_eq!(findings[0].evidence[0].path.as_deref(), Some("p.log"));
}

#[test]
fn replicas_and_workloads_of_one_cause_are_one_finding() {
    let status = waiting("ErrImagePull", "not found");
    let mut other = pod("other", &status);
    other["metadata"]["ownerReferences"] = json!([]);
    let found = snapshot(vec![
        pod("web-1-a", &status),
        pod("web-1-b", &status),
        other,
        replica_set(),
    ]);
    assert_eq!(
        lines(&found),
        ["Deployment n/web and 1 more: image quay.io/x:1 cannot be pulled: not found"]
    );
}

#[test]
fn a_failed_job_is_told_by_its_container() {
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "n"},
        "status": {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "m"}]}});
    let mut pod = pod(
        "j-x",
        &json!({"name": "c", "restartCount": 0, "state": {"terminated": {"exitCode": 3}}}),
    );
    pod["status"]["phase"] = "Failed".into();
    pod["metadata"]["ownerReferences"] = json!([{"kind": "Job", "name": "j", "controller": true}]);
    assert_eq!(
        lines(&snapshot(vec![job, pod])),
        ["Job n/j: container c ended with exit code 3"]
    );
}

#[test]
fn a_sound_cluster_has_no_findings() {
    let mut healthy = pod(
        "web-1-a",
        &json!({"name": "c", "ready": true, "restartCount": 1, "state": {"running": {}},
        "lastState": {"terminated": {"exitCode": 1}}}),
    );
    healthy["status"]["phase"] = "Running".into();
    healthy["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
    let mut set = replica_set();
    set["status"]["replicas"] = 1.into();
    let early = event(
        "ReplicaSet",
        "web-1",
        "FailedCreate",
        "serviceaccount \"x\" not found",
    );
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "n"}, "status": {"phase": "Pending"}});
    let wait = event(
        "PersistentVolumeClaim",
        "data",
        "WaitForFirstConsumer",
        "waiting for first consumer",
    );
    assert_eq!(
        diagnose(&snapshot(vec![healthy, set, early, claim, wait])),
        []
    );
}
