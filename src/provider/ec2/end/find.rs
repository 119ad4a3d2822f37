//! What is alive, found by tags alone: instances, volumes, network interfaces, security groups.
//!
//! Every answer is read to its last page; an error is an error, never "nothing". An instance that EC2 has just launched
//! is listed some seconds later: whoever knows of a launch has to look again.

use std::collections::BTreeMap;

use aws_sdk_ec2::{
    Client,
    primitives::DateTime,
    types::{Filter, Tag},
};
use jiff::Timestamp;

use crate::{
    limits::Deadline,
    provider::ec2::{
        errors::{Ec2Error, ask},
        filter,
    },
    provider::{Owner, Resource},
    run::{TAG_JOB, TAG_RUN},
};

pub(crate) const INSTANCE: &str = "instance";
pub(crate) const VOLUME: &str = "volume";
pub(crate) const INTERFACE: &str = "network interface";
pub(crate) const GROUP: &str = "security group";

/// How many values a filter may have (EC2's quota "filter values per request").
const MAX_VALUES: usize = 200;

/// What is looked for.
#[derive(Clone, Copy)]
pub(crate) enum ResourceQuery<'a> {
    /// All that carries our tags, whoever's it is.
    Ours,
    /// All that carries these tags.
    Of(&'a Owner),
    /// These by id. Asked by filter, so that one that is gone is no error.
    These(&'a [Resource]),
}

impl ResourceQuery<'_> {
    /// The filters of each request for one kind; none where nothing of that kind is looked for.
    fn filters(&self, kind: &str, id: &str) -> Vec<Vec<Filter>> {
        match self {
            Self::Ours => vec![vec![filter("tag-key", [TAG_RUN])]],
            Self::Of(owner) => {
                let mut filters = vec![filter(&format!("tag:{TAG_RUN}"), [&owner.run])];
                if let Some(job) = &owner.job {
                    filters.push(filter(&format!("tag:{TAG_JOB}"), [job]));
                }
                vec![filters]
            }
            Self::These(resources) => {
                let ids: Vec<&str> = resources
                    .iter()
                    .filter(|resource| resource.kind == kind)
                    .map(|resource| resource.id.as_str())
                    .collect();
                let parts = ids.chunks(MAX_VALUES);
                parts
                    .map(|ids| vec![filter(id, ids.iter().copied())])
                    .collect()
            }
        }
    }
}

/// State of an instance that is no more: AWS lists it for an hour.
pub(crate) const TERMINATED: &str = "terminated";

