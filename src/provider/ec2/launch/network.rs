//! The network of the host: its subnets, and the security group of the job.

use aws_sdk_ec2::{
    Client,
    types::{ResourceType, SecurityGroup, TagSpecification},
};
use serde_json::json;

use super::spec::LaunchSpec;
use crate::{
    cli::PublicIp,
    inputs::Environment,
    limits::Deadline,
    provider::ec2::{
        access::{self, Cidr, SshSource, own_address},
        errors::{Ec2Error, ask},
        filter, tags_of,
    },
    record::Store,
    report::Failure,
    run::{TAG_JOB, TAG_RUN},
};

/// A subnet to launch into.
#[derive(Clone, Debug)]
pub(crate) struct Subnet {
    pub(crate) id: String,
    pub(crate) zone: String,
    pub(crate) vpc: String,
    /// Whether it gives an instance a public address unless the launch says otherwise.
    pub(crate) public: bool,
}

/// The subnets that are named, else those of the default VPC, in the zones that are wanted.
pub(crate) async fn subnets(
    ec2: &Client,
    spec: &LaunchSpec,
    deadline: Deadline,
) -> Result<Vec<Subnet>, Ec2Error> {
    let request = if spec.subnets.is_empty() {
        ec2.describe_subnets()
            .filters(filter("default-for-az", ["true"]))
    } else {
        ec2.describe_subnets()
            .set_subnet_ids(Some(spec.subnets.clone()))
    };
    let answer = ask("DescribeSubnets", &spec.region, deadline, request.send()).await?;
    let mut found: Vec<Subnet> = answer
        .subnets
        .unwrap_or_default()
        .into_iter()
        .map(|subnet| Subnet {
            id: subnet.subnet_id.unwrap_or_default(),
            zone: subnet.availability_zone.unwrap_or_default(),
            vpc: subnet.vpc_id.unwrap_or_default(),
            public: subnet.map_public_ip_on_launch.unwrap_or_default(),
        })
        .collect();
    if found.is_empty() {
        return Err(Ec2Error::NoDefaultVpc {
            region: spec.region.clone(),
        });
    }
    found.sort_by(|a, b| a.zone.cmp(&b.zone));
    if let Some(other) = found.iter().find(|subnet| subnet.vpc != found[0].vpc) {
        return Err(Ec2Error::Input {
            input: "subnet-ids",
            reason: format!("{} and {} are in different VPCs", found[0].id, other.id),
        });
    }
    if let Some(zone) = spec
        .zones
        .iter()
        .find(|zone| !found.iter().any(|subnet| subnet.zone == **zone))
    {
        let zones: Vec<&str> = found.iter().map(|subnet| subnet.zone.as_str()).collect();
        return Err(Ec2Error::Input {
            input: "availability-zones",
            reason: format!(
                "no subnet in {zone}; there are subnets in {}",
                zones.join(", ")
            ),
        });
    }
    if !spec.zones.is_empty() {
        found.retain(|subnet| spec.zones.contains(&subnet.zone));
        let place = |subnet: &Subnet| spec.zones.iter().position(|zone| *zone == subnet.zone);
        found.sort_by_key(place);
    }
    Ok(found)
}

/// What to know where the subnets that are named give no public address, and none is asked for.
pub(crate) fn without_public_ip(spec: &LaunchSpec, subnets: &[Subnet]) -> Option<String> {
    let asked = spec.public_ip != PublicIp::Subnet || spec.subnets.is_empty();
    let private = subnets.iter().filter(|subnet| !subnet.public);
    let private: Vec<&str> = private.map(|subnet| subnet.id.as_str()).collect();
    (!asked && !private.is_empty()).then(|| {
        format!(
            "no public address is given in {} (MapPublicIpOnLaunch): this machine has to be in its VPC",
            private.join(", ")
        )
    })
}

