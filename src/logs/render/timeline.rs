//! What happened when: the stages, and below them warnings, restarts and kills, on one axis.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::Serialize;

use super::room;
use crate::{
    limits::humane,
    logs::{
        describe::age,
        snapshot::{Object, Snapshot, containers, event_time, text},
    },
    record::StageRecord,
    report::one_line,
};

/// Marks of a lane: what lies closer together becomes one.
const SLOTS: i64 = 100;

/// Bytes of what a mark says.
const TITLE: usize = 200;

/// What a mark names of all that it stands for.
const NAMED: usize = 3;

/// Stages that are drawn; the record of a laptop may have any number of earlier ones.
const STAGES: usize = 40;

/// A stage on the time axis of all of them.
#[derive(Debug, Serialize)]
pub struct StageRow {
    /// Its name.
    pub name: String,
    /// `passed`, `failed (1)`, `cut short`.
    pub result: String,
    /// `good`, `bad`, `open`.
    pub tone: &'static str,
    /// How long it took.
    pub took: String,
    /// Where its bar begins, in percent of the whole.
    pub from: u32,
    /// How long its bar is, in percent of the whole; at least 1.
    pub width: u32,
    /// Its one-line cause.
    pub cause: String,
}

/// Things of one kind on the axis.
#[derive(Debug, Serialize)]
pub struct Lane {
    /// `Warnings`.
    pub name: &'static str,
    /// `bad` or `open`.
    pub tone: &'static str,
    /// How many there are in all.
    pub count: i64,
    /// Where they lie.
    pub marks: Vec<Mark>,
}

/// One or some things that happened at about the same time.
#[derive(Debug, Serialize)]
pub struct Mark {
    /// Where it lies, in percent of the whole.
    pub at: String,
    /// Whether there are more than a few.
    pub many: bool,
    /// When it was, and what.
    pub title: String,
}

/// Something that happened.
struct Moment {
    at: Timestamp,
    count: i64,
    what: String,
}

/// The axis: its begin and its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    from: Timestamp,
    to: Timestamp,
}

impl Axis {
    /// From the begin of the first stage to the end of the last.
    pub(super) fn of(stages: &[&StageRecord], now: Timestamp) -> Option<Self> {
        let from = stages.iter().map(|stage| stage.started).min()?;
        let ends = stages.iter().map(|stage| stage.ended.unwrap_or(now));
        Some(Self {
            from,
            to: ends.max()?,
        })
    }

    /// The hour before a cluster was seen, where no stage tells more.
    pub(super) fn before(snapshot: &Snapshot) -> Self {
        Self {
            from: snapshot.taken - jiff::SignedDuration::from_hours(1),
            to: snapshot.taken,
        }
    }

    /// How long it is.
    pub(super) fn took(self) -> String {
        age(self.from, self.to)
    }

    /// When it begins.
    pub(super) fn begin(self) -> String {
        self.from.strftime("%H:%M:%S UTC").to_string()
    }

    fn whole(self) -> i64 {
        (self.to.as_millisecond() - self.from.as_millisecond()).max(1)
    }

    /// How much of the whole has passed, in parts of `parts`; nothing for what was before.
    fn part(self, at: Timestamp, parts: i64) -> Option<i64> {
        let since = at.as_millisecond() - self.from.as_millisecond();
        // Clocks of a second lie a little before.
        (since > -1000).then(|| (since.max(0) * parts / self.whole()).min(parts))
    }

    /// Times along it.
    pub(super) fn ticks(self) -> Vec<String> {
        let whole = Duration::from_millis(self.whole().unsigned_abs());
        (0..=4_u32)
            .map(|quarter| humane(whole * quarter / 4))
            .collect()
    }
}

/// The stages, the last of them where there are too many.
pub(super) fn stages(stages: &[&StageRecord], axis: Option<Axis>, now: Timestamp) -> Vec<StageRow> {
    let Some(axis) = axis else {
        return Vec::new();
    };
    let percent = |at: Timestamp| {
        let part = axis.part(at, 100).unwrap_or(0);
        u32::try_from(part).unwrap_or(0)
    };
    let row = |stage: &&StageRecord| {
        let ended = stage.ended.unwrap_or(now);
        let (result, tone) = match stage.exit {
            Some(0) => ("passed".to_owned(), "good"),
            Some(124) => ("time limit (124)".to_owned(), "bad"),
            Some(130) => ("cancelled (130)".to_owned(), "bad"),
            Some(exit) => (format!("failed ({exit})"), "bad"),
            None => ("cut short".to_owned(), "open"),
        };
        let start = percent(stage.started).min(99);
        StageRow {
            name: stage.stage.clone(),
            result,
            tone,
            took: age(stage.started, ended),
            from: start,
            width: percent(ended).saturating_sub(start).max(1),
            cause: room::sentence(&stage.cause),
        }
    };
    let shown = &stages[stages.len().saturating_sub(STAGES)..];
    shown.iter().map(row).collect()
}

