//! One name per thing: action, subcommand, stage, input, output, and the tables of `docs/actions.md`.
//!
//! `UPDATE=1 cargo test --test it layout` writes each `action.yml` and those tables anew.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use manifests_e2e::{inputs::variable, stages::Stage};
use serde_yaml::Value;

mod actions;
pub(super) mod examples;
mod inputs;
mod troubleshooting;
mod walls;

use actions::{
    Action, NOT_OF_A_CHAIN, Output,
    translated::{CREATE_CLUSTER, EXPORT, ON_FAILURE, RUN_NOTEBOOK},
};
use inputs::{Input, name, options};

use crate::it::support::root;

fn text(value: &Value, key: &str) -> String {
    value
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn an_action_is_named_as_its_recipe() {
    for stage in Stage::ALL {
        let recipe = format!("src/stages/{}.rs", stage.name().replace('-', "_"));
        assert!(root().join(&recipe).is_file(), "{recipe} is missing");
    }
}

/// The steps of an action as its file has them.
fn steps(path: &str) -> Vec<Value> {
    let text = fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let yaml: Value = serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"));
    let steps = yaml["runs"]["steps"].as_sequence();
    steps.expect("a composite has steps").clone()
}

#[test]
fn inputs_reach_the_binary_by_env_alone() {
    let stages = Stage::ALL.map(|stage| {
        let path = format!("actions/{}/action.yml", stage.name());
        (path, "$GITHUB_ACTION_PATH/../run.sh")
    });
    let chain = (
        "action.yml".to_owned(),
        "$GITHUB_ACTION_PATH/actions/run.sh",
    );
    let translated = ["create-cluster", "run-notebook"].map(|name| {
        let path = format!("actions/{name}/action.yml");
        (path, "$GITHUB_ACTION_PATH/../run.sh")
    });
    let theirs = translated.clone().map(|(path, _)| path);
    for (path, script) in stages.into_iter().chain([chain]).chain(translated) {
        let is_stage = !theirs.contains(&path);
        for step in steps(&path) {
            let run = text(&step, "run");
            assert!(
                !run.contains("${{"),
                "{path}: an expression in a script: {run}"
            );
            let Some(words) = run.strip_prefix(&format!("exec \"{script}\" ")) else {
                if [EXPORT, ON_FAILURE].contains(&format!("run: {run}").as_str()) {
                    continue;
                }
                let uses = text(&step, "uses");
                let hash = uses.split('@').nth(1).unwrap_or_default();
                assert!(
                    hash.len() == 40,
                    "{path}: neither our script nor pinned by hash: {step:?}"
                );
                continue;
            };
            let words: Vec<&str> = words.split(' ').collect();
            let env: BTreeMap<String, Value> = serde_yaml::from_value(step["env"].clone()).unwrap();
            for option in options(words[0]) {
                let name = name(&option);
                let own = path == "action.yml"
                    && (NOT_OF_A_CHAIN.contains(&name.as_str()) || name == "file");
                let given = env.contains_key(&variable(&name))
                    || words.contains(&format!("--{name}").as_str());
                assert!(
                    given || own || !is_stage,
                    "{path}: {words:?} is not given {name}"
                );
                if path == "action.yml" && name == "kubeconfig" {
                    assert_eq!(env.get("KUBECONFIG").and_then(Value::as_str), Some(""));
                }
            }
            for known in ["INPUT_BINARY", "MATRIX", "JOB_CHECK_RUN_ID", "JOB_STATUS"] {
                assert!(
                    env.contains_key(known),
                    "{path}: {words:?} is not given {known}"
                );
            }
        }
    }
}

#[test]
fn what_collects_and_ends_runs_in_a_job_that_was_cancelled() {
    for path in [
        "actions/gather-logs/action.yml",
        "actions/teardown/action.yml",
        "actions/publish/action.yml",
        "action.yml",
    ] {
        for step in steps(path) {
            let ends = ["gather-logs", "teardown", "publish"]
                .iter()
                .any(|stage| text(&step, "run").ends_with(stage));
            let condition = text(&step, "if");
            assert!(
                !ends || condition.starts_with("always()"),
                "{path}: {condition}"
            );
        }
    }
}

#[test]
fn the_whole_chain_knows_the_inputs_and_outputs_of_every_stage() {
    let chain = Action::of_the_chain();
    for stage in Stage::ALL.into_iter().filter(|stage| stage.in_chain()) {
        let action = Action::of(stage);
        for (name, _) in &action.inputs {
            let own = NOT_OF_A_CHAIN.contains(&name.as_str());
            let known = chain.inputs.iter().any(|(known, _)| known == name);
            assert!(own || known, "action.yml lacks {name} of {}", stage.name());
        }
        for (name, output) in &action.outputs {
            let known = chain
                .outputs
                .iter()
                .any(|(_, known)| known.description == output.description);
            assert!(
                known || name == "failure",
                "action.yml lacks {name} of {}",
                stage.name()
            );
        }
    }
    let mut names: Vec<&String> = chain.outputs.iter().map(|(name, _)| name).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "one name for two outputs: {names:?}");
}

