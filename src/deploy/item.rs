//! One object of a plan that is carried out: how far it is, and what was done with it.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    cluster::request::Refusal,
    deploy::{apply::Accepted, leaving, patience, verdict},
    ready::{Missing, Verdict},
};

/// How far one object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Something that it needs is not there.
    Held,
    /// It was refused for now, and is sent again at this moment.
    Due(Instant),
    /// Under way.
    Sending,
    /// The server has it.
    Accepted,
    /// The server will not have it.
    Refused,
}

/// How far a deployment goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// Until everything is ready.
    Ready,
    /// Without `wait`: until everything is accepted.
    Accepted,
    /// Without `wait`, when all else is done: what is still held is sent as it is.
    LastCall,
    /// Since this moment the server will not have something: nothing is waited for any more, what still may go is sent.
    Rest { since: Instant, wait: bool },
}

impl Aim {
    /// Whether readiness counts, in the verdict or in what is said of a failure.
    pub(super) const fn waits(self) -> bool {
        matches!(self, Self::Ready | Self::Rest { wait: true, .. })
    }
}

/// One object of the plan: how far it is, and what was done with it. The journal is made of these.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) state: State,
    /// How often it was sent.
    pub(super) tries: u32,
    /// When it was sent first.
    pub(super) sent_at: Option<Instant>,
    pub(super) accepted_at: Option<Instant>,
    /// When it was ready first; what waits for it may go from then on.
    pub(super) ready_at: Option<Instant>,
    /// What the server made of it.
    pub(super) accepted: Option<Accepted>,
    /// What the server said when it refused it last.
    pub(super) refusal: Option<Refusal>,
    /// Whether it went before something soft that it needs was ready.
    pub(super) released: bool,
    pub(super) verdict: Verdict,
    /// The refusals since the last that meant something else.
    pub(super) streak: Option<patience::Streak>,
    /// How far its deletion is, where an earlier one has not ended.
    pub(super) leaving: Option<leaving::Leaving>,
    /// Whether it was deleted since it could not be changed in place.
    pub(super) recreated: bool,
    /// Whether it is not sent any more since no other try would help.
    pub(super) for_good: bool,
    /// Since when its verdict is that it failed, and how long it has to stay so before that counts.
    pub(super) fails: Option<(Instant, Duration)>,
    /// What is wrong with it, and since when.
    pub(super) bad: Option<verdict::Bad>,
    /// Why it counts as ready, where its status does not say so.
    pub(super) assumed: Option<String>,
}

impl Item {
    pub(super) fn held() -> Self {
        Self {
            state: State::Held,
            tries: 0,
            sent_at: None,
            accepted_at: None,
            ready_at: None,
            accepted: None,
            refusal: None,
            released: false,
            verdict: Verdict::Waiting(Missing::default()),
            streak: None,
            leaving: None,
            recreated: false,
            for_good: false,
            fails: None,
            bad: None,
            assumed: None,
        }
    }

    /// Whether it was ready once.
    pub(super) const fn was_ready(&self) -> bool {
        self.ready_at.is_some()
    }
}
