//! GitHub's REST API as far as `reap`, `teardown` and `doctor` ask it, on a port of this machine, in the documented shape. What
//! is also written to is [`forge`].

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

pub(crate) mod forge;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::get,
};
use serde_json::{Value, json};

/// What the tests send as `GITHUB_TOKEN`.
pub(crate) const TOKEN: &str = "ghs_a-token-of-the-tests";

/// A repository, as `doctor` finds it.
#[derive(Clone, Copy)]
pub(crate) struct Repository {
    /// When somebody pushed last.
    pub(crate) pushed_at: &'static str,
    /// Of `.github/workflows/reap.yml`.
    pub(crate) state: &'static str,
    /// Whether the token has `actions: read`.
    pub(crate) actions: bool,
}

impl Default for Repository {
    fn default() -> Self {
        Self {
            pushed_at: "2099-01-01T00:00:00Z",
            state: "active",
            actions: true,
        }
    }
}

type Runs = Arc<Mutex<BTreeMap<u64, Answer>>>;

/// What is answered about a run.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// Status and attempt.
    Run(&'static str, u32),
    /// An error of this status.
    Error(u16),
}

/// The API; it ends with the test.
pub(crate) struct GitHub {
    pub(crate) url: String,
    runs: Runs,
    jobs: Runs,
    _runtime: tokio::runtime::Runtime,
}

impl GitHub {
    /// One that knows of no run.
    pub(crate) fn start() -> Self {
        Self::of(Repository::default())
    }

    /// One that knows of no run, and this of every repository.
    pub(crate) fn of(about: Repository) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (runs, jobs) = (Runs::default(), Runs::default());
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        // As on GitHub Enterprise, below a path.
        let url = format!("http://{}/api/v3", listener.local_addr().unwrap());
        let router = Router::new()
            .route(
                "/api/v3/repos/{owner}/{repository}/actions/runs/{id}",
                get(run),
            )
            .with_state(Arc::clone(&runs))
            .merge(
                Router::new()
                    .route(
                        "/api/v3/repos/{owner}/{repository}/actions/jobs/{id}",
                        get(job),
                    )
                    .with_state(Arc::clone(&jobs)),
            )
            .merge(repositories(about));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            runs,
            jobs,
            _runtime: runtime,
        }
    }

    /// What it answers about a job from now on; its attempt is not looked at.
    pub(crate) fn says_of_job(&self, id: &str, answer: Answer) {
        self.jobs
            .lock()
            .unwrap()
            .insert(id.parse().unwrap(), answer);
    }

    /// What it answers about a run from now on.
    pub(crate) fn says(&self, run: &str, answer: Answer) {
        self.runs
            .lock()
            .unwrap()
            .insert(run.parse().unwrap(), answer);
    }
}

fn repositories(about: Repository) -> Router {
    let base = "/api/v3/repos/{owner}/{repository}";
    let repository = json!({"id": 7, "private": false, "pushed_at": about.pushed_at});
    let workflow = json!({"id": 1, "path": ".github/workflows/reap.yml", "state": about.state});
    let workflows = json!({"total_count": 1, "workflows": [workflow]});
    let runs = if about.actions {
        (
            StatusCode::OK,
            json!({"total_count": 0, "workflow_runs": []}),
        )
    } else {
        let message = "Resource not accessible by integration";
        (
            StatusCode::FORBIDDEN,
            json!({"message": message, "status": "403"}),
        )
    };
    let permission = [("x-accepted-github-permissions", "actions=read")];
    Router::new()
        .route(base, get(async move || Json(repository)))
        .route(
            &format!("{base}/actions/workflows"),
            get(async move || Json(workflows)),
        )
        .route(
            &format!("{base}/actions/runs"),
            get(async move || (runs.0, permission, Json(runs.1))),
        )
        // Releases, which are asked for by their head alone.
        .route("/downloads/{*path}", get(async || ""))
}

async fn job(
    State(jobs): State<Runs>,
    Path((_, _, id)): Path<(String, String, u64)>,
) -> (StatusCode, Json<Value>) {
    let answer = jobs.lock().unwrap().get(&id).copied();
    match answer {
        Some(Answer::Run(status, _)) => (
            StatusCode::OK,
            Json(json!({"id": id, "run_id": 42, "status": status})),
        ),
        Some(Answer::Error(status)) => {
            let message = json!({"message": "set by a test"});
            (StatusCode::from_u16(status).unwrap(), Json(message))
        }
        None => (StatusCode::NOT_FOUND, Json(json!({"message": "Not Found"}))),
    }
}

async fn run(
    State(runs): State<Runs>,
    Path((owner, repository, id)): Path<(String, String, u64)>,
    headers: HeaderMap,
) -> (StatusCode, Json<Value>) {
    let error = |status: StatusCode, message: &str| {
        let body = json!({
            "message": message,
            "documentation_url": "https://docs.github.com/rest/actions/workflow-runs#get-a-workflow-run",
            "status": status.as_u16().to_string(),
        });
        (status, Json(body))
    };
    let token = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    if token != Some(format!("Bearer {TOKEN}").as_str()) {
        return error(StatusCode::UNAUTHORIZED, "Bad credentials");
    }
    let answer = runs.lock().unwrap().get(&id).copied();
    match answer {
        None => error(StatusCode::NOT_FOUND, "Not Found"),
        Some(Answer::Error(status)) => {
            error(StatusCode::from_u16(status).unwrap(), "set by a test")
        }
        Some(Answer::Run(status, attempt)) => {
            let repository = format!("{owner}/{repository}");
            let api = format!("https://api.github.com/repos/{repository}");
            let over = status == "completed";
            let body = json!({
                "id": id,
                "name": "e2e",
                "node_id": "WFR_kwLOABCDEF",
                "head_branch": "main",
                "head_sha": "acb5820ced9479c074f688cc328bf03f341a511d",
                "path": ".github/workflows/e2e.yml",
                "run_number": 562,
                "event": "push",
                "display_title": "Prove it",
                "status": status,
                "conclusion": if over { json!("cancelled") } else { Value::Null },
                "workflow_id": 159_038,
                "url": format!("{api}/actions/runs/{id}"),
                "html_url": format!("https://github.com/{repository}/actions/runs/{id}"),
                "pull_requests": [],
                "created_at": "2026-11-21T10:00:00Z",
                "updated_at": "2026-11-21T10:30:00Z",
                "actor": {"login": "octocat", "id": 1},
                "run_attempt": attempt,
                "run_started_at": "2026-11-21T10:00:00Z",
                "triggering_actor": {"login": "octocat", "id": 1},
                "jobs_url": format!("{api}/actions/runs/{id}/jobs"),
                "cancel_url": format!("{api}/actions/runs/{id}/cancel"),
                "repository": {"id": 7, "full_name": repository, "private": false},
            });
            (StatusCode::OK, Json(body))
        }
    }
}
