//! A copy of bundle and report in S3.
//!
//! Given a URI `s3://bucket/prefix`, credentials as EC2 is asked with, and a region to begin in. A bucket that is in another
//! region says in which, and is asked there.

use std::{path::PathBuf, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    config::{Region, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
};

mod browse;
mod read;

pub(crate) use browse::{Bucket, Object};

use crate::{
    inputs::Environment,
    limits::Deadline,
    provider::ec2::Access,
    report::{Exit, Explain, with_causes},
};

/// Where to put things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    bucket: String,
    prefix: String,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.bucket)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        Ok(())
    }
}

/// Something to put there.
#[derive(Debug)]
pub(crate) struct Upload {
    /// Its key below the prefix.
    pub(crate) key: String,
    /// What it holds.
    pub(crate) content: Content,
    /// As a browser is told.
    pub(crate) content_type: &'static str,
}

/// What is put somewhere.
#[derive(Debug)]
pub(crate) enum Content {
    /// A file, as it is on disk.
    File(PathBuf),
    /// This.
    Bytes(Vec<u8>),
}

/// Why nothing was put there.
#[derive(Debug, thiserror::Error)]
pub enum S3Error {
    /// The URI cannot be meant.
    #[error("s3-uri: `{0}` is not `s3://bucket/prefix`")]
    Uri(String),
    /// S3 did not take it.
    #[error("cannot upload {key} to bucket {bucket}: {reason}")]
    Refused {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// What was said.
        reason: String,
    },
    /// S3 did not give it.
    #[error("cannot read {key} of bucket {bucket}: {reason}")]
    Unread {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// What was said.
        reason: String,
    },
    /// S3 does not say what is there.
    #[error("cannot list {directory} of bucket {bucket}: {reason}")]
    Unlisted {
        /// The bucket.
        bucket: String,
        /// The directory: what the keys begin with.
        directory: String,
        /// What was said.
        reason: String,
    },
}

impl Explain for S3Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Uri(_) => Exit::BadInput,
            Self::Refused { .. } | Self::Unread { .. } | Self::Unlisted { .. } => {
                Exit::Infrastructure
            }
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Uri(_) => Some("write for example s3://my-bucket/e2e".to_owned()),
            Self::Refused { .. } => Some("the bundle is still on this machine".to_owned()),
            Self::Unread { .. } | Self::Unlisted { .. } => None,
        }
    }
}

