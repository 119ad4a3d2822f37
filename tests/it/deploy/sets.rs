//! `deploy-manifests` of sets that no `kubectl apply` installs at once, and of some that nobody could.

#![expect(clippy::unwrap_used, reason = "what does not hold here fails the test")]

use std::{ops::Range, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::it::support::{
    Lane, cluster, sandbox,
    sets::{Deployed, Set, definition, deployment, python},
    within,
};

/// Answers reviews over TLS; denies what sets `forbidden`. LATE seconds after its start it listens, and for BAD seconds
/// after that it shows a certificate that nobody trusts.
const WEBHOOK: &str = r#"
import http.server, json, os, ssl, threading, time

class Review(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
        allowed = not request["object"].get("forbidden", False)
        response = {"uid": request["uid"], "allowed": allowed}
        if not allowed:
            response["status"] = {"code": 403, "message": f"widget {request.get('name')} is forbidden"}
        body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

time.sleep(float(os.environ["LATE"]))
bad = float(os.environ["BAD"])
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
good = lambda: tls.load_cert_chain("/certificate/good.crt", "/certificate/good.key")
if bad:
    tls.load_cert_chain("/certificate/bad.crt", "/certificate/bad.key")
    threading.Timer(bad, good).start()
else:
    good()
server = http.server.ThreadingHTTPServer(("", 8443), Review)
server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
"#;

/// A set whose widgets, written before their kind, are guarded by a webhook of the set.
fn guarded(name: &str, late: u64, bad: u64, widgets: Vec<Value>) -> Set {
    let group = format!("{name}.example");
    let certificate = |host: &str| {
        let made = rcgen::generate_simple_self_signed(vec![host.to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    };
    let (good, good_key) = certificate(&format!("webhook.{name}.svc"));
    let (bad_one, bad_key) = certificate("elsewhere.example");
    let widgets = widgets.into_iter().enumerate().map(|(at, mut widget)| {
        widget["apiVersion"] = json!(format!("{group}/v1"));
        widget["kind"] = json!("Widget");
        widget["metadata"] = json!({"name": format!("w{at}"), "namespace": name});
        widget
    });
    let mut objects: Vec<Value> = widgets.collect();
    objects.push(json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": group},
        "webhooks": [{"name": format!("widgets.{group}"), "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail", "timeoutSeconds": 5,
            "clientConfig": {"caBundle": BASE64_STANDARD.encode(&good), "service": {"name": "webhook", "namespace": name, "path": "/", "port": 443}},
            "rules": [{"apiGroups": [group], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["widgets"], "scope": "Namespaced"}]}]}));
    let mut server = python(WEBHOOK);
    server["env"] = json!([{"name": "LATE", "value": late.to_string()}, {"name": "BAD", "value": bad.to_string()}]);
    server["volumeMounts"] = json!([{"name": "certificate", "mountPath": "/certificate"}]);
    let mut backing = deployment(name, "webhook", &server);
    backing["spec"]["template"]["spec"]["volumes"] =
        json!([{"name": "certificate", "secret": {"secretName": "certificate"}}]);
    objects.push(backing);
    objects.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "webhook", "namespace": name},
        "spec": {"selector": {"app": "webhook"}, "ports": [{"port": 443, "targetPort": 8443}]}}));
    objects.push(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "certificate", "namespace": name},
        "stringData": {"good.crt": good, "good.key": good_key, "bad.crt": bad_one, "bad.key": bad_key}}));
    objects.push(definition(&group, "Widget", "widgets"));
    objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
    Set::new(name, objects)
}

/// Milliseconds from that second on, and how much later it may be.
fn of(second: u64, late_by: Duration) -> Range<u128> {
    let from = u128::from(second) * 1000;
    from..from + late_by.as_millis()
}

