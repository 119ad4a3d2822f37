//! Which images are asked for, and what is told of them, against a real HTTP server.

use axum::{Router, http::StatusCode, routing::get};

use super::*;
use crate::{limits::Limit, set::objects};

/// A registry that has `a:1`; its address.
async fn registry() -> String {
    drop(rustls::crypto::ring::default_provider().install_default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let router = Router::new()
        .route("/v2/", get(|| async { "" }))
        .route("/v2/a/manifests/1", get(|| async { "" }))
        .fallback(|| async { StatusCode::NOT_FOUND });
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn pod(name: &str, image: &str, policy: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: 'n'}}, spec: {{containers: \
         [{{image: '{image}', imagePullPolicy: {policy}}}]}}}}\n---\n"
    )
}

async fn found(text: &str, there: &[&str]) -> Vec<(Severity, String)> {
    let objects = objects::read("x", text).unwrap();
    let there: Vec<Reference> = there
        .iter()
        .map(|image| Reference::parse(image).unwrap())
        .collect();
    drop(rustls::crypto::ring::default_provider().install_default());
    let registries = Registries::new(Vec::new()).unwrap();
    let deadline = Deadline::after(Limit::secs(30));
    check(&objects, &there, &registries, deadline)
        .await
        .into_iter()
        .map(|it| (it.severity, it.message))
        .collect()
}

#[tokio::test]
async fn what_is_gone_is_told_with_who_uses_it() {
    let address = registry().await;
    let gone = format!("{address}/a:2");
    let mut text = pod("there", &format!("{address}/a:1"), "Always");
    for name in ["p", "q", "r", "s"] {
        text += &pod(name, &gone, "IfNotPresent");
    }
    text += "{apiVersion: x/v1, kind: Runtime, metadata: {name: t}, spec: {containers: [{image: 'x:{{tag}}'}]}}\n---\n";
    text += &pod("u", "No/Name", "Always");
    assert_eq!(
        found(&text, &[]).await,
        [
            (
                Severity::Problem,
                format!(
                    "{gone} does not exist: {address} answers 404; Pod n/p, Pod n/q, Pod n/r and 1 more use it"
                )
            ),
            (
                Severity::Problem,
                "`No/Name` is no name of an image; Pod n/u uses it".to_owned()
            ),
        ]
    );
    // What every node has is asked for only by those who want it anew each time.
    assert_eq!(found(&text, &[&gone]).await.len(), 1);
    let always = pod("p", &gone, "Always");
    assert_eq!(found(&always, &[&gone]).await.len(), 1);
}

#[tokio::test]
async fn what_is_never_pulled_has_to_be_there() {
    let text = pod("p", "127.0.0.1:1/a:1", "Never");
    assert_eq!(found(&text, &["127.0.0.1:1/a:1"]).await, []);
    assert_eq!(
        found(&text, &[]).await,
        [(
            Severity::Problem,
            "127.0.0.1:1/a:1 is never pulled (imagePullPolicy: Never), and not every node has it; Pod n/p uses it".to_owned()
        )]
    );
}

#[tokio::test]
async fn a_silent_registry_is_told_once() {
    let text: String = (0..5)
        .map(|at| pod(&format!("p{at}"), &format!("127.0.0.1:1/a:{at}"), "Always"))
        .collect();
    let found = found(&text, &[]).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let (severity, message) = &found[0];
    assert_eq!(*severity, Severity::Warning);
    assert!(
        message.starts_with(
            "127.0.0.1:1 does not say whether it has 127.0.0.1:1/a:0, 127.0.0.1:1/a:1, 127.0.0.1:1/a:2 and 2 more: \
             it cannot be reached: "
        ),
        "{message}"
    );
}
