//! A role, assumed with the workflow's token and assumed again before the session ends.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_config::SdkConfig;
use aws_credential_types::provider::{error::CredentialsError, future};
use aws_sdk_ec2::{
    config::{Credentials, ProvideCredentials, SharedCredentialsProvider, timeout::TimeoutConfig},
    error::ProvideErrorMetadata as _,
};
use jiff::Timestamp;
use tokio::{sync::Mutex, time::Instant};

use super::{
    SessionError,
    oidc::{self, TokenEndpoint},
};
use crate::{
    github::commands,
    limits::{Deadline, Limit, humane},
    provider::ec2::{access::client::AwsClock, errors::causes},
};

/// Limit for a token and a session, with all retries.
pub(super) const MAKE_LIMIT: Limit = Limit::secs(40);
/// The same while an old session is still valid.
const RENEW_LIMIT: Limit = Limit::secs(6);
/// How long a session lasts when no duration is requested.
const DEFAULT_LIFETIME: Duration = Duration::from_hours(1);
/// The pause between two attempts to renew a session.
const RETRY_PAUSE: Duration = Duration::from_secs(30);

/// The credentials of a session, with the moments of renewal and end.
#[derive(Debug)]
pub(super) struct CachedCredentials {
    credentials: Credentials,
    renew_at: Instant,
    ends_at: Instant,
}

/// STS, with the clock that its answers are dated by.
pub(super) fn sts(config: &SdkConfig) -> (aws_sdk_sts::Client, AwsClock) {
    let clock = AwsClock::default();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(10))
        .build();
    let config = aws_sdk_sts::config::Builder::from(config)
        .timeout_config(timeouts)
        .interceptor(clock.clone())
        .build();
    (aws_sdk_sts::Client::from_conf(config), clock)
}

/// A role, assumed with the workflow's token for as long as it is needed.
#[derive(Debug)]
pub(super) struct RoleSession {
    pub(super) sts: (aws_sdk_sts::Client, AwsClock),
    pub(super) workflow: TokenEndpoint,
    pub(super) role: String,
    pub(super) name: String,
    pub(super) cached: Arc<Mutex<Option<CachedCredentials>>>,
    /// The credentials of the environment, used when there is no session.
    pub(super) found: Option<SharedCredentialsProvider>,
    pub(super) mask: bool,
}

impl RoleSession {
    /// The credentials of the session, renewed when it is time.
    pub(super) async fn credentials(&self) -> Result<Credentials, SessionError> {
        let mut cached = self.cached.lock().await;
        let now = Instant::now();
        if let Some(cached) = cached.as_ref().filter(|cached| now < cached.renew_at) {
            return Ok(cached.to_credentials());
        }
        let serves = cached.as_ref().is_some_and(|cached| now < cached.ends_at);
        // Nobody waits for long while there is one that serves.
        let limit = if serves { RENEW_LIMIT } else { MAKE_LIMIT };
        let made = tokio::time::timeout(limit.duration(), self.make(limit)).await;
        let made = made.unwrap_or_else(|_| {
            Err(self.none(format!("nothing came of it within {limit}"), false))
        });
        let error = match made {
            Ok(made) => return Ok(cached.insert(made).to_credentials()),
            Err(error) => error,
        };
        if let Some(old) = cached.as_mut().filter(|cached| now < cached.ends_at) {
            tracing::warn!(
                "the session was not renewed; the one there is lasts for {} more: {error}",
                humane(old.ends_at - now)
            );
            old.renew_at = old.ends_at.min(now + RETRY_PAUSE);
            return Ok(old.to_credentials());
        }
        let Some(found) = &self.found else {
            return Err(error);
        };
        tracing::warn!("the credentials of the environment are used as they are: {error}");
        let found = found.provide_credentials().await;
        let found = found.map_err(|_| error)?;
        let soon = CachedCredentials {
            credentials: found,
            renew_at: now + RETRY_PAUSE,
            ends_at: now,
        };
        Ok(cached.insert(soon).to_credentials())
    }

    async fn make(&self, limit: Limit) -> Result<CachedCredentials, SessionError> {
        let (sts, clock) = &self.sts;
        let token = self.workflow.token(Deadline::after(limit)).await;
        let token = token.map_err(|refusal| self.none(refusal.reason, refusal.for_good))?;
        self.hide(&token);
        let asked = Instant::now();
        let answer = sts
            .assume_role_with_web_identity()
            .role_arn(&self.role)
            .role_session_name(&self.name)
            .web_identity_token(token)
            .send();
        let answer = Box::pin(answer).await.map_err(|error| {
            if let Some(code) = error.code() {
                let message = error.message().unwrap_or("no reason is given");
                return self.none(format!("{code}: {message}"), oidc::is_for_good(code));
            }
            self.none(causes(&error), false)
        })?;
        let Some(got) = answer.credentials() else {
            return Err(self.none("the answer has no credentials".to_owned(), false));
        };
        for secret in [got.secret_access_key(), got.session_token()] {
            self.hide(secret);
        }
        let lasts = lasts(got.expiration().secs(), clock.now());
        tracing::info!("assumed {} for {}", self.role, humane(lasts));
        Ok(CachedCredentials {
            credentials: Credentials::new(
                got.access_key_id(),
                got.secret_access_key(),
                Some(got.session_token().to_owned()),
                None,
                "workflow",
            ),
            renew_at: asked + lasts * 4 / 5,
            ends_at: asked + lasts,
        })
    }

