//! `reap` and `teardown` of clusters on this machine, with a stand-in for Docker: whatever moment a process is killed at,
//! what is left is found by its marker, marked, and removed.

use std::{
    collections::BTreeMap,
    fs,
    process::Command,
    sync::Mutex,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::it::support::{
    Lane,
    aws::{Job, at_once, eventually, signal},
    github::{Answer, GitHub, TOKEN},
    machine::{Machine, REAL},
    sandbox,
};

#[test]
fn a_process_that_is_killed_after_any_change_leaves_what_reap_finds() {
    let cases = ["install-kind", "teardown", "mark", "end"];
    let cases = cases
        .into_iter()
        .flat_map(|what| (1..=5).map(move |n| (what, n)));
    let killed = Mutex::new(BTreeMap::new());
    at_once(cases, |(what, n)| {
        let machine = Machine::new();
        let job = machine.job();
        machine.github.says(&job.run, Answer::Run("completed", 1));
        let reap = ["reap", "--provider=local", REAL];
        let is_killed = if what == "install-kind" {
            let words = machine.install();
            machine.is_killed_after(n, &job, &words.each_ref().map(String::as_str))
        } else {
            machine.installs(&job);
            match what {
                "teardown" => machine.is_killed_after(n, &job, &["teardown"]),
                "mark" => machine.is_killed_after(n, &machine.janitor(), &reap),
                _ => {
                    machine.reap(&[REAL]).exits(4);
                    machine.ages();
                    machine.is_killed_after(n, &machine.janitor(), &reap)
                }
            }
        };
        machine.is_reaped(&format!("{what}, killed after its change {n}"));
        *killed.lock().unwrap().entry(what).or_insert(0) += usize::from(is_killed);
    });
    // The marker and two nodes; these the other way; the mark; nodes, mark and marker.
    let expected = [
        ("install-kind", 3),
        ("teardown", 3),
        ("mark", 1),
        ("end", 4),
    ];
    assert_eq!(*killed.lock().unwrap(), BTreeMap::from(expected));
}

#[test]
fn clusters_are_reaped_by_the_rules_for_hosts() {
    let machine = Machine::new();
    let job = machine.with(Job::new()).with("JOB_CHECK_RUN_ID", "5501");
    let other = machine.janitor();
    job.step(&["provision-ec2", "--provider=local"]).exits(0);
    machine.installs(&job);
    let all = machine.left();

    // The run goes on: not even what has expired is touched.
    machine.github.says(&job.run, Answer::Run("in_progress", 1));
    machine
        .reap(&[REAL])
        .exits(0)
        .says("its run is in progress");
    machine.relabel("manifests-e2e/expires-at", "2020-01-01T00:00:00Z");
    machine
        .reap(&[REAL])
        .exits(4)
        .says("expired, but its run is in progress");
    // Its job is over, and only the run waits: what has expired is of no use to anybody.
    machine
        .github
        .says_of_job("5501", Answer::Run("completed", 1));
    machine.reap(&[]).exits(4).says("expired at");
    machine
        .github
        .says_of_job("5501", Answer::Run("in_progress", 1));
    // GitHub says nothing; it is another repository's.
    machine.github.says(&job.run, Answer::Error(503));
    machine.reap(&[REAL]).exits(3).says("503");
    machine.github.says(&job.run, Answer::Run("completed", 1));
    machine.reap(&[REAL, "--repositories=reap/other"]).exits(0);
    assert_eq!(machine.left().len(), all.len());

    let step = other.step(&["reap", "--provider=local"]).exits(4);
    step.says("dry run").says("KinD cluster kind-");
    assert!(!machine.has_mark(), "a dry run changes nothing");
    machine.reap(&[REAL]).exits(4);
    assert!(machine.has_mark());
    machine.reap(&[REAL]).exits(4).says("marked");
    machine.github.says(&job.run, Answer::Run("in_progress", 1));
    machine.reap(&[REAL]).exits(4);
    assert!(!machine.has_mark(), "the mark is taken back");
    machine.github.says(&job.run, Answer::Run("completed", 1));
    machine.reap(&[REAL]).exits(4);
    machine.ages();
    let janitor = machine.janitor();
    janitor.step(&["reap", "--provider=local", REAL]).exits(0);
    assert_eq!(machine.left(), BTreeMap::new());
    assert!(
        janitor.summary().contains("proven gone"),
        "{}",
        janitor.summary()
    );
    assert!(janitor.output("terminated").unwrap().starts_with("kind-"));
}

#[test]
fn a_cluster_lives_as_long_as_ttl_says_and_is_found_without_the_record() {
    let machine = Machine::new();
    let job = machine.with(Job::new());
    job.step(&["provision-ec2", "--provider=local", "--ttl=7h"])
        .exits(0);
    machine.installs(&job);
    let left = machine.left();
    let marker = left
        .values()
        .find(|text| text.contains("expires-at"))
        .unwrap();
    let labels: BTreeMap<String, String> = serde_json::from_str(marker).unwrap();
    let expires: jiff::Timestamp = labels["manifests-e2e/expires-at"].parse().unwrap();
    let life = expires.duration_since(jiff::Timestamp::now());
    assert!((6 * 3600..=7 * 3600).contains(&life.as_secs()), "{life}");
    assert_eq!(labels["manifests-e2e/run"], job.tag());
    assert_eq!(labels["manifests-e2e/repository"], "reap/local");

    // The state directory is lost, and kind has left no node: the marker is what there is.
    for node in left.keys().filter(|name| name.len() == 1) {
        fs::remove_file(machine.path("containers").join(node)).unwrap();
    }
    let again = machine.with(Job::of(&job.run, "e2e"));
    again
        .step(&["teardown", "--provider=local"])
        .exits(0)
        .says("proven gone");
    assert_eq!(machine.left(), BTreeMap::new());
}

/// What Docker lists by a label, one id or name a line.
fn docker(words: &[&str], label: &str) -> String {
    let filter = format!("label={label}");
    let words = [words, &["--filter", &filter]].concat();
    let listed = Command::new("docker").args(words).output().unwrap();
    assert!(listed.status.success(), "{listed:?}");
    String::from_utf8(listed.stdout).unwrap()
}

#[test]
fn sandbox_a_cluster_whose_job_was_killed_is_found_by_its_label_and_reaped() {
    let Some(_turn) = sandbox(Lane::Machine) else {
        return;
    };
    let github = GitHub::start();
    let repository = format!("reap/{:08x}", rand::random::<u32>());
    let image = std::env::var("INPUT_NODE_IMAGE").unwrap_or_default();
    let with = |job: Job| {
        job.with("GITHUB_REPOSITORY", &repository)
            .with("GITHUB_API_URL", &github.url)
            .with("GITHUB_TOKEN", TOKEN)
            .with("INPUT_NODE_IMAGE", &image)
    };
    let job = with(Job::new());
    job.step(&["provision-ec2", "--provider=local"]).exits(0);
    let mut child = job.start(&["install-kind"]);
    let run = format!("manifests-e2e/run={}", job.tag());
    let marker = || docker(&["volume", "ls", "-q"], &run).trim().to_owned();
    let node = || {
        let cluster = marker().replace("manifests-e2e-", "");
        docker(&["ps", "-aq"], &format!("io.x-k8s.kind.cluster={cluster}"))
    };
    eventually("a node", Duration::from_mins(2), || {
        (!marker().is_empty() && !node().is_empty()).then_some(())
    });
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    let cluster = marker().replace("manifests-e2e-", "");
    let nodes = format!("io.x-k8s.kind.cluster={cluster}");

    github.says(&job.run, Answer::Run("completed", 1));
    let reap = |words: &[&str]| {
        let words = [&["reap", "--provider=local", REAL], words].concat();
        with(Job::of("1", "janitor")).step(&words)
    };
    reap(&[]).exits(4).says(&cluster);
    reap(&[]).exits(4).says("marked");
    assert!(!docker(&["ps", "-aq"], &nodes).is_empty());
    let began = Instant::now();
    eventually("a second", Duration::from_secs(5), || {
        (began.elapsed() > Duration::from_millis(1100)).then_some(())
    });
    reap(&["--grace=1s"]).exits(0);
    assert_eq!(docker(&["ps", "-aq"], &nodes), "");
    let all = format!("manifests-e2e/cluster={cluster}");
    assert_eq!(docker(&["volume", "ls", "-q"], &all), "");
}

#[test]
fn of_two_jobs_that_want_one_exact_name_one_is_refused_and_ends_nothing() {
    let machine = Machine::new();
    let (first, second) = (machine.job(), machine.job());
    let words = machine.install();
    let exact = [
        "--exact-name",
        "--cluster=kind",
        "--kubernetes-version=1.35",
        "--node-image=kindest/node:v1.35.4",
    ];
    let words = [&words.each_ref().map(String::as_str)[..], &exact].concat();
    // Its marker alone is enough.
    assert!(machine.is_killed_after(1, &first, &words));
    second
        .step(&words)
        .exits(2)
        .says("is on this machine already");
    second.step(&["teardown"]).exits(0);
    assert_eq!(machine.left().len(), 1, "{:?}", machine.left());
    first.step(&["teardown"]).exits(0).says("KinD cluster kind");
    assert_eq!(machine.left(), BTreeMap::new());
}
