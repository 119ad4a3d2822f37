mod page;

use serde_json::json;

use super::*;
use crate::{
    logs::{
        diagnose::{Class, Evidence, diagnose},
        snapshot::Object,
    },
    record::{Attempt, Launch, StageRecord, Store},
};

fn record(exits: &[(&str, Option<u8>, &str)]) -> Record {
    let dir = tempfile::tempdir().unwrap();
    let mut record = Store::open_in(dir.path().to_owned(), None)
        .unwrap()
        .record()
        .clone();
    record.run.id = "7-42".to_owned();
    let mut at: Timestamp = "2026-01-02T03:00:00Z".parse().unwrap();
    for (stage, exit, cause) in exits {
        let ended = at + jiff::SignedDuration::from_secs(60);
        record.stages.push(StageRecord {
            stage: (*stage).to_owned(),
            started: at,
            ended: exit.map(|_| ended),
            exit: *exit,
            cause: (*cause).to_owned(),
            about: Vec::new(),
        });
        at = ended;
    }
    record
}

fn material(record: &Record) -> Material<'_> {
    Material {
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
        cancelled: false,
        now: "2026-01-02T03:10:00Z".parse().unwrap(),
    }
}

fn report(record: &Record, snapshot: Option<&Snapshot>, findings: &[Finding]) -> Report {
    Report::of(Material {
        snapshot,
        findings,
        ..material(record)
    })
}

fn finding() -> Finding {
    let mut finding = Finding::new(
        Class::ImageNotFound,
        "Deployment n/web",
        "image <x> cannot be pulled: not found",
    );
    finding.evidence.push(Evidence {
        text: "<script>alert(1)</script>".into(),
        ..Evidence::default()
    });
    finding
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
    // A laptop's record goes on: what failed yesterday and was mended is no failure of today.
    let mut laptop = record(&[(test, bad, "no"), (test, good, "")]);
    laptop.run = crate::run::Run::random();
    assert_eq!(report(&laptop, None, &[]).verdict, "passed");
    laptop.stages.reverse();
    assert_eq!(report(&laptop, None, &[]).verdict, "failed");
}

#[test]
fn the_cause_is_what_the_stage_said_and_a_finding_explains_it_or_is_told_beside_it() {
    let unrelated = Finding::new(
        Class::NodeNotReady,
        "Deployment istio-system/x",
        "no node takes it",
    );
    let findings = [unrelated, finding()];
    let told = |stage: &str, exit: u8, cause: &str| {
        let report = report(&record(&[(stage, Some(exit), cause)]), None, &findings);
        assert_eq!(report.cause, format!("{stage}: {cause}"));
        assert!(
            report
                .markdown()
                .contains("Also seen:\n\n- **node not ready**")
        );
        (report.because.len(), report.also_seen.len())
    };
    let chain = "timed out after 45m: 47 objects wait ← webhook w ← Deployment n/web ← pod p: ImagePullBackOff";
    assert_eq!(told("deploy-manifests", 124, chain), (1, 1));
    let web = "nothing moved for 8m: Deployment n/web ← pod p: ImagePullBackOff";
    assert_eq!(told("deploy-manifests", 3, web), (1, 1));
    // Neither who waits for the cause nor who has a longer name.
    let other = "timed out after 45m: Deployment n/web waits ← Deployment n/web-db: starting";
    assert_eq!(told("deploy-manifests", 124, other), (0, 2));
    let test = "run-mnist-notebook-job";
    assert_eq!(told(test, 1, "cell 3 of 4: ZeroDivisionError"), (0, 2));
    assert_eq!(told(test, 2, "there is no service account nobody"), (0, 2));
    assert_eq!(told("provision-ec2", 3, "no capacity"), (0, 2));
}

