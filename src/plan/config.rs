//! The configuration: `prow_config.yaml` as Kubeflow's repositories have it, and `e2e.yaml` of ours.
//!
//! Both mean the same. A `prow_config.yaml` is read as its runner (`kubeflow/testing`, `run_e2e_workflow.py`) read it: fields that
//! it does not know mean nothing, and a text stands where a list should. An `e2e.yaml` is held against
//! `docs/e2e.schema.json`, which refuses both.

use serde_json::{Map, Value};

use super::job::JobType;
use crate::{
    report::{Exit, Explain},
    yaml,
};

mod paths;

pub use paths::{python_path, repositories};

/// The names that are looked for at the root of a repository, the first first.
pub const NAMES: [&str; 2] = ["e2e.yaml", "prow_config.yaml"];

/// Fields of a workflow; those of the schema, which a test compares.
pub const FIELDS: [&str; 12] = [
    "name",
    "job_types",
    "include_dirs",
    "app_dir",
    "component",
    "params",
    "py_func",
    "kwargs",
    "tekton_run",
    "tekton_params",
    "tekton_teardown",
    "tekton_teardown_params",
];

/// A configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// In their order.
    pub workflows: Vec<Workflow>,
    /// `owner/name/path`, in their order.
    pub python_paths: Vec<String>,
    /// What does not mean what it seems to, a line each.
    pub warnings: Vec<String>,
}

/// An entry of `workflows`. What it does not set has the default of Prow's runner.
#[derive(Clone, Debug, PartialEq)]
pub struct Workflow {
    /// Not unique: two entries may be one test, for two types of jobs.
    pub name: String,
    /// The types of jobs that run it; empty for all.
    pub job_types: Vec<JobType>,
    /// Whether `job_types` limits it.
    pub for_some: bool,
    /// Patterns, one of which a changed file has to match; empty for no such condition.
    pub include_dirs: Vec<String>,
    /// The fields that only say what is run: `app_dir`, `component`, `params`, `py_func`, `kwargs` and those of Tekton.
    pub body: Map<String, Value>,
}

