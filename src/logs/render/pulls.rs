//! How long images took to be pulled, by the events of the kubelet.

use std::{sync::LazyLock, time::Duration};

use regex::Regex;
use serde::Serialize;

use super::room;
use crate::{limits::humane, logs::snapshot::Snapshot};

/// Images that are shown.
const SHOWN: usize = 20;

/// The images that the nodes pulled.
#[derive(Debug, Serialize)]
pub struct Pulls {
    /// The slowest, the slowest first.
    pub rows: Vec<Pull>,
    /// How many there are in all.
    pub count: usize,
    /// How long all of them took together.
    pub took: String,
}

/// One pull.
#[derive(Debug, Serialize)]
pub struct Pull {
    /// The image as the pod names it.
    pub image: String,
    /// The node.
    pub node: String,
    /// How long it took.
    pub took: String,
    /// How long it waited for other pulls before that; empty where it did not.
    pub waited: String,
    /// Its size; empty where the kubelet does not say it.
    pub size: String,
    /// How long it took, in tenths of a percent of the slowest.
    pub share: u64,
}

/// How long it took and waited, its size, the image, the node.
type Found = (Duration, Duration, Option<u64>, String, String);

/// The pulls; none where no event tells of one.
pub(super) fn pulls(snapshot: &Snapshot) -> Option<Pulls> {
    static PULLED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r#"^Successfully pulled image "([^"]+)" in ([0-9.a-zµ]+)(?: \(([0-9.a-zµ]+) including waiting\))?(?:\. Image size: ([0-9]+) bytes)?"#,
        )
        .expect("a constant expression")
    });
    let mut found: Vec<Found> = Vec::new();
    for event in snapshot.of_kind("", "Event") {
        if event.text("/reason") != "Pulled" {
            continue;
        }
        let Some(parts) = PULLED.captures(event.text("/message")) else {
            continue;
        };
        let span = |at: usize| parts.get(at).and_then(|it| go_duration(it.as_str()));
        let Some(took) = span(2) else { continue };
        let waited = span(3).map_or(Duration::ZERO, |all| all.saturating_sub(took));
        let size = parts.get(4).and_then(|it| it.as_str().parse::<u64>().ok());
        let host = event.text("/source/host");
        let node = match host {
            "" => event.text("/reportingInstance"),
            host => host,
        };
        found.push((took, waited, size, parts[1].to_owned(), node.to_owned()));
    }
    found.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.3.cmp(&other.3)));
    let slowest = found.first()?.0.as_millis().max(1);
    let all: Duration = found.iter().map(|(took, ..)| *took).sum();
    let count = found.len();
    let row = |(took, waited, size, image, node): Found| Pull {
        image: room::sentence(&image),
        node: room::sentence(&node),
        took: humane(took),
        waited: if waited < Duration::from_millis(500) {
            String::new()
        } else {
            humane(waited)
        },
        size: size.map_or(String::new(), |bytes| format!("{} MiB", bytes >> 20)),
        share: u64::try_from(took.as_millis() * 1000 / slowest).unwrap_or(1000),
    };
    Some(Pulls {
        rows: found.into_iter().take(SHOWN).map(row).collect(),
        count,
        took: humane(all),
    })
}

/// A span as Go writes it: `1m2.5s`, `345ms`.
fn go_duration(text: &str) -> Option<Duration> {
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let unit = rest[end..].find(|c: char| c.is_ascii_digit());
        let (unit, next) = rest[end..].split_at(unit.unwrap_or(rest.len() - end));
        seconds += number
            * match unit {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "µs" | "us" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = next;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::logs::snapshot::Object;

    #[test]
    fn the_slowest_pull_is_first_with_its_wait_and_its_size() {
        let event = |message: &str| json!({"apiVersion": "v1", "kind": "Event", "reason": "Pulled", "message": message, "source": {"host": "node-1"}});
        let mut snapshot = Snapshot::empty("x");
        let objects = [
            event(
                r#"Successfully pulled image "a:1" in 2.5s (2.5s including waiting). Image size: 3145728 bytes."#,
            ),
            event(
                r#"Successfully pulled image "b:1" in 1m5.25s (1m15.25s including waiting). Image size: 734003200 bytes."#,
            ),
            event(r#"Successfully pulled image "c:1" in 345ms"#),
            event(r#"Container image "d:1" already present on machine"#),
            event(r#"Successfully pulled image "e:1" in soon"#),
        ];
        snapshot
            .objects
            .extend(objects.into_iter().filter_map(Object::of));
        let told = pulls(&snapshot).unwrap();
        let rows: Vec<_> = told
            .rows
            .iter()
            .map(|it| {
                let size = it.size.as_str();
                (
                    it.image.as_str(),
                    it.took.as_str(),
                    it.waited.as_str(),
                    size,
                )
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("b:1", "1m 5s", "10s", "700 MiB"),
                ("a:1", "2.5s", "", "3 MiB"),
                ("c:1", "0.3s", "", ""),
            ]
        );
        assert_eq!((told.count, told.took.as_str()), (3, "1m 8s"));
        assert_eq!((told.rows[0].share, told.rows[1].share), (1000, 38));
        assert!(pulls(&Snapshot::empty("x")).is_none());
    }
}
