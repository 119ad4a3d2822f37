//! `gather-logs` as a workflow runs it: with a cluster in trouble, with one that hangs, and with none.

#![expect(clippy::unwrap_used, reason = "what does not hold here fails the test")]

mod bucket;
mod page;
mod trouble;
mod unlisted;

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use axum::{Json, Router, http::StatusCode, routing::get};
use manifests_e2e::record::{ClusterRecord, HostKind, HostRecord, Store};
use serde_json::{Value, json};

use self::trouble::{IN_ENV, Namespace, PLANTED, kubectl, trouble, wait_for_a_restart};
use crate::it::support;

/// A job's directory, where the binary is run as in a step.
struct Job {
    dir: tempfile::TempDir,
    env: Vec<(&'static str, String)>,
}

impl Job {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let env = vec![
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("RUNNER_TEMP", path("")),
            ("GITHUB_OUTPUT", path("output")),
            ("GITHUB_STEP_SUMMARY", path("summary")),
        ];
        Self { dir, env }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    fn store(&self) -> Store {
        Store::open_in(self.dir.path().join("manifests-e2e"), None).unwrap()
    }

    fn gather(&self, words: &[&str]) -> Output {
        self.run("gather-logs", words)
    }

    fn run(&self, stage: &str, words: &[&str]) -> Output {
        let kept = [
            "PATH",
            "HOME",
            "AWS_ENDPOINT_URL",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
        ];
        Command::new(support::binary())
            .arg(stage)
            .args(words)
            .env_clear()
            .envs(
                kept.iter()
                    .filter_map(|name| Some((name, std::env::var_os(name)?))),
            )
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap()
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap()
    }

    /// An output of the step.
    fn output(&self, name: &str) -> String {
        let text = self.text("output");
        let mut lines = text
            .lines()
            .skip_while(|line| !line.starts_with(&format!("{name}<<")));
        lines.next();
        lines.next().unwrap_or_default().to_owned()
    }

    /// The files of the bundle by name.
    fn bundle(&self) -> BTreeMap<String, Vec<u8>> {
        let mut archive = zip::ZipArchive::new(File::open(self.output("bundle")).unwrap()).unwrap();
        (0..archive.len())
            .map(|at| {
                let mut file = archive.by_index(at).unwrap();
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).unwrap();
                (file.name().unwrap().into_owned(), bytes)
            })
            .collect()
    }
}

/// What the manifest says of files whose path holds `part`: path and error.
fn errors(bundle: &BTreeMap<String, Vec<u8>>, part: &str) -> Vec<String> {
    let manifest: Value = serde_json::from_slice(&bundle["MANIFEST.json"]).unwrap();
    let files = manifest["files"].as_array().unwrap();
    files
        .iter()
        .filter(|file| file["file"].as_str().unwrap().contains(part))
        .filter_map(|file| Some(file["error"].as_str()?.to_owned()))
        .collect()
}

fn passed(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {said}", output.status);
}

#[test]
fn sandbox_a_planted_secret_is_nowhere_and_every_log_is_there() {
    let Some(_turn) = support::sandbox(support::Lane::Cluster) else {
        return;
    };
    let namespace = Namespace("gather-logs-trouble");
    kubectl(&["create", "namespace", namespace.0], None);
    kubectl(&["apply", "-f", "-"], Some(&trouble(namespace.0)));
    wait_for_a_restart(namespace.0);
    let job = Job::new();
    job.store()
        .update(|record| {
            record.cluster = Some(ClusterRecord {
                name: "manifests-e2e-test".into(),
                kubeconfig: support::cluster().to_owned(),
                context: "kind-manifests-e2e-test".into(),
                tunnel: None,
                mirrors: Vec::new(),
            });
            record.host = Some(HostRecord {
                kind: HostKind::Local,
                address: String::new(),
                port: 0,
                user: String::new(),
                private_key: None,
                host_key: None,
            });
        })
        .unwrap();

    let output = job.gather(&["--name", "a/b:c"]);

    passed(&output);
    let bundle = job.bundle();
    let log = |name: &str| {
        let found = bundle.iter().find(|(path, _)| {
            path.contains("/gather-logs-trouble/v1/pod/crashing-") && path.ends_with(name)
        });
        String::from_utf8_lossy(found.unwrap_or_else(|| panic!("no {name}")).1).into_owned()
    };
    assert!(log("/prepare/current.log").contains("prepared by init"));
    assert!(log("/sidecar/current.log").contains("sidecar stays"));
    let previous = log("/app/previous.log");
    assert!(previous.contains("Error: no table users"), "{previous}");
    assert!(
        previous.contains("connecting with <redacted len=21 id="),
        "{previous}"
    );
    for there in [
        "kind/manifests-e2e-test-control-plane/kubelet.log",
        "host/df.txt",
        "events.jsonl",
        "artifacts/stages.json",
        "report.html",
    ] {
        assert!(bundle.contains_key(there), "no {there}");
    }
    let secret = &bundle["cluster-state/kind-manifests-e2e-test/namespaces/gather-logs-trouble/v1/secret/planted.yaml"];
    assert!(String::from_utf8_lossy(secret).contains("short: <redacted len=3 id="));
    let mut said: Vec<(&str, Vec<u8>)> = bundle
        .iter()
        .map(|(path, bytes)| (path.as_str(), bytes.clone()))
        .collect();
    said.push(("standard error", output.stderr));
    said.push(("outputs", job.text("output").into_bytes()));
    said.push(("summary", job.text("summary").into_bytes()));
    said.push(("page", std::fs::read(job.output("report")).unwrap()));
    // The Secret raw and as its API has it, the variable, and the middle of `user:` and the Secret in base64.
    for planted in [
        PLANTED,
        "cGxhbnRlZC1TZWNyZXQvN2YzYSY5",
        IN_ENV,
        "BsYW50ZWQtU2VjcmV0LzdmM2EmO",
    ] {
        for (path, bytes) in &said {
            assert!(
                !String::from_utf8_lossy(bytes).contains(planted),
                "{planted} is in {path}"
            );
        }
    }
    assert!(PathBuf::from(job.output("bundle")).ends_with("manifests-e2e/gathered/a-b-c.zip"));
    // The summary has only the first causes, and other tests have theirs on this cluster.
    let summary = job.text("summary");
    assert!(summary.contains("What is wrong:"), "{summary}");
    let page = std::fs::read_to_string(job.output("report")).unwrap();
    assert!(page.contains("no table users"), "{}", summary);
    assert!(
        bundle
            .keys()
            .all(|path| !path.contains(['"', '<', '>', '|', '*', '?']))
    );
}

