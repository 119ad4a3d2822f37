use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::{harvest::Secrets, *};
use crate::logs::snapshot::Object;

const SECRET: &str = "s3cr3t-Pa/ss+w\"ord&1";

fn knowing(secrets: &[&str]) -> Redactor {
    let mut known = Secrets::default();
    for secret in secrets {
        known.add(secret.as_bytes());
    }
    Redactor::new(
        Marker::random(),
        &known,
        &BTreeSet::from(["minio-service".to_owned()]),
    )
}

fn object(value: serde_json::Value) -> Object {
    Object::of(value).unwrap()
}

#[test]
fn a_known_secret_goes_in_each_of_its_forms_and_keeps_one_mark() {
    let redactor = knowing(&[SECRET]);
    let mark = redactor.mark(SECRET.as_bytes());
    let base64 = STANDARD.encode(format!("user:{SECRET}"));
    let json = serde_json::to_string(SECRET).unwrap();
    let text = format!(
        "raw {SECRET} b64 {base64} url {} json {json} html {}",
        percent_encoded(SECRET),
        html_escaped(SECRET)
    );
    let clean = redactor.text(&text);
    assert_eq!(clean.matches(&mark).count(), 5, "{clean}");
    assert!(!redactor.leaks(clean.as_bytes()));
    assert_eq!(redactor.text(&clean), clean, "marks are not marked again");
}

#[test]
fn short_values_and_names_of_objects_stay() {
    let redactor = knowing(&["minio", "true", "minio-service", "service", "xxxxxxxx"]);
    let text = "minio at minio-service true xxxxxxxx";
    assert_eq!(redactor.text(text), text);
}

#[test]
fn a_password_that_reads_like_a_mark_drops_no_file() {
    let redactor = knowing(&["redacted len"]);
    let clean = redactor.text("a redacted len b");
    assert!(!redactor.leaks(clean.as_bytes()), "{clean}");
}

#[test]
fn what_looks_like_a_secret_goes() {
    let jwt = "eyJhbGciOiJSUzI1NiJ9xx.eyJpc3MiOiJrdWJlcm5ldGVz.c2lnbmF0dXJlLW9mLWl0";
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----";
    let encoded = STANDARD.encode(format!("{key}{key}"));
    for secret in [
        jwt,
        key,
        &encoded,
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    ] {
        let clean = knowing(&[]).text(&format!("before {secret} after"));
        assert!(
            !clean.contains(secret)
                && clean.starts_with("before <redacted")
                && clean.ends_with("> after"),
            "{clean}"
        );
    }
    for (text, expected) in [
        (
            "Authorization: Bearer abcdefghij0123456789xyz",
            "Authorization: Bearer <redacted",
        ),
        (
            "authorization=Basic dXNlcjpwYXNz",
            "authorization=Basic <redacted",
        ),
        ("postgres://me:hunter2@db/x", "postgres://me:<redacted"),
    ] {
        let clean = knowing(&[]).text(text);
        assert!(clean.starts_with(expected), "{clean}");
    }
    for innocent in [
        "bearer authentication-is-required-here",
        "https://example.org:8443/a@b",
        "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSURCekNDQWUrZ0F3SUJBZ0lJ",
    ] {
        assert_eq!(knowing(&[]).text(innocent), innocent);
    }
}

#[test]
fn the_values_of_a_secret_are_never_shown() {
    let mut secret = object(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "s", "managedFields": [1], "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "{\"stringData\":{\"a\":\"abc\"}}"}},
        "data": {"short": STANDARD.encode("abc"), "long": STANDARD.encode(SECRET)},
    }));
    let redactor = knowing(&[]);
    structure::scrub(&mut secret, &redactor);
    assert_eq!(secret.text("/data/short"), redactor.mark(b"abc"));
    assert_eq!(secret.text("/data/long"), redactor.mark(SECRET.as_bytes()));
    let all = secret.value.to_string();
    assert!(
        !all.contains("managedFields") && !all.contains("last-applied"),
        "{all}"
    );
}

#[test]
fn the_clusters_own_secrets_are_harvested() {
    let docker = json!({"auths": {"r": {"auth": "dXNlcjpodW50ZXIyMg=="}}}).to_string();
    let env = "LOG=debug\nDB_PASSWORD='hunter2222'\n";
    let mut secrets = Secrets::default();
    secrets.add_object(&object(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
        "data": {"config": STANDARD.encode(&docker), "env": STANDARD.encode(env), "ca.crt": STANDARD.encode("public!")},
    })));
    secrets.add_object(&object(json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
        "spec": {"template": {"spec": {"containers": [{"env": [
            {"name": "DB_PASSWORD", "value": "from-the-environment"},
            {"name": "SECRET_NAME", "value": "a-secret-by-name"},
            {"name": "TOKEN_PATH", "value": "/var/run/token"},
            {"name": "API_TOKEN", "value": "$(OTHER)"},
        ]}]}}},
    })));
    let has = |text: &str| secrets.iter().any(|secret| secret == text.as_bytes());
    for secret in ["dXNlcjpodW50ZXIyMg==", "hunter2222", "from-the-environment"] {
        assert!(has(secret), "{secret}");
    }
    for innocent in [
        "public!",
        "debug",
        "a-secret-by-name",
        "/var/run/token",
        "$(OTHER)",
    ] {
        assert!(!has(innocent), "{innocent}");
    }
}

#[test]
fn a_variable_named_like_a_secret_is_masked_where_it_stands() {
    let mut pod = object(
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"containers": [{"env": [{"name": "MINIO_SECRET_KEY", "value": "abcd"}, {"name": "HOST", "value": "abcd"}]}]}}),
    );
    structure::scrub(&mut pod, &knowing(&[]));
    assert!(
        pod.text("/spec/containers/0/env/0/value")
            .starts_with("<redacted len=4")
    );
    assert_eq!(pod.text("/spec/containers/0/env/1/value"), "abcd");
}

#[test]
fn the_keys_of_a_kubeconfig_are_known() {
    let mut secrets = Secrets::default();
    secrets.add_kubeconfig("users:\n- name: a\n  user:\n    client-key-data: a2V5LWtleS1rZXk=\n    token: tok-tok-tok\n");
    assert!(secrets.iter().any(|secret| secret == b"key-key-key"));
    assert!(secrets.iter().any(|secret| secret == b"tok-tok-tok"));
}

proptest! {
    #[test]
    fn a_secret_planted_anywhere_never_survives(
        secret in "[ -~]{8,40}", before in "(?s).{0,60}", after in "(?s).{0,60}", at_base64 in any::<bool>(),
    ) {
        let redactor = knowing(&[&secret]);
        let secret = secret.trim();
        prop_assume!(!"minio-service".contains(secret));
        prop_assume!(secret.len() >= 8 && !is_harmless(secret.as_bytes()) && secret != "minio-service");
        let plain = format!("{before}{secret}{after}");
        let text = if at_base64 { STANDARD.encode(&plain) } else { plain };
        let (clean, _) = redactor.bytes(text.as_bytes());
        prop_assert!(!redactor.leaks(&clean), "{}", String::from_utf8_lossy(&clean));
        if at_base64 {
            let shown = STANDARD.decode(&*clean).ok().map(|c| String::from_utf8_lossy(&c).contains(secret));
            prop_assert_ne!(shown, Some(true));
        }
    }
}
