//! Sets of objects made for a test, each with names of its own, gone with the test.

#![expect(clippy::unwrap_used, reason = "what does not hold here fails the test")]

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::it::support::{binary, cluster, shared_cluster};

/// Objects, and the cluster-wide ones among them that have to go afterwards.
pub(crate) struct Set {
    dir: tempfile::TempDir,
    objects: Vec<Value>,
    /// What others make, by kind and name.
    made: Vec<(&'static str, String)>,
}

/// How a deployment ended.
pub(crate) struct Deployed {
    pub(crate) code: Option<i32>,
    /// Standard error.
    pub(crate) said: String,
    pub(crate) took: Duration,
    /// `deploy-report.json`.
    pub(crate) report: Value,
    /// The summary of the step.
    pub(crate) summary: String,
}

impl Deployed {
    /// The line that tells the cause.
    pub(crate) fn cause(&self) -> &str {
        let mut lines = self.said.lines();
        lines
            .find(|line| line.starts_with("error:"))
            .unwrap_or(&self.said)
    }

    /// What the report says of an object.
    pub(crate) fn object(&self, name: &str) -> &Value {
        let objects = self.report["deployment"]["objects"].as_array().unwrap();
        objects.iter().find(|it| it["object"] == name).unwrap()
    }
}

impl Set {
    /// A set, in a directory of its own; what an earlier test left under its names is gone then.
    pub(crate) fn new(name: &str, objects: Vec<Value>) -> Self {
        let set = Self {
            dir: tempfile::Builder::new().prefix(name).tempdir().unwrap(),
            objects,
            made: Vec::new(),
        };
        let texts: Vec<String> = set.objects.iter().map(Value::to_string).collect();
        std::fs::write(set.dir.path().join("objects.yaml"), texts.join("\n---\n")).unwrap();
        set.delete("--wait=true");
        set
    }

    /// Says that an object will be made by another.
    pub(crate) fn and_made(mut self, kind: &'static str, name: &str) -> Self {
        self.made.push((kind, name.to_owned()));
        self.delete("--wait=true");
        self
    }

    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    /// What it is made of.
    pub(crate) fn objects(&self) -> Vec<Value> {
        self.objects.clone()
    }

    /// Deploys it as a step on a runner would.
    pub(crate) async fn deploy(&self, kubeconfig: &Path, limit: &str) -> Deployed {
        let started = Instant::now();
        let file = |name: &str| self.dir.path().join(name);
        let output = tokio::process::Command::new(binary())
            .arg("deploy-manifests")
            .arg(format!("--manifests={}", file("objects.yaml").display()))
            .arg(format!("--kubeconfig={}", kubeconfig.display()))
            .arg(format!("--timeout={limit}"))
            .env("RUNNER_TEMP", self.dir.path())
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_OUTPUT", file("output"))
            .env("GITHUB_STEP_SUMMARY", file("summary"))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let took = started.elapsed();
        let report = std::fs::read(file("manifests-e2e/deploy-report.json")).unwrap_or_default();
        Deployed {
            code: output.status.code(),
            said: format!(
                "{}{}",
                String::from_utf8_lossy(&output.stderr),
                String::from_utf8_lossy(&output.stdout)
            ),
            took,
            report: serde_json::from_slice(&report).unwrap_or_default(),
            summary: std::fs::read_to_string(file("summary")).unwrap_or_default(),
        }
    }

    fn delete(&self, wait: &str) {
        let kubectl = |words: &[&str]| {
            let mut command = Command::new("kubectl");
            command
                .env("KUBECONFIG", cluster())
                .args(["delete", "--ignore-not-found", wait]);
            command.args(words).output().unwrap();
        };
        for object in &self.objects {
            let kind = object["kind"].as_str().unwrap_or_default();
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            // All else goes with its namespace or its definition; webhooks first, or they would refuse that.
            if kind.ends_with("WebhookConfiguration") || kind.starts_with("ClusterRole") {
                kubectl(&[kind, name]);
            }
        }
        for object in &self.objects {
            let kind = object["kind"].as_str().unwrap_or_default();
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            if matches!(kind, "Namespace" | "CustomResourceDefinition") {
                kubectl(&[kind, name]);
            }
        }
        for (kind, name) in &self.made {
            kubectl(&[kind, name]);
        }
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        // Without a cluster there is nothing to delete, and a second panic would hide the first.
        if shared_cluster().is_ok() {
            self.delete("--wait=false");
        }
    }
}

/// A definition whose objects may hold anything.
pub(crate) fn definition(group: &str, kind: &str, plural: &str) -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
           "metadata": {"name": format!("{plural}.{group}")},
           "spec": {"group": group, "scope": "Namespaced",
                    "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": kind.to_lowercase()},
                    "versions": [{"name": "v1", "served": true, "storage": true,
                                  "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}})
}

/// A container that runs a program in Python.
pub(crate) fn python(program: &str) -> Value {
    json!({"name": "main", "image": "python:3.11-slim-bookworm", "imagePullPolicy": "IfNotPresent",
           "command": ["python3", "-u", "-c", program]})
}

/// A workload of one pod with one container, labelled `app: NAME`.
pub(crate) fn deployment(namespace: &str, name: &str, container: &Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace},
           "spec": {"selector": {"matchLabels": {"app": name}},
                    "template": {"metadata": {"labels": {"app": name}},
                                 "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]}}}})
}
