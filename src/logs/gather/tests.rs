//! What is still found when secrets are gone.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::logs::{
    diagnose::{Class, diagnose},
    redact::{Marker, Redactor, harvest::Secrets, structure},
    snapshot::{Log, LogKey, Object, Snapshot},
};

fn pod(status: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-1", "namespace": "n"},
        "spec": {"containers": [{"name": "c", "image": "quay.io/x:1", "resources": {"limits": {"memory": "64Mi"}}}]}, "status": status})
}

fn waiting(reason: &str, message: &str) -> Value {
    pod(
        &json!({"phase": "Pending", "containerStatuses": [{"name": "c", "restartCount": 0, "state": {"waiting": {"reason": reason, "message": message}}}]}),
    )
}

fn unscheduled(message: &str) -> Value {
    pod(
        &json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}),
    )
}

fn event(kind: &str, name: &str, reason: &str, message: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "n"}, "type": "Warning", "reason": reason, "message": message,
        "involvedObject": {"kind": kind, "name": name, "namespace": "n"}, "lastTimestamp": "2026-01-01T00:00:00Z"})
}

fn refused(message: &str) -> Vec<Value> {
    let set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web", "namespace": "n"}, "spec": {"replicas": 1}, "status": {"replicas": 0}});
    vec![set, event("ReplicaSet", "web", "FailedCreate", message)]
}

fn probe(message: &str) -> Vec<Value> {
    let running = pod(
        &json!({"phase": "Running", "containerStatuses": [{"name": "c", "ready": false, "restartCount": 0, "state": {"running": {}}}]}),
    );
    vec![running, event("Pod", "web-1", "Unhealthy", message)]
}

fn condition(kind: &str, status: &str) -> Vec<Value> {
    vec![
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": {"conditions": [
        {"type": kind, "status": status, "message": "container runtime network not ready: token expired"}]}}),
    ]
}

fn ended(reason: &str, code: u8) -> Vec<Value> {
    vec![pod(
        &json!({"phase": "Running", "containerStatuses": [{"name": "c", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": code, "reason": reason}}}]}),
    )]
}

/// Clusters in trouble, in the words of the kubelet, the scheduler and the API server.
fn troubles() -> Vec<Vec<Value>> {
    let pull = |message: &str| vec![waiting("ErrImagePull", message)];
    vec![
        condition("Ready", "False"),
        condition("DiskPressure", "True"),
        vec![pod(
            &json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: ephemeral-storage."}),
        )],
        vec![unscheduled(
            "0/1 nodes are available: 1 node(s) were unschedulable.",
        )],
        vec![unscheduled(
            "0/1 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }.",
        )],
        vec![unscheduled(
            "0/1 nodes are available: 1 Insufficient memory.",
        )],
        vec![unscheduled(
            "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
        )],
        vec![unscheduled(
            "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.",
        )],
        vec![unscheduled(
            "0/1 nodes are available: 1 node(s) had something else.",
        )],
        pull(
            "failed to do request: dial tcp: lookup registry.example.org on 10.0.0.1:53: no such host",
        ),
        pull("failed to do request: dial tcp 10.1.2.3:443: connect: connection refused"),
        pull("unexpected status: 429 Too Many Requests - toomanyrequests"),
        pull(
            "failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized",
        ),
        pull("rpc error: code = NotFound desc = manifest unknown"),
        pull("no match for platform in manifest"),
        pull("something that nobody knows"),
        vec![waiting(
            "InvalidImageName",
            "couldn't parse image name \"x y\": invalid reference format",
        )],
        vec![waiting(
            "ErrImageNeverPull",
            "Container image \"x\" is not present with pull policy of Never",
        )],
        refused(
            "Error creating: Internal error occurred: failed calling webhook \"w.example.org\": failed to call webhook: Post \"https://w.n.svc:443/?token=1\": no endpoints available for service \"w\"",
        ),
        refused("Error creating: pods \"x\" is forbidden: exceeded quota: q, requested: secrets=1"),
        refused(
            "Error creating: pods \"x\" is forbidden: error looking up service account n/s: serviceaccount \"s\" not found",
        ),
        refused(
            "Error creating: pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false",
        ),
        refused(
            "Error creating: pods \"x\" is invalid: spec.containers[0].env[0].name: Invalid value",
        ),
        vec![
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "n"},
            "spec": {"storageClassName": "fast"}, "status": {"phase": "Pending"}}),
        ],
        vec![
            waiting("ContainerCreating", ""),
            event(
                "Pod",
                "web-1",
                "FailedMount",
                "MountVolume.MountDevice failed for volume \"v\": rpc error: not mounted",
            ),
        ],
        vec![
            waiting("ContainerCreating", ""),
            event(
                "Pod",
                "web-1",
                "FailedMount",
                "MountVolume.SetUp failed for volume \"token\" : secret \"db-login1\" not found",
            ),
        ],
        vec![waiting(
            "CreateContainerConfigError",
            "couldn't find key password1 in Secret n/db-login1",
        )],
        vec![waiting(
            "RunContainerError",
            "failed to create containerd task: exec: \"secret-app1\": executable file not found in $PATH",
        )],
        vec![waiting("SomethingNew", "it waits")],
        ended("OOMKilled", 137),
        ended("Error", 1),
        probe("Liveness probe failed: HTTP probe failed with statuscode: 503"),
        probe("Startup probe failed: Get \"http://10.0.0.1/?token=abcdefg1\": dial tcp"),
        probe("Readiness probe failed: HTTP probe failed with statuscode: 401"),
        vec![
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "n"},
            "status": {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}]}}),
        ],
    ]
}

