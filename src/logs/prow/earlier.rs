//! The last build of a job that passed: where its report is noted, and how it is read.

use super::{Build, upload::REPORT};
use crate::{
    limits::Deadline,
    logs::{
        render::changes::{Earlier, LARGEST},
        s3::{S3Error, Target},
    },
    plan::{job::JobType, subject::Subject},
    provider::ec2::Access,
};

/// Bytes of a note at most.
const NOTE: i64 = 4096;

impl Build {
    /// The key of the note of which build passed last: of pull requests, or of branches. It lies beside Prow's trees, for Deck
    /// takes each file in them for a build.
    pub(super) fn note(&self) -> String {
        let of_pull = self.subject.job == JobType::Presubmit && self.subject.pull.is_some();
        self.note_of(if of_pull { "pull" } else { "branch" })
    }

    fn note_of(&self, what: &str) -> String {
        let Subject { owner, name, .. } = &self.subject;
        format!("last-passed/{owner}_{name}/{}/{what}.txt", self.job)
    }

    /// What the last build of this job that passed has reported. What passed on a branch says more of a pull request than
    /// what passed on another one, so that comes first.
    ///
    /// # Errors
    /// [`S3Error`], also where there is none yet.
    pub(crate) async fn last_passed(
        &self,
        target: &Target,
        access: &Access,
        deadline: Deadline,
    ) -> Result<Earlier, S3Error> {
        let of_branch = target
            .read(&self.note_of("branch"), NOTE, access, deadline)
            .await;
        let directory = match of_branch {
            Ok(directory) => directory,
            Err(_) => target.read(&self.note(), NOTE, access, deadline).await?,
        };
        let directory = String::from_utf8_lossy(&directory);
        let report = format!("{}/artifacts/{REPORT}", directory.trim());
        let bytes = target.read(&report, LARGEST, access, deadline).await?;
        Earlier::of_report(&bytes[..]).map_err(|error| target.unread(&report, &error.to_string()))
    }
}
