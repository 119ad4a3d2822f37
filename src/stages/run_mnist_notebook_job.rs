//! `run-mnist-notebook-job`: a notebook or a script as a Job or on this machine, and its results.
//!
//! Refuses what can be no test before anything is created. Keeps namespace and Job, for `gather-logs`; at the time limit
//! it fetches what is saved, keeps it, and deletes the Job. On this machine nothing is left running.

mod runner;
mod theirs;

use std::path::Path;

use kube::Client;
use serde_json::json;

use crate::{
    cli::{NotebookArgs, RunOn},
    cluster::{self, Connected},
    limits::Limit,
    notebook::{
        NotebookError, attend,
        job::Job,
        place,
        source::Source,
        verdict::{self, TestVerdict},
    },
    record::RecordError,
    report::{BadInput, Failure},
    stages::{Context, Outputs, own_first},
};

/// Reads the notebook or script, and refuses what can be no test.
///
/// # Errors
/// [`Failure`] with exit code 2.
pub fn read(args: &NotebookArgs) -> Result<Source, Failure> {
    let args = theirs::translated(args)?;
    let runner = args.run_on == RunOn::Runner;
    let of_one_place = [
        ("service-account", args.service_account.is_some() && runner),
        ("pod-patch", args.pod_patch.is_some() && runner),
        ("python", args.python.is_some() && !runner),
        ("forward", args.forward.is_some() && !runner),
    ];
    if let Some((input, _)) = of_one_place.into_iter().find(|(_, is_wrong)| *is_wrong) {
        let other = if runner {
            "a Job"
        } else {
            "a test on this machine"
        };
        let refused = BadInput {
            input,
            reason: format!("only {other} has it"),
            remedy: Some("leave it out, or change `run-on`".to_owned()),
        };
        return Err(refused.into());
    }
    let parameters = args.parameters.clone().unwrap_or_default();
    let (notebook, script) = (args.notebook.as_deref(), args.script.as_deref());
    let source = Source::read(notebook, script, &parameters)?;
    Ok(limited(source, &args))
}

fn limited(source: Source, args: &NotebookArgs) -> Source {
    source.with_cell_timeout(args.cell_timeout.map(Limit::duration))
}

/// The default test for this cluster, where none is named.
async fn suited(source: Source, args: &NotebookArgs, client: &Client) -> Result<Source, Failure> {
    if args.notebook.is_some() || args.script.is_some() {
        return Ok(source);
    }
    let Some(group) = place::kubeflow(client).await? else {
        return Ok(source);
    };
    tracing::info!("the cluster serves {group}: Kubeflow's components are tried (e2e/mnist)");
    let parameters = args.parameters.clone().unwrap_or_default();
    Ok(limited(Source::kubeflow(&parameters)?, args))
}

/// Carries the stage out.
///
/// # Errors
/// [`Failure`]; outputs and summary are set where there are results.
pub async fn run(
    args: &NotebookArgs,
    kubeconfig: Option<&Path>,
    context: &mut Context,
) -> Result<Outputs, Failure> {
    let source = read(args)?;
    match args.run_on {
        RunOn::Job => as_job(args, source, kubeconfig, context).await,
        RunOn::Runner => {
            let args = theirs::translated(args)?;
            runner::run(&args, source, kubeconfig, context).await
        }
    }
}

async fn as_job(
    args: &NotebookArgs,
    source: Source,
    kubeconfig: Option<&Path>,
    context: &mut Context,
) -> Result<Outputs, Failure> {
    let requirements = args.requirements.clone().unwrap_or_default();
    let deadline = context.deadline;
    let Connected { client, .. } =
        cluster::connect(kubeconfig, &context.env, &context.store, deadline).await?;
    let source = suited(source, args, &client).await?;
    let (suite, kind) = (source.name.clone(), source.kind);

    let what = json!({ "namespace": args.namespace, "image": args.image });
    context.store.intend("run a test", what)?;
    context.writes = true;
    let account = args.service_account.as_deref();
    let place = place::prepare(&client, &args.namespace, account, deadline).await?;
    let (image, limit) = (&args.image, deadline.limit());
    let job = Job::new(context.run(), place, source, image, &requirements.0, limit)
        .with_patch(args.pod_patch.clone().unwrap_or_default());
    place::pod_default(&client, &args.namespace, &job.probe(), deadline).await?;
    job.create(&client).await?;
    context
        .store
        .achieve("run a test", json!({ "job": job.name }))?;
    tracing::info!("created Job {}/{}", args.namespace, job.name);

    let attended = attend::to_its_end(&client, &job, &suite, kind, deadline).await;
    let (verdict, ending) = attended.map_or_else(
        |error| (TestVerdict::of(error), None),
        |(verdict, ending)| (verdict, Some(ending)),
    );
    // First of all: whatever happens from here on, there are results.
    let kept = keep(context, &verdict, &suite, &job.name);
    if let Some(ending) = ending {
        ending.carry_out(&client, &job, deadline).await;
    }
    let whom = format!("Job {}/{}", args.namespace, job.name);
    kept.conclude(verdict, |failure| failure.about([whom]))
}

/// The results of a test, on disk.
struct Kept {
    outputs: Outputs,
    written: Result<(), RecordError>,
}

/// Keeps the results of a test, and tells where.
fn keep(context: &Context, verdict: &TestVerdict, suite: &str, name: &str) -> Kept {
    let directory = context.store.path("tests").join(name);
    let kept = verdict::keep(verdict, suite, &directory);
    context.summarize(&kept.summary);
    let mut outputs = Outputs::default().with("verdict", verdict.word());
    for (name, path) in [
        ("junit", &kept.junit),
        ("executed-notebook", &kept.notebook),
    ] {
        if let Some(path) = path {
            outputs = outputs.with(name, path.display().to_string());
        }
    }
    if verdict.error.is_some() {
        // A step that failed has its results, too.
        for (name, value) in &outputs.0 {
            context.tell(name, [value]);
        }
    }
    let written = kept.error.map_or(Ok(()), Err);
    Kept { outputs, written }
}

impl Kept {
    fn conclude(
        self,
        verdict: TestVerdict,
        failed: impl FnOnce(Failure) -> Failure,
    ) -> Result<Outputs, Failure> {
        let failure = |error: NotebookError| Err(failed(error.into()));
        let result = verdict.error.map_or(Ok(()), failure);
        own_first(result, self.written).map(|_| self.outputs)
    }
}
