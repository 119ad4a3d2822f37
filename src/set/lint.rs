//! What can be known to go wrong before anything is written.
//!
//! Given the set and, where a cluster can be asked, what was seen of it; writes nothing. One rule a file. All that is found
//! is told together, worst first, each with the object and what to do about it.

pub mod cluster_facts;
pub mod depends;
pub mod duplicates;
pub mod keys;
pub mod kinds;
pub mod names;
pub mod ports;
pub mod references;
pub mod room;
pub mod services;

use std::fmt;

use serde::Serialize;

pub use cluster_facts::ClusterFacts;
pub use kinds::settle;

use crate::{
    report::{Exit, Explain, escape_markdown},
    set::{facts::Facts, late::Late, objects::Object, served::Served},
};

/// What a finding means. The worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It cannot be deployed: nothing is written.
    Fatal,
    /// Something of it will not come up as it is: `lint-only` fails, a deployment says so and goes on.
    Problem,
    /// It may go wrong, or could not be looked at.
    Warning,
}

/// Which rule found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A kind that nobody serves.
    Kind,
    /// Two objects that are one.
    Duplicate,
    /// A name with a variable left in it.
    Name,
    /// A hook of Helm's or Argo CD's.
    Hook,
    /// A dependency that the set does not have.
    DependsOn,
    /// A name that the set does not have, but nearly.
    Reference,
    /// A webhook or a conversion without its Service.
    Service,
    /// Requests that the nodes have no room for.
    Room,
    /// An image that no registry has.
    Image,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LintFinding {
    /// What it means.
    pub severity: Severity,
    /// Which rule found it.
    pub rule: Rule,
    /// The object, or the first of several; empty where it is about the whole set.
    pub object: String,
    /// What is wrong, with the object.
    pub message: String,
    /// What to do about it; empty where the message says all.
    pub remedy: String,
}

impl fmt::Display for LintFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.remedy.is_empty() {
            write!(f, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

/// The set has findings that it is refused for.
#[derive(Debug, thiserror::Error)]
#[error("{}", findings.first().map_or_else(String::new, ToString::to_string))]
pub struct LintError {
    /// All of them, worst first; warnings too.
    pub findings: Vec<LintFinding>,
}

impl LintError {
    /// Refuses findings that are as bad as `worst` or worse.
    ///
    /// # Errors
    /// All findings, if one is.
    pub fn refuse(
        mut findings: Vec<LintFinding>,
        worst: Severity,
    ) -> Result<Vec<LintFinding>, Self> {
        findings.sort();
        if findings.first().is_some_and(|it| it.severity <= worst) {
            return Err(Self { findings });
        }
        Ok(findings)
    }
}

impl Explain for LintError {
    fn exit(&self) -> Exit {
        Exit::BadInput
    }

    fn hint(&self) -> Option<String> {
        Some("nothing was written to the cluster".to_owned())
    }

    fn details(&self) -> Vec<String> {
        let rest = self.findings.iter().skip(1);
        rest.map(|finding| match finding.severity {
            Severity::Fatal | Severity::Problem => finding.to_string(),
            Severity::Warning => format!("warning: {finding}"),
        })
        .collect()
    }
}

/// What is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Set<'a> {
    /// The objects, where they belong.
    pub objects: &'a [Object],
    /// What each needs and offers.
    pub facts: &'a [Facts],
    /// Every kind that is or will be served.
    pub served: &'a Served,
    /// The objects whose kinds come later.
    pub late: &'a Late,
}

/// Every rule but that of images, which asks registries; without a cluster, those that need none.
///
/// `wait` is whether the deployment would wait for readiness.
pub fn check(set: &Set<'_>, cluster: Option<&ClusterFacts>, wait: bool) -> Vec<LintFinding> {
    let Set { objects, facts, .. } = *set;
    let mut findings = duplicates::check(objects);
    findings.extend(names::check(objects));
    findings.extend(depends::check(objects, facts));
    findings.extend(references::check(objects, facts));
    findings.extend(ports::check(objects, facts));
    findings.extend(keys::check(objects));
    match cluster {
        Some(cluster) => {
            findings.extend(kinds::check(set, &cluster.version));
            findings.extend(room::check(objects, &cluster.room, wait));
        }
        None => findings.extend(kinds::check_without_server(set)),
    }
    findings.extend(services::check(objects, facts, cluster));
    findings.sort();
    findings
}

/// Findings as a table of a job summary.
pub fn markdown(findings: &[LintFinding]) -> String {
    let mut text =
        "### ⚠️ deploy-manifests: what the lint found\n\n| what | remedy |\n|---|---|\n".to_owned();
    for finding in findings {
        let (message, remedy) = (
            escape_markdown(&finding.message),
            escape_markdown(&finding.remedy),
        );
        text.extend([format!("| {message} | {remedy} |\n")]);
    }
    text
}
