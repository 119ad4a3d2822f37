//! Carries a plan out: sends each object once when what it needs is there, and watches until all of it is ready.
//!
//! One loop, woken by answers and by watches; every decision is taken in [`Deployment::step`], which never waits.

pub mod apply;
pub mod cause;
mod company;
pub mod diff;
pub mod draft;
mod error;
mod failed;
pub mod gate;
mod gates;
pub mod inventory;
mod item;
mod journal;
mod known;
mod last_words;
mod late;
mod leaving;
mod look;
mod patience;
mod plan;
mod pod_events;
pub mod prune;
pub mod pulls;
mod pulse;
mod recreate;
mod stale;
mod start;
mod statuses;
mod unserved;
mod verdict;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use kube::Client;
use serde_json::Value;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
    time::Instant,
};

pub use error::DeployError;
pub use journal::{Journal, REPORT};
pub use known::{Known, unchanged};
pub use plan::Plan;

use item::{Aim, Item, State};

use crate::{
    cluster::{
        request::{ClientHandle, Refusal},
        view::View,
        watches::Watches,
    },
    deploy::{apply::Accepted, cause::Cause},
    limits::Deadline,
    progress::Bar,
    ready::{self, Verdict},
    report::one_line,
    wait::{self, Every, Status, WaitError},
};

/// How many requests are under way at once.
const CONCURRENCY: usize = 16;
/// The loop looks at least so often, for what time alone brings.
const LOOK: Every<'_> = Every::millis(100);
/// A server that wants to be left alone is asked again after so long at most.
const LONGEST: Duration = Duration::from_mins(1);
/// After a refusal the rest is sent, so that all that is wrong is told at once, for so long at most.
const REST: Duration = Duration::from_secs(20);

/// Group and kind of definitions.
const CRD: (&str, &str) = ("apiextensions.k8s.io", "CustomResourceDefinition");

/// A plan being carried out.
#[derive(Debug)]
struct Deployment<'a> {
    client: ClientHandle,
    plan: &'a Plan,
    aim: Aim,
    items: Vec<Item>,
    /// Held objects in the order in which they would go.
    held: BTreeSet<(u32, usize, usize)>,
    gates: gates::Gates,
    watches: Watches,
    notify: Arc<Notify>,
    answers: mpsc::UnboundedReceiver<Answer>,
    answer: mpsc::UnboundedSender<Answer>,
    requests: JoinSet<()>,
    sending: usize,
    started: Timestamp,
    begun: Instant,
    looked: Option<(u64, Instant)>,
    /// What was done when last something moved: accepted, and ready for the first time.
    done: (usize, usize),
    moved: Instant,
    /// When a verdict last changed.
    stirred: Instant,
    schemas: statuses::Schemas,
    company: company::Company,
    spoken: (Instant, String),
    /// What the server has warned of.
    warned: BTreeSet<String>,
    pulse: pulse::Pulse,
    stale: stale::Configurations,
    late: late::Asked,
    /// What the Services of the set look for.
    services: BTreeMap<usize, unserved::Wanted>,
    last_words: last_words::LastWords,
    pod_events: pod_events::PodEvents,
    /// The object that ended it, if one did.
    culprit: Option<usize>,
    bar: Bar,
}

#[derive(Debug)]
enum Answer {
    Object(usize, Result<Accepted, Refusal>),
    Gate(usize, Result<gate::Heard, Refusal>),
    /// What is there of an object that is being deleted.
    There(usize, Result<Option<Value>, Refusal>),
    /// What is served of the group and version of a kind that comes later.
    Kind(usize, Result<Option<Value>, Refusal>),
    /// What a container of an object wrote before it ended.
    LastWords(usize, String),
    /// What is told of a pod, by its unique id.
    PodEvents(String, Option<Vec<Value>>),
    /// That an object was deleted to be made anew, and what had kept it from being changed.
    Deleted(usize, Refusal, Result<(), Refusal>),
    /// The configuration of a webhook, where it was found.
    Configuration(String, Option<String>),
    /// The definition of the kind of an object, where there is one.
    Definition(usize, Result<Option<Value>, Refusal>),
    /// What was met where an answer was asked for.
    Pulse(Option<String>),
    /// What there is now, whatever the watches say.
    Snapshot(Result<View, String>),
}

