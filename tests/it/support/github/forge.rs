//! GitHub as one that remembers: what is written is there when somebody looks, whoever wrote it. It refuses what GitHub
//! refuses, and a test may have it throttle, lose requests and answers, hold them back, forget, and end tokens.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

mod commits;
mod faults;
mod graphql;
mod pulls;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

pub(crate) use faults::Fault;
use faults::Faults;
pub(crate) use graphql::Comment;

/// The one address of GraphQL.
const GRAPHQL: &str = "/api/graphql";

/// What a request gets: status and body.
type Reply = (u16, Value);

/// Whose a token is, and what it may.
#[derive(Clone)]
pub(crate) struct Token {
    /// As GitHub names who writes with it.
    pub(crate) login: &'static str,
    /// The permissions to write.
    pub(crate) may: &'static [&'static str],
    /// So many requests, then it has ended.
    pub(crate) left: usize,
}

/// All permissions to write that are asked for here.
pub(crate) const ALL: &[&str] = &["statuses", "checks", "pull-requests"];

impl Default for Token {
    fn default() -> Self {
        Self {
            login: "github-actions[bot]",
            may: ALL,
            left: usize::MAX,
        }
    }
}

/// The repository `o/r`, as it is.
#[derive(Clone, Default)]
pub(crate) struct Repository {
    /// Whom it knows by their tokens.
    pub(crate) tokens: BTreeMap<String, Token>,
    /// Commits that are there.
    pub(crate) commits: Vec<String>,
    /// Statuses, the oldest first.
    pub(crate) statuses: Vec<Value>,
    /// Check runs, the oldest first.
    pub(crate) checks: Vec<Value>,
    /// The commit that pull request 7 ends at.
    pub(crate) head: String,
    /// Its branch: `owner:name`.
    pub(crate) label: String,
    /// Its comments, the oldest first.
    pub(crate) comments: Vec<Comment>,
    /// The same before the last change, as a copy that is behind has them.
    comments_before: Vec<Comment>,
    /// Its title, and the name of its branch.
    pub(crate) title: String,
    /// Of its branch; none where a fork was deleted.
    pub(crate) branch_of: Option<String>,
    /// `open` or `closed`.
    pub(crate) state: &'static str,
    /// Its labels.
    pub(crate) labels: BTreeSet<String>,
    /// The signs at comments, by their numbers.
    pub(crate) signs: Vec<(String, String)>,
    /// What people may, by their login.
    pub(crate) permissions: BTreeMap<&'static str, &'static str>,
    /// Comments of one page.
    pub(crate) page: usize,
    last_id: u64,
}

impl Repository {
    fn id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

#[derive(Default)]
struct Shared {
    repository: Mutex<Repository>,
    faults: Faults,
    asked: Mutex<Vec<String>>,
}

/// The server; it ends with the test.
pub(crate) struct Forge {
    pub(crate) url: String,
    shared: Arc<Shared>,
    _runtime: tokio::runtime::Runtime,
}

impl Forge {
    /// One that knows this commit, and the usual token of a workflow as `token`.
    pub(crate) fn with(commit: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        // As on GitHub Enterprise, below a path.
        let url = format!("http://{}/api/v3", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        runtime.spawn(async move { axum::serve(listener, router).await });
        let forge = Self {
            url,
            shared,
            _runtime: runtime,
        };
        let mut repository = forge.repository();
        repository.commits.push(commit.to_owned());
        commit.clone_into(&mut repository.head);
        repository.page = 100;
        repository.state = "open";
        repository.branch_of = Some("o/r".to_owned());
        repository
            .tokens
            .insert("token".to_owned(), Token::default());
        drop(repository);
        forge
    }

    /// What is there, to look at and to change.
    pub(crate) fn repository(&self) -> MutexGuard<'_, Repository> {
        self.shared.repository.lock().unwrap()
    }

    /// From now on what is asked for by requests that hold this text goes wrong, so many times.
    pub(crate) fn trouble(&self, on: &'static str, times: usize, fault: Fault) {
        self.shared.faults.add(on, times, fault);
    }

    /// Method and route of every request so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// How many requests hold this text.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.asked().iter().filter(|one| one.contains(text)).count()
    }
}

/// A request, before it is carried out.
struct Request {
    method: Method,
    /// Below the repository: `statuses/<sha>`.
    route: String,
    query: HashMap<String, String>,
    body: Value,
    /// Whether it is answered from a copy that is behind.
    is_stale: bool,
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut named = format!("{method} {}", uri.path());
    if uri.path() == GRAPHQL {
        named = format!("{named} {}", graphql::operation(&body));
    }
    shared.asked.lock().unwrap().push(named.clone());
    let fault = shared.faults.of(&named);
    if let Some(answer) = fault.before().await {
        return answer;
    }
    let request = Request {
        route: uri
            .path()
            .trim_start_matches("/api/v3/repos/o/r/")
            .to_owned(),
        body,
        method,
        query,
        is_stale: fault.is_stale(),
    };
    let token = headers.get("authorization");
    let token = token.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let (status, body) = {
        let mut repository = shared.repository.lock().unwrap();
        let before = repository.clone();
        let reply = carry_out(&mut repository, token, &request);
        if fault.is_forgotten() {
            *repository = before;
        }
        reply
    };
    if let Some(broken) = fault.after() {
        return broken;
    }
    let status = StatusCode::from_u16(status).unwrap();
    (status, Json(body)).into_response()
}

fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

fn error(status: u16, message: &str) -> Reply {
    (
        status,
        json!({"message": message, "status": status.to_string()}),
    )
}

fn carry_out(repository: &mut Repository, token: Option<&str>, request: &Request) -> Reply {
    let Some(known) = token.and_then(|token| repository.tokens.get_mut(token)) else {
        return error(401, "Bad credentials");
    };
    if known.left == 0 {
        return error(401, "Bad credentials");
    }
    known.left -= 1;
    let token = known.clone();
    if request.route == GRAPHQL {
        return graphql::carry_out(repository, &token, &request.body, request.is_stale);
    }
    let parts = request.route.split('/').map(decoded).collect::<Vec<_>>();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    commits::carry_out(repository, &token, request, &parts)
        .or_else(|| pulls::carry_out(repository, &token, request, &parts))
        .unwrap_or_else(|| error(404, "Not Found"))
}

/// Whether a token may write there; what GitHub says where not.
fn may(token: &Token, what: &str) -> Result<(), Reply> {
    if token.may.contains(&what) {
        Ok(())
    } else {
        Err(error(403, "Resource not accessible by integration"))
    }
}
