//! `run`: the chain in one process. Logs are gathered and the host is torn down whatever happens, here or, with
//! `--until test`, by commands of their own.

use std::{io::Write as _, path::PathBuf};

use super::{
    Context, Outputs, Stage, carry_out, conclude, deploy_manifests, gather_logs, install_kind,
    keep_log, out_of_time, provision_ec2, refuse, run_mnist_notebook_job, shielded::END_OF_CHAIN,
    teardown,
};
use crate::{
    cancel::Cancel,
    cli::{ProviderKind, RunArgs, TeardownArgs, Until},
    github::files::Files,
    inputs::Environment,
    limits::{Deadline, Limit, humane},
    provider,
    record::{RecordError, Store, state_directory},
    report::{self, Exit, Failure, Leftover},
    run::Run,
    set::build::Rendered,
};

/// The output of the root action's first step by which the others know that there is nothing to gather and nothing to
/// end. It is `false` or absent: a step that was killed says nothing, and then they run.
const BEGUN: &str = "begun";

/// Carries out every stage and ends with the first failure's exit code, or teardown's. A bundle that cannot be had
/// changes nothing about what was proven.
pub async fn run(mut args: RunArgs, mut env: Environment, cancelled: Cancel) -> Exit {
    let whole = Deadline::after(args.timeout);
    let provider = &mut args.provision.provider;
    provider.get_or_insert(ProviderKind::Local);
    // The chain's own cluster, whatever cluster the caller's shell speaks to.
    env.set("KUBECONFIG", "");
    let store = match open(&env, &args) {
        Ok(store) => store,
        Err(error) => {
            refuse_all(None, &error.into(), &env);
            return Exit::Infrastructure;
        }
    };
    keep_log(&store);
    let mut chain = Chain {
        context: Context {
            files: Files::new(&env),
            env,
            store,
            job_key: args.job_key.clone(),
            deadline: whole,
            cancelled,
            writes: false,
        },
        whole,
        exit: Exit::Passed,
    };
    let cancelled = chain.context.cancelled.clone();
    let checked = tokio::select! {
        checked = check(&args, &mut chain.context) => checked,
        () = cancelled.cancelled() => {
            Err((Stage::DeployManifests, Failure::new(Exit::Cancelled, "cancelled by a signal")))
        }
    };
    let rendered =
        match checked.map_err(|(stage, failure)| (stage, failure.leaving(Leftover::None))) {
            Ok(rendered) => rendered,
            Err((stage, failure)) => {
                refuse_all(Some(stage), &failure, &chain.context.env);
                return failure.exit;
            }
        };

    if args.deploy.lint_only {
        // `lint-only` needs no host.
        nothing_begun(&chain.context.env);
        let limit = args.deploy_timeout;
        let lint = async |context: &mut Context| {
            deploy_manifests::deploy(rendered, &args.deploy, None, context).await
        };
        chain.stage(Stage::DeployManifests, limit, lint).await;
        finish(chain.exit, None, whole);
        return chain.exit;
    }
    to_the_test(&mut chain, &args, rendered).await;
    let gathered = match args.until {
        Until::Test => None,
        Until::Teardown => end(&mut chain, &args).await,
    };
    let report = gathered.as_ref().and_then(|outputs| outputs.get("report"));
    finish(chain.exit, report, whole);
    chain.exit
}

/// Launches a host, makes a cluster, deploys, tests.
async fn to_the_test(chain: &mut Chain, args: &RunArgs, rendered: Rendered) {
    let limit = args.provision_timeout;
    chain
        .stage(Stage::ProvisionEc2, limit, async |context| {
            provision_ec2::run(&args.provision, &args.results, args.whole(), context).await
        })
        .await;
    let limit = args.install_timeout;
    chain
        .stage(Stage::InstallKind, limit, async |context| {
            install_kind::run(&args.install, context).await
        })
        .await;
    let limit = args.deploy_timeout;
    chain
        .stage(Stage::DeployManifests, limit, async |context| {
            deploy_manifests::deploy(rendered, &args.deploy, None, context).await
        })
        .await;
    // After a dry run there is nothing to test.
    if !args.deploy.dry_run {
        let limit = args.test_timeout;
        chain
            .stage(Stage::RunMnistNotebookJob, limit, async |context| {
                run_mnist_notebook_job::run(&args.notebook, None, context).await
            })
            .await;
    }
}

