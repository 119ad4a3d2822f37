//! The inputs of each stage, as typed.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::{
    StageArgs,
    choices::{
        Arch, Layout, Market, Order, Pods, ProviderKind, Prune, PublicIp, ReapProvider, Scope,
    },
};
use crate::{
    inputs::{Lines, List, Pairs},
    limits::Limit,
    ready::ReadyWhen,
    stages::Stage,
};

impl StageArgs for ProvisionArgs {
    const STAGE: Stage = Stage::ProvisionEc2;
    const LIMIT: &'static str = "10m";
}

impl StageArgs for InstallArgs {
    const STAGE: Stage = Stage::InstallKind;
    const LIMIT: &'static str = "15m";
}

impl StageArgs for DeployArgs {
    const STAGE: Stage = Stage::DeployManifests;
    const LIMIT: &'static str = "45m";
}

impl StageArgs for GatherArgs {
    const STAGE: Stage = Stage::GatherLogs;
    const LIMIT: &'static str = "5m";
}

impl StageArgs for TeardownArgs {
    const STAGE: Stage = Stage::Teardown;
    const LIMIT: &'static str = "10m";
}

impl StageArgs for ExtendArgs {
    const STAGE: Stage = Stage::Extend;
    const LIMIT: &'static str = "2m";
}

impl StageArgs for ReapArgs {
    const STAGE: Stage = Stage::Reap;
    const LIMIT: &'static str = "20m";
}

/// Inputs of `provision-ec2`.
#[derive(Clone, Debug, Args)]
pub struct ProvisionArgs {
    /// Where the host comes from [default: ec2; local for `run`]
    #[arg(long, value_enum)]
    pub provider: Option<ProviderKind>,
    /// AWS region [default: `$AWS_REGION`, else `us-east-1`]
    #[arg(long)]
    pub region: Option<String>,
    /// Instance types to try in order of preference, separated by commas or line ends [default: types with 8 vCPU and 32 GiB]
    #[arg(long, value_name = "LIST")]
    pub instance_types: Option<List>,
    /// Availability zones to try, separated by commas or line ends [default: all of the region that have the type]
    #[arg(long, value_name = "LIST")]
    pub availability_zones: Option<List>,
    /// Subnets to launch into, separated by commas or line ends [default: those of the default VPC]
    #[arg(long, value_name = "LIST")]
    pub subnet_ids: Option<List>,
    /// Whether the host gets a public IPv4 address
    #[arg(long, value_enum, default_value_t)]
    pub public_ip: PublicIp,
    /// Security group to use [default: one made for this job, with port 22 open to `ssh-cidr` alone]
    #[arg(long, value_name = "ID")]
    pub security_group_id: Option<String>,
    /// Role that is assumed with the workflow's OIDC token, and again before the session ends and for the teardown; needs
    /// `id-token: write` and no other credentials
    #[arg(long, value_name = "ARN")]
    pub role_arn: Option<String>,
    /// Who may reach port 22, such as `203.0.113.7/32` [default: this runner's address]
    #[arg(long, value_name = "CIDR")]
    pub ssh_cidr: Option<String>,
    /// What kind of capacity to buy
    #[arg(long, value_enum, default_value_t)]
    pub market: Market,
    /// How often all types, zones and markets are tried, with a growing random pause between, before there is no
    /// capacity
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=20))]
    pub capacity_rounds: u8,
    /// Ubuntu release; Canonical's newest image of it is used
    #[arg(long, default_value = "24.04", value_name = "RELEASE")]
    pub ubuntu: String,
    /// Processor architecture of the host
    #[arg(long, value_enum, default_value_t)]
    pub arch: Arch,
    /// Image to launch instead of the newest Ubuntu; it has cloud-init and systemd, and Docker or apt-get
    #[arg(long, value_name = "ID")]
    pub ami: Option<String>,
    /// Size of the encrypted root volume in GiB
    #[arg(long, default_value_t = 80, value_name = "GIB", value_parser = clap::value_parser!(i32).range(8..=16384))]
    pub disk_gib: i32,
    /// The host terminates itself after this time, whatever happens to this workflow; for provider `local`: `reap` may
    /// remove the cluster after it
    #[arg(long, default_value_t = Limit::secs(3 * 3600))]
    pub ttl: Limit,
    /// Further tags for everything that is created, `key=value`, one a line
    #[arg(long, value_name = "PAIRS")]
    pub tags: Option<Pairs>,
    /// Public keys that may log in too, one a line as in a `.pub` file, to look at a host that was kept
    #[arg(long, value_name = "LINES")]
    pub ssh_public_keys: Option<Lines>,
    /// For provider `ssh`: the host, `user@address` or `user@address:port`
    #[arg(long, value_name = "USER@ADDRESS")]
    pub host: Option<String>,
    /// For provider `ssh`: the host's public key, as in a `.pub` file, but no RSA key [default: the one in `~/.ssh/known_hosts`]
    #[arg(long, value_name = "KEY")]
    pub host_key: Option<String>,
    /// For provider `ssh`: path of the file with the private key, but no RSA key [default: the agent, then `~/.ssh/id_ed25519`]
    #[arg(long, value_name = "FILE")]
    pub private_key: Option<PathBuf>,
}