impl Workflow {
    /// A text field of what is run; empty where there is none.
    pub fn text(&self, field: &str) -> &str {
        self.body
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// What groups its results: `test_target_name` among its `kwargs`, else its name.
    pub fn test_target(&self) -> String {
        match self.body["kwargs"].get("test_target_name") {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => self.name.clone(),
            Some(other) => other.to_string(),
        }
    }

    /// Whether a job of this type runs it. What is tested before a merge is tested in a merge queue, too.
    pub fn is_for(&self, job: JobType) -> bool {
        let also = if job == JobType::Batch {
            JobType::Presubmit
        } else {
            job
        };
        !self.for_some || self.job_types.contains(&job) || self.job_types.contains(&also)
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct ConfigError {
    /// Its path in the repository.
    pub file: String,
    /// What is wrong, and where.
    pub reason: String,
}

impl Explain for ConfigError {
    fn exit(&self) -> Exit {
        Exit::BadInput
    }

    fn hint(&self) -> Option<String> {
        Some("docs/plan.md has the fields; docs/e2e.schema.json is for editors".to_owned())
    }
}

/// Reads a configuration. `file` is its path, for messages, and says by its name which of the two it is.
///
/// # Errors
/// [`ConfigError`].
pub fn read(file: &str, text: &str) -> Result<Config, ConfigError> {
    let is_ours = !file
        .rsplit('/')
        .next()
        .is_some_and(|name| name.starts_with("prow_config."));
    let reader = Reader { is_ours };
    let mut warnings = Vec::new();
    reader
        .config(text, &mut warnings)
        .map(|config| Config { warnings, ..config })
        .map_err(|reason| ConfigError {
            file: file.to_owned(),
            reason,
        })
}

struct Reader {
    is_ours: bool,
}

impl Reader {
    fn config(&self, text: &str, warnings: &mut Vec<String>) -> Result<Config, String> {
        let value = yaml::one(text).map_err(|fault| fault.to_string())?;
        let Value::Object(top) = value else {
            return Err("it is no mapping with `workflows`".to_owned());
        };
        self.known(&top, &["workflows", "python_paths"], "", warnings)?;
        let entries = match top.get("workflows") {
            Some(Value::Array(entries)) => entries.as_slice(),
            // What some repositories have had while nothing was to run.
            Some(Value::Object(none)) if none.is_empty() && !self.is_ours => &[],
            Some(Value::Null) if !self.is_ours => &[],
            Some(_) => return Err("`workflows` is no list".to_owned()),
            None => return Err("it has no `workflows`".to_owned()),
        };
        let mut workflows = Vec::new();
        for (number, entry) in entries.iter().enumerate() {
            let place = match entry.get("name").and_then(Value::as_str) {
                Some(name) => format!("workflow {} (`{name}`)", number + 1),
                None => format!("workflow {}", number + 1),
            };
            workflows.push(self.workflow(entry, &place, warnings)?);
        }
        let python_paths = match top.get("python_paths") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(paths)) => {
                paths.iter().map(paths::checked).collect::<Result<_, _>>()?
            }
            Some(_) => return Err("`python_paths` is no list".to_owned()),
        };
        Ok(Config {
            workflows,
            python_paths,
            warnings: Vec::new(),
        })
    }

    /// A field that means nothing is a mistake somewhere: ours is refused, theirs was never looked at.
    fn known(
        &self,
        map: &Map<String, Value>,
        known: &[&str],
        place: &str,
        warnings: &mut Vec<String>,
    ) -> Result<(), String> {
        for name in map.keys().filter(|name| !known.contains(&name.as_str())) {
            let place = if place.is_empty() { "the top" } else { place };
            let said = format!("{place} has a field `{name}`, which means nothing");
            if self.is_ours {
                return Err(format!("{said}; known are {}", known.join(", ")));
            }
            warnings.push(said);
        }
        Ok(())
    }

    fn workflow(
        &self,
        entry: &Value,
        place: &str,
        warnings: &mut Vec<String>,
    ) -> Result<Workflow, String> {
        let Value::Object(map) = entry else {
            return Err(format!("{place} is no mapping"));
        };
        self.known(map, &FIELDS, place, warnings)?;
        let name = match map.get("name") {
            Some(Value::String(name)) if !name.trim().is_empty() => name.clone(),
            // YAML makes numbers of some names.
            Some(Value::Number(name)) if !self.is_ours => name.to_string(),
            Some(_) => return Err(format!("{place}: `name` is no text")),
            None => return Err(format!("{place} has no `name`")),
        };
        let (job_types, for_some) = self.job_types(map.get("job_types"), place, warnings)?;
        let mut body = Map::new();
        for field in &FIELDS[3..] {
            body.insert((*field).to_owned(), shaped(field, map.get(*field), place)?);
        }
        Ok(Workflow {
            name,
            job_types,
            for_some,
            include_dirs: self.include_dirs(map.get("include_dirs"), place, warnings)?,
            body,
        })
    }

    /// The types, and whether they limit anything: a list without any known one runs never.
    fn job_types(
        &self,
        value: Option<&Value>,
        place: &str,
        warnings: &mut Vec<String>,
    ) -> Result<(Vec<JobType>, bool), String> {
        let known = || JobType::ALL.map(JobType::name).join(", ");
        match value {
            None | Some(Value::Null) => Ok((Vec::new(), false)),
            // Prow's runner looked for the type in the text.
            Some(Value::String(text)) if !self.is_ours => {
                let types = JobType::ALL.into_iter();
                let types: Vec<JobType> = types.filter(|one| text.contains(one.name())).collect();
                if types.is_empty() && !text.is_empty() {
                    warnings.push(format!(
                        "{place}: no job is of a type in `job_types: {text}`; known are {}",
                        known()
                    ));
                }
                Ok((types, !text.is_empty()))
            }
            Some(Value::Array(names)) => {
                let mut types = Vec::new();
                for name in names {
                    if let Some(one) = name.as_str().and_then(JobType::of) {
                        types.push(one);
                    } else {
                        let said = format!(
                            "{place}: no job is of type {name} in `job_types`; known are {}",
                            known()
                        );
                        if self.is_ours {
                            return Err(said);
                        }
                        warnings.push(said);
                    }
                }
                Ok((types, !names.is_empty()))
            }
            Some(_) => Err(format!("{place}: `job_types` is no list")),
        }
    }

    fn include_dirs(
        &self,
        value: Option<&Value>,
        place: &str,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<String>, String> {
        match value {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::String(text)) if !self.is_ours => {
                warnings.push(format!(
                    "{place}: `include_dirs` is a text and no list: as in Prow's runner each of its characters is a pattern"
                ));
                Ok(text.chars().map(String::from).collect())
            }
            Some(Value::Array(patterns)) => patterns
                .iter()
                .map(|pattern| match pattern {
                    Value::String(text) if !text.is_empty() => Ok(text.clone()),
                    other => Err(format!(
                        "{place}: {other} in `include_dirs` is no pattern; put it into quotes"
                    )),
                })
                .collect(),
            Some(_) => Err(format!("{place}: `include_dirs` is no list")),
        }
    }
}

/// A field of what is run in the shape that it has when it is absent: a text, a mapping, a list.
fn shaped(field: &str, value: Option<&Value>, place: &str) -> Result<Value, String> {
    let empty = match field {
        "params" | "kwargs" => Value::Object(Map::new()),
        "tekton_params" | "tekton_teardown_params" => Value::Array(Vec::new()),
        _ => Value::String(String::new()),
    };
    match (value, &empty) {
        (None | Some(Value::Null), _) => Ok(empty),
        (Some(value @ Value::Object(_)), Value::Object(_))
        | (Some(value @ Value::Array(_)), Value::Array(_))
        | (Some(value @ Value::String(_)), Value::String(_)) => Ok(value.clone()),
        (Some(_), Value::Object(_)) => Err(format!("{place}: `{field}` is no mapping")),
        (Some(_), Value::Array(_)) => Err(format!("{place}: `{field}` is no list")),
        (Some(_), _) => Err(format!("{place}: `{field}` is no text")),
    }
}

#[cfg(test)]
mod tests;