/// Carries a plan out until everything is ready, or, without `wait`, until everything is accepted.
///
/// What is `known` to be on the server as it is wanted is not sent. The journal tells what was done, also where it failed.
pub async fn carry_out(
    client: &Client,
    plan: &Plan,
    known: Known,
    wait: bool,
    deadline: Deadline,
) -> (Journal, Result<(), DeployError>) {
    let mut deployment = Deployment::new(client, plan, wait);
    deployment.note_late_kinds();
    deployment.adopt(known);
    let notify = deployment.notify.clone();
    let what = if wait {
        "everything to be ready"
    } else {
        "everything to be accepted"
    };
    let result = wait::until(what, deadline, LOOK.or_when(&notify), || {
        std::future::ready(deployment.step())
    })
    .await;
    let result = result.map_err(|error| match error {
        WaitError::Failed(error) => error,
        WaitError::TimedOut { .. } => deployment.timed_out(deadline),
    });
    let causes = if result.is_err() {
        deployment.causes()
    } else {
        Vec::new()
    };
    let beside = if wait {
        deployment.broken_beside()
    } else {
        Vec::new()
    };
    for line in &beside {
        tracing::warn!("beside the set, in its namespaces: {line}");
    }
    deployment.requests.abort_all();
    (deployment.finish(causes, beside), result)
}

impl<'a> Deployment<'a> {
    fn new(client: &Client, plan: &'a Plan, wait: bool) -> Self {
        let notify = Arc::new(Notify::new());
        let (answer, answers) = mpsc::unbounded_channel();
        let mut watches = Watches::new(client.clone(), notify.clone());
        for (group, kind) in [("", "Namespace"), CRD] {
            if let Some(resource) = plan.served.preferred(group, kind) {
                watches.keep_if_shown(resource);
            }
        }
        let ranks = plan.graph.rank.iter().enumerate();
        Self {
            client: ClientHandle(client.clone()),
            plan,
            aim: if wait { Aim::Ready } else { Aim::Accepted },
            items: plan.objects.iter().map(|_| Item::held()).collect(),
            held: ranks
                .map(|(at, (rank, wanted))| (*rank, *wanted, at))
                .collect(),
            gates: gates::Gates::new(&plan.graph),
            watches,
            notify,
            answers,
            answer,
            requests: JoinSet::new(),
            sending: 0,
            started: Timestamp::now(),
            begun: Instant::now(),
            looked: None,
            done: (0, 0),
            moved: Instant::now(),
            stirred: Instant::now(),
            schemas: statuses::Schemas::default(),
            company: company::Company::default(),
            spoken: (Instant::now(), String::new()),
            warned: BTreeSet::new(),
            pulse: pulse::Pulse::new(),
            stale: stale::Configurations::default(),
            late: late::Asked::new(plan.late.len()),
            services: unserved::Wanted::all(plan),
            last_words: last_words::LastWords::default(),
            pod_events: pod_events::PodEvents::default(),
            culprit: None,
            bar: Bar::new(plan.objects.len()),
        }
    }