#[test]
fn each_class_is_found_in_what_is_left_when_the_secrets_are_gone() {
    // Words of the messages above as somebody's passwords, and two that are none.
    let nasty = [
        "requested",
        "toomanyrequests",
        "container",
        "scheduler",
        "password1",
        "Readiness",
        "ImagePullBackOff",
        "CrashLoopBackOff",
        "Unschedulable",
        "FailedCreate",
        "OOMKilled",
        "hunter2-hunter2",
    ];
    let data: serde_json::Map<String, Value> = nasty
        .iter()
        .enumerate()
        .map(|(at, word)| (format!("password-{at}"), json!(word)))
        .collect();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "stringData": data});
    let mut found = BTreeSet::new();
    for nasty in [false, true] {
        for mut objects in troubles() {
            let classes = |objects: &[Value], tail: &str| -> BTreeSet<Class> {
                let mut snapshot = Snapshot::empty("x");
                snapshot.objects = objects
                    .iter()
                    .filter_map(|value| Object::of(value.clone()))
                    .collect();
                let key = LogKey {
                    namespace: "n".into(),
                    pod: "web-1".into(),
                    container: "c".into(),
                    previous: true,
                };
                snapshot.logs.insert(key, Log::of("log", tail.lines()));
                diagnose(&snapshot)
                    .into_iter()
                    .map(|finding| finding.class)
                    .collect()
            };
            if nasty {
                objects.push(secret.clone());
            }
            let all: Vec<Object> = objects
                .iter()
                .filter_map(|value| Object::of(value.clone()))
                .collect();
            let names = super::secrets::names(all.iter());
            let mut secrets = Secrets::default();
            for object in &all {
                secrets.add_object(object, &names);
            }
            let redactor = Redactor::new(Marker::random(), &secrets, names);
            let clean: Vec<Value> = all
                .into_iter()
                .map(|mut object| {
                    structure::scrub(&mut object, &redactor);
                    object.value
                })
                .collect();
            let before = classes(&objects, "Error: no table");
            let after = classes(&clean, &redactor.text("Error: no table"));
            assert_eq!(before, after, "{objects:?}");
            found.extend(before);
        }
    }
    assert!(found.len() >= 30, "{found:?}");
}
