//! The page: plots and a grid of tests and builds, in one file that needs neither scripts nor other files.
//!
//! What it shows is bounded, so that it opens at once: `history.json` has the rest. Names and messages are strangers'; the
//! template escapes all of them.

mod plot;

use askama::Template;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use self::plot::Plot;
use super::{
    History,
    build::{Build, BuildResult},
    job::JobHistory,
    table::{minute, percent, since, summary, took},
    test::TestHistory,
    text::clean,
    tree::relative,
};
use crate::report::first_of;

/// Rows of a table.
const ROWS: usize = 100;
/// Tests of a job that are listed since they fail or flake.
const TESTS: usize = 50;

/// What is left of the page.
#[derive(Debug)]
struct Budget {
    /// Cells of the grids.
    cells: usize,
    /// Cells that say why.
    titles: usize,
    /// Rows of tables.
    rows: usize,
}

/// The page.
#[derive(Template)]
#[template(path = "history.html")]
struct Page<'a> {
    source: &'a str,
    made: String,
    jobs: Vec<Job>,
    version: &'static str,
}

/// One job, as the page shows it.
struct Job {
    name: String,
    path: String,
    tone: &'static str,
    latest: &'static str,
    summary: Vec<String>,
    facts: Vec<(&'static str, String, &'static str)>,
    flaked: String,
    plot: Plot,
    builds: Vec<Row>,
    more_builds: usize,
    tests: Vec<Told>,
    more_tests: usize,
}

/// A build in the table.
struct Row {
    build: String,
    link: String,
    when: String,
    took: String,
    commit: String,
    tone: &'static str,
    result: &'static str,
    cause: String,
    unreadable: Vec<String>,
    more_unreadable: usize,
}

/// A test that fails or flakes.
struct Told {
    test: String,
    failed: String,
    flakes: String,
    since: String,
    message: String,
}

/// The page of some jobs. `from` is the directory in which it lies, of those that lie beside their builds.
pub(super) fn page(history: &History, jobs: &[JobHistory], from: Option<&str>) -> String {
    let mut budget = Budget {
        cells: 20_000,
        titles: 1_500,
        rows: 600,
    };
    let page = Page {
        source: &history.source,
        made: format!("{} UTC", minute(history.made)),
        jobs: jobs
            .iter()
            .map(|job| Job::of(job, from, &mut budget))
            .collect(),
        version: env!("CARGO_PKG_VERSION"),
    };
    page.render().expect("a template without filters that fail")
}

impl Job {
    fn of(job: &JobHistory, from: Option<&str>, budget: &mut Budget) -> Self {
        let latest = job.builds.iter().find(|it| it.result.counts());
        let latest = latest.map(|it| it.result);
        let flakes = &job.flakes;
        let rate = |rate: Option<f64>| rate.map_or_else(|| "–".to_owned(), percent);
        let told = |test: &&TestHistory| test.failing.is_some() || test.flakes > 0;
        let tests: Vec<&TestHistory> = job.tests.iter().filter(told).collect();
        let shown = tests.len().min(TESTS).min(budget.rows);
        budget.rows -= shown;
        let rows = job.builds.len().min(ROWS).min(budget.rows);
        budget.rows -= rows;
        Self {
            name: job.job.clone(),
            path: clean(&job.path, 300),
            tone: latest.map_or("", tone),
            latest: latest.map_or("nothing proven", BuildResult::word),
            summary: summary(job),
            facts: vec![
                (
                    "pass rate",
                    rate(job.pass_rate),
                    "of builds that passed or failed",
                ),
                (
                    "flake rate",
                    rate(flakes.flake_rate),
                    "of commits that ran more than once",
                ),
                (
                    "build consistency",
                    rate(flakes.build_consistency),
                    "of runs",
                ),
                (
                    "commit consistency",
                    rate(flakes.commit_consistency),
                    "of commits",
                ),
            ],
            flaked: first_of(&short(&flakes.flaked), 8),
            plot: Plot::of(job, from, budget),
            builds: job.builds[..rows]
                .iter()
                .map(|build| Row::of(build, from))
                .collect(),
            more_builds: job.builds_found - rows.min(job.builds_found),
            more_tests: tests.len() - shown,
            tests: tests[..shown].iter().map(|test| Told::of(test)).collect(),
        }
    }
}

impl Row {
    fn of(build: &Build, from: Option<&str>) -> Self {
        let unreadable = build.unreadable.iter().take(3);
        let unreadable: Vec<String> = unreadable
            .map(|it| format!("{}: {}", it.file, it.reason))
            .collect();
        Self {
            build: build.number.clone(),
            link: link(build, from),
            when: build.started.map_or_else(String::new, minute),
            took: build.seconds.map_or_else(String::new, took),
            commit: build.tested.short().to_owned(),
            tone: tone(build.result),
            result: build.result.word(),
            cause: build.cause.clone(),
            more_unreadable: build.unreadable_count - unreadable.len(),
            unreadable,
        }
    }
}

impl Told {
    fn of(test: &TestHistory) -> Self {
        Self {
            test: test.test.clone(),
            failed: format!(
                "{} of {}",
                test.builds.failed,
                test.builds.failed + test.builds.passed
            ),
            flakes: format!("{} of {}", test.flakes, test.repeated_commits),
            since: since(test),
            message: test.message.clone(),
        }
    }
}

/// Commits as people tell them apart.
fn short(commits: &[String]) -> Vec<&str> {
    commits
        .iter()
        .map(|commit| commit.get(..8).unwrap_or(commit))
        .collect()
}

/// How a result looks.
const fn tone(result: BuildResult) -> &'static str {
    match result {
        BuildResult::Passed => "good",
        BuildResult::Failed => "bad",
        BuildResult::Error => "open",
        BuildResult::Aborted | BuildResult::Running | BuildResult::Lost => "",
    }
}

/// The way from the page to the report of a build; empty where there is none.
fn link(build: &Build, from: Option<&str>) -> String {
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~');
    let Some(from) = from.filter(|_| build.has_report) else {
        return String::new();
    };
    let way = relative(from, &build.path);
    let parts: Vec<String> = way
        .split('/')
        .map(|part| utf8_percent_encode(part, PLAIN).to_string())
        .collect();
    format!("{}/artifacts/report.html", parts.join("/"))
}

#[cfg(test)]
mod tests;
