//! Text that anybody may write (titles, branches, inputs, events) and code of forks: neither gets anywhere.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use manifests_e2e::stages::Stage;
use tempfile::TempDir;

use crate::it::support::{root, step::Step};

/// Each would leave a file `pwned` where a shell took it for more than text.
const CORPUS: [&str; 3] = [
    "$(touch pwned)`touch pwned`;touch pwned;#\"; touch pwned; \"'; touch pwned; '",
    "a\ntouch pwned\n$(touch pwned)",
    "${{ github.token }}$(touch pwned)",
];
/// Of the event fixtures.
const HEAD: &str = "1234567890abcdef1234567890abcdef12345678";

/// Every file below a directory that a command of the corpus would have made.
fn pwned(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.ends_with("pwned") {
            found.push(path);
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(pwned(&path));
        }
    }
    found
}

/// The first step of a stage's action, or of the root action.
fn step(stage: Option<Stage>) -> Step {
    stage.map_or_else(|| Step::of_the_chain("run"), Step::of)
}

#[test]
fn text_of_a_pull_request_reaches_no_shell() {
    let mut work = Vec::new();
    for stage in Stage::ALL.map(Some).into_iter().chain([None]) {
        let names: Vec<String> = step(stage).env.into_keys().collect();
        // The way of an input does not depend on its name: each meets one text, and each stage meets all of them.
        for name in names.into_iter().filter(|name| name != "INPUT_TIMEOUT") {
            let text = CORPUS[work.len() % CORPUS.len()];
            work.push((stage, name, text));
        }
    }
    let whole = work.len();
    let work = Mutex::new(work);
    let ran = Mutex::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some((stage, name, text)) = work.lock().unwrap().pop() else {
                        return;
                    };
                    let dir = TempDir::new().unwrap();
                    let event = root().join("tests/events/pull_request_target-own.json");
                    let output = step(stage).run(
                        dir.path(),
                        &[
                            // This machine, so that what is meant for a host's shell gets to one.
                            ("INPUT_PROVIDER", "local"),
                            // Of the whole chain no more than may be tried here.
                            ("INPUT_LINT_ONLY", if stage.is_none() { "true" } else { "" }),
                            ("GITHUB_HEAD_REF", text),
                            ("GITHUB_REF_NAME", text),
                            ("GITHUB_ACTOR", text),
                            ("GITHUB_EVENT_NAME", "pull_request"),
                            ("GITHUB_EVENT_PATH", event.to_str().unwrap()),
                            (&name, text),
                        ],
                    );
                    assert!(output.status.code().is_some(), "{stage:?} {name}");
                    assert_eq!(
                        pwned(dir.path()),
                        Vec::<PathBuf>::new(),
                        "{stage:?} {name}: {text}"
                    );
                    *ran.lock().unwrap() += 1;
                }
            });
        }
    });
    assert_eq!(*ran.lock().unwrap(), whole);
    assert!(whole > 100, "{whole}");
    assert!(!root().join("pwned").exists());
}

#[test]
fn a_text_that_a_shell_does_run_would_be_seen() {
    let dir = TempDir::new().unwrap();
    let mut step = Step::of(Stage::Teardown);
    step.script = "eval \"echo $INPUT_REGION\"".to_owned();
    step.run(dir.path(), &[("INPUT_REGION", CORPUS[0])]);
    assert_eq!(pwned(dir.path()).len(), 1, "the test above can fail");
}

/// A stage's step under an event of `tests/events`.
fn under(event: &str, stage: Stage, more: &[(&str, &str)]) -> (Option<i32>, String) {
    run_under(event, &Step::of(stage), more)
}

