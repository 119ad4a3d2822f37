//! What a launch asks for, and under which token.

use aws_sdk_ec2::operation::run_instances::RunInstancesInput;

use super::*;
use crate::provider::ec2::fake::spec;

fn subnets() -> Vec<Subnet> {
    let subnet = |zone: &str| Subnet {
        id: format!("subnet-{zone}"),
        zone: zone.to_owned(),
        vpc: "vpc-1".to_owned(),
        public: true,
    };
    vec![subnet("us-east-1a"), subnet("us-east-1b")]
}

fn session() -> LaunchSession {
    LaunchSession {
        nonce: "n".to_owned(),
        expires_at: "2026-11-21T15:00:00Z".parse().unwrap(),
        keys: LaunchKeys::generate().unwrap(),
        open: None,
    }
}

#[test]
fn one_request_asks_for_everything_that_keeps_the_host_safe_and_mortal() {
    let input = requested(&["--market=spot", "--disk-gib=120"]);

    let metadata = input.metadata_options().unwrap();
    assert_eq!(metadata.http_tokens(), Some(&HttpTokensState::Required));
    assert_eq!(metadata.http_put_response_hop_limit(), Some(1));
    let tags = metadata.instance_metadata_tags();
    assert_eq!(tags, Some(&InstanceMetadataTagsState::Disabled));
    let disk = input.block_device_mappings()[0].ebs().unwrap();
    assert_eq!(disk.volume_type(), Some(&VolumeType::Gp3));
    assert_eq!(
        (
            disk.volume_size(),
            disk.encrypted(),
            disk.delete_on_termination()
        ),
        (Some(120), Some(true), Some(true))
    );
    assert_eq!(
        input.instance_initiated_shutdown_behavior(),
        Some(&ShutdownBehavior::Terminate)
    );
    assert_eq!((input.min_count(), input.max_count()), (Some(1), Some(1)));
    assert_eq!(
        (input.key_name(), input.iam_instance_profile()),
        (None, None)
    );
    assert_eq!(input.security_group_ids(), ["sg-1"]);
    let spot = input
        .instance_market_options()
        .unwrap()
        .spot_options()
        .unwrap();
    assert_eq!(spot.spot_instance_type(), Some(&SpotInstanceType::OneTime));
    let user_data = BASE64_STANDARD.decode(input.user_data().unwrap()).unwrap();
    assert!(user_data.starts_with(b"#cloud-config\n"));
    let kinds: Vec<&str> = input
        .tag_specifications()
        .iter()
        .map(|tags| {
            let has = |key: &str| tags.tags().iter().any(|tag| tag.key() == Some(key));
            let all = ["run", "job", "attempt", "expires-at", "created-by-version"];
            assert!(all.iter().all(|key| has(&format!("manifests-e2e/{key}"))) && has("Name"));
            tags.resource_type().unwrap().as_str()
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "instance",
            "volume",
            "network-interface",
            "spot-instances-request"
        ]
    );
    assert!(
        input
            .client_token()
            .is_some_and(|token| token.len() == 64 && token.is_ascii())
    );
}

#[test]
fn an_address_is_asked_for_only_where_the_subnet_is_not_to_decide() {
    let plain = requested(&[]);
    assert_eq!(plain.subnet_id(), Some("subnet-us-east-1a"));
    assert!(plain.network_interfaces().is_empty());
    for (asked, public) in [("yes", true), ("no", false)] {
        let input = requested(&[&format!("--public-ip={asked}")]);
        // EC2 refuses them beside an interface.
        assert_eq!(
            (input.subnet_id(), input.security_group_ids().len()),
            (None, 0)
        );
        let interface = &input.network_interfaces()[0];
        assert_eq!(interface.associate_public_ip_address(), Some(public));
        assert_eq!(interface.subnet_id(), Some("subnet-us-east-1a"));
        assert_eq!(interface.groups(), ["sg-1"]);
        assert_eq!(interface.delete_on_termination(), Some(true));
    }
}

/// What is sent for the first candidate.
fn requested(options: &[&str]) -> RunInstancesInput {
    let (spec, session, run) = (spec(options), session(), Run::random());
    let config = aws_sdk_ec2::Config::builder()
        .behavior_version_latest()
        .build();
    let launch = LaunchRequest {
        ec2: &Client::from_conf(config),
        spec: &spec,
        session: &session,
        image: &ChosenImage {
            id: "ami-1".to_owned(),
            name: "ubuntu".to_owned(),
            root_device: "/dev/sda1".to_owned(),
        },
        security_group: "sg-1",
        tags: &run.tags(session.expires_at),
        name: "e2e-1",
    };
    let candidate = candidates(&spec, &session, &subnets()).remove(0);
    launch
        .request(&candidate, &candidate.token(&run, &session.nonce, "1"))
        .as_input()
        .clone()
        .build()
        .unwrap()
}

#[test]
fn each_candidate_has_a_token_of_its_own_and_the_open_one_comes_first() {
    let run = Run::random();
    let spec = spec(&[
        "--instance-types=a1.large,b1.large",
        "--market=spot-then-on-demand",
    ]);
    let mut session = session();
    let all = candidates(&spec, &session, &subnets());
    let mut tokens: Vec<String> = all
        .iter()
        .flat_map(|one| ["1", "2"].map(|turn| one.token(&run, &session.nonce, turn)))
        .collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!((all.len(), tokens.len()), (8, 16));
    assert_eq!(all[0].market, PurchaseOption::Spot);
    let lost = all[5].clone();
    let intent = serde_json::json!({"type": lost.instance_type, "zone": lost.subnet.zone, "market": lost.market.name(),
        "token": "t", "round": 1});
    session.open = Some(serde_json::from_value(intent).unwrap());
    let first = candidates(&spec, &session, &subnets()).remove(0);
    assert_eq!(first.to_string(), lost.to_string());
}
