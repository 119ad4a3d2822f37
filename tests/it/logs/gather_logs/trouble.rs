//! A namespace in trouble: a container that crashes, and secrets planted where they are often found.

use std::{
    fs::File,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::it::support;

/// Planted in a Secret, and in a log line.
pub(super) const PLANTED: &str = "planted-Secret/7f3a&9";
/// Planted in an environment variable, and in a log line.
pub(super) const IN_ENV: &str = "env-planted-token-123";

pub(super) fn kubectl(words: &[&str], stdin: Option<&str>) -> String {
    let input = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(input.path(), stdin.unwrap_or_default()).unwrap();
    let output = Command::new("kubectl")
        .arg("--kubeconfig")
        .arg(support::cluster())
        .args(words)
        .stdin(File::open(input.path()).unwrap())
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A namespace that goes away with the test.
pub(super) struct Namespace(pub(super) &'static str);

impl Drop for Namespace {
    fn drop(&mut self) {
        if support::shared_cluster().is_ok() {
            kubectl(&["delete", "namespace", self.0, "--wait=false"], None);
        }
    }
}

pub(super) fn trouble(namespace: &str) -> String {
    // On every KinD node of the sandbox; elsewhere the image is pulled.
    let image = "sandbox/debian:bookworm";
    // It fails once, then runs without being ready: while a container fails again and again the kubelet soon forgets
    // the log of the run before the last.
    let crash = "[ -e /state/failed ] && sleep 3600; touch /state/failed; echo connecting with $PASSWORD; echo $(echo -n user:$PASSWORD | base64 -w0); echo token $API_TOKEN; echo 'Error: no table users'; exit 3";
    let container = |name: &str, script: &str| json!({"name": name, "image": image, "imagePullPolicy": "IfNotPresent", "command": ["bash", "-c", script]});
    let mut app = container("app", crash);
    app["env"] = json!([
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "planted", "key": "password"}}},
        {"name": "API_TOKEN", "value": IN_ENV},
    ]);
    app["readinessProbe"] = json!({"exec": {"command": ["test", "-e", "/never"]}});
    app["volumeMounts"] = json!([{"name": "state", "mountPath": "/state"}]);
    let pod = json!({
        "volumes": [{"name": "state", "emptyDir": {}}],
        "terminationGracePeriodSeconds": 0,
        "initContainers": [container("prepare", "echo prepared by init")],
        "containers": [container("sidecar", "echo sidecar stays; sleep 3600"), app],
    });
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "planted", "namespace": namespace}, "stringData": {"password": PLANTED, "short": "abc"}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "crashing", "namespace": namespace}, "spec": {
            "selector": {"matchLabels": {"app": "crashing"}},
            "template": {"metadata": {"labels": {"app": "crashing"}}, "spec": pod}}},
    ]});
    objects.to_string()
}

/// The run before the present one has a log only once there is a present one and the kubelet knows it.
pub(super) fn wait_for_a_restart(namespace: &str) {
    let until = Instant::now() + Duration::from_mins(3);
    loop {
        let words = [
            "-n",
            namespace,
            "logs",
            "deployment/crashing",
            "-c",
            "app",
            "--previous",
        ];
        let log = kubectl(&words, None);
        if log.contains("no table users") {
            return;
        }
        assert!(Instant::now() < until, "it was not restarted: {log}");
        let never = "--for=jsonpath={.status.phase}=Failed";
        let words = [
            "-n",
            namespace,
            "wait",
            "pods",
            "--all",
            never,
            "--timeout=1s",
        ];
        kubectl(&words, None);
    }
}
