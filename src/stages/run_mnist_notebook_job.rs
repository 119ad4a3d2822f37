//! `run-mnist-notebook-job`: a notebook or a script as a Job, and its results.
//!
//! Refuses what can be no test before anything is created. Keeps namespace and Job, for `gather-logs`; at the time limit
//! it fetches what is saved, keeps it, and deletes the Job.

use std::path::Path;

use serde_json::json;

use crate::{
    cli::NotebookArgs,
    cluster::{self, Connected},
    notebook::{NotebookError, attend, job::Job, place, source::Source, verdict},
    report::Failure,
    stages::{Context, Outputs, own_first},
};

/// Reads the notebook or script, and refuses what can be no test.
///
/// # Errors
/// [`Failure`] with exit code 2.
pub fn read(args: &NotebookArgs) -> Result<Source, Failure> {
    let parameters = args.parameters.clone().unwrap_or_default();
    let (notebook, script) = (args.notebook.as_deref(), args.script.as_deref());
    Ok(Source::read(notebook, script, &parameters)?)
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
    let requirements = args.requirements.clone().unwrap_or_default();
    let source = read(args)?;
    let (suite, kind) = (source.name.clone(), source.kind);
    let deadline = context.deadline;
    let Connected { client, .. } =
        cluster::connect(kubeconfig, &context.env, &context.store, deadline).await?;

    let what = json!({ "namespace": args.namespace, "image": args.image });
    context.store.intend("run a test", what)?;
    context.writes = true;
    let account = args.service_account.as_deref();
    let place = place::prepare(&client, &args.namespace, account, deadline).await?;
    let (image, limit) = (&args.image, deadline.limit());
    let job = Job::new(context.run(), place, source, image, &requirements.0, limit);
    place::pod_default(&client, &args.namespace, &job.probe(), deadline).await?;
    job.create(&client).await?;
    context
        .store
        .achieve("run a test", json!({ "job": job.name }))?;
    tracing::info!("created Job {}/{}", args.namespace, job.name);

    let failure = |error: NotebookError| {
        let whom = format!("Job {}/{}", args.namespace, job.name);
        Failure::from(error).about([whom])
    };
    let (verdict, ending) = attend::to_its_end(&client, &job, &suite, kind, deadline)
        .await
        .map_err(failure)?;
    // First of all: whatever happens from here on, there are results.
    let directory = context.store.path("tests").join(&job.name);
    let kept = verdict::keep(&verdict, &suite, &directory);
    context.summarize(&kept.summary);
    let mut outputs = Outputs::default().with(
        "verdict",
        if verdict.error.is_none() {
            "passed"
        } else {
            "failed"
        },
    );
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
    ending.carry_out(&client, &job, deadline).await;
    let result = verdict.error.map_or(Ok(()), |error| Err(failure(error)));
    let written = kept.error.map_or(Ok(()), Err);
    own_first(result, written).map(|_| outputs)
}