fn run_under(event: &str, step: &Step, more: &[(&str, &str)]) -> (Option<i32>, String) {
    let dir = TempDir::new().unwrap();
    let checkout = more.iter().find(|(name, _)| *name == "CHECKOUT");
    if let Some((_, at)) = checkout {
        fs::create_dir(dir.path().join(".git")).unwrap();
        fs::write(dir.path().join(".git/HEAD"), format!("{at}\n")).unwrap();
    }
    let file = root().join(format!("tests/events/{event}.json"));
    let name = event.split('-').next().unwrap();
    let vars = [
        ("GITHUB_EVENT_NAME", name),
        ("GITHUB_EVENT_PATH", file.to_str().unwrap()),
        ("GITHUB_SHA", "0000000000000000000000000000000000000000"),
        ("INPUT_PROVIDER", "local"),
    ];
    let output = step.run(dir.path(), &[&vars, more].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

#[test]
fn code_of_a_fork_is_refused_where_our_secrets_are() {
    for event in [
        "pull_request_target-fork",
        "pull_request_target-deleted-fork",
        "workflow_run-fork",
    ] {
        for stage in [
            Stage::ProvisionEc2,
            Stage::InstallKind,
            Stage::DeployManifests,
            Stage::RunMnistNotebookJob,
        ] {
            let (code, said) = under(event, stage, &[]);
            assert_eq!(code, Some(2), "{event} {stage:?}: {said}");
            assert!(said.contains(&format!("is about commit {HEAD}")), "{said}");
            assert!(said.contains("MANIFESTS_E2E_FORK_SHA"), "{said}");
        }
        let (code, said) = run_under(event, &Step::of_the_chain("run"), &[]);
        assert_eq!(code, Some(2), "{event}: {said}");
        assert!(said.contains(&format!("is about commit {HEAD}")), "{said}");
        // What ends things has to run.
        let (_, said) = under(event, Stage::Teardown, &[]);
        assert!(!said.contains("is about commit"), "{said}");
    }
    for event in ["pull_request_target-own", "workflow_run-own"] {
        let (code, said) = under(event, Stage::ProvisionEc2, &[]);
        assert_eq!(code, Some(0), "{event}: {said}");
    }
}

#[test]
fn a_fork_is_opted_in_by_one_whole_commit_and_no_other() {
    let opted = |sha: &str, checkout: &str| {
        let more = [("MANIFESTS_E2E_FORK_SHA", sha), ("CHECKOUT", checkout)];
        under("pull_request_target-fork", Stage::ProvisionEc2, &more)
    };
    let other = "f".repeat(40);
    for (sha, checkout, code, words) in [
        (HEAD, HEAD, 0, ""),
        (HEAD, "0000000000000000000000000000000000000000", 0, ""),
        (&HEAD[..12], HEAD, 2, "is about commit"),
        (other.as_str(), HEAD, 2, "is about commit"),
        ("true", HEAD, 2, "is about commit"),
        (HEAD, other.as_str(), 2, "the workspace is at"),
        (
            HEAD,
            "ref: refs/heads/main",
            2,
            "the workspace is at refs/heads/main",
        ),
        (
            HEAD,
            "ref: refs/../../../etc/hostname",
            2,
            "the workspace is at",
        ),
    ] {
        let (exit, said) = opted(sha, checkout);
        assert_eq!(exit, Some(code), "{sha} {checkout}: {said}");
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_comment_runs_what_the_workflow_is_of_or_the_commit_that_was_named() {
    let ours = "0000000000000000000000000000000000000000";
    let commented = |event: &str, more: &[(&str, &str)]| under(event, Stage::ProvisionEc2, more);
    let fork = ("CHECKOUT", HEAD);
    for (event, more, code) in [
        ("issue_comment-pull", &[][..], 0),
        ("issue_comment-pull", &[("CHECKOUT", ours)], 0),
        ("issue_comment-pull", &[fork], 2),
        (
            "issue_comment-pull",
            &[("CHECKOUT", "ref: refs/heads/pull")],
            2,
        ),
        (
            "issue_comment-pull",
            &[fork, ("MANIFESTS_E2E_FORK_SHA", HEAD)],
            0,
        ),
        (
            "issue_comment-pull",
            &[fork, ("MANIFESTS_E2E_FORK_SHA", ours)],
            2,
        ),
        ("issue_comment-issue", &[fork], 0),
    ] {
        let (exit, said) = commented(event, more);
        assert_eq!(exit, Some(code), "{event} {more:?}: {said}");
        assert_eq!(said.contains("on a pull request"), code == 2, "{said}");
    }
    let (_, said) = under("issue_comment-pull", Stage::Teardown, &[fork]);
    assert!(!said.contains("on a pull request"), "{said}");
}

#[test]
fn an_event_that_cannot_be_read_is_refused() {
    for (text, words) in [
        ("", "cannot be told"),
        ("{}", "neither a pull request nor a run"),
        (
            r#"{"pull_request": {"head": {"sha": "main", "repo": {"full_name": "o/r"}}}}"#,
            "no commit",
        ),
    ] {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("event.json");
        fs::write(&file, text).unwrap();
        let output = Step::of(Stage::ProvisionEc2).run(
            dir.path(),
            &[
                ("GITHUB_EVENT_NAME", "pull_request_target"),
                ("GITHUB_EVENT_PATH", file.to_str().unwrap()),
                ("INPUT_PROVIDER", "local"),
            ],
        );
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(words), "{said}");
    }
}
