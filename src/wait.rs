//! The only polling loop.
//!
//! A wait has a deadline, says at least every 30 s what it waits for, may be woken early by whoever
//! sees the change first, and takes an error for an error, never for "ready".

use std::{convert::Infallible, fmt, future::Future, time::Duration};

use tokio::{sync::Notify, time::Instant};

use crate::limits::{Deadline, humane};

/// How often a wait speaks of what it waits for.
const SPEAK: Duration = Duration::from_secs(30);

/// What one look found.
#[derive(Debug)]
pub enum Status<T> {
    /// It is there.
    Ready(T),
    /// Not yet, and what is missing.
    NotYet(String),
}

/// Why a wait ended without what it waited for.
#[derive(Debug, thiserror::Error)]
pub enum WaitError<E> {
    /// The deadline passed; `last` is what was still missing.
    #[error("{what}: not there after {}: {last}", humane(*waited))]
    TimedOut {
        /// What was waited for.
        what: String,
        /// What was missing at the last look.
        last: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// A look failed for good.
    #[error(transparent)]
    Failed(E),
}

/// The pause between two looks.
#[derive(Clone, Copy, Debug)]
pub struct Every<'a> {
    pause: Duration,
    longest: Duration,
    woken_by: Option<&'a Notify>,
}

impl<'a> Every<'a> {
    /// A look each so many seconds.
    pub const fn secs(seconds: u64) -> Self {
        Self::millis(seconds * 1000)
    }

    /// A look each so many milliseconds.
    pub const fn millis(milliseconds: u64) -> Self {
        let pause = Duration::from_millis(milliseconds);
        Self {
            pause,
            longest: pause,
            woken_by: None,
        }
    }

    /// The pause grows by a quarter with each look, up to so many seconds.
    #[must_use]
    pub const fn up_to_secs(self, seconds: u64) -> Self {
        Self {
            longest: Duration::from_secs(seconds),
            ..self
        }
    }

    /// Looks at once when `notify` is told, too.
    #[must_use]
    pub const fn or_when(self, notify: &'a Notify) -> Self {
        Self {
            woken_by: Some(notify),
            ..self
        }
    }

    fn grow(&mut self) {
        self.pause = (self.pause * 5 / 4).min(self.longest);
    }

    async fn pass(&self, until: Instant) {
        tokio::select! {
            () = sleep_until((Instant::now() + self.pause).min(until)) => {},
            () = self.woken() => {},
        }
    }

    /// Returns when the wait is woken; never where nobody can wake it.
    async fn woken(&self) {
        match self.woken_by {
            Some(notify) => notify.notified().await,
            None => std::future::pending().await,
        }
    }
}

/// Looks until `check` finds it ready, fails, or the deadline passes.
///
/// A look that hangs is given up at the deadline as well, and begun anew when the wait is woken meanwhile: what woke it
/// may be what the look will never tell. A look has the time of a pause in any case.
///
/// # Errors
/// [`WaitError::TimedOut`] with the last status; [`WaitError::Failed`] with the error of `check`.
pub async fn until<T, E, F, Fut>(
    what: impl fmt::Display,
    deadline: Deadline,
    mut every: Every<'_>,
    mut check: F,
) -> Result<T, WaitError<E>>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Status<T>, E>>,
{
    let started = Instant::now();
    let mut spoken = started;
    let mut last = "no answer yet".to_owned();
    let mut speak = |last: &str| {
        if spoken.elapsed() >= SPEAK {
            spoken = Instant::now();
            tracing::info!(
                "waiting for {what} ({} so far, {} left): {last}",
                humane(started.elapsed()),
                humane(deadline.remaining())
            );
        }
        spoken + SPEAK
    };
    loop {
        let enough = Instant::now() + every.pause;
        let mut woken = false;
        let look = check();
        tokio::pin!(look);
        // A look that hangs is no reason to fall silent.
        let seen = loop {
            let mut until = deadline.instant().min(speak(&last));
            if woken {
                until = until.min(enough);
            }
            tokio::select! {
                biased;
                seen = &mut look => break Some(seen),
                () = every.woken(), if !woken => woken = true,
                () = sleep_until(until) => {}
            }
            if deadline.passed() || woken && Instant::now() >= enough {
                break None;
            }
        };
        match seen {
            Some(Ok(Status::Ready(value))) => return Ok(value),
            Some(Ok(Status::NotYet(missing))) => last = missing,
            Some(Err(error)) => return Err(WaitError::Failed(error)),
            None => {}
        }
        if deadline.passed() {
            return Err(WaitError::TimedOut {
                what: what.to_string(),
                last,
                waited: started.elapsed(),
            });
        }
        if woken {
            continue;
        }
        let speak_at = speak(&last);
        every.pass(deadline.instant().min(speak_at)).await;
        every.grow();
    }
}

