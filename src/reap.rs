//! Decides which resources with our tags are leaked.
//!
//! Pure: given the resources, GitHub's answers about their runs, and the time. In doubt a
//! resource stays, and what is not certainly ours is not touched. [`Pass`] carries the verdicts out.

mod janitor;
mod pass;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

pub(crate) use self::{
    janitor::Janitor,
    pass::{Pass, ask},
    table::table,
};
use crate::{
    github::api::WorkflowRun,
    limits::{Limit, humane},
    provider::Resource,
    run::{TAG_ATTEMPT, TAG_CANDIDATE, TAG_CHECK_RUN, TAG_KEPT, TAG_REPOSITORY, TAG_RUN},
};

/// A workflow run by its repository (`owner/name`) and number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RunKey {
    /// `owner/name`.
    pub(crate) repository: String,
    /// As in its page's address.
    pub(crate) id: u64,
}

impl RunKey {
    /// The run that the tags name; `None` for one of a laptop.
    pub(crate) fn of(resource: &Resource) -> Option<Self> {
        let repository = resource.tags.get(TAG_REPOSITORY)?.clone();
        let (_, id) = resource.tags.get(TAG_RUN)?.rsplit_once('-')?;
        Some(Self {
            repository,
            id: id.parse().ok()?,
        })
    }
}

/// What GitHub says of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RunAnswer {
    /// This.
    Run(WorkflowRun),
    /// That it has none, or none that we may see.
    NotFound,
    /// Nothing that can be relied on, and why.
    NoAnswer(String),
}

/// What GitHub says of all runs whose resources were found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    /// Of each run.
    pub(crate) runs: BTreeMap<RunKey, RunAnswer>,
    /// Check runs of jobs that are over while their run is in progress; asked for what has expired alone.
    pub(crate) jobs_over: BTreeSet<String>,
}

/// Whose resources may be reaped at all: `owner/name`, `owner/*`, or `*` for all, also those of laptops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repositories(pub Vec<String>);

impl Repositories {
    /// Whether resources of that repository are meant; of none: those of laptops.
    pub(crate) fn cover(&self, repository: Option<&str>) -> bool {
        self.0
            .iter()
            .any(|pattern| match (pattern.as_str(), repository) {
                ("*", _) => true,
                (_, None) => false,
                (pattern, Some(repository)) => match pattern.strip_suffix("/*") {
                    Some(owner) => repository
                        .split_once('/')
                        .is_some_and(|(other, _)| other.eq_ignore_ascii_case(owner)),
                    None => pattern.eq_ignore_ascii_case(repository),
                },
            })
    }
}

/// The rules of one pass.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// The time.
    pub(crate) now: Timestamp,
    /// How old the mark of an earlier pass has to be.
    pub(crate) grace: Limit,
    /// Whose resources.
    pub(crate) repositories: Repositories,
}

/// What a pass does with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Not ours to judge.
    Foreign,
    /// It stays, rightly.
    Spare,
    /// It should be gone and must not be touched.
    Stuck,
    /// It cannot be told.
    Unknown,
    /// Left behind, as far as can be seen now: to be marked.
    Mark,
    /// Marked, but not for long enough.
    Wait,
    /// Left behind, seen twice: to be ended.
    End,
}

/// A fate and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReapVerdict {
    /// What is to become of it.
    pub(crate) fate: Fate,
    /// Why, in a few words.
    pub(crate) why: String,
}

impl ReapVerdict {
    fn new(fate: Fate, why: impl Into<String>) -> Self {
        Self {
            fate,
            why: why.into(),
        }
    }

    /// Whether it should be gone, so that a pass that leaves it there has left something.
    pub(crate) fn is_left(&self) -> bool {
        self.is_candidate() || self.fate == Fate::Stuck
    }

    /// Whether it was left behind, by what is known now.
    pub(crate) fn is_candidate(&self) -> bool {
        matches!(self.fate, Fate::Mark | Fate::Wait | Fate::End)
    }
}

