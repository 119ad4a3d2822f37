//! The install as a picture: when each object was sent, accepted and ready, on one axis.
//!
//! Given the report that `deploy-manifests` left; shows what took time or is missing, and counts the rest.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{SHOWN, room};
use crate::limits::humane;

/// An object that was ready as fast is counted, not drawn.
const FAST: u64 = 500;

/// The picture.
#[derive(Debug, Serialize)]
pub struct Waterfall {
    /// What took time or is missing, in the order in which it was sent.
    pub rows: Vec<Row>,
    /// How many objects are not drawn.
    pub others: usize,
    /// How many objects there are.
    pub objects: usize,
    /// Times along the axis, from its begin to its end.
    pub ticks: Vec<String>,
}

/// One object; spans are in tenths of a percent of the whole.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Kind, namespace and name.
    pub object: String,
    /// When it was sent first.
    pub sent: u64,
    /// How long until it was accepted.
    pub accepting: u64,
    /// From there, how long until it was ready, or the end.
    pub waiting: u64,
    /// `good`, or `bad` for one that never was.
    pub tone: &'static str,
    /// From sent to ready.
    pub took: String,
    /// What was missing in the end.
    pub missing: String,
    /// When it was accepted and ready, since the begin.
    #[serde(skip)]
    pub times: String,
}

#[derive(Deserialize)]
struct Entry {
    object: String,
    sent: Option<u64>,
    accepted: Option<u64>,
    ready: Option<u64>,
    #[serde(default)]
    missing: String,
}

impl Waterfall {
    /// Whether one was never ready.
    pub fn has_failed(&self) -> bool {
        self.rows.iter().any(|row| row.tone == "bad")
    }

    /// Whether some of those that took time had no room.
    pub fn is_all_slow(&self) -> bool {
        self.rows.len() == SHOWN
    }

    /// The picture of a report; none where there is no object in it.
    pub(super) fn of(report: &Value) -> Option<Self> {
        let entries = report.pointer("/deployment/objects")?;
        let entries: Vec<Entry> = serde_json::from_value(entries.clone()).ok()?;
        let moment = |name: &str| {
            let text = report["deployment"][name].as_str()?;
            Some(text.parse::<jiff::Timestamp>().ok()?.as_millisecond())
        };
        let whole = (moment("ended")? - moment("started")?)
            .max(1)
            .unsigned_abs();
        let share = |span: u64| (span * 1000 / whole).min(1000);
        let end = |entry: &Entry| entry.ready.filter(|_| entry.missing.is_empty());
        let span = |entry: &Entry| {
            let sent = entry.sent.unwrap_or(whole);
            end(entry).unwrap_or(whole).saturating_sub(sent)
        };
        let objects = entries.len();
        let is_slow = |entry: &Entry| end(entry).is_none() || span(entry) >= FAST;
        let mut slow: Vec<Entry> = entries.into_iter().filter(is_slow).collect();
        // Where there are too many, what is missing and the slowest tell most.
        slow.sort_by_key(|entry| std::cmp::Reverse((end(entry).is_none(), span(entry))));
        slow.truncate(SHOWN);
        slow.sort_by_key(|entry| (entry.sent.unwrap_or(u64::MAX), entry.accepted));
        let row = |entry: Entry| {
            let sent = entry.sent.unwrap_or(whole);
            let accepted = entry.accepted.unwrap_or(whole);
            Row {
                sent: share(sent).min(995),
                accepting: share(accepted.saturating_sub(sent)),
                waiting: share(end(&entry).unwrap_or(whole).saturating_sub(accepted)),
                tone: if end(&entry).is_some() { "good" } else { "bad" },
                took: if entry.sent.is_some() {
                    humane(Duration::from_millis(span(&entry)))
                } else {
                    "not sent".to_owned()
                },
                times: times(&entry),
                object: entry.object,
                missing: room::sentence(&entry.missing),
            }
        };
        let rows: Vec<Row> = slow.into_iter().map(row).collect();
        let tick = |quarter: u64| humane(Duration::from_millis(whole * quarter / 4));
        (objects > 0).then(|| Self {
            others: objects - rows.len(),
            rows,
            objects,
            ticks: (0..=4).map(tick).collect(),
        })
    }
}

/// When an object was sent, accepted and ready, in words.
fn times(entry: &Entry) -> String {
    let at = |what: &str, moment: Option<u64>| {
        let moment = Duration::from_millis(moment?);
        Some(format!("{what} after {}", humane(moment)))
    };
    let times = [
        at("sent", entry.sent),
        at("accepted", entry.accepted),
        at("ready", entry.ready),
    ];
    times.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(objects: &Value) -> Value {
        json!({"deployment": {
            "started": "2026-01-02T03:00:00Z", "ended": "2026-01-02T03:00:10Z", "objects": objects,
        }})
    }

    #[test]
    fn what_took_time_or_is_missing_is_drawn_and_the_rest_counted() {
        let told = Waterfall::of(&report(&json!([
            {"object": "ConfigMap a/fast", "sent": 0, "accepted": 40, "ready": 40, "missing": ""},
            {"object": "Deployment a/web", "sent": 1000, "accepted": 1500, "ready": 6000, "missing": ""},
            {"object": "Deployment a/bad", "sent": 500, "accepted": 600, "ready": null, "missing": "0 of 1 available"},
            {"object": "Job a/held", "sent": null, "accepted": null, "ready": null, "missing": "waits"},
        ])))
        .unwrap();
        assert_eq!((told.objects, told.others), (4, 1));
        let names: Vec<_> = told.rows.iter().map(|row| row.object.as_str()).collect();
        assert_eq!(
            names,
            ["Deployment a/bad", "Deployment a/web", "Job a/held"]
        );
        let web = &told.rows[1];
        assert_eq!((web.sent, web.accepting, web.waiting), (100, 50, 450));
        assert_eq!((web.tone, web.took.as_str()), ("good", "5s"));
        let bad = &told.rows[0];
        assert_eq!(
            (bad.tone, bad.sent + bad.accepting + bad.waiting),
            ("bad", 1000)
        );
        assert_eq!(told.rows[2].took, "not sent");
        assert_eq!(told.ticks, ["0s", "2.5s", "5s", "7.5s", "10s"]);
    }

    #[test]
    fn too_many_rows_keep_the_worst() {
        let objects: Vec<Value> = (0..200_u64)
            .map(|n| json!({"object": format!("Pod a/{n}"), "sent": n, "accepted": n, "ready": n + 500 + n, "missing": if n == 0 { "gone" } else { "" }}))
            .collect();
        let told = Waterfall::of(&report(&json!(objects))).unwrap();
        assert_eq!((told.rows.len(), told.others), (SHOWN, 200 - SHOWN));
        assert_eq!(told.rows[0].object, "Pod a/0");
        assert_eq!(told.rows[1].object, format!("Pod a/{}", 201 - SHOWN));
    }

    #[test]
    fn a_report_without_objects_is_no_picture() {
        assert!(Waterfall::of(&report(&json!([]))).is_none());
        assert!(Waterfall::of(&json!({})).is_none());
    }
}
