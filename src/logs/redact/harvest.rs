//! The secrets that a bundle must not hold: those of the cluster's own Secret objects, those that stand under a secret's name
//! in any other object, and those of files that we use.
//!
//! Nobody's list is asked for: the cluster itself knows its secrets best.

mod files;

use std::{collections::BTreeSet, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::names::{Trust, is_reference, is_secret_name, values};
use crate::logs::snapshot::{Object, list, text};

/// Longer values (archives) are never written to a log as they are.
const LONGEST: usize = 16 * 1024;

/// Secrets by their bytes.
#[derive(Clone, Default)]
pub struct Secrets {
    values: BTreeSet<Vec<u8>>,
    /// Lines of keys, which are looked for as they are alone.
    lines: BTreeSet<Vec<u8>>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.values.len() + self.lines.len())
    }
}

impl Secrets {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.values.iter().map(Vec::as_slice)
    }

    /// Lines of keys: no writer encodes one alone.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.lines.iter().map(Vec::as_slice)
    }

    /// Adds one value, and the secrets within it where it is a document.
    pub fn add(&mut self, value: &[u8]) {
        let value = value.trim_ascii();
        let text = std::str::from_utf8(value).ok();
        if value.is_empty() || text.is_some_and(files::is_public) {
            return;
        }
        if value.len() <= LONGEST {
            self.values.insert(value.to_vec());
        }
        if let Some(text) = text {
            files::add(self, text);
            if let Some((scheme, rest)) = text.split_once(' ')
                && matches!(
                    scheme.to_ascii_lowercase().as_str(),
                    "bearer" | "basic" | "token" | "apikey"
                )
            {
                self.add_credentials(rest.trim());
            }
        }
    }

    /// What follows the scheme of a header: a token, or `user:password` in base64.
    fn add_credentials(&mut self, credentials: &str) {
        self.values.insert(credentials.as_bytes().to_vec());
        let decoded = STANDARD
            .decode(credentials)
            .ok()
            .and_then(|decoded| String::from_utf8(decoded).ok());
        if let Some((_, password)) = decoded
            .as_deref()
            .and_then(|decoded| decoded.trim().split_once(':'))
        {
            self.values.insert(password.as_bytes().to_vec());
        }
    }

    /// What an object holds: the values of a Secret, and what stands under secrets' names in anything.
    ///
    /// `names` are those of the cluster's objects: a value that is one of them refers to it.
    pub fn add_object(&mut self, object: &Object, names: &BTreeSet<String>) {
        if object.kind != "CustomResourceDefinition" {
            self.add_within(&object.value, Trust::Name, names);
        }
    }

    fn add_within(&mut self, value: &Value, trust: Trust, names: &BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                if is_secret(map) {
                    self.add_secret(map);
                }
                for item in items_of_secrets(map) {
                    self.add_secret(item);
                }
                for key in secret_keys(map, names) {
                    if let Some(Value::String(secret)) = map.get(key) {
                        self.add(secret.as_bytes());
                    }
                }
                for (key, value) in map.iter().filter(|(key, _)| *key != "managedFields") {
                    self.add_within(value, trust_in(key, trust), names);
                }
            }
            Value::Array(items) => {
                for item in secret_items(items, names) {
                    if let Value::String(secret) = &items[item] {
                        self.add(secret.as_bytes());
                    }
                }
                for item in items {
                    self.add_within(item, trust, names);
                }
            }
            Value::String(text) => self.add_text(text, trust, names),
            _ => {}
        }
    }

    /// What a text in an object holds: the object that was last applied, or lines with secrets' names.
    fn add_text(&mut self, text: &str, trust: Trust, names: &BTreeSet<String>) {
        if text.starts_with('{')
            && let Ok(json @ Value::Object(_)) = serde_json::from_str(text)
        {
            self.add_within(&json, trust, names);
            return;
        }
        for range in values(text.as_bytes(), trust, names) {
            let value = &text.as_bytes()[range];
            // A word in the text of a program or a configuration is rarely a secret; it is masked where it stands.
            if value.len() >= 12 || !value.iter().all(u8::is_ascii_alphabetic) {
                self.add(value);
            }
        }
    }

    fn add_secret(&mut self, secret: &Map<String, Value>) {
        let kind = secret
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        // A release of Helm is an archive of what is collected anyway.
        if kind.starts_with("helm.sh/") {
            return;
        }
        let entries = |field: &str| {
            secret
                .get(field)
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
        };
        let public = |key: &str| {
            matches!(key, "ca.crt" | "tls.crt" | "namespace")
                || (kind == "bootstrap.kubernetes.io/token" && !key.starts_with("token-"))
        };
        let decoded = entries("data").map(|(key, value)| {
            let decoded = STANDARD.decode(value.split_whitespace().collect::<String>());
            (key, decoded.unwrap_or_else(|_| value.as_bytes().to_vec()))
        });
        let plain = entries("stringData").map(|(key, value)| (key, value.as_bytes().to_vec()));
        for (key, value) in decoded.chain(plain) {
            if !public(key) && !files::is_setting(key, &value) {
                self.add(&value);
            }
        }
    }

    /// What a kubeconfig holds: tokens, passwords and keys.
    pub fn add_kubeconfig(&mut self, yaml: &str) {
        let Ok(config) = serde_yaml::from_str::<Value>(yaml) else {
            return;
        };
        for user in list(&config, "/users") {
            for field in ["token", "password", "client-key-data"] {
                let value = text(user, &format!("/user/{field}"));
                self.add(value.as_bytes());
                if let Ok(decoded) = STANDARD.decode(value) {
                    self.add(&decoded);
                }
            }
        }
    }
}

