//! Whose credentials AWS is asked with: those that the SDK finds, or a session of a role that is renewed in time.
//!
//! A session needs the workflow's OIDC token and a role. It is made again when four fifths of it are over, and anew by
//! every stage, so that no teardown begins with what is left of an old one. While it cannot be renewed the old one
//! serves for as long as it lasts. Nothing of it is ever logged; a runner is told to mask it.

mod error;
mod lifetime;
mod oidc;
mod role;

use std::{sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, identity::IdentityCache};
use aws_sdk_ec2::config::{
    Credentials, ProvideCredentials as _, RuntimeComponents, SharedCredentialsProvider,
    retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use tokio::sync::Mutex;

pub(crate) use self::error::SessionError;
pub(crate) use self::lifetime::SessionLifetime;
use self::{
    oidc::TokenEndpoint,
    role::{CachedCredentials, MAKE_LIMIT, RoleSession},
};
use super::client::{DEFAULT_REGION, region};
use crate::{
    inputs::Environment,
    limits::Deadline,
    provider::BadInput,
    provider::ec2::errors::{Ec2Error, causes},
};

/// Who asks AWS: the environment, and the role that it may take. A clone shares its session.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    env: Environment,
    role: Option<String>,
    /// Where STS is asked; absent: as the environment has it.
    region: Option<String>,
    cached: Arc<Mutex<Option<CachedCredentials>>>,
}

impl Access {
    /// By this environment; as `role` where the workflow lets us prove who we are.
    ///
    /// # Errors
    /// [`BadInput`] for what cannot be the name of a role.
    pub(crate) fn new(env: &Environment, role: Option<&str>) -> Result<Self, BadInput> {
        if let Some(role) = role.filter(|role| !oidc::is_role(role)) {
            return Err(BadInput {
                input: "role-arn",
                reason: format!("`{role}` is not the ARN of a role"),
                remedy: Some("write it as AWS does: arn:aws:iam::123456789012:role/e2e".to_owned()),
            });
        }
        Ok(Self {
            env: env.clone(),
            role: role.map(str::to_owned),
            region: None,
            cached: Arc::default(),
        })
    }

    /// The same, with sessions made in that region: credentials are good in one partition, and an account may have all
    /// other regions closed.
    #[must_use]
    pub(crate) fn in_region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned()).filter(|region| !region.is_empty());
        self
    }

    fn region(&self) -> Option<String> {
        let usual = || region(None, &self.env).ok().flatten();
        self.region.clone().or_else(usual)
    }

    /// The environment.
    pub(crate) fn env(&self) -> &Environment {
        &self.env
    }

    /// What clients are made of, with credentials that were seen to be there.
    ///
    /// # Errors
    /// [`Ec2Error::NoCredentials`], [`Ec2Error::Session`].
    pub(crate) async fn config(&self, deadline: Deadline) -> Result<SdkConfig, Ec2Error> {
        Ok(self.open(deadline).await?.0)
    }

    /// As [`Self::config`], but without credentials where none are found: what anybody may read needs none. A role that
    /// was asked for and cannot be assumed is an error all the same.
    ///
    /// # Errors
    /// [`Ec2Error::Session`].
    pub(crate) async fn config_or_anonymous(
        &self,
        deadline: Deadline,
    ) -> Result<SdkConfig, Ec2Error> {
        match self.config(deadline).await {
            Err(Ec2Error::NoCredentials { reason }) => {
                tracing::debug!("no AWS credentials: {reason}");
                let mut config = load(self.region()).await.into_builder();
                config.set_credentials_provider(None);
                Ok(config.build())
            }
            found => found,
        }
    }

    /// As [`Self::config`], and for how long the credentials last.
    pub(crate) async fn open(
        &self,
        deadline: Deadline,
    ) -> Result<(SdkConfig, SessionLifetime), Ec2Error> {
        let opening = Box::pin(self.open_now());
        deadline.bound(opening).await.unwrap_or_else(|passed| {
            Err(Ec2Error::TimedOut {
                what: format!("AWS credentials: {passed}"),
                details: Vec::new(),
            })
        })
    }

    async fn open_now(&self) -> Result<(SdkConfig, SessionLifetime), Ec2Error> {
        let config = load(self.region()).await;
        let found = config.credentials_provider();
        if let Some((workflow, role)) = self.renewable() {
            let session = RoleSession {
                sts: role::sts(&config),
                workflow,
                role,
                name: self.name(),
                cached: Arc::clone(&self.cached),
                found: found.filter(|_| self.env.get("AWS_SESSION_TOKEN").is_some()),
                mask: self.env.on_runner(),
            };
            session.credentials().await?;
            let session = SharedCredentialsProvider::new(session);
            let config = config.into_builder().credentials_provider(session).build();
            return Ok((config, SessionLifetime::Always));
        }
        let Some(found) = found else {
            return Err(Ec2Error::NoCredentials {
                reason: "the SDK was built without a provider".to_owned(),
            });
        };
        match found.provide_credentials().await {
            Ok(credentials) => {
                let lifetime = self.lifetime(&credentials);
                Ok((config, lifetime))
            }
            Err(error) => Err(Ec2Error::NoCredentials {
                reason: causes(&error),
            }),
        }
    }

    /// The workflow that a session can be made from, and its role; keys that never end need none.
    fn renewable(&self) -> Option<(TokenEndpoint, String)> {
        let keys = self.env.get("AWS_ACCESS_KEY_ID").is_some()
            && self.env.get("AWS_SESSION_TOKEN").is_none();
        let role = self.role.clone()?;
        if keys {
            tracing::warn!(
                "role-arn is given, but AWS_ACCESS_KEY_ID holds a key that never ends: that key is used, and not the role; \
                 drop it from the environment of this step"
            );
            return None;
        }
        let workflow = TokenEndpoint::of(&self.env, &role);
        if workflow.is_none() && self.env.on_runner() {
            tracing::warn!(
                "role-arn is given, but this job may have no OIDC token: the session cannot be renewed; add the \
                 permission `id-token: write`"
            );
        }
        Some((workflow?, role))
    }

    /// Credentials with an end are those of a provider that fetches new ones; of a variable it is told by another.
    fn lifetime(&self, credentials: &Credentials) -> SessionLifetime {
        if credentials.session_token().is_none() || credentials.expiry().is_some() {
            return SessionLifetime::Always;
        }
        let told = self.env.get("AWS_CREDENTIAL_EXPIRATION");
        told.and_then(|told| told.trim().parse().ok())
            .map_or(SessionLifetime::Unknown, SessionLifetime::Until)
    }

    /// Of the session, as AWS's log of calls shows it: 2 to 64 characters.
    fn name(&self) -> String {
        let run = self.env.get("GITHUB_RUN_ID").unwrap_or("laptop");
        let plain = run.chars().filter(char::is_ascii_alphanumeric).take(40);
        format!("manifests-e2e-{}", plain.collect::<String>())
    }
}

