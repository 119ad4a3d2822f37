//! The request for an instance: keys, tags, client token, and `RunInstances` for one candidate.
//!
//! Everything in it is fixed and on disk before the first request is sent. If an answer is lost, the same request goes
//! out again with the same token, so EC2 never launches a second instance.

use aws_sdk_ec2::{
    Client,
    operation::run_instances::builders::RunInstancesFluentBuilder,
    types::{
        BlockDeviceMapping, EbsBlockDevice, HttpTokensState, InstanceInterruptionBehavior,
        InstanceMarketOptionsRequest, InstanceMetadataEndpointState,
        InstanceMetadataOptionsRequest, InstanceMetadataTagsState,
        InstanceNetworkInterfaceSpecification, InstanceType, MarketType, Placement, ResourceType,
        ShutdownBehavior, SpotInstanceType, SpotMarketOptions, TagSpecification, VolumeType,
    },
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{
    cloud_init::{self, LaunchKeys},
    image::ChosenImage,
    network::Subnet,
    spec::LaunchSpec,
};
use crate::{
    cli::PublicIp,
    provider::{
        ec2::{RUN_INSTANCES, quota::PurchaseOption, tags_of},
        end_after,
    },
    record::{self, Launch, Store},
    report::{Exit, Failure},
    run::Run,
};

/// The key that we log in with, in the state directory.
pub(crate) const LOGIN_KEY: &str = "id_ed25519";
/// The host's own key; kept only until the host is up.
pub(crate) const HOST_KEY: &str = "host_ed25519_key";

/// What all requests of one launch have in common; a later process can resume it.
pub(crate) struct LaunchSession {
    pub(crate) nonce: String,
    pub(crate) expires_at: Timestamp,
    pub(crate) keys: LaunchKeys,
    /// The request whose answer was lost, if there is one.
    pub(crate) open: Option<OpenRequest>,
}

/// A request without a known answer, as the record's intent describes it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct OpenRequest {
    pub(crate) token: String,
    #[serde(rename = "type")]
    instance_type: String,
    zone: String,
    market: String,
}

impl OpenRequest {
    /// Whether it asked for this candidate.
    pub(crate) fn is(&self, candidate: &Candidate) -> bool {
        self.instance_type == candidate.instance_type
            && self.zone == candidate.subnet.zone
            && self.market == candidate.market.name()
    }
}

impl LaunchSession {
    /// Creates nonce, keys and end of a launch on disk, or resumes the last launch while its answer is open.
    pub(crate) fn begin(store: &mut Store, spec: &LaunchSpec) -> Result<Self, Failure> {
        if let Some(session) = Self::resume(store, spec) {
            tracing::info!("the answer to an earlier launch is open: asking for the same again");
            return Ok(session);
        }
        let keys = LaunchKeys::generate().map_err(|error| {
            Failure::new(
                Exit::Infrastructure,
                format!("no key could be made: {error}"),
            )
        })?;
        record::write_private(&store.path(LOGIN_KEY), keys.login.as_bytes())?;
        record::write_private(&store.path(HOST_KEY), keys.host.as_bytes())?;
        let expires_at = end_after(Timestamp::now(), spec.ttl.duration());
        let session = Self {
            nonce: format!("{:016x}", rand::random::<u64>()),
            expires_at,
            keys,
            open: None,
        };
        store.update(|record| {
            record.host = None;
            record.launch = Some(Launch {
                provider: "ec2".to_owned(),
                region: Some(spec.region.clone()),
                nonce: Some(session.nonce.clone()),
                instance_id: None,
                security_group_id: None,
                expires_at: Some(session.expires_at),
                attempts: Vec::new(),
            });
        })?;
        Ok(session)
    }

    /// For a dry run; nothing is written.
    pub(crate) fn for_trial(keys: LaunchKeys) -> Self {
        Self {
            nonce: format!("{:016x}", rand::random::<u64>()),
            expires_at: Timestamp::now(),
            keys,
            open: None,
        }
    }

    fn resume(store: &Store, spec: &LaunchSpec) -> Option<Self> {
        let step = store.open_step(RUN_INSTANCES)?;
        let launch = store.record().launch.as_ref()?;
        let expires_at = launch.expires_at?;
        if launch.region.as_deref() != Some(&spec.region) || expires_at <= Timestamp::now() {
            return None;
        }
        let read = |name| std::fs::read_to_string(store.path(name)).ok();
        Some(Self {
            nonce: launch.nonce.clone()?,
            expires_at,
            keys: LaunchKeys::read(&read(LOGIN_KEY)?, &read(HOST_KEY)?).ok()?,
            open: Some(serde_json::from_value(step.intent.clone()).ok()?),
        })
    }
}

/// One type in one subnet, by one purchase option.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) instance_type: String,
    pub(crate) subnet: Subnet,
    pub(crate) market: PurchaseOption,
}

impl std::fmt::Display for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (market, zone) = (self.market.name(), &self.subnet.zone);
        write!(f, "{} ({market}) in {zone}", self.instance_type)
    }
}