impl ProvisionArgs {
    /// Where a teardown of what these launch looks.
    pub fn whereabouts(&self) -> Whereabouts {
        Whereabouts {
            provider: self.provider,
            region: self.region.clone(),
            role_arn: self.role_arn.clone(),
        }
    }
}

/// Inputs of `install-kind`.
#[derive(Clone, Debug, Args)]
pub struct InstallArgs {
    /// Name of the cluster
    #[arg(long, default_value = "kind", value_name = "NAME")]
    pub cluster: String,
    /// The cluster gets that name as it is, on a machine that others use too: no second job there can have it
    #[arg(long, hide = true)]
    pub exact_name: bool,
    /// Version of kind: one of `kind/versions.json`, or the one in `tools-dir` [default: `v0.33.0`]
    #[arg(long, value_name = "VERSION")]
    pub kind_version: Option<String>,
    /// Kubernetes version, such as `1.35` or `v1.35.4`; picks the node image from `kind/versions.json` [default: `v1.35.8`]
    #[arg(long, value_name = "VERSION")]
    pub kubernetes_version: Option<String>,
    /// Node image to use instead of the one for `kubernetes-version`
    #[arg(long, value_name = "IMAGE")]
    pub node_image: Option<String>,
    /// Worker nodes beside the control plane; 0 is one node that does both
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=16))]
    pub workers: u8,
    /// Path of a KinD configuration to use instead of the one that comes with us
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Registry mirrors, one a line: `docker.io=https://mirror.gcr.io`, or a bare URL for all registries
    #[arg(long, value_name = "LINES")]
    pub registry_mirrors: Option<Lines>,
    /// Directory on the runner with kind and kustomize, for hosts that reach no download [default: they are found or
    /// fetched, and verified]
    #[arg(long, value_name = "DIR")]
    pub tools_dir: Option<PathBuf>,
}

/// Inputs of `deploy-manifests`.
#[derive(Clone, Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub struct DeployArgs {
    /// Kustomize directories, files or URLs, one a line
    #[arg(long, value_name = "LINES")]
    pub manifests: Option<Lines>,
    /// Order of the objects
    #[arg(long, value_enum, default_value_t)]
    pub order: Order,
    /// Wait until everything is ready; `false` ends once each object is accepted
    #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub wait: bool,
    /// When objects of a kind are ready, one kind a line, in the syntax of `kubectl wait --for`:
    /// `kafkas.kafka.strimzi.io condition=Ready`, `workflows.argoproj.io jsonpath={.status.phase}=Succeeded fail
    /// jsonpath={.status.phase}=Failed` or `things.example.org accepted` [default: what we know of each kind]
    #[arg(long, value_name = "LINES")]
    pub ready_when: Option<ReadyWhen>,
    /// Pods that are waited for
    #[arg(long, value_enum, default_value_t)]
    pub pods: Pods,
    /// Images to use in place of others, `old=new`, one a line
    #[arg(long, value_name = "PAIRS")]
    pub image_overrides: Option<Pairs>,
    /// Show what would change, as the server sees it, and end; nothing is written
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub dry_run: bool,
    /// Delete and create again what the server does not change in place, such as a Job whose template is another; never
    /// Namespaces, `CustomResourceDefinitions` and volumes
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub recreate: bool,
    /// Delete what an earlier deploy of the same `inventory` sent and the manifests no longer have
    #[arg(long, value_enum, default_value_t, num_args = 0..=1, default_missing_value = "true")]
    pub prune: Prune,
    /// Under which name the cluster keeps what was sent; sets that are deployed side by side and pruned have one each
    #[arg(long, default_value = "default", value_name = "NAME", value_parser = inventory_name)]
    pub inventory: String,
    /// Report everything that would go wrong (kinds, duplicates, Services of webhooks, room, images), and end; nothing is
    /// written
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub lint_only: bool,
    /// File to draw the dependency graph into: `graph.svg` for people, `graph.dot` for Graphviz [default: none]
    #[arg(long, value_name = "FILE")]
    pub graph: Option<PathBuf>,
}

/// It becomes a label and a part of names.
fn inventory_name(text: &str) -> Result<String, String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty()
        || text.len() > 40
        || !text.chars().all(is_name)
        || text.starts_with('-')
        || text.ends_with('-')
    {
        return Err("a name is made of at most 40 of a-z, 0-9 and -".to_owned());
    }
    Ok(text.to_owned())
}

