//! One name per thing: action, subcommand, stage, input, output, and the tables of README.
//!
//! `UPDATE=1 cargo test --test it layout` writes README's tables anew from the actions.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use clap::CommandFactory as _;
use manifests_e2e::{cli::Cli, stages::Stage};
use serde_yaml::Value;

/// Inputs of an action by name, with default and description.
struct Action {
    name: String,
    yaml: Value,
}

impl Action {
    fn read(path: &str) -> Self {
        let text = fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        Self {
            name: path.to_owned(),
            yaml: serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}")),
        }
    }

    fn of(stage: Stage) -> Self {
        Self::read(&format!("actions/{}/action.yml", stage.name()))
    }

    fn table(&self, key: &str) -> BTreeMap<String, Value> {
        let table = self
            .yaml
            .get(key)
            .cloned()
            .unwrap_or(Value::Mapping(serde_yaml::Mapping::default()));
        serde_yaml::from_value(table).unwrap_or_else(|e| panic!("{}: {key}: {e}", self.name))
    }

    fn names(&self, key: &str) -> Vec<String> {
        self.table(key).into_keys().collect()
    }

    fn steps(&self) -> Vec<Value> {
        self.yaml["runs"]["steps"]
            .as_sequence()
            .expect("a composite has steps")
            .clone()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(value: &Value, key: &str) -> String {
    value
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// The options of a subcommand by name, with their default, as clap knows them.
fn options(subcommand: &str) -> BTreeMap<String, String> {
    let command = Cli::command();
    let command = command
        .find_subcommand(subcommand)
        .unwrap_or_else(|| panic!("no subcommand {subcommand}"));
    command
        .get_arguments()
        .filter_map(|argument| {
            let defaults = argument.get_default_values().iter();
            let default = defaults
                .map(|value| value.to_string_lossy().into_owned())
                .collect::<Vec<_>>()
                .join(",");
            Some((argument.get_long()?.to_owned(), default))
        })
        .filter(|(name, _)| name != "help")
        .collect()
}

fn sorted(names: impl IntoIterator<Item = impl Into<String>>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().map(Into::into).collect();
    names.sort();
    names
}

#[test]
fn an_action_is_named_as_its_subcommand_and_its_recipe() {
    for stage in Stage::ALL {
        let recipe = format!("src/stages/{}.rs", stage.name().replace('-', "_"));
        assert!(root().join(&recipe).is_file(), "{recipe} is missing");
        let inputs = Action::of(stage).names("inputs");
        assert_eq!(
            inputs,
            sorted(options(stage.name()).into_keys()),
            "inputs of {}",
            stage.name()
        );
    }
}

#[test]
fn an_action_has_the_outputs_of_its_stage_and_failure() {
    for stage in Stage::ALL {
        let action = Action::of(stage);
        let known = sorted(stage.outputs().iter().copied().chain(["failure"]));
        assert_eq!(
            action.names("outputs"),
            known,
            "outputs of {}",
            stage.name()
        );
        for (name, output) in action.table("outputs") {
            assert_eq!(
                text(&output, "value"),
                format!("${{{{ steps.run.outputs.{name} }}}}"),
                "{}",
                stage.name()
            );
        }
    }
}

#[test]
fn a_default_is_the_same_in_action_and_binary() {
    for stage in Stage::ALL {
        let options = options(stage.name());
        for (name, input) in Action::of(stage).table("inputs") {
            let default = text(&input, "default");
            if !default.is_empty() && !options[&name].is_empty() {
                assert_eq!(default, options[&name], "{}: {name}", stage.name());
            }
        }
    }
}

#[test]
fn inputs_reach_the_binary_by_env_alone() {
    let mut actions: Vec<(Action, String)> = Stage::ALL
        .map(|stage| {
            (
                Action::of(stage),
                "$GITHUB_ACTION_PATH/../run.sh".to_owned(),
            )
        })
        .into();
    actions.push((
        Action::read("action.yml"),
        "$GITHUB_ACTION_PATH/actions/run.sh".to_owned(),
    ));
    for (action, script) in actions {
        for step in action.steps() {
            let run = text(&step, "run");
            assert!(
                !run.contains("${{"),
                "{}: an expression in a script: {run}",
                action.name
            );
            if let Some(stage) = run.strip_prefix(&format!("exec \"{script}\" ")) {
                let env: BTreeMap<String, Value> =
                    serde_yaml::from_value(step["env"].clone()).unwrap();
                let given = |name: &String| {
                    env.contains_key(&format!("INPUT_{}", name.to_uppercase().replace('-', "_")))
                };
                // The chain tears down its own run, and speaks to its own cluster alone.
                let own = |name: &String| {
                    action.name == "action.yml"
                        && ["kubeconfig", "scope", "run-id"].contains(&name.as_str())
                };
                let options = options(stage.trim());
                let missing: Vec<&String> = options
                    .keys()
                    .filter(|name| !given(name) && !own(name))
                    .collect();
                assert!(
                    missing.is_empty(),
                    "{}: {stage} is not given {missing:?}",
                    action.name
                );
                if action.name == "action.yml" && options.contains_key("kubeconfig") {
                    assert_eq!(
                        env.get("KUBECONFIG").and_then(Value::as_str),
                        Some(""),
                        "{stage}"
                    );
                }
                for variable in ["MATRIX", "JOB_STATUS"] {
                    assert!(
                        env.contains_key(variable),
                        "{}: {stage} is not given {variable}",
                        action.name
                    );
                }
            } else {
                let uses = text(&step, "uses");
                let hash = uses.split('@').nth(1).unwrap_or_default();
                assert!(
                    hash.len() == 40,
                    "{}: neither our script nor pinned by hash: {step:?}",
                    action.name
                );
            }
        }
    }
}

#[test]
fn the_whole_chain_knows_the_inputs_of_every_stage() {
    let chain = Action::read("action.yml").names("inputs");
    for stage in Stage::ALL.into_iter().filter(|stage| stage.in_chain()) {
        // The chain has a limit per stage, finds its own cluster and tears down its own run.
        let own = ["timeout", "log", "kubeconfig", "scope", "run-id"];
        for name in Action::of(stage).names("inputs") {
            assert!(
                own.contains(&name.as_str()) || chain.contains(&name),
                "action.yml lacks {name} of {}",
                stage.name()
            );
        }
    }
}

#[test]
fn readme_tables_are_those_of_the_actions() {
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let mut fresh = readme.clone();
    for stage in Stage::ALL {
        let (begin, end) = (
            format!("<!-- begin {} -->\n", stage.name()),
            format!("<!-- end {} -->", stage.name()),
        );
        let from = fresh
            .find(&begin)
            .unwrap_or_else(|| panic!("README.md lacks {begin}"))
            + begin.len();
        let to = from
            + fresh[from..]
                .find(&end)
                .unwrap_or_else(|| panic!("README.md lacks {end}"));
        fresh.replace_range(from..to, &tables(&Action::of(stage)));
    }
    if std::env::var("UPDATE").is_ok() {
        fs::write(&path, &fresh).unwrap();
    } else {
        assert!(
            fresh == readme,
            "README.md's tables are stale: UPDATE=1 cargo test --test it layout"
        );
    }
}

fn tables(action: &Action) -> String {
    let cell = |text: String| {
        text.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .replace('|', "\\|")
    };
    let mut table = "| input | default | what it is |\n|---|---|---|\n".to_owned();
    for (name, input) in action.table("inputs") {
        let default = cell(text(&input, "default"));
        let default = if default.is_empty() {
            String::new()
        } else {
            format!("`{default}`")
        };
        writeln!(
            table,
            "| `{name}` | {default} | {} |",
            cell(text(&input, "description"))
        )
        .expect("a String takes everything");
    }
    table.push_str("\n| output | what it is |\n|---|---|\n");
    for (name, output) in action.table("outputs") {
        writeln!(
            table,
            "| `{name}` | {} |",
            cell(text(&output, "description"))
        )
        .expect("a String takes everything");
    }
    table
}

/// What a room of the cluster's side may name beside itself, and whether kube is among it.
const WALLS: [(&str, &[&str], bool); 8] = [
    ("api", &[], false),
    ("set", &["api", "inputs", "limits", "report", "wait"], false),
    ("registry", &["limits", "report", "set"], false),
    (
        "cluster",
        &[
            "api", "host", "inputs", "limits", "record", "report", "wait",
        ],
        true,
    ),
    ("pod", &["api", "report"], false),
    ("ready", &["api", "cluster", "pod", "report"], false),
    (
        "deploy",
        &[
            "api", "cluster", "limits", "pod", "progress", "ready", "registry", "report", "set",
            "wait",
        ],
        true,
    ),
    ("kind", &["host", "limits", "report", "wait"], true),
];

#[test]
fn a_room_of_the_clusters_side_names_only_what_its_walls_let_through() {
    for (room, allowed, kube) in WALLS {
        for file in sources(room) {
            let text = fs::read_to_string(&file).unwrap();
            for other in named(&text) {
                assert!(
                    other == room || allowed.contains(&other.as_str()),
                    "{}: {room} names {other}",
                    file.display()
                );
            }
            let names_kube = text
                .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
                .any(|word| word.starts_with("kube::") || word.starts_with("k8s_openapi"));
            assert!(kube || !names_kube, "{}: {room} names kube", file.display());
        }
    }
}

#[test]
fn a_path_is_seen_however_it_is_written() {
    let text =
        "use crate::a::b;\npub use crate::{c::{d, e}, f, g::h as i};\nfn x() { crate::j::k(); }";
    assert_eq!(named(text), ["a", "c", "f", "g", "j"]);
}

/// The files of a room.
fn sources(room: &str) -> Vec<PathBuf> {
    let mut files = vec![root().join(format!("src/{room}.rs"))];
    let mut directories = vec![root().join(format!("src/{room}"))];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten() {
            let path = entry.expect("a directory can be read").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                files.push(path);
            }
        }
    }
    files
}

/// The rooms that a file names.
fn named(text: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        let text = text.trim_start();
        let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_'));
        text[..end.unwrap_or(text.len())].to_owned()
    };
    let mut rooms = Vec::new();
    for (_, rest) in text
        .match_indices("crate::")
        .map(|(at, it)| (at, &text[at + it.len()..]))
    {
        let Some(group) = rest.strip_prefix('{') else {
            rooms.push(word(rest));
            continue;
        };
        let mut depth = 0_usize;
        let mut starts = vec![0];
        for (at, c) in group.char_indices() {
            match c {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => starts.push(at + 1),
                _ => {}
            }
        }
        rooms.extend(starts.into_iter().map(|at| word(&group[at..])));
    }
    rooms.retain(|room| !room.is_empty());
    rooms
}
