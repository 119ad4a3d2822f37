//! Which candidate is asked for next: types × zones × markets in order of preference, in rounds that are bounded.
//!
//! Pure: given what each refusal means. A round asks for each candidate once; what can never be is not asked for again.

use std::time::Duration;

use super::request::Candidate;
use crate::{
    limits::Deadline,
    provider::ec2::{
        class::ErrorClass,
        quota::{PurchaseOption, Quota},
    },
};

/// The longest pause after the first round; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(20);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(90);

/// So much of the limit a host needs to come up: with less no new round begins, and no replacement is launched.
const START_RESERVE: Duration = Duration::from_mins(1);

/// What is to be done after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterRefusal {
    /// The next candidate; none may be left in this round.
    Candidate,
    /// Nothing: the refusal is the answer.
    GiveUp,
}

/// What is left to be asked for.
#[derive(Debug)]
pub(crate) struct CandidatePlan {
    /// What may be asked for in this round and in later ones.
    candidates: Vec<Candidate>,
    /// The first that this round has not asked for yet.
    at: usize,
    round: u32,
    rounds: u32,
    /// Whether the account may have no more of what is bought on demand: then there is nothing to come back for.
    full: bool,
}

impl CandidatePlan {
    pub(crate) fn new(candidates: Vec<Candidate>, rounds: u32) -> Self {
        Self {
            candidates,
            at: 0,
            round: 1,
            rounds,
            full: false,
        }
    }

    /// The round that is being asked for, from 1.
    pub(crate) fn round(&self) -> u32 {
        self.round
    }

    /// How many rounds there may be.
    pub(crate) fn rounds(&self) -> u32 {
        self.rounds
    }

    /// The next candidate of this round.
    pub(crate) fn next(&mut self) -> Option<Candidate> {
        let next = self.candidates.get(self.at).cloned();
        self.at += usize::from(next.is_some());
        next
    }

    /// Begins another round, where there may be one: how long to wait before it at most.
    pub(crate) fn again(&mut self) -> Option<Duration> {
        if self.round >= self.rounds || self.candidates.is_empty() || self.full {
            return None;
        }
        let longest = FIRST_PAUSE * 2_u32.saturating_pow(self.round - 1);
        self.round += 1;
        self.at = 0;
        Some(longest.min(LONGEST_PAUSE))
    }

    /// Takes a refusal of the candidate that was given out last for what it means.
    pub(crate) fn refused(
        &mut self,
        candidate: &Candidate,
        class: ErrorClass,
        code: &str,
    ) -> AfterRefusal {
        let quota_of = |one: &Candidate| Quota::of(code, one.market, &one.instance_type);
        match class {
            ErrorClass::Capacity => return AfterRefusal::Candidate,
            ErrorClass::NotInZone => self.drop(|one| {
                one.instance_type == candidate.instance_type && one.subnet.id == candidate.subnet.id
            }),
            ErrorClass::NoSuchType => self.drop(|one| one.instance_type == candidate.instance_type),
            ErrorClass::SpotClosed => self.drop(|one| one.market == PurchaseOption::Spot),
            ErrorClass::Quota if !Quota::is_shared(code) => {
                let quota = quota_of(candidate);
                self.full |= candidate.market == PurchaseOption::OnDemand;
                self.drop(|one| one.market == candidate.market && quota_of(one) == quota);
            }
            _ => return AfterRefusal::GiveUp,
        }
        // Nothing is left of it in this round: the last refusal says why, better than a list would.
        let open = self.at < self.candidates.len();
        let later = !self.full && !self.candidates.is_empty();
        if open || later {
            AfterRefusal::Candidate
        } else {
            AfterRefusal::GiveUp
        }
    }

    /// Takes the early end of an instance for what it means.
    pub(crate) fn died(&mut self, candidate: &Candidate, code: &str) {
        let taken_back = code.starts_with("Server.SpotInstance");
        if taken_back
            && self
                .candidates
                .iter()
                .any(|one| one.market == PurchaseOption::OnDemand)
        {
            self.drop(|one| one.market == PurchaseOption::Spot);
        }
        // One replacement is due, also where the candidate was the last of the last round.
        if self.at >= self.candidates.len() {
            self.at = 0;
            self.round += 1;
            self.rounds = self.rounds.max(self.round);
        }
        if self.candidates.is_empty() {
            self.candidates.push(candidate.clone());
        }
    }

    fn drop(&mut self, out: impl Fn(&Candidate) -> bool) {
        let asked = self.candidates[..self.at].iter();
        self.at -= asked.filter(|one| out(one)).count();
        self.candidates.retain(|one| !out(one));
    }
}

/// A part of the longest pause, anywhere from none to all of it: full jitter, so that many jobs do not come back at once.
pub(crate) fn jitter(longest: Duration) -> Duration {
    longest.mul_f64(rand::random::<f64>())
}

/// What is kept of the limit for the host to come up.
pub(crate) fn reserve(deadline: Deadline) -> Duration {
    START_RESERVE.min(deadline.limit() / 4)
}

#[cfg(test)]
mod tests;
