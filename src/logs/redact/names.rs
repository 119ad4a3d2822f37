//! Names that people give to secrets, and the values that stand under such names: in objects, in the files that a `ConfigMap`
//! holds, in arguments, headers, connection strings and lines of a log.

mod notation;

use std::{collections::BTreeSet, ops::Range, sync::LazyLock};

use self::notation::{after_user, assigned, name_at, option, trimmed, whole_line};

/// Whether a name is one that people give to secrets.
///
/// Names of references and settings are not: they end in `Name`, `Ref`, `Path`, `File`, `Class`, `Seconds` and the like.
pub fn is_secret_name(name: &str) -> bool {
    static NAME: LazyLock<regex::Regex> = LazyLock::new(|| {
        regex::Regex::new(concat!(
            r"(?i)passw(or)?d|passwd|passphrase|requirepass|masterauth|htpasswd|\bpwd\b|_pwd|(^|[-_.\s])pass$|(?-i:[a-z0-9]Pass$)",
            r"|secret|token|credential|^(set-)?cookie$|^(proxy-)?authorization$",
            r"|(api|access|private|signing|encryption|account|auth|client|session|shared|master|ssh|storage|hmac|jwt|webhook)[-_.]?key",
        ))
        .expect("a constant expression")
    });
    static INNOCENT: LazyLock<regex::Regex> = LazyLock::new(|| {
        regex::Regex::new(concat!(
            r"(?i)(name|path|file|dir|ref|reference|ttl|expir\w*|type|namespace|key[-_]?id|url|uri|host|port|enabled|audience|issuer",
            r"|lifetime|duration|endpoint|class|count|size|limit|seconds|minutes|hours|mode|policy|provider|version|algorithm|alg",
            r"|mount|volume|store|selector|label|annotation|format|length|review|header|prefix|suffix|required|optional|allowed",
            r"|supported|interval|period|rotation|age|scope|generator|manager|controller|template|backend|kind|status|state|reason",
            r"|message|error|description|request|revision|per[-_]?second)s?$",
        ))
        .expect("a constant expression")
    });
    // An id of an access key is half a secret, and is masked.
    NAME.is_match(name)
        && (!INNOCENT.is_match(name) || name.to_ascii_lowercase().contains("access"))
}

/// Whether a value under such a name is none: a setting, a reference to where the secret is, or the name of an object.
pub fn is_reference(value: &str, names: &BTreeSet<String>) -> bool {
    let plain = value.trim().trim_matches(['"', '\'']);
    let lower = plain.to_ascii_lowercase();
    let word = matches!(
        lower.as_str(),
        "" | "true"
            | "false"
            | "yes"
            | "no"
            | "on"
            | "off"
            | "none"
            | "null"
            | "nil"
            | "undefined"
            | "enabled"
            | "disabled"
            | "required"
            | "optional"
            | "default"
            | "auto"
            | "always"
            | "never"
            | "string"
            | "integer"
            | "object"
            | "bearer"
            | "basic"
            | "opaque"
            | "env"
            | "file"
    );
    let points = [
        "$",
        "/",
        "./",
        "../",
        "~/",
        "{{",
        "<",
        "%(",
        "@",
        "file:",
        "env:",
        "arn:",
        "vault:",
        "os.environ",
        "***",
    ]
    .iter()
    .any(|start| plain.starts_with(start));
    let address = plain.contains("://") && !plain.contains('@') && !plain.contains('?');
    let called = names.contains(plain)
        || plain
            .split_once('/')
            .is_some_and(|(space, name)| names.contains(space) && names.contains(name));
    word || points
        || address
        || called
        || is_number(plain)
        || plain.len() < 4
        || same_throughout(plain)
        || plain.contains("<redacted len=")
}

/// A number, a time, a size: `3600`, `1h30m`, `10Gi`.
fn is_number(text: &str) -> bool {
    text.len() < 8
        && text.starts_with(|first: char| first.is_ascii_digit() || first == '-')
        && text
            .trim_start_matches('-')
            .split(|c: char| c.is_ascii_digit() || c == '.')
            .all(|unit| {
                matches!(
                    unit,
                    "" | "s" | "ms" | "m" | "h" | "d" | "k" | "Ki" | "Mi" | "Gi" | "M" | "G" | "%"
                )
            })
}

fn same_throughout(text: &str) -> bool {
    text.chars().all(|c| text.starts_with(c))
}

/// How sure it has to be that a value is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Part of an object, where a name says what its value is.
    Name,
    /// A line of a log, which may be a sentence: the value has to look like a secret too.
    Look,
}

/// The values under names of secrets in a text.
pub fn values(text: &[u8], trust: Trust, names: &BTreeSet<String>) -> Vec<Range<usize>> {
    values_at(text, &super::looks::anchors(text).names, trust, names)
}