#[test]
fn a_finding_about_what_a_stage_worked_on_explains_it_without_being_named() {
    let mut record = record(&[("run-mnist-notebook-job", Some(3), "no node takes the pod")]);
    record.stages[0].about = vec!["Deployment n/web".to_owned()];
    let report = report(&record, None, &[finding()]);
    assert_eq!(
        report.cause,
        "run-mnist-notebook-job: no node takes the pod"
    );
    assert_eq!(report.because, [finding()]);
    assert!(report.html().contains("because"));
    let markdown = report.markdown();
    assert!(markdown.contains("Because:\n\n- **image not found** Deployment n/web"));
    assert!(!markdown.contains("Also seen"), "{markdown}");
}

#[test]
fn what_passed_has_no_cause_whatever_was_found() {
    let passed = record(&[("deploy-manifests", Some(0), "")]);
    let report = report(&passed, None, &[finding()]);
    assert_eq!((report.verdict, report.cause.as_str()), ("passed", ""));
    assert_eq!(report.also_seen, [finding()]);
    let html = report.html();
    assert!(html.contains("<h1 class=\"cause\">Every stage passed.</h1>"));
    assert!(html.contains("<strong>Also seen</strong>"));
}

#[test]
fn a_cancelled_job_was_cancelled_and_no_finding_explains_that() {
    let told = |stages: &[_], cancelled| {
        let mut record = record(stages);
        for stage in &mut record.stages {
            stage.about = vec!["Deployment n/web".to_owned()];
        }
        let report = Report::of(Material {
            findings: &[finding()],
            cancelled,
            ..material(&record)
        });
        assert_eq!(report.because, []);
        (report.verdict, report.cause)
    };
    let test = "run-mnist-notebook-job";
    let cancelled = ("cancelled", format!("{test}: cancelled"));
    let by_signal = [(test, Some(130), "cancelled by a signal")];
    assert_eq!(told(&by_signal, false), cancelled);
    assert_eq!(told(&[(test, None, "")], true), cancelled);
    let between = told(&[(test, Some(0), "")], true);
    assert_eq!(between, ("cancelled", "the job was cancelled".to_owned()));
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
            .contains("**image not found** StatefulSet n/db")
    );
}

#[test]
fn a_passed_test_whose_pod_still_holds_the_results_is_ready() {
    let workloads = |code: u8, by: &str| {
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "status": {"active": 1}, "metadata": {
            "name": "t", "namespace": "n", "labels": {"app.kubernetes.io/managed-by": by}}});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "t-1", "namespace": "n",
            "ownerReferences": [{"kind": "Job", "name": "t", "controller": true}]},
            "spec": {"containers": [{"name": "test"}, {"name": "keeper"}]}, "status": {"phase": "Running", "containerStatuses": [
                {"name": "test", "state": {"terminated": {"exitCode": code}}}, {"name": "keeper", "state": {"running": {}}}]}});
        let mut snapshot = Snapshot::empty("x");
        let objects = [job, pod].map(|value| Object::of(value).unwrap());
        snapshot.objects.extend(objects);
        let report = report(&record(&[]), Some(&snapshot), &[]);
        (report.workloads.len(), report.workload_count)
    };
    assert_eq!(workloads(0, "manifests-e2e"), (0, 1));
    assert_eq!(workloads(1, "manifests-e2e"), (1, 1));
    assert_eq!(workloads(0, "somebody"), (1, 1));
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

#[test]
fn that_the_secrets_are_not_known_is_said_first() {
    let record = record(&[]);
    let report = Report::of(Material {
        unlisted: Some("403: secrets is forbidden"),
        ..material(&record)
    });
    assert!(report.markdown().starts_with(
        "> [!WARNING]\n> The cluster's Secrets could not be listed (403: secrets is forbidden)"
    ));
    let html = report.html();
    let (notice, verdict) = (
        html.find("could not be listed").unwrap(),
        html.find("no stage ran").unwrap(),
    );
    assert!(notice < verdict);
    assert!(
        report
            .json()
            .contains("\"unlisted\": \"403: secrets is forbidden\"")
    );
}
