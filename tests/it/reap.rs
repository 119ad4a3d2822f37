//! `reap` against the sandbox's cloud and GitHub's API on a port: two looks, nothing foreign, nothing in use.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

mod local;

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::it::support::{
    Lane,
    aws::{Job, Step, cloud, eventually, fault_of, left, living, signal, tag_of},
    github::{Answer, GitHub, TOKEN},
    sandbox,
};

/// A job of a repository that no other test has: a reaper looks at the whole account.
fn repository() -> String {
    format!("reap/{:08x}", rand::random::<u32>())
}

/// One pass in an empty directory, in one region unless the words say otherwise.
fn pass(repository: &str, github: &GitHub, words: &[&str]) -> (Job, Step) {
    let job = Job::of("1", "janitor")
        .with("GITHUB_REPOSITORY", repository)
        .with("GITHUB_API_URL", &github.url)
        .with("GITHUB_TOKEN", TOKEN);
    let mut all = vec!["reap"];
    if !words.iter().any(|word| word.starts_with("--regions")) {
        all.push("--regions=us-east-1");
    }
    all.extend(words);
    let step = job.step(&all);
    assert!(!step.said.contains(TOKEN), "{}", step.said);
    (job, step)
}

/// A security group with tags like ours, and its id: what a lost run leaves that costs nothing to make.
fn group(repository: &str, run: &str, tags: &[(&str, &str)]) -> String {
    group_in("us-east-1", repository, run, tags)
}

fn group_in(region: &str, repository: &str, run: &str, tags: &[(&str, &str)]) -> String {
    let usual = [
        ("run", format!("7-{run}")),
        ("job", "e2e".to_owned()),
        ("repository", repository.to_owned()),
        ("expires-at", "2030-01-01T00:00:00Z".to_owned()),
    ];
    let named = |name: &str| tags.iter().find(|(other, _)| *other == name);
    let tags: Vec<_> = usual
        .iter()
        .filter(|(name, _)| named(name).is_none())
        .map(|(name, value)| (*name, value.as_str()))
        .chain(tags.iter().copied())
        .map(|(name, value)| json!({"Key": format!("manifests-e2e/{name}"), "Value": value}))
        .collect();
    let made = cloud(
        "create_security_group",
        json!({
            "Region": region,
            "GroupName": format!("e2e-{run}-{:08x}", rand::random::<u32>()),
            "Description": "a test of reap",
            "TagSpecifications": [{"ResourceType": "security-group", "Tags": tags}],
        }),
    );
    made["GroupId"].as_str().unwrap().to_owned()
}

fn there(id: &str) -> bool {
    let filters = json!([{"Name": "group-id", "Values": [id]}]);
    let answer = cloud("describe_security_groups", json!({"Filters": filters}));
    !answer["SecurityGroups"].as_array().unwrap().is_empty()
}

fn remove(id: &str) {
    cloud("delete_security_group", json!({"GroupId": id}));
}

/// Passes, so that a mark is old enough for a grace of one.
fn a_second() {
    let since = Instant::now();
    eventually("a second", Duration::from_secs(5), || {
        (since.elapsed() > Duration::from_millis(1100)).then_some(())
    });
}

fn run_id() -> String {
    rand::random::<u32>().to_string()
}

#[test]
fn nothing_says_whose_remains_is_refused() {
    let job = Job::new().with("GITHUB_REPOSITORY", "");
    job.step(&["reap"]).exits(2).says("repositories");
    let job = Job::new();
    job.step(&["reap", "--regions=nowhere"])
        .exits(2)
        .says("`nowhere`");
}

#[test]
fn sandbox_a_host_whose_runner_was_lost_is_marked_then_ended() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let (repository, github) = (repository(), GitHub::start());
    let job = Job::new().with("GITHUB_REPOSITORY", &repository);
    let mut child = job.start(&["provision-ec2"]);
    eventually("the launch", Duration::from_mins(1), || {
        job.record()["launch"]["instance_id"].as_str().map(drop)
    });
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    let instance = living(&job.tag())[0]["InstanceId"]
        .as_str()
        .unwrap()
        .to_owned();

    github.says(&job.run, Answer::Run("in_progress", 1));
    let real = "--dry-run=false";
    let (_, step) = pass(&repository, &github, &[real]);
    step.exits(0).says("its run is in progress");

    github.says(&job.run, Answer::Run("completed", 1));
    let (janitor, step) = pass(&repository, &github, &[]);
    step.exits(4).says("dry run").says(&instance);
    assert!(
        janitor.summary().contains("would be marked"),
        "{}",
        janitor.summary()
    );
    assert_eq!(
        tag_of(&instance, "reap-candidate"),
        None,
        "a dry run changes nothing"
    );

    let (janitor, step) = pass(&repository, &github, &[real]);
    step.exits(4).says("its run is over (cancelled)");
    assert!(tag_of(&instance, "reap-candidate").is_some());
    assert!(
        janitor
            .output("leftovers")
            .is_some_and(|left| !left.is_empty())
    );
    let (_, step) = pass(&repository, &github, &[real]);
    step.exits(4).says("marked");
    assert_eq!(living(&job.tag()).len(), 1, "the mark is too young");

    // In every region, as a schedule would.
    a_second();
    let (janitor, step) = pass(&repository, &github, &[real, "--grace=1s", "--regions="]);
    step.exits(0);
    assert_eq!(left(&job.tag()), Vec::<String>::new());
    let summary = janitor.summary();
    assert!(
        summary.contains(&instance) && summary.contains("proven gone"),
        "{summary}"
    );
    assert!(
        janitor
            .output("terminated")
            .is_some_and(|ended| !ended.is_empty())
    );
    pass(&repository, &github, &[real]).1.exits(0);
}

