use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::{
    notebook::fake::{Answer, server},
    report::Explain as _,
};

/// A cluster with a Service `web`, its pods, and a Deployment of them.
fn cluster(spec: Value, ready: &'static str) -> Client {
    server(move |request| {
        let path = request.uri().path();
        let status = json!({"conditions": [{"type": "Ready", "status": ready}]});
        let pod = json!({
            "metadata": {"name": "web-1", "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 8000}]}]},
            "status": status,
        });
        match path {
            "/api/v1/namespaces/n/services/web" => {
                Answer::Is(json!({"metadata": {"name": "web"}, "spec": spec}))
            }
            "/apis/apps/v1/namespaces/n/deployments/web" => Answer::Is(json!({
                "metadata": {"name": "web"},
                "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {}},
            })),
            "/api/v1/namespaces/n/pods" => {
                let query = request.uri().query().unwrap_or_default();
                assert!(query.contains("labelSelector=app%3Dweb"), "{query}");
                Answer::Is(json!({"metadata": {}, "items": [pod]}))
            }
            "/api/v1/namespaces/n/pods/web-1" => Answer::Is(pod),
            _ => Answer::Refuses(404),
        }
    })
}

fn ports() -> Value {
    json!({"selector": {"app": "web"}, "ports": [
        {"name": "a", "port": 80, "targetPort": 8080},
        {"name": "b", "port": 81, "targetPort": "http"},
        {"name": "c", "port": 82},
        {"name": "d", "port": 83, "targetPort": "gone"},
    ]})
}

async fn found(client: &Client, line: &str) -> Result<Found, NotebookError> {
    let forwards: Forwards = line.parse().unwrap();
    let forward = &forwards.0[0];
    find(client, forward, "n", &forward.ports[0].1).await
}

#[tokio::test]
async fn a_port_of_a_service_is_that_of_its_pod() {
    let client = cluster(ports(), "True");
    for (line, port) in [
        ("svc/web :80", 8080),
        ("svc/web :a", 8080),
        ("svc/web :81", 8000),
        ("svc/web :82", 82),
        ("deploy/web :5", 5),
        ("deploy/web :http", 8000),
        ("pod/web-1 :http", 8000),
    ] {
        let found = found(&client, line).await.unwrap();
        assert_eq!(found, Found::Pod("web-1".to_owned(), port), "{line}");
    }
    let mut headless = ports();
    headless["clusterIP"] = json!("None");
    let found = found(&cluster(headless, "True"), "svc/web :80")
        .await
        .unwrap();
    assert_eq!(found, Found::Pod("web-1".to_owned(), 80));
}

#[tokio::test]
async fn what_does_not_exist_is_an_input_that_is_wrong() {
    let client = cluster(ports(), "True");
    for (line, reason) in [
        ("svc/other :80", "it does not exist"),
        ("svc/web :8080", "it has no port 8080, only 80, 81, 82, 83"),
        ("svc/web :83", "its pod web-1 has no port 83"),
        ("pod/web-1 :https", "its pod web-1 has no port https"),
    ] {
        let error = found(&client, line).await.unwrap_err();
        assert_eq!(error.exit(), Exit::BadInput, "{line}");
        assert!(error.to_string().contains(reason), "{line}: {error}");
    }
    let bare = cluster(json!({"ports": [{"port": 80}]}), "True");
    let error = found(&bare, "svc/web :80").await.unwrap_err();
    assert!(error.to_string().contains("selects no pods"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_not_ready_is_waited_for_and_is_no_wrong_input() {
    let client = cluster(ports(), "False");
    let forwards: Forwards = "svc/web -n n :80".parse().unwrap();
    let began = tokio::time::Instant::now();
    let deadline = Deadline::after(Limit::secs(1200));
    let error = open(&client, &forwards, "m", deadline).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Infrastructure);
    assert!(error.to_string().contains("web-1 is not ready"), "{error}");
    assert!((READY..READY + Duration::from_secs(2)).contains(&began.elapsed()));
}

#[tokio::test]
async fn the_test_is_told_the_port_and_a_port_in_use_is_named() {
    let client = cluster(ports(), "True");
    let deadline = Deadline::after(Limit::secs(20));
    let forwards: Forwards = "svc/web :80 :81".parse().unwrap();
    let open = async |forwards: &Forwards| super::open(&client, forwards, "n", deadline).await;

    let opened = open(&forwards).await.unwrap();

    let names: Vec<&str> = opened.env.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["WEB_PORT", "WEB_PORT_80", "WEB_PORT_81"]);
    assert_eq!(opened.env[0].1, opened.env[1].1);
    let taken = &opened.env[0].1;
    TcpStream::connect(format!("127.0.0.1:{taken}"))
        .await
        .unwrap();
    let again: Forwards = format!("svc/web {taken}:80").parse().unwrap();
    let error = open(&again).await.unwrap_err();
    assert_eq!(error.exit(), Exit::BadInput);
    assert!(
        error.to_string().contains(&format!("port {taken}")),
        "{error}"
    );
    drop(opened);
    tokio::task::yield_now().await;
    open(&again).await.unwrap();
}
