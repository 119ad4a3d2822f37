//! A server in this process that answers as it is told, on tokio's clock.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::body::Body as Answered;
use futures::{StreamExt as _, stream};
use http::{Method, Request, Response};
use kube::client::Body;
use serde_json::{Value, json};

use super::{super::*, plan};
use crate::limits::Limit;

/// What the server does in place of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// Nothing, until it is over.
    Hangs,
    /// It ends the connection.
    Resets,
    /// It answers with a code.
    Says(u16),
}

/// What is answered to a method and the name at the end of a path, from one second to another.
pub(super) struct Says {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) method: Method,
    pub(super) name: &'static str,
    pub(super) code: u16,
    pub(super) body: Value,
}

/// A server, and what it will do when; times are seconds since its begin.
#[expect(clippy::struct_excessive_bools, reason = "each is a fault of its own")]
pub(super) struct Server {
    begun: Instant,
    pub(super) faults: Vec<(u64, u64, Fault)>,
    /// What is listed, by plural: each list is given once, the last one for ever.
    lists: Mutex<HashMap<&'static str, Vec<Vec<Value>>>>,
    /// From when on deployments are listed as this.
    pub(super) becomes: Option<(u64, Value)>,
    /// What a watch tells of a kind, and when.
    pub(super) events: Vec<(u64, &'static str, Value)>,
    /// Answers to what is applied, by name, before it is accepted: code and `Retry-After`.
    pub(super) refusals: Mutex<HashMap<&'static str, (u16, &'static str)>>,
    /// Answers that last.
    pub(super) says: Vec<Says>,
    /// Whether a deployment waits.
    pub(super) waits: bool,
    /// What its user says of kinds.
    pub(super) ready_when: ready::ReadyWhen,
    /// Whether a deployment waits for the pods of its namespaces.
    pub(super) waits_for_namespaces: bool,
    /// Whether nodes may be added.
    pub(super) grows: bool,
    /// Whether what cannot be changed is made anew.
    pub(super) recreates: bool,
    /// From when on, and how long, the list of a kind takes after it was made, by plural.
    pub(super) slow: Vec<(u64, u64, &'static str)>,
    /// How many seconds its clock is ahead of ours.
    pub(super) ahead: i64,
    /// What it warns of beside each answer to what is applied.
    pub(super) warning: Option<&'static str>,
    /// When each object was sent, by name.
    pub(super) sent: Mutex<Vec<(u64, String)>>,
    deleted: Mutex<Vec<String>>,
}

impl Server {
    pub(super) fn new() -> Self {
        Self {
            begun: Instant::now(),
            faults: Vec::new(),
            lists: Mutex::default(),
            becomes: None,
            events: Vec::new(),
            refusals: Mutex::default(),
            says: Vec::new(),
            waits: true,
            ready_when: ready::ReadyWhen::default(),
            waits_for_namespaces: false,
            grows: false,
            recreates: false,
            slow: Vec::new(),
            ahead: 0,
            warning: None,
            sent: Mutex::default(),
            deleted: Mutex::default(),
        }
    }

    pub(super) fn lists(self, plural: &'static str, lists: Vec<Vec<Value>>) -> Self {
        self.lists.lock().unwrap().insert(plural, lists);
        self
    }