/// What the cluster tells of the same time, each kind on its lane; kinds without any have none.
pub(super) fn lanes(snapshot: &Snapshot, axis: Axis) -> Vec<Lane> {
    let (mut restarts, mut kills) = (Vec::new(), Vec::new());
    for pod in snapshot.pods() {
        for (moment, is_kill) in ends(pod) {
            let kind = if is_kill { &mut kills } else { &mut restarts };
            kind.push(moment);
        }
    }
    let mut warnings = Vec::new();
    for event in snapshot.of_kind("", "Event") {
        let Ok(at) = event_time(event).parse() else {
            continue;
        };
        let reason = event.text("/reason");
        let is_kill = matches!(reason, "OOMKilling" | "SystemOOM");
        if !is_kill && event.text("/type") != "Warning" {
            continue;
        }
        let moment = Moment {
            at,
            count: super::view::count(event),
            what: format!("{reason} {}", super::view::involved(event)),
        };
        if is_kill {
            kills.push(moment);
        } else {
            warnings.push(moment);
        }
    }
    let lanes = [
        ("Warnings", "open", warnings),
        ("Containers ended", "open", restarts),
        ("Out of memory", "bad", kills),
    ];
    lanes
        .into_iter()
        .filter_map(|(name, tone, moments)| lane(name, tone, axis, moments))
        .collect()
}

/// How the containers of a pod ended, as far as it is known; whether memory was the reason.
fn ends(pod: &Object) -> Vec<(Moment, bool)> {
    let mut found = Vec::new();
    for container in containers(pod) {
        for pointer in ["/lastState/terminated", "/state/terminated"] {
            let Some(end) = container.status.pointer(pointer) else {
                continue;
            };
            let code = end.pointer("/exitCode").and_then(serde_json::Value::as_i64);
            let (Some(code @ 1..), Ok(at)) = (code, text(end, "/finishedAt").parse()) else {
                continue;
            };
            let reason = text(end, "/reason");
            let what = format!(
                "Pod {}: container {} ended with exit code {code} ({reason}), restarted {}×",
                pod.path(),
                container.name,
                container.restarts()
            );
            found.push((Moment { at, count: 1, what }, reason == "OOMKilled"));
        }
    }
    found
}

fn lane(
    name: &'static str,
    tone: &'static str,
    axis: Axis,
    mut moments: Vec<Moment>,
) -> Option<Lane> {
    moments.sort_by_key(|moment| moment.at);
    let mut slots: BTreeMap<i64, Vec<Moment>> = BTreeMap::new();
    for moment in moments {
        if let Some(slot) = axis.part(moment.at, SLOTS) {
            slots.entry(slot).or_default().push(moment);
        }
    }
    let sum = |moments: &[Moment]| moments.iter().map(|moment| moment.count).sum::<i64>();
    let count = slots.values().map(|moments| sum(moments)).sum();
    let mark = |(slot, moments): (i64, Vec<Moment>)| {
        let mut what: Vec<String> = Vec::new();
        for moment in &moments {
            let said = one_line(&moment.what);
            if what.len() < NAMED && !what.contains(&said) {
                what.push(said);
            }
        }
        let count = sum(&moments);
        let times = if count > 1 {
            format!(", {count} times")
        } else {
            String::new()
        };
        Mark {
            at: format!("{}.{}", slot * 1000 / SLOTS / 10, slot * 1000 / SLOTS % 10),
            many: count > 5,
            title: format!(
                "{}{times}: {}",
                moments[0].at.strftime("%H:%M:%S"),
                room::short(&what.join("; "), TITLE)
            ),
        }
    };
    let marks: Vec<Mark> = slots.into_iter().map(mark).collect();
    (!marks.is_empty()).then_some(Lane {
        name,
        tone,
        count,
        marks,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn axis() -> Axis {
        Axis {
            from: "2026-01-02T03:00:00Z".parse().unwrap(),
            to: "2026-01-02T03:10:00Z".parse().unwrap(),
        }
    }

    fn told(objects: &[serde_json::Value]) -> Vec<(&'static str, i64, Vec<String>)> {
        let mut snapshot = Snapshot::empty("x");
        let objects = objects.iter().cloned().filter_map(Object::of);
        snapshot.objects.extend(objects);
        let lanes = lanes(&snapshot, axis());
        let at = |lane: &Lane| lane.marks.iter().map(|mark| mark.at.clone()).collect();
        lanes.iter().map(|it| (it.name, it.count, at(it))).collect()
    }

    #[test]
    fn what_the_cluster_tells_lies_where_it_happened() {
        let event = |at: &str, reason: &str, count: i64| {
            json!({"apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": reason, "count": count,
                "lastTimestamp": at, "involvedObject": {"kind": "Pod", "name": "p", "namespace": "n"}})
        };
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"},
            "spec": {"containers": [{"name": "a"}, {"name": "b"}, {"name": "done"}]}, "status": {"containerStatuses": [
                {"name": "a", "restartCount": 2, "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-02T03:09:00Z"}}},
                {"name": "b", "restartCount": 1, "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-01-02T03:02:30Z"}}},
                {"name": "done", "state": {"terminated": {"exitCode": 0, "finishedAt": "2026-01-02T03:02:30Z"}}}]}});
        let objects = [
            event("2026-01-02T03:05:00Z", "FailedScheduling", 4),
            event("2026-01-02T03:05:01Z", "BackOff", 1),
            event("2026-01-01T03:05:00Z", "Yesterday", 1),
            // After the last stage, while logs were collected.
            event("2026-01-02T03:11:00Z", "BackOff", 1),
            event("2026-01-02T03:01:00Z", "SystemOOM", 1),
            pod,
        ];
        let text = |at: &[&str]| at.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            told(&objects),
            [
                ("Warnings", 6, text(&["50.0", "100.0"])),
                ("Containers ended", 1, text(&["25.0"])),
                ("Out of memory", 2, text(&["10.0", "90.0"])),
            ]
        );
        assert!(told(&[]).is_empty());
    }
}
