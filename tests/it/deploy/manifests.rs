//! `deploy-manifests` against a real cluster: what is ready is ready, what is wrong is named, in time.

use std::{
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use crate::it::{
    deploy::redeploy::one_manager_each,
    support::{Lane, binary, cluster, sandbox, step::outputs, within},
};

/// Runs the stage as a step would, with a state directory of its own; its output, and how long it took.
pub(crate) fn deploy(state: &Path, arguments: &[&str]) -> (Output, Duration) {
    let started = Instant::now();
    let output = Command::new(binary())
        .arg("deploy-manifests")
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("RUNNER_TEMP", state)
        .env_remove("GITHUB_ACTIONS")
        .env("GITHUB_OUTPUT", state.join("output"))
        .output()
        .expect("the binary runs");
    (output, started.elapsed())
}

pub(crate) fn on_cluster(state: &Path, arguments: &[&str]) -> (Output, Duration) {
    let kubeconfig = format!("--kubeconfig={}", cluster().display());
    let all: Vec<&str> = arguments
        .iter()
        .copied()
        .chain([kubeconfig.as_str()])
        .collect();
    deploy(state, &all)
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A file of manifests in a directory of its own.
pub(crate) fn manifests(text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let file = dir.path().join("objects.yaml");
    std::fs::write(&file, text).expect("a file can be written");
    let argument = format!("--manifests={}", file.display());
    (dir, argument)
}

#[test]
fn bad_input_is_refused_before_a_cluster_is_asked() {
    let state = tempfile::tempdir().unwrap();
    let nowhere = "--kubeconfig=/nonexistent";
    let twice =
        "--manifests=tests/manifests/duplicate/first.yaml\ntests/manifests/duplicate/second.yaml";
    for (arguments, line) in [
        (vec![nowhere], "no manifests are named"),
        (
            vec![nowhere, "--manifests=does/not/exist"],
            "the manifests `does/not/exist` do not exist",
        ),
        (
            vec![nowhere, twice],
            "ConfigMap default/twice is there twice: in tests/manifests/duplicate/first.yaml, document 1, \
             and in tests/manifests/duplicate/second.yaml, document 1",
        ),
        (
            vec![nowhere, "--manifests=Cargo.lock"],
            "Cargo.lock, document 1: not a Kubernetes object: it has no kind",
        ),
        (
            vec![nowhere, "--manifests=e2e/sample", "--timeout=45"],
            "has no unit",
        ),
    ] {
        let (output, _) = deploy(state.path(), &arguments);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(line), "{}", said(&output));
    }
}

/// Everything of the sample is ready, also what crashes until another is up, and is as it was written.
#[test]
fn sandbox_the_sample_is_deployed_once_and_whole() {
    let Some(_turn) = sandbox(Lane::Cluster) else {
        return;
    };
    let state = tempfile::tempdir().unwrap();
    let (output, _) = on_cluster(state.path(), &["--manifests=e2e/sample", "--timeout=4m"]);
    assert!(output.status.success(), "{}", said(&output));
    let report = std::fs::read(state.path().join("manifests-e2e/deploy-report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    let objects = report["deployment"]["objects"].as_array().unwrap();
    assert!(objects.len() > 20);
    for object in objects {
        // Not at all where an earlier run left it as it is wanted.
        let tries = object["tries"].as_u64().unwrap();
        assert!(tries <= 1, "sent more than once: {object}");
        assert!(object["ready"].is_u64(), "{object}");
    }
    let differs = Command::new("bash")
        .arg("-c")
        .arg("kustomize build e2e/sample | kubectl diff --server-side --force-conflicts --field-manager=manifests-e2e -f -")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("KUBECONFIG", cluster())
        .output()
        .unwrap();
    assert!(
        differs.status.success(),
        "{}{}",
        String::from_utf8_lossy(&differs.stdout),
        String::from_utf8_lossy(&differs.stderr)
    );

    one_manager_each("kustomize build e2e/sample");
    let (output, _) = on_cluster(state.path(), &["--manifests=e2e/sample", "--timeout=2m"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(!said(&output).contains("taken over"), "{}", said(&output));
    let report = std::fs::read(state.path().join("manifests-e2e/deploy-report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    for object in report["deployment"]["objects"].as_array().unwrap() {
        assert_eq!(object["unchanged"], true, "{object}");
    }

    for (directory, line) in [
        ("denied", "denied the request"),
        ("invalid", "a red widget is smaller than 10"),
    ] {
        let argument = format!("--manifests=tests/manifests/{directory}");
        let state = tempfile::tempdir().unwrap();
        let (output, took) = on_cluster(state.path(), &[&argument, "--timeout=2m"]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let report = &outputs(state.path())["report"];
        assert!(Path::new(report).is_file(), "{report}");
        assert!(said(&output).contains(line), "{}", said(&output));
        assert!(took < within(Duration::from_secs(20)), "{took:?}");
    }
}

#[test]
fn sandbox_what_is_not_ready_at_the_limit_is_named() {
    let Some(_turn) = sandbox(Lane::Cluster) else {
        return;
    };
    let state = tempfile::tempdir().unwrap();
    let limit = within(Duration::from_secs(15));
    let timeout = format!("--timeout={}s", limit.as_secs());
    let arguments = ["--manifests=tests/manifests/missing-image", &timeout];
    let (output, took) = on_cluster(state.path(), &arguments);
    assert_eq!(output.status.code(), Some(124), "{}", said(&output));
    assert!(took < limit + within(Duration::from_secs(5)), "{took:?}");
    let said = said(&output);
    let cause = said
        .lines()
        .find(|line| line.starts_with("error:"))
        .unwrap();
    assert!(
        cause.contains("timed out after ") && cause.contains(": Deployment default/missing-image"),
        "{cause}"
    );
    assert!(
        cause.contains("cannot be pulled") && cause.contains("python:no-such-tag"),
        "{cause}"
    );
}

#[test]
fn sandbox_a_kind_that_nobody_serves_is_refused_before_anything_is_written() {
    let Some(_turn) = sandbox(Lane::Cluster) else {
        return;
    };
    let state = tempfile::tempdir().unwrap();
    let (_dir, argument) = manifests(
        "{apiVersion: v1, kind: Namespace, metadata: {name: never-made}}\n---\n\
         {apiVersion: autoscaling/v2beta2, kind: HorizontalPodAutoscaler, metadata: {name: a, namespace: never-made}}",
    );
    let (output, _) = on_cluster(state.path(), &[&argument]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(
        said(&output).contains("Kubernetes 1.25 was the last with it"),
        "{}",
        said(&output)
    );
    let made = Command::new("kubectl")
        .args(["get", "namespace", "never-made"])
        .env("KUBECONFIG", cluster())
        .output()
        .unwrap();
    assert!(!made.status.success());
}
