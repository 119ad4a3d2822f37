//! A step of one of our actions, run as a runner would run it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use manifests_e2e::stages::Stage;
use serde_yaml::Value;

use crate::it::support::{binary, root};

fn yaml(path: &Path) -> Value {
    serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The step of an action that runs us, as a runner would: each expression replaced by what it stands for.
pub(crate) struct Step {
    pub(crate) script: String,
    pub(crate) env: BTreeMap<String, String>,
    /// Its `if`.
    pub(crate) condition: String,
    action: PathBuf,
}

impl Step {
    /// That of a stage's action.
    pub(crate) fn of(stage: Stage) -> Self {
        Self::read(&format!("actions/{}", stage.name()), "run")
    }

    /// One of the root action.
    pub(crate) fn of_the_chain(id: &str) -> Self {
        Self::read("", id)
    }

    fn read(folder: &str, id: &str) -> Self {
        let action = root().join(folder);
        let yaml = yaml(&action.join("action.yml"));
        let mut steps = yaml["runs"]["steps"].as_sequence().unwrap().iter();
        let step = steps.find(|step| step["id"].as_str() == Some(id)).unwrap();
        let env: BTreeMap<String, String> = serde_yaml::from_value(step["env"].clone()).unwrap();
        let default = |name: &str| {
            let default = yaml["inputs"][name]["default"].as_str();
            default.unwrap_or_default().to_owned()
        };
        let meant = |value: &str| {
            let inner = value.trim_start_matches("${{ ").trim_end_matches(" }}");
            match inner.strip_prefix("inputs.") {
                Some(name) => default(name),
                None if inner == "job.status" => "failure".to_owned(),
                None => "null".to_owned(),
            }
        };
        Self {
            script: step["run"].as_str().unwrap().to_owned(),
            env: env
                .iter()
                .map(|(name, value)| (name.clone(), meant(value)))
                .collect(),
            condition: step["if"].as_str().unwrap_or_default().to_owned(),
            action,
        }
    }

    /// Runs it in an empty directory, with these variables on top.
    pub(crate) fn run(&self, dir: &Path, more: &[(&str, &str)]) -> Output {
        Command::new("timeout")
            .args(["20", "bash", "-e", "-c", &self.script])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", dir)
            .env("RUNNER_TEMP", dir)
            .env("GITHUB_OUTPUT", dir.join("output"))
            .env("GITHUB_STEP_SUMMARY", dir.join("summary"))
            .env("GITHUB_WORKSPACE", dir)
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_REPOSITORY", "o/r")
            .env("GITHUB_REPOSITORY_ID", "7")
            .env("GITHUB_RUN_ID", "1")
            .env("GITHUB_JOB", "e2e")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
            .env("GITHUB_API_URL", "http://127.0.0.1:9")
            .env("GITHUB_ACTION_PATH", &self.action)
            .env("MANIFESTS_E2E_BINARY", binary())
            .envs(&self.env)
            .env("INPUT_TIMEOUT", "5s")
            .envs(more.iter().copied())
            .current_dir(dir)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

/// The outputs that a step has set in its directory; the last of a name counts.
pub(crate) fn outputs(dir: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(dir.join("output")).unwrap_or_default();
    let mut lines = text.lines();
    let mut outputs = BTreeMap::new();
    while let Some(line) = lines.next() {
        if let Some((name, end)) = line.split_once("<<") {
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
            outputs.insert(name.to_owned(), value.join("\n"));
        }
    }
    outputs
}
