//! One object sent once: server-side apply, first without force, then with it where another manager holds a field.
//!
//! Knows nothing of order or of other objects; what a refusal means is told by [`errors`](crate::cluster::errors).

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, Method, Request, header};
use kube::{Client, client::Body};
use serde_json::Value;

use crate::{
    cluster::{
        errors::{Class, Given, Refused, classify},
        objects::Object,
    },
    report::one_line,
};

/// Under this name the server notes which fields are ours.
pub const MANAGER: &str = "manifests-e2e";
/// The server gives a request up after a minute; one that hangs longer is lost.
const REQUEST: Duration = Duration::from_secs(35);
/// Only the metadata is wanted back: definitions are large.
const METADATA: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json";

/// What the server made of an object.
#[derive(Clone, Debug, Default)]
pub struct Accepted {
    /// Its unique id.
    pub uid: String,
    /// Its generation, where its kind counts them.
    pub generation: i64,
    /// Whether it was not there before.
    pub created: bool,
    /// Whose fields were taken over: one line for each.
    pub taken: Vec<String>,
    /// What the server notes as ours: the entry of `managedFields`.
    pub ours: Option<Value>,
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
    match patch(client, path, body, mode, false, given).await {
        Err(Refusal {
            class: Class::Conflict(causes),
            ..
        }) => {
            let mut accepted = patch(client, path, body, mode, true, given).await?;
            accepted.taken = causes;
            Ok(accepted)
        }
        other => other,
    }
}

async fn patch(
    client: &Client,
    path: &str,
    body: &Arc<[u8]>,
    mode: Mode,
    force: bool,
    given: &Given,
) -> Result<Accepted, Refusal> {
    let dry_run = if mode == Mode::DryRun {
        "&dryRun=All"
    } else {
        ""
    };
    let request = Request::builder()
        .method(Method::PATCH)
        .uri(format!(
            "{path}?fieldManager={MANAGER}&force={force}&fieldValidation=Warn{dry_run}"
        ))
        .header(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/apply-patch+yaml"),
        )
        .header(header::ACCEPT, HeaderValue::from_static(METADATA))
        .body(Body::from(body.to_vec()))
        .map_err(|error| lost(&error.to_string()))?;
    let (code, retry_after, text) = exchange(client, request)
        .await
        .map_err(|error| lost(&error))?;
    let answer: Value = serde_json::from_str(&text).unwrap_or_default();
    if (200..300).contains(&code) {
        let metadata = &answer["metadata"];
        return Ok(Accepted {
            uid: metadata["uid"].as_str().unwrap_or_default().to_owned(),
            generation: metadata["generation"].as_i64().unwrap_or_default(),
            created: code == 201,
            taken: Vec::new(),
            ours: metadata["managedFields"].as_array().and_then(|managers| {
                let ours = managers.iter().find(|it| it["manager"] == MANAGER);
                ours.cloned()
            }),
        });
    }
    let message = answer["message"].as_str().unwrap_or(text.trim());
    let causes = crate::cluster::facts::list(&answer["details"]["causes"])
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

/// Takes out of an object what must not be sent: a CA bundle that stands for "somebody will fill it in", and what only
/// the server writes.
pub fn prepare(object: &mut Object) {
    let mut value = object.value();
    let metadata = value["metadata"].as_object_mut();
    let mut changed = metadata.is_some_and(|metadata| {
        ["managedFields", "resourceVersion", "uid", "generation"]
            .iter()
            .any(|key| metadata.remove(*key).is_some())
    });
    if object.id.group.starts_with("admissionregistration.")
        || object.id.group.starts_with("apiextensions.")
        || object.id.group.starts_with("apiregistration.")
    {
        changed |= strip(&mut value);
    }
    if changed {
        object.replace(&value);
    }
}

/// Base64 of a line end: upstream's placeholder.
const PLACEHOLDERS: [&str; 3] = ["Cg==", "Cgo=", ""];

fn strip(value: &mut Value) -> bool {
    match value {
        Value::Object(map) => {
            let placeholder = map
                .get("caBundle")
                .and_then(Value::as_str)
                .is_some_and(|bundle| PLACEHOLDERS.contains(&bundle.trim()));
            if placeholder {
                map.remove("caBundle");
            }
            let mut changed = placeholder;
            for (key, inner) in map.iter_mut() {
                // Schemas are large and hold none.
                if key != "schema" {
                    changed |= strip(inner);
                }
            }
            changed
        }
        Value::Array(items) => {
            let mut changed = false;
            for item in items {
                changed |= strip(item);
            }
            changed
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::objects;

    #[test]
    fn a_placeholder_for_a_ca_is_not_sent() {
        let text = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: a, uid: x}
webhooks: [{clientConfig: {caBundle: Cg==}}, {clientConfig: {caBundle: QUJD}}]";
        let mut object = objects::read("x", text).unwrap().remove(0);
        prepare(&mut object);
        let value = object.value();
        assert_eq!(value["metadata"], serde_json::json!({"name": "a"}));
        assert_eq!(value["webhooks"][0]["clientConfig"], serde_json::json!({}));
        assert_eq!(value["webhooks"][1]["clientConfig"]["caBundle"], "QUJD");
    }
}