/// What could be seen, and which kinds could not, each with the reason.
pub(crate) type Visible = (Vec<Resource>, Vec<(&'static str, Ec2Error)>);

/// Looks in one region. Instances that are terminated do not count.
pub(crate) async fn find(
    ec2: &Client,
    region: &str,
    query: ResourceQuery<'_>,
    deadline: Deadline,
) -> Result<Vec<Resource>, Ec2Error> {
    let (mut found, unseen) = find_visible(ec2, region, query, deadline).await;
    if let Some((_, error)) = unseen.into_iter().next() {
        return Err(error);
    }
    found.retain(|one| one.state != TERMINATED);
    Ok(found)
}

/// As [`find`], but of what could be seen: a kind that may not be listed must not keep an instance alive that may.
///
/// Terminated instances are among it: they prove that a launch was listed.
pub(crate) async fn find_visible(
    ec2: &Client,
    region: &str,
    query: ResourceQuery<'_>,
    deadline: Deadline,
) -> Visible {
    let (instances, volumes, interfaces, groups) = tokio::join!(
        instances(ec2, region, query, deadline),
        volumes(ec2, region, query, deadline),
        interfaces(ec2, region, query, deadline),
        groups(ec2, region, query, deadline),
    );
    let (mut found, mut unseen) = (Vec::new(), Vec::new());
    for (kind, listed) in [
        (INSTANCE, instances),
        (VOLUME, volumes),
        (INTERFACE, interfaces),
        (GROUP, groups),
    ] {
        match listed {
            Ok(some) => found.extend(some),
            Err(error) => unseen.push((kind, error)),
        }
    }
    (found, unseen)
}

async fn instances(
    ec2: &Client,
    region: &str,
    query: ResourceQuery<'_>,
    deadline: Deadline,
) -> Result<Vec<Resource>, Ec2Error> {
    let mut pages = Vec::new();
    for filters in query.filters(INSTANCE, "instance-id") {
        let request = ec2.describe_instances().set_filters(Some(filters));
        let some = request.into_paginator().send().try_collect();
        pages.extend(ask("DescribeInstances", region, deadline, some).await?);
    }
    let instances = pages
        .into_iter()
        .flat_map(|page| page.reservations.unwrap_or_default())
        .flat_map(|reservation| reservation.instances.unwrap_or_default());
    Ok(instances
        .map(|instance| Resource {
            kind: INSTANCE,
            id: instance.instance_id().unwrap_or_default().to_owned(),
            region: Some(region.to_owned()),
            tags: by_key(instance.tags()),
            state: instance
                .state()
                .and_then(|state| state.name())
                .map_or("unknown", |name| name.as_str())
                .to_owned(),
            since: moment(instance.launch_time()),
            instance_type: instance
                .instance_type()
                .map(|kind| kind.as_str().to_owned()),
            client_token: instance.client_token().map(str::to_owned),
        })
        .collect())
}

async fn volumes(
    ec2: &Client,
    region: &str,
    query: ResourceQuery<'_>,
    deadline: Deadline,
) -> Result<Vec<Resource>, Ec2Error> {
    let mut pages = Vec::new();
    for filters in query.filters(VOLUME, "volume-id") {
        let request = ec2.describe_volumes().set_filters(Some(filters));
        let some = request.into_paginator().send().try_collect();
        pages.extend(ask("DescribeVolumes", region, deadline, some).await?);
    }
    let volumes = pages
        .into_iter()
        .flat_map(|page| page.volumes.unwrap_or_default());
    Ok(volumes
        .map(|volume| Resource {
            kind: VOLUME,
            id: volume.volume_id().unwrap_or_default().to_owned(),
            region: Some(region.to_owned()),
            tags: by_key(volume.tags()),
            state: volume
                .state()
                .map_or("unknown", |state| state.as_str())
                .to_owned(),
            since: moment(volume.create_time.as_ref()),
            ..Resource::default()
        })
        .collect())
}

async fn interfaces(
    ec2: &Client,
    region: &str,
    query: ResourceQuery<'_>,
    deadline: Deadline,
) -> Result<Vec<Resource>, Ec2Error> {
    let mut pages = Vec::new();
    for filters in query.filters(INTERFACE, "network-interface-id") {
        let request = ec2.describe_network_interfaces().set_filters(Some(filters));
        let some = request.into_paginator().send().try_collect();
        pages.extend(ask("DescribeNetworkInterfaces", region, deadline, some).await?);
    }
    let interfaces = pages
        .into_iter()
        .flat_map(|page| page.network_interfaces.unwrap_or_default());
    Ok(interfaces
        .map(|interface| Resource {
            kind: INTERFACE,
            id: interface
                .network_interface_id()
                .unwrap_or_default()
                .to_owned(),
            region: Some(region.to_owned()),
            tags: by_key(interface.tag_set()),
            state: interface
                .status()
                .map_or("unknown", |status| status.as_str())
                .to_owned(),
            ..Resource::default()
        })
        .collect())
}

async fn groups(
    ec2: &Client,
    region: &str,
    query: ResourceQuery<'_>,
    deadline: Deadline,
) -> Result<Vec<Resource>, Ec2Error> {
    let mut pages = Vec::new();
    for filters in query.filters(GROUP, "group-id") {
        let request = ec2.describe_security_groups().set_filters(Some(filters));
        let some = request.into_paginator().send().try_collect();
        pages.extend(ask("DescribeSecurityGroups", region, deadline, some).await?);
    }
    let groups = pages
        .into_iter()
        .flat_map(|page| page.security_groups.unwrap_or_default());
    Ok(groups
        .map(|group| Resource {
            kind: GROUP,
            id: group.group_id().unwrap_or_default().to_owned(),
            region: Some(region.to_owned()),
            tags: by_key(group.tags()),
            state: "there".to_owned(),
            ..Resource::default()
        })
        .collect())
}

fn by_key(tags: &[Tag]) -> BTreeMap<String, String> {
    tags.iter()
        .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())))
        .collect()
}

fn moment(time: Option<&DateTime>) -> Option<Timestamp> {
    time.and_then(|time| Timestamp::new(time.secs(), 0).ok())
}

/// The instances among them that nobody has ended yet.
pub(crate) fn living(found: Vec<Resource>) -> impl Iterator<Item = String> {
    found
        .into_iter()
        .filter(|resource| resource.kind == INSTANCE && resource.state != "shutting-down")
        .map(|resource| resource.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{limits::Limit, provider::ec2::fake};

    #[tokio::test]
    async fn what_is_looked_for_by_id_is_asked_for_in_parts_that_ec2_takes() {
        let volumes: Vec<Resource> = (0..450)
            .map(|number| Resource {
                kind: VOLUME,
                id: format!("vol-{number}"),
                ..Resource::default()
            })
            .collect();
        let ec2 = fake::client(|_, form| {
            let ids = form.split('&').filter(|part| part.contains("=vol-"));
            let ids: Vec<&str> = ids
                .filter_map(|part| Some(part.split_once('=')?.1))
                .collect();
            if ids.len() > 200 {
                return Err((400, "FilterLimitExceeded"));
            }
            let items = ids
                .iter()
                .map(|id| format!("<item><volumeId>{id}</volumeId></item>"));
            Ok(format!(
                "<volumeSet>{}</volumeSet>",
                items.collect::<Vec<_>>().concat()
            ))
        });
        let (query, deadline) = (
            ResourceQuery::These(&volumes),
            Deadline::after(Limit::secs(20)),
        );
        let found = find(&ec2, "us-east-1", query, deadline).await.unwrap();
        let ids = |all: &[Resource]| all.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&found), ids(&volumes));
    }
}
