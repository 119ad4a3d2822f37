//! A host that is gone in the middle of a stage, and why: by EC2's word, else by the market that it was bought on.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use axum::{Router, routing::any};
use russh::keys::{Algorithm, PrivateKey, ssh_key::LineEnding};
use serde_json::json;

use crate::it::support::aws::Job;

/// A job whose host is on record, with a port that nobody listens at.
fn job(market: &str) -> Job {
    let job = Job::new();
    let attempt = json!({"instance_type": "m7i.2xlarge", "zone": "us-east-1a", "market": market, "round": 1,
        "answer": "launched i-0a1", "seconds": 1.0});
    job.has_launched(
        &json!({"instance_id": "i-0a1", "attempts": [attempt]}),
        &json!([]),
    );
    let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
    let file = job.path("key");
    std::fs::write(&file, key.to_openssh(LineEnding::LF).unwrap().as_bytes()).unwrap();
    let mut record = job.record();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    record["host"] = json!({"kind": "ssh", "address": "127.0.0.1", "port": closed.local_addr().unwrap().port(),
        "user": "ubuntu", "private_key": file, "host_key": key.public_key().to_openssh().unwrap()});
    std::fs::write(job.path("manifests-e2e/record.json"), record.to_string()).unwrap();
    job
}

/// An EC2 that says how the instance ended.
fn cloud(runtime: &tokio::runtime::Runtime, code: &'static str) -> String {
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = async move || {
        format!(
            "<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-0a1</instanceId>\
             <instanceState><name>terminated</name></instanceState><stateReason><code>{code}</code>\
             <message>{code}: it is over</message></stateReason></item></instancesSet></item></reservationSet></DescribeInstancesResponse>"
        )
    };
    runtime.spawn(async move { axum::serve(listener, Router::new().fallback(any(answer))).await });
    url
}

#[test]
fn a_host_that_ec2_has_ended_is_told_with_ec2s_reason() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (code, hint) in [
        (
            "Server.SpotInstanceTermination",
            "AWS took the spot capacity back",
        ),
        (
            "Client.InstanceInitiatedShutdown",
            "is its `ttl` long enough",
        ),
    ] {
        let job = job("on-demand")
            .with("AWS_ENDPOINT_URL", &cloud(&runtime, code))
            .with("AWS_ACCESS_KEY_ID", "key")
            .with("AWS_SECRET_ACCESS_KEY", "secret");
        let step = job.step(&["install-kind", "--timeout=3s"]);
        assert!(matches!(step.code, Some(3 | 124)), "{}", step.said);
        step.says(&format!("EC2 ended i-0a1: {code}")).says(hint);
    }
}

#[test]
fn a_stage_without_credentials_says_that_the_host_was_spot() {
    let without = |market| {
        job(market)
            .with("AWS_EC2_METADATA_DISABLED", "true")
            .with("AWS_ACCESS_KEY_ID", "")
            .with("AWS_SECRET_ACCESS_KEY", "")
            .step(&["install-kind", "--timeout=3s"])
    };
    without("spot").says("i-0a1 was bought on the spot market");
    assert!(!without("on-demand").said.contains("spot market"));
}
