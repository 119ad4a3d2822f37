//! GitHub's API: whether a workflow run or a job is over, what the token may, whatever else a route answers; and changes.
//!
//! The base address is `GITHUB_API_URL`, the token `GITHUB_TOKEN`; without one, public repositories can be asked about.

mod limit;
mod send;

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use reqwest::{Client, RequestBuilder};
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use crate::{
    http_client,
    inputs::Environment,
    limits::{Deadline, humane},
    report::{self, Exit, Explain},
    wait,
};

pub use send::SendError;

/// For one request, with all its retries.
const ANSWER: Duration = Duration::from_secs(20);
/// A request that failed by a fault of the server or the way to it is sent so often again.
const AGAIN: usize = 3;

/// The API.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client,
    /// Without a slash at its end.
    base: String,
    /// The one address of GraphQL.
    graph: String,
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

/// A job of a run as the API has it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct WorkflowJob {
    /// As that of a [`WorkflowRun`].
    pub status: String,
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
    /// How long GitHub wants not to be asked, where it refused for having been asked too often.
    pub limited: Option<Duration>,
    /// JSON; null where it is none.
    pub body: serde_json::Value,
}

impl Answer {
    /// What GitHub says about it.
    pub fn message(&self) -> &str {
        let of_graph = &self.body["errors"][0]["message"];
        self.body["message"]
            .as_str()
            .or(of_graph.as_str())
            .unwrap_or("no reason is given")
    }
}

impl WorkflowRun {
    /// Whether nothing of it runs or will run.
    pub fn is_over(&self) -> bool {
        self.status == "completed"
    }
}

impl WorkflowJob {
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
    #[error("GitHub did not tell about {what} of {repository}: {reason}")]
    Silent {
        /// `owner/name`.
        repository: String,
        /// The run or job.
        what: String,
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
        let unusable = |variable, reason: String| ApiError::Variable { variable, reason };
        let base = env
            .get("GITHUB_API_URL")
            .unwrap_or("https://api.github.com");
        let url =
            Url::parse(base).map_err(|error| unusable("GITHUB_API_URL", error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            let reason = format!("its scheme is {}, not http or https", url.scheme());
            return Err(unusable("GITHUB_API_URL", reason));
        }
        let mut headers = HeaderMap::new();
        let accept = HeaderValue::from_static("application/vnd.github+json");
        headers.insert(header::ACCEPT, accept);
        if let Some(token) = env.get("GITHUB_TOKEN") {
            let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.trim()))
                .map_err(|error| unusable("GITHUB_TOKEN", error.to_string()))?;
            bearer.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, bearer);
        }
        let client = http_client::builder()
            .connect_timeout(Duration::from_secs(5))
            .default_headers(headers)
            .build()
            .map_err(|error| unusable("GITHUB_API_URL", report::with_causes(&error)))?;
        let base = base.trim_end_matches('/').to_owned();
        // On GitHub Enterprise Server the two stand side by side.
        let above = base.strip_suffix("/v3").unwrap_or(&base);
        let graph = env.get("GITHUB_GRAPHQL_URL").map(str::to_owned);
        let graph = graph.unwrap_or_else(|| format!("{above}/graphql"));
        Ok(Self {
            client,
            base,
            graph,
        })
    }

    /// What a route answers, whatever it is.
    ///
    /// # Errors
    /// A text, where nothing answered.
    pub async fn ask(&self, route: &str, deadline: Deadline) -> Result<Answer, String> {
        self.attempts(route, deadline, |_| true).await
    }

    /// As [`Self::ask`], for what nothing can do without: where GitHub was asked too often it is left alone for as long as it
    /// says, if there is the time.
    ///
    /// # Errors
    /// A text, where nothing answered, or where the deadline comes before GitHub wants to be asked again.
    pub async fn patiently(&self, route: &str, deadline: Deadline) -> Result<Answer, String> {
        self.look(route, deadline)
            .await
            .map_err(|error| error.to_string())
    }

    /// Asks until there is an answer that is not to be retried.
    async fn attempts(
        &self,
        route: &str,
        deadline: Deadline,
        again: fn(&Answer) -> bool,
    ) -> Result<Answer, String> {
        let url = format!("{}{route}", self.base);
        let attempts = (|| attempt(self.client.get(url.clone())))
            .retry(
                ExponentialBuilder::default()
                    .with_jitter()
                    .with_min_delay(Duration::from_millis(500))
                    .with_max_times(AGAIN),
            )
            .when(|attempt: &Attempt| match attempt {
                Attempt::Answered(answer) => again(answer),
                Attempt::Failed(_) => true,
            });
        match deadline.within(ANSWER).bound(Box::pin(attempts)).await {
            Ok(Ok(answer) | Err(Attempt::Answered(answer))) => Ok(answer),
            Ok(Err(Attempt::Failed(error))) => Err(report::with_causes(&error)),
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
        let route = format!("runs/{id}");
        self.of_actions(repository, format!("run {id}"), &route, deadline)
            .await
    }

    /// One job by its id, which is that of its check run; `None` where there is none that this token may see.
    ///
    /// # Errors
    /// [`ApiError::Silent`].
    pub async fn job(
        &self,
        repository: &str,
        id: u64,
        deadline: Deadline,
    ) -> Result<Option<WorkflowJob>, ApiError> {
        let route = format!("jobs/{id}");
        self.of_actions(repository, format!("job {id}"), &route, deadline)
            .await
    }

    async fn of_actions<T: DeserializeOwned>(
        &self,
        repository: &str,
        what: String,
        route: &str,
        deadline: Deadline,
    ) -> Result<Option<T>, ApiError> {
        let silent = |reason: String| ApiError::Silent {
            repository: repository.to_owned(),
            what: what.clone(),
            reason,
        };
        // It comes from a tag, which anyone with the account may have written.
        if !is_repository(repository) {
            return Err(silent("that is no name of a repository".to_owned()));
        }
        let route = format!("/repos/{repository}/actions/{route}");
        let answer = self.ask(&route, deadline).await.map_err(silent)?;
        match answer.status {
            200 => serde_json::from_value(answer.body)
                .map(Some)
                .map_err(|error| silent(format!("what it answered cannot be read: {error}"))),
            404 => Ok(None),
            status => Err(silent(format!("{status}: {}", answer.message()))),
        }
    }
}

