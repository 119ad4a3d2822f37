//! The launch of a host: looks up image and network, requests an instance until one candidate has capacity, waits until
//! the host answers.
//!
//! Given a [`LaunchSpec`] and an [`Access`]; intents go into the record before each side effect.

mod adopt;
pub(crate) mod attempts;
mod cloud_init;
mod console;
mod image;
mod loss;
mod network;
mod plan;
mod ready;
mod request;
mod search;
mod spec;

use std::time::Duration;

pub(crate) use self::{
    cloud_init::LaunchKeys,
    console::console,
    image::{ChosenImage, choose},
    loss::reason_of_loss,
    network::{Subnet, callers, subnets, without_public_ip},
    request::{Candidate, HOST_KEY, LOGIN_KEY, LaunchRequest, LaunchSession, candidates},
    spec::LaunchSpec,
};
use self::{ready::StartFailure, search::CandidateSearch};
use crate::{
    github::commands,
    limits::Deadline,
    provider::{
        ProvisionedHost,
        ec2::{
            access::{Access, Ec2Api, SshSource},
            errors::Ec2Error,
            price,
        },
    },
    record::Store,
    report::{Failure, Leftover},
};

/// How long the credentials of a teardown have to last: its own default limit.
const TEARDOWN_LIMIT: Duration = Duration::from_mins(10);

/// What exists before the launch and what the launch uses.
struct LaunchSite {
    ec2: aws_sdk_ec2::Client,
    image: ChosenImage,
    subnets: Vec<Subnet>,
    /// Who may reach port 22.
    from: Option<SshSource>,
}

/// Launches a host and returns once it answers; `whole` is what the run may take, all stages together.
pub(crate) async fn launch(
    spec: &LaunchSpec,
    access: &Access,
    whole: Duration,
    store: &mut Store,
    deadline: Deadline,
) -> Result<ProvisionedHost, Failure> {
    let untouched = |error: Ec2Error| Failure::from(error).leaving(Leftover::None);
    let api = Ec2Api::open(access, deadline).await.map_err(untouched)?;
    api.lifetime()
        .check(deadline.remaining() + TEARDOWN_LIMIT, whole)
        .map_err(|error| untouched(error.into()))?;
    let ec2 = api.region(&spec.region);
    adopt::refuse_a_second(&ec2, store, spec, deadline).await?;
    let (image, subnets, from) = tokio::try_join!(
        image::choose(&ec2, spec, deadline),
        network::subnets(&ec2, spec, deadline),
        network::callers(spec, access.env(), deadline),
    )
    .map_err(untouched)?;
    tracing::info!("image {} ({})", image.id, image.name);
    if let Some(warning) = without_public_ip(spec, &subnets) {
        tracing::warn!("{warning}; where it is elsewhere, set `public-ip` to yes");
    }

    let site = LaunchSite {
        ec2,
        image,
        subnets,
        from,
    };
    launch_on(site, access, spec, store, deadline)
        .await
        .map_err(|failure| failure.leaving(Leftover::Tagged))
}

async fn launch_on(
    site: LaunchSite,
    access: &Access,
    spec: &LaunchSpec,
    store: &mut Store,
    deadline: Deadline,
) -> Result<ProvisionedHost, Failure> {
    let ec2 = &site.ec2;
    let session = &LaunchSession::begin(store, spec)?;
    if access.env().on_runner() {
        commands::mask(&session.keys.login);
        commands::mask(&session.keys.host);
    }
    let candidates = candidates(spec, session, &site.subnets);
    adopt::refuse_another(ec2, session, store, &candidates, deadline).await?;
    let mut tags = store.run().tags(session.expires_at);
    tags.extend(spec.tags.iter().cloned());
    let group = match (&spec.security_group, &site.from) {
        (None, Some(from)) => {
            network::security_group(
                ec2,
                store,
                spec,
                &site.subnets[0].vpc,
                from,
                &tags,
                deadline,
            )
            .await?
        }
        (named, _) => named.clone().unwrap_or_default(),
    };
    let launch = LaunchRequest {
        ec2,
        spec,
        session,
        image: &site.image,
        security_group: &group,
        tags: &tags,
        name: &store.run().name("e2e"),
    };
    let mut search = CandidateSearch::new(&launch, candidates);
    let (launched, host) = loop {
        let launched = search.next(store, deadline).await?;
        match ready::up(&launch, &launched, store, access, deadline).await {
            Ok(host) => break (launched, host),
            Err(StartFailure::Died(death))
                if search.may_replace(&launched, &death, store, deadline)? => {}
            Err(trouble) => return Err(trouble.into()),
        }
    };
    drop(std::fs::remove_file(store.path(HOST_KEY)));
    let candidate = launched.candidate;
    let address = host.address.clone();
    let hourly = price::hourly(&spec.region, &candidate.instance_type);
    Ok(ProvisionedHost {
        host,
        expires_at: Some(session.expires_at),
        hourly,
        outputs: vec![
            ("instance-id", launched.id),
            ("public-ip", address),
            ("region", spec.region.clone()),
            ("availability-zone", candidate.subnet.zone),
            ("instance-type", candidate.instance_type),
            ("market", candidate.market.name().to_owned()),
            ("ami", site.image.id),
        ],
    })
}
