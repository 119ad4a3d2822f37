//! `gather-logs`: whatever the cluster, the host and this job can still tell, in one archive and on one page.
//!
//! It never changes the verdict: a dead cluster is an entry of the manifest. It fails on bad input, and when the bundle
//! cannot be written.

use std::{path::Path, time::Duration};

use crate::{
    cli::GatherArgs,
    cluster,
    limits::humane,
    logs::{self, Wanted, s3},
    report::Failure,
    stages::{Context, Outputs},
};

/// After a cancel everything dies within minutes, and teardown comes next.
const CANCELLED: Duration = Duration::from_mins(1);
/// How long to try to reach a cluster that may be gone.
const REACHING: Duration = Duration::from_secs(20);

/// Carries the stage out.
///
/// # Errors
/// [`Failure`]: bad input, or no bundle.
pub async fn run(
    args: &GatherArgs,
    kubeconfig: Option<&Path>,
    context: &mut Context,
) -> Result<Outputs, Failure> {
    let target = args.s3_uri.as_deref().map(s3::Target::parse).transpose()?;
    let name = match &args.name {
        Some(name) => logs::bundle::name(name)?,
        None => context.run().name(&format!("e2e-{}", context.run().job)),
    };
    let cancelled = context.job_cancelled();
    let deadline = if cancelled {
        tracing::info!(
            "the job was cancelled: {} for what can be had",
            humane(CANCELLED)
        );
        context.deadline.within(CANCELLED)
    } else {
        context.deadline
    };
    let reaching = deadline.within(REACHING.min(deadline.remaining() / 4));
    let connected = cluster::connect(kubeconfig, &context.env, &context.store, reaching).await;
    let gathered = Box::pin(logs::gather(Wanted {
        output: &args
            .output
            .clone()
            .unwrap_or_else(|| context.store.path("gathered")),
        name: &name,
        cluster: connected.as_ref().map_err(ToString::to_string),
        host: Err("no host".to_owned()),
        kind: None,
        env: &context.env,
        store: &context.store,
        deadline,
    }))
    .await?;
    let (files, missing) = gathered.counts();
    tracing::info!(
        "{}: {files} files, {missing} things could not be had",
        gathered.bundle.display()
    );
    if let Err(error) = context.files.summary(&gathered.report.markdown()) {
        tracing::warn!("the job summary was not written: {error}");
    }
    let mut outputs = Outputs::default()
        .with("bundle", gathered.bundle.display().to_string())
        .with("report", gathered.page.display().to_string())
        .with("cause", &gathered.report.cause);
    if let Some(target) = target {
        let files = [
            (gathered.bundle.as_path(), "application/zip"),
            (gathered.page.as_path(), "text/html; charset=utf-8"),
        ];
        match Box::pin(target.upload(&files, &context.env, deadline)).await {
            Ok(url) => outputs = outputs.with("s3-url", url),
            Err(error) => tracing::warn!("{error}"),
        }
    }
    Ok(outputs)
}
