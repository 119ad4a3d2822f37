//! `deploy-manifests --dry-run`: shows what would change; nothing is written to the cluster.

use kube::Client;
use serde_json::json;

use crate::{
    deploy::{
        Plan, REPORT, diff,
        inventory::Inventory,
        prune::{self, Reach},
    },
    record::write_private,
    report::{self, Exit, Failure, Leftover},
    stages::{Context, Outputs},
};

/// Holds the set against the cluster, and what the set had against what it has.
pub(super) async fn show(
    client: &Client,
    plan: &Plan,
    inventory: &Inventory,
    reach: Option<Reach>,
    context: &Context,
) -> Result<Outputs, Failure> {
    let deadline = context.deadline;
    let mut preview = diff::preview(client, plan, deadline)
        .await
        .map_err(|refusal| {
            let cause = format!("cannot ask what would change: {}", refusal.message);
            Failure::new(Exit::Infrastructure, cause).leaving(Leftover::None)
        })?;
    if let Some(reach) = reach {
        let left = inventory.left(plan.ids());
        let elsewhere = inventory.elsewhere(client, deadline).await?;
        let pruning = prune::decide(client, plan, left, &elsewhere, reach, deadline).await?;
        preview.prune(&pruning);
    }
    let text = preview.text();
    report::show(&text, context.env.on_runner());
    let file = context.store.path("deploy.diff");
    write_private(&file, text.as_bytes())?;
    let data = context.store.path(REPORT);
    write_private(&data, json!({"dry-run": &preview}).to_string().as_bytes())?;
    context.tell("diff", [file.display().to_string()]);
    context.tell("report", [data.display().to_string()]);
    tracing::info!("dry run, nothing was written: {}", preview.summary());
    context.summarize(&preview.markdown());
    let mut refused = preview.refused();
    if !refused.is_empty() {
        let cause = format!("the cluster would refuse {}", refused.remove(0));
        let mut failure = Failure::new(Exit::TestFailed, cause).leaving(Leftover::None);
        failure.details = refused;
        return Err(failure);
    }
    Ok(Outputs::default().with("objects", plan.objects.len().to_string()))
}
