//! How long GitHub wants not to be asked, where it refuses for having been asked too often.
//!
//! Source: GitHub's "Rate limits for the REST API" and "Best practices": `retry-after` in seconds counts first; with
//! `x-ratelimit-remaining: 0` the moment in `x-ratelimit-reset`; else it is the secondary limit, and a minute is to be waited.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;

/// Where a refusal says nothing of how long.
const A_WHILE: Duration = Duration::from_mins(1);

/// The span of a refusal; `None` for all else.
pub(super) fn span(
    status: StatusCode,
    headers: &HeaderMap,
    message: &str,
    now: Timestamp,
) -> Option<Duration> {
    if !matches!(
        status,
        StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
    ) {
        return None;
    }
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    if let Some(seconds) = number("retry-after") {
        return Some(Duration::from_secs(
            u64::try_from(seconds).unwrap_or(0).max(1),
        ));
    }
    if number("x-ratelimit-remaining") == Some(0)
        && let Some(reset) = number("x-ratelimit-reset")
    {
        // A second more: the moment is told in whole ones.
        let left = reset.saturating_sub(now.as_second()).saturating_add(1);
        return Some(Duration::from_secs(u64::try_from(left).unwrap_or(0).max(1)));
    }
    let is_limit =
        status == StatusCode::TOO_MANY_REQUESTS || message.to_lowercase().contains("rate limit");
    is_limit.then_some(A_WHILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, headers: &[(&'static str, &'static str)], message: &str) -> Option<u64> {
        let headers = headers.iter().map(|(name, value)| {
            let value = http::HeaderValue::from_static(value);
            (http::HeaderName::from_static(name), value)
        });
        let status = StatusCode::from_u16(status).unwrap();
        let now = Timestamp::from_second(1000).unwrap();
        span(status, &headers.collect(), message, now).map(|span| span.as_secs())
    }

    #[test]
    fn what_github_says_of_its_limits_is_understood() {
        let spent = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1090"),
        ];
        assert_eq!(
            of(403, &spent, "API rate limit exceeded for 1.2.3.4."),
            Some(91)
        );
        assert_eq!(of(429, &[("retry-after", "7")], ""), Some(7));
        let past = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "90")];
        assert_eq!(of(403, &past, ""), Some(1));
        assert_eq!(
            of(403, &[], "You have exceeded a secondary rate limit"),
            Some(60)
        );
        assert_eq!(of(429, &[], ""), Some(60));
        let left = [
            ("x-ratelimit-remaining", "12"),
            ("x-ratelimit-reset", "1090"),
        ];
        assert_eq!(
            of(403, &left, "Resource not accessible by integration"),
            None
        );
        assert_eq!(of(200, &spent, ""), None);
    }
}
