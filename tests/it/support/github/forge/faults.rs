//! What goes wrong on the way to GitHub and in it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json,
    body::Body,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use futures::stream;
use manifests_e2e::wait;
use serde_json::json;
use tokio::sync::Barrier;

/// What goes wrong with a request.
#[derive(Clone)]
pub(crate) enum Fault {
    /// The secondary limit, with the seconds to wait.
    Throttled(u64),
    /// The primary limit, which ends in so many seconds.
    Spent(i64),
    /// A fault of the server; nothing is done.
    Unavailable,
    /// Nothing is done, and the connection ends.
    LostRequest,
    /// It is done, and the connection ends.
    LostAnswer,
    /// It is held back for so many milliseconds, and then done: others may overtake it.
    Late(u64),
    /// It is held back until all who meet here are there.
    Meet(Arc<Barrier>),
    /// It is answered as if it was done.
    Forgotten,
    /// What is read comes from a copy that is behind.
    Stale,
    /// Nothing.
    None,
}

impl Fault {
    /// One for requests that are to be there at the same time.
    pub(crate) fn meeting(number: usize) -> Self {
        Self::Meet(Arc::new(Barrier::new(number)))
    }

    /// What is answered in place of doing anything.
    pub(super) async fn before(&self) -> Option<Response> {
        match self {
            Self::Throttled(seconds) => {
                let headers = [("retry-after", seconds.to_string())];
                let body =
                    json!({"message": "You have exceeded a secondary rate limit. Please wait."});
                Some((StatusCode::FORBIDDEN, headers, Json(body)).into_response())
            }
            Self::Spent(seconds) => {
                let reset = jiff::Timestamp::now().as_second() + seconds;
                let headers = [
                    ("x-ratelimit-remaining", "0".to_owned()),
                    ("x-ratelimit-reset", reset.to_string()),
                ];
                let body = json!({"message": "API rate limit exceeded for installation ID 1."});
                Some((StatusCode::FORBIDDEN, headers, Json(body)).into_response())
            }
            Self::Unavailable => {
                Some((StatusCode::BAD_GATEWAY, "<html>Unicorn!</html>").into_response())
            }
            Self::LostRequest => Some(broken()),
            Self::Late(milliseconds) => {
                wait::pause(Duration::from_millis(*milliseconds)).await;
                None
            }
            Self::Meet(barrier) => {
                barrier.wait().await;
                None
            }
            Self::LostAnswer | Self::Forgotten | Self::Stale | Self::None => None,
        }
    }

    /// What is answered in place of the answer.
    pub(super) fn after(&self) -> Option<Response> {
        matches!(self, Self::LostAnswer).then(broken)
    }

    pub(super) fn is_stale(&self) -> bool {
        matches!(self, Self::Stale)
    }

    pub(super) fn is_forgotten(&self) -> bool {
        matches!(self, Self::Forgotten)
    }
}

/// An answer that ends in its middle.
fn broken() -> Response {
    let end = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let body = stream::iter([Ok("{\"id\": 1"), Err(end)]);
    (StatusCode::OK, Body::from_stream(body)).into_response()
}

/// What is to go wrong yet.
#[derive(Default)]
pub(super) struct Faults(Mutex<Vec<(&'static str, usize, Fault)>>);

impl Faults {
    pub(super) fn add(&self, on: &'static str, times: usize, fault: Fault) {
        self.0.lock().unwrap().push((on, times, fault));
    }

    /// What goes wrong with a request: the first that is meant for it.
    pub(super) fn of(&self, request: &str) -> Fault {
        let mut faults = self.0.lock().unwrap();
        let found = faults
            .iter_mut()
            .find(|(on, times, _)| *times > 0 && request.contains(on));
        let Some((_, times, fault)) = found else {
            return Fault::None;
        };
        *times -= 1;
        fault.clone()
    }
}