impl Target {
    /// Reads a URI.
    ///
    /// # Errors
    /// [`S3Error::Uri`].
    pub fn parse(uri: &str) -> Result<Self, S3Error> {
        let wrong = || S3Error::Uri(uri.to_owned());
        let rest = uri.strip_prefix("s3://").ok_or_else(wrong)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let fits = (3..=63).contains(&bucket.len())
            && bucket
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'));
        if !fits {
            return Err(wrong());
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
        })
    }

    /// The bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// What all keys begin with, without a slash at its end; may be empty.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    fn key(&self, name: &str) -> String {
        if self.prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.prefix)
        }
    }

    /// Whether something could be put there, found out by something that S3 refuses for its checksum.
    ///
    /// # Errors
    /// [`S3Error::Refused`] with any other refusal; whether a policy allows it is asked first.
    pub(crate) async fn could_upload(
        &self,
        access: &Access,
        deadline: Deadline,
    ) -> Result<(), S3Error> {
        let key = self.key("doctor");
        let refused = |reason: String| S3Error::Refused {
            bucket: self.bucket.clone(),
            key: key.clone(),
            reason,
        };
        let mut client = self.client(access, deadline).await?;
        let put = async |client: &Client| {
            let put = client
                .put_object()
                .bucket(&self.bucket)
                .key(&key)
                .checksum_crc32("AAAAAA==")
                .body(ByteStream::from_static(b"what has another checksum"))
                .send();
            let answer = deadline.bound(Box::pin(put)).await;
            answer.map_err(|passed| refused(passed.to_string()))
        };
        match where_it_is(&mut client, put).await? {
            Err(error) if error.code() == Some("BadDigest") => Ok(()),
            Err(error) => Err(refused(said(&error))),
            Ok(_) => Err(refused(
                "it was taken although its checksum is wrong".to_owned(),
            )),
        }
    }

    /// Puts things there, one after another, and gives the URI of the first.
    ///
    /// # Errors
    /// [`S3Error::Refused`] with the first that could not be put.
    pub(crate) async fn upload(
        &self,
        uploads: &[Upload],
        access: &Access,
        deadline: Deadline,
    ) -> Result<String, S3Error> {
        let client = self.client(access, deadline).await?;
        self.upload_by(client, uploads, deadline).await
    }

    async fn upload_by(
        &self,
        mut client: Client,
        uploads: &[Upload],
        deadline: Deadline,
    ) -> Result<String, S3Error> {
        let mut first = None;
        for upload in uploads {
            let key = self.key(&upload.key);
            let refused = |reason: String| S3Error::Refused {
                bucket: self.bucket.clone(),
                key: key.clone(),
                reason,
            };
            let put = async |client: &Client| {
                let body = match &upload.content {
                    Content::File(file) => ByteStream::from_path(file)
                        .await
                        .map_err(|error| refused(error.to_string()))?,
                    Content::Bytes(bytes) => bytes.clone().into(),
                };
                let put = client
                    .put_object()
                    .bucket(&self.bucket)
                    .key(&key)
                    .content_type(upload.content_type)
                    .body(body)
                    .send();
                let answer = deadline.bound(Box::pin(put)).await;
                answer.map_err(|passed| refused(passed.to_string()))
            };
            let answer = where_it_is(&mut client, put).await?;
            answer.map_err(|error| refused(said(&error)))?;
            first.get_or_insert_with(|| format!("s3://{}/{key}", self.bucket));
        }
        Ok(first.unwrap_or_default())
    }
}

impl Target {
    async fn client(&self, access: &Access, deadline: Deadline) -> Result<Client, S3Error> {
        let denied = |reason: String| S3Error::Refused {
            bucket: self.bucket.clone(),
            key: self.key(""),
            reason,
        };
        let config = access.config(deadline).await;
        let config = config.map_err(|error| denied(error.to_string()))?;
        Ok(client(&config, access.env()))
    }
}

/// What S3 said, by its code where there is one; else why there is no answer.
fn said<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match error.code() {
        Some(code) => format!(
            "{code}: {}",
            error.message().unwrap_or("no reason is given")
        ),
        None => with_causes(error),
    }
}

/// Asks, and once more in the bucket's region where that is another one; the client stays there.
async fn where_it_is<T, E>(
    client: &mut Client,
    ask: impl AsyncFn(&Client) -> Result<Result<T, SdkError<E>>, S3Error>,
) -> Result<Result<T, SdkError<E>>, S3Error> {
    let answer = ask(client).await?;
    let error = answer.as_ref().err();
    let Some(moved) = error.and_then(|error| moved(client, error)) else {
        return Ok(answer);
    };
    *client = moved;
    ask(client).await
}

/// The same client in the bucket's region, where S3 refuses because the bucket is in another: it says so in a header of
/// every such answer (the S3 API reference, "Error responses").
fn moved<E>(client: &Client, error: &SdkError<E>) -> Option<Client> {
    let region = error.raw_response()?.headers().get("x-amz-bucket-region")?;
    if client.config().region().map(Region::as_ref) == Some(region) {
        return None;
    }
    tracing::info!("the bucket is in {region}");
    let region = Region::new(region.to_owned());
    let config = client.config().to_builder().region(region);
    Some(Client::from_conf(config.build()))
}

fn client(config: &SdkConfig, env: &Environment) -> Client {
    // Elsewhere than at AWS a bucket is rarely a host name.
    let elsewhere = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"]
        .iter()
        .any(|name| env.get(name).is_some());
    // A bundle takes as long as it takes.
    let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(5));
    Client::from_conf(
        aws_sdk_s3::config::Builder::from(config)
            .timeout_config(timeouts.build())
            .force_path_style(elsewhere)
            .build(),
    )
}

#[cfg(test)]
mod tests;