/// An input of theirs goes to the variable of ours, or to none.
#[track_caller]
fn is_translated(env: &BTreeMap<String, Value>, theirs: &str, ours: Option<&str>) {
    let expression = format!("${{{{ inputs.{theirs} }}}}");
    let given = env
        .iter()
        .find(|(_, value)| value.as_str() == Some(&expression));
    let variable = ours.map(variable);
    assert_eq!(given.map(|(name, _)| name), variable.as_ref(), "{theirs}");
}

#[test]
fn create_cluster_translates_each_input_but_the_one_that_is_not_needed() {
    let steps = steps("actions/create-cluster/action.yml");
    let env: BTreeMap<String, Value> = serde_yaml::from_value(steps[1]["env"].clone()).unwrap();
    for (theirs, ours) in CREATE_CLUSTER {
        is_translated(&env, theirs, ours);
        if let Some(ours) = ours {
            let known = options("install-kind").iter().any(|one| name(one) == ours);
            assert!(known, "install-kind has no {ours}");
        }
    }
    assert_eq!(
        text(&steps[1], "run").split(' ').next_back(),
        Some("--exact-name")
    );
}

#[test]
fn run_notebook_translates_each_input_and_no_text_of_one_becomes_a_script() {
    let steps = steps("actions/run-notebook/action.yml");
    let of = |step: &Value, key: &str| -> BTreeMap<String, Value> {
        serde_yaml::from_value(step[key].clone()).unwrap()
    };
    let env = of(&steps[1], "env");
    for (theirs, ours) in RUN_NOTEBOOK {
        is_translated(&env, theirs, ours);
    }
    let seconds = env["INPUT_CELL_TIMEOUT"].as_str();
    assert_eq!(seconds, Some("${{ inputs.timeout }}s"));
    let python = of(&steps[0], "with");
    let version = python["python-version"].as_str();
    assert_eq!(version, Some("${{ inputs.python-version }}"));
    let command = of(&steps[2], "env");
    let command = command["ON_FAILURE"].as_str();
    assert_eq!(command, Some("${{ inputs.on-failure }}"));
    assert!(text(&steps[2], "if").contains("steps.run.outcome == 'failure'"));
}

/// The page that has the tables of all inputs and outputs.
const TABLES: &str = "docs/actions.md";

#[test]
fn tables_are_those_of_the_actions() {
    let path = root().join(TABLES);
    let page = fs::read_to_string(&path).unwrap();
    let mut fresh = page.clone();
    for action in Action::all() {
        let name = match action.folder() {
            "" => "chain",
            folder => folder.trim_start_matches("actions/"),
        };
        let (begin, end) = (
            format!("<!-- begin {name} -->\n"),
            format!("<!-- end {name} -->"),
        );
        let found = fresh.find(&begin);
        let from = found.unwrap_or_else(|| panic!("{TABLES} lacks {begin}")) + begin.len();
        let found = fresh[from..].find(&end);
        let to = from + found.unwrap_or_else(|| panic!("{TABLES} lacks {end}"));
        fresh.replace_range(from..to, &tables(&action.inputs, &action.outputs));
    }
    if std::env::var("UPDATE").is_ok() {
        fs::write(&path, &fresh).unwrap();
    } else {
        assert!(
            fresh == page,
            "{TABLES} is stale: UPDATE=1 cargo test --test it layout"
        );
    }
}

fn tables(inputs: &[(String, Input)], outputs: &[(String, Output)]) -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let inputs: BTreeMap<&String, &Input> = inputs.iter().map(|(name, one)| (name, one)).collect();
    let outputs: BTreeMap<&String, &Output> =
        outputs.iter().map(|(name, one)| (name, one)).collect();
    let mut text = "| input | default | what it is |\n|---|---|---|\n".to_owned();
    for (name, input) in inputs {
        let default = match cell(&input.default) {
            _ if input.required => "required".to_owned(),
            default if default.is_empty() => default,
            default => format!("`{default}`"),
        };
        let description = cell(&input.description);
        writeln!(text, "| `{name}` | {default} | {description} |")
            .expect("a String takes everything");
    }
    text.push_str("\n| output | what it is |\n|---|---|\n");
    for (name, output) in outputs {
        writeln!(text, "| `{name}` | {} |", cell(&output.description))
            .expect("a String takes everything");
    }
    text
}
