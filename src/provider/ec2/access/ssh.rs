//! Who may come in at port 22: whoever is named, else this machine, whose address may change while a job lives.
//!
//! A runner behind a pool of addresses leaves by another one now and then; to the host it is a stranger then, and what it
//! sends is dropped without a word. The new address is let in and the old one is not any more. Nobody is let in whose
//! address was named, and no group is touched that is not this job's.

use std::{convert::Infallible, time::Duration};

use aws_sdk_ec2::Client;
use serde_json::json;

use super::{client::Api, session::Access};
use crate::{
    host::presence::knock,
    inputs::Environment,
    limits::Deadline,
    provider::ec2::launch::{Caller, Cidr, allow, forbid, own_address},
    record::{HostKind, HostRecord, Store},
    report::Failure,
    wait,
};

/// The step of the record.
const STEP: &str = "AllowSsh";
/// For a new address at the door.
const READMIT: Duration = Duration::from_secs(45);
/// How often a host that is waited for is looked at.
const LOOK: Duration = Duration::from_secs(20);

/// Opens port 22 of a group to one caller, and notes to whom.
pub(crate) async fn open(
    ec2: &Client,
    store: &mut Store,
    region: &str,
    group: &str,
    caller: &Caller,
    deadline: Deadline,
) -> Result<(), Failure> {
    let from = caller.from.to_string();
    store.intend(
        STEP,
        json!({"group": group, "from": from, "own": caller.own}),
    )?;
    allow(ec2, region, group, &caller.from, deadline).await?;
    Ok(store.achieve(STEP, json!({"allowed": true}))?)
}

/// Lets this machine in again at the host of the record, where that is silent because we have another address now.
///
/// What cannot be done is said; the stage will find the host as it is.
pub async fn let_in_again(store: &mut Store, env: &Environment, deadline: Deadline) {
    let record = store.record();
    let (Some(host), role) = (record.host.clone(), record.role_arn.clone()) else {
        return;
    };
    if !is_silent(&host).await {
        return;
    }
    let Ok(access) = Access::new(env, role.as_deref()) else {
        return;
    };
    let readmitted = readmit(store, &access, deadline.within(READMIT)).await;
    if let Err(failure) = readmitted {
        tracing::warn!(
            "{} does not answer, and whether this machine's address has changed, or how to let it in, is not known: {}",
            host.address,
            failure.line()
        );
    }
}

/// Lets this machine in where it has an address that is not let in yet; says whether it has.
///
/// # Errors
/// [`Failure`] when it has, and could not be let in.
async fn readmit(store: &mut Store, access: &Access, deadline: Deadline) -> Result<bool, Failure> {
    let Some((group, old)) = let_in(store) else {
        return Ok(false);
    };
    let launch = store.record().launch.as_ref();
    let Some(region) = launch.and_then(|launch| launch.region.clone()) else {
        return Ok(false);
    };
    let now = Caller {
        from: Cidr::host(own_address(access.env(), deadline).await?),
        own: true,
    };
    if now.from.to_string() == old {
        return Ok(false);
    }
    tracing::warn!(
        "this machine has the address {} now, no longer {old}: {group} lets it in",
        now.from
    );
    let ec2 = Api::open(access, deadline).await?.region(&region);
    open(&ec2, store, &region, &group, &now, deadline).await?;
    if let Err(error) = forbid(&ec2, &region, &group, &old, deadline).await {
        tracing::warn!("{group} lets {old} in as well: {error}");
    }
    Ok(true)
}

/// Looks after the door of a host that is waited for, and never ends.
pub(crate) async fn attend(
    store: &mut Store,
    access: &Access,
    host: &HostRecord,
    deadline: Deadline,
) -> Infallible {
    loop {
        wait::pause(LOOK).await;
        if !is_silent(host).await {
            continue;
        }
        if let Err(failure) = readmit(store, access, deadline).await {
            tracing::warn!("{}", failure.line());
        }
    }
}

/// Whether nothing comes back at all, not even a refusal: that is how a closed door looks.
async fn is_silent(host: &HostRecord) -> bool {
    host.kind == HostKind::Ssh && knock(host).await.is_none()
}

/// The group that we have opened, and to which address of ours; nothing where somebody was named.
fn let_in(store: &Store) -> Option<(String, String)> {
    let mut steps = store.record().steps.iter().rev();
    let step = steps.find(|step| step.name == STEP)?;
    let text = |name: &str| step.intent[name].as_str().map(str::to_owned);
    step.intent["own"].as_bool().filter(|own| *own)?;
    Some((text("group")?, text("from")?))
}
