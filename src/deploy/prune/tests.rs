use serde_json::json;

use super::{deletion::wave, *};
use crate::{
    api::Resource,
    deploy::draft::Draft,
    limits::Limit,
    set::{objects, order::Existing, served::Served},
};

fn id(group: &str, kind: &str) -> ObjectId {
    ObjectId {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: None,
        name: "a".to_owned(),
    }
}

#[test]
fn what_others_stand_on_goes_last() {
    let order = [
        id("serving.kserve.io", "InferenceService"),
        id(
            "admissionregistration.k8s.io",
            "ValidatingWebhookConfiguration",
        ),
        id("apps", "Deployment"),
        id("", "Service"),
        id("", "PersistentVolumeClaim"),
        id("apiextensions.k8s.io", "CustomResourceDefinition"),
        id("", "Namespace"),
    ];
    assert!(order.is_sorted_by(|a, b| wave(a) < wave(b)));
    // Their controllers finalize them, whatever their groups end in.
    for (group, kind) in [
        ("kueue.x-k8s.io", "ClusterQueue"),
        ("gateway.networking.k8s.io", "Gateway"),
    ] {
        assert_eq!(wave(&id(group, kind)), 0, "{group}");
    }
    assert_eq!(
        wave(&id("networking.k8s.io", "Ingress")),
        wave(&id("", "Service"))
    );
}

#[test]
fn an_object_is_ours_as_long_as_the_server_says_so() {
    let noted = |manager: &str, operation: &str| json!({"uid": "7", "managedFields": [{"manager": manager, "operation": operation}]});
    let bare = json!({"uid": "7"});
    let sent = |mark: &str| Sent {
        content: "c".to_owned(),
        mark: mark.to_owned(),
    };
    for (metadata, mark, expected) in [
        (noted("manifests-e2e", "Apply"), "", Whose::Ours),
        (noted("kubectl", "Update"), "00", Whose::Others),
        (noted("kubectl", "Update"), "", Whose::Others),
        (bare.clone(), "00", Whose::Others),
        (bare.clone(), "=7", Whose::Ours),
        (bare.clone(), "=8", Whose::Others),
        (bare, "", Whose::Unknown),
        (noted("before-first-apply", "Update"), "=7", Whose::Ours),
    ] {
        assert_eq!(whose(&metadata, &sent(mark)), expected, "{metadata} {mark}");
    }
}

#[test]
fn what_holds_other_things_is_no_plain_object() {
    for (group, kind, expected) in [
        ("", "Namespace", true),
        ("", "PersistentVolumeClaim", true),
        ("apiextensions.k8s.io", "CustomResourceDefinition", true),
        ("example.org", "Namespace", false),
        ("", "ConfigMap", false),
    ] {
        assert_eq!(holds(&id(group, kind)), expected, "{group} {kind}");
    }
}

#[tokio::test]
async fn what_an_api_that_is_down_may_have_is_not_forgotten() {
    let mut served = Served::default().with_stale(["down.example".to_owned()].into());
    served.insert(Resource {
        group: String::new(),
        version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        plural: "configmaps".to_owned(),
        namespaced: true,
    });
    let objects = objects::read(
        "x",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}",
    )
    .unwrap();
    let draft = Draft::for_server(objects, served, Existing::default());
    let graph = draft.graph(false);
    let plan = Plan::of(draft, graph).unwrap();
    let service = tower::service_fn(async |_: http::Request<kube::client::Body>| {
        Err::<http::Response<kube::client::Body>, _>(tower::BoxError::from("nobody is asked"))
    });
    let client = Client::new(service, "default");
    let left = ["down.example", "gone.example"].map(|group| {
        let sent = Sent {
            content: "c".to_owned(),
            mark: String::new(),
        };
        (id(group, "Widget"), sent)
    });
    let deadline = Deadline::after(Limit::secs(5));
    let nothing = Elsewhere::new();
    let pruning = decide(&client, &plan, left.into(), &nothing, Reach::All, deadline)
        .await
        .unwrap();
    assert_eq!(pruning.kept[0].0.group, "down.example");
    assert_eq!(pruning.forgotten, [id("gone.example", "Widget")]);
}

#[test]
fn a_right_that_is_missing_is_no_fault_of_the_set() {
    let error = |class: Class| PruneError::Refused {
        object: Box::new(id("", "ConfigMap")),
        refusal: Refusal {
            class,
            code: 403,
            message: "no".to_owned(),
            retry_after: None,
        },
    };
    assert_eq!(error(Class::Forbidden).exit(), Exit::Infrastructure);
    assert_eq!(error(Class::Denied).exit(), Exit::TestFailed);
}

