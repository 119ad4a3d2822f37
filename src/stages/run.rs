//! `run`: the whole chain in one process. Logs are gathered and the host is torn down whatever happens.

use std::{io::Write as _, path::PathBuf};

use super::{
    Context, Outputs, Stage, carry_out, conclude, deploy_manifests, gather_logs, install_kind,
    provision_ec2, refuse, run_mnist_notebook_job, teardown,
};
use crate::{
    cancel::Cancel,
    cli::{ProviderKind, RunArgs, TeardownArgs},
    cluster::build::Rendered,
    github::files::Files,
    inputs::Environment,
    limits::{Deadline, Limit, humane},
    provider,
    record::{RecordError, Store, state_directory},
    report::{Exit, Failure, Leftover},
    run::Run,
};

/// Carries out every stage and ends with the first failure's exit code, or teardown's.
pub async fn run(mut args: RunArgs, mut env: Environment, cancelled: Cancel) -> Exit {
    let provider = &mut args.provision.provider;
    provider.get_or_insert(ProviderKind::Local);
    // The chain's own cluster, whatever cluster the caller's shell speaks to.
    env.set("KUBECONFIG", "");
    let store = match open(&env) {
        Ok(store) => store,
        Err(error) => {
            refuse(None, &error.into(), &env);
            return Exit::Infrastructure;
        }
    };
    let whole = Deadline::after(Limit::secs(u64::from(u32::MAX)));
    let mut chain = Chain {
        context: Context {
            files: Files::new(&env),
            env,
            store,
            deadline: whole,
            cancelled,
            writes: false,
        },
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
                refuse(Some(stage), &failure, &chain.context.env);
                return failure.exit;
            }
        };

    if args.deploy.lint_only {
        // Nothing is launched to look at a set: what that alone tells is told.
        let limit = args.deploy_timeout;
        let lint = async |context: &mut Context| {
            deploy_manifests::deploy(rendered, &args.deploy, None, context).await
        };
        chain.always(Stage::DeployManifests, limit, lint).await;
        finish(chain.exit, None, whole);
        return chain.exit;
    }
    let limit = args.provision_timeout;
    chain
        .stage(Stage::ProvisionEc2, limit, async |context| {
            provision_ec2::run(&args.provision, args.whole(), context).await
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

    chain.shield_from_cancel();
    let limit = args.gather_timeout;
    let gathered = chain
        .always(Stage::GatherLogs, limit, async |context| {
            gather_logs::run(&args.gather, None, context).await
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

    finish(
        chain.exit,
        gathered.as_ref().and_then(|outputs| outputs.get("report")),
        whole,
    );
    chain.exit
}

struct Chain {
    context: Context,
    exit: Exit,
}

impl Chain {
    /// A stage that is left out once another has failed.
    async fn stage<F>(&mut self, stage: Stage, limit: Limit, body: F)
    where
        F: AsyncFnOnce(&mut Context) -> Result<Outputs, Failure>,
    {
        if self.exit == Exit::Passed {
            self.always(stage, limit, body).await;
        }
    }

    /// A stage that runs whatever happened before.
    async fn always<F>(&mut self, stage: Stage, limit: Limit, body: F) -> Option<Outputs>
    where
        F: AsyncFnOnce(&mut Context) -> Result<Outputs, Failure>,
    {
        tracing::info!("── {} (at most {limit})", stage.name());
        self.context.deadline = Deadline::after(limit);
        let result = carry_out(stage, &mut self.context, body).await;
        let exit = conclude(stage, &self.context, &result);
        if self.exit == Exit::Passed {
            self.exit = exit;
        }
        result.ok()
    }

    /// What follows knows of a signal that came, and is not stopped by it or by another.
    fn shield_from_cancel(&mut self) {
        let status = match self.exit {
            _ if self.context.cancelled.is_cancelled() => "cancelled",
            Exit::Passed => "success",
            _ => "failure",
        };
        self.context.env.set("JOB_STATUS", status);
        self.context.cancelled.only_ending_is_left();
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
    gather_logs::check(&args.gather).map_err(at(Stage::GatherLogs))?;
    context.deadline = Deadline::after(args.deploy_timeout);
    let built = deploy_manifests::build(&args.deploy, context).await;
    built.map_err(at(Stage::DeployManifests))
}

/// On a runner the record of the job; on a laptop a run of its own, beside the others.
fn open(env: &Environment) -> Result<Store, RecordError> {
    let dir = state_directory(env)?;
    if let Some(run) = Run::of_workflow(env) {
        return Store::open_in(dir, Some(run));
    }
    let run = Run::random();
    let own: PathBuf = dir.join("runs").join(&run.id);
    Store::open_in(own, Some(run))
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
