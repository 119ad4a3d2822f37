//! The options of `diagnose`, as typed.

use std::path::PathBuf;

use clap::Args;

use crate::cli::LogLevel;

/// Options of `diagnose`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  manifests-e2e diagnose logs.zip                    a bundle of gather-logs
  kubectl get all,events,pvc -A -o yaml > c.yaml; manifests-e2e diagnose c.yaml
  kubectl cluster-info dump -A --output-directory=d; manifests-e2e diagnose d --json

The first cause is where to begin; what is indented below it are its symptoms. docs/causes.md has a section per cause.
Events and logs tell most: a dump without them has fewer causes to tell.
Exit 0: nothing is wrong; 1: something is; 2: a path cannot be read.")]
pub struct DiagnoseArgs {
    /// Files of YAML or JSON, directories, or archives: a bundle of gather-logs, crust-gather, must-gather,
    /// `kubectl cluster-info dump`, a support bundle of troubleshoot.sh
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Print the causes in JSON in place of text
    #[arg(long)]
    pub json: bool,
    /// How much to say
    #[arg(long, value_enum, default_value_t = LogLevel::Warn)]
    pub log: LogLevel,
}
