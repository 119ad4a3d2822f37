//! What went wrong, told from a snapshot: findings in the order in which one would look at them.
//!
//! Pure: no clock, no server. A rule looks at one kind of object; what says the same is folded into one finding.

mod class;
mod pods;
mod workloads;

use std::collections::BTreeMap;

use serde::Serialize;

use super::snapshot::{Object, Snapshot};
use crate::pod::brief;

pub use class::{Class, Origin};

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
    pub evidence: Vec<String>,
}

impl Finding {
    /// The one line: whom and what.
    pub fn line(&self) -> String {
        match self.affects.as_slice() {
            [] => self.cause.clone(),
            [one] => format!("{one}: {}", self.cause),
            [one, rest @ ..] => format!("{one} and {} more: {}", rest.len(), self.cause),
        }
    }
}

/// The findings of a snapshot, the most telling first.
pub fn diagnose(snapshot: &Snapshot) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(workloads::nodes(snapshot));
    found.extend(pods::all(snapshot));
    found.extend(workloads::refused(snapshot));
    found.extend(workloads::claims(snapshot));
    found.extend(workloads::jobs(snapshot));
    fold(found)
}

/// Findings of one cause become one; those that concern more come first within their class.
fn fold(found: Vec<Finding>) -> Vec<Finding> {
    let mut folded: BTreeMap<(Class, String), Finding> = BTreeMap::new();
    for finding in found {
        let key = (finding.class, finding.cause.clone());
        match folded.get_mut(&key) {
            Some(known) => {
                for affected in finding.affects {
                    if !known.affects.contains(&affected) {
                        known.affects.push(affected);
                    }
                }
                for line in finding.evidence {
                    if known.evidence.len() < 12 && !known.evidence.contains(&line) {
                        known.evidence.push(line);
                    }
                }
            }
            None => {
                folded.insert(key, finding);
            }
        }
    }
    let mut findings: Vec<_> = folded.into_values().collect();
    // A failed Job whose container crashed is told by its container.
    let told: Vec<String> = findings
        .iter()
        .filter(|finding| finding.class != Class::JobFailed)
        .flat_map(|finding| finding.affects.clone())
        .collect();
    findings.retain(|finding| {
        finding.class != Class::JobFailed
            || finding
                .affects
                .iter()
                .any(|affected| !told.contains(affected))
    });
    findings.sort_by_key(|finding| (finding.class, std::cmp::Reverse(finding.affects.len())));
    findings
}

/// Whom a pod belongs to, as people name it: its Deployment rather than its `ReplicaSet`.
fn owner(snapshot: &Snapshot, object: &Object) -> String {
    let namespace = object.namespace().unwrap_or_default();
    let (mut kind, mut name) = (object.kind.clone(), object.name().to_owned());
    let mut above = object.controller();
    // A Deployment owns a ReplicaSet owns a pod; nothing is deeper than that but custom resources.
    for _ in 0..4 {
        let Some((owner_kind, owner_name)) = above else {
            break;
        };
        if owner_kind == "Node" {
            break;
        }
        (kind, name) = (owner_kind.to_owned(), owner_name.to_owned());
        above = snapshot
            .objects
            .iter()
            .find(|other| {
                other.kind == kind && other.name() == name && other.namespace() == Some(namespace)
            })
            .and_then(Object::controller);
    }
    format!("{kind} {namespace}/{name}")
}

/// A message on one line as evidence, which may be long.
fn whole(message: &str) -> String {
    cut(message, 1200)
}

fn cut(message: &str, longest: usize) -> String {
    let line = crate::report::one_line(message);
    match line.char_indices().nth(longest) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests;
