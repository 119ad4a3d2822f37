//! Against real HTTP servers that answer as registries do.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{
    Router,
    extract::Request,
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};

use super::*;
use crate::limits::Limit;

/// Serves `answer` for every path; its address.
async fn server<F>(answer: F) -> String
where
    F: Fn(Request) -> Response + Clone + Send + Sync + 'static,
{
    drop(rustls::crypto::ring::default_provider().install_default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let router = Router::new().fallback(move |request: Request| {
        let answer = answer(request);
        async move { answer }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// What `/v2/` has to say for each path.
fn registry(has: &'static [&'static str]) -> impl Fn(Request) -> Response + Clone + Send + Sync {
    move |request| {
        let path = request.uri().path();
        let there = path == "/v2/" || has.contains(&path);
        let status = if there {
            StatusCode::OK
        } else {
            StatusCode::NOT_FOUND
        };
        status.into_response()
    }
}

async fn ask(mirrors: Vec<(String, Url)>, images: &[String]) -> Vec<Answer> {
    let registries = Registries::new(mirrors).unwrap();
    let images: Vec<Reference> = images
        .iter()
        .map(|image| Reference::parse(image).unwrap())
        .collect();
    let deadline = Deadline::after(Limit::secs(60));
    let answers = registries.ask(images.iter().cloned(), deadline).await;
    images.iter().map(|image| answers[image].clone()).collect()
}

fn mirror(registry: &str, address: &str) -> (String, Url) {
    let url = Url::parse(&format!("http://{address}")).unwrap();
    (registry.to_owned(), url)
}

#[tokio::test]
async fn a_registry_that_says_not_found_is_believed() {
    let address = server(registry(&["/v2/a/b/manifests/1"])).await;
    let images = [format!("{address}/a/b:1"), format!("{address}/a/b:2")];
    assert_eq!(
        ask(Vec::new(), &images).await,
        [
            Answer::There,
            Answer::Gone {
                by: format!("{address} answers 404")
            }
        ]
    );
}

#[tokio::test]
async fn anybodys_token_is_fetched_as_the_registry_says() {
    let realm = server(|request| {
        let query = request.uri().query().unwrap_or_default().to_owned();
        if query == "service=reg.example&scope=repository%3Aa%2Fb%3Apull" {
            r#"{"access_token": "anybody"}"#.into_response()
        } else {
            StatusCode::FORBIDDEN.into_response()
        }
    })
    .await;
    let address = server(move |request| {
        let headers: &HeaderMap = request.headers();
        let token = headers.get("authorization").and_then(|it| it.to_str().ok());
        match (token, request.uri().path()) {
            (Some("Bearer anybody"), "/v2/a/b/manifests/1") => StatusCode::OK.into_response(),
            (Some("Bearer anybody"), _) => StatusCode::NOT_FOUND.into_response(),
            _ => {
                let challenge =
                    format!("Bearer realm=\"http://{realm}/token\",service=\"reg.example\"");
                (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response()
            }
        }
    })
    .await;
    let images = ["a/b:1", "a/b:2", "c:1"].map(|image| format!("{address}/{image}"));
    let answers = ask(Vec::new(), &images).await;
    assert_eq!(answers[0], Answer::There);
    assert!(matches!(answers[1], Answer::Gone { .. }), "{answers:?}");
    assert_eq!(
        answers[2],
        Answer::Unclear {
            host: address,
            reason: "without credentials it says 403 Forbidden: private, or not there".to_owned()
        }
    );
}

#[tokio::test]
async fn whatever_else_a_registry_says_proves_nothing() {
    for (status, reason) in [
        (401, "without credentials it says 401"),
        (403, "without credentials it says 403"),
        (429, "asked too often"),
        (500, "it answers 500"),
        (503, "it answers 503"),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let address = server(move |_| status.into_response()).await;
        let answers = ask(Vec::new(), &[format!("{address}/a:1")]).await;
        assert!(
            matches!(&answers[0], Answer::Unclear { reason: said, .. } if said.contains(reason)),
            "{status}: {answers:?}"
        );
    }
}

#[tokio::test]
async fn a_registry_that_is_out_of_order_is_asked_once() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let address = server(|_| {
        ASKED.fetch_add(1, Ordering::SeqCst);
        StatusCode::BAD_GATEWAY.into_response()
    })
    .await;
    let images: Vec<String> = (0..40).map(|tag| format!("{address}/a:{tag}")).collect();
    let answers = ask(Vec::new(), &images).await;
    assert!(
        answers
            .iter()
            .all(|it| matches!(it, Answer::Unclear { .. }))
    );
    assert_eq!(ASKED.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn nobody_listening_is_no_proof() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let answers = ask(Vec::new(), &["127.0.0.1:1/a:1".to_owned()]).await;
    assert!(
        matches!(&answers[0], Answer::Unclear { reason, .. } if reason.starts_with("it cannot be reached: ")),
        "{answers:?}"
    );
}

#[tokio::test]
async fn a_registry_that_knows_no_head_is_asked_by_get() {
    let address = server(|request| {
        if request.method() == Method::HEAD {
            StatusCode::NOT_IMPLEMENTED.into_response()
        } else {
            registry(&["/v2/a/manifests/1"])(request)
        }
    })
    .await;
    let images = [format!("{address}/a:1"), format!("{address}/a:2")];
    let answers = ask(Vec::new(), &images).await;
    assert_eq!(answers[0], Answer::There);
    assert!(matches!(answers[1], Answer::Gone { .. }));
}

#[tokio::test]
async fn mirrors_are_asked_first_and_alone_prove_nothing() {
    let hub = server(registry(&["/v2/library/a/manifests/1"])).await;
    let rest = server(registry(&["/v2/b/manifests/1"])).await;
    let own = server(registry(&["/v2/c/manifests/1"])).await;
    let mirrors = vec![mirror("127.0.0.1:1", &hub), mirror("_default", &rest)];
    let images = [
        "127.0.0.1:1/library/a:1".to_owned(),
        "127.0.0.1:1/library/a:2".to_owned(),
        format!("{own}/b:1"),
        format!("{own}/c:1"),
        format!("{own}/d:1"),
    ];
    let answers = ask(mirrors, &images).await;
    assert_eq!(answers[0], Answer::There);
    assert!(
        matches!(&answers[1], Answer::Unclear { host, reason } if host == "127.0.0.1:1" && reason.contains("answers 404")),
        "{answers:?}"
    );
    assert_eq!(answers[2..4], [Answer::There, Answer::There]);
    assert_eq!(
        answers[4],
        Answer::Gone {
            by: format!("http://{rest} and {own} answer 404")
        }
    );
}

#[test]
fn only_what_is_near_may_speak_without_tls() {
    for (registry, near) in [
        ("docker.io", false),
        ("quay.io", false),
        ("8.8.8.8:5000", false),
        ("10.99.0.1:5000", true),
        ("localhost:5000", true),
        ("registry:5000", true),
        ("[::1]:5000", true),
    ] {
        assert_eq!(guesses(registry).len() == 2, near, "{registry}");
    }
    assert_eq!(guesses("docker.io"), ["https://registry-1.docker.io/v2"]);
    assert_eq!(base_of(&Url::parse("https://m/").unwrap()), "https://m/v2");
    assert_eq!(
        base_of(&Url::parse("https://m/v2/hub").unwrap()),
        "https://m/v2/hub"
    );
}
