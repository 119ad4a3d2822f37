//! The gates of a deployment: which webhook was asked how often, and what it said.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;
use tokio::time::Instant;

use crate::{
    api::list,
    cluster::{request::Refusal, view::View},
    deploy::{
        Answer, Deployment, LONGEST, State,
        gate::{self, Heard, Probe},
        patience::Streak,
    },
    ready::Verdict,
    set::order::{EdgeReason, Graph, Guard, Until},
};

/// What serves a webhook is among its endpoints within this long.
const FOUND: Duration = Duration::from_secs(30);
/// A webhook that nothing of the set is about to serve comes within this long, or hardly ever. It is stuck from then on, and
/// ends the deployment when it has been that for the time of what is stuck.
pub(super) const UNSERVED: Duration = Duration::from_mins(2);

/// Every gate of a deployment.
#[derive(Debug)]
pub(super) struct Gates {
    gates: Vec<Gate>,
}

#[derive(Debug)]
struct Gate {
    guard: Guard,
    answers: u8,
    asking: bool,
    next: Instant,
    /// What the last try met; empty where there was none.
    last: String,
    /// The object that it was asked about, and the refusals in a row that mean the same.
    probed: usize,
    streak: Option<Streak>,
    /// Objects that somebody else refuses before the webhook is asked.
    useless: BTreeSet<usize>,
}

impl Gate {
    fn is_open(&self) -> bool {
        !self.is_asked() || self.answers >= gate::ANSWERS
    }

    /// Whether it is asked at all. Of one that may fail the server would tell nothing: it goes on without it.
    fn is_asked(&self) -> bool {
        let guards = !self.guard.objects.is_empty() || !self.guard.pods.is_empty();
        guards && self.guard.fails
    }

    /// Nothing that it guards gets as far as the webhook: it is not held back any longer, and shows what is wrong with it.
    fn give_up(&mut self) {
        tracing::info!(
            "webhook {} cannot be asked, what it guards is sent: {}",
            self.guard.webhook,
            self.last
        );
        self.answers = gate::ANSWERS;
    }
}

impl Gates {
    pub(super) fn new(graph: &Graph) -> Self {
        let gate = |guard: &Guard| Gate {
            guard: guard.clone(),
            answers: 0,
            asking: false,
            next: Instant::now(),
            last: String::new(),
            probed: guard.configuration,
            streak: None,
            useless: BTreeSet::new(),
        };
        Self {
            gates: graph.guards.iter().map(gate).collect(),
        }
    }

    pub(super) fn answered(&mut self, at: usize, result: Result<Heard, Refusal>) {
        let gate = &mut self.gates[at];
        gate.asking = false;
        let wanted = result
            .as_ref()
            .err()
            .and_then(|refusal| refusal.retry_after);
        gate.next = Instant::now() + wanted.map_or(gate::APART, |it| it.min(LONGEST));
        match result {
            Ok(Heard::Another(said)) => {
                gate.useless.insert(gate.probed);
                gate.last = said;
            }
            Ok(Heard::Webhook) => {
                gate.answers += 1;
                gate.last.clear();
                if gate.is_open() {
                    tracing::info!("webhook {} is reachable", gate.guard.webhook);
                }
            }
            Err(refusal) => {
                gate.answers = 0;
                gate.last = refusal.message;
            }
        }
    }

    /// How many of those that are asked are open, and how many there are.
    pub(super) fn count(&self) -> (usize, usize) {
        let asked = self.gates.iter().filter(|gate| gate.is_asked());
        asked.fold((0, 0), |(open, all), gate| {
            (open + usize::from(gate.is_open()), all + 1)
        })
    }

    /// What a configuration lacks, as far as its gates tell.
    fn closed(&self, configuration: usize) -> Option<String> {
        let closed = self
            .gates
            .iter()
            .find(|gate| gate.guard.configuration == configuration && !gate.is_open())?;
        let webhook = &closed.guard.webhook;
        Some(if closed.last.is_empty() {
            format!("webhook {webhook} was not asked yet")
        } else {
            format!("webhook {webhook} is not reachable: {}", closed.last)
        })
    }

    /// What of the set serves a webhook of a configuration.
    fn backing(&self, configuration: usize, webhook: &str) -> &[usize] {
        let mut guards = self.gates.iter().map(|gate| &gate.guard);
        let guard = guards.find(|it| it.configuration == configuration && it.webhook == webhook);
        guard.map_or(&[], |guard| guard.backing.as_slice())
    }
}

