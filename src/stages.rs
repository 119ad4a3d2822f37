//! One recipe per action, under the same name, and what every recipe is given.

use std::{io, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt as _;
use jiff::Timestamp;

use crate::{
    cancel::Cancel,
    cli::{self, Command, LogLevel, StageArgs, Staged, WithResults},
    github::files::Files,
    host::tunnel,
    iam,
    inputs::Environment,
    limits::{Deadline, humane},
    progress,
    record::{StageRecord, Store},
    report::{self, Exit, Failure, Leftover},
};

pub mod commands;
mod context;
pub mod convert;
pub mod deploy_manifests;
pub mod diagnose;
pub mod doctor;
pub mod extend;
pub mod gather_logs;
pub mod history;
pub mod install_kind;
mod outputs;
pub mod plan;
pub mod provision_ec2;
pub mod publish;
pub mod reap;
pub mod run;
pub mod run_mnist_notebook_job;
mod shielded;
mod stage;
pub mod status;
pub mod teardown;
#[cfg(test)]
mod tests;
mod visit;

pub use context::Context;
pub use outputs::Outputs;
use outputs::own_first;
pub use stage::Stage;

/// Grace beyond a stage's deadline, for its own wait to end first with the better message.
const GRACE: Duration = Duration::from_secs(3);

/// Carries out the command of this process and reports how it ended.
pub async fn start(command: Command, env: Environment, cancelled: Cancel) -> Exit {
    let process = Process { env, cancelled };
    match command {
        Command::ProvisionEc2(staged) => {
            let whole = cli::usual_run(staged.timeout);
            process
                .carry_out(&staged, async |args, context| {
                    let WithResults { args, results } = args;
                    provision_ec2::run(args, results, whole, context).await
                })
                .await
        }
        Command::InstallKind(staged) => process.carry_out(&staged, install_kind::run).await,
        Command::DeployManifests(staged) => {
            process
                .carry_out(&staged, async |given, context| {
                    deploy_manifests::run(&given.args, given.kubeconfig.as_deref(), context).await
                })
                .await
        }
        Command::RunMnistNotebookJob(staged) => {
            process
                .carry_out(&staged, async |given, context| {
                    run_mnist_notebook_job::run(&given.args, given.kubeconfig.as_deref(), context)
                        .await
                })
                .await
        }
        Command::GatherLogs(staged) => {
            process
                .carry_out(&staged, async |given, context| {
                    let WithResults { args, results } = &given.args;
                    gather_logs::run(args, results, given.kubeconfig.as_deref(), context).await
                })
                .await
        }
        Command::Teardown(staged) => process.carry_out(&staged, teardown::run).await,
        Command::Extend(staged) => process.carry_out(&staged, extend::run).await,
        Command::Reap(staged) => process.carry_out(&staged, reap::run).await,
        Command::Doctor(staged) => process.carry_out(&staged, doctor::run).await,
        Command::Plan(staged) => process.carry_out(&staged, plan::run).await,
        Command::Publish(staged) => process.carry_out(&staged, publish::run).await,
        Command::Commands(staged) => process.carry_out(&staged, commands::run).await,
        Command::Run(args) => {
            progress::start(args.log, &process.env);
            run::run(*args, process.env, process.cancelled).await
        }
        Command::IamPolicy(args) => {
            progress::start(LogLevel::default(), &process.env);
            let policy = iam::print(&args, &process.env);
            let policy = policy.and_then(|text| text.ok_or_else(|| iam::nothing(&args)));
            report::document(policy, &process.env)
        }
        Command::Status(args) => {
            progress::start(args.log, &process.env);
            let answer = tokio::select! {
                answer = status::answer(&args, &process.env) => answer,
                () = process.cancelled.cancelled() => {
                    Err(Failure::new(Exit::Cancelled, "cancelled by a signal"))
                }
            };
            tell(answer, &process.env)
        }
        Command::Diagnose(args) => {
            progress::start(args.log, &process.env);
            tell(diagnose::answer(&args), &process.env)
        }
        Command::Convert(args) => {
            progress::start(args.log, &process.env);
            tell(convert::answer(&args), &process.env)
        }
        Command::History(args) => {
            progress::start(args.log, &process.env);
            let answer = tokio::select! {
                answer = history::answer(&args, &process.env) => answer,
                () = process.cancelled.cancelled() => {
                    Err(Failure::new(Exit::Cancelled, "cancelled by a signal"))
                }
            };
            tell(answer, &process.env)
        }
        Command::Tunnel(args) => {
            progress::start(LogLevel::default(), &process.env);
            tunnel::serve(&args.state).await
        }
        Command::Hold(_) => unreachable!("main has it: its exit code is that of a program"),
    }
}

/// An answer for machines.
fn json(answer: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(answer)
        .map_err(|error| Failure::new(Exit::Bug, format!("the answer cannot be written: {error}")))
}

/// Prints an answer, whose exit code is part of it.
fn tell(answer: Result<(String, Exit), Failure>, env: &Environment) -> Exit {
    match answer {
        Ok((text, exit)) => match report::document(Ok(text), env) {
            Exit::Passed => exit,
            failed => failed,
        },
        Err(failure) => report::document(Err(failure.leaving(Leftover::None)), env),
    }
}

/// A process that carries out one stage.
struct Process {
    env: Environment,
    cancelled: Cancel,
}

impl Process {
    /// Carries the stage of these arguments out and reports it: outputs, summary, annotation, record.
    async fn carry_out<A, F>(self, staged: &Staged<A>, recipe: F) -> Exit
    where
        A: StageArgs,
        F: AsyncFnOnce(&A, &mut Context) -> Result<Outputs, Failure>,
    {
        let Self { env, cancelled } = self;
        if let Some(shielded) = A::STAGE.shielded() {
            cancelled.only_ending_is_left(shielded);
        }
        progress::start(staged.log, &env);
        let opened = visit::allowed(A::STAGE, &env).and_then(|()| {
            let job_key = staged.job_key.as_deref();
            Ok(Store::open(&env, job_key)?)
        });
        let store = match opened {
            Ok(store) => store,
            Err(failure) => {
                refuse(Some(A::STAGE), &failure, &env);
                return failure.exit;
            }
        };
        keep_log(&store);
        let mut context = Context {
            files: Files::new(&env),
            env,
            store,
            job_key: staged.job_key.clone(),
            deadline: Deadline::after(staged.timeout),
            cancelled,
            writes: false,
        };
        let result = carry_out(A::STAGE, &mut context, async |context| {
            recipe(&staged.args, context).await
        })
        .await;
        conclude(A::STAGE, &context, &result)
    }
}

/// Keeps what the stages say for `gather-logs`.
fn keep_log(store: &Store) {
    if let Err(error) = progress::keep(store.dir(), store.found()) {
        tracing::warn!("what this stage says is not kept: {error}");
    }
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
            about: Vec::new(),
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
        .map_err(|failure| visit::leaving(stage, context, failure))
        .map_err(|failure| out_of_time(failure, context.deadline));
    let (exit, cause, about) = match &result {
        Ok(_) => (Exit::Passed, String::new(), Vec::new()),
        Err(failure) => (failure.exit, failure.line(), failure.about.clone()),
    };
    let noted = context.store.update(|record| {
        // Another stage of the job may run beside this one.
        let mut stages = record.stages.iter_mut().rev();
        if let Some(last) = stages.find(|it| it.stage == stage.name() && it.started == started) {
            last.ended = Some(Timestamp::now());
            last.exit = Some(exit.code());
            (last.cause, last.about) = (cause, about);
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

/// A stage ends at most this long before its deadline: it keeps some time to save what there is.
const CLOSING: Duration = Duration::from_secs(20);

/// Says that the limit of the whole chain ended the stage, where it did.
fn out_of_time(mut failure: Failure, deadline: Deadline) -> Failure {
    if let Some(limit) = deadline.chain()
        && failure.exit == Exit::TimeLimit
        && deadline.remaining() < CLOSING
    {
        let limit = humane(limit);
        failure.cause = format!(
            "the limit of the whole chain, {limit}, passed: {}",
            failure.cause
        );
        let hint = "raise `timeout`, and the job's `timeout-minutes` with it";
        failure.hint = Some(match failure.hint {
            Some(other) => format!("{hint}; {other}"),
            None => hint.to_owned(),
        });
    }
    failure
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
                    stage.outputs().iter().any(|(known, _)| known == name),
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
    if !env.on_runner() {
        return;
    }
    let files = Files::new(env);
    let told = files
        .output("failure", &failure.line())
        .and_then(|()| files.summary(&report::markdown(stage, failure)));
    if let Err(error) = told {
        tracing::warn!("cannot tell the runner: {error}");
    }
}
