//! Run identity: who owns what was made, told by tags, names and nothing else.
//!
//! Given the environment of a workflow; knows nothing of AWS or Kubernetes but the shape of names.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::inputs::Environment;

mod execution;

pub use execution::{Execution, canonical};

/// How the id of a laptop's run begins.
const LOCAL: &str = "local-";
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
/// Tag that carries the number of the job's check run, where GitHub shows it to the job.
pub const TAG_CHECK_RUN: &str = "manifests-e2e/check-run";
/// Label that carries the name of a cluster, on a machine that others use too.
pub const TAG_CLUSTER: &str = "manifests-e2e/cluster";
/// Tag of what `reap` has taken for left behind, and since when (RFC 3339).
pub const TAG_CANDIDATE: &str = "manifests-e2e/reap-candidate";

/// What a run is called, in tags, names and tokens.
///
/// `id` is repository id (else its name) and run id. `job` is unique to one execution of a job, so two attempts have two;
/// with a `job-key` every job and attempt that gives the key shares it ([`Execution::job_name`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Repository and workflow run: `123456-987654321`, on a laptop `local-` and ten digits.
    pub id: String,
    /// The job within the run: `e2e-9a8b7c6d`, or `e2e-1f2e3d4c-9a8b7c6d` in a matrix.
    pub job: String,
    /// The attempt, from 1.
    pub attempt: u32,
    /// `owner/name`, where known.
    pub repository: Option<String>,
    /// Page of the workflow run, where known.
    pub url: Option<String>,
    /// Who started it, where known.
    pub actor: Option<String>,
    /// What the steps of the job have shown of its execution; empty on a laptop.
    #[serde(default)]
    pub execution: Execution,
}

impl Run {
    /// The run that a workflow's environment names; `None` outside a workflow. `key` is the input `job-key`.
    ///
    /// Where nothing tells the execution from others, `job` is random: only a record has it again.
    pub fn of_workflow(env: &Environment, key: Option<&str>) -> Option<Self> {
        let id = Self::workflow_id(env)?;
        let run = env.get("GITHUB_RUN_ID")?;
        let repository = env.get("GITHUB_REPOSITORY");
        let execution = Execution::of(env, key);
        Some(Self {
            id,
            job: execution.job_name(),
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
            execution,
        })
    }

    /// Whether it is of a laptop.
    pub fn is_local(&self) -> bool {
        self.id.starts_with(LOCAL)
    }

    /// The [`id`](Self::id) that a workflow's environment names; `None` outside a workflow.
    pub fn workflow_id(env: &Environment) -> Option<String> {
        let run = env.get("GITHUB_RUN_ID")?;
        let owner = env
            .get("GITHUB_REPOSITORY_ID")
            .or_else(|| env.get("GITHUB_REPOSITORY"))
            .unwrap_or("unknown");
        Some(resource_name(&[owner, run], 63))
    }

    /// A run of a laptop: random, so it has to be recorded.
    pub fn random() -> Self {
        Self {
            id: format!("{LOCAL}{:010x}", rand::random::<u64>() & 0xff_ffff_ffff),
            job: format!("job-{:06x}", rand::random::<u32>() & 0xff_ffff),
            attempt: 1,
            repository: None,
            url: None,
            actor: None,
            execution: Execution::default(),
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
            (TAG_CHECK_RUN, &self.execution.check_run),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn env(vars: &[(&str, &str)]) -> Environment {
        Environment::of(vars.iter().copied())
    }

    #[test]
    fn a_workflow_names_its_run() {
        let env = env(&[
            ("GITHUB_RUN_ID", "42"),
            ("GITHUB_REPOSITORY", "Kubeflow/Manifests"),
            ("GITHUB_REPOSITORY_ID", "7"),
            ("GITHUB_JOB", "e2e"),
            ("GITHUB_RUN_ATTEMPT", "3"),
            ("MATRIX", "null"),
        ]);
        let run = Run::of_workflow(&env, None).unwrap();
        assert_eq!((run.id.as_str(), run.attempt), ("7-42", 3));
        assert!(run.job.starts_with("e2e-"), "{}", run.job);
        assert_eq!(Run::workflow_id(&env).as_ref(), Some(&run.id));
        assert_eq!(
            run.url.unwrap(),
            "https://github.com/Kubeflow/Manifests/actions/runs/42"
        );
    }

    #[test]
    fn the_tags_name_the_check_run_where_there_is_one() {
        let tags = |vars: &[(&str, &str)]| -> Vec<String> {
            let run = [("GITHUB_RUN_ID", "42")].iter().chain(vars).copied();
            let run = Run::of_workflow(&Environment::of(run), None).unwrap();
            let tags = run.tags(Timestamp::now()).into_iter();
            let check_run = tags.filter(|(name, _)| name == TAG_CHECK_RUN);
            check_run.map(|(_, value)| value).collect()
        };
        assert_eq!(tags(&[("JOB_CHECK_RUN_ID", "5501")]), ["5501"]);
        assert_eq!(tags(&[]), [""; 0]);
        assert_eq!(
            tags(&[("JOB_CHECK_RUN_ID", "5501"), ("ACT", "true")]),
            [""; 0]
        );
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
