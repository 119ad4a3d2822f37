use serde_json::{Value, json};

use super::*;

const BASE: &str = "f95f852bd8fca8fcc58a9a2d6c842781e32a215e";
const HEAD: &str = "ec26c3e57ca3a959ca5aad62de7213c562f8c821";
const TRIED: &str = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";
const NONE: &str = "0000000000000000000000000000000000000000";

fn payload(value: Value) -> Payload {
    serde_json::from_value(value).unwrap()
}

fn repository() -> Value {
    json!({"full_name": "Codertocat/Hello-World", "default_branch": "master"})
}

fn pull() -> Value {
    json!({
        "number": 2,
        "title": "$(touch pwned)",
        "user": {"login": "Codertocat"},
        "base": {"ref": "master", "sha": BASE},
        "head": {"ref": "changes; touch pwned", "sha": HEAD, "repo": null},
    })
}

fn beside() -> Beside<'static> {
    Beside {
        sha: Some(TRIED),
        ..Beside::default()
    }
}

fn tell(event: &str, value: Value) -> Subject {
    of(event, &payload(value), beside()).unwrap()
}

fn refused(event: &str, value: Value) -> String {
    of(event, &payload(value), beside())
        .unwrap_err()
        .to_string()
}

#[test]
fn a_pull_request_is_a_presubmit_of_what_it_adds() {
    let subject = tell(
        "pull_request",
        json!({"repository": repository(), "pull_request": pull()}),
    );
    assert_eq!(
        (subject.job, subject.repository().as_str()),
        (JobType::Presubmit, "Codertocat/Hello-World")
    );
    assert_eq!(
        (subject.base_ref.as_deref(), subject.base_sha.as_deref()),
        (Some("master"), Some(BASE))
    );
    assert_eq!(subject.commit.as_deref(), Some(HEAD));
    let since = Range::SinceParted {
        base: Base::Commit(BASE.to_owned()),
        head: HEAD.to_owned(),
    };
    assert_eq!(subject.range, since);
    assert_eq!(
        subject.config,
        Trust::UnderTest(vec![TRIED.to_owned(), HEAD.to_owned()])
    );
}

#[test]
fn where_there_are_secrets_the_configuration_is_the_bases_unless_the_head_was_named() {
    for event in ["pull_request_target", "issue_comment"] {
        let value = json!({
            "repository": repository(), "issue": {"number": 2, "pull_request": {}}, "comment": {}, "pull_request": pull(),
        });
        let told = payload(value);
        let with = |allowed| {
            of(
                event,
                &told,
                Beside {
                    allowed,
                    ..beside()
                },
            )
        };
        assert_eq!(with(None).unwrap().config, Trust::Only(BASE.to_owned()));
        let upper = HEAD.to_uppercase();
        assert_eq!(
            with(Some(&upper)).unwrap().config,
            Trust::Only(HEAD.to_owned())
        );
        let error = with(Some(TRIED)).unwrap_err();
        assert!(
            error
                .to_string()
                .contains(&format!("is `{TRIED}`, but {event} is about commit {HEAD}")),
            "{error}"
        );
        // No other type of job opens that door.
        for job in [JobType::Periodic, JobType::Postsubmit] {
            let subject = of(
                event,
                &told,
                Beside {
                    job: Some(job),
                    ..beside()
                },
            )
            .unwrap();
            assert_eq!(subject.config, Trust::Only(BASE.to_owned()), "{job}");
        }
    }
}

#[test]
fn a_comment_needs_the_pull_request_that_it_is_on() {
    let on = payload(
        json!({"issue": {"number": 7, "pull_request": {"url": "x"}}, "comment": {"body": "/test"}}),
    );
    assert_eq!(
        (on.event(), on.missing_pull()),
        (Some("issue_comment"), Some(7))
    );
    let issue = json!({"repository": repository(), "issue": {"number": 7}, "comment": {}});
    assert_eq!(payload(issue.clone()).missing_pull(), None);
    assert_eq!(
        refused("issue_comment", issue),
        "issue_comment: it is about no pull request"
    );
}

