//! `doctor`: what is there, what is missing, and that its own advice is right. Nothing is made.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

mod account;

use std::fs;

use manifests_e2e::iam::{self, PolicyScope};
use serde_json::{Value, json};

use crate::it::support::{
    Lane,
    aws::{Job, Step, calls, fault_of, left, living, permit},
    github::{GitHub, Repository, TOKEN},
    sandbox,
};

/// A job on a runner that finds all it needs of tools and GitHub, with a checkout that has a janitor unless `bare`.
fn job(github: &GitHub, bare: bool) -> Job {
    let job = Job::of("1", "doctor");
    let checkout = job.path("checkout");
    fs::create_dir_all(checkout.join(".github/workflows")).unwrap();
    let janitor = "on: {schedule: [{cron: '17 * * * *'}]}\njobs: {reap: {steps: [{uses: o/r/actions/reap@v1}]}}";
    if !bare {
        fs::write(checkout.join(".github/workflows/reap.yml"), janitor).unwrap();
    }
    let downloads = github.url.replace("/api/v3", "/downloads");
    job.with("GITHUB_WORKSPACE", checkout.to_str().unwrap())
        .with("GITHUB_API_URL", &github.url)
        .with("GITHUB_TOKEN", TOKEN)
        .with("MANIFESTS_E2E_DOWNLOADS", &downloads)
}

/// A word that no other test's key begins with.
fn key() -> String {
    format!("DOCTOR{:08X}", rand::random::<u32>())
}

/// The statements that were advised.
fn advised(step: &Step) -> Vec<Value> {
    let lines = step
        .said
        .lines()
        .filter_map(|line| line.trim().strip_prefix("allow "));
    lines
        .map(|text| serde_json::from_str(text).unwrap())
        .collect()
}

#[test]
fn what_an_input_gets_wrong_is_told_before_anything_is_asked() {
    let github = GitHub::start();
    let step = job(&github, false).step(&["doctor", "--region=nowhere"]);
    let step = step
        .exits(2)
        .says("missing  inputs of provision-ec2: region: `nowhere`");
    step.says("ok       GITHUB_TOKEN: it reads o/r")
        .says("ok       actions: read");
    job(&github, false)
        .step(&["doctor", "--provider=ssh"])
        .exits(2)
        .says("missing  SSH: host: provider ssh needs a host");
}

#[test]
fn a_schedule_that_will_not_run_is_told() {
    let said = |about: Repository, bare: bool| {
        let github = GitHub::of(about);
        job(&github, bare)
            .step(&["doctor", "--region=nowhere"])
            .exits(2)
            .said
    };
    let good = said(Repository::default(), false);
    assert!(
        good.contains("ok       reap on a schedule: .github/workflows/reap.yml"),
        "{good}"
    );
    assert!(good.contains("ok       60 days without activity"), "{good}");
    let none = said(Repository::default(), true);
    assert!(
        none.contains("warning  reap on a schedule: no workflow"),
        "{none}"
    );
    let idle = said(
        Repository {
            pushed_at: "2026-01-01T00:00:00Z",
            ..Repository::default()
        },
        false,
    );
    assert!(
        idle.contains("warning  60 days without activity: the last push is"),
        "{idle}"
    );
    let stopped = said(
        Repository {
            state: "disabled_inactivity",
            ..Repository::default()
        },
        false,
    );
    assert!(
        stopped.contains("→ gh workflow enable .github/workflows/reap.yml"),
        "{stopped}"
    );
}

