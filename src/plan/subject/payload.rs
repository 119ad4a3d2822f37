//! The JSON of an event, as far as it is read. Source: GitHub's reference of webhook events and payloads.

use std::path::Path;

use serde::Deserialize;

use crate::report::{Exit, Explain};

/// An event's JSON.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Payload {
    repository: Option<Repository>,
    pull_request: Option<RawPull>,
    issue: Option<Issue>,
    comment: Option<serde_json::Value>,
    review: Option<serde_json::Value>,
    merge_group: Option<RawGroup>,
    workflow_run: Option<serde_json::Value>,
    schedule: Option<serde_json::Value>,
    workflow: Option<serde_json::Value>,
    #[serde(rename = "client_payload")]
    of_client: Option<serde_json::Value>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    before: Option<String>,
    after: Option<String>,
    #[serde(default)]
    deleted: bool,
}

#[derive(Clone, Debug, Deserialize)]
struct Repository {
    full_name: Option<String>,
    default_branch: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Issue {
    number: u64,
    pull_request: Option<serde_json::Value>,
}

/// A pull request as the API and the events have it.
#[derive(Clone, Debug, Deserialize)]
pub struct RawPull {
    number: u64,
    title: Option<String>,
    user: Option<User>,
    base: End,
    head: End,
}

#[derive(Clone, Debug, Deserialize)]
struct User {
    login: String,
}

#[derive(Clone, Debug, Deserialize)]
struct End {
    #[serde(rename = "ref")]
    reference: String,
    sha: String,
}

#[derive(Clone, Debug, Deserialize)]
struct RawGroup {
    head_sha: String,
    head_ref: Option<String>,
    base_sha: String,
    base_ref: String,
}

/// A pull request. Title, branch and author are anybody's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Who has opened it; empty where the account is gone.
    pub author: String,
    /// The branch it is to be merged into.
    pub base_ref: String,
    /// A commit of that branch.
    pub base_sha: String,
    /// The branch that is to be merged.
    pub head_ref: String,
    /// Its last commit.
    pub sha: String,
}

/// A group of a merge queue.
pub(super) struct Group {
    pub(super) sha: String,
    pub(super) base_sha: String,
    pub(super) base_ref: String,
    /// Of the pull request that the group's branch is named after.
    pub(super) number: Option<u64>,
}

/// A push.
pub(super) struct Push {
    /// Of the branch or tag.
    pub(super) name: String,
    pub(super) is_tag: bool,
    /// Absent where the branch is new.
    pub(super) before: Option<String>,
    pub(super) after: String,
    pub(super) default_branch: Option<String>,
}

/// Why an event cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// Nothing names it.
    #[error("there is no event: neither `event` is given nor GITHUB_EVENT_PATH set")]
    None,
    /// Nothing says what event it is.
    #[error("the event does not say what it is, and none of those that plan knows looks like it")]
    Nameless,
    /// The file.
    #[error("cannot read the event in {file}: {reason}")]
    Unreadable {
        /// Its path.
        file: String,
        /// What the system or the parser said.
        reason: String,
    },
}

impl Explain for PayloadError {
    fn exit(&self) -> Exit {
        Exit::BadInput
    }

    fn hint(&self) -> Option<String> {
        if matches!(self, Self::Nameless) {
            return Some(
                "name it by `event-name`, such as push, and its type of job by `job-type`"
                    .to_owned(),
            );
        }
        Some("give a file with the JSON of an event by `event`, as GITHUB_EVENT_PATH of a workflow has it".to_owned())
    }
}