#[test]
fn a_push_counts_from_before_to_after() {
    let push = |reference: &str, before: &str, after: &str| json!({"repository": repository(), "ref": reference, "before": before, "after": after});
    let subject = tell("push", push("refs/heads/master", BASE, HEAD));
    assert_eq!(
        (subject.job, subject.base_ref.as_deref()),
        (JobType::Postsubmit, Some("master"))
    );
    assert_eq!(
        (subject.base_sha.as_deref(), subject.commit.as_deref()),
        (Some(HEAD), Some(HEAD))
    );
    let between = Range::Between {
        before: BASE.to_owned(),
        after: HEAD.to_owned(),
    };
    assert_eq!(subject.range, between);
    assert_eq!(subject.config, Trust::UnderTest(vec![HEAD.to_owned()]));
    let fresh = tell("push", push("refs/heads/v1-branch", NONE, HEAD));
    let since = Range::SinceParted {
        base: Base::Branch("master".to_owned()),
        head: HEAD.to_owned(),
    };
    assert_eq!(fresh.range, since);
    assert!(matches!(
        tell("push", push("refs/heads/master", NONE, HEAD)).range,
        Range::All(_)
    ));
    let tag = tell("push", push("refs/tags/v1", BASE, HEAD));
    assert!(matches!(tag.range, Range::All(_)));
    assert_eq!(tag.base_ref.as_deref(), Some("v1"));
    let gone = refused("push", push("refs/tags/simple-tag", TRIED, NONE));
    assert_eq!(
        gone,
        "push: simple-tag was deleted: there is nothing to test"
    );
}

#[test]
fn a_merge_queue_is_a_batch_of_its_own_commit() {
    let group = json!({
        "head_sha": HEAD, "base_sha": BASE, "base_ref": "refs/heads/main",
        "head_ref": format!("refs/heads/gh-readonly-queue/main/pr-104-{BASE}"),
    });
    let told = payload(json!({"repository": repository(), "merge_group": group}));
    assert_eq!(told.event(), Some("merge_group"));
    let subject = of("merge_group", &told, beside()).unwrap();
    assert_eq!(
        (subject.job, subject.base_ref.as_deref()),
        (JobType::Batch, Some("main"))
    );
    assert_eq!(subject.group, Some((HEAD.to_owned(), Some(104))));
    assert_eq!(subject.config, Trust::UnderTest(vec![HEAD.to_owned()]));
}

#[test]
fn a_schedule_and_a_start_by_hand_are_periodic() {
    for (event, value) in [
        ("schedule", json!({"schedule": "0 3 * * *"})),
        (
            "workflow_dispatch",
            json!({"workflow": "e2e.yml", "inputs": null, "ref": "refs/heads/main"}),
        ),
        (
            "repository_dispatch",
            json!({"client_payload": {}, "action": "x"}),
        ),
    ] {
        let told = payload(value);
        assert_eq!(told.event(), Some(event));
        let beside = Beside {
            repository: Some("o/r"),
            branch: Some("main"),
            ..beside()
        };
        let subject = of(event, &told, beside).unwrap();
        assert_eq!((subject.job, subject.base_ref), (JobType::Periodic, None));
        assert_eq!(subject.config, Trust::UnderTest(vec![TRIED.to_owned()]));
    }
}

#[test]
fn what_is_no_commit_and_no_repository_never_becomes_a_word_of_git() {
    let mut hostile = pull();
    hostile["head"]["sha"] = json!("--upload-pack=touch pwned");
    let value = json!({"repository": repository(), "pull_request": hostile});
    assert_eq!(
        refused("pull_request", value),
        "pull_request: the head of its pull request is no commit"
    );
    let value = json!({"repository": {"full_name": "a/../b"}, "pull_request": pull()});
    assert_eq!(
        refused("pull_request", value),
        "pull_request: its repository is no owner/name"
    );
    let value = json!({"repository": repository()});
    assert_eq!(
        refused("watch", value.clone()),
        "no type of job is that of the event `watch`"
    );
    assert_eq!(
        refused("push", value),
        "push: it has no `ref`, `before` and `after`"
    );
}
