//! Which execution of a job a step belongs to, and what that job is called.
//!
//! Given the environment of a step and the input `job-key`. In a reusable workflow that a matrix calls, run, job and
//! matrix are the same in every leg: only the ids that a runner gets for each execution tell the legs apart.

use serde::{Deserialize, Serialize};

use super::{resource_name, short_hash};
use crate::inputs::Environment;

/// How a runner's id of a job's processes begins. Workflows set other values, mostly `0`, to keep processes alive.
const TRACKING_PREFIX: &str = "github_";
/// Longest name of a job: it becomes the value of a label.
const MAX_JOB: usize = 63;

/// What a step shows of the job execution that it belongs to.
///
/// The record keeps what the first step showed; later steps add what only they show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// `GITHUB_JOB`: the id of the job in its workflow.
    #[serde(default)]
    pub job: Option<String>,
    /// Hash of the matrix's values; absent without a matrix.
    #[serde(default)]
    pub matrix: Option<String>,
    /// The input `job-key`.
    #[serde(default)]
    pub key: Option<String>,
    /// Number of the job's check run, as our actions pass it. Absent where the GitHub server does not report it.
    #[serde(default)]
    pub check_run: Option<String>,
    /// `RUNNER_TRACKING_ID`, where the runner made it. Absent in `container:` jobs.
    #[serde(default)]
    pub tracking: Option<String>,
}

impl Execution {
    /// What a step with this environment and this `job-key` shows.
    ///
    /// Under `act` both ids are ignored: act makes neither, so one that is set there belongs to the job around act.
    pub fn of(env: &Environment, key: Option<&str>) -> Self {
        let under_act = env.get("ACT") == Some("true");
        let id = |name, fits: fn(&str) -> bool| {
            let id = env.get(name).map(str::trim);
            id.filter(|id| !under_act && fits(id)).map(str::to_owned)
        };
        let matrix = env.get("MATRIX").map(str::trim);
        // An unset variable of a shell is typed as an empty text.
        let key = key.map(str::trim).filter(|key| !key.is_empty());
        Self {
            job: env.get("GITHUB_JOB").map(str::to_owned),
            matrix: matrix
                .filter(|matrix| !matches!(*matrix, "null" | "{}"))
                .map(|matrix| short_hash(&canonical(matrix))),
            key: key.map(str::to_owned),
            check_run: id("JOB_CHECK_RUN_ID", |id| {
                id.bytes().all(|b| b.is_ascii_digit())
            }),
            tracking: id("RUNNER_TRACKING_ID", |id| {
                id.strip_prefix(TRACKING_PREFIX)
                    .is_some_and(|rest| !rest.is_empty())
            }),
        }
    }

    /// The name of the job, a DNS-1123 label of at most 63 characters: `e2e-9a8b7c6d`, in a matrix
    /// `e2e-1f2e3d4c-9a8b7c6d`. The last part is of this execution alone.
    ///
    /// A key takes the place of job and last part: every job with that key has that name. Without key and ids the last
    /// part is random, and each call gives another name.
    pub fn job_name(&self) -> String {
        let own = self.key.is_none().then(|| self.own_part());
        let parts = self.matrix.iter().chain(&own);
        let suffix: String = parts.flat_map(|part| ["-", part.as_str()]).collect();
        let name = self.key.as_deref().or(self.job.as_deref());
        resource_name(&[name.unwrap_or("job")], MAX_JOB - suffix.len()) + &suffix
    }

    /// Eight hexadecimal digits that no other execution has.
    fn own_part(&self) -> String {
        match (&self.check_run, &self.tracking) {
            (Some(id), _) => short_hash(&format!("check run {id}")),
            (None, Some(id)) => short_hash(id),
            (None, None) => format!("{:08x}", rand::random::<u32>()),
        }
    }

    /// Whether a step that shows this belongs to the execution that a record of the same run and attempt was begun by.
    ///
    /// Only what both show counts. A step that shows neither id is part of the recorded job: a workflow may clear a
    /// variable for one step, and a step of the caller's own has only what the runner sets.
    pub fn continues(&self, recorded: &Self) -> bool {
        let same =
            |of: fn(&Self) -> &Option<String>| Some(of(self).as_ref()? == of(recorded).as_ref()?);
        let matrix = same(|one| &one.matrix) != Some(false);
        // The job of the same key is the same job, whoever executes it.
        same(|one| &one.key)
            .map(|same| same && matrix)
            .or_else(|| same(|one| &one.check_run))
            .or_else(|| same(|one| &one.tracking))
            .unwrap_or_else(|| matrix && same(|one| &one.job) != Some(false))
    }

    /// Adds what another step of the same execution shows and this one did not. The key is left as it is.
    pub fn learn(&mut self, seen: &Self) {
        for (known, seen) in [
            (&mut self.job, &seen.job),
            (&mut self.matrix, &seen.matrix),
            (&mut self.check_run, &seen.check_run),
            (&mut self.tracking, &seen.tracking),
        ] {
            if known.is_none() {
                known.clone_from(seen);
            }
        }
    }
}

/// The same text for the same matrix, however its JSON is laid out.
pub fn canonical(matrix: &str) -> String {
    serde_json::from_str::<serde_json::Value>(matrix)
        .map_or_else(|_| matrix.to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests;
