//! How an instance comes to be: what is asked for, where, in which order, until a host answers.

mod adopt;
pub mod attempts;
mod cloud_init;
mod image;
mod network;
mod plan;
mod ready;
mod request;
mod search;
mod spec;

use std::time::Duration;

pub(crate) use self::{
    cloud_init::Keys,
    image::{Chosen, choose},
    network::{Subnet, callers, subnets},
    request::{Begun, Candidate, HOST_KEY, LOGIN_KEY, Order, candidates},
    spec::Wish,
};
use self::{ready::Trouble, search::Sweep};
use crate::{
    github::commands,
    limits::Deadline,
    provider::{
        Launched,
        ec2::{
            access::{Access, Api, Caller},
            errors::Ec2Error,
            price,
        },
    },
    record::Store,
    report::{Failure, Leftover},
};

/// What a teardown needs of credentials at most: its own default limit.
const TEARDOWN: Duration = Duration::from_mins(10);

/// What was there before anything was made.
struct Site {
    ec2: aws_sdk_ec2::Client,
    image: Chosen,
    subnets: Vec<Subnet>,
    /// Who may reach port 22.
    from: Option<Caller>,
}

/// Launches a host and returns once it answers; `whole` is what the run may take, all stages together.
pub(crate) async fn launch(
    wish: &Wish,
    access: &Access,
    whole: Duration,
    store: &mut Store,
    deadline: Deadline,
) -> Result<Launched, Failure> {
    let untouched = |error: Ec2Error| Failure::from(error).leaving(Leftover::None);
    let api = Api::open(access, deadline).await.map_err(untouched)?;
    api.lasting()
        .check(deadline.remaining() + TEARDOWN, whole)
        .map_err(|error| untouched(error.into()))?;
    let ec2 = api.region(&wish.region);
    adopt::refuse_a_second(&ec2, store, wish, deadline).await?;
    let (image, subnets, from) = tokio::try_join!(
        image::choose(&ec2, wish, deadline),
        network::subnets(&ec2, wish, deadline),
        network::callers(wish, access.env(), deadline),
    )
    .map_err(untouched)?;
    tracing::info!("image {} ({})", image.id, image.name);

    let site = Site {
        ec2,
        image,
        subnets,
        from,
    };
    launch_on(site, access, wish, store, deadline)
        .await
        .map_err(|failure| failure.leaving(Leftover::Tagged))
}

async fn launch_on(
    site: Site,
    access: &Access,
    wish: &Wish,
    store: &mut Store,
    deadline: Deadline,
) -> Result<Launched, Failure> {
    let ec2 = &site.ec2;
    let begun = &Begun::begin(store, wish)?;
    if access.env().on_runner() {
        commands::mask(&begun.keys.login);
        commands::mask(&begun.keys.host);
    }
    let candidates = candidates(wish, begun, &site.subnets);
    adopt::refuse_another(ec2, begun, store, &candidates, deadline).await?;
    let mut tags = store.run().tags(begun.expires_at);
    tags.extend(wish.tags.iter().cloned());
    let group = match (&wish.security_group, &site.from) {
        (None, Some(from)) => {
            network::security_group(
                ec2,
                store,
                wish,
                &site.subnets[0].vpc,
                from,
                &tags,
                deadline,
            )
            .await?
        }
        (named, _) => named.clone().unwrap_or_default(),
    };
    let order = Order {
        ec2,
        wish,
        begun,
        image: &site.image,
        security_group: &group,
        tags: &tags,
        name: &store.run().name("e2e"),
    };
    let mut sweep = Sweep::new(&order, candidates);
    let (bargain, host) = loop {
        let bargain = sweep.next(store, deadline).await?;
        match ready::up(&order, &bargain.id, store, access, deadline).await {
            Ok(host) => break (bargain, host),
            Err(Trouble::Died(death))
                if sweep.may_replace(&bargain, &death, store, deadline)? => {}
            Err(trouble) => return Err(trouble.into()),
        }
    };
    drop(std::fs::remove_file(store.path(HOST_KEY)));
    let candidate = bargain.candidate;
    let address = host.address.clone();
    let hourly = price::hourly(&wish.region, &candidate.instance_type);
    Ok(Launched {
        host,
        expires_at: Some(begun.expires_at),
        hourly,
        outputs: vec![
            ("instance-id", bargain.id),
            ("public-ip", address),
            ("region", wish.region.clone()),
            ("availability-zone", candidate.subnet.zone),
            ("instance-type", candidate.instance_type),
            ("market", candidate.market.name().to_owned()),
            ("ami", site.image.id),
        ],
    })
}
