//! `teardown` against the sandbox's cloud: by tags alone, from anywhere, as often as one likes.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::{
    aws::{Job, eventually, fault, left, living, signal},
    support::sandbox,
};

#[test]
fn nothing_says_which_run_is_refused() {
    let job = Job::new().with("GITHUB_RUN_ID", "");
    job.step(&["teardown"])
        .exits(2)
        .says("nothing says which run")
        .says("run-id");
    // The first teardown leaves a record, which says nothing either.
    job.step(&["teardown"]).exits(2);
}

#[test]
fn sandbox_a_launch_that_was_killed_is_found_from_an_empty_directory() {
    if !sandbox() {
        return;
    }
    // Killed with the request on its way, and with the answer just on disk.
    for answered in [false, true] {
        let job = Job::new();
        if !answered {
            fault(
                json!({"action": "RunInstances", "delay": 2, "times": 1, "match": {}}),
                &job.tag(),
            );
        }
        let mut child = job.start(&["provision-ec2"]);
        eventually("the launch", Duration::from_mins(1), || {
            let record = job.record();
            let steps = record["steps"].as_array()?;
            let step = steps.iter().find(|step| step["name"] == "RunInstances")?;
            (!answered || !step["result"].is_null()).then_some(())
        });
        if !answered {
            // The request is on its way once the cloud holds it back.
            eventually("the request", Duration::from_secs(30), || {
                requested(&job).then_some(())
            });
        }
        signal(&child, Signal::KILL);
        child.wait().unwrap();
        Job::of(&job.run, "e2e").step(&["teardown"]).exits(0);
        assert_eq!(
            left(&job.tag()),
            Vec::<String>::new(),
            "answered: {answered}"
        );
    }
}

/// Whether the cloud has seen the token that is in the record.
fn requested(job: &Job) -> bool {
    let record = job.record();
    let steps = record["steps"].as_array().cloned().unwrap_or_default();
    let token = steps
        .iter()
        .find_map(|step| step["intent"]["token"].as_str());
    token.is_some_and(|token| super::aws::calls().contains(token))
}

#[test]
fn sandbox_scope_job_leaves_siblings_alone_and_never_reports_about_the_wrong_job() {
    if !sandbox() {
        return;
    }
    let one = Job::new();
    one.step(&["provision-ec2"]).exits(0);
    let other = Job::of(&one.run, "other");
    other
        .step(&["teardown", "--region=us-east-1"])
        .exits(4)
        .says("other jobs of the run")
        .says("scope: run");
    other.step(&["teardown", "--region=us-east-1"]).exits(4);
    assert_eq!(living(&one.tag()).len(), 1);
    assert!(
        other
            .output("leftovers")
            .is_some_and(|left| left.contains("i-"))
    );
    let run_id = [
        "teardown",
        "--scope=run",
        "--run-id",
        &one.run,
        "--region=us-east-1",
    ];
    Job::of("1", "cleaner")
        .step(&run_id)
        .exits(0)
        .says("proven gone");
    assert_eq!(left(&one.tag()), Vec::<String>::new());
}

#[test]
fn sandbox_an_answer_that_cannot_be_trusted_is_no_proof() {
    if !sandbox() {
        return;
    }
    let job = Job::new().with("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    job.step(&["teardown", "--region=us-east-1", "--timeout=20s"])
        .exits(3)
        .says("got no answer");
}
