//! The end of what was found: instances first, then what they held, the security group last.
//!
//! One loop that looks and asks again for whatever is still there: it may be run twice, at the same time, and in the
//! middle of a launch. What is not permitted is not tried again.

use std::collections::BTreeMap;

use aws_sdk_ec2::Client;
use tokio::sync::Mutex;

use super::find::{INSTANCE, INTERFACE, Sought, VOLUME, look};
use crate::{
    limits::Deadline,
    provider::{
        Resource,
        ec2::{
            class::ErrorClass,
            errors::{Ec2Error, ask},
        },
    },
    wait::{self, Every, Status},
};

/// Why something could not be removed, by its id.
pub(crate) type Refusals = BTreeMap<String, String>;

/// Ends these in one region, and returns once they are gone, refused, or the deadline is there.
///
/// What is left then is told by another look, not by this one.
pub(crate) async fn destroy(
    ec2: &Client,
    region: &str,
    resources: &[Resource],
    deadline: Deadline,
) -> Result<Refusals, Ec2Error> {
    let refusals = Mutex::new(Refusals::new());
    let what = format!("the end of {} resources in {region}", resources.len());
    let waited = wait::until(what, deadline, Every::secs(1), async || {
        let left = look(ec2, region, Sought::These(resources), deadline).await?;
        let mut refusals = refusals.lock().await;
        for resource in &left {
            if refusals.contains_key(&resource.id) || !due(resource, &left) {
                continue;
            }
            match end(ec2, region, resource, deadline).await {
                Err(error) if for_good(&error) => {
                    tracing::warn!("{resource}: {error}");
                    refusals.insert(resource.id.clone(), error.to_string());
                }
                Err(error) => tracing::debug!("{resource}: {error}"),
                Ok(()) => {}
            }
        }
        // What a resource waits for that is refused stays too.
        let moving = left.iter().any(|one| {
            !refusals.contains_key(&one.id) && (one.kind == INSTANCE || due(one, &left))
        });
        if left.is_empty() || !(moving || refusals.is_empty()) {
            return Ok(Status::Ready(()));
        }
        let left: Vec<String> = left.iter().map(ToString::to_string).collect();
        Ok(Status::NotYet(left.join(", ")))
    })
    .await;
    match waited {
        Err(wait::WaitError::Failed(error)) => Err(error),
        Err(wait::WaitError::TimedOut { .. }) | Ok(()) => Ok(refusals.into_inner()),
    }
}

/// Asks for the end of instances, without a wait.
pub(crate) async fn terminate(
    ec2: &Client,
    region: &str,
    ids: &[String],
    deadline: Deadline,
) -> Result<(), Ec2Error> {
    let request = ec2
        .terminate_instances()
        .set_instance_ids(Some(ids.to_vec()));
    ask("TerminateInstances", region, deadline, request.send()).await?;
    tracing::info!("asked for the end of {}", ids.join(", "));
    Ok(())
}

/// Whether it is this one's turn: what an instance holds goes with it, and a group once nothing is in it.
fn due(resource: &Resource, left: &[Resource]) -> bool {
    match resource.kind {
        INSTANCE => resource.state != "shutting-down",
        VOLUME | INTERFACE => resource.state == "available",
        _ => !left
            .iter()
            .any(|other| matches!(other.kind, INSTANCE | INTERFACE)),
    }
}

async fn end(
    ec2: &Client,
    region: &str,
    resource: &Resource,
    deadline: Deadline,
) -> Result<(), Ec2Error> {
    let id = &resource.id;
    let done = match resource.kind {
        INSTANCE => terminate(ec2, region, std::slice::from_ref(id), deadline).await,
        VOLUME => ask(
            "DeleteVolume",
            region,
            deadline,
            ec2.delete_volume().volume_id(id).send(),
        )
        .await
        .map(drop),
        INTERFACE => {
            let request = ec2.delete_network_interface().network_interface_id(id);
            ask("DeleteNetworkInterface", region, deadline, request.send())
                .await
                .map(drop)
        }
        _ => {
            let request = ec2.delete_security_group().group_id(id);
            ask("DeleteSecurityGroup", region, deadline, request.send())
                .await
                .map(drop)
        }
    };
    match done {
        // Somebody else was faster.
        Err(error) if error.code().ends_with(".NotFound") => Ok(()),
        done => done,
    }
}

/// Whether asking again is of no use.
fn for_good(error: &Ec2Error) -> bool {
    matches!(
        error.class(),
        ErrorClass::Denied
            | ErrorClass::Credentials
            | ErrorClass::Input
            | ErrorClass::Quota
            | ErrorClass::Account
    ) && !error.code().ends_with(".InUse")
}

#[cfg(test)]
mod tests {
    use super::{super::find::GROUP, *};

    fn resource(kind: &'static str, state: &str) -> Resource {
        Resource {
            kind,
            id: format!("{kind}-1"),
            state: state.to_owned(),
            ..Resource::default()
        }
    }

    #[test]
    fn what_an_instance_holds_waits_for_it() {
        let instance = resource(INSTANCE, "running");
        let going = resource(INSTANCE, "shutting-down");
        let (held, loose) = (resource(VOLUME, "in-use"), resource(VOLUME, "available"));
        let group = resource(GROUP, "there");
        let all = [instance.clone(), held.clone(), group.clone()];
        assert!(due(&instance, &all) && !due(&held, &all) && !due(&group, &all));
        assert!(!due(&going, &all), "once is enough");
        assert!(due(&loose, &all) && due(&group, &[group.clone(), loose]));
    }
}
