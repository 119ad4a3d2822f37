//! One name per thing: action, subcommand, stage, input, output, and the tables of README.
//!
//! `UPDATE=1 cargo test --test it layout` writes each `action.yml` and README's tables anew.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use clap::Parser as _;
use manifests_e2e::{
    cli::{Cli, Command},
    inputs::variable,
    stages::Stage,
};
use serde_yaml::Value;

mod actions;
mod inputs;
mod walls;

use actions::{Action, NOT_OF_A_CHAIN, Output};
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
    for (path, script) in stages.into_iter().chain([chain]) {
        for step in steps(&path) {
            let run = text(&step, "run");
            assert!(
                !run.contains("${{"),
                "{path}: an expression in a script: {run}"
            );
            let Some(words) = run.strip_prefix(&format!("exec \"{script}\" ")) else {
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
                assert!(given || own, "{path}: {words:?} is not given {name}");
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
        "action.yml",
    ] {
        for step in steps(path) {
            let ends = ["gather-logs", "teardown"]
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

#[test]
fn the_job_of_readme_outlives_the_limits_of_the_chain() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, minutes) = readme
        .split_once("timeout-minutes: ")
        .expect("the job has a limit");
    let minutes: u64 = minutes.lines().next().unwrap_or_default().parse().unwrap();
    let Command::Run(args) = Cli::try_parse_from(["manifests-e2e", "run"])
        .unwrap()
        .command
    else {
        panic!("another command");
    };
    // Without a release, the binary is built first.
    assert!(
        minutes * 60 >= args.whole().as_secs() + 15 * 60,
        "{minutes}"
    );
}

#[test]
fn readme_tables_are_those_of_the_actions() {
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let mut fresh = readme.clone();
    let mut fill = |name: &str, table: &str| {
        let (begin, end) = (
            format!("<!-- begin {name} -->\n"),
            format!("<!-- end {name} -->"),
        );
        let from = fresh
            .find(&begin)
            .unwrap_or_else(|| panic!("README.md lacks {begin}"))
            + begin.len();
        let to = from
            + fresh[from..]
                .find(&end)
                .unwrap_or_else(|| panic!("README.md lacks {end}"));
        fresh.replace_range(from..to, table);
    };
    let mut inputs: BTreeMap<String, Input> = BTreeMap::new();
    let mut outputs: BTreeMap<String, String> = BTreeMap::new();
    for stage in Stage::ALL {
        let action = Action::of(stage);
        fill(stage.name(), &tables(&action.inputs, &action.outputs));
        if stage.in_chain() {
            // `timeout` is that of a stage there, and that of the chain here.
            inputs.extend(
                action
                    .inputs
                    .into_iter()
                    .filter(|(name, _)| name != "timeout"),
            );
            let named = |(name, output): (String, Output)| (name, output.description);
            outputs.extend(action.outputs.into_iter().map(named));
        }
    }
    let Action {
        inputs: mut more,
        outputs: mut and,
        ..
    } = Action::of_the_chain();
    more.retain(|(name, _)| !inputs.contains_key(name));
    and.retain(|(name, output)| outputs.get(name) != Some(&output.description));
    fill("chain", &tables(&more, &and));
    if std::env::var("UPDATE").is_ok() {
        fs::write(&path, &fresh).unwrap();
    } else {
        assert!(
            fresh == readme,
            "README.md's tables are stale: UPDATE=1 cargo test --test it layout"
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
