//! Each `action.yml`, made of the command line (names, defaults and help of the options) and of what each stage sets.
//!
//! `UPDATE=1 cargo test --test it layout` writes them anew.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use clap::{Command, CommandFactory as _};
use manifests_e2e::{cli::Cli, inputs::variable, stages::Stage};

use self::face::face;
use super::{
    inputs::{self, Input, subcommand},
    root,
};

mod face;
pub(super) mod translated;

const UPLOAD: &str = "actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a # v7.0.1";
/// The root action says itself how far `run` goes, and its other steps would not read a file.
const OF_RUN_ALONE: [&str; 2] = ["until", "file"];
/// The chain tears down its own run, and speaks to its own cluster alone.
pub(super) const NOT_OF_A_CHAIN: [&str; 3] = ["kubeconfig", "scope", "run-id"];

/// No stage, so its file is written by hand: it puts the binary there.
const SETUP: &str = "actions/setup/action.yml";

/// The inputs of the binary, and the one that `run.sh` reads itself.
fn with_binary(mut inputs: Vec<(String, Input)>) -> Vec<(String, Input)> {
    inputs.push((
        BINARY.to_owned(),
        Input {
            default: String::new(),
            required: false,
            description: "Path of a binary of manifests-e2e on this runner, to use instead of the one of this commit; for runners without internet."
                .to_owned(),
        },
    ));
    inputs
}

/// Names the binary; no option of it.
pub(super) const BINARY: &str = "binary";
/// An output of an action.
#[derive(Clone, Debug)]
pub(super) struct Output {
    pub(super) description: String,
    value: String,
}

/// An action, before it is text.
pub(super) struct Action {
    /// Of its file, in this repository.
    path: String,
    head: &'static str,
    title: &'static str,
    icon: &'static str,
    description: String,
    pub(super) inputs: Vec<(String, Input)>,
    pub(super) outputs: Vec<(String, Output)>,
    steps: String,
}

fn output(step: &str, name: &str, description: &str) -> Output {
    Output {
        description: format!("{description}."),
        value: format!("${{{{ steps.{step}.outputs.{name} }}}}"),
    }
}

const JOB_STATUS: &str = "${{ job.status }}";

/// One step that becomes the binary. Inputs are named as the option, then as the input of the action.
struct Run<'a> {
    id: &'a str,
    condition: Option<&'a str>,
    script: &'a str,
    words: &'a str,
    own_cluster: bool,
    /// Whether the verdict of the action stands where this step fails.
    may_fail: bool,
    inputs: Vec<(String, String)>,
    status: &'a str,
}

impl Run<'_> {
    fn yaml(&self) -> String {
        let mut text = format!("    - id: {}\n", self.id);
        if let Some(condition) = self.condition {
            line(&mut text, 6, &format!("if: {condition}"));
        }
        if self.may_fail {
            line(
                &mut text,
                6,
                "# A bundle that cannot be had changes nothing about what was proven.",
            );
            line(&mut text, 6, "continue-on-error: true");
        }
        line(&mut text, 6, "shell: bash");
        let (script, words) = (self.script, self.words);
        line(
            &mut text,
            6,
            &format!("run: exec \"$GITHUB_ACTION_PATH/{script}\" {words}"),
        );
        line(&mut text, 6, "env:");
        if self.own_cluster {
            line(
                &mut text,
                8,
                "# The chain's own cluster, whatever cluster the caller's workflow speaks to.",
            );
            line(&mut text, 8, "KUBECONFIG: ''");
        }
        for (option, input) in &self.inputs {
            line(
                &mut text,
                8,
                &format!("{}: ${{{{ inputs.{input} }}}}", variable(option)),
            );
        }
        let binary = variable(BINARY);
        line(
            &mut text,
            8,
            &format!("{binary}: ${{{{ inputs.{BINARY} }}}}"),
        );
        line(&mut text, 8, "MATRIX: ${{ toJSON(matrix) }}");
        line(&mut text, 8, "JOB_CHECK_RUN_ID: ${{ job.check_run_id }}");
        line(&mut text, 8, &format!("JOB_STATUS: {}", self.status));
        text
    }
}

fn line(text: &mut String, indent: usize, content: &str) {
    writeln!(text, "{:indent$}{content}", "").expect("a String takes everything");
}

