//! What every recipe is given.

use super::Stage;
use crate::{
    cancel::Cancel, github::files::Files, inputs::Environment, limits::Deadline, record::Store,
    run::Run,
};

/// What a stage is given beside its arguments.
#[derive(Debug)]
pub struct Context {
    /// The environment of the process.
    pub env: Environment,
    /// The record of this job and its state directory.
    pub store: Store,
    /// The input `job-key` of this step. The job's own name is the record's.
    pub job_key: Option<String>,
    /// When the stage gives up.
    pub deadline: Deadline,
    /// Outputs and summary of the process.
    pub files: Files,
    /// Cancelled by the first signal, which drops the stage, but for one that is shielded ([`Stage::shielded`]).
    pub cancelled: Cancel,
    /// Whether the stage has begun to write to its cluster. A stage sets it before its first write.
    pub writes: bool,
}

impl Context {
    /// Whose run this is.
    pub fn run(&self) -> &Run {
        self.store.run()
    }

    /// Whether the job was cancelled, as the action passes it.
    pub fn job_cancelled(&self) -> bool {
        self.cancelled.is_cancelled() || self.env.get("JOB_STATUS") == Some("cancelled")
    }

    /// Whether the job has failed, as the action passes it, or as a stage of it did.
    ///
    /// Within a composite action of somebody else `job.status` is `success` until that action has ended.
    pub fn job_failed(&self) -> bool {
        let told = self.env.get("JOB_STATUS") == Some("failure");
        let record = self.store.record();
        let mut counting = Stage::ALL.into_iter().filter(|stage| stage.decides());
        !self.job_cancelled() && (told || counting.any(|stage| record.has_failed(stage.name())))
    }

    /// Sets an output of many lines at once, although the step may fail: that is when it is wanted.
    pub fn tell<T: AsRef<str>>(&self, name: &str, lines: impl IntoIterator<Item = T>) {
        let lines: Vec<T> = lines.into_iter().collect();
        let lines: Vec<&str> = lines.iter().map(AsRef::as_ref).collect();
        if let Err(error) = self.files.output(name, &lines.join("\n")) {
            tracing::warn!("cannot set the output `{name}`: {error}");
        }
    }

    /// Adds to the job summary; a stage does not fail for want of it.
    pub fn summarize(&self, markdown: &str) {
        if let Err(error) = self.files.summary(markdown) {
            tracing::warn!("cannot write the job summary: {error}");
        }
    }
}
