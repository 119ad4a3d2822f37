//! `run-mnist-notebook-job`: a notebook or a script as a Job, and its results.
//!
//! Refuses what can be no test before anything is created. Keeps namespace and Job, for `gather-logs`; at the time limit
//! it fetches what is saved and deletes the Job.

use std::{path::Path, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    cli::NotebookArgs,
    cluster,
    limits::Deadline,
    notebook::{
        NotebookError,
        follow::{Progress, until_ended},
        job::Job,
        log, place, results,
        source::{Kind, Source},
        verdict::{self, Verdict},
    },
    report::{Failure, Leftover},
    stages::{Context, Outputs},
};

/// What is kept of the limit to fetch what was saved and to delete the Job.
const RESERVE: Duration = Duration::from_secs(5);
/// How long the log may take to its last line, once the test has ended.
const LAST_LINES: Duration = Duration::from_secs(5);

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
    let client = cluster::connect(kubeconfig, &context.env, &context.store, deadline)
        .await?
        .client;

    let account = args.service_account.as_deref();
    let place = place::prepare(&client, &args.namespace, account, deadline).await?;
    let (image, limit) = (&args.image, deadline.limit());
    let job = Job::new(context.run(), place, source, image, &requirements.0, limit);
    place::pod_default(&client, &args.namespace, &job.probe(), deadline).await?;
    let what = json!({ "namespace": args.namespace, "name": job.name, "image": image });
    context.store.intend("create Job", what)?;
    job.create(&client).await?;
    context.store.achieve("create Job", Value::from(true))?;
    tracing::info!("created Job {}/{}", args.namespace, job.name);

    let verdict = carry_through(&client, &job, &suite, kind, deadline)
        .await
        .map_err(|error| Failure::from(error).leaving(Leftover::Tagged))?;
    let directory = context.store.path("tests").join(&job.name);
    let kept = verdict::keep(&verdict, &suite, &directory)?;
    if let Err(error) = context.files.summary(&kept.summary) {
        tracing::warn!("cannot write the job summary: {error}");
    }
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
    let Some(error) = verdict.error else {
        return Ok(outputs);
    };
    // A step that failed has its results, too.
    for (name, value) in &outputs.0 {
        if let Err(error) = context.files.output(name, value) {
            tracing::warn!("cannot set output {name}: {error}");
        }
    }
    Err(Failure::from(error).leaving(Leftover::Tagged))
}

/// Follows the Job to its end or to the limit, and fetches what it left.
async fn carry_through(
    client: &Client,
    job: &Job,
    suite: &str,
    kind: Kind,
    deadline: Deadline,
) -> Result<Verdict, NotebookError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &job.place.namespace);
    let (sender, receiver) = watch::channel(Progress::default());
    let shown = AbortOnDropHandle::new(tokio::spawn(log::show(pods.clone(), receiver)));
    let reserve = RESERVE.min(deadline.remaining() / 8);
    let until = deadline.within(deadline.remaining().saturating_sub(reserve));
    match until_ended(client, job, until, &sender).await {
        Ok(ended) => {
            let fetched = async {
                match kind {
                    Kind::Notebook => results::executed(&pods, &ended.pod, deadline).await,
                    Kind::Python | Kind::Sh | Kind::Bash => Ok(None),
                }
            };
            let last_lines = deadline.within(LAST_LINES);
            let (fetched, log) = tokio::join!(fetched, last_lines.bound(shown));
            results::release(&pods, &ended.pod, ended.sidecar, deadline).await;
            let log = log.ok().and_then(Result::ok).unwrap_or_default();
            Ok(match kind {
                Kind::Notebook => verdict::of_notebook(&ended, fetched),
                Kind::Python | Kind::Sh | Kind::Bash => verdict::of_script(suite, &ended, &log),
            })
        }
        Err(NotebookError::TimeLimit { last, .. }) => {
            let progress = sender.borrow().clone();
            let saved = match progress
                .pod
                .filter(|_| progress.begun && kind == Kind::Notebook)
            {
                Some(pod) => {
                    let part = deadline.within(reserve / 2);
                    let fetched = results::executed(&pods, &pod, part).await;
                    fetched.unwrap_or_else(|error| {
                        tracing::warn!("{error}");
                        None
                    })
                }
                None => None,
            };
            if let Err(error) = job.delete(client).await {
                tracing::warn!("{error}");
            }
            Ok(verdict::at_limit(deadline.limit(), last, saved))
        }
        Err(error) => Err(error),
    }
}
