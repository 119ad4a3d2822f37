//! The workflow's OIDC token: a proof, good for minutes, of which workflow this is.

use std::time::Duration;

use regex::Regex;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::{
    http_client,
    inputs::Environment,
    limits::Deadline,
    wait::{self, Every, Status, WaitError},
};

/// Limit for one request.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// How long a fault of the endpoint is retried.
const RETRY_LIMIT: Duration = Duration::from_secs(20);

/// The runner's endpoint for OIDC tokens, and the bearer token for it.
#[derive(Debug)]
pub(super) struct TokenEndpoint {
    url: url::Url,
    bearer: SecretString,
}

/// Why there is no token.
#[derive(Debug)]
pub(super) struct TokenRefusal {
    pub(super) reason: String,
    /// Whether a retry is useless.
    pub(super) for_good: bool,
}

#[derive(Deserialize)]
struct TokenAnswer {
    value: String,
}

impl TokenEndpoint {
    /// The endpoint that a job with the permission `id-token: write` has; `None` without it.
    pub(super) fn of(env: &Environment, role: &str) -> Option<Self> {
        let mut url: url::Url = env.get("ACTIONS_ID_TOKEN_REQUEST_URL")?.parse().ok()?;
        url.query_pairs_mut()
            .append_pair("audience", audience(role));
        Some(Self {
            url,
            bearer: env.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")?.into(),
        })
    }

    /// Requests a new token; faults of the endpoint are retried for a while.
    pub(super) async fn token(&self, deadline: Deadline) -> Result<String, TokenRefusal> {
        let soon = deadline.within(RETRY_LIMIT);
        let asked = wait::until(
            "the workflow's OIDC token",
            soon,
            Every::secs(1),
            async || match self.ask().await {
                Ok(token) => Ok(Status::Ready(token)),
                Err(refusal) if refusal.for_good => Err(refusal),
                Err(refusal) => {
                    tracing::debug!("{}", refusal.reason);
                    Ok(Status::NotYet(refusal.reason))
                }
            },
        )
        .await;
        asked.map_err(|error| match error {
            WaitError::Failed(refusal) => refusal,
            WaitError::TimedOut { last, .. } => TokenRefusal {
                reason: last,
                for_good: false,
            },
        })
    }

    async fn ask(&self) -> Result<String, TokenRefusal> {
        let refusal = |reason: String, for_good| TokenRefusal { reason, for_good };
        let asked = async {
            // It is asked where the runner says and nowhere else.
            let client = http_client::builder().redirect(reqwest::redirect::Policy::none());
            let request = client.build()?.get(self.url.clone());
            let request = request
                .bearer_auth(self.bearer.expose_secret())
                .header("accept", "application/json; api-version=2.0");
            let answer = request.send().await?;
            let status = answer.status();
            Ok::<_, reqwest::Error>((status, answer.bytes().await?))
        };
        let asked = tokio::time::timeout(ANSWER_LIMIT, asked).await;
        let (status, body) = match asked {
            Ok(Ok(answer)) => answer,
            // The address is left out: who knows what is in it.
            Ok(Err(error)) => {
                let reason = format!("the token's endpoint: {}", error.without_url());
                return Err(refusal(reason, false));
            }
            Err(_) => return Err(refusal("the token's endpoint: no answer".to_owned(), false)),
        };
        if !status.is_success() {
            let fault = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
            return Err(refusal(format!("the token's endpoint: {status}"), !fault));
        }
        match serde_json::from_slice::<TokenAnswer>(&body) {
            Ok(answer) => Ok(answer.value),
            Err(_) => Err(refusal(
                "the token's endpoint: its answer has no token".to_owned(),
                false,
            )),
        }
    }
}

/// Whom the token is for: STS, by its name in the partition of the role.
fn audience(role: &str) -> &'static str {
    if role.starts_with("arn:aws-cn:") {
        "sts.amazonaws.com.cn"
    } else {
        "sts.amazonaws.com"
    }
}

/// Whether this is the ARN of a role.
pub(super) fn is_role(arn: &str) -> bool {
    let shape = Regex::new(r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$");
    shape.expect("the pattern is fixed").is_match(arn)
}

/// Whether STS, having said so, will say the same again.
pub(super) fn is_for_good(code: &str) -> bool {
    matches!(
        code,
        "AccessDenied"
            | "AccessDeniedException"
            | "InvalidIdentityToken"
            | "InvalidIdentityTokenException"
            | "ValidationError"
            | "MalformedPolicyDocument"
            | "RegionDisabledException"
    )
}
