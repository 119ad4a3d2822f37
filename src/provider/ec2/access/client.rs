//! EC2's API: a client for each region, and AWS's clock from the date of its answers.

use std::sync::{Arc, Mutex, PoisonError};

use aws_config::{Region, SdkConfig};
use aws_sdk_ec2::{
    Client,
    config::{
        ConfigBag, Credentials, Intercept, ProvideCredentials as _, RuntimeComponents,
        interceptors::{BeforeDeserializationInterceptorContextRef, InterceptorContext},
        retry::{ClassifyRetry, RetryAction},
    },
    error::{BoxError, ProvideErrorMetadata as _},
    operation::run_instances::RunInstancesError,
};
use jiff::{Timestamp, fmt::rfc2822};
use regex::Regex;

use super::session::{Access, SessionLifetime};
use crate::{
    inputs::Environment,
    limits::Deadline,
    provider::{
        BadInput,
        ec2::{class::ErrorClass, errors::Ec2Error},
    },
};

/// The region when neither input nor environment names one.
pub(crate) const DEFAULT_REGION: &str = "us-east-1";

/// EC2 in any region, with one set of credentials and one pool of connections.
#[derive(Clone, Debug)]
pub(crate) struct Ec2Api {
    config: SdkConfig,
    lifetime: SessionLifetime,
    clock: AwsClock,
}

impl Ec2Api {
    /// Finds credentials, or makes a session.
    pub(crate) async fn open(access: &Access, deadline: Deadline) -> Result<Self, Ec2Error> {
        let (config, lifetime) = access.open(deadline).await?;
        Ok(Self {
            config,
            lifetime,
            clock: AwsClock::default(),
        })
    }

    /// The credentials as they are now.
    pub(crate) async fn credentials(&self) -> Option<Credentials> {
        let provider = self.config.credentials_provider()?;
        provider.provide_credentials().await.ok()
    }

    /// For how long the credentials last.
    pub(crate) fn lifetime(&self) -> SessionLifetime {
        self.lifetime
    }

    /// EC2 in one region.
    pub(crate) fn region(&self, region: &str) -> Client {
        let config = aws_sdk_ec2::config::Builder::from(&self.config)
            .region(Region::new(region.to_owned()))
            .interceptor(self.clock.clone())
            .build();
        Client::from_conf(config)
    }

    /// The moment that the last answer was dated at, by AWS's own clock; `None` before the first.
    pub(crate) fn now(&self) -> Option<Timestamp> {
        self.clock.now()
    }
}

/// Reads AWS's clock from the header `Date` of every answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct AwsClock(Arc<Mutex<Option<Timestamp>>>);

impl AwsClock {
    /// The moment that the last answer was dated at; `None` before the first.
    pub(crate) fn now(&self) -> Option<Timestamp> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for AwsClock {
    fn name(&self) -> &'static str {
        "clock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        if let Some(date) = date.and_then(|date| rfc2822::parse(date).ok()) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(date.timestamp());
        }
        Ok(())
    }
}

/// The region of the input, else of the SDK's variables. `None` where neither names one.
///
/// # Errors
/// [`BadInput`] when it cannot be the name of a region: a request would fail later, with a name that does not resolve.
pub(crate) fn region(given: Option<&str>, env: &Environment) -> Result<Option<String>, BadInput> {
    let named = [
        ("region", given),
        ("AWS_REGION", env.get("AWS_REGION")),
        ("AWS_DEFAULT_REGION", env.get("AWS_DEFAULT_REGION")),
    ];
    let Some((input, region)) = named
        .into_iter()
        .find_map(|(name, value)| Some((name, value?)))
    else {
        return Ok(None);
    };
    let shape =
        Regex::new("^[a-z]{2,5}(-[a-z]{2,12}){1,3}-[0-9]{1,2}$").expect("the pattern is fixed");
    if shape.is_match(region) {
        return Ok(Some(region.to_owned()));
    }
    Err(BadInput {
        input,
        reason: format!("`{region}` is not the name of an AWS region"),
        remedy: Some("write it as AWS does: us-east-1, eu-central-1".to_owned()),
    })
}

/// Stops the SDK's retries where another candidate may have capacity: AWS answers a lack of capacity with status 500.
#[derive(Debug)]
pub(crate) struct NoCapacityRetry;

impl ClassifyRetry for NoCapacityRetry {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let code = context
            .output_or_error()
            .and_then(Result::err)
            .and_then(|error| error.as_operation_error())
            .and_then(|error| error.downcast_ref::<RunInstancesError>())
            .and_then(|error| error.code());
        match code.map(ErrorClass::of) {
            Some(class) if !class.again() => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "once for capacity"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_taken_from_input_then_environment() {
        let env = Environment::of([
            ("AWS_REGION", "eu-west-1"),
            ("AWS_DEFAULT_REGION", "us-east-2"),
        ]);
        assert_eq!(
            region(Some("ap-southeast-7"), &env).unwrap().unwrap(),
            "ap-southeast-7"
        );
        assert_eq!(region(None, &env).unwrap().unwrap(), "eu-west-1");
        assert!(region(None, &Environment::default()).unwrap().is_none());
    }

    #[test]
    fn what_cannot_be_a_region_is_refused() {
        let env = Environment::default();
        for good in [
            "us-gov-west-1",
            "us-iso-east-1",
            "eusc-de-east-1",
            "il-central-1",
        ] {
            assert!(region(Some(good), &env).is_ok(), "{good}");
        }
        for bad in [
            "us-east-1a",
            "useast1",
            "US-EAST-1",
            "us-east-1.evil.example",
            "us east 1",
            "-",
            "us-east-",
        ] {
            let error = region(Some(bad), &env).unwrap_err().to_string();
            assert!(error.starts_with("region: "), "{error}");
        }
    }
}
