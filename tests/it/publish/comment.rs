//! The comment on the pull request: one, with the newest result, whoever publishes when.

use super::{
    super::support::github::forge::{Comment, Fault, Forge, Token},
    DEPLOYED, FAILED, HEAD, HOSTILE, Job, Published, crash,
};

const OTHER: &str = "abcdefabcdefabcdefabcdefabcdefabcdefabcd";

/// A forge on whose pull request nothing was said, whose head is what was tested.
fn forge() -> Forge {
    let forge = Forge::with(HEAD);
    forge.repository().commits.push(OTHER.to_owned());
    forge
}

fn job(forge: &Forge, run: u64) -> Job {
    Job::on(forge)
        .run_of(run)
        .with("INPUT_TO", "comment")
        .with("INPUT_TIMEOUT", "18s")
}

fn red(forge: &Forge, run: u64) -> Published {
    job(forge, run).after(&[FAILED]).run().passed()
}

fn green(forge: &Forge, run: u64) -> Published {
    job(forge, run).after(&[DEPLOYED]).run().passed()
}

fn only(forge: &Forge) -> Comment {
    let comments = forge.repository().comments.clone();
    let [one] = comments.as_slice() else {
        panic!("{comments:#?}");
    };
    one.clone()
}

/// Whether the comment shows the result of this run.
fn is_of(comment: &Comment, run: u64) -> bool {
    comment.body.contains(&format!("/actions/runs/{run}/"))
}

#[test]
fn one_comment_goes_with_the_job_and_is_hidden_once_it_passes() {
    let forge = forge();
    green(&forge, 40);
    assert!(
        forge.repository().comments.is_empty(),
        "nobody needs to hear it"
    );
    let pending = job(&forge, 41)
        .with("INPUT_STATE", "pending")
        .run()
        .passed();
    assert_eq!(pending.outputs["told"], "");
    let first = job(&forge, 41)
        .after(&[FAILED])
        .gathered(&crash())
        .run()
        .passed();
    assert_eq!(first.outputs["told"], "comment");
    let made = only(&forge);
    assert!(
        made.body.contains("### ❌ `e2e / e2e` failed"),
        "{}",
        made.body
    );
    assert!(
        made.body.contains("Deployment sample/web: exit code 1"),
        "{}",
        made.body
    );
    assert!(
        made.body.contains("Commit 1234567890, [the run"),
        "{}",
        made.body
    );
    green(&forge, 42);
    let hidden = only(&forge);
    assert_eq!(
        (hidden.id.as_str(), hidden.is_hidden),
        (made.id.as_str(), true)
    );
    assert!(
        hidden.body.contains("### ✅ `e2e / e2e` passed"),
        "{}",
        hidden.body
    );
    red(&forge, 43);
    let again = only(&forge);
    assert_eq!((again.id, again.is_hidden), (made.id, false));
    // Another job has a comment of its own.
    job(&forge, 43)
        .with("INPUT_NAME", "other")
        .after(&[FAILED])
        .run()
        .passed();
    assert_eq!(forge.repository().comments.len(), 2);
}

#[test]
fn two_that_publish_at_once_leave_one_comment_with_the_newest() {
    for first in [42, 43] {
        let forge = forge();
        // Both have looked before either writes.
        forge.trouble("look", 2, Fault::meeting(2));
        std::thread::scope(|scope| {
            for run in [first, 85 - first] {
                let forge = &forge;
                scope.spawn(move || red(forge, run));
            }
        });
        assert!(is_of(&only(&forge), 43), "{}", only(&forge).body);
        assert_eq!(forge.count("addComment"), 2, "{:?}", forge.asked());
    }
}

#[test]
fn a_write_that_is_overtaken_does_not_bring_the_older_result_back() {
    let forge = forge();
    red(&forge, 40);
    forge.trouble("look", 2, Fault::meeting(2));
    forge.trouble("updateIssueComment", 1, Fault::Late(600));
    std::thread::scope(|scope| {
        let forge = &forge;
        scope.spawn(move || green(forge, 43));
        scope.spawn(move || red(forge, 42));
    });
    let comment = only(&forge);
    assert!(is_of(&comment, 43) && comment.is_hidden, "{comment:?}");
}

#[test]
fn an_older_run_attempt_or_commit_changes_nothing() {
    let forge = forge();
    job(&forge, 43)
        .with("GITHUB_RUN_ATTEMPT", "2")
        .after(&[FAILED])
        .run()
        .passed();
    for (run, attempt) in [(42, "7"), (43, "1")] {
        let older = job(&forge, run).with("GITHUB_RUN_ATTEMPT", attempt);
        let older = older.after(&[DEPLOYED]).run().passed();
        assert!(
            older.said.contains("a newer run has told its result"),
            "{}",
            older.said
        );
    }
    // A later run of a commit that the pull request has left behind.
    let older = job(&forge, 99).with("INPUT_SHA", OTHER).after(&[DEPLOYED]);
    older.run().passed();
    let comment = only(&forge);
    assert!(
        is_of(&comment, 43) && comment.edits == 0 && !comment.is_hidden,
        "{comment:?}"
    );
    // A push: what was the head is not, and a run that was made before is about the head now.
    forge.repository().head = OTHER.to_owned();
    let newer = job(&forge, 41).with("INPUT_SHA", OTHER).after(&[FAILED]);
    newer.run().passed();
    assert!(is_of(&only(&forge), 41), "{comment:?}");
}

