//! The secrets that a bundle must not hold: those of the cluster's own Secret objects, of environment variables that
//! are named like secrets, and of files that we use.
//!
//! Nobody's list is asked for: the cluster itself knows its secrets best.

use std::{collections::BTreeSet, fmt, sync::LazyLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use regex::Regex;
use serde_json::Value;

use crate::logs::snapshot::{Object, list, text};

/// Longer values (Helm releases, archives) are never written to a log as they are.
const LONGEST: usize = 16 * 1024;

/// Secrets by their bytes.
#[derive(Clone, Default)]
pub struct Secrets(BTreeSet<Vec<u8>>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

impl Secrets {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// Adds one value, and the secrets within it where it is a document.
    pub fn add(&mut self, value: &[u8]) {
        let value = value.trim_ascii();
        if value.is_empty() {
            return;
        }
        if value.len() <= LONGEST {
            self.0.insert(value.to_vec());
        }
        if let Ok(value) = std::str::from_utf8(value) {
            self.add_within(value);
        }
    }

    /// What a document holds under names of secrets, and the lines of an encoded key.
    fn add_within(&mut self, document: &str) {
        if let Ok(json @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(document) {
            self.add_named(&json);
            return;
        }
        if !document.contains('\n') {
            return;
        }
        for line in document.lines().map(str::trim) {
            if line.len() >= 40 && line.bytes().all(is_base64) {
                self.0.insert(line.as_bytes().to_vec());
            }
            let Some((name, value)) = line.split_once([':', '=']) else {
                continue;
            };
            let value = value.trim().trim_matches(['"', '\'']);
            if is_secret_name(name.trim()) && !value.is_empty() {
                self.0.insert(value.as_bytes().to_vec());
            }
        }
    }

    /// What a JSON document holds under names of secrets (`auth` of a Docker configuration is one).
    fn add_named(&mut self, value: &Value) {
        match value {
            Value::Object(map) => {
                for (name, value) in map {
                    match value {
                        Value::String(text) if is_secret_name(name) || name == "auth" => {
                            self.0.insert(text.as_bytes().to_vec());
                        }
                        _ => self.add_named(value),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.add_named(item)),
            _ => {}
        }
    }

    /// What an object holds: the values of a Secret, and environment variables named like secrets in anything.
    pub fn add_object(&mut self, object: &Object) {
        if object.kind == "Secret" && object.api_version == "v1" {
            self.add_secret(object);
        } else {
            self.add_environment(&object.value);
        }
    }

    fn add_secret(&mut self, secret: &Object) {
        let kind = secret.text("/type");
        let entries = |field: &str| {
            secret
                .value
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
        for (_, value) in entries("data").filter(|(key, _)| !public(key)) {
            match STANDARD.decode(value) {
                Ok(value) => self.add(&value),
                Err(_) => self.add(value.as_bytes()),
            }
        }
        for (_, value) in entries("stringData").filter(|(key, _)| !public(key)) {
            self.add(value.as_bytes());
        }
    }

    fn add_environment(&mut self, value: &Value) {
        match value {
            Value::Object(map) => {
                for variable in list(value, "/env") {
                    if let Some(secret) = secret_variable(variable) {
                        self.add(secret.as_bytes());
                    }
                }
                map.values().for_each(|value| self.add_environment(value));
            }
            Value::Array(items) => items.iter().for_each(|item| self.add_environment(item)),
            _ => {}
        }
    }

    /// What a kubeconfig holds: tokens, passwords and keys.
    pub fn add_kubeconfig(&mut self, yaml: &str) {
        let Ok(config) = serde_saphyr::from_str::<Value>(yaml) else {
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

/// The value of an environment variable of a container that is named like a secret and holds one in the clear.
pub fn secret_variable(variable: &Value) -> Option<&str> {
    let value = variable.get("value")?.as_str()?;
    let plain = value.trim();
    let reference = plain.starts_with("$(") || plain.starts_with('/') || plain.starts_with("./");
    let setting = plain.len() < 4
        || plain.parse::<f64>().is_ok() && plain.len() < 6
        || plain.eq_ignore_ascii_case("true")
        || plain.eq_ignore_ascii_case("false");
    (is_secret_name(text(variable, "/name")) && !reference && !setting).then_some(value)
}

/// Whether a name is one that people give to secrets.
pub fn is_secret_name(name: &str) -> bool {
    static NAME: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?i)(passw(or)?d|passwd|passphrase|\bpwd\b|_pwd|secret|token|credential|(api|access|private|signing|encryption|account|auth|client|session|shared|master|ssh)[-_.]?key)",
        )
        .expect("a constant expression")
    });
    static INNOCENT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)(name|path|file|dir|ref|ttl|expir\w*|type|namespace|key[-_]?id|url|uri|host|port|enabled|audience|issuer|lifetime|duration|endpoint|class|count|size|limit)s?$")
            .expect("a constant expression")
    });
    // `TOKENS_PER_SECOND`, `SECRET_NAME` are settings; an id of an access key is half a secret, and is masked.
    NAME.is_match(name)
        && (!INNOCENT.is_match(name) || name.to_ascii_lowercase().contains("access"))
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
}
