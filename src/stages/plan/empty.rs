//! Whether a plan without any job is meant: a check that is skipped counts as passed on GitHub.

use crate::{
    cli::Empty,
    plan::{
        select::{Decision, Why},
        subject::Subject,
    },
    report::{Exit, Failure, one_line},
};

/// Refuses a plan without any job, but where that is meant.
///
/// # Errors
/// [`Failure`] with exit code 2, and why each workflow is left out.
pub(super) fn judge(
    empty: Empty,
    file: &str,
    subject: &Subject,
    decisions: &[Decision<'_>],
) -> Result<(), Failure> {
    let of_type = decisions
        .iter()
        .any(|one| !matches!(one.why, Why::OtherType(_)));
    let unchanged =
        |one: &Decision<'_>| matches!(one.why, Why::Unchanged { files, .. } if files > 0);
    let (cause, hint) = match empty {
        Empty::Pass => return Ok(()),
        Empty::Unchanged if decisions.iter().any(unchanged) => return Ok(()),
        _ if decisions.is_empty() => (
            format!("{file} has no workflows: nothing would be tested"),
            "add one, or pass with `empty: pass`",
        ),
        _ if !of_type => (
            format!(
                "{file} has no workflow for a {} job: nothing would be tested",
                subject.job
            ),
            "add the type to a workflow's `job_types`, take the trigger out of the workflow on GitHub, or pass with `empty: pass`",
        ),
        Empty::Unchanged => (
            "no file is changed: nothing would be tested".to_owned(),
            "pass with `empty: pass` where that is meant",
        ),
        Empty::Fail => (
            "no changed file asks for a workflow: nothing would be tested".to_owned(),
            "pass with `empty: unchanged` where that is meant",
        ),
    };
    let mut failure = Failure::new(Exit::BadInput, cause).hint(hint);
    let line =
        |one: &Decision<'_>| format!("{}: {}", one_line(&one.workflow.name), one.why.words());
    failure.details = decisions.iter().map(line).collect();
    Err(failure)
}
