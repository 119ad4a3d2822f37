//! `deploy-manifests` to a cluster that still has something of before: objects that are being deleted, a webhook that calls
//! nobody.

#![expect(clippy::unwrap_used, reason = "what does not hold here fails the test")]

use std::{
    process::{Command, Output},
    time::Duration,
};

use manifests_e2e::wait;
use serde_json::{Value, json};

use crate::it::{
    deploy::manifests::{manifests, on_cluster, said},
    support::{
        Lane, cluster, sandbox,
        sets::{Set, definition},
    },
};

fn kubectl(words: &[&str]) -> Output {
    let mut command = Command::new("kubectl");
    command.env("KUBECONFIG", cluster()).args(words);
    command.output().unwrap()
}

fn uid(of: &str) -> String {
    let output = kubectl(&["get", of, "-o", "jsonpath={.metadata.uid}"]);
    String::from_utf8(output.stdout).unwrap()
}

/// Two objects in a namespace; the kind of the second has no status, and it is written with one.
fn set(name: &str) -> Set {
    let group = format!("{name}.example");
    let mut widgets = definition(&group, "Widget", "widgets");
    widgets["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = json!({
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}},
    });
    let objects = vec![
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": name}}),
        json!({"apiVersion": format!("{group}/v1"), "kind": "Widget", "metadata": {"name": "w", "namespace": name},
            "spec": {"size": 1}, "status": {}}),
        widgets,
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
    ];
    Set::new(name, objects)
}

/// A webhook for the config maps of one namespace whose Service is nowhere. It is not deployed, only deleted in the end.
fn stale(namespace: &str) -> (Set, Value) {
    let webhook = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": format!("{namespace}-stale")},
        "webhooks": [{"name": "stale.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "clientConfig": {"service": {"name": "gone", "namespace": namespace}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]}]});
    (Set::new("stale", vec![webhook.clone()]), webhook)
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_what_an_earlier_set_left_is_waited_for_or_named() {
    let Some(_turn) = sandbox(Lane::Cluster) else {
        return;
    };
    let name = "set-leaving";
    let set = set(name);
    let first = set.deploy(cluster(), "1m").await;
    assert_eq!(first.code, Some(0), "{}", first.said);

    let namespace = format!("namespace/{name}");
    let definition = format!("crd/widgets.{name}.example");
    let before = (uid(&namespace), uid(&definition));
    let finalizers = |value: &str| {
        let patch = format!("{{\"metadata\":{{\"finalizers\":{value}}}}}");
        let widget = format!("widget.{name}.example/w");
        for object in ["configmap/c", widget.as_str()] {
            kubectl(&["-n", name, "patch", object, "--type=merge", "-p", &patch]);
        }
    };
    finalizers("[\"example.com/test\"]");
    kubectl(&["delete", "--wait=false", &namespace, &definition]);
    let (again, ()) = tokio::join!(set.deploy(cluster(), "1m"), async {
        wait::pause(Duration::from_secs(2)).await;
        finalizers("null");
    });
    assert_eq!(again.code, Some(0), "{}", again.said);
    for object in [
        format!("Namespace {name}"),
        format!("CustomResourceDefinition widgets.{name}.example"),
    ] {
        let line = format!("{object} is being deleted: it is sent again when it is gone");
        assert!(again.said.contains(&line), "{}", again.said);
    }
    assert_ne!(uid(&namespace), before.0);
    assert_ne!(uid(&definition), before.1);
    assert_eq!(
        again.object(&format!("Widget {name}/w"))["tries"],
        1,
        "its definition was waited for"
    );

    let (_stale, webhook) = stale(name);
    let (dir, _) = manifests(&webhook.to_string());
    let file = dir.path().join("objects.yaml");
    let made = kubectl(&["create", "-f", file.to_str().unwrap()]);
    assert!(made.status.success(), "{made:?}");
    let (_dir, argument) = manifests(&format!(
        "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: d, namespace: {name}}}}}"
    ));
    let state = tempfile::tempdir().unwrap();
    let (output, _) = on_cluster(state.path(), &[&argument, "--wait=false"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let hint = format!(
        "ValidatingWebhookConfiguration {name}-stale calls the Service {name}/gone, which neither the set nor the cluster has: \
         deploy what serves it, or `kubectl delete validatingwebhookconfiguration {name}-stale`"
    );
    assert!(said(&output).contains(&hint), "{}", said(&output));
    assert!(
        said(&output).contains("left behind: what was applied stays in the cluster"),
        "{}",
        said(&output)
    );
}
