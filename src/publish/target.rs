//! Whom a result concerns: repository, commit and pull request, by the event and what the user names.
//!
//! Of the event's text only numbers, commits and names that are checked get into a route.

use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::{
    github::api::{Api, SendError, is_repository},
    inputs::Environment,
    limits::Deadline,
    report::{Exit, Explain},
};

/// Whom a result concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `owner/name`.
    pub repository: String,
    /// The commit.
    pub sha: String,
    /// The pull request, where there is one.
    pub pull: Option<u64>,
    /// The branch of a fork whose pull request the event does not name: `owner:branch`.
    pub head: Option<String>,
}

/// What the user names.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The commit.
    pub sha: Option<String>,
    /// The pull request.
    pub pull: Option<u64>,
}

/// Why there is no telling whom it concerns.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Nothing names the repository.
    #[error("GITHUB_REPOSITORY names no repository")]
    NoRepository,
    /// Nothing names the commit.
    #[error("{event}: the event names no commit")]
    NoCommit {
        /// Its name.
        event: String,
    },
    /// The event cannot be read.
    #[error("cannot read the event: {reason}")]
    Unreadable {
        /// What the system or the parser said.
        reason: String,
    },
}

impl Explain for TargetError {
    fn exit(&self) -> Exit {
        Exit::BadInput
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoRepository => {
                "set GITHUB_REPOSITORY to owner/name, as a runner does".to_owned()
            }
            Self::NoCommit { .. } => {
                "name the commit that was tested by `sha`, and its pull request by `pull`"
                    .to_owned()
            }
            Self::Unreadable { .. } => "leave GITHUB_EVENT_PATH as the runner sets it".to_owned(),
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    pull_request: Option<Pull>,
    merge_group: Option<Group>,
    workflow_run: Option<Triggering>,
    issue: Option<Issue>,
}

#[derive(Deserialize)]
struct Pull {
    number: u64,
    head: Head,
}

#[derive(Deserialize)]
struct Head {
    sha: String,
}

#[derive(Deserialize)]
struct Group {
    head_sha: String,
}

#[derive(Deserialize)]
struct Triggering {
    event: Option<String>,
    head_sha: String,
    head_branch: Option<String>,
    head_repository: Option<Repository>,
    #[serde(default)]
    pull_requests: Vec<Number>,
}

#[derive(Deserialize)]
struct Repository {
    owner: Option<Owner>,
}

#[derive(Deserialize)]
struct Owner {
    login: String,
}

#[derive(Deserialize)]
struct Number {
    number: u64,
}

#[derive(Deserialize)]
struct Issue {
    number: u64,
    pull_request: Option<serde::de::IgnoredAny>,
}

impl Target {
    /// Of the event that runs.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn of(env: &Environment, wanted: &Wanted) -> Result<Self, TargetError> {
        let repository = env
            .get("GITHUB_REPOSITORY")
            .filter(|name| is_repository(name));
        let repository = repository.ok_or(TargetError::NoRepository)?.to_owned();
        let event = env
            .get("GITHUB_EVENT_PATH")
            .map(Path::new)
            .map(read)
            .transpose()?;
        let event = event.unwrap_or_default();
        let name = env.get("GITHUB_EVENT_NAME").unwrap_or_default();
        let found = event.sha(name).or_else(|| {
            env.get("GITHUB_SHA")
                .filter(|_| event.is_about_its_commit(name))
                .map(str::to_owned)
        });
        let sha = wanted.sha.clone().or(found).filter(|sha| is_commit(sha));
        let sha = sha.ok_or_else(|| TargetError::NoCommit {
            event: name.to_owned(),
        })?;
        let pull = wanted.pull.or_else(|| event.pull());
        let head = if pull.is_none() { event.fork() } else { None };
        Ok(Self {
            repository,
            sha,
            pull,
            head,
        })
    }

    /// The number of the pull request, asked for where the event does not name that of a fork.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn pull(&self, api: &Api, deadline: Deadline) -> Result<Option<u64>, SendError> {
        let Some(head) = &self.head else {
            return Ok(self.pull);
        };
        let head = utf8_percent_encode(head, NON_ALPHANUMERIC);
        let route = format!("/repos/{}/pulls?state=open&head={head}", self.repository);
        let answer = api.look(&route, deadline).await?;
        if answer.status != 200 {
            return Err(SendError::Refused(answer.reason()));
        }
        let pulls = answer.body.as_array().into_iter().flatten();
        // Of a branch that has moved since, the newer run tells.
        let ours = pulls
            .into_iter()
            .find(|pull| pull["head"]["sha"] == self.sha.as_str());
        Ok(ours.and_then(|pull| pull["number"].as_u64()))
    }
}

