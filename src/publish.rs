//! Tells GitHub how a job ended: the status of the commit, a check run, one comment on the pull request.
//!
//! Given a [`Message`] and whom it concerns. Each place is looked at before it is written: a change whose answer was lost is
//! not made twice, and what a newer run has written stays. Whatever GitHub refuses is an answer of its own, and decides
//! nothing. Causes are anybody's text: a Pod may say anything.

mod check;
mod comment;
mod diagnosis;
mod place;
mod sources;
mod status;
mod target;
mod text;
mod turn;
mod verdict;

use std::{path::PathBuf, time::Duration};

use crate::{
    github::api::{Api, SendError},
    limits::Deadline,
    wait,
};

pub use crate::logs::verdict::State;
pub use diagnosis::{Cause, Diagnosis, Gathered, gathered, newest};
pub use place::{Place, Places};
pub use target::{Target, Wanted, is_commit};
pub use text::{clipped, description};
pub use turn::Turn;
pub use verdict::{Verdict, of_job, of_stages};

/// So often a place is tried where it cannot be known what came of it.
const TRIES: u32 = 4;

/// What is told.
#[derive(Clone, Debug)]
pub struct Message {
    /// Of status, check and comment: one of each for every name.
    pub name: String,
    /// How it ended.
    pub verdict: Verdict,
    /// What explains it.
    pub diagnosis: Diagnosis,
    /// Where more is to be read.
    pub url: Option<String>,
    /// Which run tells it.
    pub turn: Turn,
    /// Where the objects may be written that failed.
    pub sources: Option<PathBuf>,
}

/// What came of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It says so now, at this address where it has one.
    Told(Option<String>),
    /// There is nothing to say there.
    Nothing,
    /// A newer run has written there, and that stays.
    Newer,
    /// Why it could not be told.
    Untold(String),
}

/// Tells it at one place.
pub async fn tell(
    place: Place,
    api: &Api,
    target: &Target,
    message: &Message,
    deadline: Deadline,
) -> Outcome {
    let mut last = String::new();
    for attempt in 0..TRIES {
        let told = match place {
            Place::Status => status::tell(api, target, message, deadline).await,
            Place::Check => check::tell(api, target, message, deadline).await,
            Place::Comment => comment::tell(api, target, message, deadline).await,
        };
        match told {
            Ok(outcome) => return outcome,
            Err(SendError::Refused(reason) | SendError::Gone(reason)) => {
                return Outcome::Untold(reason);
            }
            // That the time is over says less than what it went by with.
            Err(SendError::Unsure(_)) if deadline.passed() && !last.is_empty() => break,
            Err(SendError::Unsure(reason)) => last = reason,
        }
        let pause = Duration::from_secs(1 << attempt);
        if deadline.remaining() <= pause {
            break;
        }
        tracing::info!("{place}: {last}; looking again");
        wait::pause(pause).await;
    }
    Outcome::Untold(last)
}
