//! `deploy-manifests`: builds once, lints, applies each object once in order, waits until everything is ready, removes
//! what left the set.

mod dry_run;
mod lint;
mod report;
mod source;

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::{
    cli::{DeployArgs, Order, Pods},
    cluster,
    deploy::{
        DeployError, Plan, carry_out,
        inventory::{Inventory, Necessity},
        prune, unchanged,
    },
    limits::{Deadline, Limit, humane},
    record::write_private,
    report::Failure,
    set::build::Rendered,
    stages::{Context, Outputs, own_first},
};

pub use source::build;

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
    let Rendered {
        text,
        objects,
        findings: found,
        took,
    } = rendered;
    let hash = hex::encode(Sha256::digest(text.as_bytes()));
    write_private(&context.store.path("rendered.yaml"), text.as_bytes())?;
    drop(text);
    tracing::info!(
        "built {} objects in {} (sha256 {})",
        objects.len(),
        humane(took),
        &hash[..12]
    );
    if args.lint_only {
        return Box::pin(lint::only((objects, found), args, kubeconfig, context)).await;
    }

    let deadline = context.deadline;
    let connected = cluster::connect(kubeconfig, &context.env, &context.store, deadline).await?;
    let client = &connected.client;
    let legacy = args.order == Order::Legacy;
    let draft = lint::read(&connected, objects, args, context).await?;
    let graph = draft.graph(legacy);
    lint::picture(args, &draft.objects, &graph)?;
    let images = lint::images_meanwhile(&draft, &connected, context);
    let mut findings = [found, draft.findings.clone()].concat();
    let mut plan = Plan::of(draft, graph)?;
    plan.recreates = args.recreate;
    plan.waits_for_namespaces = args.pods == Pods::Namespaces;
    if let Some(rules) = &args.ready_when {
        plan = plan.with_ready_when(rules);
    }
    lint::tell(&findings, context);
    let reach = args.prune.reach();
    let need = if reach.is_some() {
        Necessity::Must
    } else {
        Necessity::May
    };
    let mut inventory = Inventory::read(client, &args.inventory, need, deadline).await?;
    if args.dry_run {
        return dry_run::show(client, &plan, &inventory, reach, context).await;
    }
    let known = deadline.bound(unchanged(client, &plan, &inventory)).await;
    let known = known.unwrap_or_default();
    context.writes = true;
    inventory.intend(client, &plan.contents(), deadline).await?;
    tracing::info!(
        "applying {} objects to {} ({}), {} of them unchanged",
        plan.objects.len(),
        connected.server,
        connected.version,
        known.len()
    );
    let (journal, result) = carry_out(client, &plan, known, args.wait, deadline).await;
    // After the limit too, a moment is enough; and who is lost is not asked for minutes again.
    let is_lost = matches!(result, Err(DeployError::Lost { .. }));
    let moment = if is_lost || deadline.passed() {
        Deadline::after(Limit::secs(2))
    } else {
        deadline
    };
    let lines = journal.lines(&plan);
    if let Err(error) = inventory.note(client, &lines, &[], moment).await {
        tracing::warn!("{error}; the next deploy sends everything again");
    }
    let result = match result {
        Ok(()) => prune::prune(client, &plan, &journal, &mut inventory, reach, deadline)
            .await
            .map_err(Failure::from),
        Err(error) => Err(Failure::from(error)),
    };
    findings.extend(images.end().await);

    let told = report::DeployReport {
        version: &connected.version,
        hash: &hash,
        legacy,
        wait: args.wait,
        findings: &findings,
        journal: &journal,
        result: &result,
    };
    let left = told.leave(context);
    own_first(result, left)?;
    Ok(Outputs::default().with("objects", plan.objects.len().to_string()))
}