#[test]
fn what_is_lost_late_or_not_shown_yet_is_not_said_twice() {
    let faults = [
        ("addComment", Fault::LostAnswer),
        ("addComment", Fault::LostRequest),
        ("addComment", Fault::Unavailable),
        ("addComment", Fault::Forgotten),
        ("addComment", Fault::Throttled(1)),
        ("look", Fault::Spent(0)),
        ("look", Fault::LostAnswer),
    ];
    std::thread::scope(|scope| {
        for (number, (on, fault)) in faults.into_iter().enumerate() {
            scope.spawn(move || {
                let forge = forge();
                forge.trouble(on, 1, fault);
                let job = red(&forge, 42);
                let comments = forge.repository().comments.len();
                assert_eq!(comments, 1, "{number}: {} {:?}", job.said, forge.asked());
                assert_eq!(job.outputs["told"], "comment", "{number}: {}", job.said);
            });
        }
        scope.spawn(|| {
            let forge = forge();
            // The first look is true, the next two come from a copy that is behind.
            forge.trouble("look", 1, Fault::Late(0));
            forge.trouble("look", 2, Fault::Stale);
            red(&forge, 42);
            assert_eq!(forge.count("addComment"), 1, "{:?}", forge.asked());
            assert!(is_of(&only(&forge), 42));
        });
    });
}

#[test]
fn a_comment_that_is_not_ours_is_let_be() {
    let forge = forge();
    red(&forge, 42);
    let ours = only(&forge);
    let strangers: Vec<Comment> = ["somebody", "github-actions", "dependabot[bot]"]
        .map(|login| Comment {
            login: login.to_owned(),
            id: format!("IC_{login}"),
            ..ours.clone()
        })
        .to_vec();
    {
        let mut repository = forge.repository();
        repository.comments.splice(0..0, strangers);
        // Ours is on the second page.
        repository.page = 3;
    }
    green(&forge, 43);
    let comments = forge.repository().comments.clone();
    assert_eq!(comments.len(), 4);
    assert!(
        comments[..3]
            .iter()
            .all(|one| one.edits == 0 && !one.is_hidden)
    );
    assert!(comments[3].is_hidden && is_of(&comments[3], 43));
    // A token of a person knows its own.
    let person = Token {
        login: "somebody",
        ..Token::default()
    };
    forge.repository().tokens.insert("token".to_owned(), person);
    red(&forge, 44);
    let comments = forge.repository().comments.clone();
    assert!(
        is_of(&comments[0], 44) && comments.len() == 4,
        "{comments:#?}"
    );
}

#[test]
fn a_token_that_only_reads_or_ends_is_a_warning() {
    let forge = forge();
    let reads = Token {
        may: &[],
        ..Token::default()
    };
    forge.repository().tokens.insert("token".to_owned(), reads);
    let job = red(&forge, 42);
    let said = "comment: GitHub could not be told: 200: Resource not accessible by integration; the job needs `pull-requests: write`";
    assert!(job.said.contains(said), "{}", job.said);
    let ends = Token {
        left: 2,
        ..Token::default()
    };
    forge.repository().tokens.insert("token".to_owned(), ends);
    let job = red(&forge, 42);
    assert!(
        job.said
            .contains("comment: GitHub could not be told: 401: Bad credentials"),
        "{}",
        job.said
    );
    assert_eq!(forge.repository().comments.len(), 1);
}

#[test]
fn text_of_a_pod_is_no_markdown_and_names_nobody() {
    let forge = forge();
    let because = serde_json::json!([{"class": "CrashLoop", "affects": [HOSTILE], "cause": format!("```\n{HOSTILE}")}]);
    let stage = ("deploy-manifests", Some(1), HOSTILE);
    let job = job(&forge, 42).after(&[stage]).gathered(&because);
    job.with("INPUT_NAME", HOSTILE).run().passed();
    let body = only(&forge).body;
    let mut fence = None;
    for line in body.lines().skip(1) {
        match fence {
            Some(open) if line == open => fence = None,
            Some(_) => {}
            None if line.starts_with("```") => fence = Some(line.trim_end_matches("text")),
            // The name stands in code, too.
            None if line.starts_with("### ❌ `") => assert_eq!(line.matches('`').count(), 2),
            None => assert!(
                !line.contains('@') && !line.contains('<') || line.starts_with("Commit "),
                "{line}"
            ),
        }
    }
    assert_eq!(fence, None, "{body}");
}

#[test]
fn a_run_of_a_fork_finds_its_pull_request_by_the_branch() {
    let forge = forge();
    forge.repository().label = format!("fork:{HOSTILE}");
    let run = serde_json::json!({"workflow_run": {
        "event": "pull_request", "head_sha": HEAD, "head_branch": HOSTILE, "pull_requests": [],
        "head_repository": {"owner": {"login": "fork"}},
    }});
    let job = job(&forge, 42);
    let event = job.dir.path().join("event.json");
    std::fs::write(event, run.to_string()).unwrap();
    let job = job
        .with("GITHUB_EVENT_NAME", "workflow_run")
        .with("JOB_STATUS", "success");
    let failed = job
        .with("INPUT_STATE", "failure")
        .with("INPUT_CAUSE", "it said no");
    assert_eq!(failed.run().passed().outputs["told"], "comment");
    assert!(only(&forge).body.contains("it said no"));
}
