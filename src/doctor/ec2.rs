//! Checks EC2 by sending the requests of a launch and a teardown with `DryRun`: permissions, network, image, market.
//!
//! Given the inputs of `provision-ec2`; creates and changes nothing. A policy that allows a call only on resources with
//! our tags can be checked only where such a resource exists; elsewhere the result is a warning.

mod network;
mod quotas;
mod signed;
mod spot;
mod trials;
mod tried;

use std::time::Duration;

use aws_sdk_ec2::{
    Client,
    types::{InstanceMetadataEndpointState, IpPermission, IpRange},
};
use futures::future::BoxFuture;
use jiff::Timestamp;

use self::tried::{DryRunAnswer, TriedCall, tell};
use crate::{
    cli::ProvisionArgs,
    doctor::Check,
    iam::{self, Policy, PolicyScope, Statement},
    inputs::Environment,
    limits::{Deadline, Limit, humane},
    logs::s3::Target,
    provider::{
        Resource,
        ec2::{
            access::{Access, Ec2Api, SessionLifetime},
            class::ErrorClass,
            end::{GROUP, INSTANCE, INTERFACE, ResourceQuery, VOLUME, find},
            errors::{Ec2Error, ask},
            launch::{self, LaunchSpec},
            quota::PurchaseOption,
            tags_of,
        },
    },
    report::Exit,
    run::{Run, TAG_EXPIRES_AT, TAG_REPOSITORY},
};

/// The statements that a policy needs for the upload of `gather-logs`.
pub(crate) fn allowing_upload(target: Target) -> Vec<Statement> {
    let scope = PolicyScope {
        s3: Some(target),
        ..PolicyScope::default()
    };
    iam::of_chain(&scope).allowing("s3:PutObject")
}

/// Makes all checks; `budget` is how long a run may take.
pub(crate) async fn examine(
    args: &ProvisionArgs,
    budget: Limit,
    run: &Run,
    env: &Environment,
    deadline: Deadline,
) -> Vec<Check> {
    let spec = match LaunchSpec::of(args, env) {
        Ok(spec) => spec,
        Err(error) => return vec![Check::failed("inputs of provision-ec2", error)],
    };
    let access = match Access::new(env, args.role_arn.as_deref()) {
        Ok(access) => access.in_region(&spec.region),
        Err(error) => return vec![Check::failed("inputs of provision-ec2", error)],
    };
    let api = match Ec2Api::open(&access, deadline).await {
        Ok(api) => api,
        Err(error) => return vec![Check::failed("AWS credentials", error)],
    };
    let mut checks = vec![lifetime(&api, budget)];
    checks.extend(network::proxy(env));
    let ec2 = api.region(&spec.region);
    let mut looks = looks(&ec2, &spec.region, deadline).await;
    let policy = policy(&spec);
    if let Some(at) = looks.iter().position(TriedCall::is_fault)
        && let DryRunAnswer::Failed(error) = looks.swap_remove(at).tried
    {
        // Everything else would only say the same.
        checks.push(Check::failed(format!("EC2 in {}", spec.region), error));
        return checks;
    }
    if looks
        .iter()
        .any(|told| matches!(told.tried, DryRunAnswer::CarriedOut))
    {
        let what = format!("EC2 in {}", spec.region);
        let found = "this endpoint carries requests out although they say DryRun";
        checks.push(Check::missing(Exit::BadInput, what, found).remedy("look at AWS_ENDPOINT_URL"));
        return checks;
    }
    let seen = looks
        .iter()
        .all(|told| matches!(told.tried, DryRunAnswer::Allowed));
    checks.extend(tell(looks, &policy));
    let trial = DryRun {
        ec2: &ec2,
        spec: &spec,
        run,
        env,
        deadline,
    };
    let ours = match find(&ec2, &spec.region, ResourceQuery::Ours, deadline).await {
        Ok(mut ours) => {
            // A policy that is narrowed to one repository refuses what is another's.
            ours.retain(|it| {
                run.repository.is_none() || it.tags.get(TAG_REPOSITORY) == run.repository.as_ref()
            });
            ours
        }
        Err(error) if seen => {
            checks.push(Check::failed("what is there already", error));
            Vec::new()
        }
        Err(_) => Vec::new(),
    };
    checks.extend(trial.place(&ours, &policy).await);
    checks.extend(tell(trial.changes(&ours).await, &policy));
    checks.extend(quotas::vcpus(&api, &spec, env, deadline).await);
    if spec.markets.contains(&PurchaseOption::Spot) {
        checks.push(spot::role(&api, &spec.region, env, deadline).await);
    }
    checks
}

