//! Ports of a real cluster for a test on this machine.

use std::{
    fs,
    io::Write as _,
    net::TcpStream,
    process::{Command, Stdio},
};

use crate::it::support::{self, Lane, step::outputs};

const OBJECTS: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: test-forward}
---
apiVersion: v1
kind: Service
metadata: {name: web-ui, namespace: test-forward}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: test-forward}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: python:3.11-slim-bookworm
        command: [python3, -m, http.server, "8000"]
        workingDir: /etc
        ports: [{name: http, containerPort: 8000}]
        readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
"#;

/// It asks for a large answer, replaces the pod, and asks again by the same port.
const SCRIPT: &str = r"
import os, subprocess, urllib.request
def ask():
    url = 'http://127.0.0.1:%s/' % os.environ['WEB_UI_PORT']
    return 'passwd' in urllib.request.urlopen(url, timeout=60).read().decode()
def kubectl(*words):
    subprocess.run(['kubectl', '-n', 'test-forward', *words], check=True)
assert os.environ['WEB_UI_PORT'] == os.environ['WEB_UI_PORT_80']
print('first:', ask())
kubectl('delete', 'pod', '-l', 'app=web', '--wait=true')
kubectl('rollout', 'status', 'deployment/web', '--timeout=60s')
print('again:', ask())
print('port', os.environ['WEB_UI_PORT'])
";

#[test]
fn sandbox_a_port_of_the_cluster_is_there_while_the_test_runs_whatever_becomes_of_the_pod() {
    let Some(_turn) = support::sandbox(Lane::Cluster) else {
        return;
    };
    let kubeconfig = support::cluster();
    let dir = tempfile::tempdir().unwrap();
    let mut apply = Command::new("kubectl")
        .args(["apply", "-f", "-", "--kubeconfig"])
        .arg(kubeconfig)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = apply.stdin.take().unwrap();
    stdin.write_all(OBJECTS.as_bytes()).unwrap();
    drop(stdin);
    assert!(apply.wait().unwrap().success());
    let script = dir.path().join("asks.py");
    fs::write(&script, SCRIPT).unwrap();

    let output = Command::new(support::binary())
        .args(["run-mnist-notebook-job", "--run-on=runner", "--timeout=3m"])
        .arg("--forward=svc/web-ui :80")
        .arg("--namespace=test-forward")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("RUNNER_TEMP", dir.path())
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_OUTPUT", dir.path().join("output"))
        .env("KUBECONFIG", kubeconfig)
        .env("INPUT_SCRIPT", &script)
        .output()
        .unwrap();

    let log = [&output.stdout[..], &output.stderr].concat();
    let log = String::from_utf8_lossy(&log);
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert!(log.contains("| first: True\n"), "{log}");
    assert!(log.contains("| again: True\n"), "{log}");
    assert_eq!(outputs(dir.path())["verdict"], "passed");
    let port = log
        .lines()
        .find_map(|line| line.split_once("| port "))
        .unwrap()
        .1;
    let after = TcpStream::connect(("127.0.0.1", port.trim().parse().unwrap()));
    assert!(after.is_err(), "port {port} is still open");
    let delete = [
        "delete",
        "namespace",
        "test-forward",
        "--wait=false",
        "--kubeconfig",
    ];
    let deleted = Command::new("kubectl")
        .args(delete)
        .arg(kubeconfig)
        .status();
    assert!(deleted.unwrap().success());
}