/// Who may reach port 22: the named addresses, else this machine. `None` where the caller's own group decides.
pub(crate) async fn callers(
    spec: &LaunchSpec,
    env: &Environment,
    deadline: Deadline,
) -> Result<Option<SshSource>, Ec2Error> {
    match (&spec.security_group, &spec.ssh_cidr) {
        (Some(_), _) => Ok(None),
        (None, Some(cidr)) => Ok(Some(SshSource {
            from: cidr.clone(),
            own: false,
        })),
        (None, None) => own_address(env, deadline).await.map(|address| {
            Some(SshSource {
                from: Cidr::host(address),
                own: true,
            })
        }),
    }
}

/// Creates the security group of this job, or adopts the one that an earlier attempt of this job created.
pub(crate) async fn security_group(
    ec2: &Client,
    store: &mut Store,
    spec: &LaunchSpec,
    vpc: &str,
    caller: &SshSource,
    tags: &[(String, String)],
    deadline: Deadline,
) -> Result<String, Failure> {
    let name = store.run().name("e2e");
    store.intend("CreateSecurityGroup", json!({"name": name, "vpc": vpc}))?;
    let specification = TagSpecification::builder()
        .resource_type(ResourceType::SecurityGroup)
        .set_tags(Some(tags_of(tags)))
        .build();
    let request = ec2
        .create_security_group()
        .group_name(&name)
        .description("A throw-away host of manifests-e2e: SSH from one place")
        .vpc_id(vpc)
        .tag_specifications(specification);
    let mut earlier = Vec::new();
    let id = match ask(
        "CreateSecurityGroup",
        &spec.region,
        deadline,
        request.send(),
    )
    .await
    {
        Ok(answer) => answer.group_id.unwrap_or_default(),
        Err(error) if error.code() == "InvalidGroup.Duplicate" => {
            let adopted = adopt(ec2, store, spec, vpc, &name, deadline).await?;
            let adopted = adopted.ok_or(error)?;
            earlier = admitted(&adopted);
            adopted.group_id.unwrap_or_default()
        }
        Err(error) => return Err(error.into()),
    };
    store.update_launch(|launch| launch.security_group_id = Some(id.clone()))?;
    store.achieve("CreateSecurityGroup", json!({"id": id}))?;
    access::authorize(ec2, store, &spec.region, &id, caller, deadline).await?;
    let from = caller.from.to_string();
    for old in earlier.iter().filter(|old| **old != from) {
        tracing::info!("{id} no longer lets in {old}, the address of an earlier attempt");
        if let Err(error) = access::revoke_ingress(ec2, &spec.region, &id, old, deadline).await {
            tracing::warn!("{id} lets {old} in as well: {error}");
        }
    }
    tracing::info!("security group {id}: port 22 from {}", caller.from);
    Ok(id)
}

/// The group of that name, if its tags say that it is this job's.
async fn adopt(
    ec2: &Client,
    store: &Store,
    spec: &LaunchSpec,
    vpc: &str,
    name: &str,
    deadline: Deadline,
) -> Result<Option<SecurityGroup>, Ec2Error> {
    let run = store.run();
    let request = ec2
        .describe_security_groups()
        .filters(filter("group-name", [name]))
        .filters(filter("vpc-id", [vpc]))
        .filters(filter(&format!("tag:{TAG_RUN}"), [&run.id]))
        .filters(filter(&format!("tag:{TAG_JOB}"), [&run.job]));
    let answer = ask(
        "DescribeSecurityGroups",
        &spec.region,
        deadline,
        request.send(),
    )
    .await?;
    let mut groups = answer.security_groups.unwrap_or_default().into_iter();
    Ok(groups.find(|group| group.group_id.is_some()))
}

/// The addresses that a group lets in to port 22.
fn admitted(group: &SecurityGroup) -> Vec<String> {
    let permissions = group.ip_permissions().iter();
    let ssh = permissions.filter(|one| one.from_port() == Some(22) && one.to_port() == Some(22));
    let addresses = ssh.flat_map(|one| {
        let old = one.ip_ranges().iter().filter_map(|range| range.cidr_ip());
        let new = one
            .ipv6_ranges()
            .iter()
            .filter_map(|range| range.cidr_ipv6());
        old.chain(new)
    });
    addresses.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
