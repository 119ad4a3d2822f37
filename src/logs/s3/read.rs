//! What lies in a bucket already.

use aws_sdk_s3::{Client, error::DisplayErrorContext};

use super::{S3Error, Target, where_it_is};
use crate::{limits::Deadline, provider::ec2::Access, report::one_line};

impl Target {
    /// What lies under a key below the prefix, of `largest` bytes at most.
    ///
    /// # Errors
    /// [`S3Error::Unread`]. S3 answers `AccessDenied` for a key that is not there, where the bucket may not be listed.
    pub(crate) async fn read(
        &self,
        name: &str,
        largest: i64,
        access: &Access,
        deadline: Deadline,
    ) -> Result<Vec<u8>, S3Error> {
        let key = self.key(name);
        let unread = |reason: &dyn ToString| self.unread(name, &one_line(&reason.to_string()));
        let mut client = self.client(access, deadline).await?;
        let get = async |client: &Client| {
            let get = client.get_object().bucket(&self.bucket).key(&key).send();
            let answer = deadline.bound(Box::pin(get)).await;
            answer.map_err(|passed| unread(&passed))
        };
        let answer = where_it_is(&mut client, get).await?;
        let object = answer.map_err(|error| unread(&DisplayErrorContext(&error)))?;
        let length = object.content_length().unwrap_or(i64::MAX);
        if length > largest {
            return Err(unread(&format!(
                "it has {length} bytes, of {largest} at most"
            )));
        }
        let body = deadline.bound(object.body.collect()).await;
        let body = body.map_err(|passed| unread(&passed))?;
        Ok(body.map_err(|error| unread(&error))?.to_vec())
    }

    /// Why what lies under a key is not read.
    pub(crate) fn unread(&self, name: &str, reason: &str) -> S3Error {
        S3Error::Unread {
            bucket: self.bucket.clone(),
            key: self.key(name),
            reason: reason.to_owned(),
        }
    }
}
