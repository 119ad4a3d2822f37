//! A proxy before a real API server that answers, for a while, as a server in trouble does.

#![expect(clippy::unwrap_used, reason = "what does not hold here fails the test")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::body::Body as Answered;
use futures::{StreamExt as _, stream};
use http::{Method, Request, Response, header};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use kube::{
    Client, Config,
    client::Body,
    config::{KubeConfigOptions, Kubeconfig},
};
use manifests_e2e::wait;
use serde_json::json;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// What is done in place of asking the server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// A code is answered, with `Retry-After` where it is given.
    Says(u16, Option<&'static str>),
    /// Connections are reset, those that are open and those to come.
    Resets,
    /// Nothing goes through, in either direction.
    Hangs,
}

/// A fault that begins when so many objects were accepted, and lasts for a while.
pub(crate) type Begins = (usize, Duration, Fault);

/// The proxy; it ends with this value.
pub(crate) struct Proxy {
    dir: tempfile::TempDir,
    state: Arc<State>,
    _accepting: JoinSet<()>,
}

struct State {
    upstream: Client,
    fault: watch::Sender<Option<Fault>>,
    faults: Vec<Begins>,
    /// When the faults that have begun are over.
    end: Mutex<Option<Instant>>,
    /// How often the server accepted each object, by path.
    accepted: Mutex<BTreeMap<String, usize>>,
}

impl Proxy {
    /// Stands before the server of a kubeconfig.
    pub(crate) async fn before(kubeconfig: &Path, faults: Vec<Begins>) -> Self {
        let file = Kubeconfig::read_from(kubeconfig).unwrap();
        let options = KubeConfigOptions::default();
        let mut config = Config::from_custom_kubeconfig(file, &options)
            .await
            .unwrap();
        config.default_retry = false;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            upstream: Client::try_from(config).unwrap(),
            fault: watch::Sender::new(None),
            faults,
            end: Mutex::default(),
            accepted: Mutex::default(),
        });
        let dir = tempfile::tempdir().unwrap();
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": server}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
        });
        std::fs::write(dir.path().join("kubeconfig"), text.to_string()).unwrap();
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, state.clone()));
        Self {
            dir,
            state,
            _accepting: accepting,
        }
    }

    /// What reaches the server through the proxy.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    /// How often each object was accepted, by path.
    pub(crate) fn accepted(&self) -> BTreeMap<String, usize> {
        self.state.accepted.lock().unwrap().clone()
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        // Whatever is ended from this side is reset.
        stream.set_zero_linger().unwrap();
        let state = state.clone();
        connections.spawn(async move {
            let service = hyper::service::service_fn(|request| answer(state.clone(), request));
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            // It ends as the fault wants, or with the client.
            drop(connection.await);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Answered>, Failed> {
    let mut fault = state.fault.subscribe();
    let now = *fault.borrow_and_update();
    match now {
        Some(Fault::Says(code, after)) => {
            let mut response = Response::builder().status(code);
            if let Some(after) = after {
                response = response.header(header::RETRY_AFTER, after);
            }
            let text = json!({"kind": "Status", "status": "Failure", "code": code, "message": "in trouble"});
            return Ok(response.body(text.to_string().into())?);
        }
        Some(Fault::Resets) => return Err("reset".into()),
        Some(Fault::Hangs) => {
            fault.wait_for(Option::is_none).await?;
        }
        None => {}
    }
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(Answered::new(body), usize::MAX).await?;
    let path = parts.uri.path().to_owned();
    let target = parts.uri.path_and_query();
    let target = target.map_or("/", |it| it.as_str()).to_owned();
    let is_apply = parts.method == Method::PATCH && !target.contains("dryRun");
    let mut asked = Request::builder().method(parts.method).uri(&target);
    for (name, value) in &parts.headers {
        if name != header::HOST && name != header::CONTENT_LENGTH {
            asked = asked.header(name, value);
        }
    }
    let response = state
        .upstream
        .send(asked.body(Body::from(bytes.to_vec()))?)
        .await?;
    if is_apply && response.status().is_success() {
        state.note(path);
    }
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(header::TRANSFER_ENCODING);
    let body = Answered::new(body);
    // What was done is told, or it would be done again; an answer that goes on for long meets the faults, too.
    if !target.contains("watch=true") {
        return Ok(Response::from_parts(parts, body));
    }
    let chunks = body.into_data_stream();
    let through = stream::unfold((chunks, fault), |(mut chunks, mut fault)| async move {
        loop {
            let now = *fault.borrow_and_update();
            match now {
                Some(Fault::Hangs) => {
                    fault.wait_for(Option::is_none).await.ok()?;
                }
                Some(Fault::Resets | Fault::Says(500.., _)) => {
                    return Some((Err("reset".into()), (chunks, fault)));
                }
                Some(Fault::Says(..)) | None => {}
            }
            tokio::select! {
                chunk = chunks.next() => {
                    let chunk = chunk?.map_err(Failed::from);
                    return Some((chunk, (chunks, fault)));
                }
                changed = fault.changed() => changed.ok()?,
            }
        }
    });
    Ok(Response::from_parts(parts, Answered::from_stream(through)))
}

impl State {
    fn note(self: &Arc<Self>, path: String) {
        let mut accepted = self.accepted.lock().unwrap();
        *accepted.entry(path).or_default() += 1;
        let all: usize = accepted.values().sum();
        let Some((_, lasts, fault)) = self.faults.iter().find(|(after, ..)| *after == all) else {
            return;
        };
        self.fault.send_replace(Some(*fault));
        // What was under way when a fault began may be enough for the next one: that one then lasts beyond it.
        let now = Instant::now();
        let mut last = self.end.lock().unwrap();
        let end = last.filter(|last| *last > now).unwrap_or(now) + *lasts;
        *last = Some(end);
        let state = self.clone();
        tokio::spawn(async move {
            wait::pause(end - now).await;
            if *state.end.lock().unwrap() == Some(end) {
                state.fault.send_replace(None);
            }
        });
    }
}
