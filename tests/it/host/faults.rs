//! A host in trouble: out of reach for a while, booted anew, gone; and a runner that has become another to it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::{
    process::Command as Program,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use manifests_e2e::{
    host::{Command, Host as _, HostError, presence::with_presence, ssh::SshHost},
    inputs::Environment,
    limits::{Deadline, Limit},
    record::Store,
    report::{Exit, Failure},
};
use serde_json::{Value, json};

use crate::it::support::{
    Lane,
    aws::{Job, cloud, eventually, left, with_sandbox},
    sandbox,
};

/// The sandbox's gateway: where this machine comes from.
const HERE: &str = "10.99.0.1";

fn run(program: &str, words: &[&str]) -> String {
    let output = Program::new(program).args(words).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Drops everything to and from an address while it lives.
struct Silence(Vec<[String; 3]>);

impl Silence {
    fn around(address: &str) -> Self {
        let rules = [
            ("INPUT", "-s"),
            ("OUTPUT", "-d"),
            ("FORWARD", "-s"),
            ("FORWARD", "-d"),
        ];
        let rules = rules.map(|(chain, way)| [chain, way, address].map(str::to_owned));
        for [chain, way, address] in &rules {
            run("iptables", &["-I", chain, way, address, "-j", "DROP"]);
        }
        Self(rules.into())
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        for [chain, way, address] in &self.0 {
            run("iptables", &["-D", chain, way, address, "-j", "DROP"]);
        }
    }
}

/// Whether a step of the record was begun.
fn begun(job: &Job, name: &str) -> Option<()> {
    let record = job.record();
    let steps = record["steps"].as_array()?;
    steps.iter().any(|step| step["name"] == name).then_some(())
}

fn ended(job: &Job, since: Instant) -> Duration {
    job.step(&["teardown", "--region=us-east-1"]).exits(0);
    assert_eq!(left(&job.tag()), Vec::<String>::new());
    since.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_a_reboot_is_told_from_a_lost_connection_and_keeps_the_host_and_its_key() {
    let Some(_turn) = sandbox(Lane::Machine) else {
        return;
    };
    let job = Job::new();
    job.step(&["provision-ec2"]).exits(0);
    let id = job.output("instance-id").unwrap();
    let store = Store::open_in(job.path("manifests-e2e"), None).unwrap();
    let record = store.record().host.clone().unwrap();
    let host = SshHost::new(&record, &Environment::default()).unwrap();
    let soon = Deadline::after(Limit::secs(100));
    let command = Command::new("touch /tmp/begun; exec sleep 90").detached("long");
    let reboot = async {
        let look = Command::new("until [ -e /tmp/begun ]; do sleep 0.2; done");
        let other = SshHost::new(&record, &Environment::default()).unwrap();
        other.run(&look, soon).await.unwrap();
        tokio::task::spawn_blocking(move || {
            cloud("reboot_instances", json!({"InstanceIds": [id]}));
        })
        .await
        .unwrap();
    };
    let (cut, ()) = tokio::join!(host.run(&command, soon), reboot);
    let cut = cut.unwrap_err();
    assert!(matches!(&cut, HostError::Rebooted { .. }), "{cut}");
    assert!(!soon.passed());
    // The same key, known since before the launch, opens it again.
    let again = host.run(&Command::new("true"), soon).await.unwrap();
    assert_eq!(again.status, 0);
    // Whatever fails in a stage that it happened in, is no failure of the test.
    let failed = |elapsed| {
        let failure = Failure::new(Exit::TestFailed, "cell 3 of 4");
        let env = Environment::default();
        let record = &record;
        async move { with_presence(failure, Some(record), &env, elapsed).await }
    };
    let cut = failed(Duration::from_mins(10)).await;
    assert_eq!(cut.exit, Exit::Infrastructure);
    assert!(cut.details[0].contains("was rebooted while"), "{cut:?}");
    let begun_since = failed(Duration::ZERO).await;
    assert_eq!(begun_since.exit, Exit::TestFailed);
    assert!(begun_since.details.is_empty(), "{begun_since:?}");
    ended(&job, Instant::now());
}

#[test]
fn sandbox_ninety_seconds_without_a_network_cost_a_stage_nothing_but_time() {
    let Some(_turn) = sandbox(Lane::Machine) else {
        return;
    };
    let job = Job::new().with("INPUT_CLUSTER", "ses");
    let job = with_sandbox(job);
    job.step(&["provision-ec2"]).exits(0);
    let mut child = job.start(&["install-kind"]);
    eventually("kind at work", Duration::from_mins(3), || {
        begun(&job, "kind create cluster")
    });
    {
        let _silence = Silence::around(&job.output("public-ip").unwrap());
        let until = Instant::now() + Duration::from_secs(90);
        eventually("90 s", Duration::from_secs(95), || {
            (Instant::now() > until).then_some(())
        });
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    ended(&job, Instant::now());
}

#[test]
fn sandbox_a_host_that_is_killed_is_named_and_no_fault_of_a_test() {
    let Some(_turn) = sandbox(Lane::Machine) else {
        return;
    };
    let job = with_sandbox(Job::new());
    job.step(&["provision-ec2"]).exits(0);
    let (id, address) = (
        job.output("instance-id").unwrap(),
        job.output("public-ip").unwrap(),
    );
    let killer = std::thread::spawn({
        let record = job.path("manifests-e2e/record.json");
        move || {
            eventually("kind at work", Duration::from_mins(3), || {
                let text = std::fs::read_to_string(&record).ok()?;
                text.contains("kind create cluster").then_some(())
            });
            run("docker", &["kill", &format!("sandbox-{id}")]);
        }
    });
    job.step(&["install-kind"])
        .exits(3)
        .says(&format!("cannot reach ubuntu@{address}"));
    killer.join().unwrap();
    ended(&job, Instant::now());
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_a_runner_with_a_new_address_is_let_in_and_the_old_one_no_longer() {
    let Some(_turn) = sandbox(Lane::Machine) else {
        return;
    };
    let moved = Arc::new(AtomicBool::new(false));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let told = Arc::clone(&moved);
    let router = axum::Router::new().fallback(async move || {
        if told.load(Ordering::Relaxed) {
            HERE
        } else {
            "203.0.113.7"
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    tokio::task::spawn_blocking(move || {
        let job = Job::new()
            .with("INPUT_SSH_CIDR", "")
            .with("MANIFESTS_E2E_ADDRESS_URL", &url);
        job.step(&["provision-ec2"]).exits(0);
        let group = job.record()["launch"]["security_group_id"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(let_in(&group), ["203.0.113.7/32"]);
        // As AWS does by the group: what comes from elsewhere gets no answer.
        let address = job.output("public-ip").unwrap();
        let id = job.output("instance-id").unwrap();
        let name = format!("sandbox-{id}");
        let door = [
            "exec", &name, "iptables", "-I", "INPUT", "-p", "tcp", "--dport", "22", "-j", "DROP",
        ];
        run("docker", &door);
        moved.store(true, Ordering::Relaxed);
        let opener = std::thread::spawn({
            let (group, name) = (group.clone(), name.clone());
            move || {
                eventually("the new address alone", Duration::from_mins(1), || {
                    (let_in(&group) == [format!("{HERE}/32")]).then_some(())
                });
                run("docker", &["exec", &name, "iptables", "-F", "INPUT"]);
            }
        });
        job.step(&["gather-logs"]).exits(0).says(&format!(
            "the address {HERE}/32 now, no longer 203.0.113.7/32"
        ));
        opener.join().unwrap();
        assert_eq!(let_in(&group), [format!("{HERE}/32")]);
        // Whom somebody has named stays, and nobody else comes.
        assert!(!address.is_empty());
        ended(&job, Instant::now());
    })
    .await
    .unwrap();
}

/// Who may reach port 22 of a group.
fn let_in(group: &str) -> Vec<String> {
    let groups = cloud("describe_security_groups", json!({"GroupIds": [group]}));
    let permissions = groups["SecurityGroups"][0]["IpPermissions"].clone();
    let ranges = permissions.as_array().unwrap().iter();
    ranges
        .flat_map(|one| one["IpRanges"].as_array().unwrap().clone())
        .map(|range: Value| range["CidrIp"].as_str().unwrap().to_owned())
        .collect()
}
