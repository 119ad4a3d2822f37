//! The event that started the workflow: whether it brings a fork's code to where our credentials are.
//!
//! Given `GITHUB_EVENT_NAME` and the JSON at `GITHUB_EVENT_PATH`. Three events run with the secrets of the repository while
//! what they are about may be a fork's: for those nothing of the chain runs, unless somebody who may has named the very
//! commit. A comment on a pull request names no commit: there the workspace decides, which a step before may have moved to
//! the pull request. The text of an event is anybody's: what is read of it here are hashes and names, compared and never run.

use std::path::Path;

use serde::Deserialize;

use crate::{
    inputs::Environment,
    report::{Exit, Explain, one_line},
};

/// Names the one commit of a fork that may run.
pub const FORK_SHA: &str = "MANIFESTS_E2E_FORK_SHA";

/// Why nothing of this event may run here.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// What the event is about cannot be told.
    #[error("{event}: whose code this is about cannot be told: {reason}")]
    Unclear {
        /// Its name.
        event: String,
        /// What is wrong with its JSON.
        reason: String,
    },
    /// A fork's, and nobody has said that it may.
    #[error("{event} is about commit {head} of {repository}, and this workflow has our secrets")]
    Fork {
        /// Its name.
        event: String,
        /// The fork.
        repository: String,
        /// The commit.
        head: String,
    },
    /// Another commit was said to be fine.
    #[error("{FORK_SHA} is `{named}`, but {event} is about commit {head} of {repository}")]
    OtherCommit {
        /// Its name.
        event: String,
        /// The fork.
        repository: String,
        /// The commit.
        head: String,
        /// What was named.
        named: String,
    },
    /// A comment on a pull request, and what is checked out is not the commit that the workflow is of.
    #[error(
        "{event} on a pull request: the workspace is at {found}, not at the commit that this workflow is of, and it has our secrets"
    )]
    Moved {
        /// The event's name.
        event: String,
        /// What is there.
        found: String,
    },
    /// What is checked out is neither that commit nor ours.
    #[error("the workspace is at {found}, which is neither {head} nor a commit of ours")]
    OtherCheckout {
        /// What is there.
        found: String,
        /// The commit that was named.
        head: String,
    },
}

impl Explain for EventError {
    fn exit(&self) -> Exit {
        Exit::BadInput
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unclear { .. } => {
                "use `pull_request`, which has no secrets for a fork".to_owned()
            }
            Self::Fork { .. } | Self::OtherCommit { .. } => format!(
                "read that commit; if it may run with these secrets, set {FORK_SHA} to its whole SHA, by hand, for this \
                 run alone"
            ),
            Self::Moved { .. } => format!(
                "anybody may comment, and the pull request may be a fork's: read that commit; if it may run with these \
                 secrets, set {FORK_SHA} to its whole SHA, by hand, for this run alone"
            ),
            Self::OtherCheckout { head, .. } => {
                format!("check out with `ref: {head}`: a branch may have moved since it was read")
            }
        })
    }
}

#[derive(Deserialize)]
struct Event {
    pull_request: Option<Pull>,
    workflow_run: Option<Triggering>,
    issue: Option<Issue>,
}

#[derive(Deserialize)]
struct Issue {
    /// There where the issue is a pull request.
    pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Pull {
    head: Head,
}

#[derive(Deserialize)]
struct Head {
    sha: String,
    /// Absent where the fork was deleted.
    repo: Option<Repository>,
}

#[derive(Deserialize)]
struct Triggering {
    head_sha: String,
    head_repository: Option<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

/// Refuses an event that brings a fork's code to our secrets.
///
/// # Errors
/// [`EventError`]; whatever cannot be told is refused.
pub fn refuse_fork(env: &Environment) -> Result<(), EventError> {
    let event = env.get("GITHUB_EVENT_NAME").unwrap_or_default();
    if event == "issue_comment" {
        return refuse_moved(event, env);
    }
    if !matches!(event, "pull_request_target" | "workflow_run") {
        return Ok(());
    }
    let (head, repository) = subject(event, env).map_err(|reason| EventError::Unclear {
        event: event.to_owned(),
        reason,
    })?;
    let ours = env.get("GITHUB_REPOSITORY").unwrap_or_default();
    if !ours.is_empty() && repository.eq_ignore_ascii_case(ours) {
        return Ok(());
    }
    let event = event.to_owned();
    let Some(named) = env.get(FORK_SHA) else {
        return Err(EventError::Fork {
            event,
            repository,
            head,
        });
    };
    if !named.trim().eq_ignore_ascii_case(&head) {
        return Err(EventError::OtherCommit {
            event,
            repository,
            head,
            named: one_line(named),
        });
    }
    let Some(found) = checked_out(env) else {
        return Ok(());
    };
    let of_base = env.get("GITHUB_SHA").is_some_and(|sha| sha == found);
    if of_base || found.eq_ignore_ascii_case(&head) {
        return Ok(());
    }
    Err(EventError::OtherCheckout { found, head })
}

/// Refuses a workspace that was moved to another commit than the workflow's, for a comment on a pull request.
fn refuse_moved(event: &str, env: &Environment) -> Result<(), EventError> {
    let parsed = read(env).map_err(|reason| EventError::Unclear {
        event: event.to_owned(),
        reason,
    })?;
    if parsed
        .issue
        .is_some_and(|issue| issue.pull_request.is_none())
    {
        return Ok(());
    }
    let Some(found) = checked_out(env) else {
        return Ok(());
    };
    let may_run = [env.get("GITHUB_SHA"), env.get(FORK_SHA)]
        .into_iter()
        .flatten();
    let mut may_run = may_run.map(str::trim);
    if may_run.any(|sha| sha.len() == 40 && sha.eq_ignore_ascii_case(&found)) {
        return Ok(());
    }
    Err(EventError::Moved {
        event: event.to_owned(),
        found,
    })
}

fn read(env: &Environment) -> Result<Event, String> {
    let path = env
        .get("GITHUB_EVENT_PATH")
        .ok_or("GITHUB_EVENT_PATH is not set")?;
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

/// The commit that an event is about, and whose it is.
fn subject(event: &str, env: &Environment) -> Result<(String, String), String> {
    let parsed = read(env)?;
    let (sha, repository) = match (event, parsed.pull_request, parsed.workflow_run) {
        ("pull_request_target", Some(pull), _) => (pull.head.sha, pull.head.repo),
        ("workflow_run", _, Some(run)) => (run.head_sha, run.head_repository),
        _ => return Err("it has neither a pull request nor a run".to_owned()),
    };
    if sha.len() != 40 || !sha.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("its head is no commit".to_owned());
    }
    let repository = repository.map_or_else(|| "a deleted fork".to_owned(), |one| one.full_name);
    Ok((sha, one_line(&repository)))
}

/// What the workspace is at: a commit, or what stands where one should; nothing where it is no checkout.
fn checked_out(env: &Environment) -> Option<String> {
    let workspace = Path::new(env.get("GITHUB_WORKSPACE")?).join(".git");
    let head = std::fs::read_to_string(workspace.join("HEAD")).ok()?;
    let head = head.trim();
    let Some(name) = head.strip_prefix("ref: ") else {
        return Some(head.to_owned());
    };
    let inside = name.starts_with("refs/") && !name.contains("..");
    let commit = inside
        .then(|| std::fs::read_to_string(workspace.join(name)).ok())
        .flatten();
    Some(commit.map_or_else(|| one_line(name), |commit| commit.trim().to_owned()))
}
