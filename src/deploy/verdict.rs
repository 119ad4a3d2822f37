//! Whether a deployment is over, and what is said while it is not.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    api::is_builtin,
    deploy::{DeployError, Deployment, Item, State, cause::Cause, patience::Streak},
    limits::humane,
    pod::{self, Why},
    ready::{self, Missing, Verdict},
    wait::Status,
};

/// The time of something that is stuck, where no pod tells why: there is no `StorageClass` of that name.
pub(super) const STUCK: Duration = Duration::from_mins(1);
/// The time of pods that no node has room for, where one may be added.
pub(super) const NODES: Duration = Duration::from_mins(20);
/// The time of a refusal that only somebody else can end.
pub(super) const OTHERS: Duration = Duration::from_mins(5);
/// The time of a namespace that a controller may make.
pub(super) const ABSENT: Duration = Duration::from_mins(3);
/// The same where nothing of the set is there that could make it.
pub(super) const NOBODY: Duration = Duration::from_mins(1);
/// The time of an object that waits for its controller, beside something that is stuck: it may be what that waits for.
pub(super) const CONTROLLER: Duration = Duration::from_mins(8);
/// All that has a rule of its own is ready, and nothing has changed for so long: what the general rule says of the rest holds.
pub(super) const UNCHANGED: Duration = Duration::from_mins(5);
/// No answer at all for so long: the server is lost.
pub(super) const LOST: Duration = Duration::from_mins(2);
/// The causes are looked for once nothing moved for so long: there may be thousands of objects.
const FIRST_LOOK: Duration = Duration::from_secs(30);
/// A silence of so long explains what is missing better than anything seen before it.
const SILENT: Duration = Duration::from_secs(10);

/// What is wrong with an accepted object.
#[derive(Clone, Debug)]
pub(super) struct Bad {
    why: Option<Why>,
    /// Since when.
    pub(super) since: Instant,
    /// What its verdict said when it was stuck last.
    said: Option<Missing>,
    /// When a container of it has ended once more since it was stuck.
    ended: Option<Instant>,
}

impl Bad {
    /// What a verdict says is wrong, and since when it goes on.
    pub(super) fn of(verdict: &Verdict, before: Option<Self>) -> Option<Self> {
        let why = verdict.missing().and_then(|missing| missing.why);
        let is_stuck = matches!(verdict, Verdict::Stuck(_));
        if why.is_none() && !is_stuck {
            return None;
        }
        let now = Instant::now();
        let before = before.filter(|bad| match (bad.why, why) {
            (Some(before), Some(why)) => why.goes_on_as(before),
            (before, why) => before == why,
        });
        let mut bad = before.unwrap_or(Self {
            why,
            since: now,
            said: None,
            ended: None,
        });
        bad.why = why;
        if let Verdict::Stuck(said) = verdict
            && bad.said.as_ref() != Some(said)
        {
            let ends = matches!(why, Some(Why::Crash | Why::OutOfMemory));
            if ends && bad.said.is_some() {
                bad.ended = Some(now);
            }
            bad.said = Some(said.clone());
        }
        Some(bad)
    }
}

impl Item {
    /// Whether it will not come up, whatever becomes of others, and has been so for its time.
    fn stands_alone(&self) -> bool {
        let bad = self.bad.as_ref();
        let patience = bad.and_then(|bad| Some((bad.since, bad.why?.patience())));
        matches!(self.verdict, Verdict::Stuck(_))
            && patience.is_some_and(|(since, patience)| {
                patience.alone && patience.time.is_some_and(|time| since.elapsed() >= time)
            })
    }
}

