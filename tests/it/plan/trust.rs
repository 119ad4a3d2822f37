//! Whose configuration and whose text: what a stranger writes decides nothing where our secrets are, and runs nowhere.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use super::{
    CONFIG, Job, branch, pull, push,
    repository::{Api, Mood, Repository},
};

#[test]
fn the_configuration_is_the_bases_where_the_event_has_secrets() {
    let (repository, _) = Repository::with(CONFIG);
    let theirs = "workflows: [{name: theirs}]\n";
    let (base, head, _) = branch(
        &repository,
        &[("prow_config.yaml", theirs), ("second/a", "1")],
    );
    for event in ["pull_request_target", "issue_comment"] {
        let mood = Mood {
            pull: pull(&base, &head),
            ..Mood::default()
        };
        let api = Api::of(&repository, mood);
        let payload = if event == "issue_comment" {
            json!({"issue": {"number": 7, "pull_request": {}}, "comment": {"body": "/test all"}})
        } else {
            json!({"pull_request": pull(&base, &head)})
        };
        // What an attacker would want: his tree checked out, and its configuration read.
        let job = || {
            let job = Job::of(event, payload.clone()).at(&base).asking(&api);
            job.clone_of(&repository, &head, None)
        };
        assert_eq!(job().run().names(), ["second", "always"], "{event}");
        let named = job().with("MANIFESTS_E2E_FORK_SHA", &head).run();
        assert_eq!(named.names(), ["theirs"], "{event}");
        let other = job().with("MANIFESTS_E2E_FORK_SHA", "9".repeat(40)).run();
        other.refused(2, &format!("is about commit {head}"));
    }
    // Under `pull_request` there is nothing to protect: what is tested is what is planned.
    let job = Job::of("pull_request", json!({"pull_request": pull(&base, &head)})).at(&head);
    assert_eq!(
        job.clone_of(&repository, &head, None).run().names(),
        ["theirs"]
    );
}

#[test]
fn the_configuration_is_that_of_the_commit_and_not_of_the_directory() {
    let (repository, before) = Repository::with(CONFIG);
    let after = repository.commit(&[("first/a", "1")]);
    let job = Job::of("push", push(&before, &after))
        .at(&after)
        .clone_of(&repository, &after, None);
    fs::write(
        job.dir.path().join("clone/prow_config.yaml"),
        "workflows: [{name: written-later}]",
    )
    .unwrap();
    assert_eq!(job.run().names(), ["first"]);
}

#[test]
fn text_of_a_pull_request_is_data() {
    let (repository, _) = Repository::with(CONFIG);
    let (base, head, tried) = branch(
        &repository,
        &[("second/$(touch pwned)`touch pwned`\n::error::x", "1")],
    );
    let hostile = "$(touch pwned)`touch pwned`;touch pwned;#\"'\n::set-output name=any::false\n";
    let mut event = pull(&base, &head);
    event["title"] = json!(hostile);
    event["head"]["ref"] = json!(hostile);
    event["user"]["login"] = json!(hostile);
    let job = Job::of("pull_request", json!({"pull_request": event}))
        .at(&tried)
        .with("INPUT_EXPLAIN", "true");
    let planned = job.clone_of(&repository, &tried, None).run();
    assert_eq!(planned.names(), ["second", "always"]);
    let env: Value =
        serde_json::from_str(&fs::read_to_string(&planned.outputs["env-file"]).unwrap()).unwrap();
    assert_eq!(
        (&env["PULL_TITLE"], &env["PULL_HEAD_REF"]),
        (&json!(hostile), &json!(hostile))
    );
    for (name, value) in &planned.outputs {
        assert!(
            !value.contains("touch pwned;#"),
            "{name} has text of the pull request: {value}"
        );
    }
    assert!(
        !planned
            .said
            .lines()
            .any(|line| line.starts_with("::set-output") || line.starts_with("::error::x")),
        "{}",
        planned.said
    );
    let mut left = vec![PathBuf::from(planned.dir.path())];
    while let Some(path) = left.pop() {
        assert!(!path.ends_with("pwned"), "{}", path.display());
        if path.is_dir() && !path.ends_with(".git") {
            left.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
}