/// The SDK's own configuration, with our TLS, the environment's proxy, and retries that end.
async fn load(region: Option<String>) -> SdkConfig {
    // The SDK's own way to a client with TLS leaves out the proxy.
    let http =
        aws_smithy_http_client::Builder::new().build_with_connector_fn(|settings, components| {
            let mut connector = Connector::builder();
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            connector
                .proxy_config(ProxyConfig::from_env())
                .tls_provider(Provider::Rustls(CryptoMode::Ring))
                .build()
        });
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        // Clients name their own; the chain wants one for STS.
        .region(Region::new(
            region.unwrap_or_else(|| DEFAULT_REGION.to_owned()),
        ))
        .identity_cache(
            IdentityCache::lazy()
                .load_timeout(MAKE_LIMIT.duration() + Duration::from_secs(5))
                .build(),
        )
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(8)
                .with_initial_backoff(Duration::from_millis(300))
                .with_max_backoff(Duration::from_secs(10)),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(5))
                .operation_attempt_timeout(Duration::from_mins(1))
                .build(),
        )
        .load()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::123456789012:role/e2e";

    fn access(vars: &[(&str, &str)]) -> Access {
        let env = Environment::of(vars.iter().copied());
        Access::new(&env, Some(ROLE)).unwrap()
    }

    #[test]
    fn a_session_is_made_where_there_is_a_token_and_no_key_that_lasts() {
        let token = [
            ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://token.example/?a=b"),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "bearer"),
        ];
        let with = |more: &[(&str, &str)]| access(&[&token, more].concat()).renewable().is_some();
        assert!(with(&[]));
        assert!(with(&[
            ("AWS_ACCESS_KEY_ID", "ASIA"),
            ("AWS_SESSION_TOKEN", "t")
        ]));
        assert!(!with(&[("AWS_ACCESS_KEY_ID", "AKIA")]));
        assert!(access(&[]).renewable().is_none());
        let nobody = Access::new(&Environment::of(token), None).unwrap();
        assert!(nobody.renewable().is_none());
        let odd = Access::new(&Environment::default(), Some("e2e"));
        assert!(odd.unwrap_err().to_string().starts_with("role-arn: `e2e`"));
    }

    #[test]
    fn a_session_is_made_in_the_region_of_the_host() {
        let access = access(&[("AWS_REGION", "us-east-1")]);
        assert_eq!(access.region().as_deref(), Some("us-east-1"));
        let there = access.in_region("us-gov-west-1").region();
        assert_eq!(there.as_deref(), Some("us-gov-west-1"));
    }

    #[test]
    fn what_ends_is_told_from_what_lasts() {
        let key = |token: Option<&str>| {
            Credentials::new("a", "b", token.map(str::to_owned), None, "test")
        };
        assert_eq!(access(&[]).lifetime(&key(None)), SessionLifetime::Always);
        assert_eq!(
            access(&[]).lifetime(&key(Some("t"))),
            SessionLifetime::Unknown
        );
        let told = access(&[("AWS_CREDENTIAL_EXPIRATION", "2026-11-21T19:00:00+00:00")]);
        let until = "2026-11-21T19:00:00Z".parse().unwrap();
        assert_eq!(
            told.lifetime(&key(Some("t"))),
            SessionLifetime::Until(until)
        );
    }
}
