//! The inputs of `run-mnist-notebook-job`, as typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::StageArgs;
use crate::{
    inputs::{Lines, Pairs},
    limits::Limit,
    notebook::{forward::Forwards, job::PodPatch},
    stages::Stage,
};

impl StageArgs for NotebookArgs {
    const STAGE: Stage = Stage::RunMnistNotebookJob;
    const LIMIT: &'static str = "20m";
}

/// Where a test runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RunOn {
    /// In a pod of the cluster
    #[default]
    Job,
    /// On this machine, outside the cluster
    Runner,
}

/// Inputs of `run-mnist-notebook-job`.
#[derive(Clone, Debug, Args)]
pub struct NotebookArgs {
    /// Path of the notebook to run [default: where the cluster serves one of Kubeflow's APIs a test of its components, else a
    /// small digit classifier]
    #[arg(long, value_name = "FILE")]
    pub notebook: Option<PathBuf>,
    /// Path of a Python or shell file to run instead of a notebook
    #[arg(long, value_name = "FILE", conflicts_with = "notebook")]
    pub script: Option<PathBuf>,
    /// Where it runs
    #[arg(long, value_enum, default_value_t)]
    pub run_on: RunOn,
    /// Namespace of the Job, created where it does not exist and kept for gather-logs; with `run-on: runner` that of what
    /// `forward` names
    #[arg(long, default_value = "kubeflow-user-example-com")]
    pub namespace: String,
    /// Image of the Job; for a notebook it needs Jupyter
    #[arg(long, default_value = "quay.io/jupyter/scipy-notebook:2025-12-31")]
    pub image: String,
    /// Service account of the Job [default: `default-editor` where it exists, else `default`]
    #[arg(long, value_name = "NAME")]
    pub service_account: Option<String>,
    /// Parameters of the notebook, or the environment of a script, `name=value`, one a line
    #[arg(long, value_name = "PAIRS")]
    pub parameters: Option<Pairs>,
    /// Time that a cell of the notebook may take, such as `5m`; it is interrupted, and the failure shows where it hung [default: none]
    #[arg(long, value_name = "SPAN", conflicts_with = "script")]
    pub cell_timeout: Option<Limit>,
    /// YAML that is merged into the Job's pod, as kubectl merges a patch: resources of the container `test`, tolerations, volumes
    #[arg(long, value_name = "YAML")]
    pub pod_patch: Option<PodPatch>,
    /// Python packages to install first, one a line, as in a requirements file; with `run-on: runner` into a virtual environment
    /// of this step alone
    #[arg(long, value_name = "LINES")]
    pub requirements: Option<Lines>,
    /// For `run-on: runner`: the Python to use, a name on `PATH` or a path; for a notebook it needs `nbclient` and `ipykernel`, which
    /// `requirements` may bring [default: `python3`]
    #[arg(long, value_name = "PYTHON")]
    pub python: Option<String>,
    /// For `run-on: runner`: ports of the cluster that the test reaches on 127.0.0.1, one a line in the words of `kubectl
    /// port-forward`, such as `svc/ml-pipeline-ui -n kubeflow 3000:80`; the test finds the port in `ML_PIPELINE_UI_PORT` [default: none]
    #[arg(long, value_name = "LINES")]
    pub forward: Option<Forwards>,
    /// What `run-notebook` has of its own.
    #[command(flatten)]
    pub theirs: TheirNotebook,
}

/// Inputs of kubeflow/testing's `run-notebook` that ours have no word for: options of its action, and of nobody else.
#[derive(Clone, Debug, Default, Args)]
pub struct TheirNotebook {
    /// The inputs are those of `run-notebook`
    #[arg(long, hide = true)]
    pub papermill: bool,
    /// Where the executed notebook goes
    #[arg(long, hide = true, value_name = "FILE")]
    pub papermill_output: Option<PathBuf>,
    /// Parameters, as papermill's options have them
    #[arg(long, hide = true, value_name = "WORDS")]
    pub papermill_parameters: Option<String>,
    /// A requirements file
    #[arg(long, hide = true, value_name = "FILE")]
    pub papermill_requirements: Option<PathBuf>,
}
