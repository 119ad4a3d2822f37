//! One object sent once: server-side apply, first without force, then with it where another manager holds a field.
//!
//! Knows nothing of order or of other objects; what a refusal means is told by [`errors`](crate::cluster::errors).

use std::sync::Arc;

use http::{HeaderValue, Method, Request, header};
use kube::{Client, client::Body};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{
    api::list,
    cluster::{
        errors::{Class, Given},
        request::{Answered, MANAGER, METADATA, Refusal, answered, lost},
    },
};

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
    /// What the server warns of.
    pub warnings: Vec<String>,
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
    let (answer, taken) = wish.carry_out(client).await?;
    Ok(Accepted {
        created: answer.code == 201,
        taken,
        warnings: answer.warnings,
        ..Accepted::of(&answer.value["metadata"])
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
) -> Result<(Answered, Vec<String>), Refusal> {
    let wish = Patch {
        path,
        body,
        mode: Mode::DryRun,
        accept: "application/json",
        given,
    };
    wish.carry_out(client).await
}

/// What the server said of an object at this path, without a value of a Secret. Where a value has the wrong type the
/// server quotes it: `.stringData.pin: expected string, got &value.valueUnstructured{Value:1234}`.
fn without_secrets(path: &str, message: String) -> String {
    let is_secret = path.starts_with("/api/v1/") && path.contains("/secrets/");
    match message.split_once(", got ").filter(|_| is_secret) {
        Some((said, _)) => format!("{said} (what it got is a Secret's, and not shown)"),
        None => message,
    }
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
    /// The answer, and whose fields were taken over.
    async fn carry_out(&self, client: &Client) -> Result<(Answered, Vec<String>), Refusal> {
        let answer = match self.attempt(client, false).await {
            Err(Refusal {
                class: Class::Conflict(causes),
                ..
            }) => {
                let answer = self.attempt(client, true).await;
                answer.map(|answer| (answer, causes))
            }
            other => other.map(|answer| (answer, Vec::new())),
        };
        answer.map_err(|refusal| Refusal {
            message: without_secrets(self.path, refusal.message),
            ..refusal
        })
    }

    async fn attempt(&self, client: &Client, force: bool) -> Result<Answered, Refusal> {
        let dry_run = match self.mode {
            Mode::DryRun => "&dryRun=All",
            Mode::Apply => "",
        };
        let path = self.path;
        // To warn of unknown fields the server would parse each body once more, and as YAML; one of a kind of its own it
        // refuses all the same. What else it warns of comes anyway.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_quotes_of_a_secret_is_not_told() {
        let message = ".stringData.pin: expected string, got &value.valueUnstructured{Value:1234}";
        let said = without_secrets("/api/v1/namespaces/n/secrets/s", message.to_owned());
        assert!(said.starts_with(".stringData.pin: expected string (") && !said.contains("1234"));
        for path in [
            "/api/v1/namespaces/n/configmaps/secrets",
            "/apis/a.example/v1/namespaces/n/secrets/s",
        ] {
            assert_eq!(without_secrets(path, message.to_owned()), message);
        }
    }

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
