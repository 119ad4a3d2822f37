use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::Query,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use futures::StreamExt as _;
use serde_json::{Value, json};

use super::{objects::served_kinds, *};
use crate::logs::snapshot::{Object, Snapshot};

/// A server that speaks HTTP on this machine, and a client of it.
async fn server(router: Router) -> Server {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let config = kube::Config::new(format!("http://{address}").parse().unwrap());
    Server::new(
        Client::try_from(config).unwrap(),
        Duration::from_millis(700),
    )
}

fn status(code: u16) -> Response {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "as the test wants it", "reason": "X"});
    (StatusCode::from_u16(code).unwrap(), Json(body)).into_response()
}

fn discovery(resources: &[(&str, &str)]) -> Value {
    let resources: Vec<_> = resources
        .iter()
        .map(|(plural, kind)| json!({"resource": plural, "responseKind": {"kind": kind}, "verbs": ["list", "get"], "scope": "Namespaced"}))
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "items": [{"metadata": {"name": ""}, "versions": [{"version": "v1", "resources": resources}]}]})
}

#[tokio::test]
async fn a_failing_or_hanging_kind_is_a_gap_and_the_rest_is_there() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = tries.clone();
    let router = Router::new()
        .route("/version", get(|| async { Json(json!({"gitVersion": "v1.35.0"})) }))
        .route(
            "/api",
            get(|| async { Json(discovery(&[("pods", "Pod"), ("hangs", "Hang"), ("breaks", "Break"), ("denies", "Deny"), ("ages", "Age")])) }),
        )
        .route("/apis", get(|| async { Json(json!({"items": []})) }))
        .route(
            "/api/v1/pods",
            get(|Query(query): Query<std::collections::HashMap<String, String>>| async move {
                if query["continue"].is_empty() {
                    Json(json!({"metadata": {"continue": "a/b+c"}, "items": [{"metadata": {"name": "one"}}]}))
                } else {
                    assert_eq!(query["continue"], "a/b+c");
                    Json(json!({"metadata": {}, "items": [{"metadata": {"name": "two"}}]}))
                }
            }),
        )
        .route("/api/v1/hangs", get(|| async { std::future::pending::<Response>().await }))
        .route(
            "/api/v1/breaks",
            get(move || async move {
                counted.fetch_add(1, Ordering::SeqCst);
                status(500)
            }),
        )
        .route("/api/v1/denies", get(|| async { status(403) }))
        .route(
            "/api/v1/ages",
            get(|Query(query): Query<std::collections::HashMap<String, String>>| async move {
                static EXPIRED: AtomicUsize = AtomicUsize::new(0);
                if query["continue"].is_empty() {
                    let next = if EXPIRED.load(Ordering::SeqCst) == 0 { "x" } else { "" };
                    return Json(json!({"metadata": {"continue": next}, "items": [{"metadata": {"name": "aged"}}]})).into_response();
                }
                EXPIRED.store(1, Ordering::SeqCst);
                status(410)
            }),
        );
    let server = server(router).await;
    let snapshot = Mutex::new(Snapshot::empty("test"));
    objects::collect(&server, &snapshot).await;
    let snapshot = snapshot.into_inner().unwrap();
    let mut names: Vec<_> = snapshot
        .objects
        .iter()
        .map(|o| (o.kind.as_str(), o.name()))
        .collect();
    names.sort_unstable();
    assert_eq!(names, [("Age", "aged"), ("Pod", "one"), ("Pod", "two")]);
    let mut gaps: Vec<_> = snapshot
        .gaps
        .iter()
        .map(|gap| format!("{} {}", gap.file, gap.error))
        .collect();
    gaps.sort();
    assert_eq!(
        gaps,
        [
            "cluster-state/test/*/v1/break 500: as the test wants it",
            "cluster-state/test/*/v1/deny 403: as the test wants it",
            "cluster-state/test/*/v1/hang no answer within 0.7s",
        ]
    );
    assert_eq!(tries.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn one_containers_refusal_does_not_cost_the_others_their_logs() {
    let asked = Arc::new(AtomicUsize::new(0));
    let router = Router::new().route(
        "/api/v1/namespaces/n/pods/p/log",
        get(
            move |Query(query): Query<std::collections::HashMap<String, String>>| async move {
                match (query["container"].as_str(), query["previous"].as_str()) {
                    ("proxy", _) => status(400),
                    ("app", "true") if asked.fetch_add(1, Ordering::SeqCst) == 0 => {
                        "unable to retrieve container logs for containerd://1".into_response()
                    }
                    (container, previous) => format!("{container} {previous}\n").into_response(),
                }
            },
        ),
    );
    let server = server(router).await;
    let mut snapshot = Snapshot::empty("test");
    let running = |name: &str, restarts: u8| json!({"name": name, "restartCount": restarts, "state": {"running": {}}});
    snapshot.objects.extend(crate::logs::snapshot::Object::of(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"},
        "spec": {"containers": [{"name": "proxy"}, {"name": "app"}, {"name": "late"}], "initContainers": [{"name": "init"}],
                 "ephemeralContainers": [{"name": "debug"}]},
        "status": {"phase": "Running",
            "containerStatuses": [running("proxy", 0), running("app", 2), {"name": "late", "restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff"}}}],
            "initContainerStatuses": [running("init", 0)], "ephemeralContainerStatuses": [running("debug", 0)]},
    })));
    let found: Vec<_> = containers::collect(&server, &snapshot, &HashSet::new())
        .collect()
        .await;
    let (mut logs, mut gaps) = (Vec::new(), Vec::new());
    for found in found {
        match found {
            Ok((_, log)) => logs.push(String::from_utf8(log.bytes).unwrap()),
            Err(gap) => gaps.push(gap.error),
        }
    }
    logs.sort();
    gaps.sort();
    assert_eq!(
        logs,
        ["app false\n", "app true\n", "debug false\n", "init false\n"]
    );
    assert_eq!(
        gaps,
        [
            "400: as the test wants it",
            "it has not started: ImagePullBackOff"
        ]
    );
}