/// The steps after the one that gathers: a zip file and a page, each as it is, under its own name.
fn uploads(step: &str) -> String {
    let mut text = String::new();
    for what in ["bundle", "report"] {
        let path = format!("steps.{step}.outputs.{what}");
        line(&mut text, 4, &format!("- name: Upload the {what}"));
        line(&mut text, 6, &format!("if: always() && {path} != ''"));
        line(&mut text, 6, "continue-on-error: true");
        line(&mut text, 6, &format!("uses: {UPLOAD}"));
        line(&mut text, 6, "with:");
        line(&mut text, 8, &format!("path: ${{{{ {path} }}}}"));
        line(&mut text, 8, "archive: false");
        line(&mut text, 8, "if-no-files-found: warn");
        line(&mut text, 8, "retention-days: ${{ inputs.retention-days }}");
    }
    text
}

impl Action {
    /// The action of one stage.
    pub(super) fn of(stage: Stage) -> Self {
        let command = stage.name();
        let inputs = inputs::inputs(command, &[]);
        let outputs = stage.outputs().iter();
        let mut outputs: Vec<(String, Output)> = outputs
            .map(|(name, what)| ((*name).to_owned(), output("run", name, what)))
            .collect();
        let failure = "The cause in one line; empty when the stage passed";
        outputs.push(("failure".to_owned(), output("run", "failure", failure)));
        let same = inputs.iter().map(|(name, _)| (name.clone(), name.clone()));
        // A job that is cancelled cancels the steps within an action, too, unless they say this themselves.
        let ends = matches!(stage, Stage::GatherLogs | Stage::Teardown | Stage::Publish);
        let mut steps = Run {
            id: "run",
            condition: ends.then_some("always()"),
            script: "../run.sh",
            words: command,
            own_cluster: false,
            may_fail: false,
            inputs: same.collect(),
            status: JOB_STATUS,
        }
        .yaml();
        if stage == Stage::GatherLogs {
            steps += &uploads("run");
        }
        let (title, icon) = face(stage);
        Self {
            path: format!("actions/{command}/action.yml"),
            head: "",
            title,
            icon,
            description: about(subcommand(&Cli::command(), command)),
            inputs: with_binary(inputs),
            outputs,
            steps,
        }
    }

    /// The root action: the whole chain.
    pub(super) fn of_the_chain() -> Self {
        let inputs = inputs::inputs("run", &OF_RUN_ALONE);
        let (gather, teardown) = (Stage::GatherLogs.name(), Stage::Teardown.name());
        let chain: Vec<Stage> = Stage::ALL
            .into_iter()
            .filter(|stage| stage.in_chain())
            .collect();
        let mut outputs: Vec<(String, Output)> = Vec::new();
        for (at, stage) in chain.iter().enumerate() {
            let step = match stage {
                Stage::GatherLogs => gather,
                Stage::Teardown => teardown,
                _ => "run",
            };
            for (name, what) in stage.outputs() {
                let later = chain[at + 1..].iter().flat_map(|stage| stage.outputs());
                let is_later = later.into_iter().any(|(other, _)| other == name);
                let verb = stage.name().split('-').next().unwrap_or_default();
                let unique = if is_later {
                    format!("{verb}-{name}")
                } else {
                    (*name).to_owned()
                };
                outputs.push((unique, output(step, name, what)));
            }
        }
        let causes = ["run", teardown].map(|step| format!("steps.{step}.outputs.failure"));
        outputs.push((
            "failure".to_owned(),
            Output {
                description:
                    "The cause in one line, of the first stage that failed; empty when all passed."
                        .to_owned(),
                value: format!("${{{{ {} }}}}", causes.join(" || ")),
            },
        ));
        let same = inputs.iter().map(|(name, _)| (name.clone(), name.clone()));
        let mut steps = Run {
            id: "run",
            condition: None,
            script: "actions/run.sh",
            words: "run --until test",
            own_cluster: true,
            may_fail: false,
            inputs: same.collect(),
            status: JOB_STATUS,
        }
        .yaml();
        line(
            &mut steps,
            4,
            "# Skipped where `run` says that it has begun nothing: an input was refused, or the set was only linted.",
        );
        line(
            &mut steps,
            4,
            "# Until this action ends, the job's status knows nothing of a step that failed in it.",
        );
        for (stage, limit) in [(gather, "gather-timeout"), (teardown, "teardown-timeout")] {
            let named = |(name, _): (String, Input)| match name.as_str() {
                "timeout" => (name, limit.to_owned()),
                _ => (name.clone(), name),
            };
            let of_stage = inputs::inputs(stage, &NOT_OF_A_CHAIN);
            steps += &Run {
                id: stage,
                condition: Some("always() && steps.run.outputs.begun != 'false'"),
                script: "actions/run.sh",
                words: stage,
                own_cluster: stage == gather,
                may_fail: stage == gather,
                inputs: of_stage.into_iter().map(named).collect(),
                status: "${{ job.status == 'success' && steps.run.outcome == 'failure' && 'failure' || job.status }}",
            }
            .yaml();
            if stage == gather {
                steps += &uploads(gather);
            }
        }
        Self {
            path: "action.yml".to_owned(),
            head: "# The whole chain: an instance, a cluster, the manifests, a test, the logs; and nothing left, whatever happens.\n\
                   # Its steps only run a script of this checkout: an action named by a path would be looked up in the caller's workspace.\n",
            title: "Manifests e2e",
            icon: "check-circle",
            description: about(&Cli::command()),
            inputs: with_binary(inputs),
            outputs,
            steps,
        }
    }

