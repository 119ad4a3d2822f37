//! What a teardown tells: what it found, what is proven gone, what is left; and what is forgotten then.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::{
    limits::humane,
    provider::{
        Owner, Resource,
        ec2::{
            self,
            price::{AS_OF, dollars, hourly},
        },
    },
    report::{Exit, Failure, Leftover, escape_markdown},
    stages::Context,
};

/// Why something of another job stays.
const IN_PROGRESS: &str = "its job is in progress";

/// What was proven, to the log and the job summary.
///
/// `now` is the time by the cloud's own clock, where it told it: what was used is counted by one clock alone.
pub(super) fn report(
    context: &Context,
    found: &[Resource],
    left: &[Resource],
    in_use: &[Resource],
    now: Option<Timestamp>,
) {
    let now = now.unwrap_or_else(Timestamp::now);
    let mut rows = String::new();
    let mut priced = false;
    for resource in found {
        let there = left.iter().find(|other| other.id == resource.id);
        let state = there.map_or("proven gone", |there| there.state.as_str());
        let (used, cost) = used(resource, now);
        priced |= !cost.is_empty();
        let what = format!("{} {}", resource.kind, resource.id);
        tracing::info!("{what}: {state} {used} {cost}");
        let what = escape_markdown(&what);
        let _ = writeln!(rows, "| {what} | {state} | {used} | {cost} |");
    }
    for resource in in_use {
        let what = format!("{} {}", resource.kind, resource.id);
        tracing::info!("{what}: stays, {IN_PROGRESS}");
        let _ = writeln!(
            rows,
            "| {} | stays, {IN_PROGRESS} | | |",
            escape_markdown(&what)
        );
    }
    if rows.is_empty() {
        "| nothing was found | | | |\n".clone_into(&mut rows);
    }
    let priced = if priced {
        format!(" Cost: an estimate by the on-demand price of {AS_OF}, without disk and traffic.")
    } else {
        String::new()
    };
    let text = format!(
        "### teardown\n\n| resource | now | used | cost |\n|---|---|---|---|\n{rows}\nDone in {}.{priced}\n\n",
        humane(context.deadline.elapsed())
    );
    context.summarize(&text);
}

/// For how long something was paid for and what that costs at most, each empty where it is not known.
fn used(resource: &Resource, now: Timestamp) -> (String, String) {
    let Some(since) = resource.since else {
        return (String::new(), String::new());
    };
    let minutes = ec2::minutes(since, now);
    let hourly = resource
        .region
        .as_deref()
        .zip(resource.instance_type.as_deref())
        .and_then(|(region, instance_type)| hourly(region, instance_type));
    let cost = hourly.map(|hourly| {
        let hours = f64::from(u32::try_from(minutes).unwrap_or(u32::MAX)) / 60.0;
        format!("≤ {}", dollars(hourly * hours))
    });
    (format!("{minutes} min"), cost.unwrap_or_default())
}

/// What is left, as the failure of the stage, with both outputs set. Beside what should be gone: what jobs in progress use.
pub(super) fn leftovers(
    context: &Context,
    owner: &Owner,
    (left, in_use): (&[Resource], &[Resource]),
    refused: Option<Failure>,
    terminated: &[&str],
) -> Failure {
    let cause = if left.is_empty() {
        let count = in_use.len();
        format!(
            "{count} resources of {} stay: their jobs are in progress",
            describe(owner)
        )
    } else {
        format!("{} resources of {} are left", left.len(), describe(owner))
    };
    let mut failure = Failure::new(Exit::Leftovers, cause).hint(if left.is_empty() {
        "run `teardown` again once these jobs are over; each removes its own by `scope: job`"
    } else if left.iter().any(|one| one.region.is_some()) {
        "run `teardown` again; what it may not remove is removed in the AWS console"
    } else {
        "run `teardown` again; what Docker cannot remove is gone after a restart of this machine"
    })
    .leaving(Leftover::Tagged);
    failure.details = left.iter().map(ToString::to_string).collect();
    let used_ones = in_use.iter().map(|one| format!("{one}: {IN_PROGRESS}"));
    failure.details.extend(used_ones);
    if let Some(refused) = refused {
        failure.details.push(refused.line());
        failure.details.extend(refused.details);
    }
    context.tell("leftovers", left.iter().chain(in_use).map(|one| &one.id));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_is_counted_in_minutes_and_priced_where_the_price_is_known() {
        let now: Timestamp = "2026-11-21T12:30:00Z".parse().unwrap();
        let mut instance = Resource {
            kind: "instance",
            region: Some("us-east-1".to_owned()),
            instance_type: Some("m7i.2xlarge".to_owned()),
            since: Some("2026-11-21T12:00:01Z".parse().unwrap()),
            ..Resource::default()
        };
        let told = used(&instance, now);
        assert_eq!((told.0.as_str(), told.1.as_str()), ("30 min", "≤ $0.20"));
        instance.region = Some("eu-west-9".to_owned());
        assert_eq!(used(&instance, now), ("30 min".to_owned(), String::new()));
        instance.since = None;
        assert_eq!(used(&instance, now), (String::new(), String::new()));
    }
}
