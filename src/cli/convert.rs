//! The options of `convert`, as typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::LogLevel;

/// A layout that other tools read.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Target {
    /// That of `oc adm must-gather`, which omc reads
    MustGather,
}

/// Options of `convert`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  manifests-e2e convert logs.zip --to must-gather
  omc use must-gather; omc get pods -A

Secrets are as the bundle has them: hidden. The bundle itself is crust-gather's layout and needs no conversion for that.
Exit 0: written; 2: a path cannot be read, or the directory is there already; 3: it cannot be written.")]
pub struct ConvertArgs {
    /// Bundles of gather-logs, directories, or files of YAML or JSON, as `diagnose` takes them
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The layout to write
    #[arg(long, value_enum)]
    pub to: Target,
    /// The directory to write; it must not be there yet
    #[arg(long, value_name = "DIR", default_value = "must-gather")]
    pub output: PathBuf,
    /// How much to say
    #[arg(long, value_enum, default_value_t = LogLevel::Warn)]
    pub log: LogLevel,
}
