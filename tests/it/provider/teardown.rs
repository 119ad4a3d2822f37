//! `teardown` against the sandbox's cloud: by tags alone, from anywhere, as often as one likes.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::it::support::{
    Lane,
    aws::{
        Job, calls, cloud, eventually, fault, fault_of, left, living, signal, volume, volume_of,
    },
    sandbox,
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
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    // Killed with the answer just on disk.
    let job = Job::new();
    let mut child = job.start(&["provision-ec2"]);
    eventually("the launch", Duration::from_mins(1), || {
        let record = job.record();
        let steps = record["steps"].as_array()?;
        let step = steps.iter().find(|step| step["name"] == "RunInstances")?;
        (!step["result"].is_null()).then_some(())
    });
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    Job::of(&job.run, "e2e").step(&["teardown"]).exits(0);
    assert_eq!(left(&job.tag()), Vec::<String>::new());
}

/// A job that was killed with the request for its instance on its way: there is one only 6 s later.
fn killed_on_its_way(words: &[&str]) -> Job {
    let job = Job::new();
    fault(
        json!({"action": "RunInstances", "delay": 6, "match": {}}),
        &job.tag(),
    );
    let mut child = job.start(&[&["provision-ec2"], words].concat());
    // It is on its way once the cloud holds it back.
    eventually("the request", Duration::from_mins(1), || {
        requested(&job).then_some(())
    });
    signal(&child, Signal::KILL);
    child.wait().expect("a child can be waited for");
    job
}

#[test]
fn sandbox_a_launch_that_shows_up_late_is_ended_by_its_record_and_by_its_group() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    std::thread::scope(|both| {
        both.spawn(|| {
            // In a group of somebody else: only the record tells of it.
            let name = format!("theirs-{}", rand::random::<u32>());
            let theirs = json!({"GroupName": name, "Description": "somebody else's"});
            let group = cloud("create_security_group", theirs)["GroupId"].clone();
            let id = group.as_str().unwrap();
            let job = killed_on_its_way(&[&format!("--security-group-id={id}")]);
            job.step(&["teardown"]).exits(0).says("found instance");
            assert_eq!(left(&job.tag()), Vec::<String>::new());
            cloud("delete_security_group", json!({"GroupId": group}));
        });
        both.spawn(|| {
            let job = killed_on_its_way(&[]);
            // As where EC2 has the instance, but does not list it: what holds the group is not to be seen.
            let group = &job.record()["launch"]["security_group_id"];
            fault_of(
                json!({"action": "DeleteSecurityGroup", "code": "DependencyViolation", "status": 400, "times": 5, "match": {"GroupId": group}}),
            );
            let elsewhere = Job::of(&job.run, "e2e");
            elsewhere
                .step(&["teardown", "--region=us-east-1"])
                .exits(0)
                .says("found instance");
            assert_eq!(left(&job.tag()), Vec::<String>::new());
        });
    });
}

/// Whether the cloud has seen the token that is in the record.
fn requested(job: &Job) -> bool {
    let record = job.record();
    let steps = record["steps"].as_array().cloned().unwrap_or_default();
    let token = steps
        .iter()
        .find_map(|step| step["intent"]["token"].as_str());
    token.is_some_and(|token| calls().contains(token))
}

#[test]
fn sandbox_scope_job_leaves_siblings_alone_and_never_reports_about_the_wrong_job() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let one = Job::new();
    one.step(&["provision-ec2"]).exits(0);
    // The other leg of a called workflow has the same id of the job, and its matrix is as empty.
    let other = Job::of(&one.run, "e2e").with("RUNNER_TRACKING_ID", "github_other");
    other
        .step(&["teardown", "--region=us-east-1"])
        .exits(4)
        .says("other jobs of the run")
        .says("of job e2e-")
        .says("job-key")
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
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let job = Job::new().with("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    job.step(&["teardown", "--region=us-east-1", "--timeout=6s"])
        .exits(3)
        .says("got no answer");
}

#[test]
fn sandbox_one_region_is_no_proof_where_the_others_may_not_be_listed() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let job = Job::new().with("AWS_REGION", "eu-south-1");
    volume(&job.tag());
    // Denied to this test alone.
    fault_of(
        json!({"action": "DescribeRegions", "region": "eu-south-1", "code": "UnauthorizedOperation", "status": 403}),
    );
    let words = ["teardown", "--scope=run"];
    job.step(&words)
        .exits(3)
        .says("nothing is there in eu-south-1, and no other region may be searched")
        .says("set `region`");
    job.step(&words).exits(0).says("proven gone");
    assert_eq!(left(&job.tag()), Vec::<String>::new());
}

#[test]
fn sandbox_what_is_found_first_ends_while_other_regions_are_searched() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let job = Job::new().with("AWS_REGION", "us-east-1");
    volume(&job.tag());
    fault_of(json!({"action": "DescribeInstances", "region": "eu-west-3", "delay": 15}));
    let mut child = job.start(&["teardown", "--scope=run"]);
    eventually("its end", Duration::from_secs(10), || {
        left(&job.tag()).is_empty().then_some(())
    });
    assert!(child.try_wait().unwrap().is_none(), "it still searches");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_names_the_job_reaches_its_record() {
    let job = |vars: &[(&str, &str)], words: &[&str]| {
        let start = Job::of("1", "chain");
        let job = vars
            .iter()
            .fold(start, |job, (name, value)| job.with(name, value));
        // Whether there is a Docker here or not, the record is begun.
        job.step(&[&["provision-ec2", "--provider=local"], words].concat());
        job.record()["run"]["job"].as_str().map(str::to_owned)
    };
    let named = Some("k8s-1-34".to_owned());
    assert_eq!(job(&[], &["--job-key=k8s-1-34"]), named);
    assert_eq!(job(&[("INPUT_JOB_KEY", "k8s-1-34")], &[]), named);
    let legs = ["1", "2"].map(|id| job(&[("JOB_CHECK_RUN_ID", id)], &[]));
    assert!(legs[0].is_some() && legs[0] != legs[1], "{legs:?}");
}

#[test]
fn sandbox_the_second_job_of_each_leg_ends_what_is_left_of_its_own_leg_alone() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let run = Job::new().run;
    let (tag, keys) = (format!("7-{run}"), ["k8s-1-34", "k8s-1-35"]);
    let volumes = keys.map(|key| format!("{:?}", volume_of(&tag, key)));
    let teardown = |leg: usize| {
        // Of one called workflow, so of one id, each on a runner of its own.
        let job =
            Job::of(&run, "teardown").with("RUNNER_TRACKING_ID", ["github_a", "github_b"][leg]);
        let key = format!("--job-key={}", keys[leg]);
        job.step(&["teardown", &key, "--region=us-east-1"]).exits(0)
    };
    teardown(0).says("proven gone");
    assert_eq!(left(&tag), [volumes[1].clone()]);
    // Once more: the other leg still runs, which is no fault of this one.
    teardown(0)
        .says("other jobs of the run")
        .says("of job k8s-1-35");
    assert_eq!(left(&tag), [volumes[1].clone()]);
    teardown(1).says("proven gone");
    assert_eq!(left(&tag), Vec::<String>::new());
}