/// Whether a text is `owner/name` and nothing else, so that it can stand in a route.
pub fn is_repository(text: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
            && part != ".."
            && part != "."
    };
    text.split_once('/')
        .is_some_and(|(owner, name)| plain(owner) && plain(name))
}

/// An attempt that is worth another.
enum Attempt {
    /// The server said that the fault is its own, or that it was asked too often.
    Answered(Answer),
    /// Nothing was answered.
    Failed(reqwest::Error),
}

impl From<reqwest::Error> for Attempt {
    fn from(error: reqwest::Error) -> Self {
        // An address that the user gave may hold a password.
        Self::Failed(error.without_url())
    }
}

/// Leaves GitHub alone for as long as it wants, where it was asked too often: then it is to be asked again.
///
/// # Errors
/// A text, where the deadline comes first.
async fn wait_out(answer: &Answer, deadline: Deadline) -> Result<bool, String> {
    let Some(span) = answer.limited else {
        return Ok(false);
    };
    let said = format!("{}: {}", answer.status, answer.message());
    if span >= deadline.remaining() {
        return Err(format!(
            "{said}; it may be asked again in {}, and {} are left",
            humane(span),
            humane(deadline.remaining())
        ));
    }
    tracing::warn!("GitHub's API: {said}; asking again in {}", humane(span));
    wait::rest("GitHub's rate limit", span, deadline).await;
    Ok(true)
}

/// One request; an answer that is a fault of the server's is an error, so that it is asked again.
async fn attempt(request: RequestBuilder) -> Result<Answer, Attempt> {
    let response = request.send().await?;
    let header = |name: &str| {
        let value = response.headers().get(name)?.to_str().ok()?;
        (!value.is_empty()).then(|| value.to_owned())
    };
    let scopes = header("x-oauth-scopes");
    let accepted = header("x-accepted-github-permissions");
    let (status, headers) = (response.status(), response.headers().clone());
    let body = serde_json::from_slice(&response.bytes().await?).unwrap_or_default();
    let mut answer = Answer {
        status: status.as_u16(),
        scopes,
        accepted,
        limited: None,
        body,
    };
    // GraphQL says it with the code of success.
    let of_graph = answer.body["errors"][0]["type"] == "RATE_LIMITED";
    let meant = if of_graph {
        StatusCode::TOO_MANY_REQUESTS
    } else {
        status
    };
    answer.limited = limit::span(meant, &headers, answer.message(), Timestamp::now());
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(Attempt::Answered(answer));
    }
    Ok(answer)
}

#[cfg(test)]
mod tests;
