//! Files of credentials, as people put them into a Secret: what a program reads out of each, and may print alone.

use std::{collections::BTreeSet, sync::LazyLock};

use regex::Regex;
use serde_json::Value;

use super::{
    super::names::{Trust, is_secret_name, values},
    Secrets,
};

/// Whether a value is public: certificates and nothing else.
pub(super) fn is_public(text: &str) -> bool {
    text.starts_with("-----BEGIN CERTIFICATE-----") && !text.contains("PRIVATE KEY")
}

/// Whether an entry of a Secret is a setting that stands there for convenience: `type: postgres`, `host: db.example.org`.
pub(super) fn is_setting(key: &str, value: &[u8]) -> bool {
    static SETTING: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^(.*[-_.])?(user(name)?|login|host(name)?|port|region|zone|type|kind|database|db(name)?|bucket|schema|endpoint|ur[li]|address|server|e?mail|driver|engine|level|mode|version|algorithm|scope|issuer|realm|name|enabled|path|file)$")
            .expect("a constant expression")
    });
    let plain = |value: &str| {
        value.len() < 100
            && value
                .split(|c: char| !c.is_ascii_alphanumeric())
                .all(|part| {
                    part.bytes().all(|byte| byte.is_ascii_alphabetic())
                        || part.len() < 6 && part.bytes().all(|byte| byte.is_ascii_digit())
                })
    };
    SETTING.is_match(key) && !is_secret_name(key) && std::str::from_utf8(value).is_ok_and(plain)
}

/// Adds what a document holds.
pub(super) fn add(secrets: &mut Secrets, document: &str) {
    if let Ok(json @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(document) {
        add_named(secrets, &json);
    }
    let mut add = |value: &str| {
        let value = value.trim().trim_matches(['"', '\'']);
        if !value.is_empty() {
            secrets.values.insert(value.as_bytes().to_vec());
        }
    };
    for range in values(document.as_bytes(), Trust::Name, &BTreeSet::new()) {
        add(&document[range]);
    }
    for captures in FIELDS.captures_iter(document) {
        if let Some(value) = captures.iter().skip(1).flatten().next() {
            add(value.as_str());
        }
    }
    let is_key = document.contains("PRIVATE KEY-----");
    for line in document
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
    {
        if is_key && line.len() >= 40 && line.bytes().all(is_base64) {
            secrets.lines.insert(line.as_bytes().to_vec());
        } else if let Some(value) = of_line(line) {
            secrets.values.insert(value.as_bytes().to_vec());
        }
    }
}

/// `password value` of a `.netrc`, `key = value` of any file in a Secret, the password of a URL.
static FIELDS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?im)\bpassword[ \t]+(\S+)|^\s*(?:-\s+)?["']?(?:key|auth|pin|psk)["']?\s*[:=]\s*["']?([^\s"']{6,})|://[^/\s:@]*:([^/\s@]{3,})@"#)
        .expect("a constant expression")
});

/// The secret of a line of `.pgpass` (host:port:database:user:password), of a password file, of a file of tokens, or the
/// whole of a line that only chance could write.
fn of_line(line: &str) -> Option<&str> {
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if line.contains(char::is_whitespace) || line.contains("://") {
        return None;
    }
    let fields: Vec<&str> = line.split(':').collect();
    match fields[..] {
        [_, port, _, _, password] if port == "*" || is_number(port) => return Some(password),
        [user, password]
            if !user.is_empty()
                && password.len() >= 6
                && !is_number(password)
                && !password.starts_with("//") =>
        {
            return Some(password);
        }
        // The fields behind a hash are ages.
        [user, hash, ..]
            if !user.is_empty() && hash.len() >= 13 && hash.starts_with(['$', '{']) =>
        {
            return Some(hash);
        }
        _ => {}
    }
    let fields: Vec<&str> = line.split(',').collect();
    match fields[..] {
        [token, _, _, ..]
            if token.len() >= 8 && token.bytes().any(|byte| byte.is_ascii_digit()) =>
        {
            Some(token)
        }
        _ => is_random(line).then_some(line),
    }
}

fn is_random(word: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| word.as_bytes().iter().any(kind);
    (20..200).contains(&word.len())
        && word.bytes().all(is_base64)
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
}

/// What JSON holds under names of secrets; `auth` of a Docker configuration is `user:password` in base64.
fn add_named(secrets: &mut Secrets, value: &Value) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                match value {
                    Value::String(text) if name == "auth" => secrets.add_credentials(text),
                    Value::String(text) if is_secret_name(name) => {
                        secrets.values.insert(text.as_bytes().to_vec());
                    }
                    _ => add_named(secrets, value),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| add_named(secrets, item)),
        _ => {}
    }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::*;

    #[test]
    fn each_field_of_a_file_of_credentials_is_known() {
        let docker = format!(
            r#"{{"auths":{{"r.example":{{"auth":"{}"}}}}}}"#,
            STANDARD.encode("me:seventh-otter-5")
        );
        for (file, secret) in [
            ("db:5432:app:me:seventh-otter-1\n", "seventh-otter-1"),
            (
                "machine api login me password seventh-otter-2\n",
                "seventh-otter-2",
            ),
            (
                "static-token-aa11,me,1\nstatic-token-bb22,you,2\n",
                "static-token-bb22",
            ),
            (
                "[x]\nkey = seventh-otter-3\npassword = seventh-otter-6\n",
                "seventh-otter-3",
            ),
            (
                "[x]\nkey = seventh-otter-3\npassword = seventh-otter-6\n",
                "seventh-otter-6",
            ),
            (
                "users:\n- {name: a, pass: seventh-otter-4}\n- {name: b, password: seventh-otter-7}\n",
                "seventh-otter-4",
            ),
            (
                "users:\n- {name: a, pass: seventh-otter-4}\n- {name: b, password: seventh-otter-7}\n",
                "seventh-otter-7",
            ),
            (
                "me:$apr1$aa$htpasswdhash12345678\n",
                "$apr1$aa$htpasswdhash12345678",
            ),
            (&docker, "seventh-otter-5"),
            ("postgres://me:seventh-otter-8@db/x", "seventh-otter-8"),
            ("admin:seventh-otter-9", "seventh-otter-9"),
            (
                "{\"client_secret\": \"seventh-otter-10\"}",
                "seventh-otter-10",
            ),
        ] {
            let mut secrets = Secrets::default();
            secrets.add(file.as_bytes());
            assert!(
                secrets.iter().any(|known| known == secret.as_bytes()),
                "{secret}"
            );
        }
    }

    #[test]
    fn settings_and_certificates_are_no_secrets() {
        for (key, value) in [
            ("type", "postgres"),
            ("region", "us-east-1"),
            ("host", "mysql.kubeflow:3306"),
            ("username", "admin"),
        ] {
            assert!(is_setting(key, value.as_bytes()), "{key}");
        }
        for (key, value) in [
            ("password", "postgres"),
            ("username", "s3cr3t-user"),
            ("p", "word"),
        ] {
            assert!(!is_setting(key, value.as_bytes()), "{key}");
        }
        let mut secrets = Secrets::default();
        secrets.add(b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
        assert_eq!(secrets.iter().count() + secrets.lines().count(), 0);
    }
}
