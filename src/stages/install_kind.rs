//! `install-kind`: a host made fit, a KinD cluster that is really ready, a kubeconfig that works in every later step.

mod fit;
mod theirs;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use crate::{
    cli::InstallArgs,
    cluster,
    host::{engine::Engine, tunnel},
    kind::{self, facts::ConfigFacts, up},
    provider::{self, BadInput, clusters},
    record::{ClusterRecord, HostKind, HostRecord, write_private},
    report::{self, Exit, Failure, Leftover},
    stages::{Context, Outputs, Stage},
    tools::versions,
};

use fit::Fit;

/// What is recorded before kind is asked for a cluster.
pub(super) const CREATE: &str = "kind create cluster";
/// What is recorded before the cluster's marker is created.
const MARK: &str = "docker volume create";
/// How long a cluster may live whose host has no end of its own on record.
const LIFE: Duration = Duration::from_hours(24);

/// What was asked for, understood.
struct Wish {
    choice: versions::KindVersions,
    config: String,
    facts: ConfigFacts,
    mirrors: Vec<(String, String)>,
    mirror_lines: Vec<String>,
    record: HostRecord,
    name: String,
    /// The name does not say whose it is.
    exact: bool,
}

/// Carries the stage out.
///
/// # Errors
/// [`Failure`]; until kind is asked for a cluster it leaves nothing.
pub async fn run(args: &InstallArgs, context: &mut Context) -> Result<Outputs, Failure> {
    let mirror_lines = args.registry_mirrors.clone().unwrap_or_default().0;
    let config = kind::config(args.config.as_deref(), args.workers)?;
    let wish = Wish {
        choice: versions_of(args)?,
        facts: ConfigFacts::of(&config),
        config,
        mirrors: kind::mirrors(&mirror_lines)?,
        mirror_lines,
        record: host_of(context)?,
        name: cluster_name(args, context).map_err(|error| theirs::renamed(args, error))?,
        exact: is_exact(args, context),
    };
    wish.facts.check_mounts()?;
    if wish.record.kind == HostKind::Ssh {
        wish.facts.check_remote_mounts()?;
    }
    let fit = Box::pin(Fit::make(args, &wish, context))
        .await
        .map_err(|failure| failure.leaving(Leftover::None))?;
    wish.facts
        .check_host_paths(&fit.engine, context.deadline)
        .await
        .map_err(|failure| failure.leaving(Leftover::None))?;
    warn_of(&wish, context);
    if wish.exact {
        refuse_foreign(&fit.engine, &wish.name, context).await?;
    }
    let tagged = |failure: Failure| failure.leaving(Leftover::Tagged);
    start_afresh(&fit.engine, &wish.name, context)
        .await
        .map_err(tagged)?;
    if !is_launched(context) {
        mark(&fit.engine, &wish.name, context).await?;
    }
    Box::pin(make_cluster(wish, &fit, context))
        .await
        .map_err(tagged)
}

/// Refuses inputs that cannot be, before anything is made.
///
/// # Errors
/// [`Failure`] with exit code 2.
pub fn check(args: &InstallArgs) -> Result<(), Failure> {
    versions_of(args)?;
    let config = kind::config(args.config.as_deref(), args.workers)?;
    ConfigFacts::of(&config).check_mounts()?;
    kind::mirrors(args.registry_mirrors.as_ref().map_or(&[], |lines| &lines.0))?;
    clusters::check_name(&args.cluster).map_err(|error| theirs::renamed(args, error))?;
    Ok(())
}

/// Says what of the configuration is done otherwise than its writer may expect.
fn warn_of(wish: &Wish, context: &Context) {
    let mut lines = Vec::new();
    if let Some(named) = wish.facts.name.as_ref().filter(|name| **name != wish.name) {
        lines.push(format!(
            "the name {named} in the configuration is not used: the cluster is {} (the input cluster names it)",
            wish.name
        ));
    }
    if let Some(lacks) = wish.facts.without() {
        lines.push(format!(
            "the cluster has {lacks}: it counts as ready without it, and deploy-manifests waits for what your set brings"
        ));
    }
    report::warn(Stage::InstallKind, &lines, context.env.on_runner());
}

/// kind and the node image by what was asked for.
fn versions_of(args: &InstallArgs) -> Result<versions::KindVersions, BadInput> {
    if args.exact_name {
        return theirs::versions(args);
    }
    versions::choose(
        args.kind_version.as_deref(),
        args.kubernetes_version.as_deref(),
        args.node_image.as_deref().filter(|image| !image.is_empty()),
    )
}