/// Inputs of `gather-logs`.
#[derive(Clone, Debug, Args)]
pub struct GatherArgs {
    /// Name of the bundle, and so of its artifact [default: made of the run and the job]
    #[arg(long)]
    pub name: Option<String>,
    /// Directory for the bundle and the report [default: one in the directory of this job's state]
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Days for which the artifacts are kept, 1 to 90
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u8).range(1..=90))]
    pub retention_days: u8,
    /// Earlier run to report against: which images, restarts and times changed since. `last-passed` is the last run of this
    /// job that passed, in the bucket of `s3-uri` with `layout: prow` or `kubeflow`; else the path of a bundle [default: none]
    #[arg(long, value_name = "ZIP|last-passed")]
    pub compare_with: Option<PathBuf>,
}

/// Where results go beside the runner: inputs of `provision-ec2`, which says there that the job has begun, and of `gather-logs`.
#[derive(Clone, Debug, Args)]
pub struct ResultsArgs {
    /// Where to put the results in S3 too, such as `s3://bucket/prefix` [default: nowhere]
    #[arg(long, value_name = "URI")]
    pub s3_uri: Option<String>,
    /// Where below `s3-uri` they lie
    #[arg(long, value_enum, default_value_t)]
    pub layout: Layout,
    /// Name of this job in the layouts of Prow, the same in each run [default: made of repository, job and matrix]
    #[arg(long, value_name = "NAME")]
    pub prow_job: Option<String>,
}

/// The arguments of a stage that has results, or announces them.
#[derive(Clone, Debug, Args)]
pub struct WithResults<A: Args> {
    /// The stage's own.
    #[command(flatten)]
    pub args: A,
    /// Where its results go.
    #[command(flatten)]
    pub results: ResultsArgs,
}

impl<A: StageArgs> StageArgs for WithResults<A> {
    const STAGE: Stage = A::STAGE;
    const LIMIT: &'static str = A::LIMIT;
}

/// Inputs of `teardown`.
#[derive(Clone, Debug, Default, Args)]
pub struct TeardownArgs {
    /// What to remove
    #[arg(long, value_enum, default_value_t)]
    pub scope: Scope,
    /// Run whose remains are removed [default: this one]
    #[arg(long, value_name = "ID")]
    pub run_id: Option<String>,
    /// Time for which the EC2 instance of a failed job is kept, such as `30m`, at most until its `ttl` [default: none]
    #[arg(long, value_name = "SPAN")]
    pub keep_on_failure: Option<Limit>,
    /// Where to look.
    #[command(flatten)]
    pub whereabouts: Whereabouts,
}

/// Inputs of `extend`.
#[derive(Clone, Debug, Args)]
pub struct ExtendArgs {
    /// From now on the host lives this long, at most 24 hours from its launch
    #[arg(long, default_value_t = Limit::secs(3600))]
    pub ttl: Limit,
}

/// Inputs of `reap`.
#[derive(Clone, Debug, Args)]
pub struct ReapArgs {
    /// Only report what would be done; `false` marks and ends
    #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub dry_run: bool,
    /// Where to look
    #[arg(long, value_enum, default_value_t)]
    pub provider: ReapProvider,
    /// AWS regions to look in, separated by commas or line ends [default: every one that the account has]
    #[arg(long, value_name = "LIST")]
    pub regions: Option<List>,
    /// Whose remains: `owner/name`, `owner/*`, or `*` for all and those of laptops [default: this repository's]
    #[arg(long, value_name = "LIST")]
    pub repositories: Option<List>,
    /// Role that is assumed with the workflow's OIDC token; needs `id-token: write` and no other credentials
    #[arg(long, value_name = "ARN")]
    pub role_arn: Option<String>,
    /// What an earlier pass has marked, and is still left behind, is ended once the mark is this old
    #[arg(long, default_value_t = Limit::secs(600))]
    pub grace: Limit,
}

/// Where a teardown without a record looks; in a chain the record and `provision-ec2`'s inputs tell.
#[derive(Clone, Debug, Default, Args)]
pub struct Whereabouts {
    /// Where the host came from, for a job that has not made it itself [default: as recorded, else `ec2`]
    #[arg(long, value_enum)]
    pub provider: Option<ProviderKind>,
    /// AWS region to look in [default: as recorded, else every region of the account]
    #[arg(long)]
    pub region: Option<String>,
    /// Role that is assumed with the workflow's OIDC token, for a job that has not launched the host itself; needs
    /// `id-token: write` [default: as recorded]
    #[arg(long, value_name = "ARN")]
    pub role_arn: Option<String>,
}