#[test]
fn sandbox_a_run_that_goes_on_after_all_loses_its_mark() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let (repository, github, run) = (repository(), GitHub::start(), run_id());
    let id = group(&repository, &run, &[]);
    let words = ["--dry-run=false", "--grace=1s"];
    github.says(&run, Answer::Run("completed", 1));
    pass(&repository, &github, &words).1.exits(4);
    assert!(tag_of(&id, "reap-candidate").is_some());
    // Somebody has run it again: its first attempt's things are over, those of the second are not.
    cloud(
        "create_tags",
        json!({"Resources": [id], "Tags": [{"Key": "manifests-e2e/attempt", "Value": "2"}]}),
    );
    github.says(&run, Answer::Run("in_progress", 2));
    pass(&repository, &github, &words).1.exits(0);
    assert_eq!(tag_of(&id, "reap-candidate"), None);
    github.says(&run, Answer::Run("completed", 2));
    pass(&repository, &github, &words).1.exits(4);
    assert!(there(&id), "the earlier mark does not count any more");
    a_second();
    pass(&repository, &github, &words).1.exits(0);
    assert!(!there(&id));
}

#[test]
fn sandbox_what_is_foreign_kept_or_unclear_is_not_touched() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let (ours, github) = (repository(), GitHub::start());
    let words = ["--dry-run=false", "--grace=1s"];
    let past = ("expires-at", "2020-01-01T00:00:00Z");
    let long_marked = ("reap-candidate", "2020-01-01T00:00:00Z");
    let run = run_id();
    github.says(&run, Answer::Run("completed", 1));
    let foreign = group("reap/another", &run, &[past, long_marked]);
    let kept = group(&ours, &run, &[("kept", "true"), long_marked]);
    pass(&ours, &github, &words).1.exits(0);
    assert!(there(&foreign) && there(&kept));
    assert!(
        tag_of(&foreign, "reap-candidate").is_some(),
        "a foreign mark is not ours to take"
    );
    // A run in progress keeps what has expired; a GitHub that does not answer keeps everything.
    let expired = group(&ours, &run_id(), &[past, long_marked]);
    let run = tag_of(&expired, "run").unwrap().replace("7-", "");
    github.says(&run, Answer::Run("in_progress", 1));
    pass(&ours, &github, &words)
        .1
        .exits(4)
        .says("expired, but its run is in progress");
    github.says(&run, Answer::Error(503));
    pass(&ours, &github, &words).1.exits(3).says("503");
    github.says(&run, Answer::Error(403));
    pass(&ours, &github, &words)
        .1
        .exits(3)
        .says("actions: read");
    assert!(there(&expired));
    // A run that GitHub has forgotten: what has expired goes, and not by the mark that was taken back meanwhile.
    github.says(&run, Answer::Error(404));
    pass(&ours, &github, &words).1.exits(4).says("expired at");
    a_second();
    pass(&ours, &github, &words).1.exits(0);
    assert!(!there(&expired));
    // Once it is asked to, it takes the foreign one too.
    let all = [words[0], words[1], "--repositories=reap/another"];
    pass(&ours, &github, &all).1.exits(0);
    assert!(!there(&foreign) && there(&kept));
    remove(&kept);
}

#[test]
fn sandbox_a_clock_that_is_hours_off_ends_nothing() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let (ours, github) = (repository(), GitHub::start());
    // A region that no other test looks at.
    let region = "eu-north-1";
    let hour = |hours: i64| {
        let at = jiff::Timestamp::now().as_second() + hours * 3600;
        jiff::Timestamp::new(at, 0).unwrap().to_string()
    };
    let marked = ("reap-candidate", "2020-01-01T00:00:00Z");
    let words = ["--dry-run=false", "--grace=1s", "--regions=eu-north-1"];
    for (off, expires) in [(7200, hour(1)), (-7200, hour(-1))] {
        let tags = [("expires-at", expires.as_str()), marked];
        let id = group_in(region, &ours, &run_id(), &tags);
        for list in [
            "Instances",
            "Volumes",
            "NetworkInterfaces",
            "SecurityGroups",
        ] {
            fault_of(json!({"action": format!("Describe{list}"), "region": region, "date": off}));
        }
        pass(&ours, &github, &words)
            .1
            .exits(0)
            .says("it has not expired");
        let filters = json!({"Region": region, "GroupIds": [id]});
        cloud("describe_security_groups", filters);
        cloud(
            "delete_security_group",
            json!({"Region": region, "GroupId": id}),
        );
    }
}