    fn hide(&self, secret: &str) {
        if self.mask {
            commands::mask(secret);
        }
    }

    fn none(&self, reason: String, for_good: bool) -> SessionError {
        SessionError::None {
            role: self.role.clone(),
            reason,
            for_good,
        }
    }
}

/// How long a session lasts that ends at `ends`: by AWS's clock where that is plausible, else by ours.
///
/// Either clock may be hours off. No session lasts longer than the default, since no duration is requested.
fn lasts(ends: i64, there: Option<Timestamp>) -> Duration {
    let from = |clock: Timestamp| ends.saturating_sub(clock.as_second());
    let clocks = [there, Some(Timestamp::now())].into_iter().flatten();
    let seconds = clocks.map(from).find(|seconds| *seconds > 0);
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    seconds.map_or(DEFAULT_LIFETIME, |seconds| {
        Duration::from_secs(seconds).min(DEFAULT_LIFETIME)
    })
}

impl CachedCredentials {
    /// For a client: they expire when they are to be renewed, so that the client asks again.
    fn to_credentials(&self) -> Credentials {
        let mut credentials = self.credentials.clone();
        let left = self.renew_at.saturating_duration_since(Instant::now());
        *credentials.expiry_mut() = Some(SystemTime::now() + left);
        credentials
    }
}

impl ProvideCredentials for RoleSession {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let credentials = self.credentials().await;
            credentials.map_err(CredentialsError::provider_error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::Environment;

    #[test]
    fn a_clock_that_is_off_makes_no_session_endless_or_none() {
        let now = Timestamp::now();
        let hours = |hours: i64| Timestamp::from_second(now.as_second() + hours * 3600).unwrap();
        let ends = now.as_second() + 900;
        assert_eq!(lasts(ends, Some(now)).as_secs(), 900);
        // Theirs is 2 h behind and ahead; ours is 5 h ahead of both.
        assert_eq!(lasts(ends, Some(hours(-2))), DEFAULT_LIFETIME);
        assert!((895..=900).contains(&lasts(ends, Some(hours(2))).as_secs()));
        assert_eq!(lasts(ends - 5 * 3600, Some(hours(-5))).as_secs(), 900);
        assert_eq!(lasts(ends - 5 * 3600, None), DEFAULT_LIFETIME);
    }

    fn session(cached: Option<CachedCredentials>, found: Option<Credentials>) -> RoleSession {
        let env = Environment::of([
            // Nothing listens there.
            ("ACTIONS_ID_TOKEN_REQUEST_URL", "http://127.0.0.1:9/?a=b"),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "bearer"),
        ]);
        let config = SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .build();
        RoleSession {
            sts: sts(&config),
            workflow: TokenEndpoint::of(&env, "arn:aws:iam::123456789012:role/e2e").unwrap(),
            role: "e2e".to_owned(),
            name: "test".to_owned(),
            cached: Arc::new(Mutex::new(cached)),
            found: found.map(SharedCredentialsProvider::new),
            mask: false,
        }
    }

    fn key(id: &str) -> Credentials {
        Credentials::new(id, "secret", Some("token".to_owned()), None, "test")
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_is_not_renewed_serves_to_its_end_and_then_what_was_found() {
        drop(rustls::crypto::ring::default_provider().install_default());
        let now = Instant::now();
        let cached = CachedCredentials {
            credentials: key("old"),
            renew_at: now + Duration::from_mins(48),
            ends_at: now + Duration::from_hours(1),
        };
        let session = session(Some(cached), Some(key("found")));
        let id = async || {
            session
                .credentials()
                .await
                .map(|key| key.access_key_id().to_owned())
        };
        tokio::time::advance(Duration::from_mins(50)).await;
        assert_eq!(id().await.unwrap(), "old");
        let tried = Instant::now();
        assert_eq!(id().await.unwrap(), "old");
        assert!(tried.elapsed().is_zero(), "not tried again at once");
        tokio::time::advance(Duration::from_mins(11)).await;
        assert_eq!(id().await.unwrap(), "found");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_to_fall_back_on_is_an_error_that_may_pass() {
        drop(rustls::crypto::ring::default_provider().install_default());
        let error = session(None, None).credentials().await.unwrap_err();
        assert!(
            matches!(
                &error,
                SessionError::None {
                    for_good: false,
                    ..
                }
            ),
            "{error:?}"
        );
    }
}