/// What the policy of the chain would be, for these inputs.
fn policy(spec: &LaunchSpec) -> Policy {
    iam::of_chain(&PolicyScope {
        region: Some(spec.region.clone()),
        security_group: spec.security_group.clone(),
        ..PolicyScope::default()
    })
}

/// Whether the credentials last for a run.
fn lifetime(api: &Ec2Api, budget: Limit) -> Check {
    let what = "AWS credentials";
    let remedy = "give `role-arn` and the permission `id-token: write`, so that they are renewed, or ask for a longer \
                  session (role-duration-seconds of aws-actions/configure-aws-credentials)";
    let end = match api.lifetime() {
        SessionLifetime::Always => {
            return Check::ok(what, "they are there, and have no end or are renewed");
        }
        SessionLifetime::Unknown => {
            let found =
                format!("they are temporary, and nothing says until when; a run may take {budget}");
            return Check::warning(what, found).remedy(remedy);
        }
        SessionLifetime::Until(end) => end,
    };
    let left = Duration::try_from(end.duration_since(Timestamp::now())).unwrap_or_default();
    let found = format!("they end in {}; a run may take {budget}", humane(left));
    if left < budget.duration() {
        Check::warning(what, found).remedy(remedy)
    } else {
        Check::ok(what, found)
    }
}

type Trial<'a> = BoxFuture<'a, Result<(), Ec2Error>>;

/// A call, whether it is on something of ours, and the request: at a region, until a deadline.
macro_rules! trial {
    ($at:ident, $call:literal, $on_ours:expr, $request:expr) => {
        (
            $call,
            $on_ours,
            Box::pin(async {
                ask($call, $at.0, $at.1, $request.dry_run(true).send())
                    .await
                    .map(drop)
            }) as Trial<'_>,
        )
    };
}

async fn tried_all(trials: Vec<(&'static str, bool, Trial<'_>)>) -> Vec<TriedCall> {
    let told = trials
        .into_iter()
        .map(async |(call, on_ours, trial)| TriedCall {
            call,
            tried: DryRunAnswer::of(trial.await),
            on_ours,
        });
    futures::future::join_all(told).await
}

/// The calls that only look, each tried.
async fn looks(ec2: &Client, region: &str, deadline: Deadline) -> Vec<TriedCall> {
    let at = (region, deadline);
    let trials = vec![
        trial!(at, "DescribeImages", true, ec2.describe_images()),
        trial!(at, "DescribeInstances", true, ec2.describe_instances()),
        trial!(
            at,
            "DescribeNetworkInterfaces",
            true,
            ec2.describe_network_interfaces()
        ),
        trial!(at, "DescribeRegions", true, ec2.describe_regions()),
        trial!(
            at,
            "DescribeSecurityGroups",
            true,
            ec2.describe_security_groups()
        ),
        trial!(at, "DescribeSubnets", true, ec2.describe_subnets()),
        trial!(at, "DescribeVolumes", true, ec2.describe_volumes()),
    ];
    tried_all(trials).await
}

/// Adds the check of something that was looked up. That its call was denied was told before.
fn found<T>(
    checks: &mut Vec<Check>,
    what: &str,
    looked_up: Result<T, Ec2Error>,
    tell: impl FnOnce(&T) -> String,
) -> Option<T> {
    match looked_up {
        Ok(found) => {
            checks.push(Check::ok(what, tell(&found)));
            Some(found)
        }
        Err(error) => {
            if error.class() != ErrorClass::Denied {
                checks.push(Check::failed(what, error));
            }
            None
        }
    }
}

/// The launch that is tried.
struct DryRun<'a> {
    ec2: &'a Client,
    spec: &'a LaunchSpec,
    run: &'a Run,
    env: &'a Environment,
    deadline: Deadline,
}

