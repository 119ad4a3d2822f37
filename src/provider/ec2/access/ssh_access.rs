//! SSH access to a host: which addresses its security group admits to port 22.
//!
//! They are the named ones, else this machine's. A runner behind a pool of addresses may get another one during a
//! job; the security group then drops its packets, and the host looks dead. This module authorizes the new address and
//! revokes the old one. It changes only the group of this job, and only where no address was named.

use std::{
    convert::Infallible,
    net::IpAddr,
    sync::OnceLock,
    time::{Duration, Instant},
};

use aws_sdk_ec2::{
    Client,
    types::{IpPermission, IpRange, Ipv6Range},
};
use serde_json::json;

use super::{client::Ec2Api, session::Access};
use crate::{
    host::presence::probe_ssh,
    http_client,
    inputs::Environment,
    limits::Deadline,
    provider::ec2::{
        VISIBILITY_DELAY,
        errors::{Ec2Error, ask},
    },
    record::{HostKind, HostRecord, Store},
    report::{self, Failure},
    wait::{self, Every, Status},
};

/// The step of the record.
const ALLOW_SSH: &str = "AllowSsh";
/// Limit for authorizing a new address.
const REAUTHORIZE_LIMIT: Duration = Duration::from_secs(45);
/// How often a host that is waited for is probed.
const POLL_INTERVAL: Duration = Duration::from_secs(20);

/// Answers with the caller's public address; `MANIFESTS_E2E_ADDRESS_URL` names another service.
const OWN_ADDRESS: &str = "https://checkip.amazonaws.com";

/// Addresses that may reach port 22.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cidr {
    pub(crate) address: IpAddr,
    pub(crate) prefix: u8,
}

/// Who may reach port 22.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SshSource {
    pub(crate) from: Cidr,
    /// Whether that is this machine's address, looked up; it may change.
    pub(crate) own: bool,
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Cidr {
    /// One machine.
    pub(crate) fn host(address: IpAddr) -> Self {
        Self {
            address,
            prefix: if address.is_ipv4() { 32 } else { 128 },
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = text
            .split_once('/')
            .map_or((text, None), |(a, p)| (a, Some(p)));
        let malformed = || format!("`{text}` is not an address or a range of addresses");
        let host = Self::host(address.trim().parse().map_err(|_| malformed())?);
        let prefix = match prefix {
            None => host.prefix,
            Some(prefix) => prefix.trim().parse().map_err(|_| malformed())?,
        };
        if prefix > host.prefix {
            return Err(malformed());
        }
        // 10.0.0.0/8 is the widest network of one's own; IPv6 has fc00::/7.
        let widest = if host.address.is_ipv4() { 8 } else { 7 };
        if prefix < widest {
            return Err(format!(
                "`{text}` opens port 22 to a large part of the world"
            ));
        }
        Ok(Self { prefix, ..host })
    }
}

/// Authorizes one source for port 22 of a group, and records it.
pub(crate) async fn authorize(
    ec2: &Client,
    store: &mut Store,
    region: &str,
    group: &str,
    caller: &SshSource,
    deadline: Deadline,
) -> Result<(), Failure> {
    let from = caller.from.to_string();
    store.intend(
        ALLOW_SSH,
        json!({"group": group, "from": from, "own": caller.own}),
    )?;
    authorize_ingress(ec2, region, group, &caller.from, deadline).await?;
    Ok(store.achieve(ALLOW_SSH, json!({"allowed": true}))?)
}

/// Authorizes this machine's new address when the host of the record is silent and this machine's address has changed.
///
/// A failure is a warning: the stage then finds the host as it is.
pub(crate) async fn reauthorize(store: &mut Store, env: &Environment, deadline: Deadline) {
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
    let readmitted =
        reauthorize_new_address(store, &access, deadline.within(REAUTHORIZE_LIMIT)).await;
    if let Err(failure) = readmitted {
        tracing::warn!(
            "{} does not answer, and whether this machine's address has changed, or how to let it in, is not known: {}",
            host.address,
            failure.line()
        );
    }
}

/// Authorizes this machine's address unless it is authorized already; returns whether it did.
///
/// # Errors
/// [`Failure`] when it could not.
async fn reauthorize_new_address(
    store: &mut Store,
    access: &Access,
    deadline: Deadline,
) -> Result<bool, Failure> {
    let Some((group, old)) = authorized(store) else {
        return Ok(false);
    };
    let launch = store.record().launch.as_ref();
    let Some(region) = launch.and_then(|launch| launch.region.clone()) else {
        return Ok(false);
    };
    let now = SshSource {
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
    let access = access.clone().in_region(&region);
    let ec2 = Ec2Api::open(&access, deadline).await?.region(&region);
    authorize(&ec2, store, &region, &group, &now, deadline).await?;
    if let Err(error) = revoke_ingress(&ec2, &region, &group, &old, deadline).await {
        tracing::warn!("{group} lets {old} in as well: {error}");
    }
    Ok(true)
}

/// Keeps a host reachable while somebody waits for it; never returns.
pub(crate) async fn keep_authorized(
    store: &mut Store,
    access: &Access,
    host: &HostRecord,
    deadline: Deadline,
) -> Infallible {
    loop {
        wait::pause(POLL_INTERVAL).await;
        if !is_silent(host).await {
            continue;
        }
        if let Err(failure) = reauthorize_new_address(store, access, deadline).await {
            tracing::warn!("{}", failure.line());
        }
    }
}

/// Whether nothing comes back at all, not even a refusal: a security group drops packets silently.
pub(crate) async fn is_silent(host: &HostRecord) -> bool {
    host.kind == HostKind::Ssh && probe_ssh(host).await.is_none()
}

/// The group and this machine's address that it admits; `None` where the addresses were named.
fn authorized(store: &Store) -> Option<(String, String)> {
    let mut steps = store.record().steps.iter().rev();
    let step = steps.find(|step| step.name == ALLOW_SSH)?;
    let text = |name: &str| step.intent[name].as_str().map(str::to_owned);
    step.intent["own"].as_bool().filter(|own| *own)?;
    Some((text("group")?, text("from")?))
}

/// This machine's public address.
pub(crate) async fn own_address(env: &Environment, deadline: Deadline) -> Result<IpAddr, Ec2Error> {
    let url = env.get("MANIFESTS_E2E_ADDRESS_URL").unwrap_or(OWN_ADDRESS);
    let unknown = |reason: String| Ec2Error::OwnAddress {
        url: url.to_owned(),
        reason,
        proxy: env.https_proxy().map(|(name, _)| name),
    };
    let lookup = async {
        // Not through a proxy: what is asked for is the address that SSH comes from, and SSH takes none.
        let client = http_client::builder().no_proxy().build()?;
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

/// Admits these addresses to port 22.
pub(crate) async fn authorize_ingress(
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
                    && unknown_since.get_or_init(Instant::now).elapsed() < VISIBILITY_DELAY =>
            {
                Ok(Status::NotYet(error.to_string()))
            }
            Err(error) => Err(error),
        }
    })
    .await
    .map_err(Ec2Error::waited)
}

/// Does not admit these addresses any more.
pub(crate) async fn revoke_ingress(
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
