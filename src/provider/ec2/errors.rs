//! Why EC2 did not do what it was asked, in words, and what to do about it.
//!
//! What a code means for the next request is [`ErrorClass`]'s business.

mod hints;

pub(crate) use self::hints::death;

use std::future::Future;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ec2::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use futures::future::BoxFuture;

use super::{access::SessionError, class::ErrorClass, quota::Quota};
use crate::{
    limits::{Deadline, humane},
    report::{Exit, Explain, waited},
    wait::WaitError,
};

/// Why EC2 did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ec2Error {
    /// The SDK's chain found none.
    #[error("there are no AWS credentials")]
    NoCredentials {
        /// What the chain says.
        reason: String,
    },
    /// The session that was to be made.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The API said no.
    #[error("{call} was refused in {region}: {code}: {message}")]
    Refused {
        /// The API call.
        call: &'static str,
        /// Where.
        region: String,
        /// The code of the refusal.
        code: String,
        /// What the API says about it.
        message: String,
        /// Whether it may be carried out later, by the status of the answer: 429 or 5xx.
        later: bool,
    },
    /// The API did not answer, or not as an API.
    #[error("{call} got no answer in {region}: {reason}")]
    NoAnswer {
        /// The API call.
        call: &'static str,
        /// Where.
        region: String,
        /// Timed out, refused, reset.
        reason: String,
    },
    /// The deadline passed.
    #[error("{what}")]
    TimedOut {
        /// What was waited for and for how long.
        what: String,
        /// What is known about it: the console's last lines.
        details: Vec<String>,
    },
    /// Nowhere to launch into.
    #[error("there is no default VPC with a subnet in {region}")]
    NoDefaultVpc {
        /// Where.
        region: String,
    },
    /// The release has no image.
    #[error("Canonical has no image of Ubuntu {release} for {arch} in {region}")]
    NoImage {
        /// Of Ubuntu.
        release: String,
        /// `amd64` or `arm64`.
        arch: &'static str,
        /// Where.
        region: String,
    },
    /// An input names what the account does not have.
    #[error("{input}: {reason}")]
    Input {
        /// The input by its name.
        input: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The address that port 22 is opened to could not be told.
    #[error("the address of this machine could not be looked up at {url}")]
    OwnAddress {
        /// Who was asked.
        url: String,
        /// What came of it.
        reason: String,
        /// The variable that names a proxy, where one does.
        proxy: Option<&'static str>,
    },
    /// No candidate was left.
    #[error("no instance type has capacity in {region}{}", after(*rounds))]
    NoCapacity {
        /// Where.
        region: String,
        /// How often all of them were asked.
        rounds: u32,
        /// One line for each candidate.
        attempts: Vec<String>,
    },
    /// The account may not have more.
    #[error("the quota `{}` is used up in {}: {}", .0.quota.name, .0.region, .0.code)]
    QuotaReached(Box<QuotaRefusal>),
    /// Nothing was found where we may look, and the other regions may not be listed.
    #[error(
        "nothing is there in {first}, and no other region may be searched: DescribeRegions: {code}"
    )]
    NotEverywhere {
        /// The region that was searched.
        first: String,
        /// The code of the refusal.
        code: String,
    },
    /// It was launched and ended by itself.
    #[error("{id} ended before it could be used: {reason}")]
    Died {
        /// The instance.
        id: String,
        /// Where.
        region: String,
        /// The code of its `StateReason`; empty where it has none.
        code: String,
        /// `StateReason` in the API's words.
        reason: String,
    },
    /// It would live for ever.
    #[error("{id} has no timer that ends it: manifests-e2e-ttl.timer is {state}")]
    NoTimer {
        /// The instance.
        id: String,
        /// What systemd says.
        state: String,
    },
}

/// A refusal for a quota.
#[derive(Debug)]
pub(crate) struct QuotaRefusal {
    /// Where.
    pub(crate) region: String,
    /// The code of the refusal.
    pub(crate) code: String,
    /// What the API says about it.
    pub(crate) message: String,
    /// The quota behind it.
    pub(crate) quota: Quota,
    /// One line for each candidate.
    pub(crate) attempts: Vec<String>,
}

impl Ec2Error {
    /// What the refusal means, where it is one.
    pub(crate) fn class(&self) -> ErrorClass {
        match self {
            // Of a type that the region does not have EC2 speaks as of any value that cannot be.
            Self::Refused { code, message, .. }
                if code == "InvalidParameterValue" && message.contains("InstanceType") =>
            {
                ErrorClass::NoSuchType
            }
            Self::Refused { code, later, .. } => match ErrorClass::of(code) {
                ErrorClass::Other if *later => ErrorClass::Fault,
                class => class,
            },
            Self::QuotaReached(_) => ErrorClass::Quota,
            Self::NoAnswer { .. }
            | Self::Session(SessionError::None {
                for_good: false, ..
            }) => ErrorClass::Fault,
            Self::NoCredentials { .. } | Self::Session(_) => ErrorClass::Credentials,
            _ => ErrorClass::Other,
        }
    }

    /// Whether the same look may succeed a moment later: a fault, or too many requests. Not a session that could not be
    /// made: whoever makes it has tried long enough.
    pub(crate) fn is_passing(&self) -> bool {
        self.class() == ErrorClass::Fault && !matches!(self, Self::Session(_))
    }

    /// A wait that ended without what it waited for.
    pub(crate) fn waited(error: WaitError<Self>) -> Self {
        waited(
            error,
            |what| Self::TimedOut {
                what,
                details: Vec::new(),
            },
            |error| error,
        )
    }

