//! The options of `diagnose`, as typed.

use std::path::PathBuf;

use clap::Args;

use crate::cli::LogLevel;

/// Options of `diagnose`.
#[derive(Debug, Args)]
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
