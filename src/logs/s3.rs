//! A copy of bundle and report in S3.
//!
//! Given a URI `s3://bucket/prefix`; credentials as EC2 is asked with, region as the SDK's variables say.

use std::{path::Path, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    config::timeout::TimeoutConfig,
    error::{DisplayErrorContext, ProvideErrorMetadata as _},
    primitives::ByteStream,
};

use crate::{
    inputs::Environment,
    limits::Deadline,
    provider::ec2::Access,
    report::{Exit, Explain, one_line},
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
}

impl Explain for S3Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Uri(_) => Exit::BadInput,
            Self::Refused { .. } => Exit::Infrastructure,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Uri(_) => Some("write for example s3://my-bucket/e2e".to_owned()),
            Self::Refused { .. } => Some("the bundle is still on this machine".to_owned()),
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
    pub async fn could_upload(
        &self,
        role: Option<&str>,
        env: &Environment,
        deadline: Deadline,
    ) -> Result<(), S3Error> {
        let key = self.key("doctor");
        let refused = |reason: String| S3Error::Refused {
            bucket: self.bucket.clone(),
            key: key.clone(),
            reason,
        };
        let client = self.client(role, env, deadline).await?;
        let put = client
            .put_object()
            .bucket(&self.bucket)
            .key(&key)
            .checksum_crc32("AAAAAA==")
            .body(ByteStream::from_static(b"what has another checksum"))
            .send();
        let answer = deadline
            .bound(Box::pin(put))
            .await
            .map_err(|passed| refused(passed.to_string()))?;
        match answer {
            Err(error) if error.code() == Some("BadDigest") => Ok(()),
            Err(error) => Err(refused(match error.code() {
                Some(code) => {
                    format!(
                        "{code}: {}",
                        error.message().unwrap_or("no reason is given")
                    )
                }
                None => one_line(&DisplayErrorContext(&error).to_string()),
            })),
            Ok(_) => Err(refused(
                "it was taken although its checksum is wrong".to_owned(),
            )),
        }
    }

    /// Puts files there under their own names and gives the URI of the first.
    ///
    /// # Errors
    /// [`S3Error::Refused`] with the first that could not be put.
    pub async fn upload(
        &self,
        files: &[(&Path, &str)],
        role: Option<&str>,
        env: &Environment,
        deadline: Deadline,
    ) -> Result<String, S3Error> {
        let client = self.client(role, env, deadline).await?;
        let mut first = None;
        for (file, content_type) in files {
            let name = file
                .file_name()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            let key = self.key(&name);
            let refused = |reason: String| S3Error::Refused {
                bucket: self.bucket.clone(),
                key: key.clone(),
                reason,
            };
            let body = ByteStream::from_path(file)
                .await
                .map_err(|error| refused(error.to_string()))?;
            let put = client
                .put_object()
                .bucket(&self.bucket)
                .key(&key)
                .content_type(*content_type)
                .body(body)
                .send();
            deadline
                .bound(Box::pin(put))
                .await
                .map_err(|passed| refused(passed.to_string()))?
                .map_err(|error| refused(one_line(&DisplayErrorContext(&error).to_string())))?;
            first.get_or_insert_with(|| format!("s3://{}/{key}", self.bucket));
        }
        Ok(first.unwrap_or_default())
    }
}

impl Target {
    async fn client(
        &self,
        role: Option<&str>,
        env: &Environment,
        deadline: Deadline,
    ) -> Result<Client, S3Error> {
        let denied = |reason: String| S3Error::Refused {
            bucket: self.bucket.clone(),
            key: self.key(""),
            reason,
        };
        let access = Access::new(env, role).map_err(|error| denied(error.to_string()))?;
        let config = access.config(deadline).await;
        let config = config.map_err(|error| denied(error.to_string()))?;
        Ok(client(&config, env))
    }
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
mod tests {
    use super::*;

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
}
