//! Where the host is put and who may reach it: subnets, this machine's address, the security group of the job.

use std::{
    net::IpAddr,
    sync::OnceLock,
    time::{Duration, Instant},
};

use aws_sdk_ec2::{
    Client,
    types::{IpPermission, IpRange, Ipv6Range, ResourceType, TagSpecification},
};
use serde_json::json;

use super::{
    ready::UNKNOWN,
    spec::{Caller, Cidr, Wish},
};
use crate::{
    inputs::Environment,
    limits::Deadline,
    provider::ec2::{
        access,
        errors::{Ec2Error, ask},
        filter, tags_of,
    },
    record::Store,
    report::{self, Failure},
    run::{TAG_JOB, TAG_RUN},
    wait::{self, Every, Status},
};

/// Answers with the address that it is asked from; `MANIFESTS_E2E_ADDRESS_URL` names another that does.
const OWN_ADDRESS: &str = "https://checkip.amazonaws.com";

/// A subnet to launch into.
#[derive(Clone, Debug)]
pub(crate) struct Subnet {
    pub(crate) id: String,
    pub(crate) zone: String,
    pub(crate) vpc: String,
}

/// The subnets that are named, else those of the default VPC, in the zones that are wanted.
pub(crate) async fn subnets(
    ec2: &Client,
    wish: &Wish,
    deadline: Deadline,
) -> Result<Vec<Subnet>, Ec2Error> {
    let request = if wish.subnets.is_empty() {
        ec2.describe_subnets()
            .filters(filter("default-for-az", ["true"]))
    } else {
        ec2.describe_subnets()
            .set_subnet_ids(Some(wish.subnets.clone()))
    };
    let answer = ask("DescribeSubnets", &wish.region, deadline, request.send()).await?;
    let mut found: Vec<Subnet> = answer
        .subnets
        .unwrap_or_default()
        .into_iter()
        .map(|subnet| Subnet {
            id: subnet.subnet_id.unwrap_or_default(),
            zone: subnet.availability_zone.unwrap_or_default(),
            vpc: subnet.vpc_id.unwrap_or_default(),
        })
        .collect();
    if found.is_empty() {
        return Err(Ec2Error::NoDefaultVpc {
            region: wish.region.clone(),
        });
    }
    found.sort_by(|a, b| a.zone.cmp(&b.zone));
    if let Some(other) = found.iter().find(|subnet| subnet.vpc != found[0].vpc) {
        return Err(Ec2Error::Input {
            input: "subnet-ids",
            reason: format!("{} and {} are in different VPCs", found[0].id, other.id),
        });
    }
    if let Some(zone) = wish
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
    if !wish.zones.is_empty() {
        found.retain(|subnet| wish.zones.contains(&subnet.zone));
        let place = |subnet: &Subnet| wish.zones.iter().position(|zone| *zone == subnet.zone);
        found.sort_by_key(place);
    }
    Ok(found)
}

/// Who may reach port 22: who is named, else this machine. `None` where the group is somebody else's business.
pub(crate) async fn callers(
    wish: &Wish,
    env: &Environment,
    deadline: Deadline,
) -> Result<Option<Caller>, Ec2Error> {
    match (&wish.security_group, &wish.ssh_cidr) {
        (Some(_), _) => Ok(None),
        (None, Some(cidr)) => Ok(Some(Caller {
            from: cidr.clone(),
            own: false,
        })),
        (None, None) => own_address(env, deadline).await.map(|address| {
            Some(Caller {
                from: Cidr::host(address),
                own: true,
            })
        }),
    }
}

/// The address that this machine is seen by.
pub(crate) async fn own_address(env: &Environment, deadline: Deadline) -> Result<IpAddr, Ec2Error> {
    let url = env.get("MANIFESTS_E2E_ADDRESS_URL").unwrap_or(OWN_ADDRESS);
    let unknown = |reason: String| Ec2Error::OwnAddress {
        url: url.to_owned(),
        reason,
    };
    let lookup = async {
        let client = reqwest::Client::builder().build()?;
        let answer = client.get(url).send().await?.error_for_status()?;
        answer.text().await
    };
    match deadline.within(Duration::from_secs(5)).bound(lookup).await {
        Ok(Ok(text)) => text
            .trim()
            .parse()
            .map_err(|_| unknown("the answer is no address".to_owned())),
        Ok(Err(error)) => Err(unknown(report::with_causes(&error))),
        Err(_) => Err(unknown("no answer within 5s".to_owned())),
    }
}

