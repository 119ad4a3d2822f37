//! Whether a record is this job's, and what it learns from a step about the job.

use super::Record;
use crate::run::{Execution, Run};

impl Record {
    /// Whether a step of `present` is a step of the job that this record was begun by.
    pub(super) fn belongs_to(&self, present: &Run) -> bool {
        (&self.run.id, self.run.attempt) == (&present.id, present.attempt)
            && present.execution.continues(&self.run.execution)
    }

    /// Takes in what a step of the job shows beyond what earlier ones did. The job keeps its name: it is in tags.
    ///
    /// A `job-key` names the job as long as the job has created nothing.
    pub(super) fn learn(&mut self, shown: &Execution) {
        if let (Some(key), None) = (&shown.key, &self.run.execution.key) {
            if self.has_created_nothing() {
                self.run.job = shown.job_name();
                self.run.execution.key = Some(key.clone());
            } else {
                tracing::warn!(
                    "job-key `{key}` is not used: this job has created resources without it, as job {}; give it to the first step",
                    self.run.job
                );
            }
        }
        self.run.execution.learn(shown);
    }

    fn has_created_nothing(&self) -> bool {
        self.steps.is_empty() && self.launch.is_none() && self.cluster.is_none()
    }
}

#[cfg(test)]
mod tests;
