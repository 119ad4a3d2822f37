//! The event `issue_comment`, as far as it is read. Source: GitHub's reference of webhook events and payloads.

use std::path::Path;

use serde::Deserialize;

use crate::{
    github::api::is_repository,
    inputs::Environment,
    report::{Exit, Explain},
};

/// A comment, and where it stands. All of its text is anybody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `owner/name`.
    pub repository: String,
    /// Of the issue or pull request.
    pub number: u64,
    /// Of the comment.
    pub comment: u64,
    /// Who wrote it.
    pub login: String,
    /// What it says.
    pub body: String,
    /// What became of it: `created`, `edited`, `deleted`.
    action: String,
    is_pull: bool,
    is_machine: bool,
    is_by_another: bool,
}

/// Why there is no comment to read.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Another event.
    #[error("the event is `{event}`, not `issue_comment`")]
    Other {
        /// Its name.
        event: String,
    },
    /// Its JSON.
    #[error("cannot read the event: {reason}")]
    Unreadable {
        /// What the system or the parser said.
        reason: String,
    },
}

impl Explain for EventError {
    fn exit(&self) -> Exit {
        Exit::BadInput
    }

    fn hint(&self) -> Option<String> {
        Some("docs/publish.md has a workflow for comments".to_owned())
    }
}

#[derive(Deserialize)]
struct Raw {
    action: String,
    issue: Issue,
    comment: Comment,
    repository: Repository,
    sender: User,
}

#[derive(Deserialize)]
struct Issue {
    number: u64,
    pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Comment {
    id: u64,
    body: Option<String>,
    user: Option<User>,
    performed_via_github_app: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

#[derive(Deserialize)]
struct User {
    login: String,
    #[serde(rename = "type", default)]
    kind: String,
}

impl Event {
    /// That of this run.
    ///
    /// # Errors
    /// [`EventError`].
    pub fn of(env: &Environment) -> Result<Self, EventError> {
        let name = env.get("GITHUB_EVENT_NAME").unwrap_or_default();
        if name != "issue_comment" {
            let event = name.to_owned();
            return Err(EventError::Other { event });
        }
        let unreadable = |reason: String| EventError::Unreadable { reason };
        let path = env.get("GITHUB_EVENT_PATH").map(Path::new);
        let path = path.ok_or_else(|| unreadable("GITHUB_EVENT_PATH is not set".to_owned()))?;
        let text = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
        let raw: Raw =
            serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        if !is_repository(&raw.repository.full_name) {
            return Err(unreadable("its repository is no owner/name".to_owned()));
        }
        let user = raw.comment.user.as_ref();
        let is_user = user.is_some_and(|user| user.kind == "User");
        Ok(Self {
            repository: raw.repository.full_name,
            number: raw.issue.number,
            comment: raw.comment.id,
            login: user.map(|user| user.login.clone()).unwrap_or_default(),
            body: raw.comment.body.unwrap_or_default(),
            action: raw.action,
            is_pull: raw.issue.pull_request.is_some(),
            is_machine: !is_user || raw.comment.performed_via_github_app.is_some(),
            is_by_another: user.is_none_or(|user| user.login != raw.sender.login),
        })
    }

    /// Why nobody is heard, whatever the comment says.
    pub fn is_unheard(&self) -> Option<&'static str> {
        if self.action != "created" {
            // Whoever may write can edit the comments of others.
            return Some(
                "only a comment that was just made is heard, not one that was edited or deleted",
            );
        }
        if !self.is_pull {
            return Some("the comment is on an issue, not on a pull request");
        }
        if self.is_machine {
            return Some("the comment is by an app, not by a person");
        }
        self.is_by_another
            .then_some("the comment was sent by somebody else than its author")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn unheard(change: impl Fn(&mut Value)) -> Option<&'static str> {
        let person = json!({"login": "somebody", "type": "User"});
        let mut event = json!({
            "action": "created",
            "issue": {"number": 7, "pull_request": {"url": "x"}},
            "comment": {"id": 1, "body": "/test", "user": person, "performed_via_github_app": null},
            "repository": {"full_name": "o/r"},
            "sender": person,
        });
        change(&mut event);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("event.json");
        std::fs::write(&file, event.to_string()).unwrap();
        let env = Environment::of([
            ("GITHUB_EVENT_NAME", "issue_comment"),
            ("GITHUB_EVENT_PATH", file.to_str().unwrap()),
        ]);
        Event::of(&env).unwrap().is_unheard()
    }

    #[test]
    fn a_person_is_heard_who_has_just_commented_on_a_pull_request() {
        assert_eq!(unheard(|_| {}), None);
        let why = |change: fn(&mut Value)| unheard(change).unwrap_or_default();
        assert!(why(|event| event["action"] = json!("edited")).contains("edited"));
        assert!(why(|event| event["action"] = json!("deleted")).contains("deleted"));
        assert!(why(|event| event["issue"]["pull_request"] = Value::Null).contains("issue"));
        assert!(why(|event| event["comment"]["user"]["type"] = json!("Bot")).contains("app"));
        assert!(why(|event| event["comment"]["user"] = Value::Null).contains("app"));
        let app = json!({"slug": "x"});
        let by_app = unheard(|event| event["comment"]["performed_via_github_app"] = app.clone());
        assert!(by_app.is_some());
        assert!(why(|event| event["sender"]["login"] = json!("other")).contains("somebody else"));
    }
}
