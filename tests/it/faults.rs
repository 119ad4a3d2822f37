//! The table of faults and what proves each row; the tests here are those that no other file has.

mod rows;

use std::time::{Duration, Instant};

use serde_json::json;

use self::rows::all;
use crate::it::support::{
    Lane,
    aws::{self, Job, cloud, fault_of, left, volume},
    proof, sandbox,
};

#[test]
fn every_fault_has_its_proof_or_the_reason_why_not() {
    let mut missing = Vec::new();
    for row in all() {
        assert!(!row.expected.is_empty(), "{}", row.fault);
        if row.tests.is_empty() && row.unproven.is_empty() {
            missing.push(format!("{}: neither test nor reason", row.fault));
        }
        let broken = row.tests.iter().filter_map(|name| proof(name).err());
        missing.extend(broken.map(|why| format!("{}: {why}", row.fault)));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// A teardown of that run in a region that no other test looks at.
fn teardown(job: &Job, region: &str, limit: &str) -> aws::Step {
    let region = format!("--region={region}");
    job.step(&["teardown", "--scope=run", &region, limit])
}

#[test]
fn sandbox_an_api_in_trouble_is_asked_again_and_named_in_the_end() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let region = "sa-east-1";
    for (code, status, action) in [
        ("RequestLimitExceeded", 503, "DescribeVolumes"),
        ("Throttling", 400, "DescribeInstances"),
        ("InternalError", 500, "DescribeSecurityGroups"),
    ] {
        fault_of(
            json!({"action": action, "region": region, "code": code, "status": status, "times": 3}),
        );
    }
    let job = Job::new();
    teardown(&job, region, "--timeout=1m").exits(0);
    fault_of(
        json!({"action": "DescribeVolumes", "region": region, "code": "Unavailable", "status": 503, "times": 9}),
    );
    teardown(&job, region, "--timeout=1m").exits(0);
    // To the end of this job's teardown, and of no other.
    let ours = json!({"Filter.1.Value.1": job.tag()});
    fault_of(
        json!({"action": "DescribeVolumes", "region": region, "code": "Unavailable", "status": 503, "times": 99, "match": ours}),
    );
    teardown(&job, region, "--timeout=8s")
        .exits(3)
        .says("DescribeVolumes was refused in sa-east-1: Unavailable");
}

#[test]
fn sandbox_what_was_just_made_may_be_unknown_for_a_while() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let region = "ca-central-1";
    for (action, code) in [
        ("DescribeInstances", "InvalidInstanceID.NotFound"),
        ("AuthorizeSecurityGroupIngress", "InvalidGroup.NotFound"),
        ("RunInstances", "InvalidGroup.NotFound"),
        (
            "ModifyInstanceMetadataOptions",
            "InvalidInstanceID.NotFound",
        ),
    ] {
        fault_of(
            json!({"action": action, "region": region, "code": code, "status": 400, "times": 2}),
        );
    }
    let job = Job::new().with("AWS_REGION", region);
    job.step(&["provision-ec2"]).exits(0);
    assert!(!job.summary().contains("cost"), "no price is known there");
    job.step(&["teardown"]).exits(0).says("proven gone");
}

#[test]
fn sandbox_an_api_that_is_frozen_for_more_than_a_minute_costs_a_launch_that_minute() {
    let Some(_turn) = sandbox(Lane::Waits) else {
        return;
    };
    // A region where no other test counts instances.
    let region = "ap-south-2";
    fault_of(json!({"action": "AuthorizeSecurityGroupIngress", "region": region, "delay": 63}));
    let job = Job::new().with("AWS_REGION", region);
    let began = Instant::now();
    job.step(&["provision-ec2", "--timeout=3m"]).exits(0);
    assert!(began.elapsed() > Duration::from_mins(1), "it was not met");
    job.step(&["teardown"]).exits(0).says("proven gone");
}

