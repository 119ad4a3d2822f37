//! Whether a webhook can be reached, as its API server sees it.
//!
//! A pod that is Ready may not listen yet, and a mesh may part the API server from it. So a webhook counts as reachable
//! once it has rules and a CA, an endpoint that is ready, and twice answered a dry run sent through the API server.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use kube::Client;
use serde_json::{Value, json};

use crate::{
    api::list,
    cluster::{
        errors::{Class, Given},
        request::{MANAGER, Refusal},
        view::View,
    },
    deploy::apply::{self, Mode},
    set::{facts::template, objects::Object, order::Guard},
};

/// How many answers in a row it takes.
pub const ANSWERS: u8 = 2;
/// The pause between two of them.
pub const APART: Duration = Duration::from_secs(2);

/// What can be seen of a webhook without asking: what is missing, if anything is.
pub fn missing(webhook: &Value, view: &View) -> Option<String> {
    let name = webhook["name"].as_str().unwrap_or_default();
    if list(&webhook["rules"]).next().is_none() {
        return Some(format!("webhook {name} has no rules yet"));
    }
    let client = &webhook["clientConfig"];
    let service = &client["service"];
    if service.is_null() {
        return None;
    }
    if !is_certificate(&client["caBundle"]) {
        return Some(format!("webhook {name} has no CA yet"));
    }
    let part = |key: &str| service[key].as_str().unwrap_or_default();
    (!has_endpoint(service, view)).then(|| {
        format!(
            "Service {}/{} has no ready endpoint",
            part("namespace"),
            part("name")
        )
    })
}

fn is_certificate(bundle: &Value) -> bool {
    let text = bundle.as_str().unwrap_or_default();
    let decoded = BASE64_STANDARD.decode(text).unwrap_or_default();
    String::from_utf8_lossy(&decoded).contains("-----BEGIN CERTIFICATE-----")
}

fn has_endpoint(service: &Value, view: &View) -> bool {
    view.all("EndpointSlice.discovery.k8s.io")
        .filter(|slice| {
            let metadata = &slice["metadata"];
            metadata["namespace"] == service["namespace"]
                && metadata["labels"]["kubernetes.io/service-name"] == service["name"]
        })
        .flat_map(|slice| list(&slice["endpoints"]))
        // The API has it that what is not said is ready.
        .any(|endpoint| {
            endpoint["conditions"]["ready"] != false
                && list(&endpoint["addresses"]).next().is_some()
        })
}

/// What a webhook is probed with.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Path of the object.
    pub path: String,
    /// The object.
    pub body: Arc<[u8]>,
    /// What of the set decides on its refusals.
    pub given: Arc<Given>,
}

impl Probe {
    /// With an object that it guards.
    pub fn object(path: &str, object: &Object, given: Arc<Given>) -> Self {
        Self {
            path: path.to_owned(),
            body: object.body().clone(),
            given,
        }
    }

    /// With a pod as a workload makes them.
    pub fn pod(workload: &Object, given: Arc<Given>) -> Option<Self> {
        let value = workload.value();
        let (metadata, spec) = template(&workload.id.group, &workload.id.kind, &value)?;
        let namespace = workload.id.namespace.as_deref().unwrap_or("default");
        let name = format!("{MANAGER}-probe");
        let mut spec = spec.clone();
        if spec["restartPolicy"] == "Always" {
            spec.as_object_mut()?.remove("restartPolicy");
        }
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": metadata["labels"],
                "annotations": metadata["annotations"],
            },
            "spec": spec,
        });
        Some(Self {
            path: format!("/api/v1/namespaces/{namespace}/pods/{name}"),
            body: serde_json::to_vec(&pod).ok()?.into(),
            given,
        })
    }
}

/// Who answered a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The webhook, or whoever is asked only after it.
    Webhook,
    /// Somebody who may be asked before it, and what he said.
    Another(String),
}

