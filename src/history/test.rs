//! The history of each test of a job: how often it failed, whether it contradicts itself, since when it only fails. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    build::{Build, Counts, TestRun},
    job::{Flakes, Runs, commits},
    junit::Outcome,
};

/// One test.
#[derive(Clone, Debug, Serialize)]
pub struct TestHistory {
    /// Suite, class and name.
    pub test: String,
    /// Builds that count, by how the test went in them.
    #[serde(flatten)]
    pub builds: Counts,
    /// Commits on which it ran more than once.
    pub repeated_commits: usize,
    /// Commits on which it both passed and failed.
    pub flakes: usize,
    /// Flakes among the commits on which it ran more than once.
    pub flake_rate: Option<f64>,
    /// Whether and since when it only fails.
    pub failing: Option<Failing>,
    /// What its last failure said.
    pub message: String,
    /// A letter for each build, the newest first: `P` passed, `F` failed, `B` both, `S` skipped, `-` was not there. Small
    /// letters are of builds that do not count.
    pub results: String,
}

/// Failures without a pass up to now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failing {
    /// How many.
    pub builds: usize,
    /// The build that it began with, as far as builds were read.
    pub since_build: String,
    /// When that build began.
    pub since: Option<Timestamp>,
    /// What that build tested.
    pub since_commit: String,
    /// Whether a pass before it was read; else it may have begun earlier.
    pub passed_before: bool,
}

/// The tests of builds that are ordered, the newest first.
pub(super) fn of_tests(builds: &[Build]) -> Vec<TestHistory> {
    let mut by_name: BTreeMap<&str, Vec<(usize, &TestRun)>> = BTreeMap::new();
    for (at, build) in builds.iter().enumerate() {
        for (name, run) in &build.runs {
            by_name.entry(name).or_default().push((at, run));
        }
    }
    let commits = commits(builds);
    let mut tests: Vec<TestHistory> = by_name
        .into_iter()
        .map(|(name, runs)| of_test(name, &runs, builds, &commits))
        .collect();
    let streak = |test: &TestHistory| test.failing.as_ref().map_or(0, |it| it.builds);
    tests.sort_by(|a, b| {
        let weight = |test: &TestHistory| (streak(test), test.flakes, test.builds.failed);
        weight(b).cmp(&weight(a)).then_with(|| a.test.cmp(&b.test))
    });
    tests
}

fn of_test(
    name: &str,
    runs: &[(usize, &TestRun)],
    builds: &[Build],
    commits: &[(&str, &str)],
) -> TestHistory {
    let mut counts = Counts::default();
    let mut by_commit: BTreeMap<&str, Runs> = BTreeMap::new();
    let counted = || runs.iter().filter(|(at, _)| builds[*at].result.counts());
    for (at, run) in counted() {
        if let Some(worst) = run.counts.worst() {
            counts.add(worst);
        }
        if let Some(same) = builds[*at].tested.same.as_deref() {
            let of_commit = by_commit.entry(same).or_default();
            of_commit.passed += run.counts.passed as usize;
            of_commit.failed += run.counts.failed as usize;
        }
    }
    let of_commits = commits.iter().filter_map(|(name, same)| {
        let runs = by_commit.get(same)?;
        Some((*name, *runs))
    });
    let flakes = Flakes::of(of_commits);
    let mut results = vec!['-'; builds.len()];
    for (at, run) in runs {
        let letter = letter(run.counts);
        results[*at] = if builds[*at].result.counts() {
            letter
        } else {
            letter.to_ascii_lowercase()
        };
    }
    let said = counted().find(|(_, run)| run.counts.failed > 0);
    TestHistory {
        test: name.to_owned(),
        builds: counts,
        repeated_commits: flakes.repeated_commits,
        flakes: flakes.count,
        flake_rate: flakes.flake_rate,
        failing: failing(counted().copied(), builds),
        message: said.map_or_else(String::new, |(_, run)| run.message.clone()),
        results: results.into_iter().collect(),
    }
}

const fn letter(counts: Counts) -> char {
    match counts {
        Counts {
            passed: 1..,
            failed: 1..,
            ..
        } => 'B',
        Counts { failed: 1.., .. } => 'F',
        Counts { passed: 1.., .. } => 'P',
        Counts { skipped: 1.., .. } => 'S',
        _ => '-',
    }
}

/// The failures up to now; builds in which it was skipped or did not run break no streak. A build in which it also passed
/// does.
fn failing<'a>(
    runs: impl Iterator<Item = (usize, &'a TestRun)>,
    builds: &[Build],
) -> Option<Failing> {
    let mut streak: Vec<usize> = Vec::new();
    let mut passed_before = false;
    for (at, run) in runs {
        if run.counts.passed > 0 {
            passed_before = true;
            break;
        }
        if run.counts.worst() == Some(Outcome::Failed) {
            streak.push(at);
        }
    }
    let first = &builds[*streak.last()?];
    Some(Failing {
        builds: streak.len(),
        since_build: first.number.clone(),
        since: first.started,
        since_commit: first.tested.commit.clone(),
        passed_before,
    })
}
