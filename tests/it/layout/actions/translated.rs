//! Actions under the names of kubeflow/testing, for workflows that already use its own: the one exception to "an action
//! is named as its stage". They translate inputs and do nothing else.

use manifests_e2e::stages::Stage;

use super::{Action, Input, JOB_STATUS, Output, Run, line, output, with_binary};

/// Inputs of `create-cluster`: theirs, then the option of `install-kind` that it becomes.
pub(in super::super) const CREATE_CLUSTER: [(&str, Option<&str>); 5] = [
    // Theirs takes it for kubectl. Under `--exact-name` it is only looked at: the image decides.
    ("k8s_version", Some("kubernetes-version")),
    ("node_image", Some("node-image")),
    ("cluster_name", Some("cluster")),
    ("kind_version", Some("kind-version")),
    // kind goes on when that time is over, with a cluster that is not ready. `install-kind` never does.
    ("wait", None),
];

fn required(description: &str) -> Input {
    Input {
        default: String::new(),
        required: true,
        description: description.to_owned(),
    }
}

fn optional(default: &str, description: &str) -> Input {
    Input {
        default: default.to_owned(),
        required: false,
        description: description.to_owned(),
    }
}

/// The step that becomes the binary.
fn run<'a>(id: &'a str, words: &'a str, inputs: Vec<(String, String)>) -> Run<'a> {
    Run {
        id,
        condition: None,
        script: "../run.sh",
        words,
        own_cluster: false,
        may_fail: false,
        inputs,
        status: JOB_STATUS,
    }
}

/// `create-cluster`, as kubeflow/testing has it: names, defaults, `KUBECONFIG` in every later step.
pub(super) fn create_cluster() -> Action {
    let inputs = [
        required(
            "Version of kubectl in theirs, such as `v1.36.1`. Taken for compatibility: kubectl is the runner's own, and `node_image` decides on the cluster.",
        ),
        required(
            "Node image of KinD, such as `kindest/node:v1.36.1`: it decides which Kubernetes runs.",
        ),
        optional(
            "kind",
            "Name of the cluster, as it is: its context is `kind-<name>`, and `kind load --name` takes it.",
        ),
        optional(
            "v0.33.0",
            "Version of kind: one of `kind/versions.json`, or the one that is on `PATH` already.",
        ),
        optional(
            "60s",
            "Taken for compatibility. The step waits until the cluster is ready, whatever is given here, and fails after 15 minutes; \
             kind itself goes on after this time with a cluster that is not.",
        ),
    ];
    let names = CREATE_CLUSTER.map(|(name, _)| name.to_owned());
    let options = CREATE_CLUSTER
        .into_iter()
        .filter_map(|(name, option)| Some((option?.to_owned(), name.to_owned())));
    let (provision, install) = (Stage::ProvisionEc2.name(), Stage::InstallKind.name());
    let provision = format!("{provision} --provider=local");
    let install = format!("{install} --exact-name");
    let mut steps = run("host", &provision, Vec::new()).yaml();
    steps += &run("cluster", &install, options.collect()).yaml();
    let export = format!("{EXPORT} # zizmor: ignore[github-env] a path of ours, made of no input");
    for (indent, content) in [
        (4, "- id: export"),
        (6, "shell: bash"),
        (6, export.as_str()),
        (6, "env:"),
        (
            8,
            "CLUSTER_KUBECONFIG: ${{ steps.cluster.outputs.kubeconfig }}",
        ),
    ] {
        line(&mut steps, indent, content);
    }
    let kubeconfig = output(
        "cluster",
        "kubeconfig",
        "Absolute path of the cluster's kubeconfig",
    );
    let failure = Output {
        description: "The cause in one line; empty when the cluster is ready.".to_owned(),
        value: "${{ steps.host.outputs.failure || steps.cluster.outputs.failure }}".to_owned(),
    };
    Action {
        path: "actions/create-cluster/action.yml".to_owned(),
        head: "# The inputs and defaults of kubeflow/testing's own create-cluster, on this machine. docs/actions.md says what differs.\n",
        title: "Create KinD cluster",
        icon: "box",
        description: "A KinD cluster on this machine that is really ready, by the inputs of kubeflow/testing.".to_owned(),
        inputs: with_binary(names.into_iter().zip(inputs).collect()),
        outputs: vec![("kubeconfig".to_owned(), kubeconfig), ("failure".to_owned(), failure)],
        steps,
    }
}

/// Theirs exports it too. Its value is a path of ours, made of nothing that an input says.
pub(in super::super) const EXPORT: &str =
    r#"run: printf 'KUBECONFIG=%s\n' "$CLUSTER_KUBECONFIG" >>"$GITHUB_ENV""#;

