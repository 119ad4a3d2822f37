//! What a container wrote before it ended: whom it names there is perhaps what it ended for.
//!
//! Only Services of the set are looked for. Nothing of a log is shown or kept: it may hold secrets.

use std::collections::{BTreeMap, BTreeSet};

use http::Request;
use kube::{Client, client::Body};

use crate::{
    cluster::request::exchange,
    deploy::{Answer, Deployment},
    pod::{self, Why},
    set::facts::words,
};

/// What was found, and what was asked for.
#[derive(Debug, Default)]
pub(super) struct LastWords {
    asked: BTreeSet<usize>,
    /// The workloads and the Services that each object names in its last words.
    pub(super) named: BTreeMap<usize, BTreeSet<usize>>,
}

impl Deployment<'_> {
    /// Asks, once for each object, for the log of a container of it that has ended.
    pub(super) fn ask_last_words(&mut self) {
        if self.services.is_empty() {
            return;
        }
        for at in 0..self.items.len() {
            let Some(path) = self.log_of(at) else {
                continue;
            };
            if self.last_words.asked.insert(at) {
                let client = self.client.0.clone();
                self.ask(async move { Answer::LastWords(at, log(&client, &path).await) });
            }
        }
    }

    /// The path of the log of the container that keeps an object from being ready, where it has ended before.
    fn log_of(&self, at: usize) -> Option<String> {
        let missing = self.items[at].verdict.missing()?;
        let ended = |why: Why| matches!(why, Why::Crash | Why::OutOfMemory);
        let name = missing
            .pod
            .as_ref()
            .filter(|_| missing.why.is_some_and(ended))?;
        let namespace = self.plan.objects[at].id.namespace.as_deref()?;
        let view = self.watches.view();
        let pod = view.get("Pod.", Some(namespace), name)?;
        let mut troubles = pod::troubles(pod, &[]).into_iter();
        let trouble = troubles.find(|trouble| ended(trouble.why))?;
        let container = trouble.container?;
        let previous = trouble.restarts > 0;
        Some(format!(
            "/api/v1/namespaces/{namespace}/pods/{name}/log?container={container}&previous={previous}&tailLines=50&limitBytes=16384"
        ))
    }

    /// Takes in what a container wrote last.
    pub(super) fn take_last_words(&mut self, at: usize, log: &str) {
        let here = self.plan.objects[at].id.namespace.as_deref();
        let called = &self.plan.graph.called;
        let services = self.services.keys().map(|at| {
            let id = &self.plan.objects[*at].id;
            ((id.namespace.as_deref(), id.name.as_str()), *at)
        });
        let services: BTreeMap<_, usize> = services.collect();
        let named = words(log).flat_map(|word| {
            let mut parts = word.split('.');
            let name = parts.next().unwrap_or_default();
            let namespace = parts.next().or(here).unwrap_or_default();
            let workloads = called.get(&(namespace.to_owned(), name.to_owned()));
            let service = services.get(&(Some(namespace), name));
            workloads.into_iter().flatten().chain(service).copied()
        });
        let named: BTreeSet<usize> = named.filter(|on| *on != at).collect();
        self.last_words.named.insert(at, named);
    }
}

/// The end of a log; nothing where it cannot be had.
async fn log(client: &Client, path: &str) -> String {
    let Ok(request) = Request::get(path).body(Body::empty()) else {
        return String::new();
    };
    match exchange(client, request).await {
        Ok(answer) if answer.code == 200 => answer.text,
        _ => String::new(),
    }
}
