//! Collects: objects and logs from the API server, files and facts from the host, results of this job.
//!
//! Each collector has its share of one deadline; what it could not get is a [`Gap`](super::snapshot::Gap), never the end
//! of the others.

pub mod clip;
pub mod containers;
pub mod files;
pub mod host;
pub mod objects;

use std::time::Duration;

use futures::AsyncReadExt as _;
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
    /// No answer, or no more of it, in time.
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
            Self::Broken(_) => true,
            // Who was silent once is silent again, and all that waits behind him would wait as long.
            Self::TimedOut(_) => false,
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
    /// Longest time without a byte of an answer.
    patience: Duration,
}

impl Server {
    /// A server that may be silent this long.
    pub fn new(client: Client, patience: Duration) -> Self {
        Self { client, patience }
    }

    /// Gets a document.
    ///
    /// # Errors
    /// [`RequestError`] of the last try.
    pub async fn json(&self, path: &str, accept: &str) -> Result<Value, RequestError> {
        self.retried(async || {
            let mut bytes = Vec::new();
            self.read(path, accept, |piece| bytes.extend_from_slice(piece))
                .await?;
            serde_json::from_slice(&bytes)
                .map_err(|error| RequestError::Broken(format!("no JSON: {error}")))
        })
        .await
    }

    /// Gets a stream: `take` is given its pieces, `end` what came of them, and why it ended before its end.
    ///
    /// # Errors
    /// [`RequestError`] of the last try, by `end`.
    pub async fn stream<T, U>(
        &self,
        path: &str,
        begin: impl Fn() -> T,
        take: impl Fn(&mut T, &[u8]),
        end: impl Fn(T, Option<RequestError>) -> Result<U, RequestError>,
    ) -> Result<U, RequestError> {
        self.retried(async || {
            let mut taken = begin();
            let ended = self
                .read(path, "application/json, */*", |piece| {
                    take(&mut taken, piece);
                })
                .await;
            end(taken, ended.err())
        })
        .await
    }

    /// Reads an answer as it comes: what is large may take long, what is silent is given up.
    async fn read(
        &self,
        path: &str,
        accept: &str,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), RequestError> {
        let patience = self.patience;
        let silent = |_| RequestError::TimedOut(patience);
        let answer = self.client.request_stream(request(path, accept)?);
        let stream = tokio::time::timeout(patience, answer)
            .await
            .map_err(silent)??;
        let mut stream = std::pin::pin!(stream);
        let mut buffer = vec![0; 32 * 1024];
        loop {
            let read = tokio::time::timeout(patience, stream.read(&mut buffer))
                .await
                .map_err(silent)?;
            match read.map_err(|error| RequestError::Broken(one_line(&error.to_string())))? {
                0 => return Ok(()),
                read => take(&buffer[..read]),
            }
        }
    }

    async fn retried<T>(
        &self,
        attempt: impl AsyncFn() -> Result<T, RequestError>,
    ) -> Result<T, RequestError> {
        let mut tries = 1;
        loop {
            match attempt().await {
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
