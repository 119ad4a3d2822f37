//! The options of `status`, as typed.

use std::path::PathBuf;

use clap::Args;

use crate::{cli::LogLevel, limits::Limit, ready::ReadyWhen};

/// Options of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Files, directories or bundles of gather-logs; with a kubeconfig also what kustomize builds
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Kubeconfig of a cluster: the objects are looked at there, as they are now [default: none, they are taken as they are
    /// in the files]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Look at the cluster until everything is ready, or the time is over
    #[arg(long, requires = "kubeconfig")]
    pub watch: bool,
    /// Print a list of `object`, `state` and `why` in JSON in place of a table
    #[arg(long)]
    pub json: bool,
    /// When objects of a kind are ready, one kind a line, as for deploy-manifests [default: what we know of each kind]
    #[arg(long, value_name = "LINES")]
    pub ready_when: Option<ReadyWhen>,
    /// Limit for a look at a cluster, such as `45m` or `1h 30m`
    #[arg(long, default_value = "10m")]
    pub timeout: Limit,
    /// How much to say
    #[arg(long, value_enum, default_value_t = LogLevel::Warn)]
    pub log: LogLevel,
}
