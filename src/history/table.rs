//! What people read in a terminal.

use std::{fmt::Write as _, time::Duration};

use jiff::Timestamp;

use super::{
    History,
    build::{Build, BuildResult},
    job::JobHistory,
    test::TestHistory,
    text::clean,
};
use crate::limits::humane;

/// Builds and tests of a job that are listed; the page and the JSON have all.
const BUILDS: usize = 15;
const TESTS: usize = 10;
/// Files that cannot be read and are named.
const FILES: usize = 10;

const PUT: &str = "a String takes everything";

/// Each job: its rates, its newest builds, the tests that fail or flake.
pub fn table(history: &History) -> String {
    let mut text = String::new();
    for job in &history.jobs {
        if !text.is_empty() {
            text.push('\n');
        }
        of_job(&mut text, job);
    }
    text
}

fn of_job(text: &mut String, job: &JobHistory) {
    writeln!(text, "{}", clean(&job.path, 300)).expect(PUT);
    for line in summary(job) {
        writeln!(text, "  {line}").expect(PUT);
    }
    text.push('\n');
    let cells = |build: &Build| {
        [
            build.number.clone(),
            build.started.map_or_else(|| "?".to_owned(), minute),
            build.seconds.map_or_else(|| "?".to_owned(), took),
            build.tested.short().to_owned(),
            build.result.word().to_owned(),
            build.cause.clone(),
        ]
    };
    let head = [
        "BUILD",
        "STARTED (UTC)",
        "TOOK",
        "COMMIT",
        "RESULT",
        "CAUSE",
    ];
    let rows = job.builds.iter().take(BUILDS).map(cells);
    rows_of(text, &head.map(str::to_owned), rows);
    more(text, job.builds.len().saturating_sub(BUILDS), "builds");

    let told = |test: &&TestHistory| test.failing.is_some() || test.flakes > 0;
    let tests: Vec<&TestHistory> = job.tests.iter().filter(told).collect();
    if !tests.is_empty() {
        text.push('\n');
        let head = ["FAILED", "FLAKES", "FAILS SINCE", "TEST"].map(str::to_owned);
        let rows = tests.iter().take(TESTS).map(|test| {
            let ran = test.builds.failed + test.builds.passed;
            [
                format!("{} of {ran}", test.builds.failed),
                format!("{} of {}", test.flakes, test.repeated_commits),
                since(test),
                test.test.clone(),
            ]
        });
        rows_of(text, &head, rows);
        more(
            text,
            tests.len().saturating_sub(TESTS),
            "tests that fail or flake",
        );
    }
    let all = job.builds.iter().flat_map(|build| &build.unreadable);
    for it in all.take(FILES) {
        writeln!(text, "  cannot be read: {}: {}", it.file, it.reason).expect(PUT);
    }
    more(
        text,
        job.unreadable().saturating_sub(FILES),
        "files that cannot be read",
    );
}

/// What a job comes to, in sentences.
pub(super) fn summary(job: &JobHistory) -> Vec<String> {
    let counts: Vec<String> = BuildResult::ALL
        .into_iter()
        .filter(|result| job.count(*result) > 0)
        .map(|result| format!("{} {}", job.count(result), result.word()))
        .collect();
    let shown = job.builds.len();
    let of = match job.builds_found {
        found if found > shown => format!(" (the newest of {found})"),
        _ => String::new(),
    };
    let builds = if shown == 1 { "build" } else { "builds" };
    let mut lines = vec![format!("{shown} {builds}{of}: {}", counts.join(", "))];
    let mut rates = Vec::new();
    rates.extend(
        job.pass_rate
            .map(|rate| format!("pass rate {}", percent(rate))),
    );
    let flakes = &job.flakes;
    match flakes.flake_rate {
        Some(rate) => rates.push(format!(
            "flake rate {} ({} of {} commits that ran more than once)",
            percent(rate),
            flakes.count,
            flakes.repeated_commits
        )),
        None => rates.push("no flake rate, since no commit ran twice".to_owned()),
    }
    rates.extend(
        flakes
            .build_consistency
            .map(|rate| format!("build consistency {}", percent(rate))),
    );
    lines.push(rates.join("; "));
    lines
}

/// Since when a test only fails.
pub(super) fn since(test: &TestHistory) -> String {
    let Some(failing) = &test.failing else {
        return String::new();
    };
    let began = failing
        .since
        .map_or_else(String::new, |at| format!(" {}", minute(at)));
    let open = if failing.passed_before {
        ""
    } else {
        " or earlier"
    };
    format!("{}{began}{open}", failing.since_build)
}

pub(super) fn percent(rate: f64) -> String {
    let text = format!("{:.1}", rate * 100.0);
    format!("{}%", text.trim_end_matches(".0"))
}

pub(super) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

pub(super) fn took(seconds: i64) -> String {
    humane(Duration::from_secs(seconds.unsigned_abs()))
}

fn more(text: &mut String, count: usize, what: &str) {
    if count > 0 {
        writeln!(text, "  and {count} more {what}").expect(PUT);
    }
}

/// Rows as columns, each as wide as its widest cell, but for the last.
fn rows_of<const N: usize>(
    text: &mut String,
    head: &[String; N],
    rows: impl Iterator<Item = [String; N]>,
) {
    let rows: Vec<[String; N]> = std::iter::once(head.clone()).chain(rows).collect();
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max();
    let widths: Vec<usize> = (0..N).map(|at| width(at).unwrap_or_default()).collect();
    for row in &rows {
        let (last, others) = row.split_last().expect("a row has cells");
        let cells = others.iter().zip(&widths);
        let line = cells.fold(String::from(" "), |line, (cell, width)| {
            format!("{line} {cell:width$} ")
        });
        writeln!(text, "{}", format!("{line} {last}").trim_end()).expect(PUT);
    }
}