/// A server on which each object is there, with fields of ours.
fn server() -> Client {
    let service = tower::service_fn(async |request: http::Request<kube::client::Body>| {
        let name = request.uri().path().rsplit('/').next().unwrap_or_default();
        let ours = json!([{"manager": "manifests-e2e", "operation": "Apply"}]);
        let live = json!({"metadata": {"name": name, "uid": name, "managedFields": ours}});
        let body = kube::client::Body::from(live.to_string().into_bytes());
        Ok::<_, tower::BoxError>(http::Response::new(body))
    });
    Client::new(service, "default")
}

#[tokio::test]
async fn what_another_inventory_has_stays_and_what_that_stands_on() {
    let mut served = Served::default();
    for (kind, plural, namespaced) in [
        ("ConfigMap", "configmaps", true),
        ("Namespace", "namespaces", false),
    ] {
        served.insert(Resource {
            group: String::new(),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced,
        });
    }
    let set = "{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: default}}";
    let objects = objects::read("x", set).unwrap();
    let draft = Draft::for_server(objects, served, Existing::default());
    let graph = draft.graph(false);
    let plan = Plan::of(draft, graph).unwrap();
    let named = |kind: &str, namespace: Option<&str>, name: &str| ObjectId {
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
        ..id("", kind)
    };
    let (shared, own) = (
        named("ConfigMap", Some("n"), "shared"),
        named("ConfigMap", Some("n"), "own"),
    );
    let (n, m) = (named("Namespace", None, "n"), named("Namespace", None, "m"));
    let left = [&shared, &own, &n, &m].map(|id| (id.clone(), Sent::default()));
    let elsewhere = Elsewhere::from([(shared.clone(), "b".to_owned())]);
    let deadline = Deadline::after(Limit::secs(5));
    let pruning = decide(
        &server(),
        &plan,
        left.into(),
        &elsewhere,
        Reach::All,
        deadline,
    )
    .await
    .unwrap();
    let doomed: Vec<_> = pruning.doomed.iter().map(|it| &it.id).collect();
    assert_eq!(doomed, [&own, &m]);
    assert_eq!(pruning.forgotten, [shared]);
    let reason = "ConfigMap n/shared of the inventory `b` needs it".to_owned();
    assert_eq!(pruning.kept, [(n, reason)]);
}

#[tokio::test]
async fn what_the_set_names_stays() {
    let mut served = Served::default();
    for (group, kind, plural) in [
        ("", "Pod", "pods"),
        ("", "Secret", "secrets"),
        ("", "Service", "services"),
        (
            "admissionregistration.k8s.io",
            "ValidatingWebhookConfiguration",
            "validatingwebhookconfigurations",
        ),
    ] {
        served.insert(Resource {
            group: group.to_owned(),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced: group.is_empty(),
        });
    }
    let text = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: 'n'}, spec: {containers: [{name: c, image: i, envFrom: [{secretRef: {name: named}}]}]}}\n---\n\
        {apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: w}, \
        webhooks: [{name: w, failurePolicy: Ignore, clientConfig: {service: {namespace: 'n', name: hook}}}]}";
    let objects = objects::read("x", text).unwrap();
    let draft = Draft::for_server(objects, served, Existing::default());
    let graph = draft.graph(false);
    let plan = Plan::of(draft, graph).unwrap();
    let left = [
        ("Secret", "named"),
        ("Secret", "other"),
        ("Service", "hook"),
        ("Service", "named"),
    ];
    let left = left.map(|(kind, name)| {
        let id = ObjectId {
            namespace: Some("n".to_owned()),
            name: name.to_owned(),
            ..id("", kind)
        };
        let sent = Sent {
            content: "c".to_owned(),
            mark: String::new(),
        };
        (id, sent)
    });
    let deadline = Deadline::after(Limit::secs(5));
    let nothing = Elsewhere::new();
    let pruning = decide(
        &server(),
        &plan,
        left.into(),
        &nothing,
        Reach::All,
        deadline,
    )
    .await
    .unwrap();
    let kept = pruning.kept.iter().map(|(id, why)| format!("{id}: {why}"));
    assert_eq!(
        kept.collect::<Vec<_>>(),
        [
            "Secret n/named: Pod n/p of the set names it",
            "Service n/hook: ValidatingWebhookConfiguration w of the set names it",
        ]
    );
    assert_eq!(pruning.doomed.len(), 2);
}
