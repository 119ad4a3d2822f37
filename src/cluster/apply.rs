//! One object sent once: server-side apply, first without force, then with it where another manager holds a field.
//!
//! Knows nothing of order or of other objects; what a refusal means is told by [`errors`](crate::cluster::errors).

mod prepare;

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, Method, Request, header};
use kube::{Client, client::Body};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub use prepare::prepare;

use crate::{
    cluster::{
        errors::{Class, Given, Refused, classify},
        facts::list,
    },
    report::one_line,
};

/// Under this name the server notes which fields are ours.
pub const MANAGER: &str = "manifests-e2e";
/// The server gives a request up after a minute; one that hangs longer is lost.
const REQUEST: Duration = Duration::from_secs(35);
/// Only the metadata is wanted back: definitions are large.
pub(in crate::cluster) const METADATA: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json";

/// What the server made of an object.
#[derive(Clone, Debug, Default)]
pub struct Accepted {
    /// Its unique id.
    pub uid: String,
    /// Its generation, where its kind counts them.
    pub generation: i64,
    /// Its resource version, where the server counts them.
    pub version: Option<u64>,
    /// Whether it is being deleted: what was sent goes with it.
    pub is_leaving: bool,
    /// Whether it was not there before.
    pub created: bool,
    /// Whose fields were taken over: one line for each.
    pub taken: Vec<String>,
    /// The [`mark`] of what the server notes as ours; of an object of which it notes nothing, its unique id.
    pub mark: String,
}

impl Accepted {
    /// What the metadata of an object says of it.
    pub fn of(metadata: &Value) -> Self {
        Self {
            uid: metadata["uid"].as_str().unwrap_or_default().to_owned(),
            generation: metadata["generation"].as_i64().unwrap_or_default(),
            version: version(metadata),
            is_leaving: !metadata["deletionTimestamp"].is_null(),
            mark: mark(metadata).unwrap_or_else(|| by_uid(metadata)),
            ..Self::default()
        }
    }
}

/// The resource version that metadata has; of two of one kind the larger is the later.
pub fn version(metadata: &Value) -> Option<u64> {
    metadata["resourceVersion"].as_str()?.parse().ok()
}

/// The digest of our entry in `managedFields`; none where the server notes nothing as ours.
///
/// It stays the same exactly as long as nobody changed a field that we gave: who changes one takes it over, and
/// whoever changes one under our own name moves the entry's time.
pub fn mark(metadata: &Value) -> Option<String> {
    let ours = list(&metadata["managedFields"]).find(|entry| {
        entry["manager"] == MANAGER
            && entry["operation"] == "Apply"
            && entry.get("subresource").is_none()
    })?;
    Some(digest(ours.to_string().as_bytes()))
}

/// What stands for a mark where there is none: an object without fields is the one that was sent as long as it is the same.
pub fn by_uid(metadata: &Value) -> String {
    format!("={}", metadata["uid"].as_str().unwrap_or_default())
}

/// Sixteen characters that two different texts hardly share.
pub fn digest(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..8])
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

/// How to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// For good.
    Apply,
    /// Only to see what the server would say.
    DryRun,
}

/// Sends an object to its path. On a conflict it is sent again with force, and the conflict reported.
///
/// # Errors
/// [`Refusal`].
pub async fn send(
    client: &Client,
    path: &str,
    body: &Arc<[u8]>,
    mode: Mode,
    given: &Given,
) -> Result<Accepted, Refusal> {
    let wish = Patch {
        path,
        body,
        mode,
        accept: METADATA,
        given,
    };
    let (code, answer, taken) = wish.carry_out(client).await?;
    Ok(Accepted {
        created: code == 201,
        taken,
        ..Accepted::of(&answer["metadata"])
    })
}

/// What an object would be after it was sent, and whose fields would be taken over. Nothing is written.
///
/// # Errors
/// [`Refusal`].
pub async fn preview(
    client: &Client,
    path: &str,
    body: &Arc<[u8]>,
    given: &Given,
) -> Result<(Value, Vec<String>), Refusal> {
    let wish = Patch {
        path,
        body,
        mode: Mode::DryRun,
        accept: "application/json",
        given,
    };
    let (_, answer, taken) = wish.carry_out(client).await?;
    Ok((answer, taken))
}

