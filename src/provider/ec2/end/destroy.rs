//! The end of what is looked for: instances first, then what they held, the security group last.
//!
//! One loop that looks and asks again for whatever is still there: it may be run twice, at the same time, and in the
//! middle of a launch. What is not permitted is not tried again; a look that fails for a moment is repeated. By an owner
//! everything is looked for each time, so what EC2 lists late is ended too.

use std::collections::BTreeMap;

use aws_sdk_ec2::{Client, config::retry::RetryConfig};
use tokio::{sync::Mutex, time::Instant};

use super::find::{GROUP, INSTANCE, INTERFACE, ResourceQuery, TERMINATED, VOLUME, find_visible};
use crate::{
    limits::{Deadline, humane},
    provider::{
        KnownLaunches, Resource,
        ec2::{
            VISIBILITY_DELAY,
            class::ErrorClass,
            errors::{Ec2Error, ask},
        },
    },
    run::{TAG_ATTEMPT, TAG_JOB},
    wait::{self, Every, Status},
};

/// Why something could not be removed, by its id.
pub(crate) type Refusals = BTreeMap<String, String>;

/// The pause between two looks, which grows: EC2 takes its time, and all jobs of an account share one rate of requests.
const POLL_INTERVAL: Every = Every::secs(1).up_to_secs(5);

/// The loop asks again by itself: a look that the SDK repeats for long keeps what was seen meanwhile from its end.
const ATTEMPTS: u32 = 3;

/// What came of the end of what was looked for in one region. What is left is told by another look.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// Everything alive that was seen, as it was at first.
    pub(crate) found: Vec<Resource>,
    /// What may not be removed.
    pub(crate) refusals: Refusals,
    /// Why it is not proven that nothing else is there: not all could be looked for, or not for long enough.
    pub(crate) unseen: Option<Ec2Error>,
}

/// Ends what is looked for in one region, and returns once it is gone, refused, or the deadline is there.
///
/// By an owner an instance that may not be listed yet is waited for: one of the record (`known`), or the one that a
/// security group was made for, as long as EC2 may take to list it.
pub(crate) async fn destroy(
    ec2: &Client,
    region: &str,
    query: ResourceQuery<'_>,
    known: Option<&KnownLaunches>,
    deadline: Deadline,
) -> Ending {
    let retry = ec2.config().retry_config().cloned();
    let retry = retry.unwrap_or_else(RetryConfig::standard);
    let config = ec2.config().to_builder();
    let config = config.retry_config(retry.with_max_attempts(ATTEMPTS));
    let place = Place {
        ec2: &Client::from_conf(config.build()),
        region,
        deadline,
    };
    let progress = Mutex::new(Progress::default());
    let began = Instant::now();
    let what = format!("proof that nothing is left in {region}");
    let waited = wait::until(what, deadline, POLL_INTERVAL, async || {
        let (mut seen, unseen) = find_visible(place.ec2, region, query, deadline).await;
        if let ResourceQuery::Of(owner) = query {
            seen = owner.part(seen, deadline).await.0;
        }
        let mut progress = progress.lock().await;
        let whole = progress.take_in(seen, unseen);
        progress.end_what_is_due(&place).await;
        let awaited = matches!(query, ResourceQuery::Of(_)) && progress.awaits_instance(known);
        let time = VISIBILITY_DELAY.saturating_sub(began.elapsed());
        let missing = progress.missing(awaited && !time.is_zero());
        Ok::<_, Ec2Error>(match missing {
            None if whole => Status::Ready(()),
            missing => Status::NotYet(missing.unwrap_or_else(|| "the last look hung".to_owned())),
        })
    })
    .await;
    let mut progress = progress.into_inner();
    if let Err(error) = waited {
        // What is left is told by the proof; that nothing was left at the last look is none.
        let over = progress.left.is_empty().then(|| Ec2Error::waited(error));
        let ending = &mut progress.ending;
        ending.unseen = ending.unseen.take().or(progress.fault).or(over);
    }
    progress.ending
}

/// Where something is ended, and until when.
struct Place<'a> {
    ec2: &'a Client,
    region: &'a str,
    deadline: Deadline,
}

/// How far the end of what is looked for has come.
#[derive(Default)]
struct Progress {
    ending: Ending,
    /// What the last look has found alive.
    left: Vec<Resource>,
    /// All instances that were ever listed, alive or terminated.
    instances: BTreeMap<String, Resource>,
    /// Why the last look did not see everything, where the next one may.
    fault: Option<Ec2Error>,
    /// Instances may not be listed: there is no use in waiting for one.
    blind: bool,
    looks: u32,
}

