//! What an earlier launch of this job created: adopted by its client token, or a reason to refuse a second launch.

use aws_sdk_ec2::{Client, types::Instance};

use super::{
    ready::reason_of_end,
    request::{Candidate, LaunchSession},
    spec::LaunchSpec,
};
use crate::{
    limits::Deadline,
    provider::{
        Resource,
        ec2::{
            RUN_INSTANCES,
            end::{INSTANCE, ResourceQuery, find, living},
            errors::{Ec2Error, ask},
            filter,
        },
    },
    record::Store,
    report::{Exit, Failure, Leftover},
    run::{Run, TAG_JOB, TAG_RUN},
};

/// The instance of this job that was launched under a token, whatever its state.
///
/// It filters by this job's tags too: an instance of another job is never adopted.
pub(crate) async fn by_token(
    ec2: &Client,
    region: &str,
    run: &Run,
    token: &str,
    deadline: Deadline,
) -> Result<Option<Instance>, Ec2Error> {
    let request = ec2
        .describe_instances()
        .filters(filter("client-token", [token]))
        .filters(filter(&format!("tag:{TAG_RUN}"), [&run.id]))
        .filters(filter(&format!("tag:{TAG_JOB}"), [&run.job]));
    let answer = ask("DescribeInstances", region, deadline, request.send()).await?;
    let reservations = answer.reservations.unwrap_or_default().into_iter();
    Ok(reservations
        .flat_map(|reservation| reservation.instances.unwrap_or_default())
        .next())
}

/// Refuses a launch when the request whose answer was lost is not among the candidates any more and was carried out.
pub(crate) async fn refuse_another(
    ec2: &Client,
    session: &LaunchSession,
    store: &Store,
    candidates: &[Candidate],
    deadline: Deadline,
) -> Result<(), Failure> {
    let open = session.open.as_ref();
    let Some(open) = open.filter(|open| !candidates.iter().any(|one| open.is(one))) else {
        return Ok(());
    };
    let launch = store.record().launch.as_ref();
    let region = launch.and_then(|launch| launch.region.as_deref());
    let region = region.unwrap_or_default();
    let found = by_token(ec2, region, store.run(), &open.token, deadline).await?;
    match found.filter(|instance| reason_of_end(region, instance).is_none()) {
        Some(instance) => Err(there_is(instance.instance_id().unwrap_or_default())),
        None => Ok(()),
    }
}

fn there_is(id: &str) -> Failure {
    Failure::new(
        Exit::BadInput,
        format!("this job has an instance already: {id}"),
    )
    .hint("run `teardown` first")
    .leaving(Leftover::Tagged)
}

/// Refuses a second instance for this job: it would cost money and never be used, since the record has room for one.
pub(crate) async fn refuse_a_second(
    ec2: &Client,
    store: &Store,
    spec: &LaunchSpec,
    deadline: Deadline,
) -> Result<(), Failure> {
    let recorded = store.record().launch.as_ref();
    let region = recorded.and_then(|launch| launch.region.as_deref());
    if region.is_some_and(|region| region != spec.region)
        && (store.open_step(RUN_INSTANCES).is_some()
            || recorded.is_some_and(|launch| launch.instance_id.is_some()))
    {
        let region = region.unwrap_or_default();
        return Err(Failure::new(
            Exit::BadInput,
            format!("this job has launched in {region} already"),
        )
        .hint("run `teardown` first")
        .leaving(Leftover::Tagged));
    }
    let Some(id) = recorded.and_then(|launch| launch.instance_id.clone()) else {
        return Ok(());
    };
    let known = [Resource {
        kind: INSTANCE,
        id,
        ..Resource::default()
    }];
    let found = find(ec2, &spec.region, ResourceQuery::These(&known), deadline).await?;
    match living(found).next() {
        None => Ok(()),
        Some(id) => Err(there_is(&id)),
    }
}
