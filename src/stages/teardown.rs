//! `teardown`: everything of this job (or run) is found by tags, ended, and proven gone by another query.
//!
//! It needs no record. Where there is one, an instance that it knows and that is not listed yet is waited for; after a
//! cancel, and at a signal, its end is requested before anything is looked for. A host that is to be kept after a failure
//! is not ended, but made to end itself.

mod account;
mod keep;
mod owner;

use std::time::Duration;

use self::{
    account::{describe, forget, ids, leftovers, report},
    owner::{launched_here, owner, refuse_wrong_job},
};
use crate::{
    cli::TeardownArgs,
    host::tunnel,
    limits::Deadline,
    provider::{self, DestroyOutcome, KnownLaunches, Owner, Provider, SECOND_LOOK},
    report::Failure,
    stages::{Context, Outputs},
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
    if known && context.job_cancelled() {
        let_go(provider.as_ref(), context).await;
    }
    let launches = known.then(|| KnownLaunches::of(context.store.record()));
    let launches = launches.as_ref();
    let recorded = context.store.record().launch.as_ref();
    let recorded = recorded
        .filter(|_| known)
        .and_then(|launch| launch.instance_id.clone());
    // A part of the limit is for the proof: a list of what is left is worth more than the last try.
    let remaining = deadline.remaining();
    let part = deadline.within(remaining.saturating_sub(PROOF.min(remaining / 4)));
    let mut ended = match end(provider.as_ref(), &owner, launches, context, part).await {
        Ok(ended) => ended,
        Err(failure) => {
            // What cannot be looked for is asked to end all the same, where it is known.
            if known {
                let_go(provider.as_ref(), context).await;
            }
            return Err(failure);
        }
    };
    // A launch that was waited for needs no second look, and of another nothing may be known here.
    if ended.found.is_empty() && launches.is_none_or(|known| known.instances.is_empty()) {
        wait::pause(SECOND_LOOK.min(part.remaining())).await;
        ended = end(provider.as_ref(), &owner, launches, context, part).await?;
    }
    let found = ended.found;
    let left = provider.prove_gone(&owner, deadline).await?;
    let (left, in_use) = owner.part(left, deadline).await;
    report(context, &found, &left, &in_use, ended.now);
    let mut instances: Vec<&str> = ids(&found, &left, "instance");
    // One that was asked to end first may have been gone before it could be found.
    instances.extend(
        recorded
            .as_deref()
            .filter(|id| !found.iter().chain(&left).any(|one| one.id == *id)),
    );
    if !left.is_empty() {
        let (left, refused) = ((&left[..], &in_use[..]), ended.refused);
        return Err(leftovers(context, &owner, left, refused, &instances));
    }
    if let Some(failure) = ended.refused {
        return Err(failure);
    }
    // What was found is this job's: no other job has its name.
    if owner.job.is_some() && !known && found.is_empty() {
        refuse_wrong_job(provider.as_ref(), &owner, context).await?;
    }
    if known {
        tunnel::stop(&context.store, deadline).await;
        forget(context)?;
    }
    if !in_use.is_empty() {
        return Err(leftovers(context, &owner, (&[], &in_use), None, &instances));
    }
    tracing::info!("nothing of {} is left", describe(&owner));
    Ok(Outputs::default()
        .with("terminated", instances.join("\n"))
        .with("leftovers", "")
        .with("kept-until", ""))
}

/// Ends what is the owner's. At the first signal what is known is asked to end at once: a second one ends the process.
async fn end(
    provider: &dyn Provider,
    owner: &Owner,
    known: Option<&KnownLaunches>,
    context: &mut Context,
    deadline: Deadline,
) -> Result<DestroyOutcome, Failure> {
    let mut ending = provider.destroy(owner, known, deadline);
    if known.is_some() && !context.job_cancelled() {
        let cancelled = context.cancelled.clone();
        tokio::select! {
            ended = &mut ending => return ended,
            () = cancelled.signalled() => {}
        }
        let (ended, ()) = tokio::join!(ending, let_go(provider, context));
        return ended;
    }
    ending.await
}

/// Asks for the end of what the record knows, before it is looked for.
async fn let_go(provider: &dyn Provider, context: &mut Context) {
    let deadline = context.deadline;
    if let Err(failure) = provider.let_go(&mut context.store, deadline).await {
        tracing::warn!("{}", failure.line());
    }
}
