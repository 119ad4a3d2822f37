//! `extend`: this job's host lives longer: its own timer and the tags are moved, up to a hard cap.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    cli::{ExtendArgs, Whereabouts},
    limits::{Limit, humane},
    provider::{self, Owner},
    report::{Exit, Failure, Leftover},
    stages::{Context, Outputs},
};

/// No extension reaches beyond this from the launch.
const CAP: Duration = Duration::from_hours(24);

/// Carries the stage out.
///
/// # Errors
/// [`Failure`]; then the end is where it was.
pub async fn run(args: &ExtendArgs, context: &mut Context) -> Result<Outputs, Failure> {
    let deadline = context.deadline;
    let provider = provider::for_end(
        &Whereabouts::default(),
        context.store.record(),
        &context.env,
    )?;
    let found = provider.find(&Owner::job(context.run()), deadline).await?;
    let instance = provider::instance(&found).ok_or_else(|| {
        Failure::new(Exit::BadInput, "this job has no instance")
            .hint("run this in the job whose provision-ec2 has launched one")
    })?;
    let until = until(
        Timestamp::now(),
        args.ttl,
        instance.since,
        instance.expires_at(),
    )
    .map_err(|failure| failure.leaving(Leftover::Tagged))?;
    provider
        .end_at(&mut context.store, &found, until, false, deadline)
        .await?;
    Ok(Outputs::default().with("expires-at", until.to_string()))
}

/// `ttl` from now, in whole seconds, but at most the cap; an error where that is no later than its end is now.
fn until(
    now: Timestamp,
    ttl: Limit,
    launched: Option<Timestamp>,
    expires: Option<Timestamp>,
) -> Result<Timestamp, Failure> {
    let after = |from: Timestamp, span: Duration| {
        let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        let second = from.as_second().saturating_add(seconds);
        Timestamp::new(second, 0).unwrap_or(Timestamp::MAX)
    };
    let cap = after(launched.unwrap_or(now), CAP);
    let until = after(now, ttl.duration()).min(cap);
    match expires {
        Some(expires) if until <= expires => {
            let failure = Failure::new(
                Exit::BadInput,
                format!("ttl: the host lives until {expires} already"),
            );
            Err(failure.hint(format!(
                "ask for more; no extension reaches beyond {} from the launch ({cap})",
                humane(CAP)
            )))
        }
        _ => Ok(until),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_moves_the_end_only_later_and_never_beyond_the_cap() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (launched, now) = (at("2026-11-21T00:00:00Z"), at("2026-11-21T12:00:00Z"));
        let until = |hours: u64, expires: &str| {
            let ttl = Limit::secs(hours * 3600);
            until(now, ttl, Some(launched), Some(at(expires))).map_err(|failure| failure.cause)
        };
        assert_eq!(
            until(2, "2026-11-21T13:00:00Z"),
            Ok(at("2026-11-21T14:00:00Z"))
        );
        assert_eq!(
            until(48, "2026-11-21T13:00:00Z"),
            Ok(at("2026-11-22T00:00:00Z"))
        );
        let refused = until(1, "2026-11-21T14:00:00Z").unwrap_err();
        assert!(
            refused.contains("lives until 2026-11-21T14:00:00Z already"),
            "{refused}"
        );
        assert!(
            until(48, "2026-11-22T00:00:00Z").is_err(),
            "the cap is reached"
        );
    }
}
