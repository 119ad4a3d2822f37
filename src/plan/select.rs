//! Which workflows of a configuration run for a job and its changed files, and why the others do not.

use super::{
    changes::Changes,
    config::{Config, Workflow},
    fnmatch::Pattern,
    job::JobType,
};

/// A workflow with what was decided about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<'a> {
    /// The workflow.
    pub workflow: &'a Workflow,
    /// Whether it runs, and why or why not.
    pub why: Why,
}

/// Why a workflow runs or does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// A changed file matches one of its patterns.
    Matched {
        /// The file.
        file: String,
        /// The pattern.
        pattern: String,
    },
    /// It has no patterns.
    Unconditional,
    /// What has changed does not count for this job.
    Everything(String),
    /// It is not for this type of job.
    OtherType(Vec<JobType>),
    /// No changed file matches a pattern of it.
    Unchanged {
        /// How many files are changed.
        files: usize,
        /// Its patterns.
        patterns: Vec<String>,
    },
}

impl Why {
    /// Whether the workflow runs.
    pub const fn runs(&self) -> bool {
        matches!(
            self,
            Self::Matched { .. } | Self::Unconditional | Self::Everything(_)
        )
    }

    /// In words, after the name of the workflow. What is not ours is quoted, and on one line.
    pub fn words(&self) -> String {
        match self {
            Self::Matched { file, pattern } => {
                format!("`{}` matches `{}`", quoted(file), quoted(pattern))
            }
            Self::Unconditional => "it has no include_dirs".to_owned(),
            Self::Everything(why) => why.clone(),
            Self::OtherType(types) => {
                let names: Vec<&str> = types.iter().map(|one| one.name()).collect();
                let names = if names.is_empty() {
                    "no known type of job".to_owned()
                } else {
                    names.join(", ")
                };
                format!("it is for {names}")
            }
            Self::Unchanged { files: 0, .. } => "no file is changed".to_owned(),
            Self::Unchanged { files, patterns } => {
                let patterns: Vec<String> = patterns.iter().map(|one| quoted(one)).collect();
                let files = if *files == 1 {
                    "the changed file does not match".to_owned()
                } else {
                    format!("none of {files} changed files matches")
                };
                format!("{files} `{}`", patterns.join("`, `"))
            }
        }
    }
}

/// A text of others on one line, with what could not be seen spelled out.
pub(super) fn quoted(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let plain = (!c.is_control()).then_some(c);
            let escaped = c.is_control().then(|| c.escape_default());
            plain.into_iter().chain(escaped.into_iter().flatten())
        })
        .collect()
}

/// Whether anybody has to know what was changed.
pub fn needs_changes(config: &Config, job: JobType) -> bool {
    let mut all = config.workflows.iter();
    job != JobType::Periodic && all.any(|one| one.is_for(job) && !one.include_dirs.is_empty())
}

/// Decides about each workflow, in their order.
pub fn decide<'a>(config: &'a Config, job: JobType, changes: &Changes) -> Vec<Decision<'a>> {
    let decide = |workflow: &'a Workflow| Decision {
        workflow,
        why: why(workflow, job, changes),
    };
    config.workflows.iter().map(decide).collect()
}

fn why(workflow: &Workflow, job: JobType, changes: &Changes) -> Why {
    if !workflow.is_for(job) {
        return Why::OtherType(workflow.job_types.clone());
    }
    if workflow.include_dirs.is_empty() {
        return Why::Unconditional;
    }
    let files = match changes {
        _ if job == JobType::Periodic => {
            return Why::Everything("a periodic job ignores include_dirs".to_owned());
        }
        Changes::All(why) => return Why::Everything(why.clone()),
        Changes::Files(files) => files,
    };
    let patterns = workflow.include_dirs.iter();
    let patterns: Vec<Pattern> = patterns.map(|pattern| Pattern::new(pattern)).collect();
    for file in files {
        if let Some(pattern) = patterns.iter().find(|pattern| pattern.matches(file)) {
            return Why::Matched {
                file: file.clone(),
                pattern: pattern.text().to_owned(),
            };
        }
    }
    Why::Unchanged {
        files: files.len(),
        patterns: workflow.include_dirs.clone(),
    }
}

#[cfg(test)]
mod tests;
