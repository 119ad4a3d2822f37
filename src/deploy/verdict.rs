//! Whether a deployment is over, and what is said while it is not.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    api::is_builtin,
    deploy::{DeployError, Deployment, State, cause::Cause},
    limits::humane,
    pod::Why,
    ready::{self, Verdict},
    wait::Status,
};

/// Nothing moved for so long: then it is over if all that blocks will hardly come.
pub(super) const QUIET: Duration = Duration::from_mins(8);
/// The same where no node has room and one may be added.
pub(super) const NODES: Duration = Duration::from_mins(20);
/// The same where nothing of the set is there that could make what is missing.
pub(super) const NOBODY: Duration = Duration::from_mins(1);
/// All that has a rule of its own is ready, and nothing has changed for so long: what the general rule says of the rest holds.
pub(super) const UNCHANGED: Duration = Duration::from_mins(5);
/// No answer at all for so long: the server is lost.
pub(super) const LOST: Duration = Duration::from_mins(2);
/// A silence of so long explains what is missing better than anything seen before it.
const SILENT: Duration = Duration::from_secs(10);

impl Deployment<'_> {
    /// Whether it is over.
    pub(super) fn verdict(&mut self) -> Result<Status<()>, DeployError> {
        // Once through, at each answer: there may be thousands.
        let (mut accepted, mut refused, mut ready) = (0, 0, 0);
        for item in &self.items {
            accepted += usize::from(item.state == State::Accepted);
            refused += usize::from(item.state == State::Refused);
            ready += usize::from(item.verdict.is_ready());
        }
        if let Some((silent, reason)) = self.pulse.silence().filter(|(silent, _)| *silent >= LOST) {
            let reason = reason.to_owned();
            return Err(DeployError::Lost { silent, reason });
        }
        if self.rest_is_sent() {
            return Err(self.refused());
        }
        if (accepted, ready) != self.done {
            self.done = (accepted, ready);
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
            // What was seen may be the past: a server that died meanwhile, a watch that hangs.
            if self.pulse.is_fresh {
                return Ok(Status::Ready(()));
            }
            self.take_anew(true);
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
        let patience = if self.nobody_comes() { NOBODY } else { QUIET };
        if self.moved.elapsed() >= patience && self.pulse.silence().is_none() {
            let causes = self.causes();
            let no_room = |cause: &Cause| cause.missing.why == Some(Why::NoRoom);
            if self.plan.grows && causes.iter().any(no_room) && self.moved.elapsed() < NODES {
                return Ok(());
            }
            let is_over = |cause: &Cause| cause.terminal || self.waits_for_a_controller(cause.at);
            if causes.iter().all(is_over) && causes.iter().any(|cause| cause.terminal) {
                return Err(self.stuck(&causes));
            }
        }
        Ok(())
    }

    /// Whether a controller of the set has to see to an object: one that is not up will not.
    fn waits_for_a_controller(&self, at: usize) -> bool {
        let is_custom = !is_builtin(&self.plan.objects[at].id.group);
        is_custom && self.items[at].state == State::Accepted
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
        match (causes.first(), &self.pulse.not_taken) {
            (Some(cause), _) => cause.line(),
            (None, Some(reason)) => format!("all is ready, but that cannot be seen anew: {reason}"),
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
