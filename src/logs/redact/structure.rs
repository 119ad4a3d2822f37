//! Scrubs objects by what their fields mean, whatever their values look like.
//!
//! Values of Secrets become marks; what only bloats (`managedFields`, the last applied configuration, bundles of
//! public certificates) goes; each other text loses the secrets that are known by now.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Redactor, harvest::secret_variable};
use crate::logs::snapshot::Object;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An object without secrets.
pub fn scrub(object: &mut Object, redactor: &Redactor) {
    let Value::Object(fields) = &mut object.value else {
        return;
    };
    if let Some(Value::Object(metadata)) = fields.get_mut("metadata") {
        metadata.remove("managedFields");
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            annotations.remove(LAST_APPLIED);
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    if object.kind == "Secret" && object.api_version == "v1" {
        mark_values(fields, redactor);
    }
    scrub_value(&mut object.value, redactor);
}

fn mark_values(secret: &mut Map<String, Value>, redactor: &Redactor) {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    for field in ["data", "stringData"] {
        let Some(Value::Object(entries)) = secret.get_mut(field) else {
            continue;
        };
        for value in entries.values_mut() {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let raw = match field {
                "data" => STANDARD.decode(&text).unwrap_or_else(|_| text.into_bytes()),
                _ => text.into_bytes(),
            };
            *value = Value::String(redactor.mark(&raw));
        }
    }
}

fn scrub_value(value: &mut Value, redactor: &Redactor) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(clean) = redactor.bytes(text.as_bytes()).0 {
                *text = String::from_utf8_lossy(&clean).into_owned();
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| scrub_value(item, redactor)),
        Value::Object(map) => {
            if let Some(Value::Array(variables)) = map.get_mut("env") {
                for variable in variables {
                    mask(variable, redactor);
                }
            }
            if let Some(Value::String(bundle)) = map.get_mut("caBundle") {
                *bundle = format!("(certificates, {} bytes)", bundle.len());
            }
            map.values_mut()
                .for_each(|value| scrub_value(value, redactor));
        }
        _ => {}
    }
}

fn mask(variable: &mut Value, redactor: &Redactor) {
    let Some(secret) = secret_variable(variable) else {
        return;
    };
    let mark = redactor.mark(secret.trim().as_bytes());
    variable["value"] = Value::String(mark);
}
