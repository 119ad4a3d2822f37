//! `plan` as a step runs it: events, clones as actions/checkout leaves them, GitHub's API on a port.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

mod limits;
mod repository;
mod trust;

use std::{collections::BTreeMap, fs};

use manifests_e2e::stages::Stage;
use serde_json::{Value, json};
use tempfile::TempDir;

use self::repository::{Api, Mood, Repository};
use super::support::step::{Step, outputs};

const CONFIG: &str = "workflows:
- {name: first, include_dirs: ['first/*']}
- {name: second, include_dirs: ['second/*']}
- {name: always, job_types: [presubmit]}
";

/// A job that plans.
struct Job {
    dir: TempDir,
    event: &'static str,
    vars: Vec<(&'static str, String)>,
}

/// How it ended.
struct Planned {
    code: Option<i32>,
    said: String,
    outputs: BTreeMap<String, String>,
    dir: TempDir,
}

impl Job {
    fn of(event: &'static str, mut payload: Value) -> Self {
        let dir = TempDir::new().unwrap();
        payload["repository"] = json!({"full_name": "o/r", "default_branch": "main"});
        fs::write(dir.path().join("event.json"), payload.to_string()).unwrap();
        Self {
            dir,
            event,
            vars: Vec::new(),
        }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.vars.push((name, value.into()));
        self
    }

    fn at(self, commit: &str) -> Self {
        self.with("GITHUB_SHA", commit)
    }

    fn clone_of(self, repository: &Repository, commit: &str, depth: Option<u32>) -> Self {
        let path = repository.checkout(commit, depth, &self.dir.path().join("clone"));
        self.with("INPUT_CHECKOUT", path.to_str().unwrap())
    }

    fn asking(self, api: &Api) -> Self {
        self.with("GITHUB_API_URL", &api.url)
    }

    fn run(self) -> Planned {
        let path = self.dir.path().join("event.json");
        let mut vars = vec![
            ("GITHUB_EVENT_NAME", self.event),
            ("GITHUB_EVENT_PATH", path.to_str().unwrap()),
            ("GITHUB_RUN_NUMBER", "12345"),
            ("GITHUB_RUN_ATTEMPT", "2"),
            ("INPUT_TIMEOUT", "30s"),
        ];
        vars.extend(
            self.vars
                .iter()
                .map(|(name, value)| (*name, value.as_str())),
        );
        let output = Step::of(Stage::Plan).run(self.dir.path(), &vars);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Planned {
            code: output.status.code(),
            said: text(&output.stderr) + &text(&output.stdout),
            outputs: outputs(self.dir.path()),
            dir: self.dir,
        }
    }
}

impl Planned {
    fn entries(&self) -> Vec<Value> {
        assert_eq!(self.code, Some(0), "{}", self.said);
        let matrix: Value = serde_json::from_str(&self.outputs["matrix"]).unwrap();
        matrix["include"].as_array().unwrap().clone()
    }

    fn names(&self) -> Vec<String> {
        let entries = self.entries();
        let names = entries
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned());
        names.collect()
    }

    fn refused(&self, code: i32, part: &str) {
        assert_eq!(self.code, Some(code), "{}", self.said);
        assert!(self.said.contains(part), "{part}: {}", self.said);
        assert!(!self.outputs.contains_key("matrix"), "{:?}", self.outputs);
    }
}

fn push(before: &str, after: &str) -> Value {
    json!({"ref": "refs/heads/main", "before": before, "after": after, "created": false, "deleted": false, "forced": false})
}

fn pull(base: &str, head: &str) -> Value {
    json!({
        "number": 7,
        "title": "a title",
        "user": {"login": "somebody"},
        "base": {"ref": "main", "sha": base},
        "head": {"ref": "topic", "sha": head, "repo": {"full_name": "fork/r"}},
    })
}

/// A branch that has left `main` some time ago, with these files in its one commit: base, head, and the merge that GitHub tries.
fn branch(repository: &Repository, files: &[(&str, &str)]) -> (String, String, String) {
    repository.git(&["checkout", "-q", "-b", "topic"]);
    let head = repository.commit(files);
    repository.git(&["checkout", "-q", "main"]);
    let base = repository.commit(&[("first/of-main", "not of the pull request")]);
    repository.git(&["checkout", "-q", "--detach"]);
    repository.git(&["merge", "-q", "--no-edit", "topic"]);
    let tried = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["checkout", "-q", "main"]);
    (base, head, tried)
}

#[test]
fn a_push_of_five_commits_counts_all_of_them() {
    let (repository, before) = Repository::with(CONFIG);
    repository.commit(&[("first/a", "1")]);
    let mut after = String::new();
    for number in 0..4 {
        after = repository.commit(&[("elsewhere", &number.to_string())]);
    }
    let full = Job::of("push", push(&before, &after))
        .at(&after)
        .clone_of(&repository, &after, None)
        .run();
    assert_eq!(full.names(), ["first"]);
    let skipped: Value = serde_json::from_str(&full.outputs["skipped"]).unwrap();
    let why = json!([
        {"name": "second", "why": "none of 2 changed files matches `second/*`"},
        {"name": "always", "why": "it is for presubmit"},
    ]);
    assert_eq!(skipped, why);
    // The usual checkout has one commit.
    let api = Api::of(&repository, Mood::default());
    let job =
        Job::of("push", push(&before, &after))
            .at(&after)
            .clone_of(&repository, &after, Some(1));
    assert_eq!(job.asking(&api).run().names(), ["first"]);
    let trees = api
        .asked()
        .iter()
        .filter(|(route, _)| route.contains("/git/trees/"))
        .count();
    assert_eq!(trees, 2, "{:?}", api.asked());
}

