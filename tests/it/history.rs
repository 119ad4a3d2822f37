//! Builds in a bucket over time: written as `gather-logs` lays them, read back and published by `history`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use aws_sdk_s3::Client;
use serde_json::{Value, json};

use crate::it::support::{
    self,
    aws::{Job, permit},
};

/// The client of a test, and a bucket of its own.
async fn bucket() -> (Client, String) {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .http_client(http)
        .region(aws_config::Region::new("us-east-1"))
        .load()
        .await;
    let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(true);
    let s3 = Client::from_conf(config.build());
    let bucket = format!("history-{:08x}", std::process::id());
    s3.create_bucket().bucket(&bucket).send().await.unwrap();
    (s3, bucket)
}

async fn put(s3: &Client, bucket: &str, key: &str, text: &str) {
    let put = s3.put_object().bucket(bucket).key(format!("p/{key}"));
    put.body(text.as_bytes().to_vec().into())
        .send()
        .await
        .unwrap();
}

async fn page(s3: &Client, bucket: &str, key: &str) -> (String, String) {
    let there = s3.get_object().bucket(bucket).key(format!("p/{key}"));
    let there = there.send().await;
    let there = there.unwrap_or_else(|error| panic!("{key}: {error}"));
    let kind = there.content_type().unwrap_or_default().to_owned();
    let bytes = there.body.collect().await.unwrap().into_bytes();
    (String::from_utf8(bytes.to_vec()).unwrap(), kind)
}

/// Two builds of a commit that contradict each other, and one of a pull request.
async fn put_builds(s3: &Client, bucket: &str) {
    let (commit, head) = ("a".repeat(40), "b".repeat(40));
    for (path, refs, result, case) in [
        ("logs/o-r-e2e/11", format!("main:{commit}"), "SUCCESS", ""),
        (
            "logs/o-r-e2e/12",
            format!("main:{commit}"),
            "FAILURE",
            "<failure message='it broke'/>",
        ),
        (
            "pr-logs/pull/o_r/7/o-r-e2e/13",
            format!("main:{commit},7:{head}"),
            "SUCCESS",
            "",
        ),
    ] {
        let started = json!({"timestamp": 1_750_000_000, "repos": {"o/r": refs}});
        put(
            s3,
            bucket,
            &format!("{path}/started.json"),
            &started.to_string(),
        )
        .await;
        let finished = json!({"timestamp": 1_750_000_600, "result": result});
        put(
            s3,
            bucket,
            &format!("{path}/finished.json"),
            &finished.to_string(),
        )
        .await;
        let report = format!(
            "<testsuites><testsuite name='s'><testcase name='t'>{case}</testcase></testsuite></testsuites>"
        );
        put(
            s3,
            bucket,
            &format!("{path}/artifacts/junit_stages.xml"),
            &report,
        )
        .await;
        put(s3, bucket, &format!("{path}/artifacts/report.html"), "<p>").await;
    }
}

fn policy(component: &str, uri: &str) -> Value {
    let words = ["iam-policy", "--component", component, "--s3-uri", uri];
    let printed = Job::new().step(&words).exits(0).printed;
    serde_json::from_str(&printed).unwrap()
}

#[tokio::test]
async fn sandbox_builds_of_a_bucket_are_told_and_their_pages_put_beside_them() {
    let Some(_turn) = support::sandbox(support::Lane::Cloud) else {
        return;
    };
    let (s3, bucket) = bucket().await;
    let uri = format!("s3://{bucket}/p/");
    let job = Job::new();
    job.step(&["history", &uri]).exits(2).says("holds no build");

    put_builds(&s3, &bucket).await;

    // With no more rights than the documented policy gives.
    let key = format!("AKIAHISTORY{:08X}", std::process::id());
    permit(&key, &policy("history", &uri));
    let narrow = Job::new().with("AWS_ACCESS_KEY_ID", &key);
    narrow
        .step(&["history", &uri, "--publish"])
        .exits(0)
        .says("flake rate 100% (1 of 1 commits that ran more than once)")
        .says(&format!(
            "published s3://{bucket}/p/logs/o-r-e2e/history.html"
        ));
    for (directory, link) in [
        ("logs/o-r-e2e", "href=\"12/artifacts/report.html\""),
        (
            "pr-logs/directory/o-r-e2e",
            "href=\"../../pull/o_r/7/o-r-e2e/13/artifacts/report.html\"",
        ),
    ] {
        let (html, kind) = page(&s3, &bucket, &format!("{directory}/history.html")).await;
        assert_eq!(kind, "text/html; charset=utf-8");
        assert!(html.contains(link), "{directory}: {html}");
        let (text, _) = page(&s3, &bucket, &format!("{directory}/history.json")).await;
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(told["jobs"].as_array().map(Vec::len), Some(1));
    }
    // The pages are no builds.
    let output = job.path("out");
    let output = output.to_str().unwrap();
    let words = [
        "history",
        uri.as_str(),
        "--job",
        "o-r-e2e",
        "--json",
        "--output",
        output,
    ];
    let told: Value = serde_json::from_str(&job.step(&words).exits(0).printed).unwrap();
    let builds = |at: usize| told["jobs"][at]["builds"].as_array().map(Vec::len);
    assert_eq!((builds(0), builds(1)), (Some(2), Some(1)), "{told}");
    assert_eq!(told["jobs"][0]["flakes"]["flake_rate"], 1.0);
    assert!(std::path::Path::new(output).join("history.html").exists());

    // Whoever may only put bundles is refused, and told what it takes.
    let key = format!("AKIAGATHER{:08X}", std::process::id());
    permit(&key, &policy("prow", &uri));
    Job::new()
        .with("AWS_ACCESS_KEY_ID", &key)
        .step(&["history", &uri])
        .exits(3)
        .says("cannot list p/logs of bucket")
        .says("iam-policy --component history");
    let missing = job.step(&["history", "s3://no-such-bucket-at-all/x"]);
    missing.exits(3).says("NoSuchBucket");
}
