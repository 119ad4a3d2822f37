//! `deploy-manifests`: builds once, lints, applies each object once in order, waits until everything is ready.

use std::path::Path;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{
    cli::{DeployArgs, Order},
    cluster::{
        self,
        build::{self, Rendered},
        deploy::{DeployError, Journal, Plan, REPORT, carry_out},
        images,
    },
    github::commands,
    limits::humane,
    record::write_private,
    report::{Exit, Failure, Leftover, escape_markdown},
    stages::{Context, Outputs},
    tools,
};

/// The same as a table: tab-separated, times in milliseconds since the begin.
const TIMING: &str = "deploy-timing.tsv";

/// Builds the manifests and reads their objects; nothing is asked of a cluster.
///
/// # Errors
/// [`Failure`]: bad input, or a network that fails.
pub async fn build(args: &DeployArgs, context: &Context) -> Result<Rendered, Failure> {
    let lines = args.manifests.as_ref().map_or(&[][..], |lines| &lines.0);
    if lines.is_empty() {
        return Err(
            Failure::new(Exit::BadInput, "no manifests are named").hint(
                "set manifests to a kustomize directory, a file or a URL, for example `manifests: example`",
            ),
        );
    }
    let sources = build::sources(lines)?;
    let needs_kustomize = sources.iter().any(|(_, source)| source.needs_kustomize());
    let kustomize = if needs_kustomize {
        tools::kustomize(&context.env, &context.store, None, context.deadline).await?
    } else {
        Path::new("kustomize").to_owned()
    };
    let mut rendered = build::render(&sources, &kustomize, context.deadline).await?;
    if let Some(overrides) = &args.image_overrides {
        images::override_all(&mut rendered.objects, overrides);
    }
    Ok(rendered)
}

/// Carries the stage out.
///
/// # Errors
/// [`Failure`].
pub async fn run(
    args: &DeployArgs,
    kubeconfig: Option<&Path>,
    context: &mut Context,
) -> Result<Outputs, Failure> {
    let rendered = build(args, context).await?;
    deploy(rendered, args, kubeconfig, context).await
}

/// Applies what was built, and waits for it.
///
/// # Errors
/// [`Failure`].
pub async fn deploy(
    rendered: Rendered,
    args: &DeployArgs,
    kubeconfig: Option<&Path>,
    context: &mut Context,
) -> Result<Outputs, Failure> {
    let hash = hex::encode(Sha256::digest(rendered.text.as_bytes()));
    write_private(
        &context.store.path("rendered.yaml"),
        rendered.text.as_bytes(),
    )?;
    tracing::info!(
        "built {} objects in {} (sha256 {})",
        rendered.objects.len(),
        humane(context.deadline.elapsed()),
        &hash[..12]
    );
    let objects = rendered.objects;

    let deadline = context.deadline;
    let connected = cluster::connect(kubeconfig, &context.env, &context.store, deadline).await?;
    let legacy = args.order == Order::Legacy;
    let planning = Plan::new(&connected.once, &connected.version, objects, legacy);
    let plan = deadline
        .bound(planning)
        .await
        .map_err(|passed| Failure::new(Exit::TimeLimit, passed.to_string()))??;
    tracing::info!(
        "applying {} objects to {} ({})",
        plan.objects.len(),
        connected.server,
        connected.version
    );
    let (journal, result) = carry_out(&connected.once, &plan, args.wait, deadline).await;

    let report = context.store.path(REPORT);
    let text = json!({
        "server": connected.version,
        "sha256": hash,
        "order": if legacy { "legacy" } else { "gated" },
        "wait": args.wait,
        "passed": result.is_ok(),
        "cause": result.as_ref().err().map(ToString::to_string),
        "deployment": &journal,
    });
    write_private(&report, text.to_string().as_bytes())?;
    let table = journal.table();
    write_private(&context.store.path(TIMING), table.as_bytes())?;
    if context.env.on_runner() {
        commands::folded("when each object was sent, accepted and ready", &table);
    }
    if let Err(error) = context.files.summary(&summary(&journal, result.is_ok())) {
        tracing::warn!("cannot write the job summary: {error}");
    }
    result.map_err(|error| {
        let before = matches!(error, DeployError::Lint(_) | DeployError::Set(_));
        let failure = Failure::from(error);
        failure.leaving(if before {
            Leftover::None
        } else {
            Leftover::Tagged
        })
    })?;
    Ok(Outputs::default()
        .with("objects", plan.objects.len().to_string())
        .with("report", report.display().to_string()))
}

/// How many of each kind, and the slowest, as Markdown.
fn summary(journal: &Journal, passed: bool) -> String {
    const SLOWEST: usize = 10;
    let mut text = format!(
        "### {} deploy-manifests: {} of {} objects accepted\n\n",
        if passed { "✅" } else { "❌" },
        journal.accepted_count(),
        journal.objects.len()
    );
    let mut slowest: Vec<_> = journal
        .objects
        .iter()
        .filter_map(|entry| Some((entry.ready? - entry.accepted?, entry)))
        .filter(|(took, _)| *took >= 1000)
        .collect();
    slowest.sort_by_key(|(took, _)| std::cmp::Reverse(*took));
    if !slowest.is_empty() {
        text.push_str("| slowest to be ready | seconds |\n|---|---:|\n");
    }
    for (took, entry) in slowest.into_iter().take(SLOWEST) {
        let object = escape_markdown(&entry.object);
        let seconds = std::time::Duration::from_millis(took).as_secs_f64();
        text.extend([format!("| {object} | {seconds:.1} |\n")]);
    }
    let missing: Vec<_> = journal
        .objects
        .iter()
        .filter(|it| !it.missing.is_empty())
        .collect();
    if !passed && !missing.is_empty() {
        text.push_str("\n| not ready | missing |\n|---|---|\n");
        for entry in missing.iter().take(50) {
            let (object, missing) = (
                escape_markdown(&entry.object),
                escape_markdown(&entry.missing),
            );
            text.extend([format!("| {object} | {missing} |\n")]);
        }
    }
    text
}
