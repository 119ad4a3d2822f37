//! Limits on time: what a user asked for, and the one deadline that every wait of a stage takes.

use std::{fmt, future::Future, str::FromStr, time::Duration};

use tokio::time::Instant;

/// A span of time as a user writes it: `45m`, `1h 30m`, `90s`. Never zero, always with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limit(Duration);

/// Why a text is no [`Limit`].
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// A bare number.
    #[error("`{0}` has no unit; write for example `{0}m` or `{0}s`")]
    NoUnit(String),
    /// Zero or negative.
    #[error("`{0}` is not a span of time; write for example `45m`")]
    NotPositive(String),
    /// More than thirty days.
    #[error("`{0}` is longer than 30 days")]
    TooLong(String),
    /// Anything else.
    #[error("`{0}` is not a span of time; write for example `45m`, `1h 30m` or `90s`")]
    Malformed(String),
}

impl Limit {
    /// A limit of so many seconds, for defaults and tests.
    pub const fn secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The span itself.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let text = text.trim();
        let owned = || text.to_owned();
        if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.') {
            return Err(LimitError::NoUnit(owned()));
        }
        let span: jiff::SignedDuration =
            text.parse().map_err(|_| LimitError::Malformed(owned()))?;
        let duration = Duration::try_from(span)
            .ok()
            .filter(|d| !d.is_zero())
            .ok_or_else(|| LimitError::NotPositive(owned()))?;
        if duration > Duration::from_hours(30 * 24) {
            return Err(LimitError::TooLong(owned()));
        }
        Ok(Self(duration))
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&humane(self.0))
    }
}

/// A span as people write it: `1h 30m`, `45m`, `12s`, `0.4s`.
pub fn humane(span: Duration) -> String {
    let seconds = span.as_secs();
    if seconds < 10 && span.subsec_millis() >= 50 {
        return format!("{:.1}s", span.as_secs_f64());
    }
    let parts = [
        (seconds / 3600, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let text: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, unit)| format!("{n}{unit}"))
        .collect();
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text.join(" ")
    }
}

/// The moment at which a stage gives up. Cheap to copy; every inner wait takes it.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    started: Instant,
    at: Instant,
    /// The limit of the chain, where that is what ends this one.
    chain: Option<Duration>,
}

/// The deadline passed before the future was done.
#[derive(Debug, thiserror::Error)]
#[error("the time limit of {} passed", humane(*limit))]
pub struct Passed {
    /// The whole limit that passed.
    pub limit: Duration,
}

impl Deadline {
    /// The deadline of something that starts now.
    pub fn after(limit: Limit) -> Self {
        let started = Instant::now();
        Self {
            started,
            at: started + limit.0,
            chain: None,
        }
    }

    /// This deadline of a stage, or that of the chain it is part of where that is sooner.
    #[must_use]
    pub fn under(self, chain: &Self) -> Self {
        if self.at <= chain.at {
            return self;
        }
        Self {
            at: chain.at,
            chain: Some(chain.limit()),
            ..self
        }
    }

    /// The limit of the whole chain, where it ends this stage before the stage's own limit does.
    pub fn chain(&self) -> Option<Duration> {
        self.chain
    }

    /// This deadline, or `span` from now where that is sooner.
    #[must_use]
    pub fn within(&self, span: Duration) -> Self {
        let started = Instant::now();
        Self {
            started,
            at: self.at.min(started + span),
            chain: self.chain,
        }
    }

    /// The moment itself.
    pub fn instant(&self) -> Instant {
        self.at
    }

    /// What is left; zero once it has passed.
    pub fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// The span from start to deadline.
    pub fn limit(&self) -> Duration {
        self.at - self.started
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether it has passed.
    pub fn passed(&self) -> bool {
        self.remaining().is_zero()
    }

    /// Carries a future out, but gives it up at the deadline.
    ///
    /// # Errors
    /// [`Passed`], once the deadline is there.
    pub async fn bound<F: Future>(&self, future: F) -> Result<F::Output, Passed> {
        tokio::time::timeout_at(self.at, future)
            .await
            .map_err(|_| Passed {
                limit: self.limit(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, seconds) in [
            ("45m", 2700),
            ("1h 30m", 5400),
            ("90s", 90),
            (" 3h ", 10_800),
        ] {
            assert_eq!(
                text.parse::<Limit>().unwrap(),
                Limit::secs(seconds),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_what_has_no_unit_or_no_length() {
        for (text, message) in [
            ("45", "has no unit; write for example `45m`"),
            ("0s", "is not a span of time"),
            ("-5m", "is not a span of time"),
            ("", "is not a span of time"),
            ("soon", "is not a span of time"),
            ("99999h", "longer than 30 days"),
        ] {
            let error = text.parse::<Limit>().unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stage_ends_by_its_own_limit_or_by_that_of_the_chain_whichever_is_sooner() {
        let chain = Deadline::after(Limit::secs(90));
        tokio::time::advance(Duration::from_secs(30)).await;
        let short = Deadline::after(Limit::secs(20)).under(&chain);
        assert_eq!(
            (short.limit(), short.chain()),
            (Duration::from_secs(20), None)
        );
        let long = Deadline::after(Limit::secs(70)).under(&chain);
        assert_eq!(long.limit(), Duration::from_mins(1));
        assert_eq!(long.chain(), Some(Duration::from_secs(90)));
        tokio::time::advance(Duration::from_secs(100)).await;
        assert!(Deadline::after(Limit::secs(70)).under(&chain).passed());
    }

    #[test]
    fn prints_what_people_read() {
        for (millis, text) in [
            (400, "0.4s"),
            (5_400_000, "1h 30m"),
            (12_000, "12s"),
            (0, "0s"),
        ] {
            assert_eq!(humane(Duration::from_millis(millis)), text);
        }
    }
}
