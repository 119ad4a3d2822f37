//! Which of the things that carry our tags were left behind.
//!
//! A thing is judged from what was found, what GitHub says of its run, and the time, without asking anybody: in doubt it
//! stays, and what is not certainly ours is none of our business. [`Pass`] carries the verdicts out.

mod pass;
mod table;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use self::{
    pass::{Pass, ask},
    table::table,
};
use crate::{
    github::api::WorkflowRun,
    limits::{Limit, humane},
    provider::Resource,
    run::{TAG_ATTEMPT, TAG_CANDIDATE, TAG_KEPT, TAG_REPOSITORY, TAG_RUN},
};

/// A workflow run by its repository (`owner/name`) and number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunKey {
    /// `owner/name`.
    pub repository: String,
    /// As in its page's address.
    pub id: u64,
}

impl RunKey {
    /// The run that the tags name; `None` for one of a laptop.
    pub fn of(thing: &Resource) -> Option<Self> {
        let repository = thing.tags.get(TAG_REPOSITORY)?.clone();
        let (_, id) = thing.tags.get(TAG_RUN)?.rsplit_once('-')?;
        Some(Self {
            repository,
            id: id.parse().ok()?,
        })
    }
}

/// What GitHub says of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// This.
    Run(WorkflowRun),
    /// That it has none, or none that we may see.
    Nothing,
    /// Nothing that can be relied on, and why.
    Silence(String),
}

/// Whose things may be reaped at all: `owner/name`, `owner/*`, or `*` for all, also those of laptops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repositories(pub Vec<String>);

impl Repositories {
    /// Whether things of that repository are meant; of none: those of laptops.
    pub fn cover(&self, repository: Option<&str>) -> bool {
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

/// What holds for all things of one pass.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The time.
    pub now: Timestamp,
    /// So long ago has the mark of an earlier pass to be.
    pub grace: Limit,
    /// Whose things.
    pub repositories: Repositories,
}

/// What is to become of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
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
pub struct Verdict {
    /// What is to become of it.
    pub fate: Fate,
    /// Why, in a few words.
    pub why: String,
}

impl Verdict {
    fn new(fate: Fate, why: impl Into<String>) -> Self {
        Self {
            fate,
            why: why.into(),
        }
    }

    /// Whether it should be gone, so that a pass that leaves it there has left something.
    pub fn is_left(&self) -> bool {
        self.is_candidate() || self.fate == Fate::Stuck
    }

    /// Whether it was left behind, by what is known now.
    pub fn is_candidate(&self) -> bool {
        matches!(self.fate, Fate::Mark | Fate::Wait | Fate::End)
    }
}

/// A verdict on each thing, in their order.
pub fn judge(things: &[Resource], told: &BTreeMap<RunKey, Told>, rules: &Rules) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = things
        .iter()
        .map(|thing| {
            let key = RunKey::of(thing);
            one(thing, key.and_then(|key| told.get(&key)), rules)
        })
        .collect();
    // A later attempt may use the security group of an earlier one.
    for at in 0..things.len() {
        if things[at].kind == "instance" || !verdicts[at].is_candidate() {
            continue;
        }
        let user = things.iter().zip(&verdicts).find(|(other, verdict)| {
            other.kind == "instance"
                && other.region == things[at].region
                && other.tags.get(TAG_RUN) == things[at].tags.get(TAG_RUN)
                && !verdict.is_candidate()
        });
        if let Some((user, _)) = user {
            verdicts[at] = Verdict::new(Fate::Spare, format!("{} of its run stays", user.id));
        }
    }
    verdicts
}

fn one(thing: &Resource, told: Option<&Told>, rules: &Rules) -> Verdict {
    let tag = |name: &str| thing.tags.get(name).map(String::as_str);
    let moment = |name: &str| tag(name).and_then(|text| text.parse::<Timestamp>().ok());
    let spare = |why: &str| Verdict::new(Fate::Spare, why);
    if !rules.repositories.cover(tag(TAG_REPOSITORY)) {
        let why = match tag(TAG_REPOSITORY) {
            Some(_) => "of another repository",
            None => "of no repository",
        };
        return Verdict::new(Fate::Foreign, why);
    }
    if thing.since.is_some_and(|since| since > rules.now) {
        return spare("made in the future");
    }
    let expires = thing.expires_at();
    let is_past = expires.is_some_and(|at| at < rules.now);
    let attempt: u32 = tag(TAG_ATTEMPT)
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    let over = match told {
        Some(Told::Silence(why)) => return Verdict::new(Fate::Unknown, why.clone()),
        Some(Told::Run(run)) if run.is_over() => {
            let how = run.conclusion.as_deref().unwrap_or("no conclusion");
            Some(format!("its run is over ({how})"))
        }
        Some(Told::Run(run)) if run.run_attempt > attempt => {
            Some(format!("attempt {attempt} of its run is over"))
        }
        Some(Told::Run(_)) if is_past => {
            return Verdict::new(Fate::Stuck, "expired, but its run is in progress");
        }
        Some(Told::Run(_)) => return spare("its run is in progress"),
        Some(Told::Nothing) | None => None,
    };
    let kept = tag(TAG_KEPT).is_some();
    let why = match (over, expires) {
        (_, Some(at)) if is_past => format!("expired at {at}"),
        (Some(_), Some(at)) if kept => return spare(&format!("kept until {at}")),
        (Some(over), _) => over,
        (None, Some(_)) => return spare("it has not expired, and nothing is known of its run"),
        (None, None) => {
            let why = "no tag says when it expires, and nothing is known of its run";
            return Verdict::new(Fate::Unknown, why);
        }
    };
    match moment(TAG_CANDIDATE) {
        None => Verdict::new(Fate::Mark, why),
        Some(marked) => {
            let since = std::time::Duration::try_from(rules.now.duration_since(marked));
            match since {
                Ok(since) if since >= rules.grace.duration() => Verdict::new(Fate::End, why),
                since => {
                    let since = humane(since.unwrap_or_default());
                    Verdict::new(Fate::Wait, format!("{why}; marked {since} ago"))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
