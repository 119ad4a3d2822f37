//! How a job ended, for those who tell it: whether it was the change's fault, the machine's, or nobody's.

use super::{
    diagnose::{Class, Origin},
    render::Outcome,
};
use crate::{record::StageRecord, report::Exit, stages::Stage};

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It runs
    Pending,
    /// It passed
    Success,
    /// The test failed, or the manifests are wrong
    Failure,
    /// The machine, the cluster, a registry or the network failed: nothing was shown about the change
    Error,
    /// Somebody ended it
    Cancelled,
}

impl State {
    /// As an input and an output name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
        }
    }

    /// As the status of a commit: it knows no word for what was cancelled.
    pub const fn of_status(self) -> &'static str {
        match self {
            Self::Cancelled => Self::Error.name(),
            other => other.name(),
        }
    }

    /// As the conclusion of a check run, where there is one. It knows no `error`: what comes nearest is that somebody has to
    /// look. `neutral` and `skipped` would count as passed.
    pub const fn of_check(self) -> Option<&'static str> {
        match self {
            Self::Pending => None,
            Self::Error => Some("action_required"),
            other => Some(other.name()),
        }
    }
}

impl State {
    /// By what the stages came to, and the first cause that explains it; none where no stage ran.
    pub fn of(outcome: Outcome<'_>, first: Option<Class>) -> Option<Self> {
        Some(match outcome {
            Outcome::Unknown => return None,
            Outcome::Passed => Self::Success,
            Outcome::Failed(stage) => Self::of_failed(stage, first),
            Outcome::CutShort(_) => Self::Error,
            Outcome::Cancelled(_) => Self::Cancelled,
        })
    }

    /// Whose fault a stage that failed is: its exit code says so; where that leaves it open, what explains it.
    pub fn of_failed(stage: &StageRecord, first: Option<Class>) -> Self {
        let origin = first.map(Class::verdict);
        let is_setup = [Stage::ProvisionEc2, Stage::InstallKind]
            .iter()
            .any(|setup| setup.name() == stage.stage);
        let code = |exit: Exit| Some(exit.code()) == stage.exit;
        if code(Exit::BadInput) {
            return Self::Failure;
        }
        let may_be_either = code(Exit::TestFailed) || (code(Exit::TimeLimit) && !is_setup);
        match origin {
            Some(Origin::Infrastructure) => Self::Error,
            _ if may_be_either => Self::Failure,
            _ => Self::Error,
        }
    }
}
