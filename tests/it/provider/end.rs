//! The layers that end a host, each alone: the unwinding of a launch, the host's own timer, a moved end.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::it::support::{
    Lane,
    aws::{Job, at_once, cloud, eventually, fault_of, left, living, signal, tag_of},
    sandbox, within,
};

/// Waits for the instance of a launch that goes on.
fn launched(job: &Job) -> String {
    eventually("the launch", Duration::from_mins(1), || {
        job.record()["launch"]["instance_id"]
            .as_str()
            .map(str::to_owned)
    })
}

/// How the stage that is noted last ended.
fn noted(job: &Job) -> Value {
    job.record()["stages"]
        .as_array()
        .and_then(|all| all.last().cloned())
        .unwrap_or_default()["exit"]
        .clone()
}

/// An instance on the host that runs the tests, as root.
fn on_host(instance: &str, line: &str) -> String {
    let output = std::process::Command::new("docker")
        .args(["exec", &format!("sandbox-{instance}"), "sh", "-c", line])
        .output()
        .expect("docker can be run");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn sandbox_a_signal_ends_a_launch_within_seconds_and_a_second_one_the_process_at_once() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let ways = [
        (Signal::INT, false),
        (Signal::TERM, false),
        (Signal::INT, true),
    ];
    at_once(ways, |(first, stuck)| {
        let job = Job::new();
        let mut child = job.start(&["provision-ec2"]);
        let id = launched(&job);
        if stuck {
            fault_of(
                json!({"action": "TerminateInstances", "delay": 4, "times": 1, "match": {"InstanceId.1": id}}),
            );
        }
        if first == Signal::TERM {
            // So soon it is not known everywhere.
            fault_of(
                json!({"action": "TerminateInstances", "code": "InvalidInstanceID.NotFound", "status": 400, "times": 2, "match": {"InstanceId.1": id}}),
            );
        }
        signal(&child, first);
        let signalled = Instant::now();
        eventually("the state on disk", Duration::from_secs(1), || {
            (noted(&job) == 130).then_some(())
        });
        if stuck {
            let asks = |step: &Value| step["name"] == "TerminateInstances";
            eventually("the request", Duration::from_secs(2), || {
                job.record()["steps"]
                    .as_array()?
                    .iter()
                    .any(asks)
                    .then_some(())
            });
            signal(&child, Signal::TERM);
            let again = Instant::now();
            assert_eq!(child.wait().unwrap().code(), Some(130));
            assert!(
                again.elapsed() < within(Duration::from_secs(1)),
                "{:?}",
                again.elapsed()
            );
        } else {
            assert_eq!(child.wait().unwrap().code(), Some(130));
            assert!(
                signalled.elapsed() < within(Duration::from_secs(5)),
                "{:?}",
                signalled.elapsed()
            );
            assert_eq!(
                living(&job.tag()).len(),
                0,
                "the launch itself has ended it"
            );
        }
        Job::of(&job.run, "e2e")
            .step(&["teardown", "--region=us-east-1"])
            .exits(0);
        assert_eq!(left(&job.tag()), Vec::<String>::new());
    });
}

#[test]
fn sandbox_teardowns_at_the_same_time_are_both_clean() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let job = Job::new();
    let mut child = job.start(&["provision-ec2"]);
    launched(&job);
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    let jobs = [Job::of(&job.run, "e2e"), Job::of(&job.run, "e2e")];
    let mut children = jobs
        .each_ref()
        .map(|job| job.start(&["teardown", "--region=us-east-1"]));
    let codes = children
        .each_mut()
        .map(|child| child.wait().unwrap().code());
    assert_eq!(codes, [Some(0), Some(0)]);
    assert_eq!(left(&job.tag()), Vec::<String>::new());
}

