//! The inputs of `plan`, as typed.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use super::StageArgs;
use crate::{inputs::Lines, plan::job::JobType, stages::Stage};

impl StageArgs for PlanArgs {
    const STAGE: Stage = Stage::Plan;
    const LIMIT: &'static str = "5m";
}

/// Inputs of `plan`.
#[derive(Clone, Debug, Args)]
pub struct PlanArgs {
    /// Path of the configuration in the repository [default: `e2e.yaml`, else `prow_config.yaml`]
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
    /// Path of the versions in the repository; each job runs on every combination [default: `e2e/versions.yaml` where there is
    /// one]
    #[arg(long, value_name = "FILE")]
    pub versions: Option<String>,
    /// Directory of the repository's checkout [default: the working directory]
    #[arg(long, value_name = "DIR")]
    pub checkout: Option<PathBuf>,
    /// File with the JSON of an event, to plan for it in place of the one that runs [default: `$GITHUB_EVENT_PATH`]
    #[arg(long, value_name = "FILE")]
    pub event: Option<PathBuf>,
    /// Name of the event in `event`, such as `pull_request_target` [default: told by what is in it]
    #[arg(long, value_name = "NAME", requires = "event")]
    pub event_name: Option<String>,
    /// Type of job [default: by the event: presubmit for pull requests and comments on them, postsubmit for pushes, batch for
    /// a merge queue, periodic for a schedule and for what somebody starts]
    #[arg(long, value_enum)]
    pub job_type: Option<JobType>,
    /// Name of the job, as Prow has it: letters, digits, `.`, `_` and `-` [default: owner, repository and type, such as
    /// `kubeflow-katib-presubmit`]
    #[arg(long, value_name = "NAME", value_parser = job_name)]
    pub job_name: Option<String>,
    /// Files that count as changed, one a line [default: what git tells, else GitHub's API]
    #[arg(long, value_name = "LINES")]
    pub changed_files: Option<Lines>,
    /// Namespace that the workflows are to run in [default: `kubeflow-test-infra`, for a release `kubeflow-releasing`]
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Name images and artifacts of a release: `VERSION_TAG` and what it is made of
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub release: bool,
    /// When a plan without any job passes
    #[arg(long, value_enum, default_value_t)]
    pub empty: Empty,
    /// Print for each workflow why it runs or not
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub explain: bool,
}

/// When a plan without any job passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Empty {
    /// Where workflows of this type are there, and no changed file matches their `include_dirs`
    #[default]
    Unchanged,
    /// Never
    Fail,
    /// Always
    Pass,
}

/// It becomes a part of names, a label and a value in a list that commas separate.
fn job_name(text: &str) -> Result<String, String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || !text.chars().all(is_name) {
        return Err("a name of a job is made of letters, digits, -, _ and .".to_owned());
    }
    Ok(text.to_owned())
}
