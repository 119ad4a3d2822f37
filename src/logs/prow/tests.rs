//! Where a build lies and what its files hold, as Prow's and `TestGrid`'s own types have read them.

use serde_json::{Value, json};

use super::*;
use crate::{
    logs::{
        diagnose,
        render::{Material, Report},
        snapshot::{Object, Snapshot},
    },
    record::{StageRecord, Store},
};

const BASE: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const HEAD: &str = "cccccccccccccccccccccccccccccccccccccccc";

/// A job of a workflow with that event, and the record of its stages.
fn build(event: &str, payload: &Value, more: &[(&str, &str)], job: Option<&str>) -> Build {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("event.json");
    std::fs::write(&path, payload.to_string()).unwrap();
    let mut vars = vec![
        ("GITHUB_EVENT_NAME", event),
        ("GITHUB_EVENT_PATH", path.to_str().unwrap()),
        ("GITHUB_REPOSITORY", "o/r"),
        ("GITHUB_RUN_ID", "12"),
        ("GITHUB_RUN_ATTEMPT", "2"),
        ("GITHUB_JOB", "e2e"),
        ("GITHUB_SHA", HEAD),
        ("GITHUB_REF_NAME", "main"),
    ];
    vars.extend(more);
    let env = Environment::of(vars);
    let run = crate::run::Run::of_workflow(&env, None);
    let store = Store::open_in(dir.path().join("state"), run).unwrap();
    Build::of(&env, store.record(), job)
}

fn pull() -> Value {
    json!({"repository": {"full_name": "o/r"}, "pull_request": {"number": 7, "title": "T", "user": {"login": "u"},
        "base": {"ref": "main", "sha": BASE}, "head": {"ref": "x", "sha": HEAD}}})
}

fn push() -> Value {
    json!({"repository": {"full_name": "o/r", "default_branch": "main"}, "ref": "refs/heads/main", "before": BASE, "after": HEAD})
}

fn group() -> Value {
    json!({"repository": {"full_name": "o/r"}, "merge_group": {"head_sha": HEAD, "head_ref": "refs/heads/gh-readonly-queue/main/pr-7-abc",
        "base_sha": BASE, "base_ref": "refs/heads/main"}})
}

/// Stages that ended so, at fixed times.
fn record(stages: &[(&str, u8, &str)]) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open_in(dir.path().to_owned(), None).unwrap();
    let at = |second: i64| jiff::Timestamp::from_second(1_787_392_800 + second).unwrap();
    store
        .update(|record| {
            for ((stage, exit, cause), n) in stages.iter().zip(0..) {
                record.stages.push(StageRecord {
                    stage: (*stage).to_owned(),
                    started: at(n * 60),
                    ended: Some(at(n * 60 + 50)),
                    exit: Some(*exit),
                    cause: (*cause).to_owned(),
                    about: Vec::new(),
                });
            }
        })
        .unwrap();
    (dir, store)
}

fn report(record: &Record, cancelled: bool) -> Report {
    Report::of(Material {
        record,
        snapshot: None,
        unreachable: None,
        unlisted: None,
        findings: &[],
        gaps: &[],
        deploy: None,
        notebooks: Vec::new(),
        pods: Vec::new(),
        earlier: None,
        bundle: "b.zip",
        cancelled,
        now: jiff::Timestamp::UNIX_EPOCH,
    })
}

#[test]
fn a_build_lies_where_prow_and_kubeflow_put_it() {
    let prow = |build: &Build| build.directory(Layout::Prow);
    let kubeflow = |build: &Build| build.directory(Layout::Kubeflow);
    let presubmit = build("pull_request", &pull(), &[], None);
    let at = "pr-logs/pull/o_r/7/o-r-e2e/1202";
    assert_eq!(
        (prow(&presubmit), kubeflow(&presubmit)),
        (at.into(), at.into())
    );
    assert_eq!(
        presubmit.pointers(Layout::Prow, "s3://b/p"),
        [
            (
                "pr-logs/directory/o-r-e2e/1202.txt",
                "s3://b/p/pr-logs/pull/o_r/7/o-r-e2e/1202"
            ),
            ("pr-logs/directory/o-r-e2e/latest-build.txt", "1202"),
            ("pr-logs/pull/o_r/7/o-r-e2e/latest-build.txt", "1202"),
        ]
        .map(|(key, text)| (key.to_owned(), text.to_owned()))
    );
    assert_eq!(presubmit.note(), "last-passed/o_r/o-r-e2e/pull.txt");
    let postsubmit = build("push", &push(), &[], None);
    assert_eq!(postsubmit.note(), "last-passed/o_r/o-r-e2e/branch.txt");
    assert_eq!(prow(&postsubmit), "logs/o-r-e2e/1202");
    assert_eq!(kubeflow(&postsubmit), "logs/o_r/o-r-e2e/1202");
    let batch = build("merge_group", &group(), &[], None);
    assert_eq!(prow(&batch), "pr-logs/pull/batch/o-r-e2e/1202");
    let periodic = build(
        "schedule",
        &json!({"schedule": "0 0 * * *"}),
        &[],
        Some("nightly"),
    );
    assert_eq!(kubeflow(&periodic), "logs/nightly/1202");
    // An event that says nothing of a test is no reason to lose the results.
    let odd = build("release", &json!({}), &[], None);
    assert_eq!(prow(&odd), "logs/o-r-e2e/1202");
}

