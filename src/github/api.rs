//! GitHub's REST API: whether a workflow run is over, and what the token may.
//!
//! The base address is `GITHUB_API_URL`, the token `GITHUB_TOKEN`; without one, public repositories can be asked about.

use std::time::Duration;

use octocrab::{Octocrab, service::middleware::retry::RetryConfig};
use serde::Deserialize;

use crate::{
    inputs::Environment,
    limits::Deadline,
    report::{self, Exit, Explain},
};

/// For one request.
const ANSWER: Duration = Duration::from_secs(20);
/// A request that failed by a fault of the server or the way to it is sent so often again.
const AGAIN: usize = 3;

/// The API.
#[derive(Clone, Debug)]
pub struct Api {
    octocrab: Octocrab,
}

/// A run as the API has it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct WorkflowRun {
    /// `completed`, or one of many for "not yet": `queued`, `in_progress`, `waiting`, `requested`, `pending`.
    pub status: String,
    /// How it ended, where it has: `success`, `failure`, `cancelled`.
    #[serde(default)]
    pub conclusion: Option<String>,
    /// The attempt that `status` speaks of, from 1.
    #[serde(default = "first")]
    pub run_attempt: u32,
}

const fn first() -> u32 {
    1
}

/// An answer as it came, good or bad.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Of HTTP.
    pub status: u16,
    /// Of a person's classic token; no other has any.
    pub scopes: Option<String>,
    /// The permissions that would do, as GitHub says with a refusal.
    pub accepted: Option<String>,
    /// JSON; null where it is none.
    pub body: serde_json::Value,
}

impl Answer {
    /// What GitHub says about it.
    pub fn message(&self) -> &str {
        self.body["message"]
            .as_str()
            .unwrap_or("no reason is given")
    }
}

impl WorkflowRun {
    /// Whether nothing of it runs or will run.
    pub fn is_over(&self) -> bool {
        self.status == "completed"
    }
}

/// Why the API did not tell.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The address or the token cannot be.
    #[error("{variable} cannot be used: {reason}")]
    Variable {
        /// Of the environment.
        variable: &'static str,
        /// What is wrong with it; never the value of a token.
        reason: String,
    },
    /// It said no, or nothing.
    #[error("GitHub did not tell about run {id} of {repository}: {reason}")]
    Silent {
        /// `owner/name`.
        repository: String,
        /// The run.
        id: u64,
        /// Status and message of the answer, or what became of the request.
        reason: String,
    },
}

impl Explain for ApiError {
    fn exit(&self) -> Exit {
        match self {
            Self::Variable { .. } => Exit::BadInput,
            Self::Silent { .. } => Exit::Infrastructure,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Variable { .. } => "leave it as the runner sets it".to_owned(),
            Self::Silent { .. } => {
                "GITHUB_TOKEN needs `actions: read` on that repository".to_owned()
            }
        })
    }
}

impl Api {
    /// The API that the environment names. Nothing is asked yet; call it from within the runtime.
    ///
    /// # Errors
    /// [`ApiError::Variable`].
    pub fn new(env: &Environment) -> Result<Self, ApiError> {
        let unusable = |variable| {
            move |error: octocrab::Error| ApiError::Variable {
                variable,
                reason: error
                    .to_string()
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            }
        };
        let base = env
            .get("GITHUB_API_URL")
            .unwrap_or("https://api.github.com");
        let mut builder = Octocrab::builder()
            .base_uri(base)
            .map_err(unusable("GITHUB_API_URL"))?
            .set_connect_timeout(Some(Duration::from_secs(5)))
            .set_read_timeout(Some(ANSWER))
            .add_retry_config(RetryConfig::Simple(AGAIN));
        if let Some(token) = env.get("GITHUB_TOKEN") {
            builder = builder.personal_token(token.trim().to_owned());
        }
        let octocrab = builder.build().map_err(unusable("GITHUB_TOKEN"))?;
        Ok(Self { octocrab })
    }

    /// What a route answers, whatever it is.
    ///
    /// # Errors
    /// A text, where nothing answered.
    pub async fn ask(&self, route: &str, deadline: Deadline) -> Result<Answer, String> {
        let asked = async {
            let response = self.octocrab._get(route).await?;
            let header = |name: &str| {
                let value = response.headers().get(name)?.to_str().ok()?;
                (!value.is_empty()).then(|| value.to_owned())
            };
            let scopes = header("x-oauth-scopes");
            let accepted = header("x-accepted-github-permissions");
            let status = response.status().as_u16();
            let text = self.octocrab.body_to_string(response).await?;
            let body = serde_json::from_str(&text).unwrap_or_default();
            Ok::<_, octocrab::Error>(Answer {
                status,
                scopes,
                accepted,
                body,
            })
        };
        match deadline.within(ANSWER).bound(Box::pin(asked)).await {
            Ok(answer) => answer.map_err(|error| report::with_causes(&error)),
            Err(passed) => Err(passed.to_string()),
        }
    }

    /// One run; `None` where there is none that this token may see.
    ///
    /// # Errors
    /// [`ApiError::Silent`].
    pub async fn run(
        &self,
        repository: &str,
        id: u64,
        deadline: Deadline,
    ) -> Result<Option<WorkflowRun>, ApiError> {
        let silent = |reason: String| ApiError::Silent {
            repository: repository.to_owned(),
            id,
            reason,
        };
        let plain = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
                && part != ".."
                && part != "."
        };
        // It comes from a tag, which anyone with the account may have written.
        if !repository
            .split_once('/')
            .is_some_and(|(owner, name)| plain(owner) && plain(name))
        {
            return Err(silent("that is no name of a repository".to_owned()));
        }
        let route = format!("/repos/{repository}/actions/runs/{id}");
        let asked = self.octocrab.get::<WorkflowRun, _, ()>(route, None);
        match deadline.within(ANSWER).bound(Box::pin(asked)).await {
            Ok(Ok(run)) => Ok(Some(run)),
            Ok(Err(octocrab::Error::GitHub { source, .. })) => {
                if source.status_code == http::StatusCode::NOT_FOUND {
                    return Ok(None);
                }
                Err(silent(format!(
                    "{}: {}",
                    source.status_code, source.message
                )))
            }
            Ok(Err(error)) => Err(silent(report::with_causes(&error))),
            Err(passed) => Err(silent(passed.to_string())),
        }
    }
}
