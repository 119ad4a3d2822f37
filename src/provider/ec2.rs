//! Hosts from EC2: launched with everything in one request, found again by tags alone.
//!
//! Four rooms: `access` says who may, `launch` makes an instance, `end` finds and ends what carries our tags, and words
//! (`class`, `quota`, `errors`, `partition`, `price`) that the others use. `access` names no other room, `end` nothing of `launch`.
//! Credentials and endpoint are the SDK's business.

pub(crate) mod access;
pub(crate) mod class;
pub(crate) mod end;
pub(crate) mod errors;
#[cfg(test)]
pub(crate) mod fake;
pub(crate) mod launch;
pub(crate) mod partition;
pub(crate) mod price;
pub(crate) mod quota;

use std::time::Duration;

use aws_sdk_ec2::types::{Filter, Tag};
use futures::future::BoxFuture;
use jiff::Timestamp;

use self::{
    access::Ec2Api,
    end::{Regions, ResourceQuery},
    launch::{HOST_KEY, LOGIN_KEY, LaunchSpec},
};
pub(crate) use self::{
    access::{Access, reauthorize},
    end::Janitor,
    launch::{attempts, console, reason_of_loss},
};
use super::{BadInput, DestroyOutcome, KnownLaunches, Owner, Provider, ProvisionedHost, Resource};
use crate::{
    cli::ProvisionArgs,
    inputs::Environment,
    limits::Deadline,
    record::{Launch, Store},
    report::{Exit, Failure},
};

/// Files of the state directory that give access to a host.
pub(crate) const SECRET_FILES: [&str; 2] = [LOGIN_KEY, HOST_KEY];

/// The step of the record: open from before the request until its answer is known.
pub(crate) const RUN_INSTANCES: &str = "RunInstances";

/// The unit of systemd that ends the host.
pub(crate) const TTL_TIMER: &str = "manifests-e2e-ttl.timer";

/// What EC2 has just made may be unlisted, or unknown to another call, for this long.
pub(crate) const VISIBILITY_DELAY: Duration = Duration::from_mins(1);

/// EC2, for one launch or for the end of one.
#[derive(Debug)]
pub(crate) struct Ec2 {
    /// Absent where nothing is to be launched.
    spec: Option<LaunchSpec>,
    regions: Regions,
    access: Access,
    /// What a run may take, all stages together.
    whole: Duration,
}

impl Ec2 {
    /// For a launch, in a run that may take `whole` until its end.
    ///
    /// # Errors
    /// [`BadInput`], before any request.
    pub(crate) fn for_launch(
        args: &ProvisionArgs,
        whole: Duration,
        env: &Environment,
    ) -> Result<Self, BadInput> {
        let spec = LaunchSpec::of(args, env)?;
        Ok(Self {
            regions: Regions::Named(vec![spec.region.clone()]),
            whole: whole.min(spec.ttl.duration()),
            access: Access::new(env, args.role_arn.as_deref())?.in_region(&spec.region),
            spec: Some(spec),
        })
    }

    /// For the end of what was launched: where the record and the input say, anywhere where neither does.
    ///
    /// # Errors
    /// [`BadInput`] for a region that cannot be.
    pub(crate) fn for_end(
        launch: Option<&Launch>,
        region: Option<&str>,
        role: Option<&str>,
        env: &Environment,
    ) -> Result<Self, BadInput> {
        let recorded = launch.and_then(|launch| launch.region.as_deref());
        let regions = Regions::of(region, recorded, env)?;
        Ok(Self {
            spec: None,
            access: Access::new(env, role)?.in_region(regions.first()),
            whole: Duration::ZERO,
            regions,
        })
    }
}

impl Provider for Ec2 {
    fn launch<'a>(
        &'a self,
        store: &'a mut Store,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<ProvisionedHost, Failure>> {
        Box::pin(async move {
            let Some(spec) = &self.spec else {
                return Err(Failure::new(
                    Exit::Infrastructure,
                    "this provider was opened to end things, not to launch",
                ));
            };
            launch::launch(spec, &self.access, self.whole, store, deadline).await
        })
    }

    fn let_go<'a>(
        &'a self,
        store: &'a mut Store,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(end::let_go(&self.access, store, deadline))
    }

    fn find<'a>(
        &'a self,
        owner: &'a Owner,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Vec<Resource>, Failure>> {
        Box::pin(async move {
            let api = Ec2Api::open(&self.access, deadline).await?;
            let (found, only_first) = self
                .regions
                .look(&api, ResourceQuery::Of(owner), deadline)
                .await?;
            if let Some(error) = only_first {
                tracing::warn!("only {} is searched: {error}", self.regions.first());
            }
            Ok(found)
        })
    }

    fn destroy<'a>(
        &'a self,
        owner: &'a Owner,
        known: Option<&'a KnownLaunches>,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<DestroyOutcome, Failure>> {
        Box::pin(end::end_all(
            &self.regions,
            &self.access,
            owner,
            known,
            deadline,
        ))
    }

    fn end_at<'a>(
        &'a self,
        store: &'a mut Store,
        host: &'a [Resource],
        until: Timestamp,
        kept: bool,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(end::end_at(
            store,
            host,
            until,
            kept,
            &self.access,
            deadline,
        ))
    }
}

fn filter<V: Into<String>>(name: &str, values: impl IntoIterator<Item = V>) -> Filter {
    let values = values.into_iter().map(Into::into).collect();
    Filter::builder()
        .name(name)
        .set_values(Some(values))
        .build()
}

pub(crate) fn tags_of(tags: &[(String, String)]) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

/// Minutes that an instance has been paid for, as AWS counts: by its own clock, one minute at least.
pub(crate) fn minutes(since: Timestamp, until: Timestamp) -> i64 {
    let seconds = until.duration_since(since).as_secs().max(60);
    (seconds + 59) / 60
}
