//! `install-kind`: a host made fit, a KinD cluster that is really ready, a kubeconfig that works in every later step.

mod fit;
mod theirs;

use serde_json::json;

use crate::{
    cli::InstallArgs,
    cluster,
    host::{engine::Engine, tunnel},
    kind::{self, up},
    limits::Deadline,
    provider::{BadInput, clusters},
    record::{ClusterRecord, HostKind, HostRecord, write_private},
    report::{Exit, Failure, Leftover},
    stages::{Context, Outputs},
    tools::versions,
};

use fit::Fit;

/// What is recorded before kind is asked for a cluster.
const CREATE: &str = "kind create cluster";

/// What was asked for, understood.
struct Wish {
    choice: versions::KindVersions,
    config: String,
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
    let wish = Wish {
        choice: versions_of(args)?,
        config: kind::config(args.config.as_deref(), args.workers)?,
        mirrors: kind::mirrors(&mirror_lines)?,
        mirror_lines,
        record: host_of(context)?,
        name: cluster_name(args, context).map_err(|error| theirs::renamed(args, error))?,
        exact: is_exact(args, context),
    };
    let fit = Box::pin(Fit::make(args, &wish, context))
        .await
        .map_err(|failure| failure.leaving(Leftover::None))?;
    if wish.exact {
        refuse_foreign(&fit.engine, &wish.name, context).await?;
    }
    Box::pin(make_cluster(wish, &fit, context))
        .await
        .map_err(|failure| failure.leaving(Leftover::Tagged))
}

/// Refuses inputs that cannot be, before anything is made.
///
/// # Errors
/// [`Failure`] with exit code 2.
pub fn check(args: &InstallArgs) -> Result<(), Failure> {
    versions_of(args)?;
    kind::config(args.config.as_deref(), args.workers)?;
    kind::mirrors(args.registry_mirrors.as_ref().map_or(&[], |lines| &lines.0))?;
    clusters::check_name(&args.cluster).map_err(|error| theirs::renamed(args, error))?;
    Ok(())
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
    start_afresh(engine, name, context, deadline).await?;
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
        let earlier = context.store.record().cluster.as_ref();
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
        up::ready(&connected.client, kind::nodes(&wish.config), deadline),
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
    let launch = context.store.record().launch.as_ref();
    let on = |provider: &str| launch.is_some_and(|launch| launch.provider == provider);
    Ok(if on("ec2") || is_exact(args, context) {
        args.cluster.clone()
    } else {
        clusters::name(&args.cluster, context.run())
    })
}

/// Whether the record alone says whose cluster it is.
fn is_exact(args: &InstallArgs, context: &Context) -> bool {
    let launch = context.store.record().launch.as_ref();
    args.exact_name && launch.is_some_and(|launch| launch.provider == "local")
}

/// Refuses a name that a cluster of somebody else has: what is found under it afterwards is taken for this job's.
async fn refuse_foreign(engine: &Engine, name: &str, context: &Context) -> Result<(), Failure> {
    let is_ours = context.store.record().exact_cluster.as_deref() == Some(name);
    if is_ours || !clusters::exists(engine, name, context.deadline).await? {
        return Ok(());
    }
    let cause =
        format!("a cluster {name} is on this machine already, and this job did not make it");
    Err(Failure::new(Exit::BadInput, cause)
        .hint("give it another name, or delete that one: kind delete cluster --name NAME")
        .leaving(Leftover::None))
}

/// Removes what an interrupted try of this same job left under that name: half a cluster cannot be mended.
async fn start_afresh(
    engine: &Engine,
    name: &str,
    context: &mut Context,
    deadline: Deadline,
) -> Result<(), Failure> {
    if clusters::exists(engine, name, deadline).await? {
        tracing::warn!("a cluster {name} of an earlier try is there; it is removed and made again");
        tunnel::stop(&context.store, deadline).await;
        clusters::remove(engine, name, deadline).await?;
        context.store.update(|record| record.cluster = None)?;
    }
    Ok(())
}