/// A verdict on each resource, in their order.
pub(crate) fn judge(resources: &[Resource], answers: &Answers, rules: &Rules) -> Vec<ReapVerdict> {
    let mut verdicts: Vec<ReapVerdict> = resources
        .iter()
        .map(|resource| {
            let key = RunKey::of(resource);
            let run = key.and_then(|key| answers.runs.get(&key));
            one(resource, run, &answers.jobs_over, rules)
        })
        .collect();
    // A later attempt may use the security group of an earlier one.
    for at in 0..resources.len() {
        if resources[at].kind == "instance" || !verdicts[at].is_candidate() {
            continue;
        }
        let user = resources.iter().zip(&verdicts).find(|(other, verdict)| {
            other.kind == "instance"
                && other.region == resources[at].region
                && other.tags.get(TAG_RUN) == resources[at].tags.get(TAG_RUN)
                && !verdict.is_candidate()
        });
        if let Some((user, _)) = user {
            verdicts[at] = ReapVerdict::new(Fate::Spare, format!("{} of its run stays", user.id));
        }
    }
    verdicts
}

fn one(
    resource: &Resource,
    answer: Option<&RunAnswer>,
    jobs_over: &BTreeSet<String>,
    rules: &Rules,
) -> ReapVerdict {
    let tag = |name: &str| resource.tags.get(name).map(String::as_str);
    let moment = |name: &str| tag(name).and_then(|text| text.parse::<Timestamp>().ok());
    let spare = |why: &str| ReapVerdict::new(Fate::Spare, why);
    if !rules.repositories.cover(tag(TAG_REPOSITORY)) {
        let why = match tag(TAG_REPOSITORY) {
            Some(_) => "of another repository",
            None => "of no repository",
        };
        return ReapVerdict::new(Fate::Foreign, why);
    }
    if resource.since.is_some_and(|since| since > rules.now) {
        return spare("made in the future");
    }
    let expires = resource.expires_at();
    let is_past = expires.is_some_and(|at| at < rules.now);
    let attempt: u32 = tag(TAG_ATTEMPT)
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    let over = match answer {
        Some(RunAnswer::NoAnswer(why)) => return ReapVerdict::new(Fate::Unknown, why.clone()),
        Some(RunAnswer::Run(run)) if run.is_over() => {
            let how = run.conclusion.as_deref().unwrap_or("no conclusion");
            Some(format!("its run is over ({how})"))
        }
        Some(RunAnswer::Run(run)) if run.run_attempt > attempt => {
            Some(format!("attempt {attempt} of its run is over"))
        }
        // A run may wait for an approval for 30 days.
        Some(RunAnswer::Run(_))
            if is_past && tag(TAG_CHECK_RUN).is_some_and(|id| jobs_over.contains(id)) =>
        {
            None
        }
        Some(RunAnswer::Run(_)) if is_past => {
            return ReapVerdict::new(Fate::Stuck, "expired, but its run is in progress");
        }
        Some(RunAnswer::Run(_)) => return spare("its run is in progress"),
        Some(RunAnswer::NotFound) | None => None,
    };
    let kept = tag(TAG_KEPT).is_some();
    let why = match (over, expires) {
        (_, Some(at)) if is_past => format!("expired at {at}"),
        (Some(_), Some(at)) if kept => return spare(&format!("kept until {at}")),
        (Some(over), _) => over,
        (None, Some(_)) => return spare("it has not expired, and nothing is known of its run"),
        (None, None) => {
            let why = "no tag says when it expires, and nothing is known of its run";
            return ReapVerdict::new(Fate::Unknown, why);
        }
    };
    match moment(TAG_CANDIDATE) {
        None => ReapVerdict::new(Fate::Mark, why),
        Some(marked) => {
            let since = std::time::Duration::try_from(rules.now.duration_since(marked));
            match since {
                Ok(since) if since >= rules.grace.duration() => ReapVerdict::new(Fate::End, why),
                since => {
                    let since = humane(since.unwrap_or_default());
                    ReapVerdict::new(Fate::Wait, format!("{why}; marked {since} ago"))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
