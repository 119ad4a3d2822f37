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

/// `create-cluster`, as kubeflow/testing has it: names, defaults, `KUBECONFIG` in every later step.
pub(super) fn create_cluster() -> Action {
    let required = |description: &str| Input {
        default: String::new(),
        required: true,
        description: description.to_owned(),
    };
    let optional = |default: &str, description: &str| Input {
        default: default.to_owned(),
        required: false,
        description: description.to_owned(),
    };
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
    let run = |id, words, inputs| Run {
        id,
        condition: None,
        script: "../run.sh",
        words,
        own_cluster: false,
        may_fail: false,
        inputs,
        status: JOB_STATUS,
    };
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