#[tokio::test]
async fn a_dead_server_is_said_once_and_soon() {
    let config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let server = Server::new(Client::try_from(config).unwrap(), Duration::from_secs(5));
    let snapshot = Mutex::new(Snapshot::empty("test"));
    let started = tokio::time::Instant::now();
    objects::collect(&server, &snapshot).await;
    assert!(started.elapsed() < Duration::from_secs(3));
    let snapshot = snapshot.into_inner().unwrap();
    assert!(!snapshot.reached());
    assert_eq!(snapshot.gaps.len(), 2, "{:?}", snapshot.gaps);
}

#[test]
fn each_kind_is_listed_once_in_the_preferred_version() {
    let group = json!({"items": [{"metadata": {"name": "a.b"}, "versions": [
        {"version": "v1", "resources": [{"resource": "xs", "responseKind": {"kind": "X"}, "verbs": ["list"]}, {"resource": "reviews", "verbs": ["create"]}]},
        {"version": "v1beta1", "freshness": "Stale", "resources": [{"resource": "xs", "responseKind": {"kind": "X"}, "verbs": ["list"]}]},
    ]}]});
    let (kinds, stale) = served_kinds(&group);
    assert_eq!(kinds.len(), 1);
    assert_eq!(
        (kinds[0].api_version().as_str(), kinds[0].kind.as_str()),
        ("a.b/v1", "X")
    );
    assert_eq!(stale, ["a.b/v1beta1"]);
}

#[tokio::test]
async fn pages_that_came_stay_when_the_rest_does_not() {
    let page = async |Query(query): Query<std::collections::HashMap<String, String>>| {
        if !query["continue"].is_empty() {
            return std::future::pending::<Response>().await;
        }
        let item = json!({"metadata": {"name": "one", "managedFields": [{"manager": "x"}]}});
        Json(json!({"metadata": {"continue": "next"}, "items": [item]})).into_response()
    };
    let router = Router::new()
        .route(
            "/api",
            get(|| async { Json(discovery(&[("pods", "Pod"), ("secrets", "Secret")])) }),
        )
        .route("/api/v1/pods", get(page))
        .route("/api/v1/secrets", get(|| async { status(403) }));
    let server = server(router).await;
    let snapshot = Mutex::new(Snapshot::empty("test"));
    // Time is up before the second page is given up.
    let short = Duration::from_millis(400);
    drop(tokio::time::timeout(short, objects::collect(&server, &snapshot)).await);
    let snapshot = snapshot.into_inner().unwrap();
    let names: Vec<_> = snapshot.objects.iter().map(Object::name).collect();
    assert_eq!(names, ["one"]);
    assert!(
        snapshot.objects[0]
            .value
            .pointer("/metadata/managedFields")
            .is_none()
    );
    assert!(!snapshot.secrets_listed);
}