/// Inputs of `run-notebook`: theirs, then the option of `run-mnist-notebook-job` that it becomes. `timeout` has no unit
/// there, and `python-version` and `on-failure` are steps of their own.
pub(in super::super) const RUN_NOTEBOOK: [(&str, Option<&str>); 7] = [
    ("notebook", Some("notebook")),
    ("output", Some("papermill-output")),
    ("timeout", None),
    ("parameters", Some("papermill-parameters")),
    ("requirements", Some("papermill-requirements")),
    ("on-failure", None),
    ("python-version", None),
];

/// Theirs sets it up by this action, too.
const SETUP_PYTHON: &str = "actions/setup-python@a309ff8b426b58ec0e2a45f0f869d46889d02405 # v6.2.0";

/// What a workflow wants to see when its notebook fails: a command, which reaches bash by its environment.
pub(in super::super) const ON_FAILURE: &str = r#"run: exec bash -c "$ON_FAILURE""#;

/// `run-notebook`, as kubeflow/testing has it: names, defaults, on the runner.
pub(super) fn run_notebook() -> Action {
    let inputs = [
        required("Path of the notebook to run."),
        optional(
            "output.ipynb",
            "Path that the executed notebook is written to, also where it failed.",
        ),
        optional("600", "Seconds that a cell may take."),
        optional(
            "",
            "Parameters in the words of papermill, such as `-p num_cpu 3 -p gpu 1`; `-r` for a text.",
        ),
        optional(
            "",
            "Path of a requirements file, installed into a virtual environment of this step.",
        ),
        optional(
            "",
            "Command for bash that runs when the notebook failed, to show what a report needs; how it ends changes nothing.",
        ),
        optional(
            "3.12",
            "Version of Python, set up by `actions/setup-python`; empty for the `python3` of the runner.",
        ),
    ];
    let names = RUN_NOTEBOOK.map(|(name, _)| name.to_owned());
    let options = RUN_NOTEBOOK
        .into_iter()
        .filter_map(|(name, option)| Some((option?.to_owned(), name.to_owned())));
    let mut steps = String::new();
    let lines = |steps: &mut String, lines: &[(usize, &str)]| {
        for (indent, content) in lines {
            line(steps, *indent, content);
        }
    };
    lines(
        &mut steps,
        &[
            (4, "- name: Set up Python"),
            (6, "if: inputs.python-version != ''"),
            (6, &format!("uses: {SETUP_PYTHON}")),
            (6, "with:"),
            (8, "python-version: ${{ inputs.python-version }}"),
        ],
    );
    let stage = Stage::RunMnistNotebookJob.name();
    let words = format!("{stage} --run-on=runner --papermill --timeout=6h");
    steps += &run("run", &words, options.collect()).yaml();
    lines(
        &mut steps,
        &[
            (8, "INPUT_CELL_TIMEOUT: ${{ inputs.timeout }}s"),
            (4, "- name: Show what failed"),
            (
                6,
                "if: ${{ !cancelled() && steps.run.outcome == 'failure' && inputs.on-failure != '' }}",
            ),
            (6, "continue-on-error: true"),
            (6, "shell: bash"),
            (6, ON_FAILURE),
            (6, "env:"),
            (8, "ON_FAILURE: ${{ inputs.on-failure }}"),
        ],
    );
    let mut outputs: Vec<(String, Output)> = Stage::RunMnistNotebookJob
        .outputs()
        .iter()
        .map(|(name, what)| ((*name).to_owned(), output("run", name, what)))
        .collect();
    let failure = "The cause in one line; empty when the notebook passed";
    outputs.push(("failure".to_owned(), output("run", "failure", failure)));
    Action {
        path: "actions/run-notebook/action.yml".to_owned(),
        head: "# The inputs and defaults of kubeflow/testing's own run-notebook, on this machine. docs/actions.md says what differs.\n",
        title: "Run notebook",
        icon: "book-open",
        description: "A notebook on this machine, cell by cell, by the inputs of kubeflow/testing."
            .to_owned(),
        inputs: with_binary(names.into_iter().zip(inputs).collect()),
        outputs,
        steps,
    }
}

/// The option that an input of an action becomes: none where it becomes none.
pub(in super::super) fn option_of(folder: &str, input: &str) -> Option<String> {
    let translations: &[(&str, Option<&str>)] = match folder {
        "actions/create-cluster" => &CREATE_CLUSTER,
        "actions/run-notebook" => &RUN_NOTEBOOK,
        _ => &[],
    };
    let translated = translations.iter().find(|(theirs, _)| *theirs == input);
    translated.map_or(Some(input.to_owned()), |(_, ours)| ours.map(str::to_owned))
}
