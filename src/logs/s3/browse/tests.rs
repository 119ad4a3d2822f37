//! Pages of a list, and who asks.

use std::sync::{Arc, Mutex};

use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region,
    http::{HttpRequest, HttpResponse},
};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};

use super::*;
use crate::limits::Limit;

/// S3 with a directory of two pages and one object: which requests it got, and whether they were signed.
#[derive(Clone, Debug, Default)]
struct Pages(Arc<Mutex<Vec<(String, bool)>>>);

const LISTS: [&str; 2] = [
    "<IsTruncated>true</IsTruncated><NextContinuationToken>more</NextContinuationToken>\
     <Contents><Key>e2e/logs/</Key></Contents><CommonPrefixes><Prefix>e2e/logs/a/</Prefix></CommonPrefixes>",
    "<IsTruncated>false</IsTruncated><Contents><Key>e2e/logs/x.txt</Key></Contents>\
     <CommonPrefixes><Prefix>e2e/logs/b/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>e2e/logs//</Prefix></CommonPrefixes>",
];

impl HttpConnector for Pages {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let uri = request.uri().to_owned();
        let signed = request.headers().get("authorization").is_some();
        let (status, text) = if uri.contains("list-type=2") {
            let page = LISTS[usize::from(uri.contains("continuation-token=more"))];
            (200, format!("<ListBucketResult>{page}</ListBucketResult>"))
        } else if uri.contains("there.json") {
            (200, "{}".to_owned())
        } else if uri.contains("secret") {
            (
                403,
                "<Error><Code>AccessDenied</Code><Message>no</Message></Error>".to_owned(),
            )
        } else {
            (
                404,
                "<Error><Code>NoSuchKey</Code><Message>no</Message></Error>".to_owned(),
            )
        };
        self.0.lock().unwrap().push((uri, signed));
        let length = text.len().to_string();
        let status = status.try_into().expect("a status of HTTP");
        let mut answer = HttpResponse::new(status, text.into());
        answer.headers_mut().insert("content-length", length);
        HttpConnectorFuture::ready(Ok(answer))
    }
}

async fn bucket(pages: &Pages, credentials: Option<Credentials>) -> Bucket {
    let connector = SharedHttpConnector::new(pages.clone());
    let mut config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .http_client(http_client_fn(move |_, _| connector.clone()));
    let anonymous = credentials.is_none();
    if let Some(credentials) = credentials {
        config = config.credentials_provider(credentials);
    }
    let client = Client::from_conf(config.build());
    let target = Target::parse("s3://my-bucket/e2e").unwrap();
    let deadline = Deadline::after(Limit::secs(20));
    let opened = Bucket::open_by(target, "logs", client, anonymous, deadline).await;
    opened.unwrap()
}

#[tokio::test]
async fn a_directory_is_listed_to_its_last_page() {
    let pages = Pages::default();
    let key = Credentials::new("key", "secret", None, None, "test");
    let bucket = bucket(&pages, Some(key)).await;
    let listing = bucket.list("logs").await.unwrap();
    assert_eq!(listing.directories, ["a", "b"]);
    assert_eq!(listing.files, ["x.txt"]);
    let asked = pages.0.lock().unwrap().clone();
    assert!(asked.iter().all(|(_, signed)| *signed), "{asked:?}");
    assert!(
        asked
            .iter()
            .all(|(uri, _)| uri.contains("prefix=e2e%2Flogs%2F")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn who_has_no_credentials_asks_without_a_signature() {
    let pages = Pages::default();
    let bucket = bucket(&pages, None).await;
    assert!(bucket.is_anonymous());
    assert_eq!(bucket.list("logs").await.unwrap().files, ["x.txt"]);
    let there = bucket.get("there.json", 9).await.unwrap();
    assert_eq!(there, Object::Bytes(b"{}".to_vec()));
    let asked = pages.0.lock().unwrap().clone();
    assert!(asked.iter().all(|(_, signed)| !*signed), "{asked:?}");
}

#[tokio::test]
async fn what_is_not_there_is_told_from_what_is_refused() {
    let bucket = bucket(&Pages::default(), None).await;
    assert_eq!(bucket.get("gone.json", 9).await.unwrap(), Object::Absent);
    assert_eq!(
        bucket.get("there.json", 1).await.unwrap(),
        Object::TooLarge(2)
    );
    let refused = bucket.get("secret.json", 9).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "cannot read e2e/secret.json of bucket my-bucket: AccessDenied: no"
    );
}