impl Event {
    fn sha(&self, name: &str) -> Option<String> {
        match name {
            "workflow_run" => self.workflow_run.as_ref().map(|run| run.head_sha.clone()),
            "merge_group" => self
                .merge_group
                .as_ref()
                .map(|group| group.head_sha.clone()),
            _ => self.pull_request.as_ref().map(|pull| pull.head.sha.clone()),
        }
    }

    /// Whether what the runner calls its commit is what was tested: for a comment it is that of the default branch.
    fn is_about_its_commit(&self, name: &str) -> bool {
        self.issue.is_none() && name != "workflow_run"
    }

    fn pull(&self) -> Option<u64> {
        let of_issue = self
            .issue
            .as_ref()
            .filter(|issue| issue.pull_request.is_some());
        let of_run = self
            .workflow_run
            .as_ref()
            .and_then(|run| run.pull_requests.first());
        self.pull_request
            .as_ref()
            .map(|pull| pull.number)
            .or_else(|| of_issue.map(|issue| issue.number))
            .or_else(|| of_run.map(|pull| pull.number))
    }

    fn fork(&self) -> Option<String> {
        let run = self.workflow_run.as_ref()?;
        if run.event.as_deref() != Some("pull_request") {
            return None;
        }
        let owner = run.head_repository.as_ref()?.owner.as_ref()?;
        Some(format!("{}:{}", owner.login, run.head_branch.as_ref()?))
    }
}

fn read(file: &Path) -> Result<Event, TargetError> {
    let unreadable = |reason: String| TargetError::Unreadable {
        reason: format!("{}: {reason}", file.display()),
    };
    let text = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))
}

/// SHA-1 or SHA-256, in hexadecimal digits.
pub fn is_commit(sha: &str) -> bool {
    matches!(sha.len(), 40 | 64) && sha.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const HEAD: &str = "1234567890abcdef1234567890abcdef12345678";

    fn of(name: &str, event: &Value, wanted: &Wanted) -> Result<Target, TargetError> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("event.json");
        std::fs::write(&file, event.to_string()).unwrap();
        let sha = "9".repeat(40);
        Target::of(
            &Environment::of([
                ("GITHUB_REPOSITORY", "o/r"),
                ("GITHUB_EVENT_NAME", name),
                ("GITHUB_EVENT_PATH", file.to_str().unwrap()),
                ("GITHUB_SHA", &sha),
            ]),
            wanted,
        )
    }

    #[test]
    fn a_result_concerns_the_head_and_not_the_merge_that_was_tried() {
        let pull = json!({"pull_request": {"number": 7, "head": {"sha": HEAD}}});
        for event in ["pull_request", "pull_request_target"] {
            let target = of(event, &pull, &Wanted::default()).unwrap();
            assert_eq!((target.sha.as_str(), target.pull), (HEAD, Some(7)));
        }
        let group = json!({"merge_group": {"head_sha": HEAD}});
        let target = of("merge_group", &group, &Wanted::default()).unwrap();
        assert_eq!((target.sha.as_str(), target.pull), (HEAD, None));
        let target = of("push", &json!({}), &Wanted::default()).unwrap();
        assert_eq!((target.sha, target.pull), ("9".repeat(40), None));
    }

    #[test]
    fn the_commit_of_a_comment_has_to_be_named() {
        let comment = json!({"issue": {"number": 7, "pull_request": {}}});
        let error = of("issue_comment", &comment, &Wanted::default()).unwrap_err();
        assert!(matches!(error, TargetError::NoCommit { .. }), "{error}");
        let wanted = Wanted {
            sha: Some(HEAD.to_owned()),
            pull: None,
        };
        let target = of("issue_comment", &comment, &wanted).unwrap();
        assert_eq!((target.sha.as_str(), target.pull), (HEAD, Some(7)));
        // An issue has no comment of ours.
        let issue = json!({"issue": {"number": 7}});
        assert_eq!(of("issue_comment", &issue, &wanted).unwrap().pull, None);
    }

    #[test]
    fn a_run_of_a_fork_is_found_by_its_branch() {
        let run = json!({"workflow_run": {
            "event": "pull_request", "head_sha": HEAD, "head_branch": "a b", "pull_requests": [],
            "head_repository": {"owner": {"login": "fork"}},
        }});
        let target = of("workflow_run", &run, &Wanted::default()).unwrap();
        assert_eq!(
            (target.sha.as_str(), target.head.as_deref()),
            (HEAD, Some("fork:a b"))
        );
        let named = Wanted {
            sha: None,
            pull: Some(7),
        };
        assert_eq!(of("workflow_run", &run, &named).unwrap().head, None);
    }

    #[test]
    fn what_is_no_commit_gets_into_no_route() {
        let pull = json!({"pull_request": {"number": 7, "head": {"sha": "../../x"}}});
        let error = of("pull_request", &pull, &Wanted::default()).unwrap_err();
        assert!(matches!(error, TargetError::NoCommit { .. }), "{error}");
    }
}
