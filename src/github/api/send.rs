//! Requests that change something: sent once, since sent twice they might change it twice. Who sends one looks first.

use http::{Method, header};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::{ANSWER, Answer, Api, Attempt, attempt, wait_out};
use crate::{limits::Deadline, report};

/// Why GitHub did not do what it was asked for, or cannot be known to have done it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Nothing answered, or the server was at fault: a change may have been made.
    #[error("{0}")]
    Unsure(String),
    /// What a request of GraphQL names is not there.
    #[error("{0}")]
    Gone(String),
    /// GitHub refuses, or wants not to be asked for longer than there is time.
    #[error("{0}")]
    Refused(String),
}

impl Api {
    /// As [`Self::patiently`], with the kind of what went wrong.
    ///
    /// # Errors
    /// [`SendError`], where nothing answered or GitHub wants not to be asked for longer than there is time.
    pub async fn look(&self, route: &str, deadline: Deadline) -> Result<Answer, SendError> {
        loop {
            let answer = self
                .attempts(route, deadline, |answer| answer.limited.is_none())
                .await
                .map_err(SendError::Unsure)?;
            let waited = wait_out(&answer, deadline).await;
            if !waited.map_err(SendError::Refused)? {
                return Ok(answer);
            }
        }
    }

    /// Sends a change once, whatever is answered. Where GitHub was asked too often it has changed nothing: then it is left
    /// alone for as long as it says, if there is the time.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(
        &self,
        method: Method,
        route: &str,
        body: &Value,
        deadline: Deadline,
    ) -> Result<Value, SendError> {
        let url = format!("{}{route}", self.base);
        let request = || self.client.request(method.clone(), url.as_str());
        let answer = once(request, body, deadline).await?;
        match answer.status {
            200..300 => Ok(answer.body),
            500.. => Err(SendError::Unsure(answer.reason())),
            _ => Err(SendError::Refused(answer.reason())),
        }
    }

    /// Asks GraphQL, or changes something by it.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn graphql(
        &self,
        query: &str,
        variables: Value,
        deadline: Deadline,
    ) -> Result<Value, SendError> {
        let body = json!({"query": query, "variables": variables});
        let request = || self.client.post(self.graph.as_str());
        let mut answer = once(request, &body, deadline).await?;
        let said = answer.reason();
        let errors = answer.body["errors"].as_array();
        match (answer.status, errors.and_then(|errors| errors.first())) {
            (200, None) => Ok(answer.body["data"].take()),
            (200, Some(error)) if error["type"] == "NOT_FOUND" => Err(SendError::Gone(said)),
            (500.., _) => Err(SendError::Unsure(said)),
            _ => Err(SendError::Refused(said)),
        }
    }
}

impl Answer {
    /// Status and message, and the permission that would do where GitHub names it: why something was refused.
    pub fn reason(&self) -> String {
        let said = format!("{}: {}", self.status, self.message());
        match &self.accepted {
            Some(accepted) if matches!(self.status, 403 | 404) => format!("{said} ({accepted})"),
            _ => said,
        }
    }
}

async fn once(
    request: impl Fn() -> RequestBuilder,
    body: &Value,
    deadline: Deadline,
) -> Result<Answer, SendError> {
    let body = body.to_string();
    loop {
        let request = request().header(header::CONTENT_TYPE, "application/json");
        let attempt = Box::pin(attempt(request.body(body.clone())));
        let answer = match deadline.within(ANSWER).bound(attempt).await {
            Ok(Ok(answer) | Err(Attempt::Answered(answer))) => answer,
            Ok(Err(Attempt::Failed(error))) => {
                return Err(SendError::Unsure(report::with_causes(&error)));
            }
            Err(passed) => return Err(SendError::Unsure(passed.to_string())),
        };
        let waited = wait_out(&answer, deadline).await;
        if !waited.map_err(SendError::Refused)? {
            return Ok(answer);
        }
    }
}
