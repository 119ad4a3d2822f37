//! How long credentials last, compared with how long the run may take.

use std::time::Duration;

use jiff::Timestamp;

use super::SessionError;
use crate::limits::humane;

/// What helps against credentials that end.
const REMEDY: &str = "renewed they are with `role-arn` and the permission `id-token: write`; else ask for a longer \
                      session (role-duration-seconds of aws-actions/configure-aws-credentials)";

/// How long credentials last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionLifetime {
    /// They have no end, or are renewed.
    Always,
    /// Until then.
    Until(Timestamp),
    /// They are temporary, and nothing says when they end.
    Unknown,
}

impl SessionLifetime {
    /// Checks that the credentials last for the whole run, and warns where they do not.
    ///
    /// `least` is how long a launch and an immediate teardown may take, `whole` how long the run may take.
    ///
    /// # Errors
    /// [`SessionError::EndsTooEarly`] where they do not even last for the least.
    pub(crate) fn check(self, least: Duration, whole: Duration) -> Result<(), SessionError> {
        let until = match self {
            Self::Always => return Ok(()),
            Self::Unknown => {
                tracing::warn!(
                    "these AWS credentials are temporary, and nothing says until when: this run may take {}, and its \
                     teardown needs them; {REMEDY}",
                    humane(whole)
                );
                return Ok(());
            }
            Self::Until(until) => until,
        };
        let left = until.duration_since(Timestamp::now());
        let left = Duration::try_from(left).unwrap_or_default();
        if left < least {
            return Err(SessionError::EndsTooEarly { until, left, least });
        }
        if left < whole {
            tracing::warn!(
                "the AWS credentials end in {}, but this run may take {}: what it leaves then ends by itself at its \
                 ttl; {REMEDY}",
                humane(left),
                humane(whole)
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_before_a_teardown_could_is_refused() {
        let minutes = Duration::from_mins;
        let ending = |seconds: i64| {
            let now = Timestamp::now().as_second();
            SessionLifetime::Until(Timestamp::from_second(now + seconds).unwrap())
        };
        let check = |lifetime: SessionLifetime| lifetime.check(minutes(20), minutes(105));
        assert!(check(SessionLifetime::Always).is_ok() && check(SessionLifetime::Unknown).is_ok());
        assert!(check(ending(3600)).is_ok());
        for early in [600, -3600] {
            let error = check(ending(early)).unwrap_err();
            assert!(
                matches!(error, SessionError::EndsTooEarly { .. }),
                "{error}"
            );
        }
    }
}
