//! What a teardown tells: what it found, what is proven gone, what is left; and what is forgotten then.

use jiff::Timestamp;

use crate::{
    limits::humane,
    provider::{Owner, Resource, ec2},
    report::{Exit, Failure, Leftover, escape_markdown},
    stages::Context,
};

/// What was proven, to the log and the job summary.
pub(super) fn report(context: &Context, found: &[Resource], left: &[Resource]) {
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

/// What is left, as the failure of the stage, with both outputs set.
pub(super) fn leftovers(
    context: &Context,
    owner: &Owner,
    left: &[Resource],
    refused: Option<Failure>,
    terminated: &[&str],
) -> Failure {
    let mut failure = Failure::new(
        Exit::Leftovers,
        format!("{} resources of {} are left", left.len(), describe(owner)),
    )
    .hint("run `teardown` again; what it may not remove is removed in the AWS console")
    .leaving(Leftover::Tagged);
    failure.details = left.iter().map(ToString::to_string).collect();
    if let Some(refused) = refused {
        failure.details.push(refused.line());
        failure.details.extend(refused.details);
    }
    context.tell("leftovers", left.iter().map(|one| &one.id));
    context.tell("terminated", terminated);
    failure
}

/// The ids of one kind that are gone.
pub(super) fn ids<'a>(found: &'a [Resource], left: &[Resource], kind: &str) -> Vec<&'a str> {
    found
        .iter()
        .filter(|one| one.kind == kind && !left.iter().any(|other| other.id == one.id))
        .map(|one| one.id.as_str())
        .collect()
}

/// The owner in words.
pub(super) fn describe(owner: &Owner) -> String {
    match &owner.job {
        Some(job) => format!("run {} job {job}", owner.run),
        None => format!("run {}", owner.run),
    }
}

/// Takes away what opened the door to a host that is gone.
pub(super) fn forget(context: &mut Context) -> Result<(), Failure> {
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
