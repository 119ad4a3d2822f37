//! A build as it is told: how it went, when, on what commit, and each of its tests.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{commit::Tested, junit::Outcome};

/// How a build went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BuildResult {
    /// It says so, and each of its reports agrees.
    Passed,
    /// A test failed, or what was tested is at fault.
    Failed,
    /// Nothing was proven: the machine, the network, no report.
    Error,
    /// Somebody ended it.
    Aborted,
    /// It has begun, and not finished yet.
    Running,
    /// It has begun, and will not finish.
    Lost,
}

impl BuildResult {
    /// All of them, as tables have them.
    pub const ALL: [Self; 6] = [
        Self::Passed,
        Self::Failed,
        Self::Error,
        Self::Aborted,
        Self::Running,
        Self::Lost,
    ];

    /// As JSON and tables write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Error => "error",
            Self::Aborted => "aborted",
            Self::Running => "running",
            Self::Lost => "lost",
        }
    }

    /// Whether it says something about the commit: red or green, and neither infrastructure nor chance.
    pub const fn counts(self) -> bool {
        matches!(self, Self::Passed | Self::Failed)
    }
}

/// How often something went each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Passed.
    pub passed: u32,
    /// Failed.
    pub failed: u32,
    /// Skipped.
    pub skipped: u32,
}

impl Counts {
    pub(super) fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Skipped => self.skipped += 1,
        }
    }

    /// The worst of them; nothing where there is none.
    pub fn worst(self) -> Option<Outcome> {
        match self {
            Self { failed: 1.., .. } => Some(Outcome::Failed),
            Self { passed: 1.., .. } => Some(Outcome::Passed),
            Self { skipped: 1.., .. } => Some(Outcome::Skipped),
            _ => None,
        }
    }
}

/// A test in one build, where a report may have it more than once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TestRun {
    pub(super) counts: Counts,
    /// Of its first failure.
    pub(super) message: String,
}

/// A file that could not be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// Its path in the tree.
    pub file: String,
    /// What is wrong.
    pub reason: String,
}

/// One build.
#[derive(Clone, Debug, Serialize)]
pub struct Build {
    /// What it is called, as text: not every reader of JSON takes such large numbers.
    #[serde(rename = "build")]
    pub number: String,
    /// Its directory in the tree.
    pub path: String,
    /// The pull request that it is of.
    pub pull: Option<u64>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// How long it took; absent too where its two clocks contradict each other.
    pub seconds: Option<i64>,
    /// What was tested.
    #[serde(flatten)]
    pub tested: Tested,
    /// How it went.
    pub result: BuildResult,
    /// Why, in one line; empty where it passed.
    pub cause: String,
    /// How its cases went.
    pub tests: Counts,
    /// Files of it that could not be used, the first of them.
    pub unreadable: Vec<Unreadable>,
    /// How many could not.
    pub unreadable_count: usize,
    /// Whether there is a page about it.
    #[serde(skip)]
    pub has_report: bool,
    #[serde(skip)]
    pub(super) runs: BTreeMap<String, TestRun>,
}