#[test]
fn a_permission_that_the_token_lacks_is_named_as_github_names_it() {
    let github = GitHub::of(Repository {
        actions: false,
        ..Repository::default()
    });
    let role = "--role-arn=arn:aws:iam::123456789012:role/e2e";
    let words = ["doctor", "--region=nowhere", role];
    let step = job(&github, false).step(&words).exits(2);
    let step = step.says(
        "warning  actions: read: GitHub says 403 about o/r: Resource not accessible by integration",
    );
    step.says("`actions=read`").says("missing  id-token: write");
    let allowed = job(&github, false)
        .with("ACTIONS_ID_TOKEN_REQUEST_URL", "http://127.0.0.1:9/")
        .with("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "bearer");
    allowed.step(&words).says("ok       id-token: write");
    let without = job(&github, false).with("GITHUB_TOKEN", "");
    without
        .step(&words)
        .says("warning  GITHUB_TOKEN: it is not set");
}

#[test]
fn a_tool_that_cannot_be_had_is_missing() {
    let github = GitHub::start();
    let nowhere = job(&github, false)
        .with("MANIFESTS_E2E_DOWNLOADS", "http://127.0.0.1:9")
        .with("PATH", "/nowhere");
    let step = nowhere.step(&["doctor", "--region=nowhere"]).exits(3);
    step.says("missing  kustomize: cannot download http://127.0.0.1:9/")
        .says("warning  kubectl: there is none");
    assert_eq!(nowhere.output("missing").unwrap(), "kind");
}

#[test]
fn sandbox_doctor_tries_everything_and_makes_nothing() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let github = GitHub::start();
    let job = job(&github, false);
    let before = calls().matches("\"DryRun\": \"true\"").count();
    let step = job.step(&["doctor", "--region=ap-south-1"]).exits(0);
    let step = step
        .says("ok       default VPC: vpc-")
        .says("ok       image: ami-");
    let step = step
        .says("ok       ec2:DescribeImages, ec2:DescribeInstances")
        .says("ok       ec2:CreateSecurityGroup: allowed");
    let step = step.says("ok       ec2:RunInstances of m7i.2xlarge (on-demand): allowed");
    // Nothing of ours is there: what needs it is not called allowed.
    let step = step.says("ec2:TerminateInstances, ec2:DeleteVolume");
    assert!(step.said.contains("not told"), "{}", step.said);
    assert!(job.summary().contains("### doctor"), "{}", job.summary());
    assert_eq!(left("7-1"), [""; 0]);
    let tried = calls().matches("\"DryRun\": \"true\"").count() - before;
    assert!(tried >= 17, "only {tried} requests said DryRun");
}

#[test]
fn sandbox_doctor_says_what_a_policy_lacks_and_is_right() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let (github, key) = (GitHub::start(), key());
    let scope = PolicyScope::default();
    let whole: Value = serde_json::to_value(iam::of_chain(&scope)).unwrap();
    let mut policy = whole.clone();
    let lacking = [
        "ec2:CreateSecurityGroup",
        "ec2:DescribeSubnets",
        "ec2:DescribeRegions",
    ];
    for statement in policy["Statement"].as_array_mut().unwrap() {
        let calls = statement["Action"].as_array_mut().unwrap();
        calls.retain(|call| !lacking.contains(&call.as_str().unwrap()));
    }
    permit(&key, &policy);
    let job = || job(&github, false).with("AWS_ACCESS_KEY_ID", &key);
    let words = ["doctor", "--region=ap-south-1"];
    for turn in 0.. {
        let step = job().step(&words);
        if step.code == Some(0) {
            assert!(turn > 0, "it lacks something: {}", step.said);
            assert!(!step.said.contains("missing  "), "{}", step.said);
            // The group that the launch makes is not there to be tried.
            let launch = "warning  ec2:RunInstances of m7i.2xlarge (on-demand): not told";
            step.says(launch);
            break;
        }
        assert!(turn < 3, "its advice does not help: {}", step.said);
        let step = step.exits(3);
        let advised = advised(&step);
        assert!(!advised.is_empty(), "{}", step.said);
        policy["Statement"].as_array_mut().unwrap().extend(advised);
        permit(&key, &policy);
    }
    // Nothing beyond what the whole policy has was advised, but for a look at the quotas.
    let all = |policy: &Value| {
        let statements = policy["Statement"].as_array().unwrap().iter();
        let mut all: Vec<String> = statements
            .flat_map(|one| one["Action"].as_array().unwrap().clone())
            .map(|call| call.to_string())
            .collect();
        all.sort();
        all.dedup();
        all
    };
    let mut needed = all(&whole);
    // Doctor's own: the chain asks for no quota.
    needed.push("\"servicequotas:GetServiceQuota\"".to_owned());
    assert_eq!(all(&policy), needed);
    permit(&key, &json!({"Statement": []}));
    let step = job()
        .step(&words)
        .exits(3)
        .says("missing  ec2:DescribeInstances: DescribeInstances was refused");
    assert!(
        step.said.contains("allow {\"Sid\":\"Look\""),
        "{}",
        step.said
    );
}