impl DryRun<'_> {
    /// Network, image, address, and the launch itself.
    async fn place(&self, ours: &[Resource], policy: &Policy) -> Vec<Check> {
        let (ec2, spec, deadline) = (self.ec2, self.spec, self.deadline);
        let (image, subnets, from) = tokio::join!(
            launch::choose(ec2, spec, deadline),
            launch::subnets(ec2, spec, deadline),
            launch::callers(spec, self.env, deadline),
        );
        let mut checks = Vec::new();
        let what = if spec.subnets.is_empty() {
            "default VPC"
        } else {
            "subnet-ids"
        };
        let subnets = found(&mut checks, what, subnets, |subnets| {
            let zones: Vec<&str> = subnets.iter().map(|subnet| subnet.zone.as_str()).collect();
            format!("{} in {}", subnets[0].vpc, zones.join(", "))
        });
        checks.extend(
            subnets
                .as_deref()
                .and_then(|subnets| network::private(spec, subnets)),
        );
        let image = found(&mut checks, "image", image, |image| {
            format!("{} ({})", image.id, image.name)
        });
        found(&mut checks, "port 22", from, |from| match from {
            Some(caller) => format!("for {} alone", caller.from),
            None => "as security-group-id has it".to_owned(),
        });
        let (Some(image), Some(subnets)) = (image, subnets) else {
            let found = "not tried, for want of an image or a subnet";
            checks.push(Check::warning("ec2:RunInstances", found));
            return checks;
        };
        let launches = self.launches(&image, &subnets, ours, policy).await;
        checks.extend(launches.unwrap_or_else(|check| vec![*check]));
        if spec.security_group.is_none() {
            let told = self.group(&subnets[0]).await;
            checks.extend(tell(vec![told], policy));
        }
        checks
    }

    /// The calls that change or end what is ours, on something of ours where there is anything.
    async fn changes(&self, ours: &[Resource]) -> Vec<TriedCall> {
        let (ec2, region, deadline) = (self.ec2, self.spec.region.as_str(), self.deadline);
        let one = |kind: &str, prefix: &str| {
            let known = ours
                .iter()
                .find(|one| one.kind == kind)
                .map(|one| one.id.clone());
            let on_ours = known.is_some();
            (
                known.unwrap_or_else(|| format!("{prefix}-00000000000000000")),
                on_ours,
            )
        };
        let (instance, group) = (one(INSTANCE, "i"), one(GROUP, "sg"));
        let (volume, interface) = (one(VOLUME, "vol"), one(INTERFACE, "eni"));
        let nobody = IpRange::builder().cidr_ip("192.0.2.1/32").build();
        let ssh = IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(22)
            .to_port(22)
            .ip_ranges(nobody)
            .build();
        let end = tags_of(&[(TAG_EXPIRES_AT.to_owned(), Timestamp::now().to_string())]);
        let at = (region, deadline);
        let trials = vec![
            trial!(
                at,
                "AuthorizeSecurityGroupIngress",
                group.1,
                ec2.authorize_security_group_ingress()
                    .group_id(&group.0)
                    .ip_permissions(ssh.clone())
            ),
            trial!(
                at,
                "RevokeSecurityGroupIngress",
                group.1,
                ec2.revoke_security_group_ingress()
                    .group_id(&group.0)
                    .ip_permissions(ssh.clone())
            ),
            trial!(
                at,
                "ModifyInstanceMetadataOptions",
                instance.1,
                ec2.modify_instance_metadata_options()
                    .instance_id(&instance.0)
                    .http_endpoint(InstanceMetadataEndpointState::Disabled)
            ),
            trial!(
                at,
                "GetConsoleOutput",
                instance.1,
                ec2.get_console_output().instance_id(&instance.0)
            ),
            trial!(
                at,
                "CreateTags",
                instance.1,
                ec2.create_tags()
                    .resources(&instance.0)
                    .set_tags(Some(end.clone()))
            ),
            trial!(
                at,
                "TerminateInstances",
                instance.1,
                ec2.terminate_instances().instance_ids(&instance.0)
            ),
            trial!(
                at,
                "DeleteVolume",
                volume.1,
                ec2.delete_volume().volume_id(&volume.0)
            ),
            trial!(
                at,
                "DeleteNetworkInterface",
                interface.1,
                ec2.delete_network_interface()
                    .network_interface_id(&interface.0)
            ),
            trial!(
                at,
                "DeleteSecurityGroup",
                group.1,
                ec2.delete_security_group().group_id(&group.0)
            ),
        ];
        tried_all(trials).await
    }
}