    /// Every action that there is.
    pub(super) fn all() -> Vec<Self> {
        let stages = Stage::ALL.map(Self::of);
        let others = [
            Self::of_the_chain(),
            translated::create_cluster(),
            translated::run_notebook(),
        ];
        stages.into_iter().chain(others).collect()
    }

    /// Its folder in this repository: `actions/reap`; empty for the root action.
    pub(super) fn folder(&self) -> &str {
        self.path
            .trim_end_matches("action.yml")
            .trim_end_matches('/')
    }

    fn yaml(&self) -> String {
        let mut text = format!(
            "{}# Generated from the command line: UPDATE=1 cargo test --test it layout\n\
             name: {}\ndescription: {}\nbranding:\n  icon: {}\n  color: blue\ninputs:\n",
            self.head,
            scalar(self.title),
            scalar(&self.description),
            self.icon
        );
        for (name, input) in &self.inputs {
            line(&mut text, 2, &format!("{name}:"));
            line(
                &mut text,
                4,
                &format!("description: {}", scalar(&input.description)),
            );
            if input.required {
                line(&mut text, 4, "required: true");
            } else {
                line(
                    &mut text,
                    4,
                    &format!("default: {}", scalar(&input.default)),
                );
            }
        }
        text.push_str("outputs:\n");
        for (name, output) in &self.outputs {
            line(&mut text, 2, &format!("{name}:"));
            line(
                &mut text,
                4,
                &format!("description: {}", scalar(&output.description)),
            );
            line(&mut text, 4, &format!("value: {}", output.value));
        }
        text + "runs:\n  using: composite\n  steps:\n" + &self.steps
    }
}

fn about(command: &Command) -> String {
    let about = command
        .get_about()
        .expect("every command says what it does")
        .to_string();
    format!("{}.", about.trim_end_matches('.'))
}

/// A text as YAML on one line, quoted where it has to be.
fn scalar(text: &str) -> String {
    let yaml = serde_yaml::to_string(text).expect("a text is YAML");
    yaml.trim_end().to_owned()
}

#[test]
fn every_action_is_made_of_the_command_line() {
    let made = Action::all().into_iter();
    let made: BTreeMap<String, String> = made.map(|one| (one.path.clone(), one.yaml())).collect();
    for (path, yaml) in &made {
        let file = root().join(path);
        if std::env::var("UPDATE").is_ok() {
            // In one go: other tests read it meanwhile.
            let fresh = file.with_extension("new");
            fs::write(&fresh, yaml).unwrap();
            fs::rename(fresh, &file).unwrap();
        }
        let there = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            &there == yaml,
            "{path} is stale: UPDATE=1 cargo test --test it layout"
        );
    }
    for folder in fs::read_dir(root().join("actions")).unwrap().flatten() {
        let path = format!("actions/{}/action.yml", folder.file_name().display());
        assert!(
            path == SETUP || !root().join(&path).exists() || made.contains_key(&path),
            "{path} is no stage's"
        );
    }
}
