//! The variables that Prow sets for a job. Source: `kubernetes-sigs/prow`, `pod-utils/downwardapi/jobspec.go`, and the documents of
//! kubeflow/testing for those it passes on.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{job::JobType, subject::Subject};

/// Those that are passed to a workflow as `prow_env`, in their order.
const PASSED: [&str; 9] = [
    "BUILD_ID",
    "BUILD_NUMBER",
    "JOB_NAME",
    "JOB_TYPE",
    "PULL_BASE_SHA",
    "PULL_NUMBER",
    "PULL_PULL_SHA",
    "REPO_NAME",
    "REPO_OWNER",
];
/// The two of them that have no default.
const WITHOUT_DEFAULT: [&str; 2] = ["PULL_BASE_SHA", "PULL_PULL_SHA"];
/// What a variable is where it has no value.
pub const NOT_SET: &str = "notset";

/// The run of a workflow that this job is.
#[derive(Clone, Debug, Default)]
pub struct Build {
    /// Run and attempt.
    pub id: Option<String>,
    /// The number that people see.
    pub number: Option<String>,
    /// Repository, run and attempt: unlike any other.
    pub prow_job: Option<String>,
    /// Directory for what is to be kept.
    pub artifacts: String,
    /// Name of the job.
    pub job_name: String,
}

/// The variables of a job that have a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variables(BTreeMap<&'static str, String>);

impl Variables {
    /// Those of this job.
    pub fn of(subject: &Subject, build: &Build) -> Self {
        let mut all: BTreeMap<&'static str, String> = BTreeMap::new();
        let mut set = |name: &'static str, value: Option<&str>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                all.insert(name, value.to_owned());
            }
        };
        set("CI", Some("true"));
        set("ARTIFACTS", Some(&build.artifacts));
        set("JOB_NAME", Some(&build.job_name));
        set("JOB_TYPE", Some(subject.job.name()));
        set("BUILD_ID", build.id.as_deref());
        set("BUILD_NUMBER", build.number.as_deref());
        set("PROW_JOB_ID", build.prow_job.as_deref());
        set("REPO_OWNER", Some(&subject.owner));
        set("REPO_NAME", Some(&subject.name));
        if subject.job != JobType::Periodic {
            set("PULL_BASE_REF", subject.base_ref.as_deref());
            set("PULL_BASE_SHA", subject.base_sha.as_deref());
            set("PULL_REFS", refs(subject).as_deref());
        }
        if let Some(pull) = &subject.pull {
            set("PULL_NUMBER", Some(&pull.number.to_string()));
            set("PULL_PULL_SHA", Some(&pull.sha));
            set("PULL_HEAD_REF", Some(&pull.head_ref));
            set("PULL_TITLE", Some(&pull.title));
        }
        set("JOB_SPEC", Some(&spec(subject, build).to_string()));
        Self(all)
    }

    /// Adds what a release is named by, where nothing else has set it: the commit in eight digits, the day, four digits that are
    /// `number`.
    pub fn release(&mut self, commit: Option<&str>, day: jiff::civil::Date, number: &str) {
        if let Some(commit) = commit {
            let short: String = commit.chars().take(8).collect();
            let tag = format!("v{}-{short}", day.strftime("%Y%m%d"));
            self.0.entry("PULL_BASE_SHA").or_insert(short);
            self.0.insert("VERSION_TAG", tag);
        }
        self.0
            .entry("BUILD_NUMBER")
            .or_insert_with(|| number.to_owned());
    }

    /// One by its name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// What a step gets in its environment: all of them.
    pub fn environment(&self) -> &BTreeMap<&'static str, String> {
        &self.0
    }

    /// `K=V,…` of those that are passed on and set.
    pub fn passed(&self) -> String {
        let set = PASSED
            .iter()
            .filter_map(|name| Some(format!("{name}={}", self.get(name)?)));
        set.collect::<Vec<_>>().join(",")
    }

    /// Those that are passed on, `notset` where they have a default and no value.
    pub fn with_defaults(&self) -> BTreeMap<&'static str, &str> {
        let named = PASSED.iter().filter_map(|name| match self.get(name) {
            Some(value) => Some((*name, value)),
            None if WITHOUT_DEFAULT.contains(name) => None,
            None => Some((*name, NOT_SET)),
        });
        named.collect()
    }
}

/// `base:commit,number:commit`, as Prow writes what is to be merged.
pub fn refs(subject: &Subject) -> Option<String> {
    let (base, sha) = (subject.base_ref.as_ref()?, subject.base_sha.as_ref()?);
    let mut refs = format!("{base}:{sha}");
    match (&subject.pull, &subject.group) {
        (Some(pull), _) => {
            refs.extend([",", &pull.number.to_string(), ":", &pull.sha]);
        }
        // The group's own commit has that pull request in it, on top of the base.
        (None, Some((sha, Some(number)))) => {
            refs.extend([",", &number.to_string(), ":", sha]);
        }
        (None, _) => {}
    }
    Some(refs)
}

/// The whole of it as Prow's tools read it.
pub fn spec(subject: &Subject, build: &Build) -> Value {
    let mut spec = json!({"type": subject.job.name(), "job": build.job_name});
    for (key, value) in [("buildid", &build.id), ("prowjobid", &build.prow_job)] {
        if let Some(value) = value {
            spec[key] = json!(value);
        }
    }
    let mut refs = json!({"org": subject.owner, "repo": subject.name});
    for (key, value) in [
        ("base_ref", &subject.base_ref),
        ("base_sha", &subject.base_sha),
    ] {
        if let Some(value) = value {
            refs[key] = json!(value);
        }
    }
    if let Some(pull) = &subject.pull {
        refs["pulls"] = json!([{
            "number": pull.number, "author": pull.author, "sha": pull.sha, "title": pull.title, "head_ref": pull.head_ref,
        }]);
    } else if let Some((sha, Some(number))) = &subject.group {
        refs["pulls"] = json!([{"number": number, "author": "", "sha": sha}]);
    }
    // A periodic job of Prow is about no repository; what it has beside itself is in `extra_refs`.
    if subject.job == JobType::Periodic {
        spec["extra_refs"] = json!([refs]);
    } else {
        spec["refs"] = refs;
    }
    spec
}

#[cfg(test)]
mod tests;
