//! A notebook or a script as a Job, or as a process of this machine: its files, its state and log, its results.
//!
//! Given a client and a deadline; knows nothing of hosts or of how the cluster came to be. The Job's pod has two
//! containers of one image: `test` runs the file, `keeper` holds the results until they were fetched. On this machine
//! [`runner::hold`] stands between us and the test.

pub mod attend;
#[cfg(test)]
mod fake;
mod files;
pub mod follow;
pub mod forward;
pub mod job;
pub mod junit;
pub mod log;
mod parameters;
pub mod place;
pub mod results;
pub mod runner;
pub mod source;
mod state;
pub mod verdict;

use std::{future::Future, io, time::Duration};

use crate::{
    cluster::live::until_answered,
    limits::{Deadline, Limit, humane},
    report::{Exit, Explain},
};

/// How long the API server may be silent.
const SILENCE: Duration = Duration::from_secs(90);

/// Why there is no passed test.
#[derive(Debug, thiserror::Error)]
pub enum NotebookError {
    /// The namespace cannot be one.
    #[error("`{0}` is no name of a namespace")]
    BadNamespace(String),
    /// The service account that was asked for does not exist.
    #[error("there is no service account {name} in namespace {namespace}")]
    NoServiceAccount {
        /// The service account.
        name: String,
        /// Where it was looked for.
        namespace: String,
    },
    /// The API server refused or did not answer.
    #[error("cannot {what}")]
    Api {
        /// What was tried: `create Job a/b`.
        what: String,
        /// What it said.
        source: Box<kube::Error>,
    },
    /// The API server hangs.
    #[error("cannot {what}: the API server has not answered for {}", humane(*silent))]
    Silent {
        /// What was tried.
        what: String,
        /// For how long.
        silent: Duration,
    },
    /// The pod did not come to run the test.
    #[error("{what}: {reason}")]
    NotStarted {
        /// What failed: `cannot pull image x`.
        what: String,
        /// What the cluster said.
        reason: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// The pod or the Job went away.
    #[error("the pod of the test was lost: {0}")]
    Lost(String),
    /// The test failed.
    #[error("{cause}")]
    Failed {
        /// The cell and its error, or the script and its exit code.
        cause: String,
        /// The traceback or the end of the log.
        below: Vec<String>,
    },
    /// It ended well and yet there is no proof of it.
    #[error("the test ended with code 0, but {0}")]
    Unproven(String),
    /// A port of the cluster cannot be had here.
    #[error("cannot {what}: {reason}")]
    NoForward {
        /// What was tried.
        what: String,
        /// Why it is not possible.
        reason: String,
        /// Whose fault that is.
        exit: Exit,
        /// What to do about it.
        hint: &'static str,
    },
    /// This machine refused.
    #[error("cannot {what}")]
    Machine {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// What is in the pod could not be read.
    #[error("cannot fetch the results of the test: {0}")]
    Fetch(String),
    /// The stage's time was up.
    #[error("the test was not done within {}: {last}", humane(*limit))]
    TimeLimit {
        /// The stage's limit.
        limit: Duration,
        /// What it was doing.
        last: String,
        /// The cell that ran, and the end of its output.
        below: Vec<String>,
    },
}

impl NotebookError {
    /// An error of the API server, with what was tried.
    pub(crate) fn api(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        move |source| Self::Api {
            what,
            source: Box::new(source),
        }
    }

    /// An error of this machine, with what was tried.
    pub(crate) fn machine(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Machine { what, source }
    }
}

/// What the API server answers for good, or that it hangs: kube itself would wait for ever.
async fn answer<T, F>(
    what: impl Into<String>,
    ask: impl FnMut() -> F,
) -> Result<kube::Result<T>, NotebookError>
where
    F: Future<Output = kube::Result<T>>,
{
    let patience = Deadline::after(Limit::secs(2 * SILENCE.as_secs()));
    let asked = until_answered("an answer", patience, ask);
    let answered = tokio::time::timeout(SILENCE, asked).await;
    answered.map_err(|_| NotebookError::Silent {
        what: what.into(),
        silent: SILENCE,
    })
}

impl Explain for NotebookError {
    fn exit(&self) -> Exit {
        match self {
            Self::BadNamespace(_) | Self::NoServiceAccount { .. } => Exit::BadInput,
            Self::NoForward { exit, .. } => *exit,
            Self::Failed { .. } => Exit::TestFailed,
            Self::TimeLimit { .. } => Exit::TimeLimit,
            Self::Api { .. }
            | Self::Silent { .. }
            | Self::NotStarted { .. }
            | Self::Lost(_)
            | Self::Unproven(_)
            | Self::Machine { .. }
            | Self::Fetch(_) => Exit::Infrastructure,
        }
    }

    fn hint(&self) -> Option<String> {
        const UP: &str = "is the cluster still up? gather-logs tells what it can";
        let hint = match self {
            Self::BadNamespace(_) => "use at most 63 lower-case letters, digits and dashes",
            Self::NoServiceAccount { .. } => {
                "set service-account to one that exists; left empty, default-editor or default is taken"
            }
            Self::Api { source, .. } => match source.as_ref() {
                kube::Error::Api(status) if status.code == 403 => {
                    "the user of the kubeconfig needs create on namespaces, configmaps and jobs, and create on pods/exec; for `forward` create on pods/portforward"
                }
                _ => UP,
            },
            Self::Silent { .. } => UP,
            Self::NotStarted { hint, .. } | Self::NoForward { hint, .. } => hint,
            Self::Machine { .. } => "is there room on the disk, and may this user write there?",
            Self::Lost(_) => {
                "look at the events of the node and the namespace in the bundle of gather-logs"
            }
            Self::TimeLimit { .. } => {
                "raise `timeout` if it only needs longer; the test was ended, what it had saved is kept"
            }
            Self::Failed { .. } | Self::Unproven(_) | Self::Fetch(_) => return None,
        };
        Some(hint.to_owned())
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::Failed { below, .. } | Self::TimeLimit { below, .. } => below.clone(),
            _ => Vec::new(),
        }
    }
}