/// Whether everything is ready, and each object was sent but once.
fn passed(deployed: &Deployed) {
    assert_eq!(deployed.code, Some(0), "{}", deployed.said);
    for object in deployed.report["deployment"]["objects"].as_array().unwrap() {
        assert_eq!(object["tries"], 1, "sent more than once: {object}");
        assert!(object["ready"].is_u64(), "{object}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_webhooks_that_come_late_or_with_a_bad_certificate_are_waited_for() {
    let Some(_turn) = sandbox(Lane::Cluster) else {
        return;
    };
    let plain = || vec![json!({}), json!({}), json!({})];
    let late = guarded("set-late", 40, 0, plain());
    let badly = guarded("set-badly", 0, 20, plain());
    let denied = guarded(
        "set-denied",
        0,
        0,
        vec![json!({"forbidden": true}), json!({})],
    );
    let (late, badly, denied) = tokio::join!(
        late.deploy(cluster(), "3m"),
        badly.deploy(cluster(), "3m"),
        denied.deploy(cluster(), "3m"),
    );
    passed(&late);
    let accepted = late.object("Widget set-late/w0")["accepted"]
        .as_u64()
        .map(u128::from)
        .unwrap();
    let late_by = within(Duration::from_secs(20));
    assert!(of(40, late_by).contains(&accepted), "{accepted} ms");
    passed(&badly);
    let accepted = badly.object("Widget set-badly/w0")["accepted"]
        .as_u64()
        .map(u128::from)
        .unwrap();
    assert!(of(20, late_by).contains(&accepted), "{accepted} ms");

    assert_eq!(denied.code, Some(1), "{}", denied.said);
    assert!(
        denied.cause().contains("the cluster refused Widget set-denied/w0: admission webhook \"widgets.set-denied.example\" denied the request: widget w0 is forbidden"),
        "{}",
        denied.said
    );
    assert!(
        denied.took < within(Duration::from_secs(45)),
        "{:?}",
        denied.took
    );
}

/// Makes an object with the pod's own token, after a while.
const MAKER: &str = r#"
import json, os, pathlib, ssl, time, urllib.request
account = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
tls = ssl.create_default_context(cafile=account / "ca.crt")
time.sleep(15)
headers = {"Authorization": "Bearer " + (account / "token").read_text(), "Content-Type": "application/json"}
url = "https://kubernetes.default.svc" + os.environ["TO"]
urllib.request.urlopen(urllib.request.Request(url, os.environ["BODY"].encode(), headers), context=tls).read()
"#;

/// A Job that makes an object of a kind that its role names, and what needs that object.
fn with_a_maker(name: &str, made: &Value, (group, plural): (&str, &str), member: Value) -> Set {
    let rbac = "rbac.authorization.k8s.io";
    let mut maker = python(MAKER);
    let api_version = made["apiVersion"].as_str().unwrap();
    let root = if group.is_empty() { "api" } else { "apis" };
    maker["env"] = json!([{"name": "TO", "value": format!("/{root}/{api_version}/{plural}")}, {"name": "BODY", "value": made.to_string()}]);
    let objects = vec![
        member,
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "maker", "namespace": name},
            "spec": {"template": {"spec": {"serviceAccountName": "maker", "restartPolicy": "OnFailure", "containers": [maker]}}}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "maker", "namespace": name}}),
        json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRole", "metadata": {"name": name},
            "rules": [{"apiGroups": [group], "resources": [plural], "verbs": ["create"]}]}),
        json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": "maker", "namespace": name}]}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
    ];
    let kind = if group.is_empty() {
        "Namespace"
    } else {
        "CustomResourceDefinition"
    };
    Set::new(name, objects).and_made(kind, made["metadata"]["name"].as_str().unwrap())
}

