//! `provision-ec2` against the sandbox's cloud, and what it refuses without any.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::it::support::{
    Lane,
    aws::{Job, cloud, fault, left, living},
    sandbox, within,
};

#[test]
fn what_cannot_be_is_refused_before_any_request() {
    // Nothing listens there: a request would end with another code.
    let job = || Job::new().with("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    for (option, name) in [
        ("--region=us_east_1", "region: `us_east_1`"),
        ("--region=us-east-1.example.org", "region: "),
        (
            "--ssh-cidr=0.0.0.0/0",
            "ssh-cidr: `0.0.0.0/0` opens port 22 to a large part of the world",
        ),
        ("--instance-types=large", "instance-types: `large`"),
        ("--ttl=3", "has no unit"),
        ("--provider=gce", "provider"),
    ] {
        let job = job();
        job.step(&["provision-ec2", option]).exits(2).says(name);
        assert_eq!(job.record()["launch"], serde_json::Value::Null);
    }
    let job = job().with("AWS_REGION", "nowhere");
    job.step(&["provision-ec2"])
        .exits(2)
        .says("AWS_REGION: `nowhere`");
}

#[test]
fn no_credentials_is_one_line_with_the_remedy() {
    let job = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"]
        .into_iter()
        .fold(Job::new(), |job, name| job.with(name, ""))
        .with("AWS_EC2_METADATA_DISABLED", "true");
    job.step(&["provision-ec2", "--ssh-cidr=203.0.113.7/32"])
        .exits(2)
        .says("error: provision-ec2: there are no AWS credentials")
        .says("aws-actions/configure-aws-credentials");
}

#[test]
fn sandbox_a_host_answers_with_all_that_was_asked_for_and_is_gone_after_a_teardown_elsewhere() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let job = Job::new();
    job.step(&["provision-ec2", "--tags=team=a"]).exits(0);
    let id = job.output("instance-id").unwrap();
    for name in [
        "public-ip",
        "availability-zone",
        "instance-type",
        "ami",
        "expires-at",
    ] {
        assert!(
            job.output(name).is_some_and(|value| !value.is_empty()),
            "{name}"
        );
    }
    assert_eq!(job.output("region").as_deref(), Some("us-east-1"));
    assert_eq!(job.output("market").as_deref(), Some("on-demand"));
    assert_eq!(job.output("run-id"), Some(job.tag()));

    let found = living(&job.tag());
    let [instance] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(instance["InstanceId"], json!(id));
    assert_eq!(instance["MetadataOptions"]["HttpEndpoint"], "disabled");
    assert_eq!(instance["MetadataOptions"]["HttpTokens"], "required");
    assert_eq!(instance["KeyName"], serde_json::Value::Null);
    let tagged = |key: &str| {
        instance["Tags"]
            .as_array()
            .unwrap()
            .iter()
            .any(|tag| tag["Key"] == key)
    };
    assert!(tagged("manifests-e2e/expires-at") && tagged("manifests-e2e/job") && tagged("team"));
    let group = &instance["SecurityGroups"][0]["GroupId"];
    let groups = cloud("describe_security_groups", json!({"GroupIds": [group]}));
    let open = &groups["SecurityGroups"][0]["IpPermissions"];
    assert_eq!(open[0]["IpRanges"][0]["CidrIp"], "10.99.0.1/32");
    assert_eq!(
        (open[0]["FromPort"].as_i64(), open.as_array().unwrap().len()),
        (Some(22), 1)
    );

    job.step(&["provision-ec2"])
        .exits(2)
        .says("has an instance already")
        .says("teardown");
    assert_eq!(
        living(&job.tag()).len(),
        1,
        "the refusal must not end the host that is in use"
    );

    let elsewhere = Job::of(&job.run, "cleaner");
    elsewhere
        .step(&["teardown", "--scope=run", "--region=us-east-1"])
        .exits(0)
        .says("proven gone");
    assert_eq!(elsewhere.output("terminated"), Some(id.clone()));
    assert!(elsewhere.summary().contains(&id), "{}", elsewhere.summary());
    assert_eq!(left(&job.tag()), Vec::<String>::new());

    job.step(&["teardown"]).exits(0);
    assert!(
        !job.path("manifests-e2e/id_ed25519").exists(),
        "the key is of no use any more"
    );
    job.step(&["teardown"]).exits(0);
}

#[test]
fn sandbox_an_answer_that_was_lost_is_one_instance_all_the_same() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let job = Job::new();
    fault(
        json!({"action": "RunInstances", "drop": true, "times": 1, "match": {}}),
        &job.tag(),
    );
    job.step(&["provision-ec2"]).exits(0);
    assert_eq!(living(&job.tag()).len(), 1);
    job.ends_clean();
}

#[test]
fn sandbox_no_capacity_means_the_next_candidate_and_in_the_end_a_list_of_all() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let none = |kind: &str| {
        json!({"action": "RunInstances", "code": "InsufficientInstanceCapacity", "status": 500, "times": 99,
               "match": {"InstanceType": kind}})
    };
    let job = Job::new();
    fault(none("m7i.2xlarge"), &job.tag());
    let options = [
        "provision-ec2",
        "--instance-types=m7i.2xlarge",
        "--availability-zones=us-east-1a,us-east-1b",
        "--capacity-rounds=1",
    ];
    let started = Instant::now();
    job.step(&options)
        .exits(3)
        .says("m7i.2xlarge (on-demand) in us-east-1a: InsufficientInstanceCapacity")
        .says("us-east-1b: InsufficientInstanceCapacity");
    assert!(
        started.elapsed() < within(Duration::from_secs(10)),
        "each candidate is asked once"
    );
    job.step(&["provision-ec2", "--instance-types=m7i.2xlarge,m6i.2xlarge"])
        .exits(0);
    assert_eq!(job.output("instance-type").as_deref(), Some("m6i.2xlarge"));
    job.ends_clean();
}

#[test]
fn sandbox_no_default_vpc_names_the_input_that_helps() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    // A region that no other test uses.
    let region = "ap-northeast-3";
    let subnets = cloud("describe_subnets", json!({"Region": region}));
    for subnet in subnets["Subnets"].as_array().unwrap() {
        cloud(
            "delete_subnet",
            json!({"Region": region, "SubnetId": subnet["SubnetId"]}),
        );
    }
    let job = Job::new().with("AWS_REGION", region);
    job.step(&["provision-ec2"])
        .exits(2)
        .says("no default VPC")
        .says("subnet-ids");
    assert_eq!(job.record()["launch"], serde_json::Value::Null);
}
