//! The requests that would make something, tried: the security group, and the launch for each type and market.

use aws_sdk_ec2::types::{ResourceType, TagSpecification};
use jiff::Timestamp;

use super::{
    DryRun,
    tried::{self, DryRunAnswer, TriedCall},
};
use crate::{
    doctor::Check,
    iam::Policy,
    provider::{
        Resource,
        ec2::{
            end::GROUP,
            errors::ask,
            launch::{Candidate, ChosenImage, LaunchKeys, LaunchRequest, LaunchSession, Subnet},
            tags_of,
        },
    },
    report::Exit,
};

impl DryRun<'_> {
    /// The security group as provision-ec2 would make it.
    pub(super) async fn group(&self, subnet: &Subnet) -> TriedCall {
        let tags = TagSpecification::builder()
            .resource_type(ResourceType::SecurityGroup)
            .set_tags(Some(tags_of(&self.run.tags(Timestamp::now()))));
        let request = self
            .ec2
            .create_security_group()
            .group_name(self.run.name("doctor"))
            .description("A request that is only tried")
            .vpc_id(&subnet.vpc)
            .tag_specifications(tags.build())
            .dry_run(true);
        let call = "CreateSecurityGroup";
        let answer = ask(call, &self.spec.region, self.deadline, request.send()).await;
        TriedCall {
            call,
            tried: DryRunAnswer::of(answer.map(drop)),
            on_ours: true,
        }
    }

    /// The launch as provision-ec2 would ask for it, for each type and market.
    pub(super) async fn launches(
        &self,
        image: &ChosenImage,
        subnets: &[Subnet],
        ours: &[Resource],
        policy: &Policy,
    ) -> Result<Vec<Check>, Box<Check>> {
        let what = "ec2:RunInstances";
        let made_up = |error: String| Box::new(Check::missing(Exit::Infrastructure, what, error));
        let keys = LaunchKeys::generate()
            .map_err(|error| made_up(format!("no key could be made: {error}")))?;
        let group = ours
            .iter()
            .find(|one| one.kind == GROUP)
            .map(|one| one.id.clone());
        let known = self.spec.security_group.clone().or(group);
        let session = LaunchSession::for_trial(keys);
        let tags = self.run.tags(session.expires_at);
        let launch = LaunchRequest {
            ec2: self.ec2,
            spec: self.spec,
            session: &session,
            image,
            security_group: known.as_deref().unwrap_or_default(),
            tags: &tags,
            name: &self.run.name("doctor"),
        };
        let mut checks = Vec::new();
        for market in &self.spec.markets {
            for (place, instance_type) in self.spec.types.iter().enumerate() {
                let candidate = Candidate::for_trial(instance_type, &subnets[0], *market);
                let token = candidate.token(self.run, &session.nonce, "trial");
                let mut request = launch.request(&candidate, &token).dry_run(true);
                if known.is_none() {
                    // Into the VPC's own group, as one of ours is not made yet.
                    request = request.set_security_group_ids(None);
                }
                let answer = ask(
                    "RunInstances",
                    &self.spec.region,
                    self.deadline,
                    request.send(),
                )
                .await;
                let name = format!("{what} of {instance_type} ({})", market.name());
                let tried = DryRunAnswer::of(answer.map(drop));
                let denied = matches!(tried, DryRunAnswer::Denied(_));
                checks.push(tried::launch(
                    name,
                    tried,
                    known.is_some(),
                    place > 0,
                    policy,
                ));
                if denied {
                    // The others would be, too.
                    return Ok(checks);
                }
            }
        }
        Ok(checks)
    }
}