/// Gathers logs and tears down; gives what was gathered.
async fn end(chain: &mut Chain, args: &RunArgs) -> Option<Outputs> {
    chain.shield_from_cancel();
    let limit = args.gather_timeout;
    let gathered = chain
        .aside(Stage::GatherLogs, limit, async |context| {
            gather_logs::run(&args.gather, &args.results, None, context).await
        })
        .await;
    let teardown_args = TeardownArgs {
        whereabouts: args.provision.whereabouts(),
        keep_on_failure: args.keep_on_failure,
        ..TeardownArgs::default()
    };
    let limit = args.teardown_timeout;
    chain
        .always(Stage::Teardown, limit, async |context| {
            teardown::run(&teardown_args, context).await
        })
        .await;
    gathered
}

struct Chain {
    context: Context,
    /// The limit of all stages up to the test.
    whole: Deadline,
    exit: Exit,
}

impl Chain {
    /// A stage up to the test, under the limit of them all. It is left out once another has failed.
    async fn stage<F>(&mut self, stage: Stage, limit: Limit, body: F)
    where
        F: AsyncFnOnce(&mut Context) -> Result<Outputs, Failure>,
    {
        if self.exit == Exit::Passed {
            let deadline = Deadline::after(limit).under(&self.whole);
            self.concluded(stage, deadline, body).await;
        }
    }

    /// A stage that runs whatever happened before, and has its time whatever the others took.
    async fn always<F>(&mut self, stage: Stage, limit: Limit, body: F) -> Option<Outputs>
    where
        F: AsyncFnOnce(&mut Context) -> Result<Outputs, Failure>,
    {
        self.concluded(stage, Deadline::after(limit), body).await
    }

    /// Carries a stage out and takes in its exit code.
    async fn concluded<F>(&mut self, stage: Stage, deadline: Deadline, body: F) -> Option<Outputs>
    where
        F: AsyncFnOnce(&mut Context) -> Result<Outputs, Failure>,
    {
        let result = self.carry_out(stage, deadline, body).await;
        let exit = conclude(stage, &self.context, &result);
        if self.exit == Exit::Passed {
            self.exit = exit;
        }
        result.ok()
    }

    /// A stage that proves nothing and runs whatever happened before: where it fails, that is a warning.
    async fn aside<F>(&mut self, stage: Stage, limit: Limit, body: F) -> Option<Outputs>
    where
        F: AsyncFnOnce(&mut Context) -> Result<Outputs, Failure>,
    {
        match self.carry_out(stage, Deadline::after(limit), body).await {
            Ok(outputs) => {
                conclude(stage, &self.context, &Ok(outputs.clone()));
                Some(outputs)
            }
            Err(failure) => {
                let mut lines = vec![format!("{}: {}", stage.name(), failure.line())];
                lines.extend(failure.details);
                lines.extend(failure.hint);
                lines.push("the verdict of the run stands without it".to_owned());
                report::warn(stage, &lines, self.context.env.on_runner());
                None
            }
        }
    }

    async fn carry_out<F>(
        &mut self,
        stage: Stage,
        deadline: Deadline,
        body: F,
    ) -> Result<Outputs, Failure>
    where
        F: AsyncFnOnce(&mut Context) -> Result<Outputs, Failure>,
    {
        let limit = humane(deadline.limit());
        tracing::info!("── {} (at most {limit})", stage.name());
        self.context.deadline = deadline;
        carry_out(stage, &mut self.context, body).await
    }

    /// What follows knows of a signal that came, and is not stopped by it or by another.
    fn shield_from_cancel(&mut self) {
        let status = match self.exit {
            _ if self.context.cancelled.is_cancelled() => "cancelled",
            Exit::Passed => "success",
            _ => "failure",
        };
        self.context.env.set("JOB_STATUS", status);
        self.context.cancelled.only_ending_is_left(END_OF_CHAIN);
    }
}

