//! `teardown`: everything of this job (or run) is found by tags, ended, and proven gone by another query.
//!
//! It needs no record. Where there is one, what it knows is asked to end before anything is looked for. A host that is
//! to be kept after a failure is not ended, but made to end itself.

mod account;
mod keep;

use std::time::Duration;

use self::account::{describe, forget, ids, leftovers, report};
use crate::{
    cli::{Scope, TeardownArgs},
    host::tunnel,
    provider::{self, LATE, Owner, Provider},
    report::{Exit, Failure, Leftover},
    run::Run,
    stages::{Context, Outputs, Stage},
    wait,
};

/// What the proof by a last query may take of the limit.
const PROOF: Duration = Duration::from_secs(20);

/// Carries the stage out.
///
/// # Errors
/// [`Failure`]; exit code 4 when anything is left.
pub async fn run(args: &TeardownArgs, context: &mut Context) -> Result<Outputs, Failure> {
    let deadline = context.deadline;
    let known = launched_here(context);
    let owner = owner(args, context, known)?;
    // What is known here is of this run alone.
    let known = known && owner.run == context.run().id;
    let provider = provider::for_end(&args.whereabouts, context.store.record(), &context.env)?;
    let span = args.keep_on_failure.filter(|_| context.job_failed());
    if let Some(span) = span.filter(|_| known)
        && let Some(outputs) = keep::host(span, provider.as_ref(), context).await
    {
        return Ok(outputs);
    }
    // After a cancel there are minutes left: the end is asked for before anything is looked for.
    if known
        && context.job_cancelled()
        && let Err(failure) = provider.let_go(&mut context.store, deadline).await
    {
        tracing::warn!("{}", failure.line());
    }
    let recorded = context.store.record().launch.as_ref();
    let recorded = recorded
        .filter(|_| known)
        .and_then(|launch| launch.instance_id.clone());
    // A part of the limit is for the proof: a list of what is left is worth more than the last try.
    let remaining = deadline.remaining();
    let part = deadline.within(remaining.saturating_sub(PROOF.min(remaining / 4)));
    let mut ended = match provider.destroy(&owner, part).await {
        Ok(ended) => ended,
        Err(failure) => {
            // What cannot be looked for is asked to end all the same, where it is known.
            if known && let Err(more) = provider.let_go(&mut context.store, deadline).await {
                tracing::warn!("{}", more.line());
            }
            return Err(failure);
        }
    };
    if ended.found.is_empty() {
        wait::pause(LATE.min(part.remaining())).await;
        ended = provider.destroy(&owner, part).await?;
    }
    let found = ended.found;
    let left = provider.prove_gone(&owner, deadline).await?;
    report(context, &found, &left, ended.now);
    let mut instances: Vec<&str> = ids(&found, &left, "instance");
    // One that was asked to end first may have been gone before it could be found.
    instances.extend(
        recorded
            .as_deref()
            .filter(|id| !found.iter().chain(&left).any(|one| one.id == *id)),
    );
    if !left.is_empty() {
        return Err(leftovers(context, &owner, &left, ended.refused, &instances));
    }
    if let Some(failure) = ended.refused {
        return Err(failure);
    }
    if owner.job.is_some() && !known {
        refuse_wrong_job(provider.as_ref(), &owner, context).await?;
    }
    tracing::info!("nothing of {} is left", describe(&owner));
    if known {
        tunnel::stop(&context.store, deadline).await;
        forget(context)?;
    }
    Ok(Outputs::default()
        .with("terminated", instances.join("\n"))
        .with("leftovers", "")
        .with("kept-until", ""))
}

/// Whether `provision-ec2` ran here, in this job: then the record says which job this is.
fn launched_here(context: &Context) -> bool {
    let provision = Stage::ProvisionEc2.name();
    let stages = &context.store.record().stages;
    stages.iter().any(|stage| stage.stage == provision)
}

/// Whose things are meant.
fn owner(args: &TeardownArgs, context: &Context, known: bool) -> Result<Owner, Failure> {
    let workflow = Run::of_workflow(&context.env);
    // An unset variable of a shell is typed as an empty text.
    let asked = args
        .run_id
        .as_deref()
        .map(str::trim)
        .filter(|id| !id.is_empty());
    if asked.is_none() && workflow.is_none() && !known {
        return Err(Failure::new(Exit::BadInput, "nothing says which run to tear down")
            .hint("name it by `run-id`, as provision-ec2 printed it, or run this where provision-ec2 ran"));
    }
    let run = match (asked, &workflow) {
        (None, _) => context.run().id.clone(),
        // The bare number of a workflow run, as `github.run_id` has it.
        (Some(id), Some(run)) if id.bytes().all(|b| b.is_ascii_digit()) => {
            let repository = run
                .id
                .rsplit_once('-')
                .map_or("", |(repository, _)| repository);
            format!("{repository}-{id}")
        }
        (Some(id), _) => id.to_owned(),
    };
    Ok(Owner {
        run,
        job: (args.scope == Scope::Job).then(|| context.run().job.clone()),
    })
}

/// A clean report about the wrong job would be worse than none.
async fn refuse_wrong_job(
    provider: &dyn Provider,
    owner: &Owner,
    context: &Context,
) -> Result<(), Failure> {
    let others = provider
        .find(&Owner::run(&owner.run), context.deadline)
        .await?;
    if others.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::new(
        Exit::Leftovers,
        format!(
            "nothing of {} is there, but other jobs of the run have resources",
            describe(owner)
        ),
    )
    .hint("set `scope: run` to tear down every job of the run")
    .leaving(Leftover::Tagged);
    failure.details = others.iter().map(ToString::to_string).collect();
    context.tell("leftovers", others.iter().map(|one| &one.id));
    Err(failure)
}
