//! Refusals and faults of the server, and variables that cannot be.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{Router, response::IntoResponse as _, routing::get};

use super::*;
use crate::limits::Limit;

static ASKED: AtomicUsize = AtomicUsize::new(0);

async fn server() -> String {
    let run = |headers: HeaderMap| async move {
        if ASKED.fetch_add(1, Ordering::SeqCst) < 2 {
            return (StatusCode::BAD_GATEWAY, "a page of a proxy").into_response();
        }
        assert_eq!(headers[header::AUTHORIZATION], "Bearer a-token");
        r#"{"status": "completed", "conclusion": "failure"}"#.into_response()
    };
    let no = || async { (StatusCode::FORBIDDEN, r#"{"message": "not you"}"#) };
    let away = || async { (StatusCode::MOVED_PERMANENTLY, [("location", "1")]) };
    let router = Router::new()
        .route("/api/v3/repos/a/b/actions/runs/1", get(run))
        .route("/api/v3/repos/a/b/actions/runs/2", get(no))
        .route("/api/v3/repos/a/b/actions/runs/3", get(away));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, router).into_future());
    format!("http://{address}/api/v3/")
}

#[tokio::test]
async fn a_server_at_fault_is_asked_again_and_a_refusal_is_told() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let url = server().await;
    let env = Environment::of([
        ("GITHUB_API_URL", url.as_str()),
        ("GITHUB_TOKEN", "a-token\n"),
    ]);
    let api = Api::new(&env).unwrap();
    let deadline = Deadline::after(Limit::secs(30));
    let run = api.run("a/b", 1, deadline).await.unwrap().unwrap();
    assert!(run.is_over());
    assert_eq!((run.run_attempt, ASKED.load(Ordering::SeqCst)), (1, 3));
    let refused = api.run("a/b", 2, deadline).await.unwrap_err();
    let said = "GitHub did not tell about run 2 of a/b: 403: not you";
    assert_eq!(refused.to_string(), said);
    let moved = api.run("a/b", 3, deadline).await.unwrap();
    assert_eq!(moved, Some(run), "a repository that was renamed");
    assert_eq!(api.run("a/b", 4, deadline).await.unwrap(), None);
}

#[test]
fn a_variable_that_cannot_be_is_named_without_its_value() {
    for (name, value, reason) in [
        ("GITHUB_TOKEN", "a\nb", "failed to parse header value"),
        ("GITHUB_API_URL", "here", "relative URL without a base"),
        (
            "GITHUB_API_URL",
            "ftp://a",
            "its scheme is ftp, not http or https",
        ),
    ] {
        let error = Api::new(&Environment::of([(name, value)])).unwrap_err();
        let said = format!("{name} cannot be used: {reason}");
        assert_eq!(error.to_string(), said);
    }
}