    /// Takes in what happened, decides what goes next. Never waits.
    fn step(&mut self) -> Result<Status<()>, DeployError> {
        while self.requests.try_join_next().is_some() {}
        while let Ok(answer) = self.answers.try_recv() {
            match answer {
                Answer::Object(at, result) => self.take(at, result),
                Answer::Gate(guard, result) => {
                    self.pulse
                        .note(result.as_ref().err().and_then(Refusal::silence));
                    self.take_probe(guard, result);
                }
                Answer::There(at, there) => self.take_there(at, there),
                Answer::Kind(number, served) => self.take_late_kind(number, served),
                Answer::LastWords(at, log) => self.take_last_words(at, &log),
                Answer::PodEvents(uid, events) => self.take_events(&uid, events),
                Answer::Deleted(at, why, deleted) => self.take_deleted(at, &why, deleted),
                Answer::Configuration(webhook, found) => self.stale.found(webhook, found),
                Answer::Definition(at, definition) => self.take_definition(at, definition),
                Answer::Pulse(met) => self.pulse.felt(met),
                Answer::Snapshot(result) => self.confirm(result),
            }
        }
        self.feel_pulse();
        self.look();
        self.ask_late_kinds();
        self.ask_gates();
        self.start();
        let verdict = self.verdict();
        self.pulse.is_confirmed = false;
        verdict
    }

    fn take(&mut self, at: usize, result: Result<Accepted, Refusal>) {
        self.sending -= 1;
        self.pulse
            .note(result.as_ref().err().and_then(Refusal::silence));
        match result {
            Ok(accepted) if accepted.is_leaving => self.await_end(at),
            Ok(accepted) => {
                for line in &accepted.taken {
                    tracing::warn!("{}: taken over: {line}", self.plan.objects[at].id);
                }
                for text in &accepted.warnings {
                    self.warn(at, text);
                }
                self.accept(at, accepted);
            }
            Err(refusal) => self.refuse(at, refusal),
        }
    }

    /// Tells once what the server warns of: hundreds of objects may be of one deprecated kind.
    fn warn(&mut self, at: usize, text: &str) {
        let text = one_line(text);
        if self.warned.insert(text.clone()) {
            tracing::warn!("{}: the API server warns: {text}", self.plan.objects[at].id);
        }
    }

    /// Whether nothing is waited for but to be accepted.
    fn only_sends(&self) -> bool {
        self.aim != Aim::Ready
    }

    /// The server has it: from now on it is judged.
    fn accept(&mut self, at: usize, accepted: Accepted) {
        let (object, rule) = (&self.plan.objects[at], self.plan.rule(at));
        let id = &object.id;
        // Without `wait` nothing but these is waited for; definitions and namespaces are in view anyway.
        let is_awaited = self.aim.waits() || id.is("kubeflow.org", "Profile");
        let is_generic = ready::is_generic(id, rule);
        let is_judged = ready::is_judged(id, rule) && (is_awaited || !is_generic);
        let item = &mut self.items[at];
        item.state = State::Accepted;
        item.accepted_at = Some(Instant::now());
        item.accepted = Some(accepted);
        if is_judged {
            item.verdict = Verdict::Waiting("not seen yet".into());
        } else {
            item.verdict = Verdict::Ready;
            item.ready_at.get_or_insert_with(Instant::now);
        }
        let holds_others = id.is("", "Namespace") || id.is(CRD.0, CRD.1);
        if is_judged && (is_awaited || holds_others) {
            let served = &self.plan.served;
            match self.plan.resource(at) {
                Some(own) if is_generic => self.watches.keep_if_shown(own),
                Some(own) => self.watches.keep(own),
                None => {}
            }
            for (group, kind) in ready::also_needs(id) {
                match served.preferred(group, kind) {
                    Some(also) if ready::only_explains(group, kind) => {
                        self.watches.keep_if_shown(also);
                    }
                    Some(also) => self.watches.keep(also),
                    None => {}
                }
            }
        }
        if self.aim.waits()
            && self.services.contains_key(&at)
            && let Some(pods) = self.plan.served.preferred("", "Pod")
        {
            self.watches.keep_if_shown(pods);
        }
        // What came is to be judged at once.
        self.looked = None;
    }

    fn finish(self, causes: Vec<Cause>, beside: Vec<String>) -> Journal {
        Journal {
            started: self.started,
            ended: Some(Timestamp::now()),
            objects: (0..self.items.len()).map(|at| self.entry(at)).collect(),
            causes,
            beside,
        }
    }
}

#[cfg(test)]
mod tests;
