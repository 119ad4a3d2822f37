//! How long a refusal counts as one that passes, and what becomes of an object when it does not.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    api::is_builtin,
    cluster::{
        errors::{Awaited, Class, MISFIT, OWN_DELETION, is_trouble},
        request::Refusal,
    },
    deploy::{Aim, Deployment, LONGEST, State},
    ready::Verdict,
    set::order::EdgeReason,
};

/// Without `wait`, a webhook may refuse so often while other objects are still sent.
const TRIES: u32 = 3;
/// An object is sent when the server has what it needs, and an API server takes that up within seconds: the kinds of a new
/// definition, a namespace, a service account. It is given this long.
pub(super) const SETTLED: Duration = Duration::from_mins(1);
/// The server refuses for this long what goes with a namespace or a definition that is being deleted.
const DELETED: Duration = Duration::from_mins(5);

/// Refusals in a row that mean the same.
#[derive(Clone, Debug)]
pub(super) struct Streak {
    class: Class,
    since: Instant,
}

impl Streak {
    /// Whether another try would not help.
    pub(super) fn is_over(&self) -> bool {
        let patience = match &self.class {
            Class::Missing(Awaited::Deletion) => DELETED,
            Class::Missing(_) | Class::StaleWebhook(_) => SETTLED,
            Class::Webhook { .. } | Class::Transient => return false,
            Class::Conflict(_) | Class::Denied | Class::Invalid | Class::Forbidden => return true,
        };
        self.since.elapsed() >= patience
    }

    /// Whether it is the end of an object that is only probed, as it would be if that was sent. What else refuses a probe
    /// may pass, or is said of the pod alone that a workload is probed with.
    pub(super) fn ends_a_probe(&self) -> bool {
        let refuses_both = matches!(
            &self.class,
            Class::Missing(Awaited::Definition | Awaited::Deletion) | Class::StaleWebhook(_)
        );
        refuses_both && self.is_over()
    }

    /// For how long they have come.
    pub(super) fn lasts(&self) -> Duration {
        self.since.elapsed()
    }

    /// Whether it may go on for ever: nothing of the set ends it, and it has lasted.
    pub(super) fn is_hopeless(&self) -> bool {
        let of_others = matches!(
            &self.class,
            Class::Transient
                | Class::Webhook {
                    of_the_set: false,
                    ..
                }
        );
        of_others && self.since.elapsed() >= SETTLED
    }
}

impl Deployment<'_> {
    /// Takes in a refusal: the object is sent again later, or given up.
    pub(super) fn refuse(&mut self, at: usize, refusal: Refusal) {
        tracing::debug!("{}: {}", self.plan.objects[at].id, refusal.message);
        // The object itself; that its namespace or its definition is being deleted is said otherwise.
        if refusal.message.contains(OWN_DELETION) {
            return self.await_end(at);
        }
        if self.recreate(at, &refusal) {
            return;
        }
        let last = self.items[at].streak.take();
        let streak = self.streak(last, &refusal.class);
        let many = self.items[at].tries >= TRIES;
        let last_try = !self.aim.waits()
            && match &refusal.class {
                Class::Webhook { .. } | Class::StaleWebhook(_) => many || self.aim == Aim::LastCall,
                Class::Missing(Awaited::Namespace | Awaited::Account) => many,
                _ => false,
            };
        if streak.is_over()
            || self.is_the_objects_fault(at, &refusal, &streak)
            || self.misfits_a_new_definition(at, &refusal)
        {
            return self.give_up(at, refusal);
        }
        self.find_configuration(&refusal.class);
        let state = if last_try {
            State::Refused
        } else {
            State::Due(Instant::now() + self.back_off(at, &refusal))
        };
        let item = &mut self.items[at];
        item.state = state;
        item.streak = Some(streak);
        item.refusal = Some(refusal);
    }

    /// Whether the server stumbles over this one object: it says the same again and again, of no trouble of its own, and
    /// answers all else.
    fn is_the_objects_fault(&self, at: usize, refusal: &Refusal, streak: &Streak) -> bool {
        let last = self.items[at].refusal.as_ref();
        refusal.code == 500
            && refusal.class == Class::Transient
            && !is_trouble(&refusal.message)
            && last.is_some_and(|last| last.message == refusal.message)
            && streak.lasts() >= SETTLED
            && self
                .pulse
                .silence()
                .is_none_or(|(silent, _)| silent < SETTLED / 2)
    }

    /// Whether it does not fit a definition that was not there before: no older one can be served still.
    pub(super) fn misfits_a_new_definition(&self, at: usize, refusal: &Refusal) -> bool {
        let is_new = |on: usize| {
            self.items[on]
                .accepted
                .as_ref()
                .is_some_and(|it| it.created)
        };
        let mut needs = self.plan.graph.needs[at].iter();
        refusal.message.contains(MISFIT)
            && needs.any(|need| need.why == EdgeReason::Definition && is_new(need.on))
    }

    /// Sends an object no more: the rest of the set is still sent, and then it is over.
    pub(super) fn give_up(&mut self, at: usize, refusal: Refusal) {
        let (rank, wanted) = self.plan.graph.rank[at];
        self.held.remove(&(rank, wanted, at));
        if !matches!(self.aim, Aim::Rest { .. }) {
            let (since, wait) = (Instant::now(), self.aim.waits());
            self.aim = Aim::Rest { since, wait };
        }
        let item = &mut self.items[at];
        item.state = State::Refused;
        item.for_good = true;
        item.refusal = Some(refusal);
    }

    /// A further refusal in a row, or the first of another.
    pub(super) fn streak(&self, last: Option<Streak>, class: &Class) -> Streak {
        let same = last.filter(|it| it.class == *class && !self.maker_comes_up(class));
        same.unwrap_or_else(|| Streak {
            class: class.clone(),
            since: Instant::now(),
        })
    }

    /// Whether something of the set is still coming up that may make what is missing: an operator makes the Service of its
    /// own webhooks, and accounts for others.
    fn maker_comes_up(&self, class: &Class) -> bool {
        let namespace = match class {
            Class::Missing(Awaited::Account) => None,
            Class::StaleWebhook(stale) => stale.service.split('/').next(),
            _ => return false,
        };
        self.items.iter().enumerate().any(|(at, item)| {
            let id = &self.plan.objects[at].id;
            let may_make = matches!(id.group.as_str(), "apps" | "batch") || !is_builtin(&id.group);
            may_make
                && item.state == State::Accepted
                && matches!(item.verdict, Verdict::Waiting(_))
                && namespace.is_none_or(|it| id.namespace.as_deref() == Some(it))
        })
    }

    pub(super) fn back_off(&self, at: usize, refusal: &Refusal) -> Duration {
        if let Some(wanted) = refusal.retry_after {
            return wanted.min(LONGEST);
        }
        let doubled = 0.5 * 2_f64.powi(i32::try_from(self.items[at].tries).unwrap_or(9).min(9) - 1);
        let most = match refusal.class {
            Class::Missing(_) => 2.0,
            Class::Webhook { .. } | Class::StaleWebhook(_) if !self.aim.waits() => 0.3,
            Class::Webhook { .. } | Class::StaleWebhook(_) => 5.0,
            _ => 10.0,
        };
        let jitter = 0.6 + 0.4 * rand::random::<f64>();
        Duration::from_secs_f64(doubled.min(most) * jitter)
    }
}
