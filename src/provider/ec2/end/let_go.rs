//! The end of a launch that was cut short: it is asked for within seconds, and not waited for.

use std::time::Duration;

use serde_json::json;

use super::{
    destroy::terminate,
    find::{ResourceQuery, find, living},
};
use crate::{
    limits::Deadline,
    provider::{
        Owner,
        ec2::{
            RUN_INSTANCES,
            access::{Access, Ec2Api},
            errors::Ec2Error,
        },
    },
    record::Store,
    report::Failure,
    wait::{self, Every, Status},
};

/// How long to look for an instance whose launch has no answer yet. A cancelled step lives for 7.5 s.
const LET_GO_LIMIT: Duration = Duration::from_millis(4500);

/// Asks for the end of what the record says was launched, at once.
///
/// # Errors
/// [`Failure`] where EC2 did not take it within some seconds.
pub(crate) async fn let_go(
    access: &Access,
    store: &mut Store,
    deadline: Deadline,
) -> Result<(), Failure> {
    let Some(launch) = store.record().launch.clone() else {
        return Ok(());
    };
    let open = store.open_step(RUN_INSTANCES).is_some();
    let Some(region) = launch
        .region
        .filter(|_| open || launch.instance_id.is_some())
    else {
        return Ok(());
    };
    let deadline = deadline.within(LET_GO_LIMIT);
    let ec2 = Ec2Api::open(access, deadline).await?.region(&region);
    let ids = if let Some(id) = launch.instance_id {
        vec![id]
    } else {
        // Its answer was not waited for: the instance may come up yet.
        let owner = Owner::job(store.run());
        let what = "the instance whose launch was cut short";
        wait::until(what, deadline, Every::millis(300), async || {
            let found = find(&ec2, &region, ResourceQuery::Of(&owner), deadline).await?;
            let ids: Vec<String> = living(found).collect();
            Ok(if ids.is_empty() {
                Status::NotYet("none is there".to_owned())
            } else {
                Status::Ready(ids)
            })
        })
        .await
        .map_err(Ec2Error::waited)?
    };
    // A record that cannot be written any more must not keep the instance alive.
    if let Err(error) = store.intend("TerminateInstances", json!({"ids": ids})) {
        tracing::warn!("{error}");
    }
    let what = format!("EC2 to take the end of {}", ids.join(", "));
    wait::until(what, deadline, Every::millis(300), async || {
        match terminate(&ec2, &region, &ids, deadline).await {
            // Launched a moment ago, it may not be known everywhere.
            Err(error) if error.code() == "InvalidInstanceID.NotFound" => {
                Ok(Status::NotYet(error.to_string()))
            }
            asked => asked.map(Status::Ready),
        }
    })
    .await
    .map_err(Ec2Error::waited)?;
    if let Err(error) = store.achieve("TerminateInstances", json!({"asked": true})) {
        tracing::warn!("{error}");
    }
    Ok(())
}
