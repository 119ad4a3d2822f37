//! What a URI means, and where a bucket is asked.

use std::sync::{Arc, Mutex};

use aws_sdk_s3::config::{
    BehaviorVersion, Credentials,
    http::{HttpRequest, HttpResponse},
};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};

use super::*;
use crate::limits::Limit;

#[test]
fn a_uri_names_bucket_and_prefix() {
    let target = Target::parse("s3://my-bucket/a/b/").unwrap();
    assert_eq!(
        (target.bucket.as_str(), target.key("x.zip").as_str()),
        ("my-bucket", "a/b/x.zip")
    );
    assert_eq!(Target::parse("s3://my-bucket").unwrap().key("x"), "x");
    for wrong in [
        "my-bucket/a",
        "https://my-bucket",
        "s3://",
        "s3:///a",
        "s3://A_B/c",
    ] {
        assert!(Target::parse(wrong).is_err(), "{wrong}");
    }
}

/// S3 with a bucket in one region: what was put there, and which regions were asked.
#[derive(Clone, Debug)]
struct Bucket {
    region: &'static str,
    asked: Arc<Mutex<Vec<String>>>,
}

impl HttpConnector for Bucket {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        // As it is signed: KEY/DATE/REGION/s3/aws4_request.
        let signed = request.headers().get("authorization").unwrap_or_default();
        let region = signed.split('/').nth(2).unwrap_or_default().to_owned();
        let (status, text) = if region == self.region {
            (200, "")
        } else {
            (
                301,
                "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>",
            )
        };
        self.asked.lock().unwrap().push(region);
        let status = status.try_into().expect("a status of HTTP");
        let mut answer = HttpResponse::new(status, text.into());
        answer
            .headers_mut()
            .insert("x-amz-bucket-region", self.region);
        HttpConnectorFuture::ready(Ok(answer))
    }
}

#[tokio::test]
async fn a_bucket_in_another_region_is_asked_there_once_it_has_said_so() {
    let bucket = Bucket {
        region: "eu-west-1",
        asked: Arc::default(),
    };
    let connector = SharedHttpConnector::new(bucket.clone());
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    let dir = tempfile::tempdir().unwrap();
    let files = ["a.zip", "b.html"].map(|name| dir.path().join(name));
    for file in &files {
        std::fs::write(file, "text").unwrap();
    }
    let files = files.map(|file| Upload {
        key: file.file_name().unwrap().to_str().unwrap().to_owned(),
        content: Content::File(file),
        content_type: "text/html",
    });
    let target = Target::parse("s3://my-bucket/e2e").unwrap();
    let deadline = Deadline::after(Limit::secs(20));
    let url = target
        .upload_by(Client::from_conf(config), &files, deadline)
        .await;
    assert_eq!(url.unwrap(), "s3://my-bucket/e2e/a.zip");
    assert_eq!(
        *bucket.asked.lock().unwrap(),
        ["us-east-1", "eu-west-1", "eu-west-1"]
    );
}
