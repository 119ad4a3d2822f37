//! `gather-logs`: whatever the cluster, the host and this job can still tell, in one archive and on one page.
//!
//! It never changes the verdict: a dead cluster is an entry of the manifest. It fails on bad input, and when the bundle
//! cannot be written, which `run` takes for a warning.

use std::{path::Path, sync::Arc, time::Duration};

use crate::{
    cli::GatherArgs,
    cluster,
    host::{self, Host, local::LocalHost},
    limits::{Deadline, humane},
    logs::{self, GatherRequest, collect::host::Site, s3},
    record::HostKind,
    report::Failure,
    stages::{Context, Outputs},
    tools::{self, Tool},
};

/// After a cancel everything dies within minutes, and teardown comes next.
const CANCELLED: Duration = Duration::from_mins(1);
/// How long to try to reach a cluster that may be gone.
const REACHING: Duration = Duration::from_secs(20);

/// Refuses inputs that cannot be, before anything is made.
///
/// # Errors
/// [`Failure`] with exit code 2.
pub fn check(args: &GatherArgs) -> Result<(), Failure> {
    args.s3_uri.as_deref().map(s3::Target::parse).transpose()?;
    args.name.as_deref().map(logs::bundle::name).transpose()?;
    Ok(())
}

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
    let record = context.store.record();
    let ours = record.cluster.as_ref().map(|cluster| cluster.name.clone());
    // Without a host of this job the runner's own disk and memory may tell enough.
    let (host, place): (Result<Arc<dyn Host>, _>, _) = match &record.host {
        Some(record) => (host::open(record, &context.env), record.kind),
        None => (Ok(Arc::new(LocalHost::new(&context.env))), HostKind::Local),
    };
    let kind = match &ours {
        Some(_) if !cancelled => Some(kind_program(place, context, deadline).await),
        _ => None,
    };
    let gathered = Box::pin(logs::gather(GatherRequest {
        output: &args
            .output
            .clone()
            .unwrap_or_else(|| context.store.path("gathered")),
        name: &name,
        cluster: connected.as_ref().map_err(ToString::to_string),
        host: host
            .as_deref()
            .map(|host| Site {
                host,
                kind: place,
                cluster: ours.as_deref(),
            })
            .map_err(ToString::to_string),
        kind: kind.as_deref(),
        env: &context.env,
        cancelled,
        store: &context.store,
        deadline,
    }))
    .await?;
    let (files, missing) = gathered.counts();
    tracing::info!(
        "{}: {files} files, {missing} things could not be had",
        gathered.bundle.display()
    );
    context.summarize(&gathered.report.markdown());
    let mut outputs = Outputs::default()
        .with("bundle", gathered.bundle.display().to_string())
        .with("report", gathered.page.display().to_string())
        .with("cause", &gathered.report.cause);
    if let Some(target) = target {
        let files = [
            (gathered.bundle.as_path(), "application/zip"),
            (gathered.page.as_path(), "text/html; charset=utf-8"),
        ];
        let role = context.store.record().role_arn.as_deref();
        match Box::pin(target.upload(&files, role, &context.env, deadline)).await {
            Ok(url) => outputs = outputs.with("s3-url", url),
            Err(error) => tracing::warn!("{error}"),
        }
    }
    Ok(outputs)
}

/// The `kind` that made the cluster: on this machine the one that install-kind found, elsewhere the one it left there.
async fn kind_program(place: HostKind, context: &Context, deadline: Deadline) -> String {
    let wanted = tools::ToolRequest {
        tool: Tool::Kind,
        version: None,
        arch: tools::this_arch(),
        tools_dir: None,
    };
    let found = match place {
        HostKind::Ssh => None,
        HostKind::Local => {
            let soon = deadline.within(Duration::from_secs(10));
            tools::find(wanted, &context.env, &context.store, soon)
                .await
                .ok()
        }
    };
    found.map_or_else(
        || "kind".to_owned(),
        |found| found.path.display().to_string(),
    )
}
