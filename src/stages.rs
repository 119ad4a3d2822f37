//! One recipe per action, under the same name, and what every recipe is given.

use std::{io, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt as _;
use jiff::Timestamp;

use crate::{
    cancel::Cancel,
    cli::{self, Command},
    github::files::Files,
    inputs::Environment,
    limits::{Deadline, humane},
    record::{StageRecord, Store},
    report::{self, Exit, Failure, Leftover},
    run::Run,
};

pub mod deploy_manifests;
pub mod doctor;
pub mod extend;
pub mod gather_logs;
pub mod install_kind;
pub mod provision_ec2;
pub mod reap;
pub mod run;
pub mod run_mnist_notebook_job;
pub mod teardown;
#[cfg(test)]
mod tests;
mod visit;

/// The six stages of the chain and what stands beside it; each is an action, a subcommand and a file of this folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// `provision-ec2`
    ProvisionEc2,
    /// `install-kind`
    InstallKind,
    /// `deploy-manifests`
    DeployManifests,
    /// `run-mnist-notebook-job`
    RunMnistNotebookJob,
    /// `gather-logs`
    GatherLogs,
    /// `teardown`
    Teardown,
    /// `extend`, beside the chain
    Extend,
    /// `reap`, beside the chain
    Reap,
    /// `doctor`, before the chain
    Doctor,
}

impl Stage {
    /// All of them: those of the chain in its order, then the others.
    pub const ALL: [Self; 9] = [
        Self::ProvisionEc2,
        Self::InstallKind,
        Self::DeployManifests,
        Self::RunMnistNotebookJob,
        Self::GatherLogs,
        Self::Teardown,
        Self::Extend,
        Self::Reap,
        Self::Doctor,
    ];

    /// Whether it is one of the chain.
    pub const fn in_chain(self) -> bool {
        !matches!(self, Self::Extend | Self::Reap | Self::Doctor)
    }

    /// Whether it collects, ends or tells what there is: no full disk may keep it from that.
    const fn must_run(self) -> bool {
        matches!(
            self,
            Self::GatherLogs | Self::Teardown | Self::Reap | Self::Doctor
        )
    }

    /// The one name of action, subcommand and stage.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProvisionEc2 => "provision-ec2",
            Self::InstallKind => "install-kind",
            Self::DeployManifests => "deploy-manifests",
            Self::RunMnistNotebookJob => "run-mnist-notebook-job",
            Self::GatherLogs => "gather-logs",
            Self::Teardown => "teardown",
            Self::Extend => "extend",
            Self::Reap => "reap",
            Self::Doctor => "doctor",
        }
    }

    /// The outputs of its action, beside `failure`.
    pub const fn outputs(self) -> &'static [&'static str] {
        match self {
            Self::ProvisionEc2 => &[
                "instance-id",
                "public-ip",
                "region",
                "availability-zone",
                "instance-type",
                "market",
                "ami",
                "expires-at",
                "run-id",
            ],
            Self::InstallKind => &[
                "kubeconfig",
                "context",
                "kubernetes-version",
                "kind-version",
                "node-image",
            ],
            Self::DeployManifests => &["objects", "report", "diff"],
            Self::RunMnistNotebookJob => &["verdict", "junit", "executed-notebook"],
            Self::GatherLogs => &["bundle", "report", "cause", "s3-url"],
            Self::Teardown => &["terminated", "leftovers", "kept-until"],
            Self::Extend => &["expires-at"],
            Self::Reap => &["terminated", "leftovers"],
            Self::Doctor => &["missing", "warnings"],
        }
    }
}

/// What a stage is given beside its arguments.
#[derive(Debug)]
pub struct Context {
    /// The environment of the process.
    pub env: Environment,
    /// The record of this job and its state directory.
    pub store: Store,
    /// When the stage gives up.
    pub deadline: Deadline,
    /// Outputs and summary of the step.
    pub files: Files,
    /// Cancelled by the first signal. `main` drops the stage then; only `run` looks at it itself.
    pub cancelled: Cancel,
    /// Whether the stage has begun to write to its cluster. A stage sets it before its first write.
    pub writes: bool,
}

impl Context {
    /// Whose run this is.
    pub fn run(&self) -> &Run {
        self.store.run()
    }