/// Asks once, through the API server. Nothing is created.
///
/// # Errors
/// Why the webhook was not reached.
pub async fn ask(client: &Client, probe: &Probe, guard: &Guard) -> Result<Heard, Refusal> {
    let Probe { path, body, given } = probe;
    match apply::send(client, path, body, Mode::DryRun, given).await {
        Ok(_) => Ok(Heard::Webhook),
        Err(refusal) => match refusal.class {
            Class::Denied | Class::Invalid | Class::Conflict(_) => Ok(heard(&refusal, guard)),
            _ => Err(refusal),
        },
    }
}

/// Who said no. An API server asks the webhooks that change an object, then holds it against its schema, the Pod Security
/// Standard and the policies, then asks the webhooks that validate it, and at last the quota.
fn heard(refusal: &Refusal, guard: &Guard) -> Heard {
    let has = |sign: &str| refusal.message.contains(sign);
    let itself = format!("admission webhook \"{}\" denied", guard.webhook);
    let after_changes = !has("admission webhook")
        && (refusal.code == 422 || has("violates PodSecurity") || has("ValidatingAdmissionPolicy"));
    if has(&itself) || has("exceeded quota") || guard.mutates && after_changes {
        Heard::Webhook
    } else {
        Heard::Another(refusal.message.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_needs_rules_a_ca_and_an_endpoint() {
        let pem = BASE64_STANDARD.encode("-----BEGIN CERTIFICATE-----\n");
        let hook = |rules: Value, ca: &str| {
            json!({"name": "w", "rules": rules,
                "clientConfig": {"caBundle": ca, "service": {"namespace": "n", "name": "s"}}})
        };
        let slice = |ready: Value| {
            json!({"metadata": {"name": "e", "namespace": "n", "labels": {"kubernetes.io/service-name": "s"}},
                   "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}]})
        };
        let rules = json!([{"operations": ["CREATE"]}]);
        for (webhook, ready, said) in [
            (
                hook(json!([]), &pem),
                json!(true),
                Some("webhook w has no rules yet"),
            ),
            (
                hook(rules.clone(), ""),
                json!(true),
                Some("webhook w has no CA yet"),
            ),
            (
                hook(rules.clone(), "Cg=="),
                json!(true),
                Some("webhook w has no CA yet"),
            ),
            (
                hook(rules.clone(), &pem),
                json!(false),
                Some("Service n/s has no ready endpoint"),
            ),
            (hook(rules.clone(), &pem), json!(true), None),
            (hook(rules, &pem), Value::Null, None),
        ] {
            let mut view = View::default();
            view.put("EndpointSlice.discovery.k8s.io", slice(ready));
            assert_eq!(missing(&webhook, &view).as_deref(), said);
        }
    }

    #[test]
    fn an_answer_counts_only_where_the_webhook_was_asked_before_it() {
        let guard = |mutates: bool| Guard {
            configuration: 0,
            webhook: "w.example".to_owned(),
            fails: true,
            mutates,
            backing: Vec::new(),
            objects: Vec::new(),
            pods: Vec::new(),
        };
        for (code, message, changes, validates) in [
            (
                400,
                r#"admission webhook "w.example" denied the request: no"#,
                true,
                true,
            ),
            (
                422,
                r#"admission webhook "other.example" denied the request: no"#,
                false,
                false,
            ),
            (
                422,
                "Gizmo \"g\" is invalid: spec.a: Required value",
                true,
                false,
            ),
            (
                403,
                "pods \"p\" is forbidden: violates PodSecurity \"restricted:latest\": a",
                true,
                false,
            ),
            (
                403,
                "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
                true,
                false,
            ),
            (
                403,
                "pods \"p\" is forbidden: exceeded quota: q",
                true,
                true,
            ),
            (
                404,
                "the server could not find the requested resource",
                false,
                false,
            ),
        ] {
            let refusal = Refusal {
                class: Class::Denied,
                code,
                message: message.to_owned(),
                retry_after: None,
            };
            for (mutates, proves) in [(true, changes), (false, validates)] {
                let heard = heard(&refusal, &guard(mutates));
                assert_eq!(heard == Heard::Webhook, proves, "{mutates}: {message}");
            }
        }
    }
}