#[test]
fn sandbox_a_host_without_runner_ends_by_itself_and_after_a_reboot_too() {
    let Some(_turn) = sandbox(Lane::Waits) else {
        return;
    };
    at_once([false, true], |reboots| {
        let job = Job::new().with("INPUT_TTL", "130s");
        job.step(&["provision-ec2"]).exits(0);
        let id = job.output("instance-id").unwrap();
        let expires: Timestamp = job.output("expires-at").unwrap().parse().unwrap();
        if reboots {
            cloud("reboot_instances", json!({"InstanceIds": [id]}));
        }
        eventually("its timer", Duration::from_secs(30), || {
            (on_host(&id, "systemctl is-active manifests-e2e-ttl.timer") == "active").then_some(())
        });
        assert_eq!(living(&job.tag()).len(), 1, "a reboot keeps it");
        let rest = expires.duration_since(Timestamp::now());
        let rest = Duration::try_from(rest).unwrap_or_default() + Duration::from_secs(20);
        eventually("the end of its own accord", rest, || {
            living(&job.tag()).is_empty().then_some(())
        });
        assert!(Timestamp::now() >= expires, "not before its time");
        job.ends_clean();
    });
}

#[test]
fn sandbox_an_extended_host_outlives_its_ttl() {
    let Some(_turn) = sandbox(Lane::Waits) else {
        return;
    };
    let job = Job::new().with("INPUT_TTL", "120s");
    job.step(&["provision-ec2"]).exits(0);
    let id = job.output("instance-id").unwrap();
    let first: Timestamp = job.output("expires-at").unwrap().parse().unwrap();
    job.step(&["extend", "--ttl=5s"]).exits(2).says("already");
    job.step(&["extend", "--ttl=10m"]).exits(0);
    let second: Timestamp = job.output("expires-at").unwrap().parse().unwrap();
    assert!(second > first);
    assert_eq!(tag_of(&id, "expires-at"), Some(second.to_string()));
    let over = Duration::try_from(first.duration_since(Timestamp::now())).unwrap_or_default();
    eventually("its first end", over + Duration::from_secs(5), || {
        (Timestamp::now() > first + Duration::from_secs(3)).then_some(())
    });
    assert_eq!(living(&job.tag()).len(), 1, "it lives on");

    // The job has not failed: nothing is kept.
    job.step(&["teardown", "--keep-on-failure=1h"]).exits(0);
    assert_eq!(left(&job.tag()), Vec::<String>::new());
}

#[test]
fn sandbox_a_kept_host_lets_people_in_and_ends_when_it_was_said() {
    let Some(_turn) = sandbox(Lane::Waits) else {
        return;
    };
    let job = Job::new()
        .with("INPUT_TTL", "10m")
        .with("JOB_STATUS", "failure");
    let made = job.shell("ssh-keygen -q -t ed25519 -N '' -f other");
    assert!(made.status.success(), "{made:?}");
    let public = std::fs::read_to_string(job.path("other.pub")).unwrap();
    let keys = format!("--ssh-public-keys={}", public.trim());
    job.step(&["provision-ec2", &keys]).exits(0);
    let step = job.step(&["teardown", "--keep-on-failure=30s"]).exits(0);
    assert_eq!(living(&job.tag()).len(), 1);
    let until: Timestamp = job.output("kept-until").unwrap().parse().unwrap();
    let lines: Vec<&str> = step
        .said
        .lines()
        .filter_map(|line| line.split_once("ssh -").map(|(_, rest)| rest))
        .collect();
    assert!(job.summary().contains("is kept until"), "{}", job.summary());
    let [here, elsewhere] = lines.as_slice() else {
        panic!("{}", step.said)
    };
    let here = job.shell(&format!("ssh -o BatchMode=yes -{here} whoami"));
    assert_eq!(
        String::from_utf8_lossy(&here.stdout),
        "ubuntu\n",
        "{here:?}"
    );
    let elsewhere = job.shell(&format!(
        "ssh -i other -o BatchMode=yes -{elsewhere} whoami"
    ));
    assert_eq!(
        String::from_utf8_lossy(&elsewhere.stdout),
        "ubuntu\n",
        "{elsewhere:?}"
    );
    eventually("its end", Duration::from_mins(1), || {
        living(&job.tag()).is_empty().then_some(())
    });
    assert!(Timestamp::now() >= until, "not before its time");
    job.ends_clean();
}
