//! Collects: objects and logs from the API server, files and facts from the host, results of this job.
//!
//! Each collector has its share of one deadline; what it could not get is a [`Gap`](super::snapshot::Gap), never the end
//! of the others.

pub mod containers;
pub mod files;
pub mod host;
pub mod objects;

use std::time::Duration;

use futures::AsyncBufRead;
use http::{Request, header};
use kube::Client;
use serde_json::Value;

use crate::{report::one_line, wait};

/// Requests in flight.
pub const CONCURRENCY: usize = 16;
/// Tries of a request: the first and two more.
const TRIES: u32 = 3;
/// Pause before the second try; twice as long before the third.
const BACK_OFF: Duration = Duration::from_millis(200);

/// Why a request brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The API server refused it.
    #[error("{code}: {message}")]
    Refused {
        /// HTTP status.
        code: u16,
        /// What the server said.
        message: String,
    },
    /// No answer in time.
    #[error("no answer within {}", crate::limits::humane(*.0))]
    TimedOut(Duration),
    /// No connection, or one that broke.
    #[error("{0}")]
    Broken(String),
}

impl RequestError {
    /// Whether another try may end otherwise.
    fn is_passing(&self) -> bool {
        match self {
            Self::Refused { code, .. } => *code == 429 || *code >= 500,
            Self::TimedOut(_) | Self::Broken(_) => true,
        }
    }

    /// Whether a page of a list came too late.
    pub fn is_expired(&self) -> bool {
        matches!(self, Self::Refused { code: 410, .. })
    }
}

impl From<kube::Error> for RequestError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Refused {
                code: status.code,
                message: one_line(&status.message),
            },
            error => {
                let mut reason = one_line(&error.to_string());
                let mut source = std::error::Error::source(&error);
                while let Some(cause) = source {
                    let text = one_line(&cause.to_string());
                    if !reason.contains(&text) {
                        reason = format!("{reason}: {text}");
                    }
                    source = cause.source();
                }
                Self::Broken(reason)
            }
        }
    }
}

/// The API server, asked with patience but not for ever.
#[derive(Clone)]
pub struct Server {
    client: Client,
    /// Longest time that one request may take.
    patience: Duration,
}

impl Server {
    /// A server that is given this long for each request.
    pub fn new(client: Client, patience: Duration) -> Self {
        Self { client, patience }
    }

    /// Gets a document.
    ///
    /// # Errors
    /// [`RequestError`] of the last try.
    pub async fn json(&self, path: &str, accept: &str) -> Result<Value, RequestError> {
        self.retried(|| async {
            let text = self.client.request_text(request(path, accept)?).await?;
            serde_json::from_str(&text)
                .map_err(|error| RequestError::Broken(format!("no JSON: {error}")))
        })
        .await
    }

    /// Gets a stream and reads it by `read`, whole or not at all.
    ///
    /// # Errors
    /// [`RequestError`] of the last try.
    pub async fn stream<T, F>(&self, path: &str, read: F) -> Result<T, RequestError>
    where
        F: AsyncFn(std::pin::Pin<Box<dyn AsyncBufRead + Send>>) -> std::io::Result<T>,
    {
        self.retried(|| async {
            let stream = self
                .client
                .request_stream(request(path, "application/json, */*")?)
                .await?;
            read(Box::pin(stream))
                .await
                .map_err(|error| RequestError::Broken(one_line(&error.to_string())))
        })
        .await
    }

    async fn retried<T, F, Fut>(&self, mut attempt: F) -> Result<T, RequestError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, RequestError>>,
    {
        let mut tries = 1;
        loop {
            let result = tokio::time::timeout(self.patience, attempt())
                .await
                .unwrap_or(Err(RequestError::TimedOut(self.patience)));
            match result {
                Err(error) if error.is_passing() && tries < TRIES => {
                    tracing::debug!("{error}; trying again");
                    wait::pause(BACK_OFF * tries).await;
                    tries += 1;
                }
                result => return result,
            }
        }
    }
}

fn request(path: &str, accept: &str) -> Result<Request<Vec<u8>>, RequestError> {
    Request::get(path)
        .header(header::ACCEPT, accept)
        .body(Vec::new())
        .map_err(|error| RequestError::Broken(error.to_string()))
}

#[cfg(test)]
mod tests;
