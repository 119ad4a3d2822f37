//! Signals to the stages at the end, which they do not stop, and the end of a launch that was never answered; against an
//! EC2 on this machine whose answers can be held back.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, extract::State, routing::any};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::it::support::aws::{Job, eventually, signal};

/// An EC2 that has one instance, which is no more, and holds back what it lists as long as it is told to.
struct Cloud {
    url: String,
    calls: Arc<Mutex<Vec<String>>>,
    held: watch::Sender<bool>,
    _runtime: tokio::runtime::Runtime,
}

impl Cloud {
    fn start(held: bool) -> Self {
        let (held, wait) = watch::channel(held);
        let calls = Arc::new(Mutex::new(Vec::new()));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .fallback(any(answer))
            .with_state((Arc::clone(&calls), wait));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            calls,
            held,
            _runtime: runtime,
        }
    }

    fn job(&self) -> Job {
        Job::new()
            .with("AWS_ENDPOINT_URL", &self.url)
            .with("AWS_REGION", "us-east-1")
            .with("AWS_ACCESS_KEY_ID", "key")
            .with("AWS_SECRET_ACCESS_KEY", "secret")
    }

    fn was_asked(&self, call: &str) {
        eventually(call, Duration::from_secs(20), || {
            let calls = self.calls.lock().unwrap();
            calls.iter().any(|one| one == call).then_some(())
        });
    }
}

type Shared = (Arc<Mutex<Vec<String>>>, watch::Receiver<bool>);

async fn answer(State((calls, mut held)): State<Shared>, form: String) -> String {
    let call = form.split(['=', '&']).nth(1).unwrap_or_default().to_owned();
    calls.lock().unwrap().push(call.clone());
    if call.starts_with("Describe") {
        held.wait_for(|held| !held).await.unwrap();
    }
    let found = if call == "DescribeInstances" {
        "<reservationSet><item><instancesSet><item><instanceId>i-1</instanceId><instanceState><name>terminated</name></instanceState></item></instancesSet></item></reservationSet>"
    } else {
        ""
    };
    format!("<{call}Response>{found}</{call}Response>")
}

#[test]
fn the_first_signal_to_a_teardown_ends_what_is_known_at_once_and_the_teardown_goes_on() {
    let cloud = Cloud::start(true);
    let job = cloud.job();
    job.has_launched(&json!({"instance_id": "i-1"}), &json!([]));
    let mut child = job.start_aloud(&["teardown", "--timeout=1m"]);
    cloud.was_asked("DescribeInstances");
    signal(&child, Signal::INT);
    // Although nothing was found yet.
    cloud.was_asked("TerminateInstances");
    cloud.held.send_replace(false);
    assert_eq!(child.wait().unwrap().code(), Some(0), "{}", job.said());
    assert!(
        job.said().contains("SIGINT: the teardown goes on"),
        "{}",
        job.said()
    );
    assert_eq!(job.output("terminated").as_deref(), Some("i-1"));
}

#[test]
fn the_second_signal_to_a_teardown_exits_at_once() {
    let cloud = Cloud::start(true);
    let job = cloud.job();
    job.has_launched(&json!({}), &json!([]));
    let mut child = job.start_aloud(&["teardown", "--timeout=1m"]);
    cloud.was_asked("DescribeInstances");
    signal(&child, Signal::INT);
    eventually("its word", Duration::from_secs(5), || {
        job.said().contains("SIGINT").then_some(())
    });
    assert!(child.try_wait().unwrap().is_none(), "{}", job.said());
    signal(&child, Signal::TERM);
    let again = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(again.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_signal_to_gather_logs_leaves_a_bundle() {
    // A cluster that takes connections and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let job = Job::new();
    let kubeconfig = json!({
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    });
    let file = job.path("kubeconfig");
    std::fs::write(&file, kubeconfig.to_string()).unwrap();
    let file = file.display().to_string();
    let mut child = job.start_aloud(&["gather-logs", "--kubeconfig", &file, "--timeout=8s"]);
    let _connection = listener.accept().unwrap();
    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(0), "{}", job.said());
    let said = job.said();
    assert!(
        said.contains("SIGINT: the logs are gathered all the same"),
        "{said}"
    );
    assert!(std::path::Path::new(&job.output("bundle").unwrap()).is_file());
}

#[test]
fn a_teardown_that_could_not_look_long_enough_for_a_launch_keeps_it_in_mind() {
    let cloud = Cloud::start(false);
    let job = cloud.job();
    job.has_launched(
        &json!({}),
        &json!([{"name": "RunInstances", "at": "2026-11-21T12:00:00Z", "intent": {"token": "t"}}]),
    );
    for _ in 0..2 {
        job.step(&["teardown", "--timeout=3s"])
            .exits(124)
            .says("an instance may not be listed yet");
        assert_eq!(job.record()["steps"][0]["result"], Value::Null);
    }
}