    /// The code of the refusal; empty where there is none.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Refused { code, .. } => code,
            _ => "",
        }
    }
}

impl Explain for Ec2Error {
    fn exit(&self) -> Exit {
        match self {
            Self::NoCredentials { .. }
            | Self::NoDefaultVpc { .. }
            | Self::NoImage { .. }
            | Self::Input { .. } => Exit::BadInput,
            Self::Session(error) => error.exit(),
            Self::TimedOut { .. } => Exit::TimeLimit,
            _ if matches!(self.class(), ErrorClass::Input | ErrorClass::NoSuchType) => {
                Exit::BadInput
            }
            _ => Exit::Infrastructure,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoCredentials { .. } => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY from repository secrets in the \
                 workflow's `env:`, or run aws-actions/configure-aws-credentials before this step, or give \
                 `role-arn` and the permission `id-token: write`"
                    .to_owned()
            }
            Self::NoDefaultVpc { region } => format!(
                "name subnets of your own by `subnet-ids`, or make one: aws ec2 create-default-vpc --region {region}"
            ),
            Self::NoImage { .. } => {
                "set `ubuntu` to a release such as 24.04, or name an image by `ami`".to_owned()
            }
            Self::OwnAddress { proxy, .. } => {
                let remedy = "set `ssh-cidr` to the address that this machine's SSH comes from, such as 203.0.113.7/32";
                match proxy {
                    Some(name) => format!("SSH does not go through {name}, so neither does this; {remedy}"),
                    None => remedy.to_owned(),
                }
            }
            Self::NoCapacity { .. } => {
                "name more types by `instance-types`, or another `region`; `capacity-rounds` and `timeout` say how long to try"
                    .to_owned()
            }
            Self::QuotaReached(it) => hints::quota(it),
            Self::Died { code, region, .. } => return death(code, region),
            Self::NotEverywhere { .. } => {
                "set `region` to the one that the host was launched in, or allow ec2:DescribeRegions".to_owned()
            }
            Self::NoTimer { .. } => {
                "the image has to run cloud-init and systemd, as Ubuntu's do".to_owned()
            }
            Self::NoAnswer { .. } => {
                "is the region's name right, and does this machine reach AWS?".to_owned()
            }
            Self::Session(error) => return error.hint(),
            Self::Refused { region, .. }
                if matches!(self.class(), ErrorClass::NoSuchType | ErrorClass::NotInZone) =>
            {
                format!("name types that {region} has, in the zones that are tried, by `instance-types`")
            }
            Self::Refused { call, code, .. } => return hints::refusal(call, code),
            _ => return None,
        })
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::NoCredentials { reason } | Self::OwnAddress { reason, .. } => {
                vec![reason.clone()]
            }
            Self::Session(error) => error.details(),
            Self::NoCapacity { attempts, .. } => attempts.clone(),
            Self::QuotaReached(it) => std::iter::once(&it.message)
                .chain(&it.attempts)
                .cloned()
                .collect(),
            Self::TimedOut { details, .. } => details.clone(),
            _ => Vec::new(),
        }
    }
}

/// How often, where it was more than once.
fn after(rounds: u32) -> String {
    if rounds > 1 {
        format!(", all of them asked {rounds} times")
    } else {
        String::new()
    }
}

/// Sends one request, but gives it up at the deadline, and says what its failure means.
///
/// The request is boxed: the SDK's futures are large.
pub(crate) fn ask<'a, T, E>(
    call: &'static str,
    region: &'a str,
    deadline: Deadline,
    request: impl Future<Output = Result<T, SdkError<E>>> + Send + 'a,
) -> BoxFuture<'a, Result<T, Ec2Error>>
where
    T: Send + 'a,
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let request = Box::pin(request);
    Box::pin(async move {
        match deadline.bound(request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(refused(call, region, &error)),
            Err(passed) => Err(Ec2Error::TimedOut {
                what: format!("{call}: no answer within {}", humane(passed.limit)),
                details: Vec::new(),
            }),
        }
    })
}

/// An error of the SDK with its causes, without the debug output that follows them and says nothing to a reader.
pub(crate) fn causes(error: impl std::error::Error) -> String {
    let text = DisplayErrorContext(error).to_string();
    text.split(" (").next().unwrap_or(&text).to_owned()
}

fn refused<E>(call: &'static str, region: &str, error: &SdkError<E>) -> Ec2Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let region = region.to_owned();
    if let Some(code) = error.code() {
        return Ec2Error::Refused {
            call,
            region,
            code: code.to_owned(),
            message: error.message().unwrap_or("no reason is given").to_owned(),
            later: error
                .raw_response()
                .is_some_and(|answer| matches!(answer.status().as_u16(), 429 | 500..=599)),
        };
    }
    let mut no_credentials = false;
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(session) = error.downcast_ref::<SessionError>() {
            return session.clone().into();
        }
        // A provider that did not answer in time, or failed, may do better the next time.
        let told = error.downcast_ref::<CredentialsError>();
        no_credentials |= matches!(
            told,
            Some(
                CredentialsError::CredentialsNotLoaded(_)
                    | CredentialsError::InvalidConfiguration(_)
            )
        );
        cause = error.source();
    }
    let reason = causes(error);
    if no_credentials {
        return Ec2Error::NoCredentials { reason };
    }
    Ec2Error::NoAnswer {
        call,
        region,
        reason,
    }
}

#[cfg(test)]
mod tests;