/// Whether a part of an object is a Secret: the object itself, an item of a list, a template.
pub fn is_secret(map: &Map<String, Value>) -> bool {
    let is = |field: &str, value: &str| map.get(field).is_some_and(|found| found == value);
    is("kind", "Secret") && (is("apiVersion", "v1") || !map.contains_key("apiVersion"))
}

/// The items of a list of Secrets, which do not say what they are.
pub fn items_of_secrets(map: &Map<String, Value>) -> Vec<&Map<String, Value>> {
    if map.get("kind").is_none_or(|kind| kind != "SecretList") {
        return Vec::new();
    }
    let items = map.get("items").and_then(Value::as_array);
    items
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .filter(|item| !is_secret(item))
        .collect()
}

/// The keys of a map whose values are secrets: those named so, and the `value` beside such a `name`.
pub fn secret_keys<'a>(map: &'a Map<String, Value>, names: &BTreeSet<String>) -> Vec<&'a str> {
    let holds = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| !is_reference(text, names))
    };
    let called = ["name", "key", "header"].iter().any(|field| {
        map.get(*field)
            .and_then(Value::as_str)
            .is_some_and(is_secret_name)
    });
    map.iter()
        .filter(|(key, value)| holds(value) && (is_secret_name(key) || called && *key == "value"))
        .map(|(key, _)| key.as_str())
        .collect()
}

/// The items of a list that follow an option named like a secret: `--password`, `hunter2`.
pub fn secret_items(items: &[Value], names: &BTreeSet<String>) -> Vec<usize> {
    let option = |item: &Value| {
        item.as_str().is_some_and(|text| {
            text.strip_prefix('-').is_some_and(|name| {
                !name.contains([' ', '=']) && is_secret_name(name.trim_start_matches('-'))
            })
        })
    };
    let value = |item: &Value| {
        item.as_str()
            .is_some_and(|text| !text.starts_with('-') && !is_reference(text, names))
    };
    (1..items.len())
        .filter(|at| option(&items[at - 1]) && value(&items[*at]))
        .collect()
}

/// How a text under a key is to be taken: messages are sentences.
pub fn trust_in(key: &str, outside: Trust) -> Trust {
    match key {
        "status" | "message" | "note" | "reason" | "description" | "log" => Trust::Look,
        _ => outside,
    }
}