#[test]
fn a_pull_request_counts_what_it_adds_since_it_parted() {
    let (repository, _) = Repository::with(CONFIG);
    let (base, head, tried) = branch(&repository, &[("second/a", "1")]);
    let event = || Job::of("pull_request", json!({"pull_request": pull(&base, &head)})).at(&tried);
    let full = event().clone_of(&repository, &tried, None).run();
    assert_eq!(full.names(), ["second", "always"], "{}", full.said);
    let entry = &full.entries()[0];
    let run = entry["run_name"].as_str().unwrap();
    assert!(
        run.starts_with(&format!("o-r-presubmit-second-7-{}-2345-", &head[..7])),
        "{run}"
    );
    assert_eq!(entry["labels"]["PULL_NUMBER"], "7");
    assert_eq!(entry["labels"]["BUILD_ID"], "1-2");
    let prow: Value = serde_json::from_str(&full.outputs["prow"]).unwrap();
    assert_eq!(
        (&prow["PULL_PULL_SHA"], &prow["BUILD_NUMBER"]),
        (&json!(head), &json!("12345"))
    );
    assert_eq!(
        (full.outputs["any"].as_str(), full.outputs["sha"].as_str()),
        ("true", head.as_str())
    );
    let api = Api::of(&repository, Mood::default());
    // One commit, and no clone at all.
    assert_eq!(
        event()
            .clone_of(&repository, &tried, Some(1))
            .asking(&api)
            .run()
            .names(),
        ["second", "always"]
    );
    let none = event().asking(&api).with("GITHUB_TOKEN", "a-token").run();
    assert_eq!(none.names(), ["second", "always"]);
    let tokens: Vec<bool> = api.asked().into_iter().map(|(_, token)| token).collect();
    assert!(
        tokens.contains(&true) && tokens.contains(&false),
        "a token is used where there is one: {tokens:?}"
    );
}

#[test]
fn a_merge_base_that_is_not_there_is_told_with_the_remedy() {
    let (repository, _) = Repository::with(CONFIG);
    let (base, head, tried) = branch(&repository, &[("second/a", "1")]);
    let event = Job::of("pull_request", json!({"pull_request": pull(&base, &head)})).at(&tried);
    let planned = event.clone_of(&repository, &tried, Some(2)).run();
    planned.refused(
        3,
        "cannot tell which files are changed: this clone is shallow; GitHub's API: ",
    );
    assert!(planned.said.contains("fetch-depth: 0"), "{}", planned.said);
}

#[test]
fn a_pull_request_of_3500_files_is_seen_to_its_last() {
    let (repository, _) = Repository::with(CONFIG);
    let names: Vec<String> = (0..3500)
        .map(|number| format!("docs/{}/{number:04}.md", number % 40))
        .collect();
    let mut files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    files.push(("second/z/deep/last", "x"));
    let (base, head, tried) = branch(&repository, &files);
    let event = || Job::of("pull_request", json!({"pull_request": pull(&base, &head)})).at(&tried);
    let api = Api::of(&repository, Mood::default());
    let planned = event().asking(&api).run();
    assert_eq!(planned.names(), ["second", "always"]);
    assert!(api.asked().len() < 12, "{:?}", api.asked());
    let summary = fs::read_to_string(planned.dir.path().join("summary")).unwrap();
    assert!(summary.contains("3501 changed files"), "{summary}");
    // A tree that is too large to be listed at once is walked.
    let mood = Mood {
        most_entries: Some(500),
        ..Mood::default()
    };
    let api = Api::of(&repository, mood);
    let planned = event().asking(&api).run();
    assert_eq!(planned.names(), ["second", "always"]);
    let summary = fs::read_to_string(planned.dir.path().join("summary")).unwrap();
    assert!(summary.contains("3501 changed files"), "{summary}");
}

#[test]
fn both_names_of_a_file_that_moved_count() {
    let (repository, _) = Repository::with(CONFIG);
    let before = repository.commit(&[("first/a", &"the same content\n".repeat(40))]);
    repository.git(&["mv", "first", "second"]);
    let after = repository.commit(&[]);
    let event = || Job::of("push", push(&before, &after)).at(&after);
    assert_eq!(
        event().clone_of(&repository, &after, None).run().names(),
        ["first", "second"]
    );
    let api = Api::of(&repository, Mood::default());
    assert_eq!(event().asking(&api).run().names(), ["first", "second"]);
}

#[test]
fn a_push_whose_beginning_is_gone_runs_everything() {
    let (repository, _) = Repository::with(CONFIG);
    let after = repository.commit(&[("elsewhere", "1")]);
    let api = Api::of(&repository, Mood::default());
    let event = Job::of("push", push(&"9".repeat(40), &after)).at(&after);
    let planned = event.clone_of(&repository, &after, None).asking(&api).run();
    assert_eq!(planned.names(), ["first", "second"]);
    assert!(
        planned.said.contains("where this push began, is gone"),
        "{}",
        planned.said
    );
}
