use serde_json::json;

use super::*;
use crate::{
    logs::{
        diagnose::{Class, diagnose},
        snapshot::Object,
    },
    record::{Attempt, Launch, Store},
};

fn record(exits: &[(&str, Option<u8>, &str)]) -> Record {
    let dir = tempfile::tempdir().unwrap();
    let mut record = Store::open_in(dir.path().to_owned(), None)
        .unwrap()
        .record()
        .clone();
    let mut at: Timestamp = "2026-01-02T03:00:00Z".parse().unwrap();
    for (stage, exit, cause) in exits {
        let ended = at + jiff::SignedDuration::from_secs(60);
        record.stages.push(StageRecord {
            stage: (*stage).to_owned(),
            started: at,
            ended: exit.map(|_| ended),
            exit: *exit,
            cause: (*cause).to_owned(),
        });
        at = ended;
    }
    record
}

fn report(record: &Record, snapshot: Option<&Snapshot>, findings: &[Finding]) -> Report {
    Report::of(&Material {
        record,
        snapshot,
        unreachable: None,
        findings,
        gaps: &[],
        deploy: None,
        bundle: "b.zip",
        now: "2026-01-02T03:10:00Z".parse().unwrap(),
    })
}

fn finding() -> Finding {
    Finding {
        class: Class::ImagePull,
        affects: vec!["Deployment n/web".into()],
        cause: "image <x> cannot be pulled: not found".into(),
        evidence: vec!["<script>alert(1)</script>".into()],
    }
}

#[test]
fn a_host_that_came_at_the_second_try_is_no_failure() {
    let told = |stages: &[_]| report(&record(stages), None, &[]).verdict;
    let (bad, good) = (Some(3), Some(0));
    assert_eq!(
        told(&[("provision-ec2", bad, "no"), ("provision-ec2", good, "")]),
        "passed"
    );
    let test = "run-mnist-notebook-job";
    assert_eq!(told(&[(test, bad, "no"), (test, good, "")]), "failed");
}

#[test]
fn the_cause_is_what_the_cluster_shows_of_the_stage_that_failed() {
    let deploy = record(&[
        ("install-kind", Some(0), ""),
        ("deploy-manifests", Some(124), "timed out after 45m"),
    ]);
    let told = report(&deploy, None, &[finding()]);
    assert_eq!(
        (told.verdict, told.cause.as_str()),
        (
            "failed",
            "deploy-manifests: Deployment n/web: image <x> cannot be pulled: not found"
        )
    );
    assert_eq!(
        report(&deploy, None, &[]).cause,
        "deploy-manifests: timed out after 45m"
    );
    let early = record(&[("provision-ec2", Some(3), "no capacity")]);
    assert_eq!(
        report(&early, None, &[finding()]).cause,
        "provision-ec2: no capacity"
    );
}

#[test]
fn a_stage_that_was_killed_is_no_pass() {
    let killed = record(&[("provision-ec2", Some(0), ""), ("install-kind", None, "")]);
    assert_eq!(report(&killed, None, &[]).verdict, "cut short");
    assert_eq!(report(&record(&[]), None, &[]).verdict, "unknown");
    let passed = record(&[("deploy-manifests", Some(0), "")]);
    assert_eq!(
        (
            report(&passed, None, &[]).verdict,
            report(&passed, None, &[]).cause.as_str()
        ),
        ("passed", "")
    );
}

#[test]
fn the_page_needs_nothing_else_and_runs_nothing() {
    let failed = record(&[("deploy-manifests", Some(1), "<b>bold</b>")]);
    let mut snapshot = Snapshot::empty("kind-<x>");
    snapshot.objects.extend(Object::of(json!({"apiVersion": "v1", "kind": "Event", "type": "Warning",
        "metadata": {"name": "e"}, "message": "<img src=x onerror=alert(1)>", "involvedObject": {"kind": "Pod", "name": "p"}})));
    let html = report(&failed, Some(&snapshot), &[finding()]).html();
    for forbidden in [
        "<script", "<img", "<b>bold", "http://", "https://", "<link", "@import", "<iframe", "href=",
    ] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    assert!(html.contains("&#60;script&#62;alert(1)"));
}

#[test]
fn stages_share_one_axis() {
    let two = record(&[
        ("provision-ec2", Some(0), ""),
        ("install-kind", Some(0), ""),
    ]);
    let rows = report(&two, None, &[]).stages;
    assert_eq!(
        (rows[0].from, rows[0].width, rows[1].from, rows[1].width),
        (0, 50, 50, 50)
    );
    assert_eq!(rows[0].took, "1m");
}

#[test]
fn a_workload_without_its_pods_is_listed_with_their_reasons() {
    let mut snapshot = Snapshot::empty("x");
    let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "n"}, "spec": {"replicas": 2}, "status": {"readyReplicas": 1}});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "db-0", "namespace": "n", "ownerReferences": [{"kind": "StatefulSet", "name": "db", "controller": true}]},
        "spec": {"containers": [{"name": "c", "image": "i"}]}, "status": {"phase": "Pending", "containerStatuses": [{"name": "c", "restartCount": 0, "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}]}});
    snapshot
        .objects
        .extend([set, pod].map(|value| Object::of(value).unwrap()));
    let report = report(&record(&[]), Some(&snapshot), &diagnose(&snapshot));
    assert_eq!(report.workload_count, 1);
    assert_eq!(report.workloads[0].ready, "1/2");
    assert_eq!(
        report.workloads[0].pods,
        [("db-0".to_owned(), "Pending, c: ErrImagePull".to_owned())]
    );
    assert_eq!(
        report.cause,
        "StatefulSet n/db: image i cannot be pulled: not found"
    );
    assert!(
        report
            .markdown()
            .contains("**image pull** StatefulSet n/db")
    );
}

#[test]
fn every_request_for_an_instance_is_in_the_report() {
    let mut record = record(&[("provision-ec2", Some(3), "no capacity")]);
    let attempt = Attempt {
        instance_type: "m7i.2xlarge".to_owned(),
        zone: "us-east-1a".to_owned(),
        market: "spot".to_owned(),
        round: 1,
        answer: "InsufficientInstanceCapacity".to_owned(),
        seconds: 0.4,
    };
    record.launch = Some(Launch {
        provider: "ec2".to_owned(),
        region: None,
        nonce: None,
        instance_id: None,
        security_group_id: None,
        expires_at: None,
        attempts: vec![attempt],
    });
    let report = report(&record, None, &[]);
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!(
        json["attempts"],
        json!([{"instance_type": "m7i.2xlarge", "zone": "us-east-1a", "market": "spot", "round": 1,
                "answer": "InsufficientInstanceCapacity", "seconds": 0.4}])
    );
    assert!(report.html().contains("InsufficientInstanceCapacity"));
}