/// The same, where it is known at which places parts of such names stand.
pub(super) fn values_at(
    text: &[u8],
    places: &[usize],
    trust: Trust,
    names: &BTreeSet<String>,
) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut behind = 0;
    for place in places {
        found.extend(after_user(text, *place));
        if *place < behind {
            continue;
        }
        let name = name_at(text, *place);
        behind = name.end;
        for value in [
            assigned(text, &name),
            option(text, &name),
            whole_line(text, &name, trust),
        ]
        .into_iter()
        .flatten()
        {
            let value = trimmed(text, value);
            let shown = String::from_utf8_lossy(&text[value.clone()]);
            let name = String::from_utf8_lossy(&text[name.clone()]);
            let name = name.trim_matches(['-', '.', '/']);
            let sure = trust == Trust::Name || looks_secret(&shown, name);
            if sure && !is_code(&shown) && is_secret_name(name) && !is_reference(&shown, names) {
                found.push(value);
            }
        }
    }
    found
}

/// Whether it is an expression of a program rather than a value.
fn is_code(value: &str) -> bool {
    value.contains('(') || value.contains('[') || value.starts_with('{')
}

/// Whether a value in a line of a log is a secret rather than a word: it has digits or signs, or stands under a password's name.
fn looks_secret(value: &str, name: &str) -> bool {
    let long = value.len() >= 6;
    let digits = value.bytes().any(|byte| byte.is_ascii_digit());
    let letters = value.bytes().any(|byte| byte.is_ascii_alphabetic());
    let signs = value.bytes().any(|byte| {
        matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'*' | b'+' | b'=' | b'~' | b'^' | b'?'
        )
    });
    let is_password =
        name.to_ascii_lowercase().contains("passw") || name.to_ascii_lowercase().ends_with("pwd");
    let spaced = value.contains(' ');
    long && !spaced && (letters && (digits || signs) || is_password && !is_outcome(value))
}

/// What a sentence says of a password.
fn is_outcome(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    [
        "incorrect",
        "invalid",
        "wrong",
        "missing",
        "required",
        "expired",
        "unknown",
        "failed",
        "mismatch",
        "authentication",
        "expected",
        "changed",
        "updated",
        "rejected",
        "denied",
    ]
    .iter()
    .any(|word| lower.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, trust: Trust) -> Vec<&str> {
        let names = BTreeSet::from(["db-login".to_owned()]);
        let mut found: Vec<_> = values(text.as_bytes(), trust, &names)
            .into_iter()
            .map(|range| &text[range])
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    #[test]
    fn names_of_secrets_are_known_and_those_of_references_are_not() {
        for name in [
            "DB_PASSWORD",
            "smtpPass",
            "SMTP_PASS",
            "clientSecret",
            "X-Api-Key",
            "example.org/token",
            "requirepass",
            "AccountKey",
            "auth.password",
            "Authorization",
            "accessKeyId",
            "secret",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "secretName",
            "tokenRef",
            "TOKEN_PATH",
            "passwordFile",
            "storageClassSecretClass",
            "tokenExpirationSeconds",
            "bypass",
            "compass",
            "passthrough",
            "key",
            "keys",
            "secretNamespace",
            "TOKENS_PER_SECOND",
            "authorization-mode",
            "primaryKey",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn values_under_names_are_found_in_each_notation() {
        for (text, value) in [
            ("db:\n  password: cm-hunter2\n", "cm-hunter2"),
            ("requirepass some-pass-1", "some-pass-1"),
            ("start --requirepass otter-args-1 --port 1", "otter-args-1"),
            ("--token=tok_7f3d9a51c2", "tok_7f3d9a51c2"),
            (r#"["--db-password", "dbpw-9a8b7c"]"#, "dbpw-9a8b7c"),
            (r#"{"password":"a b\"c1"}"#, r#"a b\"c1"#),
            (r#"{\"password\":\"inner-1\"}"#, "inner-1"),
            ("password => 'single-1'", "single-1"),
            ("Server=x;User Id=me;Password=conn-77;Database=y", "conn-77"),
            ("https://x/?a=1&api_key=query-88&b=2", "query-88"),
            ("X-Api-Key: apikey-5512aa", "apikey-5512aa"),
            ("Authorization: Bearer bear-77aa12", "bear-77aa12"),
            ("export SMTP_PASS=we!rd,one;x\n", "we!rd,one;x"),
            ("curl -u me:curl-pass-1 http://x", "curl-pass-1"),
        ] {
            assert!(
                found(text, Trust::Name).contains(&value),
                "{text}: {:?}",
                found(text, Trust::Name)
            );
        }
    }

    #[test]
    fn references_and_sentences_are_left_alone() {
        for text in [
            "secretName: my-secret-1",
            "password: $(DB_PASSWORD)",
            "token: /var/run/secrets/token1",
            "secret: db-login",
            "tokenExpirationSeconds: 3607",
            "automountServiceAccountToken: false",
            "token: {{ .Values.token1 }}",
            "password = os.environ[\"X1\"]",
            "token: 3600s",
            "password:",
        ] {
            assert_eq!(found(text, Trust::Name), Vec::<&str>::new(), "{text}");
        }
        for text in [
            "MountVolume.SetUp failed for volume \"token\" : secret \"db-2\" not found",
            "Error: secret: not found",
            "couldn't find key password in Secret kubeflow/mysql-2",
            "token=invalid",
            "password: authentication failed",
            "unable to validate token: the server has asked for the client to provide credentials",
            "FATAL: password authentication failed for user \"x1\"",
        ] {
            assert_eq!(found(text, Trust::Look), Vec::<&str>::new(), "{text}");
        }
    }
}
