//! What EC2's refusals mean: the next candidate, a wrong input, a quota, a missing permission, a fault.
//!
//! Given error codes; source: the EC2 API reference, "Error codes for the Amazon EC2 API".

use std::future::Future;

use aws_sdk_ec2::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use futures::future::BoxFuture;

use super::session::SessionError;
use crate::{
    limits::{Deadline, humane},
    report::{Exit, Explain, waited},
    wait::WaitError,
};

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// No room for this type in this zone, in this market: another candidate may do.
    Capacity,
    /// The account may not have more: no candidate helps.
    Quota,
    /// The caller may not do that.
    Denied,
    /// The credentials are not accepted.
    Credentials,
    /// An input names something that is not there or cannot be.
    Input,
    /// A fault on the way, or too many requests: the same request may succeed later.
    Fault,
    /// Anything else.
    Other,
}

impl Class {
    /// The class of an error code of EC2.
    pub fn of(code: &str) -> Self {
        match code {
            "InsufficientInstanceCapacity"
            | "InsufficientHostCapacity"
            | "InsufficientCapacity"
            | "InsufficientReservedInstanceCapacity"
            | "InsufficientCapacityOnHost"
            | "InsufficientFreeAddressesInSubnet"
            | "InsufficientVolumeCapacity"
            | "ReservationCapacityExceeded"
            | "UnfulfillableCapacity"
            | "Unsupported"
            | "UnsupportedOperation"
            | "MaxSpotInstanceCountExceeded"
            | "SpotMaxPriceTooLow"
            | "AuthFailure.ServiceLinkedRoleCreationNotPermitted" => Self::Capacity,
            "VcpuLimitExceeded"
            | "InstanceLimitExceeded"
            | "VolumeLimitExceeded"
            | "MaxIOPSLimitExceeded"
            | "SecurityGroupLimitExceeded"
            | "ResourceLimitExceeded"
            | "PendingVerification"
            | "Blocked"
            | "OptInRequired" => Self::Quota,
            "UnauthorizedOperation"
            | "AccessDenied"
            | "AccessDeniedException"
            | "OperationNotPermitted" => Self::Denied,
            "AuthFailure"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "RequestExpired"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "MissingAuthenticationToken" => Self::Credentials,
            "RequestLimitExceeded"
            | "EC2ThrottledException"
            | "Throttling"
            | "ThrottlingException"
            | "InternalError"
            | "InternalFailure"
            | "ServiceUnavailable"
            | "Unavailable" => Self::Fault,
            code if code.starts_with("InvalidAMI")
                || code.starts_with("InvalidParameter")
                || code.starts_with("InvalidSubnet")
                || code.starts_with("InvalidGroup")
                || code.starts_with("InvalidSecurityGroup")
                || code.starts_with("InvalidBlockDevice")
                || code == "InvalidInstanceType"
                || code == "MissingParameter" =>
            {
                Self::Input
            }
            _ => Self::Other,
        }
    }
}

/// Why EC2 did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Ec2Error {
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
    },
    /// No candidate was left.
    #[error("no instance type has capacity in {region}")]
    NoCapacity {
        /// Where.
        region: String,
        /// One line for each candidate.
        attempts: Vec<String>,
    },
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

impl Ec2Error {
    /// What the refusal means, where it is one.
    pub fn class(&self) -> Class {
        match self {
            Self::Refused { code, .. } => Class::of(code),
            Self::NoAnswer { .. }
            | Self::Session(SessionError::None {
                for_good: false, ..
            }) => Class::Fault,
            Self::NoCredentials { .. } | Self::Session(_) => Class::Credentials,
            _ => Class::Other,
        }
    }

    /// A wait that ended without what it waited for.
    pub(super) fn waited(error: WaitError<Self>) -> Self {
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
    pub fn code(&self) -> &str {
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
            _ if self.class() == Class::Input => Exit::BadInput,
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
            Self::OwnAddress { .. } => {
                "set `ssh-cidr` to the address that this machine reaches AWS from, such as 203.0.113.7/32"
                    .to_owned()
            }
            Self::NoCapacity { .. } => {
                "name more types by `instance-types`, or another `region`".to_owned()
            }
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
            Self::Refused { call, code, .. } => return refusal_hint(call, code),
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
            Self::TimedOut { details, .. } => details.clone(),
            _ => Vec::new(),
        }
    }
}

fn refusal_hint(call: &str, code: &str) -> Option<String> {
    Some(match (Class::of(code), code) {
        (_, "VcpuLimitExceeded") => {
            "the account's quota of vCPUs is used up: ask for more under Service Quotas (Running On-Demand \
             Standard instances), or name smaller types by `instance-types`"
                .to_owned()
        }
        (Class::Quota, _) => "the account has reached a limit: see Service Quotas in the AWS console".to_owned(),
        (Class::Denied, _) => format!("the credentials need ec2:{call}; `manifests-e2e iam-policy` prints the whole policy"),
        (Class::Credentials, _) => {
            "the credentials have expired or belong to another account or partition: renew them".to_owned()
        }
        _ => return None,
    })
}

/// Sends one request, but gives it up at the deadline, and says what its failure means.
///
/// The request is boxed: the SDK's futures are large.
pub(super) fn ask<'a, T, E>(
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
pub(super) fn causes(error: impl std::error::Error) -> String {
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
        };
    }
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(session) = error.downcast_ref::<SessionError>() {
            return session.clone().into();
        }
        cause = error.source();
    }
    let reason = causes(error);
    if reason.contains("no providers in chain provided credentials")
        || reason.contains("credential")
    {
        return Ec2Error::NoCredentials { reason };
    }
    Ec2Error::NoAnswer {
        call,
        region,
        reason,
    }
}

#[cfg(test)]
#[path = "errors_tests.rs"]
mod tests;
