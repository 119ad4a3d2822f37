//! Where commits and files come from: a clone by git, else GitHub's API.
//!
//! A file is read as a commit has it, not as the directory does, on a runner: what is checked out may be another commit. Off a
//! runner it is the file that somebody edits.

pub mod git;
pub mod remote;

use std::path::PathBuf;

use self::{git::Git, remote::Remote};
use super::subject::Trust;
use crate::{
    limits::Deadline,
    report::{Exit, Explain},
};

/// Everything that can be asked.
#[derive(Debug)]
pub struct Sources {
    /// The clone.
    pub git: Git,
    /// GitHub; the reason where it cannot be asked.
    pub remote: Result<Remote, String>,
    /// Directory of the clone.
    pub dir: PathBuf,
    /// Whether this is a runner, which takes a file from its commit.
    pub on_runner: bool,
}

/// Why a file or a commit cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file that is there.
    #[error("cannot read {path} of commit {commit}: {reason}")]
    File {
        /// In the repository.
        path: String,
        /// The commit.
        commit: String,
        /// What git and the API said.
        reason: String,
    },
    /// No path in a repository.
    #[error("{path} is no path from the root of the repository")]
    Outside {
        /// As it was given.
        path: String,
    },
    /// A file of this machine.
    #[error("cannot read {path}: {reason}")]
    Here {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
}

impl Explain for SourceError {
    fn exit(&self) -> Exit {
        match self {
            Self::File { .. } => Exit::Infrastructure,
            Self::Here { .. } | Self::Outside { .. } => Exit::BadInput,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::File { .. } => Some(format!("check out that commit, {}", remote::REMEDY)),
            Self::Here { .. } | Self::Outside { .. } => None,
        }
    }
}

/// A file, and of which commit it is; none for one of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What is in it.
    pub text: String,
    /// The commit.
    pub commit: Option<String>,
}

impl Sources {
    /// A file by its path in the repository; `None` where there is none of that name.
    ///
    /// # Errors
    /// [`SourceError`].
    pub async fn read(
        &self,
        path: &str,
        trust: &Trust,
        deadline: Deadline,
    ) -> Result<Option<Found>, SourceError> {
        let Some(commit) = self.commit(trust, deadline).await else {
            return self.here(path).await;
        };
        let path = path.trim_start_matches("./");
        if path.starts_with('/') || path.split('/').any(|part| part == "..") {
            let path = path.to_owned();
            return Err(SourceError::Outside { path });
        }
        let found = self.of_commit(path, &commit, deadline).await;
        let found = found.map_err(|reason| SourceError::File {
            path: path.to_owned(),
            commit: commit.clone(),
            reason,
        })?;
        Ok(found.map(|bytes| Found {
            text: String::from_utf8_lossy(&bytes).into_owned(),
            commit: Some(commit),
        }))
    }

    /// The commit whose files count; `None` for those of the directory.
    async fn commit(&self, trust: &Trust, deadline: Deadline) -> Option<String> {
        match trust {
            Trust::Only(commit) => Some(commit.clone()),
            Trust::UnderTest(_) if !self.on_runner => None,
            Trust::UnderTest(commits) => {
                let first = commits.first()?;
                let head = self.git.head(deadline).await;
                Some(
                    head.filter(|head| commits.contains(head))
                        .unwrap_or_else(|| first.clone()),
                )
            }
        }
    }

    async fn of_commit(
        &self,
        path: &str,
        commit: &str,
        deadline: Deadline,
    ) -> Result<Option<Vec<u8>>, String> {
        let by_git = match self.git.file(commit, path, deadline).await {
            Ok(found) => return Ok(found),
            Err(reason) => reason,
        };
        let by_api = match &self.remote {
            Ok(remote) => remote.file(commit, path, deadline).await,
            Err(reason) => Err(reason.clone()),
        };
        by_api.map_err(|reason| format!("{by_git}; {reason}"))
    }

    async fn here(&self, path: &str) -> Result<Option<Found>, SourceError> {
        let file = self.dir.join(path);
        match tokio::fs::read_to_string(&file).await {
            Ok(text) => Ok(Some(Found { text, commit: None })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(SourceError::Here {
                path: file.display().to_string(),
                reason: error.to_string(),
            }),
        }
    }
}
