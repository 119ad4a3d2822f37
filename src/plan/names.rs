//! What a run of a workflow is called: a name that is a label of Kubernetes, and the labels that find it.

use std::collections::BTreeMap;

use super::{prow::Variables, subject::Subject};
use crate::run::{resource_name, short_hash};

/// Of a DNS label, and of the value of a label.
const LIMIT: usize = 63;
/// As in Prow's runner.
const SHORT_SHA: usize = 7;
/// As in Prow's runner: the last digits of the build.
const BUILD_DIGITS: usize = 4;

/// `JOB-name-PR-sha-build-salt`, at most 63 characters; what goes over is cut out of the first two.
///
/// `salt` tells apart what else is called the same.
pub fn run_name(
    job: &str,
    workflow: &str,
    subject: &Subject,
    build: Option<&str>,
    salt: &str,
) -> String {
    let mut ending = Vec::new();
    if let Some(pull) = &subject.pull {
        ending.push(pull.number.to_string());
    }
    let sha = match (&subject.pull, &subject.group) {
        (Some(pull), _) => Some(&pull.sha),
        (None, Some((sha, _))) => Some(sha),
        (None, None) => subject.base_sha.as_ref(),
    };
    ending.extend(sha.map(|sha| sha.chars().take(SHORT_SHA).collect()));
    if let Some(build) = build {
        let from = build.len().saturating_sub(BUILD_DIGITS);
        ending.push(build[from..].to_owned());
    }
    ending.push(short_hash(salt)[..4].to_owned());
    let ending = ending.join("-");
    let body = resource_name(&[job, workflow], LIMIT - 1 - ending.len());
    format!("{body}-{ending}")
}

/// A text as the value of a label: what may not be in one is a dash, and what goes over is cut.
pub fn label(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let plain: String = text
        .chars()
        .map(|c| if is_plain(c) { c } else { '-' })
        .collect();
    let is_end = |c: char| !c.is_ascii_alphanumeric();
    let plain = plain.trim_matches(is_end);
    let cut: String = plain.chars().take(LIMIT).collect();
    cut.trim_end_matches(is_end).to_owned()
}

/// The labels of everything of this job, without those that have no value.
pub fn labels(variables: &Variables) -> BTreeMap<String, String> {
    const NAMES: [&str; 7] = [
        "JOB_NAME",
        "JOB_TYPE",
        "BUILD_ID",
        "PROW_JOB_ID",
        "REPO_OWNER",
        "REPO_NAME",
        "PULL_NUMBER",
    ];
    let known = NAMES.iter().filter_map(|name| {
        let value = label(variables.get(name)?);
        (!value.is_empty()).then(|| ((*name).to_owned(), value))
    });
    known.collect()
}

#[cfg(test)]
mod tests;
