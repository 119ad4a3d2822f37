//! The history of one job: what its builds come to, and which of them contradict each other.
//!
//! Red and green are builds that failed and that passed. What the infrastructure did, what was aborted, what runs and what was
//! lost is neither, and so is each test in it. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    build::{Build, BuildResult},
    test::{TestHistory, of_tests},
    tree::JobId,
};

/// One job.
#[derive(Clone, Debug, Serialize)]
pub struct JobHistory {
    /// Its name.
    pub job: String,
    /// Its directory in the tree, where its page lies.
    pub path: String,
    /// How many builds there are; the newest of them are here.
    pub builds_found: usize,
    /// How many went how.
    pub results: BTreeMap<&'static str, usize>,
    /// Passed builds among those that passed or failed.
    pub pass_rate: Option<f64>,
    /// Builds of one commit that contradict each other.
    pub flakes: Flakes,
    /// The newest first.
    pub builds: Vec<Build>,
    /// Those that fail first, then those that flake.
    pub tests: Vec<TestHistory>,
}

/// How often the same commit was red and green.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Flakes {
    /// Commits that ran.
    pub commits: usize,
    /// Commits that ran more than once: no other can flake.
    pub repeated_commits: usize,
    /// Commits that were both red and green.
    #[serde(rename = "flakes")]
    pub count: usize,
    /// Flakes among the commits that ran more than once.
    pub flake_rate: Option<f64>,
    /// Commits that did not flake among all commits.
    pub commit_consistency: Option<f64>,
    /// Runs that did not flake among all runs: of a commit that flaked, the red ones did.
    pub build_consistency: Option<f64>,
    /// The commits that flaked, the newest first.
    pub flaked: Vec<String>,
}

/// A share as JSON has it: four digits; nothing of nothing.
#[expect(
    clippy::cast_precision_loss,
    reason = "nobody has so many builds that the fourth digit shows it"
)]
pub(super) fn share(part: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| (part as f64 / of as f64 * 10_000.0).round() / 10_000.0)
}

/// How often one commit was green and red.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Runs {
    pub(super) passed: usize,
    pub(super) failed: usize,
}

impl Runs {
    pub(super) const fn all(self) -> usize {
        self.passed + self.failed
    }

    const fn flaked(self) -> bool {
        self.passed > 0 && self.failed > 0
    }
}

impl Flakes {
    /// By how often each commit was green and red; what is called `name` to people.
    pub(super) fn of<'a>(commits: impl IntoIterator<Item = (&'a str, Runs)>) -> Self {
        let mut found = Self::default();
        let (mut runs, mut agreed) = (0, 0);
        for (name, commit) in commits.into_iter().filter(|(_, runs)| runs.all() > 0) {
            found.commits += 1;
            found.repeated_commits += usize::from(commit.all() > 1);
            runs += commit.all();
            if commit.flaked() {
                found.count += 1;
                found.flaked.push(name.to_owned());
                agreed += commit.passed;
            } else {
                agreed += commit.all();
            }
        }
        found.flake_rate = share(found.count, found.repeated_commits);
        found.commit_consistency = share(found.commits - found.count, found.commits);
        found.build_consistency = share(agreed, runs);
        found
    }
}

/// The commits of some builds in the order of the builds, each once: its name, and what the builds of it have in common.
pub(super) fn commits(builds: &[Build]) -> Vec<(&str, &str)> {
    let mut seen = std::collections::HashSet::new();
    let known = builds.iter().filter_map(|build| {
        let same = build.tested.same.as_deref()?;
        let name = build.tested.commit.as_str();
        Some((if name.is_empty() { same } else { name }, same))
    });
    known.filter(|(_, same)| seen.insert(*same)).collect()
}

impl JobHistory {
    /// By its builds, in any order.
    pub fn of(job: &JobId, builds_found: usize, mut builds: Vec<Build>) -> Self {
        // The number of a check run and that of an attempt cannot be compared, so the clock comes first.
        builds.sort_by_cached_key(|build| {
            let number: u64 = build.number.parse().unwrap_or_default();
            std::cmp::Reverse((build.started, number))
        });
        let count = |result| builds.iter().filter(|it| it.result == result).count();
        let results: BTreeMap<&str, usize> = BuildResult::ALL
            .into_iter()
            .map(|result| (result.word(), count(result)))
            .collect();
        let passed = count(BuildResult::Passed);
        let mut by_commit: BTreeMap<&str, Runs> = BTreeMap::new();
        for build in &builds {
            let Some(same) = build.tested.same.as_deref() else {
                continue;
            };
            let runs = by_commit.entry(same).or_default();
            runs.passed += usize::from(build.result == BuildResult::Passed);
            runs.failed += usize::from(build.result == BuildResult::Failed);
        }
        let commits = commits(&builds).into_iter();
        let flakes = Flakes::of(commits.map(|(name, same)| (name, by_commit[same])));
        let tests = of_tests(&builds);
        Self {
            job: super::text::clean(&job.name, 200),
            path: job.directory(),
            builds_found,
            results,
            pass_rate: share(passed, passed + count(BuildResult::Failed)),
            flakes,
            tests,
            builds,
        }
    }

    /// How many of its builds went so.
    pub fn count(&self, result: BuildResult) -> usize {
        self.results.get(result.word()).copied().unwrap_or_default()
    }

    /// Files that could not be read, of all builds.
    pub fn unreadable(&self) -> usize {
        self.builds.iter().map(|it| it.unreadable_count).sum()
    }
}