/// An application that gives up at once as long as its database, half a minute slow, does not answer.
fn with_a_database() -> Set {
    let name = "set-database";
    let mut database = python(
        "import http.server, time; time.sleep(25); http.server.HTTPServer(('', 8080), http.server.SimpleHTTPRequestHandler).serve_forever()",
    );
    database["readinessProbe"] = json!({"tcpSocket": {"port": 8080}, "periodSeconds": 1});
    let mut application = python(
        "import os, pathlib, socket, time; socket.create_connection((os.environ['DB'], 8080), 1); pathlib.Path('/tmp/connected').touch(); time.sleep(3600)",
    );
    // Running is not yet up: it may be about to crash, or still be asking for the name.
    application["readinessProbe"] =
        json!({"exec": {"command": ["test", "-f", "/tmp/connected"]}, "periodSeconds": 1});
    application["env"] = json!([{"name": "DB", "value": "database"}]);
    let objects = vec![
        deployment(name, "application", &application),
        deployment(name, "database", &database),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "database", "namespace": name},
            "spec": {"selector": {"app": "database"}, "ports": [{"port": 8080}]}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
    ];
    Set::new(name, objects)
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_what_another_makes_or_has_to_be_up_for_is_waited_for() {
    let Some(_turn) = sandbox(Lane::Cluster) else {
        return;
    };
    let maker = with_a_maker(
        "set-maker",
        &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "set-made-by-another"}}),
        ("", "namespaces"),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "member", "namespace": "set-made-by-another"}}),
    );
    // An operator that brings its definitions along.
    let operator = with_a_maker(
        "set-operator",
        &definition("set-operator.example", "Widget", "widgets"),
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        json!({"apiVersion": "set-operator.example/v1", "kind": "Widget", "metadata": {"name": "member", "namespace": "set-operator"}}),
    );
    let database = with_a_database();
    let (maker, operator, database) = tokio::join!(
        maker.deploy(cluster(), "3m"),
        operator.deploy(cluster(), "3m"),
        database.deploy(cluster(), "4m"),
    );
    for (deployed, member) in [
        (&maker, "ConfigMap set-made-by-another/member"),
        (&operator, "Widget set-operator/member"),
    ] {
        passed(deployed);
        let member = deployed.object(member);
        assert!(member["accepted"].as_u64().unwrap() > 15_000, "{member}");
    }
    passed(&database);
    let ready = |name: &str| database.object(name)["ready"].as_u64().unwrap();
    let application = ready("Deployment set-database/application");
    assert!(application > ready("Deployment set-database/database"));
}

/// The cause in each of the places where somebody looks for it.
fn told(deployed: &Deployed, cause: &str, tree: &[&str]) {
    assert!(deployed.cause().contains(cause), "{}", deployed.said);
    assert!(deployed.report["cause"].as_str().unwrap().contains(cause));
    assert!(deployed.report["deployment"]["causes"][0]["object"].is_string());
    let mut lines = deployed.said.lines();
    let annotation = lines
        .find(|line| line.starts_with("::error"))
        .unwrap_or_default();
    assert!(annotation.contains(cause), "{annotation}");
    for line in tree {
        assert!(deployed.said.contains(line), "{}", deployed.said);
        assert!(annotation.contains(line), "{annotation}");
        assert!(deployed.summary.contains(line), "{}", deployed.summary);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_what_cannot_come_is_named_with_all_that_waits_for_it() {
    let Some(_turn) = sandbox(Lane::Cluster) else {
        return;
    };
    let name = "set-claim";
    let mut database = deployment(name, "db", &python("import time; time.sleep(3600)"));
    database["kind"] = json!("StatefulSet");
    database["spec"]["serviceName"] = json!("db");
    database["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"},
        "spec": {"storageClassName": "gone", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}}]);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let claim = Set::new(name, vec![database, namespace]);

    // A webhook whose image is nowhere, and three objects that it guards.
    let mut objects = guarded("set-nowhere", 0, 0, vec![json!({}), json!({}), json!({})]).objects();
    for object in &mut objects {
        if object["kind"] == "Deployment" {
            object["spec"]["template"]["spec"]["containers"][0]["image"] =
                json!("python:no-such-tag");
        }
    }
    let nowhere = Set::new("set-nowhere", objects);
    let (claim, nowhere) = tokio::join!(
        claim.deploy(cluster(), "25s"),
        nowhere.deploy(cluster(), "40s"),
    );
    assert_eq!(claim.code, Some(124), "{}", claim.said);
    told(
        &claim,
        "timed out after 25s: StatefulSet set-claim/db ← pod db-0: PersistentVolumeClaim data-db-0: Pending: there is no StorageClass gone",
        &["there is no StorageClass gone"],
    );
    assert_eq!(nowhere.code, Some(124), "{}", nowhere.said);
    told(
        &nowhere,
        "timed out after 40s: 3 objects wait ← webhook set-nowhere.example ← Deployment set-nowhere/webhook ← pod webhook-",
        &[
            "Deployment set-nowhere/webhook: 0 of 1 ready: pod webhook-",
            "└─ ValidatingWebhookConfiguration set-nowhere.example",
            "├─ Widget set-nowhere/w0",
        ],
    );
}
