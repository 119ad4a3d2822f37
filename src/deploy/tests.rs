//! Whole deployments against a server in this process, on a clock that does not wait.

mod jobs;
mod kinds;
mod leaving;
mod patience;
mod readiness;
mod recreate;
mod server;
mod times;
mod unserved;
mod views;
mod webhooks;

use http::Method;
use serde_json::{Value, json};

use super::*;
use crate::{
    api::Resource,
    deploy::draft::Draft,
    report::{Exit, Explain as _},
    set::{objects, order::Existing, served::Served},
};
use server::{Fault, Server};

fn plan(set: &str) -> Plan {
    let mut served = Served::default();
    for (group, kind, plural) in [
        ("", "Namespace", "namespaces"),
        ("", "ConfigMap", "configmaps"),
        ("", "Pod", "pods"),
        ("apps", "Deployment", "deployments"),
        ("apps", "ReplicaSet", "replicasets"),
        ("apps", "StatefulSet", "statefulsets"),
        ("apps", "DaemonSet", "daemonsets"),
        ("batch", "Job", "jobs"),
        ("", "PersistentVolumeClaim", "persistentvolumeclaims"),
        ("storage.k8s.io", "StorageClass", "storageclasses"),
        ("discovery.k8s.io", "EndpointSlice", "endpointslices"),
        ("kubeflow.org", "Profile", "profiles"),
        ("", "Service", "services"),
        ("cert-manager.io", "Certificate", "certificates"),
        ("b.example", "Gizmo", "gizmos"),
        (
            "admissionregistration.k8s.io",
            "ValidatingWebhookConfiguration",
            "validatingwebhookconfigurations",
        ),
        (
            "apiextensions.k8s.io",
            "CustomResourceDefinition",
            "customresourcedefinitions",
        ),
    ] {
        served.insert(Resource {
            group: group.to_owned(),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced: !matches!(
                kind,
                "Namespace"
                    | "Profile"
                    | "StorageClass"
                    | "ValidatingWebhookConfiguration"
                    | "CustomResourceDefinition"
            ),
        });
    }
    let existing = Existing {
        namespaces: [("default".to_owned(), std::collections::BTreeMap::new())].into(),
    };
    let objects = objects::read("set.yaml", set).unwrap();
    let draft = Draft::for_server(objects, served, existing);
    let graph = draft.graph(false);
    Plan::of(draft, graph).unwrap()
}

const DEPLOYMENT: &str = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, \
                          spec: {template: {spec: {containers: []}}}}";
const CONFIG: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}";

const DEFINITION: &str = "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: widgets.a.example}, \
    spec: {group: a.example, scope: Namespaced, names: {kind: Widget, plural: widgets}, versions: [{name: v1, served: true}]}}";

/// The definition as the server has it.
fn established(uid: &str, version: &str) -> Value {
    let condition = |kind: &str| json!({"type": kind, "status": "True"});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": {},
        "metadata": {"name": "widgets.a.example", "uid": uid, "resourceVersion": version, "generation": 1},
        "status": {"conditions": [condition("Established"), condition("NamesAccepted")]}})
}

fn deployment(available: u64) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
           "metadata": {"name": "a", "namespace": "default", "uid": "u", "generation": 1, "resourceVersion": "2"},
           "spec": {"replicas": 1},
           "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": available}})
}

