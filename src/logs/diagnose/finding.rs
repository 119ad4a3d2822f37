//! What is found: a cause, whom it concerns, what shows it, and what else it explains.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::Class;
use crate::logs::{
    layout,
    snapshot::{Line, Log, Object},
};

/// Lines of evidence that are kept of findings that became one.
const SHOWN: usize = 12;

/// One cause and whom it concerns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of trouble.
    pub class: Class,
    /// Whom it concerns: `Deployment kubeflow/katib-db`.
    pub affects: Vec<String>,
    /// What it is, in one line.
    pub cause: String,
    /// What shows it: messages, the last lines of a log.
    pub evidence: Vec<Evidence>,
    /// Symptoms of it.
    pub below: Vec<Finding>,
    /// Whether nothing but the configuration speaks for it: no pod complains.
    #[serde(skip)]
    pub is_quiet: bool,
    /// Objects that explain it where something is wrong with them.
    #[serde(skip)]
    pub needs: Vec<String>,
    /// By what findings of one class become one, and what the one then says.
    #[serde(skip)]
    pub shared: Option<(String, String)>,
    /// Since when it is known to be so.
    #[serde(skip)]
    pub since: Option<Timestamp>,
}

/// What shows a cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The file that it stands in, where that is known.
    pub path: Option<String>,
    /// Its line, from 1, where that is known.
    pub line: Option<usize>,
    /// What it says.
    pub text: String,
}

impl Finding {
    /// A cause that concerns somebody.
    pub fn new(class: Class, affects: impl Into<String>, cause: impl Into<String>) -> Self {
        Self {
            class,
            affects: vec![affects.into()],
            cause: cause.into(),
            evidence: Vec::new(),
            below: Vec::new(),
            is_quiet: false,
            needs: Vec::new(),
            shared: None,
            since: None,
        }
    }

    /// With others whom it concerns.
    pub(super) fn with(mut self, others: impl IntoIterator<Item = String>) -> Self {
        for other in others {
            put(&mut self.affects, other);
        }
        self
    }

    /// With what shows it.
    pub(super) fn shown(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// With what explains it.
    pub(super) fn needing(mut self, needs: impl IntoIterator<Item = String>) -> Self {
        for need in needs {
            put(&mut self.needs, need);
        }
        self
    }

    /// With the time of its beginning.
    pub(super) fn since(mut self, since: Option<Timestamp>) -> Self {
        self.since = since;
        self
    }

    /// With what it says together with others that have the same key.
    pub(super) fn sharing(mut self, key: impl Into<String>, together: impl Into<String>) -> Self {
        self.shared = Some((key.into(), together.into()));
        self
    }

    /// As one for which nothing but the configuration speaks.
    pub(super) fn quiet(mut self, is_quiet: bool) -> Self {
        self.is_quiet = is_quiet;
        self
    }

    /// By what it is the same as another.
    pub(super) fn key(&self) -> (Class, String) {
        let shared = self.shared.as_ref().map(|(key, _)| key.clone());
        (self.class, shared.unwrap_or_else(|| self.cause.clone()))
    }

    /// Takes in another of the same key.
    pub(super) fn absorb(&mut self, other: Self) {
        if self.cause != other.cause
            && let Some((_, together)) = &self.shared
        {
            together.clone_into(&mut self.cause);
        }
        for affected in other.affects {
            put(&mut self.affects, affected);
        }
        for need in other.needs {
            put(&mut self.needs, need);
        }
        for evidence in other.evidence {
            if self.evidence.len() < SHOWN {
                put(&mut self.evidence, evidence);
            }
        }
        self.is_quiet &= other.is_quiet;
        self.since = match (self.since, other.since) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
    }

    /// How many objects it explains, with those below it.
    pub fn weight(&self) -> usize {
        self.affects.len() + self.below.iter().map(Self::weight).sum::<usize>()
    }

    /// What it explains, each with how deep it is below it.
    pub fn symptoms(&self) -> Vec<(usize, &Self)> {
        let mut all = Vec::new();
        for symptom in &self.below {
            all.push((1, symptom));
            all.extend(
                symptom
                    .symptoms()
                    .into_iter()
                    .map(|(depth, it)| (depth + 1, it)),
            );
        }
        all
    }

    /// The one line: whom and what.
    pub fn line(&self) -> String {
        match self.affects.as_slice() {
            [] => self.cause.clone(),
            [one] => format!("{one}: {}", self.cause),
            [one, rest @ ..] => format!("{one} and {} more: {}", rest.len(), self.cause),
        }
    }

    /// Whether it, or a symptom of it, concerns an object for which that is so.
    pub fn concerns(&self, is_one: &impl Fn(&str) -> bool) -> bool {
        self.affects.iter().any(|it| is_one(it)) || self.below.iter().any(|it| it.concerns(is_one))
    }
}

impl Evidence {
    /// What an object says.
    pub(super) fn of(context: &str, object: &Object, text: &str) -> Self {
        let path = if object.file.is_empty() {
            layout::object(context, object)
        } else {
            object.file.clone()
        };
        Self {
            path: Some(path),
            line: None,
            text: super::whole(text),
        }
    }

    /// A line of a log.
    pub(super) fn line(log: &Log, line: &Line) -> Self {
        Self {
            path: (!log.file.is_empty()).then(|| log.file.clone()),
            line: (line.number > 0).then_some(line.number),
            text: super::whole(&line.text),
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn put<T: PartialEq>(list: &mut Vec<T>, one: T) {
    if !list.contains(&one) {
        list.push(one);
    }
}
