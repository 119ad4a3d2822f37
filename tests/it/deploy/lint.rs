//! `lint-only`: everything that would go wrong is told at once, before anything is written, with a cluster and without.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

use crate::it::support::{Lane, binary, cluster, sandbox};

fn lint(state: &Path, arguments: &[&str]) -> Output {
    Command::new(binary())
        .args(["deploy-manifests", "--lint-only", "--timeout=1m"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("RUNNER_TEMP", state)
        .env_remove("GITHUB_ACTIONS")
        .env_remove("KUBECONFIG")
        .output()
        .expect("the binary runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The input for a file of manifests in `dir`.
fn manifests(dir: &Path, text: &str) -> String {
    let file = dir.join("objects.yaml");
    std::fs::write(&file, text).expect("a file can be written");
    format!("--manifests={}", file.display())
}

/// A registry that has `a:1` and nothing else; its address.
fn registry() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let status = match path {
                "/v2/" | "/v2/a/manifests/1" => "200 OK",
                _ => "404 Not Found",
            };
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            drop(stream.write_all(answer.as_bytes()));
        }
    });
    address
}

fn pod(name: &str, image: &str) -> String {
    format!(
        "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: never-made}}, spec: {{containers: \
         [{{name: c, image: '{image}'}}]}}}}\n"
    )
}

fn webhook(name: &str, service: &str) -> String {
    format!(
        "---\n{{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {{name: {name}}}, \
         webhooks: [{{name: a.b.c, clientConfig: {{service: {{namespace: default, name: {service}}}}}}}]}}\n"
    )
}

#[test]
fn without_a_cluster_the_set_alone_is_looked_at() {
    let (state, registry) = (tempfile::tempdir().unwrap(), registry());
    let ok = pod("there", &format!("{registry}/a:1"));
    let argument = manifests(state.path(), &ok);
    let drawn = state.path().join("graph.svg");
    let graph = format!("--graph={}", drawn.display());
    let output = lint(state.path(), &[&argument, &graph]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("no cluster is asked: no cluster is named"));
    assert!(
        std::fs::read_to_string(drawn)
            .unwrap()
            .contains(">there</text>")
    );

    let all = [
        ok.clone(),
        pod("twice", &format!("{registry}/a:1")),
        pod("twice", &format!("{registry}/a:1")),
        pod("gone", &format!("{registry}/a:2")),
        webhook("dangling", "nowhere"),
    ];
    let argument = manifests(state.path(), &all.concat());
    let output = lint(state.path(), &[&argument]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let file = state.path().join("objects.yaml");
    for line in [
        format!("error: deploy-manifests: Pod never-made/twice is there twice: in {0}, document 2, and in {0}, document 3; ", file.display()),
        format!("  {registry}/a:2 does not exist: {registry} answers 404; Pod never-made/gone uses it; name another one in its place: image-overrides: {registry}/a:2=…"),
        "  warning: ValidatingWebhookConfiguration dangling calls the Service default/nowhere, which is not in the set; ".to_owned(),
        "hint: nothing was written to the cluster".to_owned(),
    ] {
        assert!(said.contains(&line), "{line}\n{said}");
    }
}

#[test]
fn a_graph_has_a_form_that_is_known() {
    let state = tempfile::tempdir().unwrap();
    let argument = manifests(state.path(), &pod("a", "a"));
    let output = lint(state.path(), &[&argument, "--graph=graph.png"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("ends neither in .svg nor in .dot"));
}

/// The sandbox's registry, where it has one; else the one that it pulls from.
fn sandbox_registry() -> String {
    let mirror = std::env::var("INPUT_REGISTRY_MIRRORS").unwrap_or_default();
    let address = mirror
        .trim()
        .trim_start_matches("http://")
        .trim_end_matches('/');
    if address.is_empty() {
        "docker.io"
    } else {
        address
    }
    .to_owned()
}

#[test]
fn sandbox_all_findings_are_told_before_anything_is_written() {
    let Some(_turn) = sandbox(Lane::Cluster) else {
        return;
    };
    let (state, registry) = (tempfile::tempdir().unwrap(), sandbox_registry());
    let set = [
        "{apiVersion: v1, kind: Namespace, metadata: {name: never-made}}\n".to_owned(),
        "---\n{apiVersion: autoscaling/v2beta2, kind: HorizontalPodAutoscaler, metadata: {name: a, namespace: never-made}}\n".to_owned(),
        "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: twice}}\n".to_owned(),
        "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: twice, namespace: default}}\n".to_owned(),
        webhook("dangling", "nowhere"),
        webhook("served", "kubernetes"),
        pod("there", &format!("{registry}/library/python:3.11-slim-bookworm")),
        pod("gone", &format!("{registry}/library/python:no-such-tag")),
        "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: huge, namespace: never-made}, spec: {template: {spec: \
         {containers: [{name: c, resources: {requests: {cpu: 1000}}}]}}}}\n"
            .to_owned(),
    ];
    let argument = manifests(state.path(), &set.concat());
    let kubeconfig = format!("--kubeconfig={}", cluster().display());
    let output = lint(state.path(), &[&argument, &kubeconfig]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for line in [
        "no autoscaling/v2beta2 HorizontalPodAutoscaler",
        "Kubernetes 1.25 was the last with it",
        // They are one only since the namespace of those without one is known.
        "ConfigMap default/twice is there twice",
        "ValidatingWebhookConfiguration dangling calls the Service default/nowhere, which is neither in the set nor on the cluster",
        "library/python:no-such-tag does not exist",
        "Deployment never-made/huge: its pod asks for 1000 CPU, and no node has more than",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    assert!(
        !said.contains("ValidatingWebhookConfiguration served"),
        "{said}"
    );
    assert!(!said.contains("slim-bookworm"), "{said}");
    let made = Command::new("kubectl")
        .args(["get", "namespace", "never-made"])
        .env("KUBECONFIG", cluster())
        .output()
        .unwrap();
    assert!(!made.status.success());
}

#[test]
fn sandbox_the_sample_has_nothing_that_would_go_wrong() {
    let Some(_turn) = sandbox(Lane::Cluster) else {
        return;
    };
    let state = tempfile::tempdir().unwrap();
    let kubeconfig = format!("--kubeconfig={}", cluster().display());
    let drawn = state.path().join("graph.dot");
    let graph = format!("--graph={}", drawn.display());
    let output = lint(
        state.path(),
        &["--manifests=e2e/sample", &kubeconfig, &graph],
    );
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let dot = std::fs::read_to_string(drawn).unwrap();
    assert!(dot.starts_with("//") && dot.contains(" -> "), "{dot}");
    let report = std::fs::read(state.path().join("manifests-e2e/deploy-report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    for finding in report["lint"].as_array().unwrap() {
        // Where the sandbox reaches no registry, it says so; nothing else is found.
        assert_eq!(
            (&finding["rule"], &finding["severity"]),
            (&"image".into(), &"warning".into()),
            "{finding}"
        );
    }
}
