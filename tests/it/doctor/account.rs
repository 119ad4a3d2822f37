//! What an account has or has not: a role, a bucket, quotas.

use manifests_e2e::iam::{self, PolicyScope};

use super::{advised, job, key};
use crate::it::support::{Lane, aws::permit, github::GitHub, sandbox};

#[test]
fn sandbox_doctor_asks_iam_for_spot_and_s3_for_the_bundle() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let (github, key) = (GitHub::start(), key());
    let job = || job(&github, false).with("AWS_ACCESS_KEY_ID", &key);
    let bucket = format!("doctor-{:08x}", rand::random::<u32>());
    let uri = format!("s3://{bucket}/e2e");
    let s3 = format!("--s3-uri={uri}");
    let words = ["doctor", "--region=ap-south-1", "--market=spot", &s3];
    let step = job()
        .step(&words)
        .exits(3)
        .says("missing  s3:PutObject")
        .says("NoSuchBucket");
    step.says("warning  role AWSServiceRoleForEC2Spot: it is not there")
        .says("ok       ec2:DescribeImages");
    let endpoint = std::env::var("AWS_ENDPOINT_URL").unwrap();
    let made = job().shell(&format!("curl -fsS -X PUT {endpoint}/{bucket}"));
    assert!(made.status.success(), "{made:?}");
    job()
        .step(&words)
        .exits(0)
        .says(&format!("ok       s3:PutObject: allowed below {uri}"));
    let listed = job().shell(&format!("curl -fsS {endpoint}/{bucket}"));
    assert!(
        !String::from_utf8_lossy(&listed.stdout).contains("<Key>"),
        "something was put there"
    );
    // The chain's policy without a bucket in it.
    permit(
        &key,
        &serde_json::to_value(iam::of_chain(&PolicyScope::default())).unwrap(),
    );
    let step = job()
        .step(&words)
        .exits(3)
        .says("missing  s3:PutObject")
        .says("AccessDenied");
    let step =
        step.says("warning  role AWSServiceRoleForEC2Spot: the credentials may not look at it");
    let calls: Vec<String> = advised(&step)
        .iter()
        .map(|one| one["Action"][0].to_string())
        .collect();
    assert!(
        calls.contains(&"\"s3:PutObject\"".to_owned())
            && calls.contains(&"\"iam:GetRole\"".to_owned()),
        "{calls:?}"
    );
}

#[test]
fn sandbox_a_quota_that_is_too_small_for_a_host_is_told() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let (github, key) = (GitHub::start(), key());
    let job = || job(&github, false).with("AWS_ACCESS_KEY_ID", &key);
    let endpoint = std::env::var("AWS_ENDPOINT_URL").unwrap();
    let set =
        format!("curl -fsS -X PUT {endpoint}/sandbox/quotas -d '{{\"eu-west-2/L-1216C47A\": 5}}'");
    let set = job().shell(&set);
    assert!(set.status.success(), "{set:?}");
    let standard = "`Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances`";
    let market = "--market=spot-then-on-demand";
    let step = job()
        .step(&["doctor", "--region=eu-west-2", market])
        .exits(3);
    step.says(&format!(
        "missing  quota L-1216C47A, {standard}: 5 vCPUs; the smallest type that is asked for has 8"
    ))
    .says("services/ec2/quotas/L-1216C47A?region=eu-west-2")
    .says("64 vCPUs: room for 8 of the smallest type, 8 vCPUs each");
    let small = [
        "doctor",
        "--region=eu-west-2",
        "--instance-types=m7i.xlarge",
    ];
    job()
        .step(&small)
        .exits(0)
        .says("5 vCPUs: room for 1 of the smallest type, 4 vCPUs each");
    permit(
        &key,
        &serde_json::to_value(iam::of_chain(&PolicyScope::default())).unwrap(),
    );
    let step = job().step(&small).exits(0);
    let step = step.says(&format!(
        "warning  quota L-1216C47A, {standard}: the credentials may not look at it"
    ));
    let calls: Vec<String> = advised(&step)
        .iter()
        .map(|one| one["Action"][0].to_string())
        .collect();
    assert!(
        calls.contains(&"\"servicequotas:GetServiceQuota\"".to_owned()),
        "{calls:?}"
    );
}
