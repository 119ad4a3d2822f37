//! The command line as typed. Each option is an input of the action of the same name and `INPUT_*` in the environment.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{limits::Limit, stages::Stage};

mod args;
mod choices;
mod commands;
mod convert;
mod diagnose;
mod doctor;
mod history;
mod iam;
mod notebook;
mod plan;
mod publish;
mod status;

pub use args::{
    DeployArgs, ExtendArgs, GatherArgs, InstallArgs, ProvisionArgs, ReapArgs, ResultsArgs,
    TeardownArgs, Whereabouts, WithResults,
};
pub use choices::{
    Arch, Layout, Market, Order, Pods, ProviderKind, Prune, PublicIp, ReapProvider, Scope,
};
pub use commands::CommandsArgs;
pub use convert::{ConvertArgs, Target};
pub use diagnose::DiagnoseArgs;
pub use doctor::DoctorArgs;
pub use history::HistoryArgs;
pub use iam::{Action, Component, IamArgs, Role};
pub use notebook::{NotebookArgs, RunOn, TheirNotebook};
pub use plan::{Empty, PlanArgs};
pub use publish::PublishArgs;
pub use status::StatusArgs;

/// Proves a tree of Kubernetes manifests on a throw-away cluster, and leaves nothing behind.
///
/// The stages run in this order, each as a process of its own (a step of a workflow) or all at once with `run`.
/// Each option can also be given as an environment variable: --instance-types as `INPUT_INSTANCE_TYPES`.
///
/// Exit codes: 0 passed, 1 the test failed, 2 bad input, 3 infrastructure, 4 something is left, 124 time limit,
/// 130 cancelled, 101 a bug.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Launch a host and return once SSH answers: an EC2 instance, a host you have, or this machine
    ProvisionEc2(Staged<WithResults<ProvisionArgs>>),
    /// Install Docker and KinD on the host and create a cluster that is really ready
    InstallKind(Staged<InstallArgs>),
    /// Build the manifests once, apply each object once in order, wait until everything is ready
    DeployManifests(Staged<WithKubeconfig<DeployArgs>>),
    /// Run a notebook or a script, as a Job or on this machine, and bring its results back
    RunMnistNotebookJob(Staged<WithKubeconfig<NotebookArgs>>),
    /// Collect objects, events and logs in a bundle with a report; it never changes the verdict
    GatherLogs(Staged<WithKubeconfig<WithResults<GatherArgs>>>),
    /// Remove everything of this run, found by its tags, and prove that it is gone
    Teardown(Staged<TeardownArgs>),
    /// Let this job's EC2 instance live longer
    Extend(Staged<ExtendArgs>),
    /// Find what was left behind in an AWS account, mark it, and end it on a later pass
    Reap(Staged<ReapArgs>),
    /// Try or look at what the chain needs, without making anything
    Doctor(Box<Staged<DoctorArgs>>),
    /// Tell which jobs an event asks for, by the files it changes and a `prow_config.yaml`
    Plan(Box<Staged<PlanArgs>>),
    /// Tell GitHub how this job ended: status of the commit, check run, comment on the pull request; it never changes the verdict
    Publish(Box<Staged<PublishArgs>>),
    /// Tell what a comment on a pull request asks for (`/test`, `/retest`, `/ok-to-test`, `/hold`), if its author may
    Commands(Staged<CommandsArgs>),
    /// Print what AWS has to allow: least-privilege policies for actions, people and workflows
    IamPolicy(Box<IamArgs>),
    /// Tell of each object whether it is ready: of files, directories and bundles as they are, or as a cluster has them
    Status(Box<StatusArgs>),
    /// Find the causes of what is broken in files, directories and bundles, the most likely first; no cluster is asked
    Diagnose(DiagnoseArgs),
    /// Write a bundle in the layout that another tool reads; no cluster is asked
    Convert(ConvertArgs),
    /// Tell how builds went over time: pass rate, flakes, since when a test fails, of what gather-logs put into a bucket
    History(HistoryArgs),
    /// Run the whole chain; logs are gathered and the host is torn down whatever happens
    Run(Box<RunArgs>),
    /// Keep a port of this machine forwarded to the host's API server (started by install-kind)
    #[command(hide = true)]
    Tunnel(TunnelArgs),
    /// Run a program and end all that it started, when it ends or when nobody holds our standard input any more (started by
    /// run-mnist-notebook-job)
    #[command(hide = true)]
    Hold(HoldArgs),
}

/// How much to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Only what went wrong.
    Warn,
    /// Progress.
    #[default]
    Info,
    /// Every request and decision.
    Debug,
}

/// The arguments of a stage, which has a time limit.
pub trait StageArgs: Args {
    /// Whose arguments they are.
    const STAGE: Stage;
    /// Its default limit, as a user would write it.
    const LIMIT: &'static str;
}

/// The arguments of one stage with what all stages have.
#[derive(Debug, Args)]
pub struct Staged<A: StageArgs> {
    // Not `default_value_t`: clap keeps that in a static, which all instances of a generic share.
    /// Limit for the whole stage, such as `45m` or `1h 30m`
    #[arg(long, default_value = A::LIMIT)]
    pub timeout: Limit,
    /// How much to say
    #[arg(long, value_enum, default_value_t)]
    pub log: LogLevel,
    /// Name of this job, unique within its run; another job of the run that gives the same name finds this job's host; it
    /// has to be given to the first step [default: none]
    #[arg(long, value_name = "NAME")]
    pub job_key: Option<String>,
    /// The stage's own.
    #[command(flatten)]
    pub args: A,
}