impl Deployment<'_> {
    /// Asks the webhooks whose configuration is complete, and that are due.
    pub(super) fn ask_gates(&mut self) {
        if !self.aim.waits() {
            return;
        }
        let now = Instant::now();
        for at in 0..self.gates.gates.len() {
            let gate = &self.gates.gates[at];
            let configuration = gate.guard.configuration;
            if gate.is_open()
                || gate.asking
                || gate.next > now
                || self.items[configuration].state != State::Accepted
                || self.missing_of_configuration(configuration).is_some()
            {
                continue;
            }
            match self.probe(gate) {
                Some((probed, probe)) => {
                    let (client, guard) = (self.client.0.clone(), gate.guard.clone());
                    let gate = &mut self.gates.gates[at];
                    (gate.asking, gate.probed) = (true, probed);
                    self.ask(
                        async move { Answer::Gate(at, gate::ask(&client, &probe, &guard).await) },
                    );
                }
                None if !gate.useless.is_empty() => self.gates.gates[at].give_up(),
                None => "nothing that it guards can be sent yet"
                    .clone_into(&mut self.gates.gates[at].last),
            }
        }
    }

    /// Takes in how a webhook answered. A probe also meets the webhooks of the cluster: one that calls nobody would keep
    /// the gate closed for ever, and refuses the probed object all the same.
    pub(super) fn take_probe(&mut self, at: usize, result: Result<Heard, Refusal>) {
        let gate = &mut self.gates.gates[at];
        let (last, probed) = (gate.streak.take(), gate.probed);
        if let Err(refusal) = &result {
            let streak = self.streak(last, &refusal.class);
            self.find_configuration(&refusal.class);
            let is_over = streak.ends_a_probe() || self.misfits_a_new_definition(probed, refusal);
            if is_over && self.items[probed].state == State::Held {
                self.give_up(probed, refusal.clone());
            }
            self.gates.gates[at].streak = Some(streak);
        }
        self.gates.answered(at, result);
    }

    /// What a configuration is, as a view has it.
    pub(super) fn configuration(&self, at: usize, live: Option<&Value>, view: &View) -> Verdict {
        let Some(live) = live else {
            return Verdict::Waiting("not seen yet".into());
        };
        let missing = self
            .incomplete(at, live, view)
            .or_else(|| self.gates.closed(at));
        let Some(missing) = missing else {
            return Verdict::Ready;
        };
        let item = &self.items[at];
        let is_late = item
            .accepted_at
            .is_some_and(|when| when.elapsed() >= UNSERVED);
        let mut webhooks = list(&live["webhooks"]);
        if is_late && !webhooks.any(|webhook| self.comes_up(at, webhook)) {
            Verdict::Stuck(missing.into())
        } else {
            Verdict::Waiting(missing.into())
        }
    }

    /// What a configuration lacks that can be seen without asking. The server goes on without a webhook that may fail, and
    /// so do we, unless the set is about to bring it up.
    fn incomplete(&self, at: usize, live: &Value, view: &View) -> Option<String> {
        list(&live["webhooks"])
            .filter(|webhook| webhook["failurePolicy"] != "Ignore" || self.comes_up(at, webhook))
            .find_map(|webhook| gate::missing(webhook, view))
    }

    /// Whether something of the set is about to serve a webhook.
    fn comes_up(&self, at: usize, webhook: &Value) -> bool {
        let name = webhook["name"].as_str().unwrap_or_default();
        self.gates.backing(at, name).iter().any(|on| {
            let just_came = |when: Instant| when.elapsed() < FOUND;
            match self.items[*on].ready_at {
                Some(when) => just_came(when),
                None => !self.is_hopeless(*on),
            }
        })
    }

    fn missing_of_configuration(&self, at: usize) -> Option<String> {
        let id = &self.plan.objects[at].id;
        let view = self.watches.view();
        match view.get(&id.group_kind(), None, &id.name) {
            Some(live) => self.incomplete(at, live, &view),
            None => Some("not seen yet".to_owned()),
        }
    }

    /// The first guarded object of which nothing else is missing than webhooks, and that may tell something.
    fn probe(&self, gate: &Gate) -> Option<(usize, Probe)> {
        let guard = &gate.guard;
        let can_go = |at: &&usize| {
            !gate.useless.contains(*at)
                && self.plan.graph.outside[**at].is_none()
                && self.plan.graph.needs[**at].iter().all(|need| {
                    let item = &self.items[need.on];
                    matches!(
                        need.why,
                        EdgeReason::Webhook | EdgeReason::PodWebhook | EdgeReason::Certificate
                    ) || match need.until {
                        Until::Accepted => item.state == State::Accepted,
                        Until::Ready => item.was_ready(),
                    }
                })
        };
        let given = |at: usize| self.plan.given[at].clone();
        if let Some(at) = guard.objects.iter().copied().find(|at| can_go(&at)) {
            let (path, object) = (self.plan.path(at), &self.plan.objects[at]);
            return Some((at, Probe::object(path, object, given(at))));
        }
        let at = guard.pods.iter().copied().find(|at| can_go(&at))?;
        Some((at, Probe::pod(&self.plan.objects[at], given(at))?))
    }
}