/// Pauses for a span; for back-off between attempts that are not a wait for a state.
pub async fn pause(span: Duration) {
    sleep_until(Instant::now() + span).await;
}

/// As [`pause`], but no longer than to the deadline, and says what for while it lasts.
pub async fn rest(what: &str, span: Duration, deadline: Deadline) {
    let over = deadline.within(span);
    let passed = until(what, deadline, Every::millis(500), async || {
        Ok::<_, Infallible>(if over.passed() {
            Status::Ready(())
        } else {
            Status::NotYet(format!("in {}", humane(over.remaining())))
        })
    });
    // At the deadline whoever asks next sees it.
    drop(passed.await);
}

async fn sleep_until(moment: Instant) {
    tokio::time::sleep_until(moment).await;
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::limits::Limit;

    #[tokio::test(start_paused = true)]
    async fn gives_the_last_status_when_time_is_up() {
        let result: Result<(), WaitError<()>> = until(
            "the moon",
            Deadline::after(Limit::secs(90)),
            Every::secs(1),
            || async { Ok(Status::NotYet("still behind the hill".to_owned())) },
        )
        .await;
        let Err(WaitError::TimedOut { last, waited, .. }) = result else {
            panic!("{result:?}")
        };
        assert_eq!(last, "still behind the hill");
        assert_eq!(waited.as_secs(), 90);
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_is_never_ready() {
        let result: Result<(), WaitError<&str>> = until(
            "x",
            Deadline::after(Limit::secs(9)),
            Every::secs(1),
            || async { Err("broken") },
        )
        .await;
        assert!(matches!(result, Err(WaitError::Failed("broken"))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_hangs_ends_at_the_deadline() {
        let started = Instant::now();
        let result: Result<(), WaitError<()>> = until(
            "x",
            Deadline::after(Limit::secs(7)),
            Every::secs(1),
            std::future::pending,
        )
        .await;
        assert!(result.is_err());
        assert_eq!(started.elapsed().as_secs(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_hangs_is_begun_anew_when_the_wait_is_woken() {
        let notify = Notify::new();
        let looks = Cell::new(0);
        let started = Instant::now();
        let waiting = until(
            "x",
            Deadline::after(Limit::secs(600)),
            Every::secs(5).or_when(&notify),
            || {
                looks.set(looks.get() + 1);
                let is_first = looks.get() == 1;
                async move {
                    if is_first {
                        std::future::pending::<()>().await;
                    }
                    Ok::<_, ()>(Status::Ready(()))
                }
            },
        );
        let waking = async {
            pause(Duration::from_mins(1)).await;
            notify.notify_one();
        };
        let (result, ()) = tokio::join!(waiting, waking);
        assert!(result.is_ok());
        assert_eq!(started.elapsed().as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_is_only_slow_is_not_lost_to_what_wakes_the_wait() {
        let notify = Notify::new();
        let looks = Cell::new(0);
        notify.notify_one();
        let result: Result<(), WaitError<()>> = until(
            "x",
            Deadline::after(Limit::secs(600)),
            Every::secs(5).or_when(&notify),
            || async {
                looks.set(looks.get() + 1);
                pause(Duration::from_secs(4)).await;
                Ok(Status::Ready(()))
            },
        )
        .await;
        assert!(result.is_ok());
        assert_eq!(looks.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_may_grow_does_so_up_to_its_longest() {
        let looks = Cell::new(0);
        let limit = Deadline::after(Limit::secs(60));
        let every = Every::secs(1).up_to_secs(5);
        let result: Result<(), WaitError<()>> = until("x", limit, every, async || {
            looks.set(looks.get() + 1);
            Ok(Status::NotYet(String::new()))
        })
        .await;
        assert!(result.is_err());
        assert!((15..=20).contains(&looks.get()), "{}", looks.get());
    }

    #[tokio::test(start_paused = true)]
    async fn is_woken_before_its_interval() {
        let notify = Notify::new();
        let looks = Cell::new(0);
        let started = Instant::now();
        notify.notify_one();
        let result: Result<(), WaitError<()>> = until(
            "x",
            Deadline::after(Limit::secs(600)),
            Every::secs(100).or_when(&notify),
            || {
                looks.set(looks.get() + 1);
                async {
                    Ok(if looks.get() > 1 {
                        Status::Ready(())
                    } else {
                        Status::NotYet(String::new())
                    })
                }
            },
        )
        .await;
        assert!(result.is_ok());
        assert!(started.elapsed().as_secs() < 1);
    }
}
