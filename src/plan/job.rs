//! The types of a job, as Prow calls them.

use std::fmt;

/// What kind of event a job is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum JobType {
    /// A pull request, before it is merged
    Presubmit,
    /// A push to a branch, or a tag
    Postsubmit,
    /// A schedule, or somebody who asked for it
    Periodic,
    /// A group of a merge queue
    Batch,
}

impl JobType {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Presubmit,
        Self::Postsubmit,
        Self::Periodic,
        Self::Batch,
    ];

    /// As Prow and the configuration write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Presubmit => "presubmit",
            Self::Postsubmit => "postsubmit",
            Self::Periodic => "periodic",
            Self::Batch => "batch",
        }
    }

    /// By the name that the configuration writes.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

impl fmt::Display for JobType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
