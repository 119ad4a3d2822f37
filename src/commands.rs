//! What people ask for in comments on pull requests: `/test`, `/retest`, `/ok-to-test sha=…`, `/hold`.
//!
//! Given an event `issue_comment`, the names of the jobs that there are, and GitHub's API. Whoever reads a pull request may
//! comment on it: only those whom GitHub says may write are heard, and what is decided has nothing of their text in it but
//! names that the workflow has listed. It runs nothing; it says what to run, and of which commit.

mod body;
mod event;

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use self::body::Command;
pub use body::is_name;
pub use event::Event;

use crate::{
    github::api::{Answer, Api, SendError},
    limits::Deadline,
    report::{Exit, Explain, one_line},
};

/// Statuses of one page, and so many pages.
const PAGE: usize = 100;
const MAX_PAGES: usize = 10;

/// What a comment comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The jobs to run, none of them twice, in the workflow's order.
    pub jobs: Vec<String>,
    /// The head of the pull request, where somebody who may asked for something.
    pub sha: Option<String>,
    /// Whether it is a fork's.
    pub is_fork: bool,
    /// Whether the merge is to be held, or no longer.
    pub hold: Option<bool>,
    /// What was asked for and is not done, and why; for what is no request, why it is none.
    pub refused: Vec<String>,
    /// Whether somebody was heard: then he gets a sign.
    pub is_heard: bool,
}

/// What a hold is called.
#[derive(Clone, Copy, Debug)]
pub struct HoldNames<'a> {
    /// The label.
    pub label: &'a str,
    /// The status.
    pub status: &'a str,
}

/// Why nothing can be decided.
#[derive(Debug, thiserror::Error)]
#[error("GitHub did not tell {what}: {reason}")]
pub struct SilentError {
    /// What was asked.
    pub what: String,
    /// Status and message, or what became of the request.
    pub reason: String,
}

impl Explain for SilentError {
    fn exit(&self) -> Exit {
        Exit::Infrastructure
    }

    fn hint(&self) -> Option<String> {
        Some(
            "comment again; the step needs `GITHUB_TOKEN: ${{ github.token }}` in its `env:`, the job `pull-requests: write` and \
             `statuses: write`"
                .to_owned(),
        )
    }
}

/// Decides what a comment comes to. `jobs` are those that there are.
///
/// # Errors
/// [`SilentError`]: then nothing runs.
pub async fn decide(
    event: &Event,
    jobs: &[String],
    api: &Api,
    deadline: Deadline,
) -> Result<Decision, SilentError> {
    let nothing = |why: String| Decision {
        refused: vec![why],
        ..Decision::default()
    };
    if let Some(why) = event.is_unheard() {
        return Ok(nothing(why.to_owned()));
    }
    let asked = body::read(&event.body);
    if asked.is_empty() {
        return Ok(nothing("the comment asks for nothing".to_owned()));
    }
    let room = Room {
        api,
        event,
        deadline,
    };
    if !room.may_write().await? {
        let who = one_line(&event.login);
        return Ok(nothing(format!("{who} may not write to this repository")));
    }
    let pull = room.pull().await?;
    let head = pull["head"]["sha"].as_str().unwrap_or_default().to_owned();
    let of = pull["head"]["repo"]["full_name"].as_str();
    let mut decision = Decision {
        is_fork: !of.is_some_and(|of| of.eq_ignore_ascii_case(&event.repository)),
        is_heard: true,
        ..Decision::default()
    };
    if pull["state"] != "open" {
        decision
            .refused
            .push("the pull request is closed".to_owned());
        return Ok(decision);
    }
    let mut wanted: Vec<String> = Vec::new();
    for command in asked {
        let outcome = match command {
            Ok(Command::Hold(hold)) => {
                decision.hold = Some(hold);
                Ok(Vec::new())
            }
            Ok(Command::Test { jobs: names, sha }) => {
                allowed(sha.as_deref(), &head, decision.is_fork).and_then(|()| named(&names, jobs))
            }
            Ok(Command::Retest { sha }) => match allowed(sha.as_deref(), &head, decision.is_fork) {
                Ok(()) => room.red(&head, jobs).await?,
                Err(reason) => Err(reason),
            },
            Err(reason) => Err(reason),
        };
        match outcome {
            Ok(names) => wanted.extend(names),
            Err(reason) => decision.refused.push(reason),
        }
    }
    decision.jobs = jobs
        .iter()
        .filter(|job| wanted.contains(job))
        .cloned()
        .collect();
    decision.sha = Some(head);
    Ok(decision)
}

/// Whether the head may be tested: of a fork only the commit that was named.
fn allowed(named: Option<&str>, head: &str, is_fork: bool) -> Result<(), String> {
    match named {
        Some(named) if named.eq_ignore_ascii_case(head) => Ok(()),
        Some(named) => Err(format!(
            "the head of the pull request is {head}, not {named}"
        )),
        None if is_fork => Err(format!(
            "the pull request is a fork's: read its head and name it, `/ok-to-test sha={head}`"
        )),
        None => Ok(()),
    }
}

/// The jobs that were named; all where none was.
fn named(names: &[String], jobs: &[String]) -> Result<Vec<String>, String> {
    if names.is_empty() || names.iter().any(|name| name == "all") {
        return Ok(jobs.to_vec());
    }
    match names.iter().find(|name| !jobs.contains(name)) {
        None => Ok(names.to_vec()),
        Some(unknown) => Err(format!(
            "there is no job `{unknown}`; there are {}",
            jobs.join(", ")
        )),
    }
}

