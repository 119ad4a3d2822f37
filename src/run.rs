//! Run identity: who owns what was made, told by tags, names and nothing else.
//!
//! Given the environment of a workflow; knows nothing of AWS or Kubernetes but the shape of names.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::inputs::Environment;

/// Prefix of every tag of ours.
pub const TAG_PREFIX: &str = "manifests-e2e/";
/// Tag that carries the run.
pub const TAG_RUN: &str = "manifests-e2e/run";
/// Tag that carries the job within the run.
pub const TAG_JOB: &str = "manifests-e2e/job";
/// Tag that carries the attempt of the run.
pub const TAG_ATTEMPT: &str = "manifests-e2e/attempt";
/// Tag that carries the repository of the run, `owner/name`.
pub const TAG_REPOSITORY: &str = "manifests-e2e/repository";
/// Tag that carries the page of the run.
pub const TAG_URL: &str = "manifests-e2e/url";
/// Tag that carries the moment after which nothing of the run may live (RFC 3339).
pub const TAG_EXPIRES_AT: &str = "manifests-e2e/expires-at";
/// Tag of what outlives its failed run on purpose, until [`TAG_EXPIRES_AT`].
pub const TAG_KEPT: &str = "manifests-e2e/kept";
/// Tag of what `reap` has taken for left behind, and since when (RFC 3339).
pub const TAG_CANDIDATE: &str = "manifests-e2e/reap-candidate";

/// What a run is called, in tags, names and tokens.
///
/// `id` is repository id (else its name) and run id; `job` the job and, in a matrix, a hash of its
/// values. The attempt is a tag of its own, so that a later attempt finds what an earlier one left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Repository and workflow run: `123456-987654321`, on a laptop `local-` and ten digits.
    pub id: String,
    /// The job within the run: `e2e`, or `e2e-1f2e3d4c` in a matrix.
    pub job: String,
    /// The attempt, from 1.
    pub attempt: u32,
    /// `owner/name`, where known.
    pub repository: Option<String>,
    /// Page of the workflow run, where known.
    pub url: Option<String>,
    /// Who started it, where known.
    pub actor: Option<String>,
}

impl Run {
    /// The run that a workflow's environment names; `None` outside a workflow.
    pub fn of_workflow(env: &Environment) -> Option<Self> {
        let run = env.get("GITHUB_RUN_ID")?;
        let repository = env.get("GITHUB_REPOSITORY");
        let owner = env
            .get("GITHUB_REPOSITORY_ID")
            .or(repository)
            .unwrap_or("unknown");
        let job = env.get("GITHUB_JOB").unwrap_or("job");
        let matrix = env
            .get("MATRIX")
            .filter(|m| !matches!(m.trim(), "null" | "{}"));
        Some(Self {
            id: resource_name(&[owner, run], 63),
            job: match matrix {
                Some(matrix) => resource_name(&[job, &short_hash(&canonical(matrix))], 63),
                None => resource_name(&[job], 63),
            },
            attempt: env
                .get("GITHUB_RUN_ATTEMPT")
                .and_then(|a| a.parse().ok())
                .unwrap_or(1),
            repository: repository.map(str::to_owned),
            url: repository.map(|repository| {
                let server = env.get("GITHUB_SERVER_URL").unwrap_or("https://github.com");
                format!("{server}/{repository}/actions/runs/{run}")
            }),
            actor: env.get("GITHUB_ACTOR").map(str::to_owned),
        })
    }

    /// A run of a laptop: random, so it has to be recorded.
    pub fn random() -> Self {
        Self {
            id: format!("local-{:010x}", rand::random::<u64>() & 0xff_ffff_ffff),
            job: format!("job-{:06x}", rand::random::<u32>() & 0xff_ffff),
            attempt: 1,
            repository: None,
            url: None,
            actor: None,
        }
    }

    /// A DNS-1123 name for something of this job, at most 63 characters: `what`, then what tells the job apart.
    pub fn name(&self, what: &str) -> String {
        resource_name(
            &[what, &short_hash(&format!("{}/{}", self.id, self.job))],
            63,
        )
    }