impl Deployment<'_> {
    /// Whether it is over.
    pub(super) fn verdict(&mut self) -> Result<Status<()>, DeployError> {
        // Once through, at each answer: there may be thousands.
        let (mut accepted, mut refused, mut ready, mut was_ready) = (0, 0, 0, 0);
        for item in &self.items {
            accepted += usize::from(item.state == State::Accepted);
            refused += usize::from(item.state == State::Refused);
            ready += usize::from(item.verdict.is_ready());
            was_ready += usize::from(item.was_ready());
        }
        if let Some((silent, reason)) = self.pulse.silence().filter(|(silent, _)| *silent >= LOST) {
            let reason = reason.to_owned();
            return Err(DeployError::Lost { silent, reason });
        }
        if let Some(denied) = self.watches.denied() {
            return Err(DeployError::Unseen { denied });
        }
        if self.rest_is_sent() {
            return Err(self.refused());
        }
        // What crashes now and then comes up again and again: that moves nothing.
        if (accepted, was_ready) != self.done {
            self.done = (accepted, was_ready);
            self.moved = Instant::now();
        }
        let all = self.items.len();
        if !self.aim.waits() && accepted + refused == all {
            return if refused == 0 {
                Ok(Status::Ready(()))
            } else {
                Err(self.not_accepted())
            };
        }
        if accepted == all && ready == all {
            if !self.aim.waits() {
                return Ok(Status::Ready(()));
            }
            self.keep_company();
            if let Some(missing) = self.await_company()? {
                return Ok(Status::NotYet(format!("the set is ready; {missing}")));
            }
            if self.pulse.is_confirmed {
                return Ok(Status::Ready(()));
            }
            self.take_snapshot();
        } else if !self.only_sends() {
            self.over_before_its_time()?;
        }
        Ok(Status::NotYet(self.line(accepted, ready)))
    }

    /// Whether it will never be ready.
    fn over_before_its_time(&mut self) -> Result<(), DeployError> {
        let failed = self.items.iter().position(|it| {
            let lasts = it
                .fails
                .is_some_and(|(since, hold)| since.elapsed() >= hold);
            matches!(it.verdict, Verdict::Failed(_)) && lasts
        });
        if let Some(at) = failed {
            return Err(self.failed(at));
        }
        if self.moved.elapsed() >= UNCHANGED && self.stirred.elapsed() >= UNCHANGED {
            let causes = self.causes();
            let is_generic = |cause: &Cause| {
                let (id, rule) = (&self.plan.objects[cause.at].id, self.plan.rule(cause.at));
                self.items[cause.at].state == State::Accepted && ready::is_generic(id, rule)
            };
            if self.pulse.silence().is_none() && causes.iter().all(is_generic) {
                return Err(self.not_ready(&causes));
            }
        }
        if self.pulse.silence().is_some() {
            return Ok(());
        }
        if let Some(at) = self.items.iter().position(Item::stands_alone) {
            self.culprit = Some(at);
            return Err(self.stuck(&self.causes()));
        }
        if self.moved.elapsed() >= FIRST_LOOK {
            let causes = self.causes();
            let is_over = |cause: &Cause| {
                if cause.terminal {
                    self.has_lasted(cause)
                } else {
                    self.waits_for_a_controller(cause.at)
                }
            };
            if causes.iter().all(is_over) && causes.iter().any(|cause| cause.terminal) {
                return Err(self.stuck(&causes));
            }
        }
        Ok(())
    }

    /// Whether something that ends only by a change has lasted for its time, and nothing else moved for as long.
    fn has_lasted(&self, cause: &Cause) -> bool {
        let item = &self.items[cause.at];
        let quiet = self.moved.elapsed();
        let (time, since) = match item.state {
            State::Accepted => {
                let bad = item.bad.as_ref();
                if bad.is_some_and(|bad| bad.ended > Some(self.moved))
                    || self.has_crashed_again(cause)
                {
                    return true;
                }
                let (id, rule) = (&self.plan.objects[cause.at].id, self.plan.rule(cause.at));
                let time = if ready::is_generic(id, rule) {
                    Some(UNCHANGED)
                } else if let Some(service) = self.services.get(&cause.at) {
                    Some(self.time_of_service(service))
                } else {
                    self.time_of(cause.missing.why)
                };
                (time, bad.map_or(Duration::ZERO, |bad| bad.since.elapsed()))
            }
            State::Held if self.nobody_comes() => (Some(NOBODY), quiet),
            State::Held => (Some(ABSENT), quiet),
            State::Due(_) | State::Sending => {
                let streak = item.streak.as_ref();
                (Some(OTHERS), streak.map_or(Duration::ZERO, Streak::lasts))
            }
            State::Refused => (Some(Duration::ZERO), quiet),
        };
        time.is_some_and(|time| since.min(quiet) >= time)
    }

    /// Whether a container that ended often was last started after all else had come up, and ended again.
    fn has_crashed_again(&self, cause: &Cause) -> bool {
        let why = cause.missing.why;
        if !matches!(why, Some(Why::Crash | Why::OutOfMemory)) {
            return false;
        }
        let id = &self.plan.objects[cause.at].id;
        let name = cause.missing.pod.as_deref().unwrap_or(&id.name);
        let view = self.watches.view();
        let moved = self.watches.now() - self.moved.elapsed();
        view.get("Pod.", id.namespace.as_deref(), name)
            .and_then(pod::last_run)
            .is_some_and(|started| started > moved)
    }

    /// How long something that a pod tells has to last; none where nobody can say that it will not pass.
    pub(super) fn time_of(&self, why: Option<Why>) -> Option<Duration> {
        match why {
            Some(Why::NoRoom | Why::NoNode) if self.plan.grows => Some(NODES),
            Some(why) => why.patience().time,
            None => Some(STUCK),
        }
    }

    /// Whether a controller of the set has to see to an object: one that is not up will not.
    fn waits_for_a_controller(&self, at: usize) -> bool {
        let is_custom = !is_builtin(&self.plan.objects[at].id.group);
        is_custom && self.items[at].state == State::Accepted && self.moved.elapsed() >= CONTROLLER
    }

    /// Whether all that is missing are namespaces that nothing of the set could make.
    fn nobody_comes(&self) -> bool {
        !self.plan.makes_more
            && self.items.iter().enumerate().all(|(at, item)| {
                item.verdict.is_ready() || item.state == State::Held && self.is_outside(at)
            })
    }

    /// What explains best that it is not over: a silence of the server, else the first cause, else why the end could not
    /// be made sure of.
    pub(super) fn explanation(&self, causes: &[Cause]) -> String {
        let silence = self.pulse.silence();
        if let Some((silent, reason)) = silence.filter(|(silent, _)| *silent >= SILENT) {
            let silent = humane(Duration::from_secs(silent.as_secs()));
            return format!("the API server has not answered for {silent}: {reason}");
        }
        match (causes.first(), &self.pulse.unconfirmed) {
            (Some(cause), _) => cause.line(),
            (None, Some(reason)) => {
                format!(
                    "by its watches all is ready, but a second look does not confirm it: {reason}"
                )
            }
            (None, None) => String::new(),
        }
    }

    /// Where it stands, in one line; said aloud when it changed.
    fn line(&mut self, accepted: usize, ready: usize) -> String {
        const PACE: Duration = Duration::from_secs(5);
        let (when, last) = &self.spoken;
        let done = if self.aim.waits() { ready } else { accepted };
        self.bar.set(done, last);
        if when.elapsed() < PACE {
            return last.clone();
        }
        let all = self.items.len();
        let mut line = format!("{accepted} of {all} accepted");
        if self.aim.waits() {
            line.extend([format!(", {ready} ready")]);
            let (open, gates) = self.gates.count();
            if open < gates {
                line.extend([format!(", {open} of {gates} webhooks reachable")]);
            }
        }
        let why = self.explanation(&self.causes());
        if !why.is_empty() {
            line.push_str("; ");
            line.push_str(&why);
        }
        if line != *last {
            tracing::info!("{line}");
        }
        self.spoken = (Instant::now(), line.clone());
        line
    }
}
