//! What many builds say together: flakes, streaks, and the documents that are made of them.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};

use super::{build::BuildResult, *};
use crate::{inputs::Environment, limits::Limit};

/// A tree in a directory.
pub(super) struct Tree(pub(super) tempfile::TempDir);

impl Tree {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn put(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// A build of a commit that began at that minute of an hour long ago; `cases` has a letter for each test: `P`, `F`, `S`.
    pub(super) fn build(&self, path: &str, minute: i64, commit: char, result: &str, cases: &str) {
        let began = 1_750_000_000 + minute * 60;
        let commit = commit.to_string().repeat(40);
        let started = json!({"timestamp": began, "repos": {"o/r": format!("main:{commit}")}});
        self.put(&format!("{path}/started.json"), started.to_string());
        let finished = json!({"timestamp": began + 90, "result": result});
        self.put(&format!("{path}/finished.json"), finished.to_string());
        let cases = cases.chars().enumerate().map(|(at, letter)| {
            let inner = match letter {
                'F' => "<failure message='it broke'/>",
                'S' => "<skipped/>",
                _ => "",
            };
            format!("<testcase name='t{at}'>{inner}</testcase>")
        });
        let report = format!("<testsuite>{}</testsuite>", cases.collect::<String>());
        self.put(&format!("{path}/artifacts/junit_a.xml"), report);
    }

    pub(super) async fn read(&self, jobs: &[&str], builds: usize) -> Result<History, HistoryError> {
        let access = Access::new(&Environment::default(), None).unwrap();
        let deadline = Deadline::after(Limit::secs(20));
        let name = self.0.path().to_str().unwrap();
        let source = Source::open(name, &access, deadline).await?;
        let jobs: Vec<String> = jobs.iter().map(|&job| job.to_owned()).collect();
        read(&source, "tree", &jobs, builds).await
    }
}

fn results(job: &JobHistory) -> BTreeMap<&str, &str> {
    let tests = job.tests.iter();
    tests
        .map(|it| (it.test.as_str(), it.results.as_str()))
        .collect()
}

#[tokio::test]
async fn history_tells_flakes_from_failures_and_from_the_infrastructure() {
    let tree = Tree::new();
    // Commit a: red, then green. Commit b: red twice. Commit c: green, and an error that counts as neither. Commit d: once.
    for (build, commit, result, cases) in [
        (1, 'a', "FAILURE", "PFP"),
        (2, 'a', "SUCCESS", "PPS"),
        (3, 'b', "FAILURE", "PFP"),
        (4, 'b', "FAILURE", "PFF"),
        (5, 'c', "SUCCESS", "PPP"),
        (6, 'c', "ERROR", "FFF"),
        (7, 'd', "FAILURE", "PPF"),
    ] {
        tree.build(&format!("logs/job/{build}"), build, commit, result, cases);
    }
    let history = tree.read(&[], 100).await.unwrap();
    let job = &history.jobs[0];
    assert_eq!(job.pass_rate, Some(0.3333));
    assert_eq!(job.count(BuildResult::Error), 1);
    let flakes = &job.flakes;
    assert_eq!(
        (flakes.commits, flakes.repeated_commits, flakes.count),
        (4, 2, 1)
    );
    assert_eq!(flakes.flake_rate, Some(0.5));
    assert_eq!(flakes.commit_consistency, Some(0.75));
    // Six runs, of which the red one of commit a did not agree.
    assert_eq!(flakes.build_consistency, Some(0.8333));
    assert_eq!(flakes.flaked, ["a".repeat(40)]);

    assert_eq!(
        results(job),
        [("t0", "PfPPPPP"), ("t1", "PfPFFPF"), ("t2", "FfPFPSP")].into()
    );
    let test = |name: &str| job.tests.iter().find(|it| it.test == name).unwrap();
    let steady = test("t0");
    assert_eq!(
        (steady.builds.failed, steady.flakes, &steady.failing),
        (0, 0, &None)
    );
    // On commit a it was both; on b it failed twice; on c the error is no run.
    let flaky = test("t1");
    assert_eq!((flaky.builds.passed, flaky.builds.failed), (3, 3));
    assert_eq!(
        (flaky.repeated_commits, flaky.flakes, flaky.flake_rate),
        (2, 1, Some(0.5))
    );
    assert_eq!(flaky.failing, None);
    // It was skipped once on commit a, which so ran once.
    let failing = test("t2");
    assert_eq!((failing.repeated_commits, failing.flakes), (1, 1));
    let streak = failing.failing.as_ref().unwrap();
    assert_eq!(
        (
            streak.builds,
            streak.since_build.as_str(),
            streak.passed_before
        ),
        (1, "7", true)
    );
    assert_eq!(failing.message, "it broke");
    assert_eq!(job.tests[0].test, "t2", "what fails comes first");
}

#[tokio::test]
async fn history_tells_since_when_a_test_fails_as_far_as_it_has_read() {
    let tree = Tree::new();
    for (build, cases) in [(1, "PF"), (2, "FF"), (3, "SF"), (4, "F"), (5, "FF")] {
        tree.build(&format!("logs/job/{build}"), build, 'a', "FAILURE", cases);
    }
    let since = |history: &History, name: &str| {
        let tests = history.jobs[0].tests.iter();
        let failing = tests
            .filter(|it| it.test == name)
            .find_map(|it| it.failing.clone());
        let failing = failing.unwrap();
        (failing.builds, failing.since_build, failing.passed_before)
    };
    let all = tree.read(&[], 100).await.unwrap();
    assert_eq!(since(&all, "t0"), (3, "2".to_owned(), true));
    assert_eq!(since(&all, "t1"), (4, "1".to_owned(), false));
    let newest = tree.read(&["job"], 2).await.unwrap();
    assert_eq!(since(&newest, "t0"), (2, "4".to_owned(), false));
    assert_eq!(
        (newest.jobs[0].builds.len(), newest.jobs[0].builds_found),
        (2, 5)
    );
}

#[tokio::test]
async fn history_finds_the_builds_of_every_layout() {
    let tree = Tree::new();
    for path in [
        "logs/job/1",
        "logs/o_r/job/2",
        "logs/my_job/8",
        "pr-logs/pull/o_r/7/job/3",
        "pr-logs/pull/o_r/8/job/4",
        "pr-logs/pull/batch/job/5",
        // What is no build.
        "logs/job/latest",
        "pr-logs/pull/o_r/seven/job/6",
        "last-passed/o_r/job/7",
    ] {
        tree.build(path, 1, 'a', "SUCCESS", "P");
    }
    tree.put("logs/job/latest-build.txt", "1");
    let paths = |history: &History| -> Vec<(String, usize)> {
        let jobs = history.jobs.iter();
        jobs.map(|job| (job.path.clone(), job.builds.len()))
            .collect()
    };
    let named = [
        ("logs/job".to_owned(), 1),
        ("logs/o_r/job".to_owned(), 1),
        ("pr-logs/directory/job".to_owned(), 2),
        ("pr-logs/pull/batch/job".to_owned(), 1),
    ];
    assert_eq!(paths(&tree.read(&["job"], 9).await.unwrap()), named);
    let all = paths(&tree.read(&[], 9).await.unwrap());
    assert_eq!(all.len(), 5, "{all:?}");
    assert!(all.contains(&("logs/my_job".to_owned(), 1)));
}

#[tokio::test]
async fn history_refuses_what_holds_no_build_and_names_what_is_there() {
    let tree = Tree::new();
    let refused = |error: HistoryError| (error.exit(), error.to_string(), error.hint().unwrap());
    let empty = refused(tree.read(&[], 9).await.unwrap_err());
    assert_eq!(
        (empty.0, empty.1.as_str()),
        (Exit::BadInput, "tree holds no build")
    );
    tree.build("logs/job/1", 1, 'a', "SUCCESS", "P");
    let unknown = refused(tree.read(&["job", "jab"], 9).await.unwrap_err());
    assert_eq!(unknown.1, "tree holds no build of jab");
    assert_eq!(unknown.2, "there are: job");

    let access = Access::new(&Environment::default(), None).unwrap();
    let deadline = Deadline::after(Limit::secs(20));
    for (source, said) in [
        ("/no/such/place", "cannot read /no/such/place: "),
        ("s3://B_", "`s3://B_` is not `s3://bucket/prefix`"),
    ] {
        let error = Source::open(source, &access, deadline).await.unwrap_err();
        let error = refused(error);
        assert_eq!(error.0, Exit::BadInput);
        assert!(error.1.starts_with(said), "{}", error.1);
    }
    let here = Source::open(".", &access, deadline).await.unwrap();
    assert_eq!(here.publishable().unwrap_err().exit(), Exit::BadInput);
}

#[tokio::test]
async fn history_of_hostile_names_is_escaped_and_on_one_line() {
    let tree = Tree::new();
    tree.build("logs/job/1", 1, 'a', "FAILURE", "P");
    let name = "&lt;script&gt;alert(1)&lt;/script&gt;&#27;[2J&#10;::error::x";
    let report = format!(
        "<testsuite name='&quot;&gt;'><testcase name='{name}'><failure message='&lt;img src=x&gt;'/></testcase></testsuite>"
    );
    tree.put("logs/job/1/artifacts/junit_b.xml", report);
    tree.put("logs/job/1/artifacts/report.html", "");
    let history = tree.read(&[], 9).await.unwrap();
    let text = table(&history);
    assert!(text.contains("<script>alert(1)</script>"), "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains("\n::"), "{text}");
    let page = page::page(&history, &history.jobs, Some("logs/job"));
    assert!(!page.contains("<script") && !page.contains("<img"));
    assert!(page.contains("href=\"1/artifacts/report.html\""));
    let parsed: Value = serde_json::from_str(&history.json()).unwrap();
    assert_eq!(parsed["schema"], 1);
}

#[tokio::test]
async fn history_as_json_has_the_keys_that_the_docs_name() {
    let tree = Tree::new();
    tree.build("pr-logs/pull/o_r/7/job/1", 1, 'a', "FAILURE", "F");
    let history = tree.read(&[], 9).await.unwrap();
    let json: Value = serde_json::from_str(&history.json()).unwrap();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/bucket.md");
    let docs = fs::read_to_string(docs).unwrap();
    let mut all = vec![&json];
    let mut seen = 0;
    while let Some(value) = all.pop() {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let is_count = BuildResult::ALL.iter().any(|it| it.word() == key);
                    assert!(
                        is_count || docs.contains(&format!("`{key}`")),
                        "docs/bucket.md lacks `{key}`"
                    );
                    seen += 1;
                    all.push(value);
                }
            }
            Value::Array(list) => all.extend(list),
            _ => {}
        }
    }
    assert!(seen > 40, "{seen}");
}

#[tokio::test]
async fn history_is_written_as_two_files() {
    let tree = Tree::new();
    tree.build("logs/job/1", 1, 'a', "SUCCESS", "P");
    let history = tree.read(&[], 9).await.unwrap();
    let output = tree.0.path().join("a/b");
    write(&history, &output).unwrap();
    let json = fs::read_to_string(output.join(DOCUMENT)).unwrap();
    assert_eq!(json, history.json());
    let page = fs::read_to_string(output.join(PAGE)).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>"));
    let taken = tree.0.path().join("logs/job/1/started.json");
    let refused = write(&history, &taken).unwrap_err();
    assert_eq!(refused.exit(), Exit::Infrastructure);
}
