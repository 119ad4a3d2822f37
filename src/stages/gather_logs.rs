//! `gather-logs`: whatever the cluster, the host and this job can still tell, in one archive and on one page.
//!
//! It never changes the verdict: a dead cluster is an entry of the manifest. It fails on bad input, and when the bundle
//! cannot be written, which `run` takes for a warning.

use std::{path::Path, sync::Arc, time::Duration};

use crate::{
    cli::{GatherArgs, Layout, ResultsArgs},
    cluster,
    host::{self, Host, local::LocalHost},
    limits::{Deadline, humane},
    logs::{
        self, GatherRequest, Gathered, collect::host::Site, prow, render::changes::Earlier, s3,
    },
    provider::{BadInput, ec2},
    record::{HostKind, Store},
    report::{Exit, Failure},
    stages::{Context, Outputs, install_kind},
    tools::{self, Tool},
};

/// After a cancel everything dies within minutes, and teardown comes next.
const CANCELLED: Duration = Duration::from_mins(1);
/// How long to try to reach a cluster that may be gone.
const REACHING: Duration = Duration::from_secs(20);
/// How long to look for an earlier run.
const READING: Duration = Duration::from_secs(15);
/// How long the gathering may take beyond its time, before it is given up.
const OVERRUN: Duration = Duration::from_secs(1);

/// Refuses inputs that cannot be, before anything is made.
///
/// # Errors
/// [`Failure`] with exit code 2.
pub fn check(args: &GatherArgs, results: &ResultsArgs) -> Result<(), Failure> {
    let target = results.target()?;
    if matches!(compared_with(args), Some(Compared::LastPassed))
        && (target.is_none() || results.layout == Layout::Flat)
    {
        return Err(BadInput {
            input: "compare-with",
            reason: "`last-passed` is looked up in a bucket, in a layout of Prow".to_owned(),
            remedy: Some(
                "give s3-uri and `layout: prow` or `kubeflow`, or the path of a bundle".to_owned(),
            ),
        }
        .into());
    }
    args.name.as_deref().map(logs::bundle::name).transpose()?;
    Ok(())
}

/// Carries the stage out.
///
/// # Errors
/// [`Failure`]: bad input, or no bundle.
pub async fn run(
    args: &GatherArgs,
    results: &ResultsArgs,
    kubeconfig: Option<&Path>,
    context: &mut Context,
) -> Result<Outputs, Failure> {
    check(args, results)?;
    let target = results.target()?;
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
    let ours = cluster_of(&context.store);
    // Without a host of this job the runner's own disk and memory may tell enough.
    let (host, place): (Result<Arc<dyn Host>, _>, _) = match &record.host {
        Some(record) => (host::open(record, &context.env), record.kind),
        None => (Ok(Arc::new(LocalHost::new(&context.env))), HostKind::Local),
    };
    let kind = match &ours {
        Some(_) if !cancelled => Some(kind_program(place, context, deadline).await),
        _ => None,
    };
    let output = args
        .output
        .clone()
        .unwrap_or_else(|| context.store.path("gathered"));
    let earlier = match (compared_with(args), &target) {
        (Some(Compared::Bundle(path)), _) => bundle(path),
        (Some(Compared::LastPassed), Some(target)) if !cancelled => {
            Box::pin(last_passed(target, results, context, deadline)).await
        }
        _ => None,
    };
    let request = GatherRequest {
        output: &output,
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
        earlier,
        store: &context.store,
        deadline,
    };
    // Before anything is collected: what there is by then has to be uploaded whatever becomes of this process.
    let (bundle, page) = (request.bundle(), request.page());
    context.tell("bundle", [bundle.display().to_string()]);
    context.tell("report", [page.display().to_string()]);
    let soon = deadline.instant() + OVERRUN;
    let gathered = tokio::time::timeout_at(soon, Box::pin(logs::gather(request))).await;
    let Ok(gathered) = gathered else {
        // What was collected is in the bundle: it is closed when the gathering is dropped.
        tracing::warn!(
            "not everything was collected within {}",
            humane(deadline.limit())
        );
        return Ok(Outputs::default()
            .with("bundle", bundle.display().to_string())
            .with("report", page.display().to_string()));
    };
    let gathered = gathered?;
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
        match Box::pin(upload(&target, results, &gathered, context, deadline)).await {
            Ok(url) => outputs = outputs.with("s3-url", url),
            Err(failure) => tracing::warn!("{}", failure.line()),
        }
    }
    Ok(outputs)
}

