//! Scrubs objects by what their fields mean, whatever their values look like.
//!
//! Values of Secrets become marks, and so does what stands under a secret's name; what only bloats (`managedFields`, the last
//! applied configuration, bundles of public certificates) goes; each other text loses the secrets that are known by now.
//! Keys stay as they are.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::{
    Redactor,
    harvest::{is_secret, secret_items, secret_keys, trust_in},
    names::Trust,
};
use crate::logs::snapshot::Object;

/// Annotations that hold the whole object as it was applied, in clear text or packed.
const APPLIED: [&str; 2] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "objectset.rio.cattle.io/applied",
];

/// An object without secrets.
pub fn scrub(object: &mut Object, redactor: &Redactor) {
    // The schemas of a definition have names of secrets and no secrets.
    let is_schema = object.kind == "CustomResourceDefinition";
    let trust = if is_schema { Trust::Look } else { Trust::Name };
    scrub_value(&mut object.value, redactor, trust, is_schema);
}

/// A document of ours without secrets, such as a report.
pub fn scrub_document(value: &mut Value, redactor: &Redactor) {
    scrub_value(value, redactor, Trust::Look, true);
}

fn scrub_value(value: &mut Value, redactor: &Redactor, trust: Trust, is_schema: bool) {
    match value {
        Value::String(text) => {
            let clean = match trust {
                Trust::Name => redactor.value(text.as_bytes()),
                Trust::Look => redactor.bytes(text.as_bytes()).0,
            };
            if let Cow::Owned(clean) = clean {
                *text = String::from_utf8_lossy(&clean).into_owned();
            }
        }
        Value::Array(items) => {
            for at in secret_items(items, redactor.names()) {
                mark(&mut items[at], redactor);
            }
            for item in items {
                scrub_value(item, redactor, trust, is_schema);
            }
        }
        Value::Object(map) => {
            trim(map);
            if is_secret(map) {
                mark_values(map, redactor);
            }
            if map.get("kind").is_some_and(|kind| kind == "SecretList")
                && let Some(Value::Array(items)) = map.get_mut("items")
            {
                for item in items.iter_mut().filter_map(Value::as_object_mut) {
                    mark_values(item, redactor);
                }
            }
            if !is_schema {
                let keys: Vec<String> = secret_keys(map, redactor.names())
                    .into_iter()
                    .map(str::to_owned)
                    .collect();
                for key in keys {
                    if let Some(value) = map.get_mut(&key) {
                        mark(value, redactor);
                    }
                }
            }
            for (key, value) in map {
                scrub_value(value, redactor, trust_in(key, trust), is_schema);
            }
        }
        _ => {}
    }
}

/// Takes out of an object, or of an item or a template in it, what only bloats.
fn trim(map: &mut Map<String, Value>) {
    if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
        metadata.remove("managedFields");
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            let before = annotations.len();
            annotations.retain(|name, _| !APPLIED.contains(&name.as_str()));
            if annotations.is_empty() && before > 0 {
                metadata.remove("annotations");
            }
        }
    }
    if let Some(Value::String(bundle)) = map.get_mut("caBundle")
        && !bundle.starts_with('(')
    {
        *bundle = format!("(certificates, {} bytes)", bundle.len());
    }
}

/// Marks all values of a Secret, and those of its annotations, which may repeat them.
fn mark_values(secret: &mut Map<String, Value>, redactor: &Redactor) {
    for field in ["data", "stringData"] {
        let Some(Value::Object(entries)) = secret.get_mut(field) else {
            continue;
        };
        for value in entries.values_mut() {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            if text.starts_with("<redacted len=") {
                continue;
            }
            let raw = match field {
                "data" => STANDARD.decode(&text).unwrap_or_else(|_| text.into_bytes()),
                _ => text.into_bytes(),
            };
            *value = Value::String(redactor.mark(raw.trim_ascii()));
        }
    }
}

fn mark(value: &mut Value, redactor: &Redactor) {
    if let Value::String(text) = value {
        *text = redactor.mark(text.trim().as_bytes());
    }
}
