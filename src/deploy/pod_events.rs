//! What is told of a pod that is not ready and whose status does not say why: a volume that cannot be mounted, a probe that
//! fails.
//!
//! A cluster has too many events to watch them all, so they are asked for, pod by pod.

use std::{collections::HashMap, time::Duration};

use http::Request;
use kube::{Client, client::Body};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    cluster::request::exchange,
    deploy::{Answer, Deployment},
    pod::Why,
    ready,
};

/// A pod that takes no longer than this needs no explanation.
const SOON: Duration = Duration::from_secs(15);
/// The pause between two looks at one pod.
const AGAIN: Duration = Duration::from_secs(20);
/// How many pods are asked about at once.
const AT_ONCE: usize = 4;

/// Which pods were asked about.
#[derive(Debug, Default)]
pub(super) struct PodEvents {
    asking: usize,
    /// When each pod is asked about next, by its unique id.
    next: HashMap<String, Instant>,
}

impl Deployment<'_> {
    /// Asks about pods that have kept an object from being ready for a while.
    pub(super) fn ask_events(&mut self) {
        let now = Instant::now();
        for at in 0..self.items.len() {
            if self.pod_events.asking >= AT_ONCE {
                return;
            }
            let Some((uid, path)) = self.unexplained_pod(at) else {
                continue;
            };
            let next = self.pod_events.next.entry(uid.clone());
            let next = next.or_insert(now + SOON);
            if *next > now {
                continue;
            }
            *next = now + AGAIN;
            self.pod_events.asking += 1;
            let client = self.client.0.clone();
            self.ask(async move { Answer::PodEvents(uid, events(&client, &path).await) });
        }
    }

    /// The pod that keeps an object from being ready, where its status does not say why: its unique id, and the path of its
    /// events.
    fn unexplained_pod(&self, at: usize) -> Option<(String, String)> {
        let missing = self.items[at].verdict.missing()?;
        let id = &self.plan.objects[at].id;
        let name = match &missing.pod {
            Some(pod) => pod,
            None if id.is("", "Pod") => &id.name,
            None => return None,
        };
        let namespace = id.namespace.as_deref()?;
        let view = self.watches.view();
        let pod = view.get("Pod.", Some(namespace), name)?;
        match missing.why {
            None | Some(Why::NotReady | Why::Probe | Why::Volume | Why::Mount) => {}
            // It ended, and runs again: now it may fail for something else.
            Some(Why::Crash | Why::OutOfMemory) if ready::runs(pod) => {}
            Some(_) => return None,
        }
        let uid = pod["metadata"]["uid"].as_str()?;
        let path = format!(
            "/api/v1/namespaces/{namespace}/events?fieldSelector=involvedObject.uid%3D{uid}&limit=100"
        );
        Some((uid.to_owned(), path))
    }

    /// Takes in what is told of a pod; none where it could not be had.
    pub(super) fn take_events(&mut self, uid: &str, events: Option<Vec<Value>>) {
        self.pod_events.asking -= 1;
        if let Some(events) = events {
            self.watches.view().tell(uid, events);
        }
    }
}

async fn events(client: &Client, path: &str) -> Option<Vec<Value>> {
    let request = Request::get(path).body(Body::empty()).ok()?;
    let answer = exchange(client, request).await.ok()?;
    let mut answer: Value = serde_json::from_str(&answer.text).ok()?;
    match answer["items"].take() {
        Value::Array(events) => Some(events),
        _ => None,
    }
}
