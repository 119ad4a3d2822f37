//! The first signal ends the work, or, once only the ending is left, is answered by words; the second ends the process.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// What a signal means now; a clone is the same one.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    /// Cancelled by the first signal, whatever it means.
    signalled: CancellationToken,
    /// Cancelled by a first signal that ends the work.
    work: CancellationToken,
    shielded: Arc<OnceLock<Shielded>>,
}

/// Work that a signal does not stop, in words for who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shielded {
    /// What goes on: `the host is torn down`.
    pub goes_on: &'static str,
    /// What a second signal leaves behind.
    pub at_stake: &'static str,
}

/// What the process does with a signal that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The work is cancelled.
    Cancels,
    /// This goes on.
    GoesOn(Shielded),
    /// It was told before: the process exits now.
    Exits,
}

impl Cancel {
    /// Takes a signal in.
    pub fn signal(&self) -> Answer {
        if self.signalled.is_cancelled() {
            return Answer::Exits;
        }
        let answer = self.shielded.get().copied().map_or_else(
            || {
                self.work.cancel();
                Answer::Cancels
            },
            Answer::GoesOn,
        );
        self.signalled.cancel();
        answer
    }

    /// Whether the work was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.work.is_cancelled()
    }

    /// Returns once the work is cancelled.
    pub async fn cancelled(&self) {
        if self.shielded.get().is_some() {
            return std::future::pending().await;
        }
        self.work.cancelled().await;
    }

    /// Returns once a signal came, whatever it means.
    pub async fn signalled(&self) {
        self.signalled.cancelled().await;
    }

    /// From here on only the ending is left, which a signal does not stop; one that came before has been heeded.
    pub fn only_ending_is_left(&self, shielded: Shielded) {
        self.shielded.get_or_init(|| shielded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIELDED: Shielded = Shielded {
        goes_on: "the lights are put out",
        at_stake: "then some burn on",
    };

    #[test]
    fn the_first_signal_cancels_the_second_exits() {
        let cancel = Cancel::default();
        assert_eq!(cancel.signal(), Answer::Cancels);
        assert!(cancel.is_cancelled());
        cancel.only_ending_is_left(SHIELDED);
        assert_eq!(cancel.signal(), Answer::Exits);
    }

    #[tokio::test(start_paused = true)]
    async fn the_ending_is_not_cancelled() {
        let cancel = Cancel::default();
        cancel.only_ending_is_left(SHIELDED);
        assert_eq!(cancel.signal(), Answer::GoesOn(SHIELDED));
        assert!(!cancel.is_cancelled());
        cancel.signalled().await;
        let stopped = tokio::time::timeout(std::time::Duration::from_secs(9), cancel.cancelled());
        assert!(stopped.await.is_err());
        assert_eq!(cancel.signal(), Answer::Exits);
    }
}
