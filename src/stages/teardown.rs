//! `teardown`: everything of this job (or run) is found by tags, ended, and proven gone by another query.
//!
//! It needs no record. Where there is one, what it knows is asked to end before anything is looked for.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    cli::{Scope, TeardownArgs},
    host::tunnel,
    limits::humane,
    provider::{self, Owner, Provider, Resource, ec2},
    report::{Exit, Failure, Leftover, escape_markdown},
    run::Run,
    stages::{Context, Outputs, Stage},
    wait,
};

/// A launch that was just killed may show up so late.
const LATE: Duration = Duration::from_secs(3);
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
    let mut found = provider.find(&owner, deadline).await?;
    if found.iter().all(|one| one.kind == "security group") {
        wait::pause(LATE.min(deadline.remaining())).await;
        found = provider.find(&owner, deadline).await?;
    }
    for resource in &found {
        tracing::info!("found {resource}");
    }
    // A part of the limit is for the proof: a list of what is left is worth more than the last try.
    let remaining = deadline.remaining();
    let part = deadline.within(remaining.saturating_sub(PROOF.min(remaining / 4)));
    let refused = provider.destroy(&found, part).await;
    let left = provider.prove_gone(&owner, deadline).await?;
    report(context, &found, &left);
    let mut instances: Vec<&str> = ids(&found, &left, "instance");
    // One that was asked to end first may have been gone before it could be found.
    instances.extend(
        recorded
            .as_deref()
            .filter(|id| !found.iter().chain(&left).any(|one| one.id == *id)),
    );
    if !left.is_empty() {
        return Err(leftovers(context, &owner, &left, refused, &instances));
    }
    refused?;
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
        .with("leftovers", ""))
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
    tell_leftovers(context, &others);
    Err(failure)
}

fn leftovers(
    context: &Context,
    owner: &Owner,
    left: &[Resource],
    refused: Result<(), Failure>,
    terminated: &[&str],
) -> Failure {
    let mut failure = Failure::new(
        Exit::Leftovers,
        format!("{} resources of {} are left", left.len(), describe(owner)),
    )
    .hint("run `teardown` again; what it may not remove is removed in the AWS console")
    .leaving(Leftover::Tagged);
    failure.details = left.iter().map(ToString::to_string).collect();
    if let Err(refused) = refused {
        failure.details.push(refused.line());
        failure.details.extend(refused.details);
    }
    tell_leftovers(context, left);
    if let Err(error) = context.files.output("terminated", &terminated.join("\n")) {
        tracing::warn!("cannot set the output `terminated`: {error}");
    }
    failure
}

/// The output is set although the step fails: that is when it is wanted.
fn tell_leftovers(context: &Context, left: &[Resource]) {
    let left: Vec<&str> = left.iter().map(|resource| resource.id.as_str()).collect();
    if let Err(error) = context.files.output("leftovers", &left.join("\n")) {
        tracing::warn!("cannot set the output `leftovers`: {error}");
    }
}

fn ids<'a>(found: &'a [Resource], left: &[Resource], kind: &str) -> Vec<&'a str> {
    found
        .iter()
        .filter(|one| one.kind == kind && !left.iter().any(|other| other.id == one.id))
        .map(|one| one.id.as_str())
        .collect()
}

fn describe(owner: &Owner) -> String {
    match &owner.job {
        Some(job) => format!("run {} job {job}", owner.run),
        None => format!("run {}", owner.run),
    }
}

/// What was proven, to the log and the job summary.
fn report(context: &Context, found: &[Resource], left: &[Resource]) {
    let now = Timestamp::now();
    let rows = found.iter().map(|resource| {
        let there = left.iter().find(|other| other.id == resource.id);
        let state = there.map_or("proven gone", |there| there.state.as_str());
        let used = resource
            .since
            .map(|since| format!("{} min", ec2::minutes(since, now)));
        let used = used.unwrap_or_default();
        let what = format!("{} {}", resource.kind, resource.id);
        tracing::info!("{what}: {state} {used}");
        format!("| {} | {state} | {used} |\n", escape_markdown(&what))
    });
    let mut rows: String = rows.collect();
    if rows.is_empty() {
        "| nothing was found | | |\n".clone_into(&mut rows);
    }
    let text = format!(
        "### teardown\n\n| resource | now | used |\n|---|---|---|\n{rows}\nDone in {}.\n\n",
        humane(context.deadline.elapsed())
    );
    if let Err(error) = context.files.summary(&text) {
        tracing::warn!("cannot write the job summary: {error}");
    }
}

/// Takes away what opened the door to a host that is gone.
fn forget(context: &mut Context) -> Result<(), Failure> {
    let record = context.store.record();
    let mut files: Vec<_> = ec2::SECRET_FILES
        .iter()
        .map(|name| context.store.path(name))
        .collect();
    files.extend(
        record
            .cluster
            .iter()
            .map(|cluster| cluster.kubeconfig.clone()),
    );
    for file in files
        .iter()
        .filter(|file| file.starts_with(context.store.dir()))
    {
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!("cannot remove {}: {error}", file.display());
            }
            _ => {}
        }
    }
    context.store.update(|record| {
        record.host = None;
        record.cluster = None;
        // Provider and region stay, for a teardown that is run again.
        if let Some(launch) = &mut record.launch {
            launch.instance_id = None;
            launch.security_group_id = None;
            launch.nonce = None;
        }
        for step in &mut record.steps {
            step.result.get_or_insert_with(|| "gone".into());
        }
    })?;
    Ok(())
}
