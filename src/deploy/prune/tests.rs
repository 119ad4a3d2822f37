use serde_json::json;

use super::*;
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
    let pruning = decide(&client, &plan, left.into(), Reach::All, deadline)
        .await
        .unwrap();
    assert_eq!(pruning.kept[0].0.group, "down.example");
    assert_eq!(pruning.forgotten, [id("gone.example", "Widget")]);
}