#[test]
fn sandbox_a_record_that_is_broken_old_or_ahead_hides_nothing() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let ahead = json!({
        "version": 1,
        "run": {"id": "7-1", "job": "e2e", "attempt": 1, "repository": "o/r", "url": null, "actor": null},
        "launch": {"provider": "ec2", "region": "us-east-1", "nonce": "0"},
        "steps": [{"name": "CreateSecurityGroup", "at": "2026-11-21T12:00:00Z", "intent": {"name": "none"}}],
        "stages": [{"stage": "provision-ec2", "started": "2026-11-21T12:00:00Z"}],
    });
    let old = json!({"version": 0, "steps": "of another layout"});
    for (text, aside) in [("{", 1), (&old.to_string(), 1), (&ahead.to_string(), 0)] {
        let job = Job::new();
        let state = job.path("manifests-e2e");
        std::fs::create_dir(&state).expect("a state directory can be made");
        let text = text.replace("7-1", &job.tag());
        std::fs::write(state.join("record.json"), text).expect("a record can be written");
        let lost = volume(&job.tag());
        teardown(&job, "us-east-1", "--timeout=1m")
            .exits(0)
            .says(&lost);
        assert_eq!(left(&job.tag()), Vec::<String>::new());
        let kept = std::fs::read_dir(state).expect("it is there");
        let kept = kept
            .filter_map(|file| file.ok()?.file_name().into_string().ok())
            .filter(|name| name.starts_with("record-"));
        assert_eq!(kept.count(), aside);
        // Once more, with nothing there but the record of what was done.
        teardown(&job, "us-east-1", "--timeout=1m").exits(0);
    }
}

#[test]
fn sandbox_a_group_in_use_is_asked_again_and_in_the_end_told() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let job = Job::new();
    // The record knows why the group has no instance: none is waited for.
    job.has_launched(&json!({}), &json!([]));
    let tags = json!([{"Key": "manifests-e2e/run", "Value": job.tag()}, {"Key": "manifests-e2e/job", "Value": "e2e"}]);
    let group = cloud(
        "create_security_group",
        json!({"GroupName": job.tag(), "Description": "in use", "TagSpecifications": [{"ResourceType": "security-group", "Tags": tags}]}),
    );
    let group = group["GroupId"].as_str().expect("a group has an id");
    let in_use = |times: u32| {
        fault_of(
            json!({"action": "DeleteSecurityGroup", "code": "DependencyViolation", "status": 400, "times": times, "match": {"GroupId": group}}),
        );
    };
    in_use(9);
    teardown(&job, "us-east-1", "--timeout=15s")
        .exits(4)
        .says(group);
    assert_eq!(job.output("leftovers").as_deref(), Some(group));
    // What is left of those refusals is still there.
    teardown(&job, "us-east-1", "--timeout=1m").exits(0);
    assert_eq!(left(&job.tag()), Vec::<String>::new());
}

/// An instance with the tag of a run, as another launched it.
fn instance(tag: &str, region: &str) -> String {
    let tags = json!([{"Key": "manifests-e2e/run", "Value": tag}]);
    let owner = json!({"Region": region, "Owners": ["099720109477"]});
    let images = cloud("describe_images", owner);
    let made = cloud(
        "run_instances",
        json!({"Region": region, "ImageId": images["Images"][0]["ImageId"], "MinCount": 1, "MaxCount": 1,
               "TagSpecifications": [{"ResourceType": "instance", "Tags": tags}]}),
    );
    let id = made["Instances"][0]["InstanceId"].as_str();
    id.expect("an instance has an id").to_owned()
}

#[test]
fn sandbox_what_may_be_seen_is_ended_though_others_may_not() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    // A region that no other test looks at.
    let region = "eu-west-2";
    let job = Job::new();
    let id = instance(&job.tag(), region);
    fault_of(
        json!({"action": "DescribeVolumes", "region": region, "code": "UnauthorizedOperation", "status": 403, "times": 1}),
    );
    teardown(&job, region, "--timeout=1m")
        .exits(3)
        .says("DescribeVolumes");
    let filters = json!({"Region": region, "InstanceIds": [id]});
    let told = cloud("describe_instances", filters);
    let state = &told["Reservations"][0]["Instances"][0]["State"]["Name"];
    assert_eq!(state, "terminated");
    teardown(&job, region, "--timeout=1m").exits(0);
}

#[test]
fn sandbox_what_may_not_be_ended_is_told_by_its_id() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let job = Job::new();
    let id = &instance(&job.tag(), "us-east-1");
    fault_of(
        json!({"action": "TerminateInstances", "code": "OperationNotPermitted", "status": 400, "times": 1, "match": {"InstanceId.1": id}}),
    );
    let lost = volume(&job.tag());
    teardown(&job, "us-east-1", "--timeout=1m")
        .exits(4)
        .says(&format!("instance {id}"))
        .says("OperationNotPermitted");
    assert_eq!(job.output("leftovers").as_ref(), Some(id));
    let there = left(&job.tag());
    assert!(
        !there.iter().any(|one| one.contains(&lost)),
        "what may be ended is: {there:?}"
    );
    teardown(&job, "us-east-1", "--timeout=1m").exits(0);
    assert_eq!(left(&job.tag()), Vec::<String>::new());
}
