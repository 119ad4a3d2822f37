//! Results over time: the builds that Prow's tree holds, judged, and what they say together.
//!
//! Given a tree in a bucket or a directory. Reading is here; rules, flakes, table and page are pure. A file that cannot be
//! read costs that file, and is told; it never costs the run.

mod build;
mod commit;
mod job;
mod judge;
mod junit;
mod page;
mod read;
mod source;
mod table;
mod test;
mod text;
mod tree;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    limits::Deadline,
    logs::s3::{Content, S3Error, Upload},
    provider::ec2::Access,
    report::{Exit, Explain, first_of},
};

pub use self::{read::read, source::Source, table::table};
use job::JobHistory;

/// Version of the JSON; a number that rises where a reader would break.
const SCHEMA: u8 = 1;
/// What the page is called, in a directory and in a bucket.
const PAGE: &str = "history.html";
/// What the JSON is called there.
const DOCUMENT: &str = "history.json";

/// What was read.
#[derive(Clone, Debug)]
pub struct History {
    /// When.
    made: Timestamp,
    /// The tree, as it was typed.
    source: String,
    /// Sorted by name.
    jobs: Vec<JobHistory>,
}

/// The same for programs.
#[derive(Serialize)]
struct Document<'a> {
    schema: u8,
    made: Timestamp,
    source: &'a str,
    jobs: &'a [JobHistory],
}

impl History {
    /// All of it as JSON.
    pub fn json(&self) -> String {
        self.json_of(&self.jobs)
    }

    fn json_of(&self, jobs: &[JobHistory]) -> String {
        let document = Document {
            schema: SCHEMA,
            made: self.made,
            source: &self.source,
            jobs,
        };
        serde_json::to_string(&document).expect("it is plain data")
    }

    /// What to put beside the builds of each job: the page, and the same as JSON.
    fn uploads(&self) -> impl Iterator<Item = Vec<Upload>> {
        self.jobs.iter().map(|job| {
            let upload = |name: &str, text: String, content_type| Upload {
                key: format!("{}/{name}", job.path),
                content: Content::Bytes(text.into_bytes()),
                content_type,
            };
            let alone = std::slice::from_ref(job);
            let page = page::page(self, alone, Some(&job.path));
            vec![
                upload(PAGE, page, "text/html; charset=utf-8"),
                upload(DOCUMENT, self.json_of(alone), "application/json"),
            ]
        })
    }
}

/// Why nothing is told.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// It begins like a URI and is none.
    #[error("`{0}` is not `s3://bucket/prefix`")]
    Uri(String),
    /// A directory cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    NoDirectory {
        /// Which.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The tree has no build.
    #[error("{0} holds no build")]
    Empty(String),
    /// A job that was named is not there.
    #[error("{source_name} holds no build of {}", missing.join(", "))]
    NoJob {
        /// The tree.
        source_name: String,
        /// What was named.
        missing: Vec<String>,
        /// What is there.
        known: Vec<String>,
    },
    /// A directory cannot be published to.
    #[error("`{0}` is a directory, and --publish puts pages into a bucket")]
    NotPublic(PathBuf),
    /// The bucket cannot be read.
    #[error("{error}")]
    Bucket {
        /// What it said.
        error: S3Error,
        /// Whether it was asked without credentials.
        anonymous: bool,
    },
    /// Nobody may put something into a bucket without saying who he is.
    #[error("--publish needs AWS credentials, and none are found")]
    Anonymous,
    /// The bucket does not take the page.
    #[error("{error}")]
    Unpublished {
        /// What it said.
        error: S3Error,
    },
    /// The files cannot be written.
    #[error("cannot write {}: {reason}", path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
}

impl HistoryError {
    fn unread(error: S3Error, anonymous: bool) -> Self {
        Self::Bucket { error, anonymous }
    }
}

impl Explain for HistoryError {
    fn exit(&self) -> Exit {
        match self {
            Self::Bucket { .. }
            | Self::Anonymous
            | Self::Unpublished { .. }
            | Self::Unwritable { .. } => Exit::Infrastructure,
            _ => Exit::BadInput,
        }
    }

    fn hint(&self) -> Option<String> {
        const POLICY: &str = "`manifests-e2e iam-policy --component history --s3-uri URI` prints what AWS has to allow";
        Some(match self {
            Self::Uri(_) => "write for example s3://my-bucket/e2e".to_owned(),
            Self::NoDirectory { .. } => {
                "name a directory that holds `logs` or `pr-logs`, or s3://bucket/prefix".to_owned()
            }
            Self::Empty(_) => {
                "name the directory above `logs` and `pr-logs`: of `gather-logs` that is `s3-uri`, with `layout: prow` or \
                 `kubeflow`"
                    .to_owned()
            }
            Self::NoJob { known, .. } if known.is_empty() => {
                "leave --job out to see all jobs".to_owned()
            }
            Self::NoJob { known, .. } => {
                format!("there are: {}", first_of(known, 20))
            }
            Self::NotPublic(_) => "write the page with --output, or name s3://bucket/prefix".to_owned(),
            Self::Bucket {
                anonymous: true, ..
            } => "no credentials are found, so the bucket has to let everybody list and read it; else give credentials"
                .to_owned(),
            Self::Anonymous => {
                "give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or --role-arn in a workflow with `id-token: write`"
                    .to_owned()
            }
            Self::Bucket { .. } => format!("{POLICY}; a public bucket is read without credentials"),
            Self::Unpublished { .. } => POLICY.to_owned(),
            Self::Unwritable { .. } => return None,
        })
    }
}

/// Puts the pages of all jobs into the bucket that they were read from, and gives the URI of each.
///
/// # Errors
/// [`HistoryError`]: there is no bucket, or it does not take a page.
pub async fn publish(
    history: &History,
    source: &Source,
    access: &Access,
    deadline: Deadline,
) -> Result<Vec<String>, HistoryError> {
    let target = source.publishable()?;
    let mut pages = Vec::new();
    for uploads in history.uploads() {
        let page = target.upload(&uploads, access, deadline).await;
        pages.push(page.map_err(|error| HistoryError::Unpublished { error })?);
    }
    Ok(pages)
}

/// Writes the page and the JSON of all jobs into a directory.
///
/// # Errors
/// [`HistoryError::Unwritable`].
pub fn write(history: &History, directory: &Path) -> Result<(), HistoryError> {
    let unwritable = |path: &Path, reason: io::Error| HistoryError::Unwritable {
        path: path.to_owned(),
        reason: reason.to_string(),
    };
    fs::create_dir_all(directory).map_err(|error| unwritable(directory, error))?;
    for (name, text) in [
        (DOCUMENT, history.json()),
        (PAGE, page::page(history, &history.jobs, None)),
    ] {
        let path = directory.join(name);
        fs::write(&path, text).map_err(|error| unwritable(&path, error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