/// The arguments of a stage that needs a cluster and nothing else.
#[derive(Debug, Args)]
pub struct WithKubeconfig<A: Args> {
    /// Kubeconfig of the cluster [default: `$KUBECONFIG`, else the cluster that install-kind made in this job]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The stage's own.
    #[command(flatten)]
    pub args: A,
}

impl<A: StageArgs> StageArgs for WithKubeconfig<A> {
    const STAGE: Stage = A::STAGE;
    const LIMIT: &'static str = A::LIMIT;
}

/// How far `run` goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Until {
    /// Up to the test; `gather-logs` and `teardown` are left to commands of their own
    Test,
    /// The whole chain
    #[default]
    Teardown,
}

/// Inputs of `run`: those of every stage.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// File with inputs (YAML), names as the options; what is typed or set in the environment wins
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Last stage to carry out
    #[arg(long, value_enum, default_value_t)]
    pub until: Until,
    /// Limit for all stages up to the test together, such as `45m` or `1h 30m`; `gather-logs` and `teardown` have limits
    /// of their own
    #[arg(long, default_value = Self::LIMIT)]
    pub timeout: Limit,
    /// How much to say
    #[arg(long, value_enum, default_value_t)]
    pub log: LogLevel,
    /// Name of this job, unique within its run; another job of the run that gives the same name finds this job's host; it
    /// has to be given to the first step [default: none]
    #[arg(long, value_name = "NAME")]
    pub job_key: Option<String>,
    /// Limit for provision-ec2
    #[arg(long, default_value = ProvisionArgs::LIMIT, value_name = "LIMIT")]
    pub provision_timeout: Limit,
    /// Limit for install-kind
    #[arg(long, default_value = InstallArgs::LIMIT, value_name = "LIMIT")]
    pub install_timeout: Limit,
    /// Limit for deploy-manifests
    #[arg(long, default_value = DeployArgs::LIMIT, value_name = "LIMIT")]
    pub deploy_timeout: Limit,
    /// Limit for run-mnist-notebook-job
    #[arg(long, default_value = NotebookArgs::LIMIT, value_name = "LIMIT")]
    pub test_timeout: Limit,
    /// Limit for gather-logs
    #[arg(long, default_value = GatherArgs::LIMIT, value_name = "LIMIT")]
    pub gather_timeout: Limit,
    /// Limit for teardown
    #[arg(long, default_value = TeardownArgs::LIMIT, value_name = "LIMIT")]
    pub teardown_timeout: Limit,
    /// provision-ec2's own.
    #[command(flatten)]
    pub provision: ProvisionArgs,
    /// install-kind's own.
    #[command(flatten)]
    pub install: InstallArgs,
    /// deploy-manifests' own.
    #[command(flatten)]
    pub deploy: DeployArgs,
    /// run-mnist-notebook-job's own.
    #[command(flatten)]
    pub notebook: NotebookArgs,
    /// gather-logs' own.
    #[command(flatten)]
    pub gather: GatherArgs,
    /// Where the results go.
    #[command(flatten)]
    pub results: ResultsArgs,
    /// Time for which the EC2 instance of a failed job is kept, such as `30m`, at most until its `ttl` [default: none]
    #[arg(long, value_name = "SPAN")]
    pub keep_on_failure: Option<Limit>,
}

impl RunArgs {
    /// The default of `timeout`: what the stages up to the test may take by default, one after another.
    pub const LIMIT: &'static str = "1h 30m";

    /// What the whole chain may take.
    pub fn whole(&self) -> Duration {
        let limits = [
            self.provision_timeout,
            self.install_timeout,
            self.deploy_timeout,
            self.test_timeout,
        ];
        let stages: Duration = limits.into_iter().map(Limit::duration).sum();
        let ending = self.gather_timeout.duration() + self.teardown_timeout.duration();
        stages.min(self.timeout.duration()) + ending
    }
}

/// What a run of stages in processes of their own may take, the first with this limit, the others with their default.
pub fn usual_run(first: Limit) -> Duration {
    let limits = [
        InstallArgs::LIMIT,
        DeployArgs::LIMIT,
        NotebookArgs::LIMIT,
        GatherArgs::LIMIT,
        TeardownArgs::LIMIT,
    ];
    let limits = limits.into_iter().map(default_limit);
    first.duration() + limits.sum::<Duration>()
}

fn default_limit(text: &str) -> Duration {
    let limit: Limit = text.parse().expect("a test reads each default");
    limit.duration()
}

/// Arguments of the detached tunnel.
#[derive(Debug, Args)]
pub struct TunnelArgs {
    /// State directory of the job, whose record says where to.
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
}

/// Arguments of the process that holds a test of this machine.
#[derive(Debug, Args)]
pub struct HoldArgs {
    /// How many milliseconds what is asked to end has for it.
    #[arg(long, value_name = "MILLISECONDS")]
    pub grace: u64,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    pub program: Vec<OsString>,
}

#[cfg(test)]
mod tests;
