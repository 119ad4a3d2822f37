//! `commands`: what a comment on a pull request asks for, and whether its author may. It runs nothing.

use serde_json::json;

use crate::{
    cli::CommandsArgs,
    commands::{self, Event, HoldNames},
    github::api::Api,
    report::{self, Failure, Leftover},
    stages::{Context, Outputs, Stage},
};

/// Carries the stage out.
///
/// # Errors
/// [`Failure`]: another event, or GitHub does not say who may what; then nothing is to run.
pub async fn run(args: &CommandsArgs, context: &mut Context) -> Result<Outputs, Failure> {
    carry_out(args, context)
        .await
        .map_err(|failure| failure.leaving(Leftover::None))
}

async fn carry_out(args: &CommandsArgs, context: &mut Context) -> Result<Outputs, Failure> {
    let event = Event::of(&context.env)?;
    let api = Api::new(&context.env)?;
    let deadline = context.deadline;
    let decision = commands::decide(&event, &args.jobs.0, &api, deadline).await?;
    let names = HoldNames {
        label: &args.hold_label,
        status: &args.hold_status,
    };
    commands::hold(&event, &decision, names, &api, deadline).await?;
    if decision.is_heard {
        // On a runner it is the one way to say something to the author.
        if let Err(error) = commands::react(&event, &decision, &api, deadline).await {
            tracing::warn!("the comment gets no sign: {error}");
        }
        report::warn(Stage::Commands, &decision.refused, context.env.on_runner());
    } else {
        for why in &decision.refused {
            tracing::info!("nothing to do: {why}");
        }
    }
    let sha = decision.sha.unwrap_or_default();
    if !decision.jobs.is_empty() {
        tracing::info!("to run on {sha}: {}", decision.jobs.join(", "));
    }
    let hold = decision
        .hold
        .map_or_else(String::new, |hold| hold.to_string());
    Ok(Outputs::default()
        .with("run", (!decision.jobs.is_empty()).to_string())
        .with("jobs", json!(decision.jobs).to_string())
        .with("sha", sha)
        .with("pull", event.number.to_string())
        .with("fork", decision.is_fork.to_string())
        .with("hold", hold)
        .with("why", decision.refused.join("; ")))
}
