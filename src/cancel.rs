//! The first signal ends the work, or, once only the ending is left, is answered by words; the second ends the process.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio_util::sync::CancellationToken;

/// What a signal means now; a clone is the same one.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    token: CancellationToken,
    ending: Arc<AtomicBool>,
    warned: Arc<AtomicBool>,
}

/// What the process does with a signal that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The work is cancelled.
    Cancels,
    /// The ending goes on.
    GoesOn,
    /// It was told before: the process exits now.
    Exits,
}

impl Cancel {
    /// Takes a signal in.
    pub fn signal(&self) -> Answer {
        if self.warned.swap(true, Ordering::SeqCst) {
            return Answer::Exits;
        }
        if self.ending.load(Ordering::SeqCst) {
            return Answer::GoesOn;
        }
        self.token.cancel();
        Answer::Cancels
    }

    /// Whether the work was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Returns once the work is cancelled.
    pub async fn cancelled(&self) {
        if self.ending.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        self.token.cancelled().await;
    }

    /// From here on only the ending is left, which a signal does not stop; one that came before has been heeded.
    pub fn only_ending_is_left(&self) {
        self.ending.store(true, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_cancels_the_second_exits() {
        let cancel = Cancel::default();
        assert_eq!(cancel.signal(), Answer::Cancels);
        assert!(cancel.is_cancelled());
        cancel.only_ending_is_left();
        assert_eq!(cancel.signal(), Answer::Exits);
    }

    #[tokio::test(start_paused = true)]
    async fn the_ending_is_not_cancelled() {
        let cancel = Cancel::default();
        cancel.only_ending_is_left();
        assert_eq!(cancel.signal(), Answer::GoesOn);
        let stopped = tokio::time::timeout(std::time::Duration::from_secs(9), cancel.cancelled());
        assert!(stopped.await.is_err());
        assert_eq!(cancel.signal(), Answer::Exits);
    }
}
