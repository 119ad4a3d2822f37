//! The jobs, as GitHub's `strategy.matrix` takes them, and what it does not take.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{
    config::Workflow,
    names::{label, run_name},
    select::Decision,
    subject::Subject,
    versions::Combination,
};
use crate::report::{Exit, Explain};

/// What GitHub runs of one matrix. Source: "Workflow syntax", `jobs.<job_id>.strategy.matrix`.
pub const MOST_JOBS: usize = 256;
/// What all outputs of a job may have, in bytes of UTF-16. Source: "Contexts", `jobs.<job_id>.outputs`.
pub const MOST_OUTPUT: usize = 1024 * 1024;
/// Beside the fields of a workflow.
const OWN: [&str; 4] = ["run_name", "namespace", "test_target_name", "labels"];

/// Whether each job has such a field, so that no version can be called so.
pub fn is_field(name: &str) -> bool {
    OWN.contains(&name) || super::config::FIELDS.contains(&name)
}

/// What GitHub would not take, or would cut.
#[derive(Debug, thiserror::Error)]
pub enum MatrixError {
    /// Too many jobs.
    #[error(
        "the plan has {jobs} jobs, and GitHub runs at most {MOST_JOBS} of one matrix: {workflows} workflows on {versions} versions"
    )]
    Jobs {
        /// All of them.
        jobs: usize,
        /// Those that run.
        workflows: usize,
        /// The combinations.
        versions: usize,
    },
    /// Too long.
    #[error(
        "the outputs of the plan have {bytes} bytes as GitHub counts them, and a job may set {MOST_OUTPUT}; the longest is `{longest}`"
    )]
    Outputs {
        /// Of all.
        bytes: usize,
        /// Name of the longest.
        longest: String,
    },
}

impl Explain for MatrixError {
    fn exit(&self) -> Exit {
        Exit::BadInput
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Jobs { .. } => "narrow `include_dirs` or the versions, or split the configuration into two files, each with a plan of its own (`config`)".to_owned(),
            Self::Outputs { .. } => "shorten `params` and `include_dirs`, or split the configuration into two files, each with a plan of its own (`config`)".to_owned(),
        })
    }
}

/// What all jobs have in common.
#[derive(Clone, Copy, Debug)]
pub struct Common<'a> {
    /// What is tested.
    pub subject: &'a Subject,
    /// Name of the job.
    pub job_name: &'a str,
    /// The number that people see.
    pub build: Option<&'a str>,
    /// Unlike that of any other run.
    pub run: &'a str,
    /// Namespace of the workflows.
    pub namespace: &'a str,
    /// Of all of them.
    pub labels: &'a BTreeMap<String, String>,
}

/// The jobs: each workflow that runs, on each combination of versions.
///
/// # Errors
/// [`MatrixError::Jobs`].
pub fn jobs(
    decisions: &[Decision<'_>],
    versions: &[Combination],
    common: Common<'_>,
) -> Result<Vec<Value>, MatrixError> {
    let running = decisions
        .iter()
        .enumerate()
        .filter(|(_, one)| one.why.runs());
    let workflows = running.clone().count();
    let jobs = workflows * versions.len();
    if jobs > MOST_JOBS {
        return Err(MatrixError::Jobs {
            jobs,
            workflows,
            versions: versions.len(),
        });
    }
    let mut taken = BTreeSet::new();
    let mut all = Vec::with_capacity(jobs);
    for (position, decision) in running {
        for combination in versions {
            let versions = json!(combination);
            let mut round = 0;
            let name = loop {
                let salt = format!("{}/{position}/{versions}/{round}", common.run);
                let name = run_name(
                    common.job_name,
                    &decision.workflow.name,
                    common.subject,
                    common.build,
                    &salt,
                );
                if !taken.contains(&name) {
                    break name;
                }
                round += 1;
            };
            all.push(Value::Object(job(
                decision.workflow,
                &name,
                combination,
                common,
            )));
            taken.insert(name);
        }
    }
    Ok(all)
}

fn job(
    workflow: &Workflow,
    run_name: &str,
    versions: &Combination,
    common: Common<'_>,
) -> Map<String, Value> {
    let mut job = workflow.body.clone();
    let target = workflow.test_target();
    // What makes a workflow by a function of Python gets these among its arguments.
    if !workflow.text("py_func").is_empty()
        && let Some(Value::Object(kwargs)) = job.get_mut("kwargs")
    {
        kwargs.insert("name".to_owned(), json!(run_name));
        kwargs.insert("namespace".to_owned(), json!(common.namespace));
        kwargs.insert("test_target_name".to_owned(), json!(target));
    }
    let mut labels = common.labels.clone();
    let template = match workflow.text("component") {
        "" => &workflow.name,
        component => component,
    };
    for (key, value) in [("workflow_template", template), ("workflow", run_name)] {
        let value = label(value);
        if !value.is_empty() {
            labels.insert(key.to_owned(), value);
        }
    }
    for (key, value) in [
        ("name", json!(workflow.name)),
        ("run_name", json!(run_name)),
        ("namespace", json!(common.namespace)),
        ("test_target_name", json!(target)),
        ("labels", json!(labels)),
    ] {
        job.insert(key.to_owned(), value);
    }
    job.extend(versions.clone());
    job
}

/// The value of `strategy.matrix`.
pub fn text(jobs: &[Value]) -> String {
    json!({"include": jobs}).to_string()
}

/// Refuses outputs that GitHub would not hand on.
///
/// # Errors
/// [`MatrixError::Outputs`].
pub fn fits<'a>(outputs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), MatrixError> {
    let (mut bytes, mut longest) = (0, ("", 0));
    for (name, value) in outputs {
        let size = 2 * value.encode_utf16().count();
        bytes += size;
        if size > longest.1 {
            longest = (name, size);
        }
    }
    if bytes > MOST_OUTPUT {
        let longest = longest.0.to_owned();
        return Err(MatrixError::Outputs { bytes, longest });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