#[test]
fn no_two_jobs_and_no_two_executions_share_a_directory() {
    let of = |more: &[(&str, &str)]| build("push", &push(), more, None).directory(Layout::Prow);
    assert_eq!(
        of(&[("MATRIX", r#"{"kubernetes":"1.35"}"#)]),
        "logs/o-r-e2e-1.35/1202"
    );
    let (slash, dash) = (
        of(&[("MATRIX", r#"{"a":"x/y"}"#)]),
        of(&[("MATRIX", r#"{"a":"x-y"}"#)]),
    );
    assert_ne!(slash, dash);
    // Legs of a matrix that calls a reusable workflow see no matrix; the number of their check run tells them apart.
    assert_eq!(of(&[("JOB_CHECK_RUN_ID", "5501")]), "logs/o-r-e2e/5501");
    let hostile = build("push", &push(), &[], Some("../../x y"));
    assert_eq!(hostile.directory(Layout::Prow), "logs/x-y/1202");
}

#[test]
fn the_files_are_those_that_deck_reads() {
    let build = build("pull_request", &pull(), &[], None);
    let (_dir, store) = record(&[
        ("provision-ec2", 0, ""),
        ("deploy-manifests", 1, "Deployment n/web: no such image"),
    ]);
    let now = jiff::Timestamp::from_second(1_787_394_600).unwrap();
    let refs = format!("main:{BASE},7:{HEAD}");
    assert_eq!(
        build.started(store.record()),
        json!({"timestamp": 1_787_392_800, "pull": "7", "repo-commit": HEAD, "repos": {"o/r": refs}})
    );
    let report = report(store.record(), false);
    let url = "https://github.com/o/r/actions/runs/12";
    assert_eq!(
        build.finished(&report, now),
        json!({"timestamp": 1_787_394_600, "passed": false, "result": "FAILURE", "revision": HEAD, "metadata": {
            "repo": "o/r", "repos": {"o/r": refs}, "gha-run": url,
            "root-cause": "deploy-manifests: Deployment n/web: no such image"}})
    );
    let job = build.prowjob(store.record(), Some((&report, now)));
    assert_eq!(
        job["status"],
        json!({"state": "failure", "description": "deploy-manifests: Deployment n/web: no such image", "build_id": "1202", "url": url,
            "startTime": "2026-08-22T10:00:00Z", "completionTime": "2026-08-22T10:30:00Z"})
    );
    assert_eq!(
        job["spec"],
        json!({"agent": "github-actions", "type": "presubmit", "job": "o-r-e2e", "refs": {"org": "o", "repo": "r", "base_ref": "main",
            "base_sha": BASE, "pulls": [{"number": 7, "author": "u", "sha": HEAD, "title": "T", "head_ref": "x"}]}})
    );
    let begun = build.prowjob(store.record(), None);
    assert_eq!(begun["status"]["state"], "pending");
    assert!(begun["status"].get("completionTime").is_none());
}

#[test]
fn what_proves_nothing_is_an_error_and_no_failure() {
    let build = build("push", &push(), &[], None);
    for (exit, cancelled, expected) in [
        (0, false, "SUCCESS"),
        (1, false, "FAILURE"),
        (3, false, "ERROR"),
        (101, false, "ERROR"),
        (130, false, "ABORTED"),
        (0, true, "ABORTED"),
    ] {
        let (_dir, store) = record(&[("deploy-manifests", exit, "c")]);
        let report = report(store.record(), cancelled);
        let finished = build.finished(&report, jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(finished["result"], expected, "{exit} {cancelled}");
        assert_eq!(finished["passed"], expected == "SUCCESS");
    }
}

#[test]
fn the_pod_of_the_first_cause_is_decks_hint() {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-1a2b-x", "namespace": "n",
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web-1a2b", "controller": true}]},
        "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "x:1"}]},
        "status": {"phase": "Pending", "containerStatuses": [{"name": "c", "restartCount": 0,
            "state": {"waiting": {"reason": "ErrImagePull", "message": "manifest unknown"}}}]}});
    let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "n"}, "reason": "Failed",
        "involvedObject": {"kind": "Pod", "name": "web-1a2b-x", "namespace": "n"}, "lastTimestamp": "2026-01-01T00:00:00Z"});
    let node =
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": {}});
    let mut snapshot = Snapshot::empty("c");
    snapshot.objects = [&pod, &event, &node]
        .map(|value| Object::of(value.clone()).unwrap())
        .into();
    let findings = diagnose::diagnose(&snapshot);
    let info = podinfo(&snapshot, &findings).expect("a pod explains it");
    assert_eq!(info, json!({"pod": pod, "events": [event], "node": node}));
    assert_eq!(podinfo(&snapshot, &[]), None);
}

#[test]
fn each_stage_is_a_case_and_each_object_that_was_waited_for() {
    let (_dir, store) = record(&[
        ("provision-ec2", 0, ""),
        ("install-kind", 3, "no\u{ffff} disk"),
        ("deploy-manifests", 1, "bad"),
    ]);
    let deploy = json!({"deployment": {"objects": [
        {"object": "ConfigMap n/c", "sent": 0, "accepted": 10, "ready": 10},
        {"object": "Deployment n/a", "sent": 0, "accepted": 10, "ready": 2010},
        {"object": "Deployment n/b", "sent": 0, "accepted": 10, "missing": "0 of 1 <replicas>"}]}});
    let xml = of_stages(store.record(), Some(&deploy));
    insta::assert_snapshot!(xml);
}
