//! The one comment on the pull request for each name: made when something is wrong, edited in place, hidden once all is well.
//!
//! GitHub has no write that fails where somebody else has written. So each change is looked at again after a pause, until a
//! look finds nothing to change. Whoever publishes at the same time comes to the same end: the first comment in GitHub's order
//! stays, the newest result is in it, and the others are deleted.

mod marker;
mod steps;
mod thread;

use std::time::Duration;

use self::{
    marker::Marker,
    steps::{Draft, next},
    thread::Thread,
};
use super::{Message, Outcome, State, Target, text};
use crate::{
    github::api::{Api, SendError},
    limits::Deadline,
    wait,
};

/// Between a change and the next look, and up to so much more: a write that is under way arrives in it.
const SETTLE: Duration = Duration::from_millis(1200);
/// Looks, before others are left to it.
const MAX_LOOKS: usize = 9;
/// Looks that may come from a copy that is behind.
const MAX_BEHIND: u32 = 3;

pub(super) async fn tell(
    api: &Api,
    target: &Target,
    message: &Message,
    deadline: Deadline,
) -> Result<Outcome, SendError> {
    if message.verdict.state == State::Pending {
        return Ok(Outcome::Nothing);
    }
    let Some(number) = target.pull(api, deadline).await? else {
        return Ok(Outcome::Nothing);
    };
    let thread = Thread {
        api,
        repository: &target.repository,
        number,
        deadline,
    };
    let marker = Marker::of(message, &target.sha);
    let own = Draft {
        body: text::comment(message, target, &marker.line()),
        marker,
    };
    let mut added: Option<String> = None;
    let (mut has_written, mut behind) = (false, 0);
    for _ in 0..MAX_LOOKS {
        let seen = thread.look(&own.marker.key).await?;
        // What was added and is not shown yet is not added again, unless it never comes.
        let is_behind = behind < MAX_BEHIND && added.as_ref().is_some_and(|id| !seen.has(id));
        behind = if is_behind { behind + 1 } else { 0 };
        let changes = next(&seen, &own, has_written);
        if changes.is_empty() && !is_behind {
            return Ok(outcome(&seen, &own));
        }
        if !is_behind || !seen.comments.is_empty() {
            for change in changes {
                has_written = true;
                match thread.carry_out(&change, &seen).await {
                    Ok(Some(id)) => added = Some(id),
                    // Somebody else was faster; the next look tells.
                    Ok(None) | Err(SendError::Gone(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        let jitter = Duration::from_millis(rand::random_range(0..600));
        if deadline.remaining() <= SETTLE + jitter {
            break;
        }
        wait::pause(SETTLE + jitter).await;
    }
    let reason = "it was still being changed when it was looked at last";
    Err(SendError::Refused(reason.to_owned()))
}

fn outcome(seen: &thread::Seen, own: &Draft) -> Outcome {
    match seen.comments.first() {
        None => Outcome::Nothing,
        Some(kept) if kept.marker.rank(&seen.head) > own.marker.rank(&seen.head) => Outcome::Newer,
        Some(kept) => Outcome::Told(Some(kept.url.clone())),
    }
}