impl Progress {
    /// Takes in what one look has found. `false` where the deadline has cut it short.
    fn take_in(&mut self, seen: Vec<Resource>, unseen: Vec<(&'static str, Ec2Error)>) -> bool {
        let cut_short = |(_, error): &(_, Ec2Error)| matches!(error, Ec2Error::TimedOut { .. });
        if unseen.iter().any(cut_short) {
            // What the look before has found is known better; a first one that hung is all that is known.
            if self.looks == 0 {
                self.fault = unseen.into_iter().map(|(_, error)| error).next();
            }
            return false;
        }
        self.looks += 1;
        self.fault = None;
        for (kind, error) in unseen {
            if error.is_passing() {
                tracing::warn!("{error}; looking again");
                self.fault = Some(error);
            } else {
                self.blind |= kind == INSTANCE;
                self.ending.unseen.get_or_insert(error);
            }
        }
        let instances = seen.iter().filter(|one| one.kind == INSTANCE);
        let instances = instances.map(|one| (one.id.clone(), one.clone()));
        self.instances.extend(instances);
        self.left = seen;
        self.left.retain(|one| one.state != TERMINATED);
        for resource in &self.left {
            if !self.ending.found.iter().any(|one| one.id == resource.id) {
                tracing::info!("found {resource}");
                self.ending.found.push(resource.clone());
            }
        }
        true
    }

    /// Asks for the end of what is there and whose turn it is.
    async fn end_what_is_due(&mut self, place: &Place<'_>) {
        for resource in &self.left {
            let refusals = &mut self.ending.refusals;
            if refusals.contains_key(&resource.id) || !due(resource, &self.left) {
                continue;
            }
            match end(place.ec2, place.region, resource, place.deadline).await {
                Err(error) if for_good(&error) => {
                    tracing::warn!("{resource}: {error}");
                    refusals.insert(resource.id.clone(), error.to_string());
                }
                Err(error) => tracing::debug!("{resource}: {error}"),
                Ok(()) => {}
            }
        }
    }

    /// Whether an instance may be there that EC2 has not listed: one of the record, or the one that a group was made for.
    ///
    /// The record of a job explains a group of that job without an instance. A group of which no record is known is
    /// explained by an instance of the same attempt of its job, also by one that is terminated.
    fn awaits_instance(&self, known: Option<&KnownLaunches>) -> bool {
        let is_listed = |name: &String| {
            let mut instances = self.instances.values();
            instances.any(|one| one.id == *name || one.client_token.as_ref() == Some(name))
        };
        let unlisted = |known: &KnownLaunches| !known.instances.iter().all(is_listed);
        let job = |one: &Resource| [TAG_JOB, TAG_ATTEMPT].map(|tag| one.tags.get(tag).cloned());
        let has_instance =
            |group: &Resource| self.instances.values().any(|one| job(one) == job(group));
        let explained = |group: &Resource| {
            known.is_some_and(|known| group.tags.get(TAG_JOB) == Some(&known.job))
        };
        let mut groups = self.ending.found.iter().filter(|one| one.kind == GROUP);
        !self.blind
            && (known.is_some_and(unlisted)
                || groups.any(|group| !explained(group) && !has_instance(group)))
    }

    /// What is missing until nothing more can be done here; `None` where nothing is.
    fn missing(&self, awaits_instance: bool) -> Option<String> {
        // What a resource waits for that is refused stays too.
        let refusals = &self.ending.refusals;
        let moving = self.left.iter().any(|one| {
            !refusals.contains_key(&one.id) && (one.kind == INSTANCE || due(one, &self.left))
        });
        let over = self.left.is_empty() || !(moving || refusals.is_empty());
        if over && self.fault.is_none() && !awaits_instance {
            return None;
        }
        let left = self.left.iter().map(ToString::to_string);
        let fault = self.fault.as_ref().map(ToString::to_string);
        let awaited = awaits_instance.then(|| {
            format!(
                "an instance may not be listed yet: EC2 takes up to {}",
                humane(VISIBILITY_DELAY)
            )
        });
        let missing: Vec<String> = left.chain(fault).chain(awaited).collect();
        Some(missing.join(", "))
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
///
/// That an instance of the group may be unlisted does not matter: EC2 refuses then, and a launch on its way fails without
/// its group.
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
mod tests;
