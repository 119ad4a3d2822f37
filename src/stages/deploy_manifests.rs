//! `deploy-manifests`: builds once, lints, applies each object once in order, waits until everything is ready, removes
//! what left the set.

mod dry_run;
mod lint;

use std::path::Path;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{
    cli::{DeployArgs, Order, Prune},
    cluster::{
        self,
        build::{self, Rendered},
        deploy::{DeployError, Plan, REPORT, carry_out, unchanged},
        draw::Form,
        images,
        inventory::{Inventory, Need},
        lint::{LintError, Severity, duplicates},
        prune::{self, Reach},
    },
    github::commands,
    limits::{Deadline, Limit, humane},
    record::write_private,
    report::{Exit, Failure, Leftover},
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
    if let Some(file) = &args.graph {
        Form::of(file)?;
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
    if !args.lint_only {
        // What can be refused before there is a cluster, is: one may have to be made first.
        LintError::refuse(duplicates::check(&rendered.objects), Severity::Fatal)?;
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
    let Rendered { text, objects } = rendered;
    let hash = hex::encode(Sha256::digest(text.as_bytes()));
    write_private(&context.store.path("rendered.yaml"), text.as_bytes())?;
    drop(text);
    tracing::info!(
        "built {} objects in {} (sha256 {})",
        objects.len(),
        humane(context.deadline.elapsed()),
        &hash[..12]
    );
    if args.lint_only {
        return Box::pin(lint::only(objects, args, kubeconfig, context)).await;
    }

    let deadline = context.deadline;
    let connected = cluster::connect(kubeconfig, &context.env, &context.store, deadline).await?;
    let client = &connected.once;
    let legacy = args.order == Order::Legacy;
    let draft = lint::read(&connected, objects, args, context).await?;
    let graph = draft.graph(legacy);
    lint::picture(args, &draft.objects, &graph)?;
    let images = lint::images_meanwhile(&draft, &connected, context);
    let mut findings = draft.findings.clone();
    let plan = Plan::of(draft, graph)?;
    lint::tell(&findings, context);
    let reach = reach(args.prune);
    let need = if reach.is_some() {
        Need::Must
    } else {
        Need::May
    };
    let mut inventory = Inventory::read(client, &args.inventory, need, deadline).await?;
    if args.dry_run {
        return dry_run::show(client, &plan, &inventory, reach, context).await;
    }
    let known = deadline.bound(unchanged(client, &plan, &inventory)).await;
    let known = known.unwrap_or_default();
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
        Err(error) => Err(Failure::from(error).leaving(Leftover::Tagged)),
    };
    findings.extend(images.end().await);

    let report = context.store.path(REPORT);
    let text = json!({
        "server": connected.version,
        "sha256": hash,
        "order": if legacy { "legacy" } else { "gated" },
        "wait": args.wait,
        "lint": &findings,
        "passed": result.is_ok(),
        "cause": result.as_ref().err().map(|failure| &failure.cause),
        "pruned": result.as_ref().ok(),
        "deployment": &journal,
    });
    write_private(&report, text.to_string().as_bytes())?;
    let table = journal.table();
    write_private(&context.store.path(TIMING), table.as_bytes())?;
    if context.env.on_runner() {
        commands::folded("when each object was sent, accepted and ready", &table);
    }
    if let Err(error) = context.files.summary(&journal.markdown(result.is_ok())) {
        tracing::warn!("cannot write the job summary: {error}");
    }
    lint::summarize(&findings, context);
    result?;
    Ok(Outputs::default()
        .with("objects", plan.objects.len().to_string())
        .with("report", report.display().to_string()))
}

/// How far a prune reaches, if there is to be one.
fn reach(prune: Prune) -> Option<Reach> {
    match prune {
        Prune::False => None,
        Prune::True => Some(Reach::Plain),
        Prune::All => Some(Reach::All),
    }
}
