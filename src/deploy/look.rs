//! Looking at the cluster: what has become ready, and why the rest has not.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::{
    api::is_leaving,
    cluster::{live, view::View},
    deploy::{
        Deployment, State,
        cause::{self, Blocker, Cause},
        leaving,
        patience::Streak,
        statuses::Judged,
    },
    ready::{self, ClusterView, Missing, Verdict},
    set::order::{EdgeReason, Need, Until},
};

/// Watches bring bursts: one look serves several changes.
const BURST: Duration = Duration::from_millis(40);
/// Time alone makes some things ready.
const IDLE: Duration = Duration::from_millis(400);

impl Deployment<'_> {
    /// Judges what was accepted. While objects are still to be sent, only what was never ready.
    pub(super) fn look(&mut self) {
        let version = self.watches.view().version;
        if let Some((seen, when)) = self.looked {
            let since = when.elapsed();
            if since < BURST || (seen == version && since < IDLE) {
                return;
            }
        }
        self.looked = Some((version, Instant::now()));
        let verdicts = self.judge(&self.watches.view());
        for (at, judged) in verdicts {
            self.settle(at, judged);
        }
        self.ask_definitions();
        self.ask_last_words();
        self.ask_events();
    }

    /// What becomes of each accepted object that is still of interest, as a view has it.
    pub(super) fn judge(&self, view: &View) -> Vec<(usize, Judged)> {
        let all_sent = self.held.is_empty() && self.sending == 0;
        let mut verdicts = Vec::new();
        let cluster = ClusterView::new(view, self.watches.now());
        for (at, item) in self.items.iter().enumerate() {
            let (id, rule) = (&self.plan.objects[at].id, self.plan.rule(at));
            let Some(accepted) = item.accepted.as_ref() else {
                continue;
            };
            let is_unwatched = ready::is_generic(id, rule) && !self.aim.waits();
            let service = self.services.get(&at).filter(|_| self.aim.waits());
            let is_judged = ready::is_judged(id, rule) || service.is_some();
            if (item.was_ready() && !all_sent) || !is_judged || is_unwatched {
                continue;
            }
            if item.was_ready() && ready::ends(id, rule) {
                continue;
            }
            let live = view.get(&id.group_kind(), id.namespace.as_deref(), &id.name);
            let judged = if let Some(service) = service {
                Judged::of(service.judge(view), Duration::ZERO)
            } else if id.group == "admissionregistration.k8s.io" {
                Judged::of(self.configuration(at, live, view), Duration::ZERO)
            } else {
                let refusal = view.refusal(&id.group_kind());
                let refusal = refusal.filter(|_| live.is_none() && ready::is_generic(id, rule));
                let other = leaving::not_the_accepted(accepted, live, item.was_ready());
                match (refusal, other) {
                    (Some(refusal), _) => Judged::unseen(refusal),
                    (None, Some(other)) => Judged::of(other, Duration::ZERO),
                    (None, None) => {
                        let verdict = ready::judge(id, rule, accepted.generation, &cluster);
                        self.weigh(at, live, verdict)
                    }
                }
            };
            verdicts.push((at, judged));
        }
        verdicts
    }

    /// Whether a need is met; a soft one also once there is no use in waiting for it.
    pub(super) fn is_met(&self, need: &Need) -> bool {
        let other = &self.items[need.on];
        match need.until {
            Until::Ready if need.why != EdgeReason::DependsOn || self.aim.waits() => {
                other.was_ready()
            }
            // Where nothing is waited for, nobody can tell more.
            _ => other.state == State::Accepted,
        }
    }

    /// What is not done, and why.
    pub(super) fn causes(&self) -> Vec<Cause> {
        let mut blocked = BTreeMap::new();
        for (at, item) in self.items.iter().enumerate() {
            if item.state == State::Accepted && item.verdict.is_ready() {
                continue;
            }
            if item.state == State::Accepted && !self.aim.waits() {
                continue;
            }
            blocked.insert(at, self.blocker(at));
        }
        let name = |at: usize| self.plan.objects[at].id.to_string();
        let mut causes = cause::roots(&blocked, &self.plan.graph, &self.last_words.named, &name);
        // What ended it is what it is about.
        if let Some(culprit) = self.culprit {
            causes.sort_by_key(|cause| !cause.holds(culprit));
        }
        causes
    }

    fn blocker(&self, at: usize) -> Blocker {
        let item = &self.items[at];
        let refusal = item.refusal.as_ref().map(|it| it.message.as_str().into());
        let (missing, terminal) = match item.state {
            State::Accepted => (
                item.verdict.missing().cloned().unwrap_or_default(),
                matches!(item.verdict, Verdict::Stuck(_) | Verdict::Failed(_)),
            ),
            State::Held => match &self.plan.graph.outside[at] {
                Some(namespace) if self.is_outside(at) => {
                    (Missing::from(self.absence(namespace)), true)
                }
                _ => (refusal.unwrap_or_default(), self.is_of_late_kind(at)),
            },
            State::Due(_) | State::Sending => {
                let streak = item.streak.as_ref();
                let is_hopeless = streak.is_some_and(Streak::is_hopeless);
                (refusal.unwrap_or_else(|| "being sent".into()), is_hopeless)
            }
            State::Refused => (refusal.unwrap_or_default(), true),
        };
        Blocker {
            accepted: item.state == State::Accepted,
            missing,
            terminal,
        }
    }

    /// Why a namespace is not there that the set does not make.
    fn absence(&self, namespace: &str) -> String {
        let view = self.watches.view();
        let live = view.get("Namespace.", None, namespace);
        match live.filter(|it| is_leaving(it)) {
            Some(live) => format!(
                "namespace {namespace} is being deleted, and the set does not make it: {}",
                live::keeps(live)
            ),
            None => format!(
                "namespace {namespace} does not exist: neither the set nor, so far, a controller makes it"
            ),
        }
    }

    /// Whether the namespace of an object is one that is not there and that the set does not make.
    pub(super) fn is_outside(&self, at: usize) -> bool {
        self.plan.graph.outside[at]
            .as_ref()
            .is_some_and(|namespace| {
                let view = self.watches.view();
                let live = view.get("Namespace.", None, namespace);
                // Where namespaces cannot be seen, the server says when it is sent something.
                view.refusal("Namespace.").is_none()
                    && live.is_none_or(|live| live["status"]["phase"] != "Active")
            })
    }
}
