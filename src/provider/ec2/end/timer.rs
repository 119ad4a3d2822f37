//! Moves the end of a host: first its own timer, then the tags and the record that name the time.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use serde_json::json;

use crate::{
    host::{Command, Host as _, check, ssh::SshHost},
    limits::Deadline,
    provider::{
        Resource,
        ec2::{
            TTL_TIMER,
            access::{Access, Ec2Api},
            errors::{Ec2Error, ask},
            tags_of,
        },
    },
    record::Store,
    report::{Exit, Failure},
    run::{TAG_EXPIRES_AT, TAG_KEPT},
};

/// The step of the record.
const MOVE_END: &str = "MoveEnd";
/// How long the host may take. One that does not answer is not moved.
const ANSWER_LIMIT: Duration = Duration::from_mins(1);

/// Moves the end of the host of the record, and of everything in `host`, to `until`.
///
/// What cannot be moved keeps its end: the timer is asked first, and the tags never promise more than it does.
pub(crate) async fn end_at(
    store: &mut Store,
    host: &[Resource],
    until: Timestamp,
    kept: bool,
    access: &Access,
    deadline: Deadline,
) -> Result<(), Failure> {
    let Some(reached) = store.record().host.clone() else {
        return Err(
            Failure::new(Exit::BadInput, "no record says how to reach the host")
                .hint("run this where provision-ec2 ran"),
        );
    };
    store.intend(MOVE_END, json!({"until": until, "kept": kept}))?;
    let ssh = SshHost::new(&reached, access.env())?;
    let command = Command::new(script(until, Timestamp::now())).root();
    check(
        &ssh,
        "moving the host's timer",
        &command,
        deadline.within(ANSWER_LIMIT),
    )
    .await?;
    tracing::info!("{} ends by itself at {until}", ssh.describe());
    tag(host, until, kept, access, deadline).await?;
    store.update_launch(|launch| launch.expires_at = Some(until))?;
    Ok(store.achieve(MOVE_END, json!({"until": until}))?)
}

async fn tag(
    host: &[Resource],
    until: Timestamp,
    kept: bool,
    access: &Access,
    deadline: Deadline,
) -> Result<(), Ec2Error> {
    let mut tags = vec![(TAG_EXPIRES_AT.to_owned(), until.to_string())];
    if kept {
        tags.push((TAG_KEPT.to_owned(), "true".to_owned()));
    }
    let Some(region) = host.iter().find_map(|one| one.region.as_deref()) else {
        return Ok(());
    };
    let ids = host.iter().map(|one| one.id.clone()).collect();
    let ec2 = Ec2Api::open(access, deadline).await?.region(region);
    let request = ec2
        .create_tags()
        .set_resources(Some(ids))
        .set_tags(Some(tags_of(&tags)));
    ask("CreateTags", region, deadline, request.send())
        .await
        .map(drop)
}

/// Replaces the times of the timer that cloud-init has armed; an empty one takes back all that were set before.
///
/// By the calendar, so that a later boot has it too, and by the time from now where the host's clock is wrong.
fn script(until: Timestamp, now: Timestamp) -> String {
    let seconds = until.duration_since(now).as_secs().max(1);
    let calendar = until
        .to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%d %H:%M:%S UTC");
    format!(
        "set -eu
directory=/etc/systemd/system/{TTL_TIMER}.d
mkdir -p \"$directory\"
cat >\"$directory/.moved\" <<'END'
[Timer]
OnBootSec=
OnCalendar=
OnActiveSec={seconds}s
OnCalendar={calendar}
END
mv \"$directory/.moved\" \"$directory/moved.conf\"
systemctl daemon-reload
systemctl restart {TTL_TIMER}
systemctl is-active {TTL_TIMER}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_timer_forgets_its_earlier_times() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let text = script(at("2026-11-21T15:30:00Z"), at("2026-11-21T15:00:00Z"));
        let times =
            "OnBootSec=\nOnCalendar=\nOnActiveSec=1800s\nOnCalendar=2026-11-21 15:30:00 UTC\n";
        assert!(text.contains(times), "{text}");
        // What is past already ends at once, not never.
        let text = script(at("2026-11-21T15:30:00Z"), at("2026-11-21T16:00:00Z"));
        assert!(text.contains("OnActiveSec=1s\n"), "{text}");
    }
}