/// What a run is compared with.
enum Compared<'a> {
    /// The last run of this job that passed, in the bucket.
    LastPassed,
    /// A bundle on this machine.
    Bundle(&'a Path),
}

fn compared_with(args: &GatherArgs) -> Option<Compared<'_>> {
    let path = args.compare_with.as_deref()?;
    Some(match path.to_str() {
        Some("last-passed") => Compared::LastPassed,
        _ => Compared::Bundle(path),
    })
}

/// What an earlier run reported, by its bundle. One that cannot be read costs the comparison, and no more.
fn bundle(path: &Path) -> Option<Earlier> {
    let earlier = Earlier::of_bundle(path);
    if let Err(error) = &earlier {
        let path = path.display();
        tracing::warn!("nothing is compared: {path} is no bundle of gather-logs: {error}");
    }
    earlier.ok()
}

/// What the last run of this job that passed has reported. Where there is none yet, or the bucket does not answer, the
/// comparison is left out, and no more.
async fn last_passed(
    target: &s3::Target,
    results: &ResultsArgs,
    context: &Context,
    deadline: Deadline,
) -> Option<Earlier> {
    let soon = deadline.within(READING.min(deadline.remaining() / 4));
    let record = context.store.record();
    let build = prow::Build::of(&context.env, record, results.prow_job.as_deref());
    let found =
        async { Ok::<_, Failure>(build.last_passed(target, &access(context)?, soon).await?) };
    let found = found.await;
    if let Err(failure) = &found {
        tracing::info!(
            "nothing is compared: no run that passed is found: {}",
            failure.line()
        );
    }
    found.ok()
}

/// Puts what was gathered into a bucket; gives the URI of the bundle.
async fn upload(
    target: &s3::Target,
    results: &ResultsArgs,
    gathered: &Gathered,
    context: &Context,
    deadline: Deadline,
) -> Result<String, Failure> {
    let uploads = match results.layout {
        Layout::Flat => prow::flat(gathered),
        layout => {
            let record = context.store.record();
            let build = prow::Build::of(&context.env, record, results.prow_job.as_deref());
            build
                .results(layout, record, gathered, &format!("s3://{target}"))
                .map_err(|error| {
                    let cause = format!("the bundle cannot be read for its upload: {error}");
                    Failure::new(Exit::Infrastructure, cause)
                })?
        }
    };
    Ok(target.upload(&uploads, &access(context)?, deadline).await?)
}

impl ResultsArgs {
    /// The bucket, where one is meant.
    ///
    /// # Errors
    /// [`s3::S3Error::Uri`].
    pub fn target(&self) -> Result<Option<s3::Target>, s3::S3Error> {
        self.s3_uri.as_deref().map(s3::Target::parse).transpose()
    }
}

/// Who asks S3: as the host was launched, and where it was.
fn access(context: &Context) -> Result<ec2::Access, BadInput> {
    let record = context.store.record();
    let access = ec2::Access::new(&context.env, record.role_arn.as_deref())?;
    let launch = record.launch.as_ref();
    Ok(match launch.and_then(|launch| launch.region.as_deref()) {
        Some(region) => access.in_region(region),
        None => access,
    })
}

/// The KinD cluster of this job: also one that could not be created, whose nodes are kept.
fn cluster_of(store: &Store) -> Option<String> {
    let made = store
        .record()
        .cluster
        .as_ref()
        .map(|cluster| cluster.name.clone());
    made.or_else(|| {
        let begun = store.open_step(install_kind::CREATE)?;
        Some(begun.intent.get("name")?.as_str()?.to_owned())
    })
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cluster_that_could_not_be_created_is_known_by_its_intent() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open_in(dir.path().to_owned(), None).unwrap();
        assert_eq!(cluster_of(&store), None);
        store
            .intend(install_kind::CREATE, json!({"name": "kind-a1"}))
            .unwrap();
        assert_eq!(cluster_of(&store).as_deref(), Some("kind-a1"));
    }
}
