//! The causes of what is broken in files, directories and bundles: read, diagnosed, told.
//!
//! The diagnosis is that of `gather-logs`; here is what it needs of files. No cluster is asked.

mod odd;
mod place;
mod read;

use std::fmt::Write as _;

use serde::Serialize;

use crate::{
    logs::diagnose::{Class, Evidence, Finding, Origin, diagnose},
    status::ObjectStatus,
};

pub use read::{LogPart, Read, is_log, read};

/// Version of the JSON; a number that rises where a reader would break.
const SCHEMA: u8 = 1;

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

impl From<Finding> for Cause {
    fn from(finding: Finding) -> Self {
        Self {
            class: finding.class,
            object: finding.affects.first().cloned().unwrap_or_default(),
            sentence: finding.cause,
            remedy: finding.class.remedy(),
            evidence: finding.evidence,
            below: finding.below.into_iter().map(Self::from).collect(),
            verdict: finding.class.verdict(),
            affects: finding.affects,
        }
    }
}

impl Cause {
    /// Its symptoms, each deeper than what explains it.
    fn tell_below(&self, text: &mut String, depth: usize) {
        for symptom in &self.below {
            let (object, class) = (&symptom.object, symptom.class.title());
            let indent = "  ".repeat(depth);
            writeln!(text, " {indent}└ {object}: {class}: {}", symptom.sentence)
                .expect("a String takes everything");
            symptom.tell_below(text, depth + 1);
        }
    }
}

/// Where evidence stands, for who reads it.
fn place(evidence: &Evidence) -> String {
    match (&evidence.path, evidence.line) {
        (Some(path), Some(line)) => format!("{path}:{line}: "),
        (Some(path), None) => format!("{path}: "),
        _ => String::new(),
    }
}

impl Diagnosis {
    /// Diagnoses what was read. It is healthy where each object is ready and no cause is found.
    pub fn of(read: &Read) -> Self {
        let mut causes: Vec<Cause> = diagnose(&read.snapshot)
            .into_iter()
            .map(Cause::from)
            .collect();
        place::lines(&read.paths, &mut causes);
        let odd = if causes.is_empty() {
            odd::oddest(read)
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
                writeln!(text, "   | {}{}", place(evidence), evidence.text).expect(put);
            }
            cause.tell_below(&mut text, 1);
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

#[cfg(test)]
mod tests;
