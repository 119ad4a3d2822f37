//! A redeploy that is killed right after each of its writes: the next run goes on from there, forwards or back.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{Method, Response},
};

use crate::it::{
    deploy::redeploy::{Set, exists, kubectl},
    support::{Lane, binary, cluster, sandbox, timeout},
};

const BASE: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: NAME}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: changes, namespace: NAME}
data: {k: base}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: leaves, namespace: NAME}
---
apiVersion: v1
kind: Service
metadata: {name: leaves, namespace: NAME}
spec: {ports: [{port: 80}]}
";

const NEXT: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: NAME}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: changes, namespace: NAME}
data: {k: next}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: comes, namespace: NAME}
data: {k: next}
";

/// A way to the cluster that tells of one write, once it is carried out, and never answers it.
struct Way {
    writes: AtomicUsize,
    fatal: usize,
    told: mpsc::Sender<()>,
    upstream: String,
    client: reqwest::Client,
}

async fn forward(State(way): State<Arc<Way>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().unwrap().to_string();
    let is_write = parts.method != Method::GET && !target.contains("dryRun=");
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let mut headers = parts.headers;
    headers.remove("host");
    let answer = way
        .client
        .request(parts.method, format!("{}{target}", way.upstream))
        .headers(headers)
        .body(body)
        .send()
        .await
        .unwrap();
    if is_write && way.writes.fetch_add(1, Ordering::SeqCst) + 1 == way.fatal {
        way.told.send(()).unwrap();
        std::future::pending::<()>().await;
    }
    let mut response = Response::builder().status(answer.status());
    response
        .headers_mut()
        .unwrap()
        .extend(answer.headers().clone());
    response.headers_mut().unwrap().remove("transfer-encoding");
    response
        .body(Body::from_stream(answer.bytes_stream()))
        .unwrap()
}

/// `kubectl proxy`: the cluster without TLS and without credentials.
struct Upstream {
    process: Child,
    address: String,
}

impl Upstream {
    fn start() -> Self {
        let mut process = Command::new("kubectl")
            .args(["proxy", "--port=0"])
            .env("KUBECONFIG", cluster())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap();
        Self {
            address: format!("http://{address}"),
            process,
        }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Deploys through a way that is fatal at one write; whether the process came to its end.
#[expect(
    clippy::disallowed_methods,
    reason = "a watch may be silent for longer"
)]
fn killed_at(set: &Set, text: &str, upstream: &Upstream, write: usize) -> bool {
    let (told, tells) = mpsc::channel();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let way = Arc::new(Way {
        writes: AtomicUsize::new(0),
        fatal: write,
        told,
        upstream: upstream.address.clone(),
        client: reqwest::Client::new(),
    });
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(forward).with_state(way);
    runtime.spawn(async move { axum::serve(listener, router).await });

    let kubeconfig = set.state.path().join("kubeconfig");
    let text_of = format!(
        "{{apiVersion: v1, kind: Config, current-context: a, clusters: [{{name: a, cluster: {{server: 'http://{address}'}}}}],\n\
         users: [{{name: a, user: {{}}}}], contexts: [{{name: a, context: {{cluster: a, user: a}}}}]}}"
    );
    std::fs::write(&kubeconfig, text_of).unwrap();
    let mut process = Command::new(binary())
        .args([
            "deploy-manifests",
            &set.write(text),
            "--inventory=killed",
            "--prune",
            &timeout(Duration::from_mins(1)),
        ])
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .env("RUNNER_TEMP", set.state.path())
        .env_remove("GITHUB_ACTIONS")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    loop {
        if tells.recv_timeout(Duration::from_millis(20)).is_ok() {
            process.kill().unwrap();
            process.wait().unwrap();
            runtime.shutdown_background();
            return false;
        }
        if let Some(status) = process.try_wait().unwrap() {
            assert!(status.success(), "write {write}: {status}");
            runtime.shutdown_background();
            return true;
        }
    }
}

#[test]
fn sandbox_a_redeploy_killed_after_any_write_is_taken_up_by_the_next() {
    let Some(_turn) = sandbox(Lane::Cluster) else {
        return;
    };
    drop(rustls::crypto::ring::default_provider().install_default());
    let set = Set::new("killed");
    let upstream = Upstream::start();
    let mut ended = 0;
    for write in 1..40 {
        for back in [false, true] {
            let (code, lines, _) = set.deploy(BASE, &["--prune"]);
            assert_eq!(code, Some(0), "{lines}");
            if killed_at(&set, NEXT, &upstream, write) {
                ended = write;
                break;
            }
            let (text, value) = if back { (BASE, "base") } else { (NEXT, "next") };
            let (code, lines, _) = set.deploy(text, &["--prune"]);
            assert_eq!(code, Some(0), "after write {write}: {lines}");
            let found = kubectl("-n killed get configmap changes -o jsonpath={.data.k}");
            assert_eq!(found.as_deref(), Some(value), "after write {write}");
            assert_eq!(
                exists("-n killed configmap comes"),
                !back,
                "after write {write}"
            );
            for left in ["configmap", "service"] {
                let left = format!("-n killed {left} leaves");
                assert_eq!(exists(&left), back, "after write {write}: {left}");
            }
            // And all of it is known again.
            let (code, lines, _) = set.deploy(text, &["--prune"]);
            assert_eq!(code, Some(0), "{lines}");
            assert_eq!(set.entry("ConfigMap NAME/changes")["unchanged"], true);
        }
        if ended > 0 {
            break;
        }
    }
    // Inventory, two objects, inventory, two deletions, inventory.
    assert!(ended >= 8, "it wrote only {} times", ended - 1);
}