impl Candidate {
    /// The client token: equal for equal requests, different for all others. `turn` differs for each round, and after an
    /// instance has ended.
    ///
    /// At most 64 characters of ASCII, as EC2 takes them: a SHA-256 in hexadecimal digits.
    pub(crate) fn token(&self, run: &Run, nonce: &str, turn: &str) -> String {
        let parts = [
            &run.id,
            &run.job,
            nonce,
            &self.instance_type,
            &self.subnet.id,
            self.market.name(),
            turn,
        ];
        hex::encode(Sha256::digest(parts.join("\n")))
    }

    /// For a dry run.
    pub(crate) fn for_trial(instance_type: &str, subnet: &Subnet, market: PurchaseOption) -> Self {
        Self {
            instance_type: instance_type.to_owned(),
            subnet: subnet.clone(),
            market,
        }
    }
}

/// All candidates in order of preference: market, then type, then zone. The one whose answer is open comes first.
pub(crate) fn candidates(
    spec: &LaunchSpec,
    session: &LaunchSession,
    subnets: &[Subnet],
) -> Vec<Candidate> {
    let mut all = Vec::new();
    for market in &spec.markets {
        for instance_type in &spec.types {
            for subnet in subnets {
                all.push(Candidate {
                    instance_type: instance_type.clone(),
                    subnet: subnet.clone(),
                    market: *market,
                });
            }
        }
    }
    let is_open =
        |candidate: &Candidate| session.open.as_ref().is_some_and(|open| open.is(candidate));
    all.sort_by_key(|candidate| !is_open(candidate));
    all
}

/// Everything that a request needs besides its candidate.
pub(crate) struct LaunchRequest<'a> {
    pub(crate) ec2: &'a Client,
    pub(crate) spec: &'a LaunchSpec,
    pub(crate) session: &'a LaunchSession,
    pub(crate) image: &'a ChosenImage,
    pub(crate) security_group: &'a str,
    pub(crate) tags: &'a [(String, String)],
    /// Of the instance, for the console.
    pub(crate) name: &'a str,
}

impl LaunchRequest<'_> {
    pub(crate) fn request(&self, candidate: &Candidate, token: &str) -> RunInstancesFluentBuilder {
        let tags = |kind: ResourceType| {
            let name = ("Name".to_owned(), self.name.to_owned());
            let mut tags = self.tags.to_vec();
            tags.push(name);
            TagSpecification::builder()
                .resource_type(kind)
                .set_tags(Some(tags_of(&tags)))
                .build()
        };
        let disk = EbsBlockDevice::builder()
            .volume_size(self.spec.disk_gib)
            .volume_type(VolumeType::Gp3)
            .encrypted(true)
            .delete_on_termination(true);
        let user_data = cloud_init::user_data(
            &self.session.keys,
            &self.spec.public_keys,
            self.spec.ttl,
            self.session.expires_at,
            self.spec.ami.is_some(),
        );
        let request = self
            .ec2
            .run_instances()
            .client_token(token)
            .image_id(&self.image.id)
            .instance_type(InstanceType::from(candidate.instance_type.as_str()))
            .min_count(1)
            .max_count(1)
            .placement(
                Placement::builder()
                    .availability_zone(&candidate.subnet.zone)
                    .build(),
            )
            .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
            .metadata_options(
                InstanceMetadataOptionsRequest::builder()
                    .http_endpoint(InstanceMetadataEndpointState::Enabled)
                    .http_tokens(HttpTokensState::Required)
                    .http_put_response_hop_limit(1)
                    // An account may show tags there by default, and then EC2 refuses keys with a slash, as ours are.
                    .instance_metadata_tags(InstanceMetadataTagsState::Disabled)
                    .build(),
            )
            .block_device_mappings(
                BlockDeviceMapping::builder()
                    .device_name(&self.image.root_device)
                    .ebs(disk.build())
                    .build(),
            )
            .user_data(BASE64_STANDARD.encode(user_data))
            .tag_specifications(tags(ResourceType::Instance))
            .tag_specifications(tags(ResourceType::Volume))
            .tag_specifications(tags(ResourceType::NetworkInterface));
        let request = match self.spec.public_ip {
            PublicIp::Subnet => request
                .subnet_id(&candidate.subnet.id)
                .security_group_ids(self.security_group),
            // Only an interface that the request describes can differ from its subnet.
            asked => request.network_interfaces(
                InstanceNetworkInterfaceSpecification::builder()
                    .device_index(0)
                    .subnet_id(&candidate.subnet.id)
                    .groups(self.security_group)
                    .associate_public_ip_address(asked == PublicIp::Yes)
                    .delete_on_termination(true)
                    .build(),
            ),
        };
        match candidate.market {
            PurchaseOption::OnDemand => request,
            PurchaseOption::Spot => request
                .tag_specifications(tags(ResourceType::SpotInstancesRequest))
                .instance_market_options(
                    InstanceMarketOptionsRequest::builder()
                        .market_type(MarketType::Spot)
                        .spot_options(
                            SpotMarketOptions::builder()
                                .spot_instance_type(SpotInstanceType::OneTime)
                                .instance_interruption_behavior(
                                    InstanceInterruptionBehavior::Terminate,
                                )
                                .build(),
                        )
                        .build(),
                ),
        }
    }
}

#[cfg(test)]
mod tests;
