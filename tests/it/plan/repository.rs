//! A git repository that tests make, and GitHub's API for it on a port of this machine: what it answers, git tells.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A repository that commits are made in.
pub(super) struct Repository {
    dir: TempDir,
}

fn git_in(dir: &Path, words: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=o",
            "-c",
            "user.email=o@example.org",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(["-c", "protocol.file.allow=always"])
        .args(words)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    output.status.success().then(|| {
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end_matches('\n')
            .to_owned()
    })
}

impl Repository {
    /// One with this configuration as its first commit.
    pub(super) fn with(config: &str) -> (Self, String) {
        let one = Self {
            dir: TempDir::new().unwrap(),
        };
        one.git(&["init", "-q"]);
        one.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        let first = one.commit(&[("prow_config.yaml", config)]);
        (one, first)
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn git(&self, words: &[&str]) -> String {
        git_in(self.path(), words).unwrap_or_else(|| panic!("git {words:?}"))
    }

    /// Commits these files, by path and content, and tells the commit.
    pub(super) fn commit(&self, files: &[(&str, &str)]) -> String {
        for (path, content) in files {
            let path = self.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "a change"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// What actions/checkout leaves: this commit, with so much of its history, or all of it.
    pub(super) fn checkout(&self, commit: &str, depth: Option<u32>, into: &Path) -> PathBuf {
        fs::create_dir_all(into).unwrap();
        let run = |words: &[&str]| git_in(into, words).unwrap_or_else(|| panic!("git {words:?}"));
        run(&["init", "-q"]);
        run(&[
            "remote",
            "add",
            "origin",
            &format!("file://{}", self.path().display()),
        ]);
        let depth = depth.map(|depth| format!("--depth={depth}"));
        let mut words = vec!["fetch", "-q", "--no-tags"];
        words.extend(depth.as_deref());
        words.extend(["origin", commit]);
        if depth.is_none() {
            words.push("+refs/heads/*:refs/remotes/origin/*");
        }
        run(&words);
        run(&["checkout", "-q", "--detach", commit]);
        into.to_owned()
    }
}

/// What the API does beside telling the truth.
#[derive(Clone, Default)]
pub(super) struct Mood {
    /// So many requests are refused first, for having been too many.
    pub(super) spent: usize,
    /// A list of a tree ends after so many entries.
    pub(super) most_entries: Option<usize>,
    /// What is answered about each pull request.
    pub(super) pull: Value,
}

/// What was asked: routes, and whether a token came along.
type Asked = Arc<Mutex<Vec<(String, bool)>>>;

/// The API; it ends with the test.
pub(super) struct Api {
    pub(super) url: String,
    asked: Asked,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Clone)]
struct Served {
    repository: PathBuf,
    mood: Arc<Mutex<Mood>>,
    asked: Asked,
}

impl Api {
    pub(super) fn of(repository: &Repository, mood: Mood) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Asked::default();
        let served = Served {
            repository: repository.path().to_owned(),
            mood: Arc::new(Mutex::new(mood)),
            asked: Arc::clone(&asked),
        };
        let router = Router::new().fallback(answer).with_state(served);
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            asked,
            _runtime: runtime,
        }
    }

    pub(super) fn asked(&self) -> Vec<(String, bool)> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(
    State(served): State<Served>,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let has_token = headers.contains_key("authorization");
    served
        .asked
        .lock()
        .unwrap()
        .push((uri.to_string(), has_token));
    let mut mood = served.mood.lock().unwrap();
    if mood.spent > 0 {
        mood.spent -= 1;
        let reset = jiff::Timestamp::now().as_second();
        let headers = [
            ("x-ratelimit-remaining", "0".to_owned()),
            ("x-ratelimit-reset", reset.to_string()),
        ];
        let body = json!({"message": "API rate limit exceeded for 127.0.0.1."});
        return (StatusCode::FORBIDDEN, headers, Json(body)).into_response();
    }
    let route = uri.path().strip_prefix("/repos/o/r/").unwrap_or_default();
    match body(&served.repository, route, &query, &mood) {
        Some(body) => Json(body).into_response(),
        None => (StatusCode::NOT_FOUND, Json(json!({"message": "Not Found"}))).into_response(),
    }
}

fn body(dir: &Path, route: &str, query: &HashMap<String, String>, mood: &Mood) -> Option<Value> {
    let git = |words: &[&str]| git_in(dir, words);
    let (kind, rest) = route.split_once('/')?;
    match kind {
        "pulls" => (!mood.pull.is_null()).then(|| mood.pull.clone()),
        "compare" => {
            let (base, head) = rest.split_once("...")?;
            let found = git(&["merge-base", base, head])?;
            Some(json!({"status": "diverged", "merge_base_commit": {"sha": found}, "files": []}))
        }
        "contents" => {
            let reference = query.get("ref")?;
            let content = git(&["show", &format!("{reference}:{rest}")])?;
            Some(
                json!({"type": "file", "encoding": "base64", "path": rest, "content": STANDARD.encode(content + "\n") + "\n"}),
            )
        }
        "git" => match rest.split_once('/')? {
            ("commits", sha) => {
                git(&["cat-file", "-e", &format!("{sha}^{{commit}}")])?;
                Some(json!({"sha": sha}))
            }
            ("trees", sha) => tree(dir, sha, query.contains_key("recursive"), mood.most_entries),
            _ => None,
        },
        _ => None,
    }
}

fn tree(dir: &Path, sha: &str, deep: bool, most: Option<usize>) -> Option<Value> {
    let deep = if deep { &["-r", "-t"][..] } else { &[] };
    let list = git_in(dir, &[&["ls-tree", "-z"], deep, &[sha]].concat())?;
    let entry = |line: &str| {
        let (about, path) = line.split_once('\t')?;
        let about: Vec<&str> = about.split(' ').collect();
        Some(json!({"path": path, "mode": about[0], "type": about[1], "sha": about[2]}))
    };
    let mut all: Vec<Value> = list.split('\0').filter_map(entry).collect();
    let most = most.filter(|most| !deep.is_empty() && all.len() > *most);
    if let Some(most) = most {
        all.truncate(most);
    }
    Some(json!({"sha": sha, "tree": all, "truncated": most.is_some()}))
}