async fn make_cluster(wish: Wish, fit: &Fit, context: &mut Context) -> Result<Outputs, Failure> {
    let deadline = context.deadline;
    let (engine, name, image) = (&fit.engine, &wish.name, &wish.choice.node_image);
    if wish.exact {
        context
            .store
            .update(|record| record.exact_cluster = Some(name.clone()))?;
    }
    context.store.intend(
        CREATE,
        json!({"name": name, "node-image": image, "kind": fit.version}),
    )?;
    kind::create(engine, &fit.kind, name, image, &wish.config, deadline).await?;
    context.store.achieve(CREATE, json!({"created": true}))?;

    let mut text = kind::kubeconfig(engine, &fit.kind, name, deadline).await?;
    let mut tunnel = None;
    if wish.record.kind == HostKind::Ssh {
        let earlier = tunnel::earlier_port(&context.store);
        let (rewritten, ports) = tunnel::rewritten(&text, earlier)?;
        (text, tunnel) = (rewritten, Some(ports));
    }
    let path = context.store.path("kubeconfig");
    write_private(&path, text.as_bytes())?;
    let cluster = ClusterRecord {
        name: name.clone(),
        kubeconfig: path.clone(),
        context: format!("kind-{name}"),
        tunnel,
        mirrors: wish.mirror_lines,
    };
    context
        .store
        .update(|record| record.cluster = Some(cluster))?;

    let connected = cluster::connect(Some(&path), &context.env, &context.store, deadline).await?;
    futures::try_join!(
        up::ready(&connected.client, &wish.facts, deadline),
        kind::write_mirrors(engine, name, &wish.mirrors, deadline),
    )?;
    tracing::info!(
        "the cluster {name} is ready: Kubernetes {}",
        connected.version
    );
    Ok(Outputs::default()
        .with("kubeconfig", path.display().to_string())
        .with("context", connected.context)
        .with("kubernetes-version", connected.version)
        .with("kind-version", fit.version.clone())
        .with("node-image", wish.choice.node_image))
}

/// The host that an earlier step has left.
fn host_of(context: &Context) -> Result<HostRecord, Failure> {
    context.store.record().host.clone().ok_or_else(|| {
        Failure::new(Exit::BadInput, "no host is known to this job")
            .hint("run provision-ec2 before; with `provider: local` it takes this machine")
    })
}

/// On a host of our own the name as given; on one that others use, too, one that teardown finds without a record.
fn cluster_name(args: &InstallArgs, context: &Context) -> Result<String, BadInput> {
    clusters::check_name(&args.cluster)?;
    Ok(if is_launched(context) || is_exact(args, context) {
        args.cluster.clone()
    } else {
        clusters::name(&args.cluster, context.run())
    })
}

/// Whether the host is this job's alone, and ends with all that is on it.
fn is_launched(context: &Context) -> bool {
    let launch = context.store.record().launch.as_ref();
    launch.is_some_and(|launch| launch.provider == "ec2")
}

/// Creates the marker that `reap` finds the cluster by, whenever this job is killed from now on.
async fn mark(engine: &Engine, name: &str, context: &mut Context) -> Result<(), Failure> {
    let deadline = context.deadline;
    let launch = context.store.record().launch.as_ref();
    let expires_at = launch.and_then(|launch| launch.expires_at);
    let expires_at = expires_at.unwrap_or_else(|| provider::end_after(Timestamp::now(), LIFE));
    context.store.intend(
        MARK,
        json!({"cluster": name, "expires-at": expires_at.to_string()}),
    )?;
    let is_ours = clusters::claim(engine, name, context.run(), expires_at, deadline)
        .await
        .map_err(|error| Failure::from(error).leaving(Leftover::Tagged))?;
    context.store.achieve(MARK, json!({"ours": is_ours}))?;
    if is_ours {
        return Ok(());
    }
    Err(taken(name))
}

/// The name is somebody else's.
fn taken(name: &str) -> Failure {
    let cause =
        format!("a cluster {name} is on this machine already, and this job did not make it");
    Failure::new(Exit::BadInput, cause)
        .hint(
            "give it another name, or delete that one: kind delete cluster --name NAME; what a lost job left is removed by \
             `reap --provider local`",
        )
        .leaving(Leftover::None)
}

/// Whether its name does not say whose cluster it is.
fn is_exact(args: &InstallArgs, context: &Context) -> bool {
    let launch = context.store.record().launch.as_ref();
    args.exact_name && launch.is_some_and(|launch| launch.provider == "local")
}

/// Refuses a name that a cluster of somebody else has: what is found under it afterwards is taken for this job's.
async fn refuse_foreign(engine: &Engine, name: &str, context: &Context) -> Result<(), Failure> {
    let deadline = context.deadline;
    let is_recorded = context.store.record().exact_cluster.as_deref() == Some(name);
    if is_recorded || !clusters::exists(engine, name, deadline).await? {
        return Ok(());
    }
    if clusters::is_ours(engine, name, context.run(), deadline).await? {
        return Ok(());
    }
    Err(taken(name))
}

/// Removes what an interrupted try of this same job left under that name: half a cluster cannot be mended.
async fn start_afresh(engine: &Engine, name: &str, context: &mut Context) -> Result<(), Failure> {
    let deadline = context.deadline;
    if clusters::exists(engine, name, deadline).await? {
        tracing::warn!("a cluster {name} of an earlier try is there; it is removed and made again");
        tunnel::stop(&context.store, deadline).await;
        clusters::remove(engine, name, deadline).await?;
        context.store.update(|record| record.cluster = None)?;
    }
    Ok(())
}
