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
    set::{facts::template, objects::Object},
};

/// How many answers in a row it takes.
pub const ANSWERS: u8 = 2;
/// The pause between two of them.
pub const APART: Duration = Duration::from_secs(2);

/// What can be seen of a configuration without asking: what is missing, if anything is.
pub fn missing(configuration: &Value, view: &View) -> Option<String> {
    for webhook in list(&configuration["webhooks"]) {
        let name = webhook["name"].as_str().unwrap_or_default();
        if list(&webhook["rules"]).next().is_none() {
            return Some(format!("webhook {name} has no rules yet"));
        }
        let client = &webhook["clientConfig"];
        let service = &client["service"];
        if service.is_null() {
            continue;
        }
        if !is_certificate(&client["caBundle"]) {
            return Some(format!("webhook {name} has no CA yet"));
        }
        if !has_endpoint(service, view) {
            let part = |key: &str| service[key].as_str().unwrap_or_default();
            return Some(format!(
                "Service {}/{} has no ready endpoint",
                part("namespace"),
                part("name")
            ));
        }
    }
    None
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

/// Asks once, through the API server. Nothing is created.
///
/// # Errors
/// Why the webhook was not reached.
pub async fn ask(client: &Client, probe: &Probe) -> Result<(), Refusal> {
    let Probe { path, body, given } = probe;
    match apply::send(client, path, body, Mode::DryRun, given).await {
        Ok(_) => Ok(()),
        Err(refusal) => match refusal.class {
            // A "no" is an answer; what is invalid shows when it is applied.
            Class::Denied | Class::Invalid | Class::Conflict(_) => Ok(()),
            _ => Err(refusal),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_needs_rules_a_ca_and_an_endpoint() {
        let pem = BASE64_STANDARD.encode("-----BEGIN CERTIFICATE-----\n");
        let hook = |rules: Value, ca: &str| {
            json!({"webhooks": [{"name": "w", "rules": rules,
                "clientConfig": {"caBundle": ca, "service": {"namespace": "n", "name": "s"}}}]})
        };
        let slice = |ready: Value| {
            json!({"metadata": {"name": "e", "namespace": "n", "labels": {"kubernetes.io/service-name": "s"}},
                   "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}]})
        };
        let rules = json!([{"operations": ["CREATE"]}]);
        for (configuration, ready, said) in [
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
            assert_eq!(missing(&configuration, &view).as_deref(), said);
        }
    }
}