/// Makes the security group of this job, or takes over the one that an earlier try of it made.
pub(crate) async fn security_group(
    ec2: &Client,
    store: &mut Store,
    wish: &Wish,
    vpc: &str,
    caller: &Caller,
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
    let id = match ask(
        "CreateSecurityGroup",
        &wish.region,
        deadline,
        request.send(),
    )
    .await
    {
        Ok(answer) => answer.group_id.unwrap_or_default(),
        Err(error) if error.code() == "InvalidGroup.Duplicate" => {
            adopt(ec2, store, wish, vpc, &name, deadline)
                .await?
                .ok_or(error)?
        }
        Err(error) => return Err(error.into()),
    };
    store.update_launch(|launch| launch.security_group_id = Some(id.clone()))?;
    store.achieve("CreateSecurityGroup", json!({"id": id}))?;
    access::open(ec2, store, &wish.region, &id, caller, deadline).await?;
    tracing::info!("security group {id}: port 22 from {}", caller.from);
    Ok(id)
}

/// The group of that name, if its tags say that it is this job's.
async fn adopt(
    ec2: &Client,
    store: &Store,
    wish: &Wish,
    vpc: &str,
    name: &str,
    deadline: Deadline,
) -> Result<Option<String>, Ec2Error> {
    let run = store.run();
    let request = ec2
        .describe_security_groups()
        .filters(filter("group-name", [name]))
        .filters(filter("vpc-id", [vpc]))
        .filters(filter(&format!("tag:{TAG_RUN}"), [&run.id]))
        .filters(filter(&format!("tag:{TAG_JOB}"), [&run.job]));
    let answer = ask(
        "DescribeSecurityGroups",
        &wish.region,
        deadline,
        request.send(),
    )
    .await?;
    Ok(answer
        .security_groups
        .unwrap_or_default()
        .into_iter()
        .find_map(|group| group.group_id))
}

/// Lets these addresses in at port 22.
pub(crate) async fn allow(
    ec2: &Client,
    region: &str,
    group: &str,
    from: &Cidr,
    deadline: Deadline,
) -> Result<(), Ec2Error> {
    let unknown_since = OnceLock::new();
    let request = ec2
        .authorize_security_group_ingress()
        .group_id(group)
        .ip_permissions(permission(&from.to_string(), Some("SSH from the runner")));
    let what = format!("security group {group}");
    wait::until(what, deadline, Every::secs(1), async || {
        match ask(
            "AuthorizeSecurityGroupIngress",
            region,
            deadline,
            request.clone().send(),
        )
        .await
        {
            Ok(_) => Ok(Status::Ready(())),
            Err(error) if error.code() == "InvalidPermission.Duplicate" => Ok(Status::Ready(())),
            Err(error)
                if error.code() == "InvalidGroup.NotFound"
                    && unknown_since.get_or_init(Instant::now).elapsed() < UNKNOWN =>
            {
                Ok(Status::NotYet(error.to_string()))
            }
            Err(error) => Err(error),
        }
    })
    .await
    .map_err(Ec2Error::waited)
}

/// Lets these addresses in no longer.
pub(crate) async fn forbid(
    ec2: &Client,
    region: &str,
    group: &str,
    from: &str,
    deadline: Deadline,
) -> Result<(), Ec2Error> {
    let request = ec2
        .revoke_security_group_ingress()
        .group_id(group)
        .ip_permissions(permission(from, None));
    match ask(
        "RevokeSecurityGroupIngress",
        region,
        deadline,
        request.send(),
    )
    .await
    {
        Err(error) if error.code() == "InvalidPermission.NotFound" => Ok(()),
        answer => answer.map(drop),
    }
}

/// Port 22 for a range of addresses.
fn permission(from: &str, why: Option<&str>) -> IpPermission {
    let why = why.map(str::to_owned);
    let permission = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(22)
        .to_port(22);
    let permission = if from.contains(':') {
        let range = Ipv6Range::builder().cidr_ipv6(from).set_description(why);
        permission.ipv6_ranges(range.build())
    } else {
        let range = IpRange::builder().cidr_ip(from).set_description(why);
        permission.ip_ranges(range.build())
    };
    permission.build()
}
