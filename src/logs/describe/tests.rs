use serde_json::json;

use super::*;
use crate::logs::snapshot::{Log, LogKey};

#[test]
fn a_crashing_pod_tells_why() {
    let pod = Object::of(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "db-0", "namespace": "kubeflow", "uid": "u1", "labels": {"app": "db"},
            "creationTimestamp": "2026-01-02T03:00:00Z", "ownerReferences": [{"kind": "StatefulSet", "name": "db", "controller": true}]},
        "spec": {"nodeName": "n1", "initContainers": [{"name": "init", "image": "i:1"}],
            "containers": [{"name": "db", "image": "db:1", "command": ["run", "it"], "resources": {"limits": {"memory": "1Gi"}},
                "env": [{"name": "A", "value": "b"}, {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}]},
        "status": {"phase": "Running",
            "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "containers with unready status: [db]"}],
            "initContainerStatuses": [{"name": "init", "ready": true, "restartCount": 0, "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}],
            "containerStatuses": [{"name": "db", "ready": false, "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
                "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}]},
    }))
    .unwrap();
    let event = Object::of(json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "kubeflow"},
        "involvedObject": {"kind": "Pod", "name": "db-0", "namespace": "kubeflow", "uid": "u1"},
        "type": "Warning", "reason": "BackOff", "message": "Back-off restarting failed container", "count": 7, "lastTimestamp": "2026-01-02T03:04:05Z",
    }))
    .unwrap();
    let mut snapshot = Snapshot::empty("test");
    snapshot.taken = "2026-01-02T03:05:00Z".parse().unwrap();
    snapshot.logs.insert(
        LogKey {
            namespace: "kubeflow".into(),
            pod: "db-0".into(),
            container: "db".into(),
            previous: true,
        },
        Log::of("", "panic: no disk".lines()),
    );
    snapshot.objects.push(event);
    insta::assert_snapshot!(describe(&snapshot, &pod));
}