#[tokio::test]
async fn what_is_slow_is_read_to_its_end_and_what_falls_silent_is_kept_so_far() {
    let slow = async || {
        let pieces = futures::stream::unfold(0, async |piece| {
            wait::pause(Duration::from_millis(250)).await;
            let line = std::io::Result::Ok(format!("line {piece}\n"));
            (piece < 5).then_some((line, piece + 1))
        });
        axum::body::Body::from_stream(pieces).into_response()
    };
    let silent = async || {
        let pieces = futures::stream::once(async { std::io::Result::Ok("first line\nhalf a") })
            .chain(futures::stream::pending());
        axum::body::Body::from_stream(pieces).into_response()
    };
    let router = Router::new()
        .route("/api/v1/namespaces/n/pods/slow/log", get(slow))
        .route("/api/v1/namespaces/n/pods/silent/log", get(silent));
    let server = server(router).await;
    let mut snapshot = Snapshot::empty("test");
    snapshot
        .objects
        .extend(["slow", "silent"].map(|name| running_on(name, "a")));
    let found: Vec<_> = containers::collect(&server, &snapshot, &HashSet::new())
        .collect()
        .await;
    let mut logs: Vec<_> = found
        .into_iter()
        .map(|found| {
            found
                .map(|(key, log)| (key.pod, String::from_utf8(log.bytes).unwrap()))
                .unwrap()
        })
        .collect();
    logs.sort();
    assert_eq!(
        logs[0].1,
        "first line\n[… the rest is missing: no answer within 0.7s …]\n"
    );
    assert_eq!(logs[1].1, "line 0\nline 1\nline 2\nline 3\nline 4\n");
}

#[tokio::test]
async fn a_node_that_does_not_answer_is_not_asked_for_each_of_its_logs() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let hangs = async move || {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<Response>().await
    };
    let mut router = Router::new();
    let mut snapshot = Snapshot::empty("test");
    for number in 0..60 {
        let name = format!("p{number}");
        let node = if number % 4 == 0 { "well" } else { "hung" };
        let path = format!("/api/v1/namespaces/n/pods/{name}/log");
        router = match node {
            "well" => router.route(&path, get(|| async { "fine\n" })),
            _ => router.route(&path, get(hangs.clone())),
        };
        snapshot.objects.push(running_on(&name, node));
    }
    let server = server(router).await;
    let started = tokio::time::Instant::now();
    let found: Vec<_> = containers::collect(&server, &snapshot, &HashSet::new())
        .collect()
        .await;
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
    assert!(asked.load(Ordering::SeqCst) < 2 * CONCURRENCY);
    assert_eq!(found.iter().filter(|found| found.is_ok()).count(), 15);
    let said = found
        .iter()
        .filter_map(|found| found.as_ref().err())
        .filter(|gap| gap.error == "its node hung does not answer");
    assert!(said.count() > 20);
}

#[test]
fn containers_that_use_secrets_are_known() {
    let mut snapshot = Snapshot::empty("test");
    snapshot.objects.extend(Object::of(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"}, "spec": {
        "volumes": [{"name": "s", "secret": {"secretName": "x"}}, {"name": "t", "projected": {"sources": [{"serviceAccountToken": {}}]}}],
        "containers": [
            {"name": "env", "env": [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "x", "key": "p"}}}]},
            {"name": "from", "envFrom": [{"secretRef": {"name": "x"}}]},
            {"name": "mount", "volumeMounts": [{"name": "s", "mountPath": "/s"}]},
            {"name": "none", "volumeMounts": [{"name": "t", "mountPath": "/t"}]},
        ]}})));
    let mut found: Vec<_> = containers::with_secrets(&snapshot)
        .into_iter()
        .map(|key| key.container)
        .collect();
    found.sort();
    assert_eq!(found, ["env", "from", "mount"]);
}

fn running_on(name: &str, node: &str) -> Object {
    Object::of(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "n"},
        "spec": {"nodeName": node, "containers": [{"name": "c"}]},
        "status": {"containerStatuses": [{"name": "c", "restartCount": 0, "state": {"running": {}}}]},
    }))
    .unwrap()
}
