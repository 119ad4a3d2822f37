//! The order of requests: type × zone × market by preference, in a limited number of rounds.
//!
//! Pure: given the class of each refusal. A round tries each candidate once; one that can never succeed is dropped.

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

/// How long a host needs to become ready: with less left, no new round begins and no replacement is launched.
const START_RESERVE: Duration = Duration::from_mins(1);

/// What to do after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterRefusal {
    /// Try the next candidate; this round may have none left.
    Candidate,
    /// Stop: the refusal is the result.
    GiveUp,
}

/// The candidates that are left to try.
#[derive(Debug)]
pub(crate) struct CandidatePlan {
    /// The candidates of this round and of later ones.
    candidates: Vec<Candidate>,
    /// Index of the first candidate that this round has not tried.
    at: usize,
    round: u32,
    rounds: u32,
    /// Whether the account's quota for on-demand is used up: then another round cannot help.
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

    /// The current round, from 1.
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

    /// Begins another round, if one is left, and returns the longest pause before it.
    pub(crate) fn again(&mut self) -> Option<Duration> {
        if self.round >= self.rounds || self.candidates.is_empty() || self.full {
            return None;
        }
        let longest = FIRST_PAUSE * 2_u32.saturating_pow(self.round - 1);
        self.round += 1;
        self.at = 0;
        Some(longest.min(LONGEST_PAUSE))
    }

    /// Applies the refusal of the last candidate.
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

    /// Applies the early end of an instance.
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

/// A random part of the longest pause (full jitter), so that many jobs do not retry at the same moment.
pub(crate) fn jitter(longest: Duration) -> Duration {
    longest.mul_f64(rand::random::<f64>())
}

/// The part of the limit that is reserved for the host to become ready.
pub(crate) fn reserve(deadline: Deadline) -> Duration {
    START_RESERVE.min(deadline.limit() / 4)
}

#[cfg(test)]
mod tests;