    /// Whether the job was cancelled, as the action passes it.
    pub fn job_cancelled(&self) -> bool {
        self.cancelled.is_cancelled() || self.env.get("JOB_STATUS") == Some("cancelled")
    }

    /// Whether the job has failed, as the action passes it.
    pub fn job_failed(&self) -> bool {
        !self.job_cancelled() && self.env.get("JOB_STATUS") == Some("failure")
    }

    /// Sets an output of many lines at once, although the step may fail: that is when it is wanted.
    pub fn tell<T: AsRef<str>>(&self, name: &str, lines: impl IntoIterator<Item = T>) {
        let lines: Vec<T> = lines.into_iter().collect();
        let lines: Vec<&str> = lines.iter().map(AsRef::as_ref).collect();
        if let Err(error) = self.files.output(name, &lines.join("\n")) {
            tracing::warn!("cannot set the output `{name}`: {error}");
        }
    }

    /// Adds to the job summary; a stage does not fail for want of it.
    pub fn summarize(&self, markdown: &str) {
        if let Err(error) = self.files.summary(markdown) {
            tracing::warn!("cannot write the job summary: {error}");
        }
    }
}

/// The outputs of a stage by name; each is one of [`Stage::outputs`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs(pub Vec<(&'static str, String)>);

impl Outputs {
    /// Adds one.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// One by name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Grace beyond a stage's deadline, for its own wait to end first with the better message.
const GRACE: Duration = Duration::from_secs(3);

/// Carries out one stage as a process of its own and reports it: outputs, summary, annotation, record.
pub async fn one(command: Command, env: Environment, cancelled: Cancel) -> Exit {
    let Some(stage) = command.stage() else {
        let Command::Tunnel(args) = command else {
            unreachable!("`run` has its own recipe, and `iam-policy` needs none");
        };
        return crate::host::tunnel::serve(&args.state).await;
    };
    let opened = visit::allowed(stage, &env).and_then(|()| Ok(Store::open(&env)?));
    let store = match opened {
        Ok(store) => store,
        Err(failure) => {
            refuse(Some(stage), &failure, &env);
            return failure.exit;
        }
    };
    let mut context = Context {
        files: Files::new(&env),
        env,
        store,
        deadline: Deadline::after(command.timeout()),
        cancelled,
        writes: false,
    };
    let result = carry_out(stage, &mut context, async |context| match command {
        Command::ProvisionEc2(staged) => {
            let whole = cli::usual_run(staged.timeout);
            provision_ec2::run(&staged.args, whole, context).await
        }
        Command::InstallKind(staged) => install_kind::run(&staged.args, context).await,
        Command::DeployManifests(staged) => {
            deploy_manifests::run(
                &staged.args.args,
                staged.args.kubeconfig.as_deref(),
                context,
            )
            .await
        }
        Command::RunMnistNotebookJob(staged) => {
            run_mnist_notebook_job::run(
                &staged.args.args,
                staged.args.kubeconfig.as_deref(),
                context,
            )
            .await
        }
        Command::GatherLogs(staged) => {
            gather_logs::run(
                &staged.args.args,
                staged.args.kubeconfig.as_deref(),
                context,
            )
            .await
        }
        Command::Teardown(staged) => teardown::run(&staged.args, context).await,
        Command::Extend(staged) => extend::run(&staged.args, context).await,
        Command::Reap(staged) => reap::run(&staged.args, context).await,
        Command::Doctor(staged) => doctor::run(&staged.args, context).await,
        Command::Run(_) | Command::Tunnel(_) | Command::IamPolicy(_) => {
            unreachable!("these are no stages")
        }
    })
    .await;
    conclude(stage, &context, &result)
}

/// Runs a stage to its end, its deadline or a signal, and notes begin and end in the record.
///
/// # Errors
/// The stage's own [`Failure`]; [`Exit::TimeLimit`] when it overran its deadline; [`Exit::Cancelled`].
pub async fn carry_out<F>(stage: Stage, context: &mut Context, body: F) -> Result<Outputs, Failure>
where
    F: AsyncFnOnce(&mut Context) -> Result<Outputs, Failure>,
{
    let started = Timestamp::now();
    context.writes = false;
    let begun = context.store.update(|record| {
        record.stages.push(StageRecord {
            stage: stage.name().to_owned(),
            started,
            ended: None,
            exit: None,
            cause: String::new(),
        });
    });
    // A full disk must not keep anybody from collecting what there is, or from ending what costs.
    match begun {
        Err(error) if stage.must_run() => {
            tracing::warn!("{}", report::with_causes(&error));
        }
        begun => begun.map_err(|error| visit::leaving(stage, context, error.into()))?,
    }
    let cancelled = context.cancelled.clone();
    visit::before(stage, context).await;
    let (limit, last) = (context.deadline.limit(), context.deadline.instant() + GRACE);
    let result = tokio::select! {
        result = tokio::time::timeout_at(last, unwinding(Box::pin(body(&mut *context)))) => result.unwrap_or_else(|_| {
            Err(Failure::new(Exit::TimeLimit, format!("timed out after {}", humane(limit))))
        }),
        () = cancelled.cancelled() => {
            Err(Failure::new(Exit::Cancelled, "cancelled by a signal").leaving(Leftover::Tagged))
        }
    };
    let result = visit::after(stage, context, result)
        .await
        .map_err(|failure| visit::leaving(stage, context, failure));
    let (exit, cause) = match &result {
        Ok(_) => (Exit::Passed, String::new()),
        Err(failure) => (failure.exit, failure.line()),
    };
    let noted = context.store.update(|record| {
        if let Some(last) = record.stages.last_mut() {
            last.ended = Some(Timestamp::now());
            last.exit = Some(exit.code());
            last.cause = cause;
        }
    });
    // After that: a runner that cancels waits for some seconds only, and the record is to be whole by then.
    if stage == Stage::ProvisionEc2 && result.is_err() {
        provision_ec2::unwind(context).await;
    }
    match (result, noted) {
        (Ok(_), Err(error)) if !stage.must_run() => {
            Err(visit::leaving(stage, context, error.into()))
        }
        (result, Err(error)) => {
            tracing::warn!("{}", report::with_causes(&error));
            result
        }
        (result, Ok(())) => result,
    }
}

/// A bug of ours in one stage must not keep the next from ending what costs.
async fn unwinding<T>(body: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let caught = AssertUnwindSafe(body).catch_unwind().await;
    caught.unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        let cause = format!("a bug of ours: {}", said.unwrap_or("no more is known"));
        Err(Failure::new(Exit::Bug, cause).hint(concat!(
            "please report it, with the lines above, at ",
            env!("CARGO_PKG_REPOSITORY"),
            "/issues"
        )))
    })
}

