//! Which objects go now.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    deploy::{
        Aim, Answer, CONCURRENCY, Deployment, REST, State,
        apply::{self, Mode},
    },
    ready::Verdict,
    set::order::{EdgeReason, Need, Strength, Until},
};

/// So long a soft edge holds after the other was accepted.
const PATIENCE: Duration = Duration::from_mins(10);

/// Whether an object may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// All it needs is there.
    Free,
    /// It goes although this is not there.
    Released(usize),
    /// Not yet.
    Blocked,
}

impl Deployment<'_> {
    /// Sends whatever may go, as far as there is room: first what was sent before, then by rank.
    pub(super) fn start(&mut self) {
        let now = Instant::now();
        for at in 0..self.items.len() {
            if self.sending >= CONCURRENCY {
                return;
            }
            if matches!(self.items[at].state, State::Due(due) if due <= now) {
                match self.items[at].leaving {
                    Some(_) => self.ask_there(at),
                    None => self.send(at),
                }
            }
        }
        let mut going = Vec::new();
        for (rank, wanted, at) in &self.held {
            if self.sending + going.len() >= CONCURRENCY {
                break;
            }
            match self.way(*at) {
                Way::Free => going.push((*rank, *wanted, *at, None)),
                Way::Released(on) => going.push((*rank, *wanted, *at, Some(on))),
                Way::Blocked => {}
            }
        }
        for (rank, wanted, at, released) in going {
            self.held.remove(&(rank, wanted, at));
            if let Some(on) = released.filter(|_| !self.only_sends()) {
                tracing::warn!(
                    "{} is applied although {} is not ready: {}",
                    self.plan.objects[at].id,
                    self.plan.objects[on].id,
                    self.items[on]
                        .verdict
                        .missing()
                        .cloned()
                        .unwrap_or_default()
                );
                self.items[at].released = true;
            }
            self.send(at);
        }
        if matches!(self.aim, Aim::Accepted | Aim::LastCall) {
            self.near_the_end();
        }
    }

    /// Without `wait`: once nothing moves by itself any more, what is held is sent as it is, and then given up.
    fn near_the_end(&mut self) {
        let is_due = |state: State| matches!(state, State::Due(_));
        let is_moving = self.sending > 0 || self.items.iter().any(|it| is_due(it.state));
        if self.held.is_empty() || is_moving {
            return;
        }
        if self.something_comes_by_itself() || self.a_kind_may_come() {
            return;
        }
        if self.aim == Aim::LastCall {
            for (.., at) in std::mem::take(&mut self.held) {
                self.items[at].state = State::Refused;
            }
        }
        self.aim = Aim::LastCall;
        self.notify.notify_one();
    }

    /// Whether something held needs no more than what the server is about to make of what it has accepted.
    fn something_comes_by_itself(&self) -> bool {
        let comes_by_itself = |need: &Need| {
            let other = &self.items[need.on];
            matches!(need.why, EdgeReason::Definition | EdgeReason::Namespace)
                && other.state == State::Accepted
                && !other.was_ready()
                && !matches!(other.verdict, Verdict::Failed(_))
        };
        let mut held = self.held.iter();
        held.any(|(.., at)| self.plan.graph.needs[*at].iter().any(comes_by_itself))
    }

    /// After a refusal: whether all else that may go is sent and answered.
    pub(super) fn rest_is_sent(&self) -> bool {
        let Aim::Rest { since, .. } = self.aim else {
            return false;
        };
        since.elapsed() >= REST || self.sending == 0 && !self.something_comes_by_itself()
    }

    fn way(&self, at: usize) -> Way {
        if self.is_outside(at) && self.aim != Aim::LastCall {
            return Way::Blocked;
        }
        if self.is_of_late_kind(at) {
            return Way::Blocked;
        }
        let mut released = None;
        for need in &self.plan.graph.needs[at] {
            if self.is_met(need) {
                continue;
            }
            let is_refused = self.items[need.on].state == State::Refused;
            let soft = need.strength == Strength::Soft
                && (is_refused
                    || need.until == Until::Ready
                        && (self.only_sends() || self.is_hopeless(need.on)));
            if soft || (self.aim == Aim::LastCall && is_late(need)) {
                released = Some(need.on);
            } else {
                return Way::Blocked;
            }
        }
        released.map_or(Way::Free, Way::Released)
    }

    /// Whether there is no use in waiting any longer for something soft.
    pub(super) fn is_hopeless(&self, at: usize) -> bool {
        let stuck = |at: usize| {
            matches!(
                self.items[at].verdict,
                Verdict::Stuck(_) | Verdict::Failed(_)
            )
        };
        let item = &self.items[at];
        let behind = self.plan.graph.explains[at]
            .iter()
            .any(|need| stuck(need.on));
        let late = item
            .accepted_at
            .is_some_and(|when| when.elapsed() >= PATIENCE);
        // What it cannot go without will hardly come either.
        let held_for_good = || {
            let mut needs = self.plan.graph.needs[at].iter();
            item.state == State::Held
                && needs.any(|need| {
                    need.strength == Strength::Hard
                        && !self.is_met(need)
                        && self.is_hopeless(need.on)
                })
        };
        item.state == State::Refused || stuck(at) || behind || late || held_for_good()
    }

    fn send(&mut self, at: usize) {
        let item = &mut self.items[at];
        item.state = State::Sending;
        item.tries += 1;
        item.sent_at.get_or_insert_with(Instant::now);
        self.sending += 1;
        let client = self.client.0.clone();
        let (path, given) = (self.plan.path(at).to_owned(), self.plan.given[at].clone());
        let body = self.plan.objects[at].body().clone();
        self.ask(async move {
            let result = apply::send(&client, &path, &body, Mode::Apply, &given).await;
            Answer::Object(at, result)
        });
    }
}

/// What is not waited for without `wait`, once all else is accepted.
fn is_late(need: &Need) -> bool {
    matches!(need.why, EdgeReason::Webhook | EdgeReason::Profile)
}
