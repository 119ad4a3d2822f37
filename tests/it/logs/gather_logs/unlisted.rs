//! A server that does not list Secrets to this account.

use axum::{Json, Router, http::StatusCode, routing::get};
use serde_json::{Value, json};

use super::{Job, errors, kubeconfig, passed};

/// A server that serves pods and Secrets by these answers.
async fn served(secrets: StatusCode, printed: &'static str) -> String {
    let kind = |plural: &str, kind: &str| json!({"resource": plural, "responseKind": {"kind": kind}, "verbs": ["list"], "scope": "Namespaced"});
    let core = json!({"items": [{"metadata": {"name": ""}, "versions": [{"version": "v1", "resources": [kind("secrets", "Secret"), kind("pods", "Pod")]}]}]});
    let container = |name: &str| json!({"name": name, "restartCount": 0, "state": {"running": {}}});
    let pods = json!({"metadata": {}, "items": [{"metadata": {"name": "p", "namespace": "n"},
        "spec": {"containers": [{"name": "uses", "envFrom": [{"secretRef": {"name": "s"}}]}, {"name": "plain"}]},
        "status": {"containerStatuses": [container("uses"), container("plain")]}}]});
    let listed = json!({"metadata": {}, "items": [{"metadata": {"name": "s", "namespace": "n"}, "data": {"p": "aHVudGVyMi1odW50ZXIy"}}]});
    let secrets = move || async move {
        let refusal = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": secrets.as_u16(), "message": "secrets is forbidden", "reason": "Forbidden"});
        (
            secrets,
            Json(if secrets.is_success() {
                listed
            } else {
                refusal
            }),
        )
    };
    let router = Router::new()
        .route("/version", get(|| async { Json(json!({"major": "1", "minor": "35", "gitVersion": "v1.35.0", "gitCommit": "", "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "", "platform": ""})) }))
        .route("/api", get(|| async { Json(core) }))
        .route("/apis", get(|| async { Json(json!({"items": []})) }))
        .route("/api/v1/secrets", get(secrets))
        .route("/api/v1/pods", get(|| async { Json(pods) }))
        .route("/api/v1/namespaces/n/pods/p/log", get(move || async move { printed }))
        .fallback(|| async { Json(json!({})) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_list_secrets_is_said_first_and_no_log_that_may_hold_one_is_taken() {
    for (status, is_listed) in [(StatusCode::OK, true), (StatusCode::FORBIDDEN, false)] {
        let server = served(status, "logging in with hunter2-hunter2\nready\n").await;
        let job = Job::new();
        let file = kubeconfig(job.dir.path(), &server);
        passed(&job.gather(&["--kubeconfig", &file, "--timeout", "20s"]));
        let bundle = job.bundle();
        let log = |container: &str| {
            bundle.get(&format!(
                "cluster-state/other/namespaces/n/v1/pod/p/{container}/current.log"
            ))
        };
        let manifest: Value = serde_json::from_slice(&bundle["MANIFEST.json"]).unwrap();
        assert_eq!(log("uses").is_some(), is_listed);
        assert!(String::from_utf8_lossy(log("plain").unwrap()).contains("ready"));
        let warned = job.text("summary").starts_with(
            "> [!WARNING]\n> The cluster's Secrets could not be listed (403: secrets is forbidden)",
        );
        assert_eq!(warned, !is_listed, "{}", job.text("summary"));
        if is_listed {
            assert_eq!(manifest["secrets"], "listed");
            let leaks = bundle
                .iter()
                .find(|(_, bytes)| String::from_utf8_lossy(bytes).contains("hunter2-hunter2"));
            assert!(leaks.is_none(), "{:?}", leaks.map(|(path, _)| path));
        } else {
            assert_eq!(manifest["secrets"], "not listed: 403: secrets is forbidden");
            assert!(errors(&bundle, "p/uses/current.log")[0].contains("uses Secrets"));
        }
    }
}
