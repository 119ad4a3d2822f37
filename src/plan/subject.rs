//! What an event is about: the type of job, the commits, the pull request, and whose configuration counts.
//!
//! Given the payload that GitHub documents for each event. Its texts are anybody's; commits are checked to be commits,
//! since they become words of git and of GitHub's API.

mod payload;

use crate::{
    github::{api::is_repository, event},
    report::{Exit, Explain, one_line},
};

use super::job::JobType;
use payload::is_commit;
pub use payload::{Payload, PayloadError, Pull, RawPull};

/// What is tested, and by which event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Name of the event.
    pub event: String,
    /// The type of job that it is.
    pub job: JobType,
    /// Of the repository whose workflow this is.
    pub owner: String,
    /// Of the repository whose workflow this is.
    pub name: String,
    /// The branch that is merged into, or that was pushed to; a tag's name.
    pub base_ref: Option<String>,
    /// Of a pull request and a merge queue the commit that it begins at, of a push the one it ends at.
    pub base_sha: Option<String>,
    /// Of a presubmit.
    pub pull: Option<Pull>,
    /// The merge queue's own commit, and the number of the pull request that its branch names.
    pub group: Option<(String, Option<u64>)>,
    /// Commit that is tested: the head of a pull request, what was pushed, what the schedule found.
    pub commit: Option<String>,
    /// Which files count as changed.
    pub range: Range,
    /// Whose configuration counts.
    pub config: Trust,
}

impl Subject {
    /// `owner/name`.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }
}

/// Between what a change is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Range {
    /// What the second has and the first has not, since the two parted.
    SinceParted {
        /// A branch of the repository, or a commit.
        base: Base,
        /// A commit.
        head: String,
    },
    /// Between two commits, whatever way leads from one to the other.
    Between {
        /// A commit.
        before: String,
        /// A commit.
        after: String,
    },
    /// All there is, and why.
    All(&'static str),
}

/// Where a line of development began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// A commit.
    Commit(String),
    /// A branch by its name.
    Branch(String),
}

/// Whose configuration counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// That of the commit under test, of which the runner has one of these.
    UnderTest(Vec<String>),
    /// That of this commit and no other: the event has secrets, and the commit under test may be anybody's.
    Only(String),
}

/// Why there is no telling what an event is about.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// Nothing in it can be planned.
    #[error("{event}: {reason}")]
    Nothing {
        /// Its name.
        event: String,
        /// What it lacks.
        reason: String,
    },
    /// No type of job is that event's.
    #[error("no type of job is that of the event `{event}`")]
    NoType {
        /// Its name.
        event: String,
    },
    /// The commit that was said to be fine is another.
    #[error("{} is `{named}`, but {event} is about commit {head}", event::FORK_SHA)]
    OtherCommit {
        /// Its name.
        event: String,
        /// The head of the pull request.
        head: String,
        /// What was named.
        named: String,
    },
}

impl Explain for SubjectError {
    fn exit(&self) -> Exit {
        Exit::BadInput
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Nothing { .. } => None,
            Self::NoType { .. } => Some(
                "plan knows push, pull_request, pull_request_target, pull_request_review, issue_comment, merge_group, schedule, \
                 workflow_dispatch and repository_dispatch; for another set `job-type`"
                    .to_owned(),
            ),
            Self::OtherCommit { .. } => Some(format!(
                "set {} to the whole SHA that was read, for this run alone, or leave it out: then the configuration is the base's",
                event::FORK_SHA
            )),
        }
    }
}

/// What else is known of the run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'a> {
    /// The type of job, where the user names it.
    pub job: Option<JobType>,
    /// `GITHUB_SHA`, where the event is the runner's own.
    pub sha: Option<&'a str>,
    /// `GITHUB_REPOSITORY`.
    pub repository: Option<&'a str>,
    /// `GITHUB_REF_NAME`, where the event is the runner's own.
    pub branch: Option<&'a str>,
    /// The commit of a fork that may run.
    pub allowed: Option<&'a str>,
}

/// Tells what the event is about. A comment on a pull request needs that pull request in its payload.
///
/// # Errors
/// [`SubjectError`].
pub fn of(event: &str, payload: &Payload, beside: Beside<'_>) -> Result<Subject, SubjectError> {
    let nothing = |reason: &str| SubjectError::Nothing {
        event: event.to_owned(),
        reason: reason.to_owned(),
    };
    let repository = payload
        .repository()
        .or(beside.repository)
        .ok_or_else(|| nothing("it names no repository, and GITHUB_REPOSITORY is not set"))?;
    let (owner, name) = repository
        .split_once('/')
        .filter(|_| is_repository(repository))
        .ok_or_else(|| nothing("its repository is no owner/name"))?;
    let Some(job) = beside.job.or_else(|| by_event(event)) else {
        let event = one_line(event);
        return Err(SubjectError::NoType { event });
    };
    let sha = beside.sha.filter(|sha| is_commit(sha));
    let mut subject = Subject {
        event: event.to_owned(),
        job,
        owner: owner.to_owned(),
        name: name.to_owned(),
        base_ref: beside.branch.map(str::to_owned),
        base_sha: None,
        pull: None,
        group: None,
        commit: sha.map(str::to_owned),
        range: Range::All("this type of job tests all there is"),
        config: Trust::UnderTest(sha.map(str::to_owned).into_iter().collect()),
    };
    match job {
        JobType::Presubmit => of_pull(&mut subject, payload, beside)?,
        JobType::Batch => of_group(&mut subject, payload)?,
        JobType::Postsubmit if event == "push" => of_push(&mut subject, payload)?,
        JobType::Postsubmit => {
            subject.base_sha.clone_from(&subject.commit);
            subject.range = Range::All("the event says nothing of what came before");
        }
        JobType::Periodic => {
            subject.base_ref = None;
            subject.range = Range::All("a periodic job tests all there is");
        }
    }
    // Whatever type somebody gives it: such an event has the secrets of the base, and its pull request may be anybody's.
    if matches!(subject.config, Trust::UnderTest(_))
        && has_secrets(event)
        && let Some(pull) = payload.pull().map_err(|reason| nothing(&reason))?
    {
        subject.config = trusted(event, &pull, beside)?;
    }
    Ok(subject)
}