/// Refuses what can be known to be wrong before anything is made, and builds the manifests.
async fn check(args: &RunArgs, context: &mut Context) -> Result<Rendered, (Stage, Failure)> {
    let at = |stage| move |failure| (stage, failure);
    let ec2 = args.provision.provider == Some(ProviderKind::Ec2);
    if args.keep_on_failure.is_some() && !ec2 {
        let failure = Failure::new(
            Exit::BadInput,
            "keep-on-failure: only a host from EC2 ends by itself",
        );
        return Err(at(Stage::Teardown)(
            failure.hint("use provider ec2, or leave it out"),
        ));
    }
    super::visit::allowed(Stage::ProvisionEc2, &context.env).map_err(at(Stage::ProvisionEc2))?;
    provider::for_launch(&args.provision, args.whole(), &context.env)
        .map_err(|error| (Stage::ProvisionEc2, error.into()))?;
    install_kind::check(&args.install).map_err(at(Stage::InstallKind))?;
    run_mnist_notebook_job::read(&args.notebook).map_err(at(Stage::RunMnistNotebookJob))?;
    gather_logs::check(&args.gather, &args.results).map_err(at(Stage::GatherLogs))?;
    context.deadline = Deadline::after(args.deploy_timeout).under(&context.deadline);
    let built = deploy_manifests::build(&args.deploy, context).await;
    let built = built.map_err(|failure| out_of_time(failure, context.deadline));
    built.map_err(at(Stage::DeployManifests))
}

/// Reports a failure before the first stage: nothing was begun.
fn refuse_all(stage: Option<Stage>, failure: &Failure, env: &Environment) {
    nothing_begun(env);
    refuse(stage, failure, env);
}

/// Tells the steps after this one that there is nothing for them to do.
pub fn nothing_begun(env: &Environment) {
    if env.on_runner()
        && let Err(error) = Files::new(env).output(BEGUN, "false")
    {
        tracing::warn!("cannot set the output `{BEGUN}`: {error}");
    }
}

/// The record of the job, where later commands look for it; on a laptop, for a whole chain, a run of its own beside the
/// others.
fn open(env: &Environment, args: &RunArgs) -> Result<Store, RecordError> {
    let job_key = args.job_key.as_deref();
    if args.until == Until::Test || Run::workflow_id(env).is_some() {
        return Store::open(env, job_key);
    }
    let run = Run::random();
    let own: PathBuf = state_directory(env)?.join("runs").join(&run.id);
    let mut store = Store::open_in(own, Some(run))?;
    store.learn(env, job_key);
    Ok(store)
}

/// The last words: passed or failed, how long it took, where the report is.
fn finish(exit: Exit, report: Option<&str>, whole: Deadline) {
    let verdict = if exit == Exit::Passed {
        "passed"
    } else {
        "failed"
    };
    let report = report.map_or_else(String::new, |report| format!("report: {report}\n"));
    let text = format!("{verdict} in {}\n{report}", humane(whole.elapsed()));
    // A closed pipe does not change the verdict.
    drop(std::io::stdout().write_all(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::tests::context;

    #[tokio::test]
    async fn logs_that_cannot_be_gathered_change_no_verdict_and_what_is_left_behind_does() {
        let dir = tempfile::tempdir().unwrap();
        let mut chain = Chain {
            context: context(dir.path()),
            whole: Deadline::after(Limit::secs(9)),
            exit: Exit::Passed,
        };
        let limit = Limit::secs(9);
        let fails = async |exit| Err(Failure::new(exit, "no"));
        for exit in [Exit::Infrastructure, Exit::TimeLimit, Exit::Bug] {
            let body = async |_: &mut Context| fails(exit).await;
            assert!(chain.aside(Stage::GatherLogs, limit, body).await.is_none());
            assert_eq!(chain.exit, Exit::Passed);
        }
        let body = async |_: &mut Context| fails(Exit::Leftovers).await;
        chain.always(Stage::Teardown, limit, body).await;
        assert_eq!(chain.exit, Exit::Leftovers);
        let noted = chain.context.store.record().stages.iter();
        let noted: Vec<_> = noted.map(|stage| stage.exit.unwrap()).collect();
        assert_eq!(noted, [3, 124, 101, 4]);
    }
}
