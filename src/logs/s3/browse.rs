//! A bucket that is looked through: what lies in its directories, and the content of many small objects.
//!
//! One client asks for all of it. Without credentials it asks without a signature, as anybody may.

use aws_sdk_s3::{
    Client,
    error::{DisplayErrorContext, ProvideErrorMetadata as _},
    operation::list_objects_v2::ListObjectsV2Output,
};

use super::{S3Error, Target, client, said, where_it_is};
use crate::{limits::Deadline, provider::ec2::Access, report::one_line};

/// A bucket, and the prefix below which it is looked through.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    target: Target,
    client: Client,
    deadline: Deadline,
    anonymous: bool,
}

/// What lies under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    /// Nothing.
    Absent,
    /// More bytes than were asked for: this many.
    TooLarge(i64),
    /// This.
    Bytes(Vec<u8>),
}

/// What lies directly below a directory: names without their path, in S3's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// What other keys go through.
    pub(crate) directories: Vec<String>,
    /// Objects.
    pub(crate) files: Vec<String>,
}

impl Bucket {
    /// Finds out where the bucket is, by a look at one of its directories.
    ///
    /// # Errors
    /// [`S3Error::Unlisted`].
    pub(crate) async fn open(
        target: Target,
        directory: &str,
        access: &Access,
        deadline: Deadline,
    ) -> Result<Self, S3Error> {
        let config = access.config_or_anonymous(deadline).await;
        let config = config.map_err(|error| unlisted(&target, directory, &error))?;
        let client = client(&config, access.env());
        let anonymous = config.credentials_provider().is_none();
        Self::open_by(target, directory, client, anonymous, deadline).await
    }

    pub(super) async fn open_by(
        target: Target,
        directory: &str,
        client: Client,
        anonymous: bool,
        deadline: Deadline,
    ) -> Result<Self, S3Error> {
        // S3 refuses a request that nobody could sign, unless it may go without a signature.
        let config = client.config().to_builder();
        let client = Client::from_conf(if anonymous {
            config.allow_no_auth().build()
        } else {
            config.build()
        });
        let mut bucket = Self {
            target,
            client,
            deadline,
            anonymous,
        };
        let mut client = bucket.client.clone();
        let look = async |client: &Client| bucket.page(client, directory, None).await;
        let answer = where_it_is(&mut client, look).await?;
        answer.map_err(|error| unlisted(&bucket.target, directory, &said(&error)))?;
        bucket.client = client;
        Ok(bucket)
    }

    /// Whether there were no credentials to ask with.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.anonymous
    }

    /// Bucket and prefix.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// What lies directly below a directory, however much it is.
    ///
    /// # Errors
    /// [`S3Error::Unlisted`].
    pub(crate) async fn list(&self, directory: &str) -> Result<Listing, S3Error> {
        let mut listing = Listing::default();
        let mut from = None;
        loop {
            let page = self.page(&self.client, directory, from).await?;
            let page = page.map_err(|error| unlisted(&self.target, directory, &said(&error)))?;
            let base = self.base(directory);
            let names = page.common_prefixes().iter();
            let names =
                names.filter_map(|one| one.prefix()?.strip_prefix(&base)?.strip_suffix('/'));
            let names = names.filter(|name| !name.is_empty());
            listing.directories.extend(names.map(str::to_owned));
            let names = page.contents().iter();
            let names = names.filter_map(|one| one.key()?.strip_prefix(&base));
            // A directory that was made by hand is an object of its own.
            let names = names.filter(|name| !name.is_empty());
            listing.files.extend(names.map(str::to_owned));
            let more = page.is_truncated() == Some(true);
            from = page.next_continuation_token().map(str::to_owned);
            if !more || from.is_none() {
                return Ok(listing);
            }
        }
    }

    /// What lies under a key below the prefix, of `largest` bytes at most.
    ///
    /// # Errors
    /// [`S3Error::Unread`].
    pub(crate) async fn get(&self, name: &str, largest: i64) -> Result<Object, S3Error> {
        let unread =
            |reason: &dyn ToString| self.target.unread(name, &one_line(&reason.to_string()));
        let get = self.client.get_object();
        let get = get.bucket(self.target.bucket()).key(self.target.key(name));
        let answer = self.deadline.bound(Box::pin(get.send())).await;
        let object = match answer.map_err(|passed| unread(&passed))? {
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(Object::Absent),
            Err(error) => return Err(unread(&said(&error))),
            Ok(object) => object,
        };
        let length = object.content_length().unwrap_or(i64::MAX);
        if length > largest {
            return Ok(Object::TooLarge(length));
        }
        let body = self.deadline.bound(object.body.collect()).await;
        let body = body.map_err(|passed| unread(&passed))?;
        let body = body.map_err(|error| unread(&DisplayErrorContext(&error)))?;
        Ok(Object::Bytes(body.to_vec()))
    }

    /// What the keys of a directory begin with.
    fn base(&self, directory: &str) -> String {
        format!("{}/", self.target.key(directory))
    }

    async fn page(
        &self,
        client: &Client,
        directory: &str,
        from: Option<String>,
    ) -> Result<Result<ListObjectsV2Output, aws_sdk_s3::error::SdkError<ListError>>, S3Error> {
        let list = client
            .list_objects_v2()
            .bucket(self.target.bucket())
            .prefix(self.base(directory))
            .delimiter("/")
            .set_continuation_token(from);
        let answer = self.deadline.bound(Box::pin(list.send())).await;
        answer.map_err(|passed| unlisted(&self.target, directory, &passed))
    }
}

type ListError = aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error;

/// Why nothing is known of a directory.
fn unlisted(target: &Target, directory: &str, reason: &dyn ToString) -> S3Error {
    S3Error::Unlisted {
        bucket: target.bucket.clone(),
        directory: target.key(directory),
        reason: one_line(&reason.to_string()),
    }
}

#[cfg(test)]
mod tests;