    /// The tags of everything that is made for this job, as key and value.
    pub fn tags(&self, expires_at: Timestamp) -> Vec<(String, String)> {
        let mut tags = vec![
            (TAG_RUN.to_owned(), self.id.clone()),
            (TAG_JOB.to_owned(), self.job.clone()),
            (TAG_ATTEMPT.to_owned(), self.attempt.to_string()),
            (TAG_EXPIRES_AT.to_owned(), expires_at.to_string()),
            (
                format!("{TAG_PREFIX}created-by-version"),
                env!("CARGO_PKG_VERSION").to_owned(),
            ),
        ];
        let actor = format!("{TAG_PREFIX}actor");
        for (key, value) in [
            (TAG_REPOSITORY, &self.repository),
            (TAG_URL, &self.url),
            (&actor, &self.actor),
        ] {
            if let Some(value) = value {
                tags.push((key.to_owned(), value.clone()));
            }
        }
        tags
    }
}

/// Eight hexadecimal digits of a text's SHA-256.
pub fn short_hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text.as_bytes())[..4])
}

/// The one way to a resource name: lower case, digits and dashes, at most `limit` characters, told apart by a
/// hash where something had to be cut or replaced.
///
/// The result is a DNS-1123 label (RFC 1123 §2.1 as Kubernetes reads it). `limit` is at least 10.
pub fn resource_name(parts: &[&str], limit: usize) -> String {
    let whole = parts.join("-");
    let mut name = String::with_capacity(whole.len());
    for c in whole.chars() {
        let c = if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        };
        if c != '-' || !(name.is_empty() || name.ends_with('-')) {
            name.push(c);
        }
    }
    let name = name.trim_end_matches('-');
    if name == whole && name.len() <= limit {
        return name.to_owned();
    }
    let hash = short_hash(&whole);
    let body = &name[..name.len().min(limit - hash.len() - 1)];
    let body = body.trim_end_matches('-');
    if body.is_empty() {
        hash
    } else {
        format!("{body}-{hash}")
    }
}

/// The same text for the same matrix, however its JSON is laid out.
fn canonical(matrix: &str) -> String {
    serde_json::from_str::<serde_json::Value>(matrix)
        .map_or_else(|_| matrix.to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn env(vars: &[(&str, &str)]) -> Environment {
        Environment::of(vars.iter().copied())
    }

    #[test]
    fn a_workflow_names_its_run() {
        let run = Run::of_workflow(&env(&[
            ("GITHUB_RUN_ID", "42"),
            ("GITHUB_REPOSITORY", "Kubeflow/Manifests"),
            ("GITHUB_REPOSITORY_ID", "7"),
            ("GITHUB_JOB", "e2e"),
            ("GITHUB_RUN_ATTEMPT", "3"),
            ("MATRIX", "null"),
        ]))
        .unwrap();
        assert_eq!(
            (run.id.as_str(), run.job.as_str(), run.attempt),
            ("7-42", "e2e", 3)
        );
        assert_eq!(
            run.url.unwrap(),
            "https://github.com/Kubeflow/Manifests/actions/runs/42"
        );
    }

    #[test]
    fn siblings_of_a_matrix_differ_and_layout_does_not_matter() {
        let job = |matrix| {
            Run::of_workflow(&env(&[
                ("GITHUB_RUN_ID", "1"),
                ("GITHUB_JOB", "e"),
                ("MATRIX", matrix),
            ]))
            .unwrap()
            .job
        };
        assert_ne!(job(r#"{"k8s":"1.33"}"#), job(r#"{"k8s":"1.34"}"#));
        assert_eq!(job(r#"{"k8s":"1.33"}"#), job("{\n  \"k8s\": \"1.33\"\n}"));
    }

    proptest! {
        #[test]
        fn names_are_dns_labels_and_differ(a in ".{0,90}", b in ".{0,90}") {
            let (x, y) = (resource_name(&["kind", &a], 63), resource_name(&["kind", &b], 63));
            for name in [&x, &y] {
                prop_assert!(!name.is_empty() && name.len() <= 63);
                prop_assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
                prop_assert!(!name.starts_with('-') && !name.ends_with('-'));
            }
            if a != b {
                prop_assert_ne!(x, y);
            }
        }
    }
}
