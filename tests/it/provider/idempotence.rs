//! One launch is one instance, whatever becomes of the answers; and whoever ends it may do so at any time.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::it::support::{
    Lane,
    aws::{Job, at_once, cloud, eventually, fault, left, living, signal},
    sandbox, within,
};

/// A job that was killed with its instance launched and the answer unheard.
fn killed_before_the_answer() -> (Job, String) {
    let job = Job::new();
    // The first answer is lost, and the next one does not come for a while.
    let lost = json!({"action": "RunInstances", "drop": true, "match": {}});
    fault(lost, &job.tag());
    fault(
        json!({"action": "RunInstances", "delay": 8, "match": {}}),
        &job.tag(),
    );
    let mut child = job.start(&["provision-ec2"]);
    let id = eventually("the instance", Duration::from_mins(1), || {
        let living = living(&job.tag());
        let one = living.first()?;
        // It boots once it has the address of its machine.
        let booted = one["PublicIpAddress"].as_str()?.starts_with("10.99.");
        booted.then(|| one["InstanceId"].as_str().map(str::to_owned))?
    });
    signal(&child, Signal::KILL);
    child.wait().expect("a child can be waited for");
    assert_eq!(job.record()["launch"]["instance_id"], Value::Null);
    (job, id)
}

fn answer(job: &Job) -> String {
    let attempts = job.record()["launch"]["attempts"].clone();
    let last = attempts.as_array().and_then(|all| all.last().cloned());
    last.unwrap_or_default()["answer"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn sandbox_a_launch_whose_answer_was_not_heard_is_taken_over_by_the_next() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let (job, id) = killed_before_the_answer();
    job.step(&["provision-ec2"]).exits(0);
    assert_eq!(job.output("instance-id"), Some(id.clone()));
    assert_eq!(living(&job.tag()).len(), 1);
    assert_eq!(answer(&job), format!("launched {id}"));
    job.ends_clean();
}

#[test]
fn sandbox_a_token_that_was_used_for_other_inputs_leads_to_what_was_launched() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let (job, id) = killed_before_the_answer();
    // Another disk is another request: EC2 answers IdempotentParameterMismatch.
    job.step(&["provision-ec2", "--disk-gib=100"])
        .exits(0)
        .says("adopted");
    assert_eq!(job.output("instance-id"), Some(id.clone()));
    assert_eq!(living(&job.tag()).len(), 1);
    assert_eq!(answer(&job), format!("adopted {id}"));
    job.ends_clean();
}

#[test]
fn sandbox_the_token_of_an_instance_that_is_no_more_is_not_used_again() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    // EC2 answers with the instance that is no more, or with an error.
    at_once([false, true], |refused| {
        let (job, id) = killed_before_the_answer();
        cloud("terminate_instances", json!({"InstanceIds": [id]}));
        if refused {
            let spent = json!({"action": "RunInstances", "code": "IdempotentInstanceTerminated", "status": 400, "match": {}});
            fault(spent, &job.tag());
        }
        job.step(&["provision-ec2"]).exits(0);
        let launched = job.output("instance-id");
        assert!(launched.is_some() && launched != Some(id), "{launched:?}");
        assert_eq!(living(&job.tag()).len(), 1);
        job.ends_clean();
    });
}

#[test]
fn sandbox_what_is_not_wanted_any_more_but_was_launched_is_not_forgotten() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let (job, id) = killed_before_the_answer();
    job.step(&["provision-ec2", "--instance-types=m5.4xlarge"])
        .exits(2)
        .says(&id)
        .says("teardown");
    job.ends_clean();
}

#[test]
fn sandbox_a_teardown_while_the_instance_is_pending_ends_it_and_the_launch() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let job = Job::new();
    let pending = json!({"action": "RunInstances", "dies": {"code": "Server.InternalError", "after": 60}, "match": {}});
    fault(pending, &job.tag());
    let mut child = job.start(&["provision-ec2"]);
    eventually("the launch", Duration::from_secs(30), || {
        job.record()["launch"]["instance_id"].as_str().map(drop)
    });
    Job::of(&job.run, "e2e")
        .step(&["teardown", "--region=us-east-1"])
        .exits(0)
        .says("proven gone");
    let ended = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(
        ended.elapsed() < within(Duration::from_secs(15)),
        "{:?}",
        ended.elapsed()
    );
    assert!(
        answer(&job).contains("ended: Client.UserInitiatedShutdown"),
        "what somebody ended on purpose does not come back: {}",
        answer(&job)
    );
    assert_eq!(left(&job.tag()), Vec::<String>::new());
}