/// A pod of the deployment, as it is when its image is nowhere.
fn without_image() -> (Value, Value) {
    let owned = |name: &str, by: &str| {
        json!({"name": name, "namespace": "default", "uid": name, "resourceVersion": "2",
        "creationTimestamp": "2026-01-01T00:00:00Z", "ownerReferences": [{"controller": true, "uid": by}]})
    };
    let waiting =
        json!({"reason": "ImagePullBackOff", "message": "Back-off pulling image: not found"});
    let set = json!({"metadata": owned("rs", "u"), "spec": {"replicas": 1}});
    let pod = json!({"metadata": owned("a-1", "rs"), "spec": {"containers": [{"name": "c"}]},
        "status": {"phase": "Pending", "containerStatuses": [{"name": "c", "image": "gone:1", "state": {"waiting": waiting}}]}});
    (set, pod)
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_silent_for_two_minutes_is_lost_though_all_was_sent() {
    for fault in [
        Fault::Hangs,
        Fault::Resets,
        Fault::Says(503),
        Fault::Says(500),
    ] {
        let mut server = Server::new().lists("deployments", vec![vec![deployment(0)]]);
        server.faults = vec![(10, 100_000, fault)];
        let (result, took, _) = server.deploy(DEPLOYMENT, "45m").await;
        let error = result.unwrap_err();
        assert!(
            matches!(error, DeployError::Lost { .. }),
            "{fault:?}: {error}"
        );
        assert_eq!(error.exit(), Exit::Infrastructure);
        assert!((125..=135).contains(&took), "{fault:?}: {took}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_back_was_not_lost() {
    for fault in [
        Fault::Hangs,
        Fault::Resets,
        Fault::Says(503),
        Fault::Says(429),
    ] {
        let mut server = Server::new().lists("deployments", vec![vec![deployment(0)]]);
        server.faults = vec![(0, 30, fault), (40, 100, fault)];
        server.events = vec![(160, "deployments", deployment(1))];
        server.becomes = Some((160, deployment(1)));
        let (result, took, server) = server.deploy(DEPLOYMENT, "45m").await;
        result.unwrap();
        assert!((160..=176).contains(&took), "{fault:?}: {took}");
        let sent = server.sent.lock().unwrap().len();
        assert_eq!(sent, 1, "{fault:?}: it was accepted once");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_before_a_server_died_is_no_verdict() {
    // The watch has told that it is ready; that is the last that is heard.
    let mut server = Server::new().lists("deployments", vec![vec![deployment(0)]]);
    server.events = vec![(20, "deployments", deployment(1))];
    server.faults = vec![(18, 100_000, Fault::Hangs)];
    let (result, took, _) = server.deploy(DEPLOYMENT, "1m").await;
    let error = result.unwrap_err();
    assert_eq!(error.exit(), Exit::TimeLimit);
    assert!(
        error
            .to_string()
            .contains("the API server has not answered for 4"),
        "{error}"
    );
    assert_eq!(took, 60);
}

#[tokio::test(start_paused = true)]
async fn what_a_watch_says_is_looked_at_anew_before_it_counts() {
    // A watch that hangs: by a list it is not ready any more, nor by the list of a new watch, and later it is again.
    let (up, down) = (vec![deployment(1)], vec![deployment(0)]);
    let mut server = Server::new().lists("deployments", vec![up.clone(), down.clone(), down, up]);
    server.events = vec![(30, "deployments", deployment(1))];
    let (result, took, _) = server.deploy(DEPLOYMENT, "5m").await;
    result.unwrap();
    assert!((30..=32).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn it_ends_once_what_blocks_will_hardly_come() {
    let (set, pod) = without_image();
    let server = || {
        Server::new()
            .lists("deployments", vec![vec![deployment(0)]])
            .lists("replicasets", vec![vec![set.clone()]])
            .lists("pods", vec![vec![pod.clone()]])
    };
    let (result, took, _) = server().deploy(DEPLOYMENT, "45m").await;
    let error = result.unwrap_err();
    assert_eq!(error.exit(), Exit::TestFailed);
    assert_eq!(
        error.to_string(),
        "Deployment default/a ← pod a-1: image gone:1 cannot be pulled: not found (for 2m)"
    );
    assert!((120..=122).contains(&took), "{took}");

    // A registry that is out of reach says nothing of the manifests.
    let mut lost = pod.clone();
    lost["status"]["containerStatuses"][0]["state"]["waiting"]["message"] =
        json!("failed to resolve reference: dial tcp: lookup gcr.io: no such host");
    let unreached = server().lists("pods", vec![vec![lost]]);
    let (result, ..) = unreached.deploy(DEPLOYMENT, "45m").await;
    assert_eq!(result.unwrap_err().exit(), Exit::Infrastructure);

    // What waits for a controller is no hope where one is beyond help, but otherwise it is.
    let profile = "{apiVersion: kubeflow.org/v1, kind: Profile, metadata: {name: p}}";
    let (result, took, _) = server()
        .deploy(&format!("{DEPLOYMENT}\n---\n{profile}"), "45m")
        .await;
    assert_eq!(result.unwrap_err().exit(), Exit::TestFailed);
    assert!((120..=122).contains(&took), "{took}");
    let (result, ..) = server().deploy(profile, "20m").await;
    assert_eq!(result.unwrap_err().exit(), Exit::TimeLimit);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_a_controller_may_make_is_waited_for() {
    let member = CONFIG.replace("name: c", "name: c, namespace: made");
    let made = json!({"metadata": {"name": "made", "resourceVersion": "3"}, "status": {"phase": "Active"}});
    let set = format!("{DEPLOYMENT}\n---\n{member}");
    let mut server = Server::new().lists("deployments", vec![vec![deployment(1)]]);
    server.events = vec![(90, "namespaces", made.clone())];
    let server = server.lists("namespaces", vec![Vec::new(), vec![made]]);
    let (result, took, server) = server.deploy(&set, "45m").await;
    result.unwrap();
    assert!((90..=92).contains(&took), "{took}");
    let of_member = |(_, name): &&(u64, String)| name == "c";
    let times = server.sent.lock().unwrap().iter().filter(of_member).count();
    assert_eq!(times, 1);

    // Where nothing of the set could make it, not for long.
    for (set, seconds) in [(set, 180), (member, 60)] {
        let server = Server::new().lists("deployments", vec![vec![deployment(1)]]);
        let (result, took, _) = server.deploy(&set, "45m").await;
        let error = result.unwrap_err();
        assert_eq!(error.exit(), Exit::TestFailed);
        assert!(
            error.to_string().contains("namespace made does not exist"),
            "{error}"
        );
        assert!((seconds..=seconds + 5).contains(&took), "{took}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_wants_to_be_left_alone_is() {
    for (code, after, at) in [
        (429, "7", 7..=8),
        (503, "20", 20..=21),
        (429, "9999", 60..=61),
    ] {
        let server = Server::new();
        server.refusals.lock().unwrap().insert("c", (code, after));
        let (result, _, server) = server.deploy(CONFIG, "5m").await;
        result.unwrap();
        let sent = server.sent.lock().unwrap();
        assert_eq!(sent.len(), 2);
        assert!(at.contains(&sent[1].0), "{code} {after}: {sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_refusal_the_rest_is_sent_and_nothing_is_waited_for() {
    let server = Server::new();
    for name in ["c", "d"] {
        server.refusals.lock().unwrap().insert(name, (422, "0"));
    }
    let named = |name: &str| CONFIG.replace("name: c", &format!("name: {name}"));
    let mut many: Vec<String> = (0..40).map(|at| named(&format!("x{at}"))).collect();
    many.extend([DEPLOYMENT.to_owned(), named("d"), named("c")]);
    let (result, took, server) = server.deploy(&many.join("\n---\n"), "45m").await;
    let error = result.unwrap_err();
    assert_eq!(error.exit(), Exit::TestFailed);
    let text = format!("{error} {:?}", error.details());
    assert!(text.contains("refused ConfigMap default/d"), "{text}");
    assert!(text.contains("ConfigMap default/c: "), "{text}");
    assert_eq!(server.sent.lock().unwrap().len(), 43);
    assert!(took <= 1, "{took}");
}

#[tokio::test(start_paused = true)]
async fn what_only_would_come_up_better_goes_when_what_it_waits_for_is_beyond_help() {
    // The webhook's image is nowhere, so there will be no certificate; its user is applied all the same.
    let (set, pod) = without_image();
    let server = Server::new()
        .lists("deployments", vec![vec![deployment(0)]])
        .lists("replicasets", vec![vec![set]])
        .lists("pods", vec![vec![pod]]);
    let objects = "
{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: {metadata: {labels: {app: a}}, spec: {containers: []}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: a}}}
---
{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: w},
 webhooks: [{name: w, clientConfig: {service: {namespace: default, name: s}},
   rules: [{operations: [CREATE], apiGroups: [cert-manager.io], apiVersions: ['*'], resources: ['*']}]}]}
---
{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: cert}, spec: {secretName: tls}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: b}, spec: {template: {spec: {containers: [], volumes: [{secret: {secretName: tls}}]}}}}";
    let (result, _, server) = server.deploy(objects, "1m").await;
    let error = result.unwrap_err().to_string();
    let cause = "Deployment default/b waits ← Certificate default/cert ← webhook w ← Deployment default/a ← pod a-1: ";
    assert!(error.contains(cause), "{error}");
    let requests = server.sent.lock().unwrap();
    let mut names: Vec<&str> = requests.iter().map(|(_, name)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["a", "b", "s", "w"]);
}