/// Where a comment stands.
struct Room<'a> {
    api: &'a Api,
    event: &'a Event,
    deadline: Deadline,
}

impl Room<'_> {
    async fn ask(&self, route: &str, what: &str) -> Result<Answer, SilentError> {
        let route = format!("/repos/{}{route}", self.event.repository);
        let answer = self.api.look(&route, self.deadline).await;
        let answer = answer.map_err(|error| silent(what, &error))?;
        match answer.status {
            200 | 404 => Ok(answer),
            _ => Err(SilentError {
                what: what.to_owned(),
                reason: answer.reason(),
            }),
        }
    }

    /// Whether GitHub says that the author may write here.
    async fn may_write(&self) -> Result<bool, SilentError> {
        let login = utf8_percent_encode(&self.event.login, NON_ALPHANUMERIC);
        let route = format!("/collaborators/{login}/permission");
        let answer = self
            .ask(&route, "what the author of the comment may do")
            .await?;
        // `maintain` is told as `write`, `triage` as `read`.
        let permission = answer.body["permission"].as_str();
        Ok(answer.status == 200 && matches!(permission, Some("admin" | "write")))
    }

    async fn pull(&self) -> Result<Value, SilentError> {
        let what = format!("what pull request {} is about", self.event.number);
        let answer = self
            .ask(&format!("/pulls/{}", self.event.number), &what)
            .await?;
        let sha = answer.body["head"]["sha"].as_str().unwrap_or_default();
        let is_commit = matches!(sha.len(), 40 | 64) && sha.bytes().all(|b| b.is_ascii_hexdigit());
        if answer.status != 200 || !is_commit {
            let reason = answer.reason();
            return Err(SilentError { what, reason });
        }
        Ok(answer.body)
    }

    /// The jobs that are red on a commit, by its statuses.
    async fn red(
        &self,
        head: &str,
        jobs: &[String],
    ) -> Result<Result<Vec<String>, String>, SilentError> {
        let mut red = Vec::new();
        for page in 1..=MAX_PAGES {
            let route = format!("/commits/{head}/status?per_page={PAGE}&page={page}");
            let answer = self.ask(&route, "the statuses of the commit").await?;
            let statuses = answer.body["statuses"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let is_red = |one: &&Value| matches!(one["state"].as_str(), Some("failure" | "error"));
            let names = statuses.iter().filter(is_red);
            red.extend(names.filter_map(|one| one["context"].as_str().map(str::to_owned)));
            if statuses.len() < PAGE {
                break;
            }
        }
        red.retain(|name| jobs.contains(name));
        if red.is_empty() {
            return Ok(Err(format!("none of {} is red on {head}", jobs.join(", "))));
        }
        Ok(Ok(red))
    }
}

/// Holds the merge of a pull request, or no longer: by a label that stays over pushes, and by a status that a ruleset can
/// require. A label alone would not do: what is set by a workflow's token starts no other workflow.
///
/// # Errors
/// [`SilentError`].
pub async fn hold(
    event: &Event,
    decision: &Decision,
    names: HoldNames<'_>,
    api: &Api,
    deadline: Deadline,
) -> Result<(), SilentError> {
    let (Some(hold), Some(head)) = (decision.hold, &decision.sha) else {
        return Ok(());
    };
    let labels = format!("/repos/{}/issues/{}/labels", event.repository, event.number);
    let label = utf8_percent_encode(names.label, NON_ALPHANUMERIC);
    let sent = if hold {
        let body = json!({"labels": [names.label]});
        api.send(Method::POST, &labels, &body, deadline).await
    } else {
        let route = format!("{labels}/{label}");
        match api
            .send(Method::DELETE, &route, &Value::Null, deadline)
            .await
        {
            // What is not there cannot be taken off.
            Err(SendError::Refused(reason)) if reason.starts_with("404") => Ok(Value::Null),
            sent => sent,
        }
    };
    let what = format!("whether the label {} is set", names.label);
    sent.map_err(|error| silent(&what, &error))?;
    let status = json!({
        "state": if hold { "failure" } else { "success" },
        "context": names.status,
        "description": if hold { "held; `/hold cancel` lets it go" } else { "nobody holds it" },
    });
    let route = format!("/repos/{}/statuses/{head}", event.repository);
    let sent = api.send(Method::POST, &route, &status, deadline).await;
    let what = format!("whether the status {} is set", names.status);
    sent.map(drop).map_err(|error| silent(&what, &error))
}

/// Shows the author that he was heard, by a sign at his comment.
///
/// # Errors
/// A text.
pub async fn react(
    event: &Event,
    decision: &Decision,
    api: &Api,
    deadline: Deadline,
) -> Result<(), SendError> {
    let content = match decision {
        decision if !decision.refused.is_empty() => "confused",
        decision if !decision.jobs.is_empty() => "rocket",
        _ => "+1",
    };
    let route = format!(
        "/repos/{}/issues/comments/{}/reactions",
        event.repository, event.comment
    );
    let sign = json!({"content": content});
    let sent = api.send(Method::POST, &route, &sign, deadline).await;
    sent.map(drop)
}

fn silent(what: &str, error: &SendError) -> SilentError {
    SilentError {
        what: what.to_owned(),
        reason: error.to_string(),
    }
}