    /// Answers a method on an object with this, from one second to another.
    pub(super) fn says(
        mut self,
        (from, to): (u64, u64),
        (method, name): (Method, &'static str),
        (code, body): (u16, Value),
    ) -> Self {
        self.says.push(Says {
            from,
            to,
            method,
            name,
            code,
            body,
        });
        self
    }

    /// When an object was sent.
    pub(super) fn times(&self, name: &str) -> Vec<u64> {
        let sent = self.sent.lock().unwrap();
        let of_it = sent.iter().filter(|(_, it)| it == name);
        of_it.map(|(at, _)| *at).collect()
    }

    /// What was deleted, by name.
    pub(super) fn deleted(&self) -> Vec<String> {
        self.deleted.lock().unwrap().clone()
    }

    fn seconds(&self) -> u64 {
        self.begun.elapsed().as_secs()
    }

    async fn until(&self, second: u64) {
        let moment = Duration::from_secs(second);
        wait::pause(moment.saturating_sub(self.begun.elapsed())).await;
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Answered>, tower::BoxError> {
        let is_applied = request.method() == Method::PATCH;
        let mut answer = self.respond(request).await?;
        let date = Timestamp::now() + jiff::SignedDuration::from_secs(self.ahead);
        let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        answer.headers_mut().insert("Date", date.parse()?);
        if let Some(warning) = self.warning.filter(|_| is_applied) {
            answer
                .headers_mut()
                .insert("Warning", format!("299 - \"{warning}\"").parse()?);
        }
        Ok(answer)
    }

    async fn respond(&self, request: Request<Body>) -> Result<Response<Answered>, tower::BoxError> {
        let now = self.seconds();
        let fault = self.faults.iter().find(|(a, b, _)| (*a..*b).contains(&now));
        match fault {
            Some((_, end, Fault::Hangs)) => self.until(*end).await,
            Some((.., Fault::Resets)) => return Err("connection reset by peer".into()),
            Some((.., Fault::Says(code))) => {
                let text = json!({"message": "the server is in trouble"}).to_string();
                return Ok(Response::builder().status(*code).body(text.into())?);
            }
            None => {}
        }
        let path = request.uri().path().to_owned();
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let query = request.uri().query().unwrap_or_default();
        let is_watch = query.contains("watch=true");
        if request.method() == Method::PATCH && !query.contains("dryRun") {
            let mut sent = self.sent.lock().unwrap();
            sent.push((self.seconds(), name.clone()));
        }
        if request.method() == Method::DELETE {
            self.deleted.lock().unwrap().push(name.clone());
        }
        let said = self.says.iter().find(|it| {
            let now = self.seconds();
            (it.from..it.to).contains(&now) && it.method == request.method() && it.name == name
        });
        if let Some(says) = said.filter(|_| !is_watch) {
            let answer = Response::builder().status(says.code);
            return Ok(answer.body(says.body.to_string().into())?);
        }
        if request.method() == Method::PATCH {
            if let Some((code, after)) = self.refusals.lock().unwrap().remove(name.as_str()) {
                let text = json!({"message": "refused for now"}).to_string();
                let refused = Response::builder()
                    .status(code)
                    .header("Retry-After", after);
                return Ok(refused.body(text.into())?);
            }
            let accepted = json!({"metadata": {"name": name, "uid": "u", "generation": 1}});
            return Ok(Response::new(accepted.to_string().into()));
        }
        if is_watch {
            let begun = self.begun;
            let told: Vec<_> = self
                .events
                .iter()
                .filter(|(at, plural, _)| *plural == name && *at >= now)
                .cloned()
                .collect();
            let told = stream::iter(told).then(move |(at, _, object)| async move {
                let moment = Duration::from_secs(at);
                wait::pause(moment.saturating_sub(begun.elapsed())).await;
                let event = json!({"type": "MODIFIED", "object": object});
                Ok::<_, std::io::Error>(format!("{event}\n"))
            });
            return Ok(Response::new(Answered::from_stream(
                told.chain(stream::pending()),
            )));
        }
        let list = self.listed(&name);
        let slow = self
            .slow
            .iter()
            .find(|(from, _, it)| *it == name && now >= *from);
        if let Some((_, span, _)) = slow {
            self.until(now + span).await;
        }
        Ok(Response::new(list.to_string().into()))
    }

    fn listed(&self, name: &str) -> Value {
        let mut lists = self.lists.lock().unwrap();
        let become_so = self.becomes.as_ref();
        let become_so = become_so.filter(|(at, _)| name == "deployments" && self.seconds() >= *at);
        let items = match become_so {
            Some((_, now)) => vec![now.clone()],
            None => match lists.get_mut(name) {
                Some(lists) if lists.len() > 1 => lists.remove(0),
                Some(lists) => lists[0].clone(),
                None => Vec::new(),
            },
        };
        json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items})
    }

    /// Deploys a set there; how it ended, after how many seconds, and what was done.
    pub(super) async fn deploy_all(
        self,
        set: &str,
        limit: &str,
    ) -> (Result<(), DeployError>, u64, Journal) {
        let (result, took, _, journal) = self.carry_out(set, limit).await;
        (result, took, journal)
    }

    /// Deploys a set there; how it ended, after how many seconds, and the server.
    pub(super) async fn deploy(
        self,
        set: &str,
        limit: &str,
    ) -> (Result<(), DeployError>, u64, Arc<Self>) {
        let (result, took, server, _) = self.carry_out(set, limit).await;
        (result, took, server)
    }

    async fn carry_out(
        self,
        set: &str,
        limit: &str,
    ) -> (Result<(), DeployError>, u64, Arc<Self>, Journal) {
        let server = Arc::new(self);
        let answering = server.clone();
        let service = tower::service_fn(move |request| {
            let server = answering.clone();
            async move { server.answer(request).await }
        });
        let client = Client::new(service, "default");
        let mut plan = plan(set).with_ready_when(&server.ready_when);
        plan.waits_for_namespaces = server.waits_for_namespaces;
        plan.grows = server.grows;
        plan.recreates = server.recreates;
        let limit: Limit = limit.parse().unwrap();
        let (waits, deadline) = (server.waits, Deadline::after(limit));
        let (journal, result) = carry_out(&client, &plan, Known::new(), waits, deadline).await;
        let took = server.seconds();
        (result, took, server, journal)
    }
}
