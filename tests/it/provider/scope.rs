//! `scope: run`, where other jobs of the run are in progress: on this machine with a stand-in for Docker, and on the
//! sandbox's cloud.

use std::collections::BTreeMap;

use serde_json::json;

use crate::it::support::{
    Lane,
    aws::{Job, cloud, left, volume_of},
    github::{Answer, GitHub, TOKEN},
    machine::Machine,
    sandbox,
};

#[test]
fn scope_run_spares_what_a_job_in_progress_uses_and_never_its_own() {
    let machine = Machine::new();
    let run = Job::new().run;
    let leg = |name: &'static str, id: &str| {
        let job = machine
            .with(Job::of(&run, name))
            .with("JOB_CHECK_RUN_ID", id);
        job.step(&["provision-ec2", "--provider=local"]).exits(0);
        let words = machine.install();
        job.step(&words.each_ref().map(String::as_str)).exits(3);
        job
    };
    let (own, _other) = (leg("one", "5501"), leg("two", "5502"));
    for id in ["5501", "5502"] {
        machine
            .github
            .says_of_job(id, Answer::Run("in_progress", 1));
    }
    let teardown = ["teardown", "--scope=run"];
    let step = own.step(&teardown).exits(4);
    step.says("1 resources of run")
        .says("its job is in progress");
    assert_eq!(machine.left().len(), 3, "{:?}", machine.left());
    let cluster = own.output("leftovers").unwrap();
    assert!(
        machine
            .left()
            .contains_key(&format!("manifests-e2e-{cluster}"))
    );
    assert!(
        own.summary().contains("stays, its job is in progress"),
        "{}",
        own.summary()
    );
    machine
        .github
        .says_of_job("5502", Answer::Run("completed", 1));
    own.step(&teardown)
        .exits(0)
        .says(&format!("{cluster}: proven gone"));
    assert_eq!(machine.left(), BTreeMap::new());
}

#[test]
fn scope_run_ends_all_where_github_cannot_be_asked() {
    for (token, answer, said) in [
        (
            TOKEN,
            Answer::Error(403),
            "GitHub did not tell about job 5502 of reap/local: 403",
        ),
        (TOKEN, Answer::Error(404), "proven gone"),
        ("", Answer::Run("in_progress", 1), "proven gone"),
    ] {
        let machine = Machine::new();
        let job = machine.with(Job::new()).with("JOB_CHECK_RUN_ID", "5502");
        job.step(&["provision-ec2", "--provider=local"]).exits(0);
        machine.installs(&job);
        machine.github.says_of_job("5502", answer);
        let end = machine.with(Job::of(&job.run, "end"));
        let end = end
            .with("JOB_CHECK_RUN_ID", "5503")
            .with("GITHUB_TOKEN", token);
        let words = ["teardown", "--scope=run", "--provider=local"];
        end.step(&words).exits(0).says(said);
        assert_eq!(machine.left(), BTreeMap::new());
    }
}

#[test]
fn sandbox_scope_run_spares_what_a_job_in_progress_uses() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let github = GitHub::start();
    let job = Job::new()
        .with("GITHUB_API_URL", &github.url)
        .with("GITHUB_TOKEN", TOKEN)
        .with("JOB_CHECK_RUN_ID", "5501");
    let mine = volume_of(&job.tag(), "mine");
    let theirs = volume_of(&job.tag(), "theirs");
    for (volume, check_run) in [(&mine, "5501"), (&theirs, "5502")] {
        let tags = [("repository", "o/r"), ("check-run", check_run)]
            .map(|(name, value)| json!({"Key": format!("manifests-e2e/{name}"), "Value": value}));
        cloud("create_tags", json!({"Resources": [volume], "Tags": tags}));
        github.says_of_job(check_run, Answer::Run("in_progress", 1));
    }
    let words = ["teardown", "--scope=run", "--region=us-east-1"];
    let step = job.step(&words).exits(4).says(&theirs);
    step.says("its job is in progress");
    assert_eq!(left(&job.tag()), [format!("{theirs:?}")]);
    github.says_of_job("5502", Answer::Run("completed", 1));
    job.step(&words).exits(0).says("proven gone");
    assert_eq!(left(&job.tag()), Vec::<String>::new());
}
