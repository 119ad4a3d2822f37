//! GitHub's REST API: whether a workflow run is over, and what the token may.
//!
//! The base address is `GITHUB_API_URL`, the token `GITHUB_TOKEN`; without one, public repositories can be asked about.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use reqwest::Client;
use serde::Deserialize;
use url::Url;

use crate::{
    http_client,
    inputs::Environment,
    limits::Deadline,
    report::{self, Exit, Explain},
};

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
        Ok(Self { client, base })
    }

    /// What a route answers, whatever it is.
    ///
    /// # Errors
    /// A text, where nothing answered.
    pub async fn ask(&self, route: &str, deadline: Deadline) -> Result<Answer, String> {
        let url = format!("{}{route}", self.base);
        let attempts = (|| self.attempt(&url)).retry(
            ExponentialBuilder::default()
                .with_jitter()
                .with_min_delay(Duration::from_millis(500))
                .with_max_times(AGAIN),
        );
        match deadline.within(ANSWER).bound(Box::pin(attempts)).await {
            Ok(Ok(answer) | Err(Attempt::Answered(answer))) => Ok(answer),
            Ok(Err(Attempt::Failed(error))) => Err(report::with_causes(&error)),
            Err(passed) => Err(passed.to_string()),
        }
    }

    /// One request; an answer that is a fault of the server's is an error, so that it is asked again.
    async fn attempt(&self, url: &str) -> Result<Answer, Attempt> {
        let response = self.client.get(url).send().await?;
        let header = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            (!value.is_empty()).then(|| value.to_owned())
        };
        let scopes = header("x-oauth-scopes");
        let accepted = header("x-accepted-github-permissions");
        let status = response.status();
        let body = serde_json::from_slice(&response.bytes().await?).unwrap_or_default();
        let answer = Answer {
            status: status.as_u16(),
            scopes,
            accepted,
            body,
        };
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(Attempt::Answered(answer));
        }
        Ok(answer)
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
        let answer = self.ask(&route, deadline).await.map_err(silent)?;
        match answer.status {
            200 => serde_json::from_value(answer.body)
                .map(Some)
                .map_err(|error| silent(format!("what it answered is no run: {error}"))),
            404 => Ok(None),
            status => Err(silent(format!("{status}: {}", answer.message()))),
        }
    }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::{Router, response::IntoResponse as _, routing::get};

    use super::*;
    use crate::limits::Limit;

    static ASKED: AtomicUsize = AtomicUsize::new(0);

    async fn server() -> String {
        let run = |headers: HeaderMap| async move {
            if ASKED.fetch_add(1, Ordering::SeqCst) < 2 {
                return (StatusCode::BAD_GATEWAY, "a page of a proxy").into_response();
            }
            assert_eq!(headers[header::AUTHORIZATION], "Bearer a-token");
            r#"{"status": "completed", "conclusion": "failure"}"#.into_response()
        };
        let no = || async { (StatusCode::FORBIDDEN, r#"{"message": "not you"}"#) };
        let away = || async { (StatusCode::MOVED_PERMANENTLY, [("location", "1")]) };
        let router = Router::new()
            .route("/api/v3/repos/a/b/actions/runs/1", get(run))
            .route("/api/v3/repos/a/b/actions/runs/2", get(no))
            .route("/api/v3/repos/a/b/actions/runs/3", get(away));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, router).into_future());
        format!("http://{address}/api/v3/")
    }

    #[tokio::test]
    async fn a_server_at_fault_is_asked_again_and_a_refusal_is_told() {
        drop(rustls::crypto::ring::default_provider().install_default());
        let url = server().await;
        let env = Environment::of([
            ("GITHUB_API_URL", url.as_str()),
            ("GITHUB_TOKEN", "a-token\n"),
        ]);
        let api = Api::new(&env).unwrap();
        let deadline = Deadline::after(Limit::secs(30));
        let run = api.run("a/b", 1, deadline).await.unwrap().unwrap();
        assert!(run.is_over());
        assert_eq!((run.run_attempt, ASKED.load(Ordering::SeqCst)), (1, 3));
        let refused = api.run("a/b", 2, deadline).await.unwrap_err();
        let said = "GitHub did not tell about run 2 of a/b: 403: not you";
        assert_eq!(refused.to_string(), said);
        let moved = api.run("a/b", 3, deadline).await.unwrap();
        assert_eq!(moved, Some(run), "a repository that was renamed");
        assert_eq!(api.run("a/b", 4, deadline).await.unwrap(), None);
    }

    #[test]
    fn a_variable_that_cannot_be_is_named_without_its_value() {
        for (name, value, reason) in [
            ("GITHUB_TOKEN", "a\nb", "failed to parse header value"),
            ("GITHUB_API_URL", "here", "relative URL without a base"),
            (
                "GITHUB_API_URL",
                "ftp://a",
                "its scheme is ftp, not http or https",
            ),
        ] {
            let error = Api::new(&Environment::of([(name, value)])).unwrap_err();
            let said = format!("{name} cannot be used: {reason}");
            assert_eq!(error.to_string(), said);
        }
    }
}