impl Payload {
    /// Reads an event.
    ///
    /// # Errors
    /// [`PayloadError`].
    pub fn read(file: &Path) -> Result<Self, PayloadError> {
        let unreadable = |reason: String| PayloadError::Unreadable {
            file: file.display().to_string(),
            reason,
        };
        let text = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
        serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))
    }

    /// The event that has such a payload, for one that comes without its name. `pull_request` stands for its kin.
    pub fn event(&self) -> Option<&'static str> {
        let is_pull = self.pull_request.is_some();
        Some(match self {
            _ if self.issue.is_some() && self.comment.is_some() => "issue_comment",
            _ if is_pull && self.review.is_some() => "pull_request_review",
            _ if is_pull => "pull_request",
            _ if self.merge_group.is_some() => "merge_group",
            _ if self.before.is_some() && self.after.is_some() => "push",
            _ if self.workflow_run.is_some() => "workflow_run",
            _ if self.schedule.is_some() => "schedule",
            _ if self.of_client.is_some() => "repository_dispatch",
            _ if self.workflow.is_some() => "workflow_dispatch",
            _ => return None,
        })
    }

    /// `owner/name`.
    pub fn repository(&self) -> Option<&str> {
        self.repository.as_ref()?.full_name.as_deref()
    }

    /// The number of a pull request that the event is about and does not hold: that of a comment.
    pub fn missing_pull(&self) -> Option<u64> {
        let issue = self.issue.as_ref()?;
        let is_pull = issue.pull_request.as_ref().is_some_and(|it| !it.is_null());
        (is_pull && self.pull_request.is_none()).then_some(issue.number)
    }

    /// Adds the pull request that it is about.
    pub fn add_pull(&mut self, pull: RawPull) {
        self.pull_request = Some(pull);
    }

    /// The pull request; an error where what should be a commit is none.
    pub(super) fn pull(&self) -> Result<Option<Pull>, String> {
        let Some(raw) = &self.pull_request else {
            return Ok(None);
        };
        Ok(Some(Pull {
            number: raw.number,
            title: raw.title.clone().unwrap_or_default(),
            author: raw
                .user
                .as_ref()
                .map(|user| user.login.clone())
                .unwrap_or_default(),
            base_ref: raw.base.reference.clone(),
            base_sha: commit(&raw.base.sha, "the base of its pull request")?,
            head_ref: raw.head.reference.clone(),
            sha: commit(&raw.head.sha, "the head of its pull request")?,
        }))
    }

    pub(super) fn group(&self) -> Result<Option<Group>, String> {
        let Some(raw) = &self.merge_group else {
            return Ok(None);
        };
        Ok(Some(Group {
            sha: commit(&raw.head_sha, "the head of its group")?,
            base_sha: commit(&raw.base_sha, "the base of its group")?,
            base_ref: short(&raw.base_ref).to_owned(),
            number: raw.head_ref.as_deref().and_then(number),
        }))
    }

    pub(super) fn push(&self) -> Result<Push, String> {
        let (Some(reference), Some(before), Some(after)) =
            (&self.reference, &self.before, &self.after)
        else {
            return Err("it has no `ref`, `before` and `after`".to_owned());
        };
        let is_none = |sha: &str| sha.bytes().all(|byte| byte == b'0');
        if self.deleted || is_none(after) {
            return Err(format!(
                "{} was deleted: there is nothing to test",
                short(reference).escape_debug()
            ));
        }
        let before = if is_none(before) {
            None
        } else {
            Some(commit(before, "`before`")?)
        };
        let branch = self.repository.as_ref();
        Ok(Push {
            name: short(reference).to_owned(),
            is_tag: reference.starts_with("refs/tags/"),
            before,
            after: commit(after, "`after`")?,
            default_branch: branch.and_then(|repository| repository.default_branch.clone()),
        })
    }
}

/// A commit's name, whole.
fn commit(sha: &str, what: &str) -> Result<String, String> {
    if is_commit(sha) {
        Ok(sha.to_ascii_lowercase())
    } else {
        Err(format!("{what} is no commit"))
    }
}

/// SHA-1 or SHA-256, in hexadecimal digits.
pub(super) fn is_commit(sha: &str) -> bool {
    matches!(sha.len(), 40 | 64) && sha.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A branch or tag without what git puts before it.
fn short(reference: &str) -> &str {
    ["refs/heads/", "refs/tags/"]
        .iter()
        .find_map(|start| reference.strip_prefix(start))
        .unwrap_or(reference)
}

/// 123 of `refs/heads/gh-readonly-queue/main/pr-123-<commit>`.
fn number(reference: &str) -> Option<u64> {
    let (_, last) = reference.rsplit_once("/pr-")?;
    last.split('-').next()?.parse().ok()
}
