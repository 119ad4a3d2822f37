//! The gates of a deployment: which webhook was asked how often, and what it said.

use tokio::time::Instant;

use crate::{
    cluster::request::Refusal,
    deploy::{
        Answer, Deployment, LONGEST, State,
        gate::{self, Probe},
        patience::Streak,
    },
    ready::Verdict,
    set::order::{EdgeReason, Graph, Guard, Until},
};

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
}

impl Gate {
    fn is_open(&self) -> bool {
        let guards_nothing = self.guard.objects.is_empty() && self.guard.pods.is_empty();
        guards_nothing || self.answers >= gate::ANSWERS
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
        };
        Self {
            gates: graph.guards.iter().map(gate).collect(),
        }
    }

    pub(super) fn answered(&mut self, at: usize, result: Result<(), Refusal>) {
        let gate = &mut self.gates[at];
        gate.asking = false;
        let wanted = result
            .as_ref()
            .err()
            .and_then(|refusal| refusal.retry_after);
        gate.next = Instant::now() + wanted.map_or(gate::APART, |it| it.min(LONGEST));
        match result {
            Ok(()) => {
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

    /// How many of those that guard something are open, and how many there are.
    pub(super) fn count(&self) -> (usize, usize) {
        let guarding = self
            .gates
            .iter()
            .filter(|gate| !gate.guard.objects.is_empty() || !gate.guard.pods.is_empty());
        guarding.fold((0, 0), |(open, all), gate| {
            (open + usize::from(gate.is_open()), all + 1)
        })
    }

    /// What a configuration is, as far as its gates tell.
    pub(super) fn verdict(&self, configuration: usize) -> Verdict {
        let closed = self
            .gates
            .iter()
            .find(|gate| gate.guard.configuration == configuration && !gate.is_open());
        match closed {
            None => Verdict::Ready,
            Some(gate) if gate.last.is_empty() => {
                Verdict::Waiting(format!("webhook {} was not asked yet", gate.guard.webhook).into())
            }
            Some(gate) => {
                let what = format!(
                    "webhook {} is not reachable: {}",
                    gate.guard.webhook, gate.last
                );
                Verdict::Waiting(what.into())
            }
        }
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
            match self.probe(&gate.guard) {
                Some((probed, probe)) => {
                    self.gates.gates[at].asking = true;
                    self.gates.gates[at].probed = probed;
                    let client = self.client.0.clone();
                    self.ask(async move { Answer::Gate(at, gate::ask(&client, &probe).await) });
                }
                None => "nothing that it guards can be sent yet"
                    .clone_into(&mut self.gates.gates[at].last),
            }
        }
    }

    /// Takes in how a webhook answered. A probe also meets the webhooks of the cluster: one that calls nobody would keep
    /// the gate closed for ever, and refuses the probed object all the same.
    pub(super) fn take_probe(&mut self, at: usize, result: Result<(), Refusal>) {
        let gate = &mut self.gates.gates[at];
        let (last, probed) = (gate.streak.take(), gate.probed);
        if let Err(refusal) = &result {
            let streak = self.streak(last, &refusal.class);
            self.find_configuration(&refusal.class);
            if streak.ends_a_probe() && self.items[probed].state == State::Held {
                self.give_up(probed, refusal.clone());
            }
            self.gates.gates[at].streak = Some(streak);
        }
        self.gates.answered(at, result);
    }

    /// What a configuration lacks that can be seen without asking.
    pub(super) fn missing_of_configuration(&self, at: usize) -> Option<String> {
        let id = &self.plan.objects[at].id;
        let view = self.watches.view();
        match view.get(&id.group_kind(), None, &id.name) {
            Some(live) => gate::missing(live, &view),
            None => Some("not seen yet".to_owned()),
        }
    }

    /// The first guarded object of which nothing else is missing than webhooks.
    fn probe(&self, guard: &Guard) -> Option<(usize, Probe)> {
        let can_go = |at: &&usize| {
            self.plan.graph.outside[**at].is_none()
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
            let (path, object) = (&self.plan.paths[at], &self.plan.objects[at]);
            return Some((at, Probe::object(path, object, given(at))));
        }
        let at = guard.pods.iter().copied().find(|at| can_go(&at))?;
        Some((at, Probe::pod(&self.plan.objects[at], given(at))?))
    }
}
