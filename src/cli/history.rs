//! The options of `history`, as typed.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::Args;

use crate::{cli::LogLevel, limits::Limit};

/// Options of `history`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  manifests-e2e history s3://my-e2e-logs/runs                        all jobs, as a table
  manifests-e2e history s3://my-e2e-logs/runs --job o-r-e2e --json   one job, for programs
  manifests-e2e history s3://my-e2e-logs/runs --publish              a page beside the builds of each job

Without AWS credentials the bucket is asked as anybody may. docs/bucket.md says what counts as passed, failed and flaked.
Exit 0: told, whatever the builds came to; 2: there is no such source, or no build in it; 3: the bucket refuses, or a file
cannot be written.")]
pub struct HistoryArgs {
    /// `s3://bucket/prefix` that gather-logs writes to with `layout: prow` or `kubeflow`, or a directory that holds the same
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// A job to read, by its name in the bucket; may be given more than once [default: all]
    #[arg(long, value_name = "NAME")]
    pub job: Vec<String>,
    /// How many builds of a job to read, the newest
    #[arg(long, value_name = "N", default_value = "100")]
    pub builds: NonZeroUsize,
    /// Print JSON in place of tables
    #[arg(long)]
    pub json: bool,
    /// Write `history.json` and the page `history.html` into this directory [default: none]
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Put `history.json` and `history.html` beside the builds of each job, into the bucket that they are read from
    #[arg(long)]
    pub publish: bool,
    /// Role that is assumed with the workflow's OIDC token; needs `id-token: write` and no other credentials
    #[arg(long, value_name = "ARN")]
    pub role_arn: Option<String>,
    /// Limit for all of it, such as `10m` or `1h 30m`
    #[arg(long, default_value = "10m")]
    pub timeout: Limit,
    /// How much to say
    #[arg(long, value_enum, default_value_t = LogLevel::Warn)]
    pub log: LogLevel,
}