/// Tells the runner and the reader how a stage ended.
pub fn conclude(stage: Stage, context: &Context, result: &Result<Outputs, Failure>) -> Exit {
    match result {
        Ok(outputs) => {
            let set = outputs.0.iter().try_for_each(|(name, value)| {
                debug_assert!(
                    stage.outputs().contains(name),
                    "{name} is no output of {}",
                    stage.name()
                );
                context.files.output(name, value)
            });
            if let Err(error) = set.and_then(|()| context.files.output("failure", "")) {
                // A later step would work on empty outputs: that is no pass.
                let mut failure = Failure::new(
                    Exit::Infrastructure,
                    format!("cannot set the outputs of this step: {error}"),
                );
                if error.kind() == io::ErrorKind::StorageFull {
                    failure = failure
                        .hint("the disk is full: free some space and run the same step again");
                }
                report::print(Some(stage), &failure, context.env.on_runner());
                return failure.exit;
            }
            tracing::info!(
                "{}: passed in {}",
                stage.name(),
                humane(context.deadline.elapsed())
            );
            Exit::Passed
        }
        Err(failure) => {
            refuse(Some(stage), failure, &context.env);
            failure.exit
        }
    }
}

/// Reports a failure: text, annotation, output `failure`, job summary.
pub fn refuse(stage: Option<Stage>, failure: &Failure, env: &Environment) {
    report::print(stage, failure, env.on_runner());
    let files = Files::new(env);
    let Some(stage) = stage.filter(|_| env.on_runner()) else {
        return;
    };
    let told = files
        .output("failure", &failure.line())
        .and_then(|()| files.summary(&report::markdown(stage, failure)));
    if let Err(error) = told {
        tracing::warn!("cannot tell the runner: {error}");
    }
}
