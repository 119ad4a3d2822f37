//! One request and its answer, or why the server refused it.
//!
//! Every exchange has a time limit. [`errors`](crate::cluster::errors) says what a refusal means.

use std::time::Duration;

use http::{Request, header};
use kube::{Client, client::Body};
use serde_json::Value;

use crate::{
    api::list,
    cluster::{
        errors::{Class, Given, Refused, classify},
        warnings,
    },
    report::{innermost, one_line},
};

/// Under this name the server notes which fields are ours.
pub const MANAGER: &str = "manifests-e2e";
/// A server gives up a request after 34 s; an answer that takes longer is lost.
const REQUEST: Duration = Duration::from_secs(35);
/// Only the metadata is wanted back: definitions are large.
pub const METADATA: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json";

/// A client in a type that can be printed: kube's own has no `Debug`.
#[derive(Clone)]
pub struct ClientHandle(pub Client);

impl std::fmt::Debug for ClientHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("client")
    }
}

/// Why an object was not accepted.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// What it means.
    pub class: Class,
    /// HTTP status; 0 where there was no answer.
    pub code: u16,
    /// What the server, or the way to it, said.
    pub message: String,
    /// When the server wants to be asked again.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// What it met, where nobody answered who knows: nothing came, or a gateway that speaks for a server that is gone.
    pub fn silence(&self) -> Option<String> {
        match self.code {
            0 => Some(self.message.clone()),
            code if code >= 500 && self.class == Class::Transient => {
                Some(one_line(&format!("HTTP {code}: {}", self.message)))
            }
            _ => None,
        }
    }
}

/// What the server made of a request.
#[derive(Clone, Debug)]
pub struct Answered {
    /// HTTP status.
    pub code: u16,
    /// Its answer.
    pub value: Value,
    /// What it warns of.
    pub warnings: Vec<String>,
}

/// Sends a request; the answer where the server did what was asked.
///
/// # Errors
/// [`Refusal`].
pub async fn answered(
    client: &Client,
    request: Request<Body>,
    given: &Given,
) -> Result<Answered, Refusal> {
    let Exchanged {
        code,
        retry_after,
        warnings,
        text,
    } = exchange(client, request)
        .await
        .map_err(|error| lost(&error))?;
    let answer: Value = serde_json::from_str(&text).unwrap_or_default();
    if (200..300).contains(&code) {
        return Ok(Answered {
            code,
            value: answer,
            warnings,
        });
    }
    let message = answer["message"].as_str().unwrap_or(text.trim());
    let causes = list(&answer["details"]["causes"])
        .filter(|cause| cause["reason"] == "FieldManagerConflict")
        .map(|cause| {
            let text = |key: &str| cause[key].as_str().unwrap_or_default().to_owned();
            format!("{}: {}", text("message"), text("field"))
        })
        .collect();
    let refused = Refused {
        code,
        message,
        causes,
    };
    Err(Refusal {
        class: classify(&refused, given),
        code,
        message: one_line(message),
        retry_after,
    })
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct Exchanged {
    /// HTTP status.
    pub code: u16,
    /// `Retry-After`.
    pub retry_after: Option<Duration>,
    /// What the server warns of.
    pub warnings: Vec<String>,
    /// Its body.
    pub text: String,
}

/// Sends a request. The whole exchange is bound in time.
///
/// # Errors
/// What the way to the server met.
pub async fn exchange(client: &Client, request: Request<Body>) -> Result<Exchanged, String> {
    let whole = async {
        let response = client
            .send(request)
            .await
            .map_err(|error| innermost(&error))?;
        let code = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let warnings = warnings::of(response.headers());
        let bytes = response
            .into_body()
            .collect_bytes()
            .await
            .map_err(|error| innermost(&error))?;
        Ok(Exchanged {
            code,
            retry_after,
            warnings,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        })
    };
    tokio::time::timeout(REQUEST, whole)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", REQUEST.as_secs())))
}

/// A refusal by silence: what the way to the server met.
pub fn lost(message: &str) -> Refusal {
    Refusal {
        class: Class::Transient,
        code: 0,
        message: one_line(message),
        retry_after: None,
    }
}
