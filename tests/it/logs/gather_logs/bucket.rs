//! What lies in a bucket afterwards, and how it is found there.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use serde_json::{Value, json};

use super::{Job, passed};
use crate::it::support;

/// The client of a test, and a bucket of its own.
async fn bucket(name: &str) -> (Client, String) {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .http_client(http)
        .region(aws_config::Region::new("us-east-1"))
        .load()
        .await;
    let s3 = Client::from_conf(
        aws_sdk_s3::config::Builder::from(&config)
            .force_path_style(true)
            .build(),
    );
    let bucket = format!("{name}-{:08x}", std::process::id());
    s3.create_bucket().bucket(&bucket).send().await.unwrap();
    (s3, bucket)
}

async fn read(s3: &Client, bucket: &str, key: &str) -> (Vec<u8>, String) {
    let there = s3.get_object().bucket(bucket).key(key).send().await;
    let there = there.unwrap_or_else(|error| panic!("{key}: {error}"));
    let kind = there.content_type().unwrap_or_default().to_owned();
    let bytes = there.body.collect().await.unwrap().into_bytes();
    (bytes.to_vec(), kind)
}

async fn keys(s3: &Client, bucket: &str) -> Vec<String> {
    let there = s3.list_objects_v2().bucket(bucket).send().await.unwrap();
    let keys = there.contents().iter();
    keys.map(|object| object.key().unwrap().to_owned())
        .collect()
}

fn job() -> Job {
    Job::new().with("AWS_REGION", "us-east-1").with(
        "AWS_ENDPOINT_URL",
        std::env::var("AWS_ENDPOINT_URL").unwrap(),
    )
}

#[tokio::test]
async fn sandbox_a_copy_goes_to_s3() {
    let Some(_turn) = support::sandbox(support::Lane::Cluster) else {
        return;
    };
    let (s3, bucket) = bucket("gather-logs").await;
    let job = job();
    let uri = format!("s3://{bucket}/some/prefix/");
    passed(&job.gather(&["--name", "b", "--s3-uri", &uri]));

    assert_eq!(
        job.output("s3-url"),
        format!("s3://{bucket}/some/prefix/b.zip")
    );
    let (bytes, _) = read(&s3, &bucket, "some/prefix/b.zip").await;
    assert_eq!(bytes, std::fs::read(job.output("bundle")).unwrap());

    // A bucket that is not there is a warning.
    let job = Job::new().with("AWS_REGION", "us-east-1");
    let output = job.gather(&["--s3-uri", "s3://no-such-bucket-at-all/x"]);
    passed(&output);
    assert!(String::from_utf8_lossy(&output.stderr).contains("warning: cannot upload"));
    assert_eq!(job.output("s3-url"), "");
}

#[tokio::test]
async fn sandbox_a_build_lies_where_prow_looks_for_it() {
    let Some(_turn) = support::sandbox(support::Lane::Cluster) else {
        return;
    };
    let (s3, bucket) = bucket("prow").await;
    let job = job();
    let event = job.dir.path().join("event.json");
    let (base, head) = ("b".repeat(40), "c".repeat(40));
    std::fs::write(
        &event,
        json!({"repository": {"full_name": "o/r"}, "pull_request": {"number": 7, "title": "T", "user": {"login": "u"},
            "base": {"ref": "main", "sha": base}, "head": {"ref": "x", "sha": head, "repo": {"full_name": "o/r"}}}})
        .to_string(),
    )
    .unwrap();
    let job = job
        .with("GITHUB_EVENT_PATH", event.display().to_string())
        .with("GITHUB_EVENT_NAME", "pull_request")
        .with("GITHUB_REPOSITORY", "o/r")
        .with("GITHUB_RUN_ID", "12")
        .with("GITHUB_RUN_ATTEMPT", "2")
        .with("GITHUB_JOB", "e2e");
    let uri = format!("s3://{bucket}/p");
    let words = ["--s3-uri", uri.as_str(), "--layout", "prow"];
    let provision = [&words[..], &["--provider", "local"]].concat();
    passed(&job.run("provision-ec2", &provision));
    // A run that is killed from here on stands there as one that has begun.
    let at = "p/pr-logs/pull/o_r/7/o-r-e2e/1202";
    assert_eq!(
        keys(&s3, &bucket).await,
        ["prowjob.json", "started.json"].map(|name| format!("{at}/{name}"))
    );
    let words = [&words[..], &["--compare-with", "last-passed"]].concat();
    let first = job.gather(&words);
    passed(&first);
    let log = String::from_utf8_lossy(&first.stderr);
    assert!(log.contains("no run that passed is found"), "{log}");

    let directory = "p/pr-logs/directory/o-r-e2e";
    let files: BTreeMap<&str, &str> = [
        ("artifacts/bundle.zip", "application/zip"),
        ("artifacts/junit_stages.xml", "application/xml"),
        ("artifacts/report.html", "text/html; charset=utf-8"),
        ("artifacts/report.json", "application/json"),
        ("build-log.txt", "text/plain; charset=utf-8"),
        ("finished.json", "application/json"),
        ("prowjob.json", "application/json"),
        ("started.json", "application/json"),
    ]
    .into();
    let mut expected: Vec<String> = files.keys().map(|name| format!("{at}/{name}")).collect();
    expected.push("p/pr-logs/pull/o_r/7/o-r-e2e/latest-build.txt".to_owned());
    expected.push("p/last-passed/o_r/o-r-e2e/pull.txt".to_owned());
    expected.extend(["1202.txt", "latest-build.txt"].map(|name| format!("{directory}/{name}")));
    expected.sort();
    assert_eq!(keys(&s3, &bucket).await, expected);
    for (name, expected) in &files {
        let (_, kind) = read(&s3, &bucket, &format!("{at}/{name}")).await;
        assert_eq!(&kind, expected, "{name}");
    }
    let (link, _) = read(&s3, &bucket, &format!("{directory}/1202.txt")).await;
    assert_eq!(link, format!("s3://{bucket}/{at}").into_bytes());
    assert_eq!(
        job.output("s3-url"),
        format!("s3://{bucket}/{at}/artifacts/bundle.zip")
    );
    let (log, _) = read(&s3, &bucket, &format!("{at}/build-log.txt")).await;
    let log = String::from_utf8(log).unwrap();
    assert!(log.contains("provision-ec2: passed in"), "{log}");
    let (finished, _) = read(&s3, &bucket, &format!("{at}/finished.json")).await;
    let finished: Value = serde_json::from_slice(&finished).unwrap();
    assert_eq!(
        (&finished["passed"], &finished["result"]),
        (&json!(true), &json!("SUCCESS"))
    );
    assert_eq!(
        finished["metadata"]["repos"]["o/r"],
        format!("main:{base},7:{head}")
    );

    // The next run is compared with this one, which passed.
    passed(&job.gather(&words));
    let report: Value = serde_json::from_slice(&job.bundle()["report.json"]).unwrap();
    assert_eq!(report["changes"]["passed"], true, "{report}");
    // What passed on a branch says more, once there is any; a note that leads nowhere costs the comparison alone.
    let note = "p/last-passed/o_r/o-r-e2e/branch.txt";
    let put = s3.put_object().bucket(&bucket).key(note);
    let nowhere = put.body(aws_sdk_s3::primitives::ByteStream::from_static(b"logs/x/1"));
    nowhere.send().await.unwrap();
    let lost = job.gather(&words);
    passed(&lost);
    let log = String::from_utf8_lossy(&lost.stderr);
    assert!(
        log.contains("cannot read p/logs/x/1/artifacts/report.json"),
        "{log}"
    );
}