fn by_event(event: &str) -> Option<JobType> {
    Some(match event {
        "pull_request"
        | "pull_request_target"
        | "pull_request_review"
        | "pull_request_review_comment"
        | "issue_comment" => JobType::Presubmit,
        "push" => JobType::Postsubmit,
        "schedule" | "workflow_dispatch" | "repository_dispatch" => JobType::Periodic,
        "merge_group" => JobType::Batch,
        _ => return None,
    })
}

/// Whether a fork's pull request is met with the secrets of the repository.
fn has_secrets(event: &str) -> bool {
    matches!(
        event,
        "pull_request_target" | "issue_comment" | "workflow_run"
    )
}

fn of_pull(
    subject: &mut Subject,
    payload: &Payload,
    beside: Beside<'_>,
) -> Result<(), SubjectError> {
    let event = subject.event.clone();
    let nothing = |reason: String| SubjectError::Nothing {
        event: event.clone(),
        reason,
    };
    let pull = payload.pull().map_err(nothing)?;
    let pull = pull.ok_or_else(|| nothing("it is about no pull request".to_owned()))?;
    subject.config = if has_secrets(&event) {
        trusted(&event, &pull, beside)?
    } else {
        // What is checked out by default is the merge that GitHub tried; some check out the head.
        let tried = beside.sha.filter(|sha| is_commit(sha)).map(str::to_owned);
        Trust::UnderTest(tried.into_iter().chain([pull.sha.clone()]).collect())
    };
    subject.base_ref = Some(pull.base_ref.clone());
    subject.base_sha = Some(pull.base_sha.clone());
    subject.commit = Some(pull.sha.clone());
    subject.range = Range::SinceParted {
        base: Base::Commit(pull.base_sha.clone()),
        head: pull.sha.clone(),
    };
    subject.pull = Some(pull);
    Ok(())
}

fn trusted(event: &str, pull: &Pull, beside: Beside<'_>) -> Result<Trust, SubjectError> {
    match beside.allowed {
        None => Ok(Trust::Only(pull.base_sha.clone())),
        Some(named) if named.trim().eq_ignore_ascii_case(&pull.sha) => {
            Ok(Trust::Only(pull.sha.clone()))
        }
        Some(named) => Err(SubjectError::OtherCommit {
            event: event.to_owned(),
            head: pull.sha.clone(),
            named: one_line(named),
        }),
    }
}

fn of_group(subject: &mut Subject, payload: &Payload) -> Result<(), SubjectError> {
    let nothing = |reason: String| SubjectError::Nothing {
        event: subject.event.clone(),
        reason,
    };
    let group = payload.group().map_err(nothing)?;
    let group = group.ok_or_else(|| nothing("it is about no group of a merge queue".to_owned()))?;
    subject.base_ref = Some(group.base_ref);
    subject.base_sha = Some(group.base_sha.clone());
    subject.commit = Some(group.sha.clone());
    // What the group brings on top of its base.
    subject.range = Range::Between {
        before: group.base_sha,
        after: group.sha.clone(),
    };
    subject.config = Trust::UnderTest(vec![group.sha.clone()]);
    subject.group = Some((group.sha, group.number));
    Ok(())
}

fn of_push(subject: &mut Subject, payload: &Payload) -> Result<(), SubjectError> {
    let nothing = |reason: String| SubjectError::Nothing {
        event: subject.event.clone(),
        reason,
    };
    let push = payload.push().map_err(nothing)?;
    subject.base_ref = Some(push.name.clone());
    subject.base_sha = Some(push.after.clone());
    subject.commit = Some(push.after.clone());
    subject.config = Trust::UnderTest(vec![push.after.clone()]);
    subject.range = match (push.is_tag, push.before, push.default_branch) {
        (true, ..) => Range::All("a tag changes no file of its own"),
        (false, Some(before), _) => Range::Between {
            before,
            after: push.after,
        },
        (false, None, Some(branch)) if branch != push.name => Range::SinceParted {
            base: Base::Branch(branch),
            head: push.after,
        },
        (false, None, _) => Range::All("nothing was there before this push"),
    };
    Ok(())
}

#[cfg(test)]
mod tests;
