//! The requests that would make something, tried: the security group, and the launch for each type and market.

use aws_sdk_ec2::types::{ResourceType, TagSpecification};
use jiff::Timestamp;

use super::{
    Patient,
    tried::{self, Told, Tried},
};
use crate::{
    doctor::Check,
    iam::Policy,
    provider::{
        Resource,
        ec2::{
            end::GROUP,
            errors::ask,
            launch::{Begun, Candidate, Chosen, Keys, Order, Subnet},
            tags_of,
        },
    },
    report::Exit,
};

impl Patient<'_> {
    /// The security group as provision-ec2 would make it.
    pub(super) async fn group(&self, subnet: &Subnet) -> Told {
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
        let answer = ask(call, &self.wish.region, self.deadline, request.send()).await;
        Told {
            call,
            tried: Tried::of(answer.map(drop)),
            on_ours: true,
        }
    }

    /// The launch as provision-ec2 would ask for it, for each type and market.
    pub(super) async fn launches(
        &self,
        image: &Chosen,
        subnets: &[Subnet],
        ours: &[Resource],
        policy: &Policy,
    ) -> Result<Vec<Check>, Box<Check>> {
        let what = "ec2:RunInstances";
        let made_up = |error: String| Box::new(Check::missing(Exit::Infrastructure, what, error));
        let keys =
            Keys::generate().map_err(|error| made_up(format!("no key could be made: {error}")))?;
        let group = ours
            .iter()
            .find(|one| one.kind == GROUP)
            .map(|one| one.id.clone());
        let known = self.wish.security_group.clone().or(group);
        let begun = Begun::for_trial(keys);
        let tags = self.run.tags(begun.expires_at);
        let order = Order {
            ec2: self.ec2,
            wish: self.wish,
            begun: &begun,
            image,
            security_group: known.as_deref().unwrap_or_default(),
            tags: &tags,
            name: &self.run.name("doctor"),
        };
        let mut checks = Vec::new();
        for market in &self.wish.markets {
            for (place, instance_type) in self.wish.types.iter().enumerate() {
                let candidate = Candidate::for_trial(instance_type, &subnets[0], *market);
                let token = candidate.token(self.run, &begun.nonce, "trial");
                let mut request = order.request(&candidate, &token).dry_run(true);
                if known.is_none() {
                    // Into the VPC's own group, as one of ours is not made yet.
                    request = request.set_security_group_ids(None);
                }
                let answer = ask(
                    "RunInstances",
                    &self.wish.region,
                    self.deadline,
                    request.send(),
                )
                .await;
                let name = format!("{what} of {instance_type} ({})", market.name());
                let tried = Tried::of(answer.map(drop));
                let denied = matches!(tried, Tried::Denied(_));
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
