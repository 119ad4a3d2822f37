//! The root action: what it refuses before it launches, when its last two steps run, and its one limit.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::it::support::step::{Step, outputs};

/// What a port in AWS's place does with a request.
#[derive(Clone, Copy)]
enum Aws {
    Refuses,
    Hangs,
}

/// A port in AWS's place: its URL, and how many have called.
fn aws(how: Aws) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            if matches!(how, Aws::Hangs) {
                open.push(stream);
                continue;
            }
            let body = "<Response><Errors><Error><Code>AuthFailure</Code><Message>no</Message></Error></Errors></Response>";
            drop(stream.read(&mut [0; 4096]));
            let head = "HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-length";
            drop(write!(stream, "{head}: {}\r\n\r\n{body}", body.len()));
        }
    });
    (url, calls)
}

/// What came of the first step of the root action.
struct Ran {
    code: Option<i32>,
    said: String,
    outputs: BTreeMap<String, String>,
    calls: usize,
    dir: TempDir,
}

/// Runs the first step, with a set of one object and these inputs.
fn first_step(how: Aws, inputs: &[(&str, &str)]) -> Ran {
    let dir = TempDir::new().unwrap();
    let set = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: default}}";
    fs::write(dir.path().join("set.yaml"), set).unwrap();
    let (url, calls) = aws(how);
    let mut vars = vec![
        ("INPUT_MANIFESTS", "set.yaml"),
        ("INPUT_SSH_CIDR", "192.0.2.1/32"),
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ];
    vars.extend(inputs);
    let Output { status, stderr, .. } = Step::of_the_chain("run").run(dir.path(), &vars);
    Ran {
        code: status.code(),
        said: String::from_utf8_lossy(&stderr).into_owned(),
        outputs: outputs(dir.path()),
        calls: calls.load(Ordering::SeqCst),
        dir,
    }
}

/// Whether a step of the root action runs after that.
fn runs_after(id: &str, ran: &Ran) -> bool {
    assert_eq!(
        Step::of_the_chain(id).condition,
        "always() && steps.run.outputs.begun != 'false'"
    );
    ran.outputs.get("begun").map(String::as_str) != Some("false")
}

#[test]
fn the_root_action_refuses_every_wrong_input_before_it_launches() {
    for (name, value, words) in [
        ("KUBERNETES_VERSION", "newest", "kubernetes-version"),
        ("MANIFESTS", "nowhere.yaml", "nowhere.yaml"),
        ("NOTEBOOK", "nowhere.ipynb", "nowhere.ipynb"),
        ("S3_URI", "bucket", "s3-uri"),
        ("REGION", "Mars", "region"),
        ("TEARDOWN_TIMEOUT", "10", "no unit"),
        ("KEEP_ON_FAILURE", "soon", "not a span of time"),
        ("DRY_RUN", "yes", "dry-run"),
        ("LINT_ONLY", "True", "lint-only"),
        ("LINT_ONLY", "1", "lint-only"),
        ("PRUNE", "some", "prune"),
        ("MARKET", "flea", "market"),
    ] {
        let ran = first_step(Aws::Refuses, &[(&format!("INPUT_{name}"), value)]);
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.said);
        assert_eq!(ran.calls, 0, "{name}");
        let failure = ran.outputs.get("failure").map_or("", String::as_str);
        assert!(failure.contains(words), "{name}: {failure}");
        assert!(
            !runs_after("gather-logs", &ran) && !runs_after("teardown", &ran),
            "{name}"
        );
        let summary = fs::read_to_string(ran.dir.path().join("summary")).unwrap();
        assert!(summary.starts_with("### ❌ "), "{name}: {summary}");
    }
}

#[test]
fn a_set_that_is_only_linted_launches_nothing_however_true_is_written() {
    for value in ["true", "true\n", " true "] {
        let ran = first_step(Aws::Refuses, &[("INPUT_LINT_ONLY", value)]);
        assert_eq!(ran.code, Some(0), "{value:?}: {}", ran.said);
        assert_eq!(ran.calls, 0, "{value:?}");
        assert_eq!(ran.outputs["objects"], "1", "{value:?}");
        assert_eq!(ran.outputs["failure"], "", "{value:?}");
        assert!(!runs_after("gather-logs", &ran) && !runs_after("teardown", &ran));
    }
}

#[test]
fn a_launch_that_was_tried_is_gathered_and_torn_down_by_the_next_steps() {
    let ran = first_step(Aws::Refuses, &[]);
    assert_ne!(ran.code, Some(0), "{}", ran.said);
    assert!(ran.calls > 0, "the tests above can fail");
    assert!(!ran.outputs["failure"].is_empty());
    assert!(runs_after("gather-logs", &ran) && runs_after("teardown", &ran));
    // They find the record where the first step has left it.
    let output = Step::of_the_chain("gather-logs").run(ran.dir.path(), &[]);
    assert_eq!(output.status.code(), Some(0));
    let record = fs::read_to_string(ran.dir.path().join("manifests-e2e/record.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let stages = record["stages"].as_array().unwrap();
    let stages: Vec<_> = stages.iter().map(|stage| stage["stage"].as_str()).collect();
    assert_eq!(stages, [Some("provision-ec2"), Some("gather-logs")]);
}

#[test]
fn the_limit_of_the_chain_ends_the_stage_that_runs_and_says_so() {
    let began = Instant::now();
    let ran = first_step(Aws::Hangs, &[("INPUT_TIMEOUT", "2s")]);
    assert_eq!(ran.code, Some(124), "{}", ran.said);
    assert!(began.elapsed() < Duration::from_secs(15));
    let failure = &ran.outputs["failure"];
    assert!(
        failure.starts_with("the limit of the whole chain, 2s, passed: "),
        "{failure}"
    );
    assert!(
        ran.said
            .contains("raise `timeout`, and the job's `timeout-minutes`"),
        "{}",
        ran.said
    );
    assert!(runs_after("teardown", &ran));
}