/// One object to be sent, and what is wanted back.
struct Patch<'a> {
    path: &'a str,
    body: &'a Arc<[u8]>,
    mode: Mode,
    accept: &'static str,
    given: &'a Given,
}

impl Patch<'_> {
    /// Code, answer, and whose fields were taken over.
    async fn carry_out(&self, client: &Client) -> Result<(u16, Value, Vec<String>), Refusal> {
        match self.attempt(client, false).await {
            Err(Refusal {
                class: Class::Conflict(causes),
                ..
            }) => {
                let (code, answer) = self.attempt(client, true).await?;
                Ok((code, answer, causes))
            }
            other => other.map(|(code, answer)| (code, answer, Vec::new())),
        }
    }

    async fn attempt(&self, client: &Client, force: bool) -> Result<(u16, Value), Refusal> {
        let dry_run = match self.mode {
            Mode::DryRun => "&dryRun=All",
            Mode::Apply => "",
        };
        let path = self.path;
        // For warnings the server would parse each body once more, and as YAML; an unknown field of a kind of its own it
        // refuses all the same.
        let request = Request::builder()
            .method(Method::PATCH)
            .uri(format!(
                "{path}?fieldManager={MANAGER}&force={force}&fieldValidation=Ignore{dry_run}"
            ))
            .header(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/apply-patch+yaml"),
            )
            .header(header::ACCEPT, HeaderValue::from_static(self.accept))
            .body(Body::from(self.body.to_vec()))
            .map_err(|error| lost(&error.to_string()))?;
        answered(client, request, self.given).await
    }
}

/// Sends a request; code and answer where the server did what was asked.
///
/// # Errors
/// [`Refusal`].
pub async fn answered(
    client: &Client,
    request: Request<Body>,
    given: &Given,
) -> Result<(u16, Value), Refusal> {
    let (code, retry_after, text) = exchange(client, request)
        .await
        .map_err(|error| lost(&error))?;
    let answer: Value = serde_json::from_str(&text).unwrap_or_default();
    if (200..300).contains(&code) {
        return Ok((code, answer));
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
        reason: answer["reason"].as_str().unwrap_or_default(),
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

/// Sends a request; code, `Retry-After` and text of the answer. The whole exchange is bound in time.
///
/// # Errors
/// What the way to the server met.
pub async fn exchange(
    client: &Client,
    request: Request<Body>,
) -> Result<(u16, Option<Duration>, String), String> {
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
        let bytes = response
            .into_body()
            .collect_bytes()
            .await
            .map_err(|error| innermost(&error))?;
        Ok((
            code,
            retry_after,
            String::from_utf8_lossy(&bytes).into_owned(),
        ))
    };
    tokio::time::timeout(REQUEST, whole)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", REQUEST.as_secs())))
}

fn lost(message: &str) -> Refusal {
    Refusal {
        class: Class::Transient,
        code: 0,
        message: one_line(message),
        retry_after: None,
    }
}

/// What is at the bottom of an error: all above it only says that there was one.
pub(in crate::cluster) fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_tells_our_fields_from_those_of_others() {
        let entry = |manager: &str, operation: &str, field: &str| serde_json::json!({"manager": manager, "operation": operation, "time": "t", "fieldsV1": {field: {}}});
        let metadata = |entries: Vec<Value>| serde_json::json!({ "managedFields": entries });
        let ours = entry(MANAGER, "Apply", "f:a");
        let alone = mark(&metadata(vec![ours.clone()]));
        assert!(alone.is_some());
        let beside = vec![
            entry("kubectl", "Update", "f:b"),
            entry(MANAGER, "Update", "f:c"),
            ours,
        ];
        assert_eq!(mark(&metadata(beside)), alone);
        let less = mark(&metadata(vec![entry(MANAGER, "Apply", "f:b")]));
        assert!(less.is_some() && less != alone);
        assert_eq!(mark(&metadata(vec![])), None);
    }
}
