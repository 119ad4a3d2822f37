//! The inputs of `doctor`, as typed.

use std::path::PathBuf;

use clap::Args;

use super::{ProvisionArgs, StageArgs};
use crate::{limits::Limit, stages::Stage};

impl StageArgs for DoctorArgs {
    const STAGE: Stage = Stage::Doctor;
    const LIMIT: &'static str = "3m";
}

/// Inputs of `doctor`: those of `provision-ec2`, and what else decides whether a run can succeed.
#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    /// How long a run may take; the credentials have to last for it
    #[arg(long, default_value = "1h 45m", value_name = "SPAN")]
    pub budget: Limit,
    /// Where gather-logs would put the bundle in S3, such as `s3://bucket/prefix`
    #[arg(long, value_name = "URI")]
    pub s3_uri: Option<String>,
    /// Directory with kind and kustomize to use instead of a download
    #[arg(long, value_name = "DIR")]
    pub tools_dir: Option<PathBuf>,
    /// provision-ec2's own.
    #[command(flatten)]
    pub provision: ProvisionArgs,
}