#[test]
fn sandbox_the_chain_runs_on_the_least_policy_and_doctor_sees_all_of_it_beside_a_host() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let (github, key) = (GitHub::start(), key());
    let scope = PolicyScope {
        region: Some("us-east-1".to_owned()),
        // Of its own: the region has hosts of other tests, which doctor leaves alone as those of other repositories.
        repository: Some("o/doctor".to_owned()),
        ..PolicyScope::default()
    };
    permit(&key, &serde_json::to_value(iam::of_chain(&scope)).unwrap());
    let ours = |job: Job| {
        job.with("AWS_ACCESS_KEY_ID", &key)
            .with("GITHUB_REPOSITORY", "o/doctor")
    };
    let job = ours(Job::new()).with("AWS_REGION", "us-east-1");
    job.step(&["provision-ec2"]).exits(0);
    let beside = ours(self::job(&github, false));
    let step = beside.step(&["doctor", "--region=us-east-1"]).exits(0);
    let launch = "ok       ec2:RunInstances of m7i.2xlarge (on-demand): allowed";
    let step = step.says(launch);
    let told = step
        .said
        .lines()
        .find(|line| line.starts_with("ok       ec2:AuthorizeSecurityGroupIngress"))
        .unwrap_or_default();
    for call in [
        "ModifyInstanceMetadataOptions",
        "GetConsoleOutput",
        "CreateTags",
        "TerminateInstances",
        "DeleteSecurityGroup",
    ] {
        assert!(
            told.contains(&format!("ec2:{call}")),
            "{call}: {}",
            step.said
        );
    }
    assert_eq!(living(&job.tag()).len(), 1, "a look has ended it");
    job.ends_clean();
}

#[test]
fn sandbox_what_ec2_says_of_credentials_and_subnets_is_told() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let github = GitHub::start();
    let region = "sa-east-1";
    let fault = json!({"action": "DescribeRegions", "region": region, "code": "AuthFailure", "status": 401, "times": 1,
        "message": "AWS was not able to validate the provided access credentials"});
    fault_of(fault);
    let words = ["doctor", "--region=sa-east-1"];
    job(&github, false)
        .step(&words)
        .exits(3)
        .says("missing  EC2 in sa-east-1: DescribeRegions was refused");
    let nowhere = [
        "doctor",
        "--region=ap-south-1",
        "--subnet-ids=subnet-00000000",
    ];
    let step = job(&github, false)
        .step(&nowhere)
        .exits(2)
        .says("missing  subnet-ids");
    step.says("warning  ec2:RunInstances: not tried");
}

#[test]
fn the_kind_for_this_machine_is_looked_for_whatever_a_host_would_run_on() {
    let tools = tempfile::tempdir().unwrap();
    std::fs::copy("/bin/bash", tools.path().join("kind")).unwrap();
    let other = if cfg!(target_arch = "aarch64") {
        "amd64"
    } else {
        "arm64"
    };
    let doctor = |provider: &str| {
        let words = [
            "doctor".to_owned(),
            format!("--provider={provider}"),
            format!("--arch={other}"),
            format!("--tools-dir={}", tools.path().display()),
            "--host=me@127.0.0.1:1".to_owned(),
        ];
        Job::new().step(&words.each_ref().map(String::as_str)).said
    };
    let refused = format!("a Linux program for {other}");
    assert!(!doctor("local").contains(&refused));
    assert!(doctor("ssh").contains(&refused));
}
