//! A server whose aggregated API is down says so, and is asked again.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::{Request, Response};
use kube::client::Body;
use serde_json::json;

use super::*;

fn groups(freshness: &str, kinds: &[&str]) -> Value {
    let resources: Vec<Value> = kinds
        .iter()
        .map(|kind| json!({"resource": kind.to_lowercase(), "responseKind": {"kind": kind}, "scope": "Namespaced", "verbs": ["list"]}))
        .collect();
    json!({"items": [{"metadata": {"name": "projectcalico.org"}, "versions": [
        {"version": "v3", "freshness": freshness, "resources": resources}]}]})
}

/// A server whose aggregated API is down for the first `down` looks.
fn server(down: usize) -> (Client, Arc<AtomicUsize>) {
    let looks = Arc::new(AtomicUsize::new(0));
    let counted = looks.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let answer = match request.uri().path() {
            "/apis" if counted.fetch_add(1, Ordering::SeqCst) < down => groups("Stale", &[]),
            "/apis" => groups("Current", &["NetworkPolicy"]),
            "/api" => json!({"items": []}),
            _ => json!({"items": [
                {"metadata": {"name": "n", "labels": {"a": "b"}}},
                {"metadata": {"name": "going", "deletionTimestamp": "2026-01-01T00:00:00Z"}},
            ]}),
        };
        async move {
            Ok::<_, tower::BoxError>(Response::new(Body::from(answer.to_string().into_bytes())))
        }
    });
    (Client::new(service, "default"), looks)
}

fn needed(kind: &str) -> BTreeSet<(String, String)> {
    BTreeSet::from([("projectcalico.org".to_owned(), kind.to_owned())])
}

#[tokio::test(start_paused = true)]
async fn an_aggregated_api_that_is_down_for_a_while_is_asked_again() {
    let (client, looks) = server(5);
    let discovered = discover(&client, &needed("NetworkPolicy"), &BTreeSet::new())
        .await
        .unwrap();
    assert_eq!(looks.load(Ordering::SeqCst), 6);
    assert_eq!(discovered.resources[0].kind, "NetworkPolicy");
    assert_eq!(discovered.namespaces["n"]["a"], "b");
    assert!(
        !discovered.namespaces.contains_key("going"),
        "one that is being deleted counts as none"
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_stays_down_is_infrastructure_and_no_missing_kind() {
    let (client, looks) = server(usize::MAX);
    let error = discover(&client, &needed("NetworkPolicy"), &BTreeSet::new())
        .await
        .unwrap_err();
    assert!(matches!(error, DiscoverError::Stale { .. }), "{error}");
    assert_eq!(error.exit(), Exit::Infrastructure);
    let looks = looks.load(Ordering::SeqCst);
    assert!((60..=63).contains(&looks), "{looks}");
}

#[tokio::test(start_paused = true)]
async fn one_that_the_set_does_not_need_holds_nothing_up() {
    let (client, looks) = server(usize::MAX);
    let discovered = discover(&client, &BTreeSet::new(), &BTreeSet::new())
        .await
        .unwrap();
    assert_eq!(looks.load(Ordering::SeqCst), 1);
    assert!(discovered.stale.contains("projectcalico.org"));
}

#[test]
fn what_a_stale_version_said_last_is_still_there() {
    let (kinds, stale) = kinds(&groups("Stale", &["NetworkPolicy"]));
    assert_eq!(stale, ["projectcalico.org/v3"]);
    assert_eq!(kinds[0].resource.plural, "networkpolicy");
    assert!(kinds[0].listable);
}

#[tokio::test(start_paused = true)]
async fn namespaces_that_may_not_be_listed_are_looked_at_one_by_one() {
    let service = tower::service_fn(move |request: Request<Body>| {
        let denied = json!({"message": "namespaces is forbidden: User \"u\" cannot list resource \"namespaces\" in API group \"\""});
        let (code, answer) = match request.uri().path() {
            "/apis" | "/api" => (200, json!({"items": []})),
            "/api/v1/namespaces/own" => (
                200,
                json!({"metadata": {"name": "own", "labels": {"a": "b"}}}),
            ),
            "/api/v1/namespaces/gone" => (404, json!({"message": "not found"})),
            _ => (403, denied),
        };
        let answer = Response::builder()
            .status(code)
            .body(Body::from(answer.to_string().into_bytes()));
        async move { Ok::<_, tower::BoxError>(answer.unwrap()) }
    });
    let client = Client::new(service, "default");
    let within = ["own", "gone", "hidden"].map(str::to_owned).into();
    let discovered = discover(&client, &BTreeSet::new(), &within).await.unwrap();
    let names: Vec<&String> = discovered.namespaces.keys().collect();
    assert_eq!(names, ["hidden", "own"]);
    assert_eq!(discovered.namespaces["own"]["a"], "b");
}
