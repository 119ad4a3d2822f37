//! The files that an event changes.

use std::collections::BTreeSet;

use super::{
    source::{Sources, remote},
    subject::{Base, Range},
};
use crate::{
    limits::Deadline,
    report::{Exit, Explain},
};

/// The files that count as changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// These, from the repository's root; of one that was moved both names.
    Files(BTreeSet<String>),
    /// All there is, and why.
    All(String),
}

/// Why the changed files cannot be told.
#[derive(Debug, thiserror::Error)]
#[error("cannot tell which files are changed: {reason}")]
pub struct ChangesError {
    /// What git said, and the API.
    reason: String,
}

impl Explain for ChangesError {
    fn exit(&self) -> Exit {
        Exit::Infrastructure
    }

    fn hint(&self) -> Option<String> {
        Some(format!(
            "check out with `fetch-depth: 0`, {}",
            remote::REMEDY
        ))
    }
}

/// Finds them, in the clone where it has the history, else by the API.
///
/// # Errors
/// [`ChangesError`]; no answer is never taken for no change.
pub async fn find(
    range: &Range,
    sources: &Sources,
    deadline: Deadline,
) -> Result<Changes, ChangesError> {
    let (before, after) = match range {
        Range::All(why) => return Ok(Changes::All((*why).to_owned())),
        Range::Between { before, after } => (before.clone(), after),
        Range::SinceParted { base, head } => (parted(base, head, sources, deadline).await?, head),
    };
    let by_git = match sources.git.between(&before, after, deadline).await {
        Ok(files) => return Ok(Changes::Files(files)),
        Err(reason) => reason,
    };
    tracing::info!("{by_git}; asking GitHub's API");
    let remote = match &sources.remote {
        Ok(remote) => remote,
        Err(reason) => return Err(both(&by_git, reason)),
    };
    // A push with force may leave a commit that nobody has any more; then there is no telling what it took away.
    if matches!(range, Range::Between { .. })
        && !remote
            .has(&before, deadline)
            .await
            .map_err(|reason| both(&by_git, &reason))?
        && remote
            .has(after, deadline)
            .await
            .map_err(|reason| both(&by_git, &reason))?
    {
        tracing::warn!(
            "commit {before}, where this push began, is gone: every file counts as changed"
        );
        return Ok(Changes::All(format!(
            "commit {before}, where this push began, is gone"
        )));
    }
    let files = remote.between(&before, after, deadline).await;
    files
        .map(Changes::Files)
        .map_err(|reason| both(&by_git, &reason))
}

async fn parted(
    base: &Base,
    head: &str,
    sources: &Sources,
    deadline: Deadline,
) -> Result<String, ChangesError> {
    let (name, commit) = match base {
        Base::Commit(commit) => (commit, Ok(commit.clone())),
        Base::Branch(name) => (name, sources.git.branch(name, deadline).await),
    };
    let by_git = match commit {
        Ok(commit) => sources.git.parted(&commit, head, deadline).await,
        Err(reason) => Err(reason),
    };
    let by_git = match by_git {
        Ok(commit) => return Ok(commit),
        Err(reason) => reason,
    };
    tracing::info!("{by_git}; asking GitHub's API");
    let by_api = match &sources.remote {
        Ok(remote) => remote.parted(name, head, deadline).await,
        Err(reason) => Err(reason.clone()),
    };
    by_api.map_err(|reason| both(&by_git, &reason))
}

fn both(by_git: &str, by_api: &str) -> ChangesError {
    ChangesError {
        reason: format!("{by_git}; {by_api}"),
    }
}
