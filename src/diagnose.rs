//! The causes of what is broken in files, directories and bundles: read, diagnosed, told.
//!
//! The diagnosis is that of `gather-logs`; here is what it needs of files. No cluster is asked.

mod read;

use std::fmt::Write as _;

use serde::Serialize;

use crate::{
    logs::diagnose::{Class, Finding, Origin, diagnose},
    ready::ReadyWhen,
    status::{self, Found, ObjectStatus},
};

pub use read::{Read, read};

/// Version of the JSON; a number that rises where a reader would break.
const SCHEMA: u8 = 1;

/// Objects that are named where no cause is known.
const SHOWN: usize = 3;

/// What is wrong, the most likely cause first.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    schema: u8,
    causes: Vec<Cause>,
    /// The oddest objects, where no cause is known.
    odd: Vec<ObjectStatus>,
    healthy: bool,
}

/// One cause.
#[derive(Debug, Serialize)]
struct Cause {
    class: Class,
    /// Whom it concerns first: `Deployment namespace/name`.
    object: String,
    affects: Vec<String>,
    sentence: String,
    remedy: &'static str,
    evidence: Vec<Evidence>,
    /// Symptoms of it.
    below: Vec<Cause>,
    verdict: Origin,
}

/// What shows a cause; file and line where they are known.
#[derive(Debug, Serialize)]
struct Evidence {
    path: Option<String>,
    line: Option<usize>,
    text: String,
}

impl From<Finding> for Cause {
    fn from(finding: Finding) -> Self {
        let evidence = finding.evidence.into_iter().map(|text| Evidence {
            path: None,
            line: None,
            text,
        });
        Self {
            class: finding.class,
            object: finding.affects.first().cloned().unwrap_or_default(),
            sentence: finding.cause,
            remedy: finding.class.remedy(),
            evidence: evidence.collect(),
            below: Vec::new(),
            verdict: finding.class.verdict(),
            affects: finding.affects,
        }
    }
}

impl Diagnosis {
    /// Diagnoses what was read. It is healthy where each object is ready and no cause is found.
    pub fn of(read: &Read) -> Self {
        let causes: Vec<Cause> = diagnose(&read.snapshot)
            .into_iter()
            .map(Cause::from)
            .collect();
        let odd = if causes.is_empty() {
            odd(&read.found)
        } else {
            Vec::new()
        };
        Self {
            schema: SCHEMA,
            healthy: causes.is_empty() && odd.is_empty(),
            causes,
            odd,
        }
    }

    /// Whether nothing is wrong.
    pub fn is_healthy(&self) -> bool {
        self.healthy
    }

    /// As people read it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let put = "a String takes everything";
        for (at, cause) in self.causes.iter().enumerate() {
            let class = cause.class.title();
            writeln!(
                text,
                "{}. {}: {class}: {}",
                at + 1,
                cause.object,
                cause.sentence
            )
            .expect(put);
            if let [_, others @ ..] = cause.affects.as_slice()
                && !others.is_empty()
            {
                writeln!(text, "   also: {}", others.join(", ")).expect(put);
            }
            for evidence in &cause.evidence {
                writeln!(text, "   | {}", evidence.text).expect(put);
            }
            writeln!(text, "   to do: {}", cause.remedy).expect(put);
        }
        if self.healthy {
            text.push_str("healthy: each object is ready, and no cause of trouble is found\n");
        } else if self.causes.is_empty() {
            text.push_str("no cause found; not as they should be:\n");
            for odd in &self.odd {
                writeln!(text, "- {}: {}: {}", odd.object, odd.state.state(), odd.why).expect(put);
            }
        }
        text
    }
}

/// The objects that are furthest from being ready.
fn odd(found: &[Found]) -> Vec<ObjectStatus> {
    let rank = |it: &ObjectStatus| match it.state.state() {
        "failed" => 0,
        "stuck" => 1,
        _ => 2,
    };
    let mut odd = status::judge(found, &ReadyWhen::default());
    odd.retain(|it| !it.state.is_ready() && it.state.state() != "suspended");
    odd.sort_by_key(rank);
    odd.truncate(SHOWN);
    odd
}

#[cfg(test)]
mod tests;