fn kubeconfig(dir: &Path, server: &str) -> String {
    let path = dir.join("other.kubeconfig");
    let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "other",
        "contexts": [{"name": "other", "context": {"cluster": "other", "user": "other"}}],
        "clusters": [{"name": "other", "cluster": {"server": server}}],
        "users": [{"name": "other", "user": {"token": "the-token-of-the-user"}}]});
    std::fs::write(&path, config.to_string()).unwrap();
    path.display().to_string()
}

#[test]
fn a_dead_server_or_no_cluster_at_all_still_gives_a_bundle() {
    let job = Job::new();
    let dead = kubeconfig(job.dir.path(), "https://127.0.0.1:1");
    passed(&job.gather(&["--kubeconfig", &dead, "--timeout", "20s"]));
    let bundle = job.bundle();
    assert!(bundle.contains_key("artifacts/stages.json") && bundle.contains_key("host/df.txt"));
    let told = errors(&bundle, "cluster-state/");
    assert!(told[0].contains("127.0.0.1:1"), "{told:?}");

    let job = Job::new();
    passed(&job.gather(&[]));
    assert!(job.bundle().contains_key("report.html"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_costs_its_answers_and_not_the_bundle() {
    let kind = |plural: &str, kind: &str| json!({"resource": plural, "responseKind": {"kind": kind}, "verbs": ["list"], "scope": "Namespaced"});
    let core = json!({"items": [{"metadata": {"name": ""}, "versions": [{"version": "v1", "resources": [kind("nodes", "Node"), kind("pods", "Pod")]}]}]});
    let router = Router::new()
        .route("/version", get(|| async { Json(json!({"major": "1", "minor": "35", "gitVersion": "v1.35.0", "gitCommit": "", "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "", "platform": ""})) }))
        .route("/api", get(|| async { Json(core) }))
        .route("/apis", get(|| async { Json(json!({"items": []})) }))
        .route("/api/v1/nodes", get(|| async { Json(json!({"metadata": {}, "items": [{"metadata": {"name": "n1"}}]})) }))
        .route("/api/v1/pods", get(|| async { std::future::pending::<StatusCode>().await }))
        .fallback(|| async { Json(json!({})) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let job = Job::new();
    let file = kubeconfig(job.dir.path(), &server);
    let started = Instant::now();

    let output = job.gather(&["--kubeconfig", &file, "--timeout", "12s"]);

    passed(&output);
    assert!(
        started.elapsed() < Duration::from_secs(13),
        "{:?}",
        started.elapsed()
    );
    let bundle = job.bundle();
    assert!(bundle.contains_key("cluster-state/other/cluster/v1/node/n1.yaml"));
    let told = [
        errors(&bundle, "/v1/pod"),
        errors(&bundle, "cluster-state/other"),
    ]
    .concat();
    assert!(
        told.iter()
            .any(|error| error.contains("no answer within")
                || error.contains("in the time there was")),
        "{told:?}"
    );
}

#[test]
fn only_bad_input_and_a_bundle_that_cannot_be_written_fail() {
    let job = Job::new();
    let file = job.dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let output = job.gather(&["--output", &file.join("below").display().to_string()]);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        job.output("failure").contains("cannot write the bundle"),
        "{}",
        job.output("failure")
    );
    for words in [
        &["--s3-uri", "bucket/without/scheme"][..],
        &["--name", "..."],
        &["--compare-with", "last-passed"],
        &["--compare-with", "last-passed", "--s3-uri", "s3://bucket/x"],
    ] {
        assert_eq!(Job::new().gather(words).status.code(), Some(2), "{words:?}");
    }
}
