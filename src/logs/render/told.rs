//! A finding as the page tells it: as much of it as a reader takes in.

use serde::Serialize;

use super::room;
use crate::logs::diagnose::Finding;

/// Objects that are named of those whom a finding concerns.
const AFFECTED: usize = 12;

/// Lines of evidence.
const SHOWN: usize = 12;

/// Symptoms that are named.
const SYMPTOMS: usize = 12;

/// A finding, cut short.
#[derive(Debug, Serialize)]
pub struct FindingRow {
    /// In a few words.
    pub title: &'static str,
    /// Whom and what.
    pub line: String,
    /// Whom it concerns, where there are some.
    pub affects: Vec<String>,
    /// How many more.
    pub more_affects: usize,
    /// What shows it, by the file in which it stands.
    pub evidence: Vec<Shown>,
    /// What it explains: how deep below it, the title, whom and what.
    pub symptoms: Vec<(usize, &'static str, String)>,
    /// How many more.
    pub more_symptoms: usize,
    /// What to do.
    pub remedy: &'static str,
}

/// Lines of one file.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// The file in the bundle; empty where none is known.
    pub file: String,
    /// The lines.
    pub text: String,
}

impl FindingRow {
    /// A finding as the page tells it.
    pub(super) fn of(finding: &Finding) -> Self {
        let names = &finding.affects;
        let affects = if names.len() > 1 { &names[..] } else { &[] };
        let symptoms = finding.symptoms();
        let mut evidence: Vec<Shown> = Vec::new();
        for one in finding.evidence.iter().take(SHOWN) {
            let file = room::sentence(one.path.as_deref().unwrap_or_default());
            let text = room::sentence(&one.text);
            match evidence.last_mut() {
                Some(last) if last.file == file => {
                    last.text.push('\n');
                    last.text.push_str(&text);
                }
                _ => evidence.push(Shown { file, text }),
            }
        }
        Self {
            title: finding.class.title(),
            line: room::sentence(&finding.line()),
            affects: affects
                .iter()
                .take(AFFECTED)
                .map(|it| room::sentence(it))
                .collect(),
            more_affects: affects.len().saturating_sub(AFFECTED),
            evidence,
            more_symptoms: symptoms.len().saturating_sub(SYMPTOMS),
            symptoms: symptoms
                .into_iter()
                .take(SYMPTOMS)
                .map(|(depth, it)| (depth.min(8), it.class.title(), room::sentence(&it.line())))
                .collect(),
            remedy: finding.class.remedy(),
        }
    }
}
