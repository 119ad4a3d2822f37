//! What objects hold: values that are masked where they stand, and are known for the logs.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{super::*, SECRET, harvest::Secrets, knowing};
use crate::logs::snapshot::Object;

fn object(value: serde_json::Value) -> Object {
    Object::of(value).unwrap()
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
    let names = BTreeSet::new();
    let mut secrets = Secrets::default();
    secrets.add_object(&object(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
        "data": {"config": STANDARD.encode(&docker), "env": STANDARD.encode(env), "ca.crt": STANDARD.encode("public!")},
    })), &names);
    secrets.add_object(
        &object(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
            "spec": {"template": {"spec": {"containers": [{"env": [
                {"name": "DB_PASSWORD", "value": "from-the-environment"},
                {"name": "SECRET_NAME", "value": "a-secret-by-name"},
                {"name": "TOKEN_PATH", "value": "/var/run/token"},
                {"name": "API_TOKEN", "value": "$(OTHER)"},
            ]}]}}},
        })),
        &names,
    );
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

#[test]
fn what_stands_under_a_secrets_name_is_masked_in_any_object_and_known_for_the_logs() {
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "annotations": {"example.org/token": "annot-7731aa"}},
        "spec": {"template": {"spec": {"serviceAccountName": "sa-name", "automountServiceAccountToken": false, "imagePullSecrets": [{"name": "pull-1"}],
            "volumes": [{"secret": {"secretName": "certs-1"}}, {"projected": {"sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}}]}}],
            "containers": [{
                "command": ["sh", "-c", "start --requirepass otter-args-0", "x", "--requirepass", "otter-args-1", "--token=tok_7f3d9a51c2", "--db-password", "dbpw-9a8b7c"],
                "env": [{"name": "REDIS_ARGS", "value": "--requirepass otter-env-args"}, {"name": "P", "valueFrom": {"secretKeyRef": {"name": "login-1", "key": "password-1"}}}],
                "livenessProbe": {"httpGet": {"httpHeaders": [{"name": "X-Api-Key", "value": "apikey-5512aa"}, {"name": "Authorization", "value": "Bearer bear-77aa12"}]}}}]}}}});
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"},
        "data": {"config.yaml": "db:\n  password: cm-otter2\n  dsn: host=x;Password=conn-otter3;y=1\n", "DB_PASSWORD": "cm-plain-otter2"}});
    let custom = json!({"apiVersion": "a.example.org/v1", "kind": "Boat", "metadata": {"name": "b"}, "spec": {"auth": {"clientSecret": "cr-otter2"}}});
    let sealed = json!({"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "twin", "annotations": {
        "kubectl.kubernetes.io/last-applied-configuration": "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"stringData\":{\"k\":\"list-otter-9\"}}"}}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "i"}, "stringData": {"k": "item-otter-8"}}]});
    let list = json!({"apiVersion": "v1", "kind": "SecretList", "items": [{"metadata": {"name": "i"}, "data": {"k": STANDARD.encode("listed-otter-7")}}]});
    let planted = [
        "annot-7731aa",
        "otter-args-0",
        "otter-args-1",
        "tok_7f3d9a51c2",
        "dbpw-9a8b7c",
        "otter-env-args",
        "apikey-5512aa",
        "bear-77aa12",
        "cm-otter2",
        "conn-otter3",
        "cm-plain-otter2",
        "cr-otter2",
        "list-otter-9",
        "item-otter-8",
        "listed-otter-7",
    ];
    let mut all: Vec<Object> = [deployment, map, custom, sealed, list]
        .into_iter()
        .map(object)
        .collect();
    let names = BTreeSet::from(["login-1".to_owned()]);
    let mut secrets = Secrets::default();
    for object in &all {
        secrets.add_object(object, &names);
    }
    let redactor = Redactor::new(Marker::random(), &secrets, names);
    let log = planted.join(" in a log\n");
    let clean = redactor.text(&log);
    let left: Vec<_> = planted
        .iter()
        .filter(|secret| clean.contains(**secret))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    // Where they stand they go without being known, too.
    for (number, redactor) in [redactor, knowing(&[])].iter().enumerate() {
        let mut text = String::new();
        for object in &mut all {
            let mut object = object.clone();
            structure::scrub(&mut object, redactor);
            text += &object.value.to_string();
        }
        let left: Vec<_> = planted
            .iter()
            .filter(|secret| text.contains(**secret) || text.contains(&STANDARD.encode(secret)))
            .collect();
        assert!(left.is_empty(), "{number}: {left:?} in {text}");
        for stays in [
            "sa-name",
            "\"automountServiceAccountToken\":false",
            "pull-1",
            "certs-1",
            "login-1",
            "password-1",
            "3607",
            "\"path\":\"token\"",
            "x\",\"--requirepass",
        ] {
            assert!(text.contains(stays), "{stays} in {text}");
        }
    }
}

#[test]
fn a_schema_keeps_its_words() {
    let mut schema = object(
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "xs.a"},
        "spec": {"properties": {"password": {"type": "string", "description": "password: The password to use"}, "token": {"default": "someword"}}}}),
    );
    let before = schema.value.clone();
    structure::scrub(&mut schema, &knowing(&[]));
    assert_eq!(schema.value, before);
}

#[test]
fn archives_and_certificates_add_no_literals() {
    let mut secrets = Secrets::default();
    let certificates =
        "-----BEGIN CERTIFICATE-----\nMIIDBzCCAe+gAwIBAgIII\n-----END CERTIFICATE-----\n"
            .repeat(1000);
    let key = format!(
        "-----BEGIN PRIVATE KEY-----\n{}-----END PRIVATE KEY-----\n",
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n".repeat(26)
    );
    for secret in [
        json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": {"name": "h"},
            "data": {"release": STANDARD.encode("H4sI".repeat(3000))}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c"}, "data": {"bundle": STANDARD.encode(certificates)}}),
    ] {
        secrets.add_object(&object(secret), &BTreeSet::new());
    }
    assert_eq!(secrets.iter().count(), 0);
    secrets.add(key.as_bytes());
    assert_eq!(
        (secrets.iter().count(), secrets.lines().count()),
        (1, 1),
        "equal lines are one"
    );
}
