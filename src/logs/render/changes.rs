//! What has changed since an earlier run: images, restarts, and what took longer or less long.
//!
//! Given the facts of this run and those that the bundle of the earlier one has in its `report.json`.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufReader, Read},
    path::Path,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{room, view::Pods};
use crate::{
    limits::humane,
    logs::snapshot::{Container, Object, Snapshot, containers, text},
    record::StageRecord,
};

/// Seconds by which a duration differs at least, to be worth a line.
const SLOWER: f64 = 10.0;

/// How much longer one of two durations is at least.
const RATIO: f64 = 1.5;

/// Bytes of a report that is compared with.
pub const LARGEST: i64 = 64 << 20;

/// What runs are compared by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The images of each workload.
    pub images: BTreeMap<String, Vec<String>>,
    /// How often containers of a workload were restarted; those without a restart are left out.
    pub restarts: BTreeMap<String, i64>,
    /// How many seconds each stage took, and each object until it was ready.
    pub seconds: BTreeMap<String, f64>,
}

/// What an earlier run reported.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Earlier {
    verdict: String,
    made: String,
    run: String,
    facts: Facts,
}

/// What has changed since then.
#[derive(Debug, Serialize)]
pub struct Changes {
    /// The earlier run, and when it was.
    pub since: String,
    /// Whether that one passed: a difference from one that did not says little.
    pub passed: bool,
    /// The differences: images, restarts, durations.
    pub rows: Vec<ChangeRow>,
}

/// One difference.
#[derive(Debug, PartialEq, Serialize)]
pub struct ChangeRow {
    /// `image`, `restarts`, `time`.
    pub what: &'static str,
    /// Of what.
    pub object: String,
    /// How it was; empty where it was not there.
    pub before: String,
    /// How it is; empty where it is gone.
    pub now: String,
}

impl Earlier {
    /// By the report of that run.
    ///
    /// # Errors
    /// What in it is no report of `gather-logs`.
    pub fn of_report(report: impl Read) -> serde_json::Result<Self> {
        serde_json::from_reader(BufReader::new(report))
    }

    /// By the bundle of that run.
    ///
    /// # Errors
    /// Why it cannot be read, or is no bundle of `gather-logs`.
    pub fn of_bundle(path: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let mut archive = zip::ZipArchive::new(fs::File::open(path)?)?;
        let report = archive.by_name("report.json")?;
        Ok(Self::of_report(report.take(LARGEST.unsigned_abs()))?)
    }
}

impl Facts {
    /// The facts of a run, without secrets as its parts are.
    pub(super) fn of(
        snapshot: Option<&Snapshot>,
        stages: &[&StageRecord],
        deploy: Option<&Value>,
    ) -> Self {
        let mut facts = Self::default();
        for stage in stages {
            if let (Some(0), Some(ended)) = (stage.exit, stage.ended) {
                let took = ended.duration_since(stage.started).as_secs_f64();
                facts.seconds.insert(stage.stage.clone(), tenths(took));
            }
        }
        let objects = deploy.and_then(|it| it.pointer("/deployment/objects")?.as_array());
        for entry in objects.into_iter().flatten() {
            let moment = |name: &str| entry[name].as_f64();
            // What took no time is left out: a set may have thousands of objects.
            if let (Some(sent), Some(ready)) = (moment("sent"), moment("ready"))
                && ready - sent >= 1000.0
            {
                let object = text(entry, "/object").to_owned();
                facts
                    .seconds
                    .insert(object, tenths((ready - sent) / 1000.0));
            }
        }
        if let Some(snapshot) = snapshot {
            facts.look(snapshot);
        }
        facts
    }

    /// Takes in what a cluster shows.
    fn look(&mut self, snapshot: &Snapshot) {
        let pods = Pods::of(snapshot);
        for kind in ["Deployment", "StatefulSet", "DaemonSet"] {
            for workload in snapshot.of_kind("apps", kind) {
                let name = format!("{kind} {}", workload.path());
                let template = ["initContainers", "containers"]
                    .iter()
                    .flat_map(|list| workload.list(&format!("/spec/template/spec/{list}")));
                let mut images: Vec<String> = template
                    .map(|container| text(container, "/image").to_owned())
                    .collect();
                images.sort();
                images.dedup();
                let restarts: i64 = pods.below(workload).iter().map(|pod| restarts(pod)).sum();
                if restarts > 0 {
                    self.restarts.insert(name.clone(), restarts);
                }
                self.images.insert(name, images);
            }
        }
    }
}

fn restarts(pod: &Object) -> i64 {
    containers(pod).iter().map(Container::restarts).sum()
}

fn tenths(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}

impl Changes {
    /// What has changed from that run to this.
    pub(super) fn between(earlier: &Earlier, now: &Facts) -> Self {
        let before = &earlier.facts;
        let row = |what, object: &str, before: String, now: String| ChangeRow {
            what,
            object: room::sentence(object),
            before: room::sentence(&before),
            now: room::sentence(&now),
        };
        let mut rows = Vec::new();
        // Where the cluster was not seen, nothing is gone.
        let both = !before.images.is_empty() && !now.images.is_empty();
        for object in union(&before.images, &now.images).filter(|_| both) {
            let images = |all: &BTreeMap<String, Vec<String>>| all.get(object).cloned();
            let (was, is) = (images(&before.images), images(&now.images));
            if was != is {
                let only = |these: Option<&Vec<String>>, those: Option<&Vec<String>>| {
                    let is_other = |it: &&String| !those.is_some_and(|all| all.contains(it));
                    let other = these.into_iter().flatten().filter(is_other);
                    other.cloned().collect::<Vec<_>>().join(", ")
                };
                let (gone, new) = (
                    only(was.as_ref(), is.as_ref()),
                    only(is.as_ref(), was.as_ref()),
                );
                rows.push(row("image", object, gone, new));
            }
        }
        for (object, restarts) in &now.restarts {
            let was = before.restarts.get(object).copied().unwrap_or(0);
            if *restarts > was && before.images.contains_key(object) {
                rows.push(row(
                    "restarts",
                    object,
                    was.to_string(),
                    restarts.to_string(),
                ));
            }
        }
        let mut times: Vec<(&str, f64, f64)> = now
            .seconds
            .iter()
            .filter_map(|(what, is)| Some((what.as_str(), *before.seconds.get(what)?, *is)))
            .filter(|(_, was, is)| {
                (is - was).abs() >= SLOWER && is.max(*was) >= RATIO * is.min(*was)
            })
            .collect();
        times.sort_by(|one, other| (other.2 - other.1).total_cmp(&(one.2 - one.1)));
        for (what, was, is) in times {
            rows.push(row("time", what, span(was), span(is)));
        }
        Self {
            since: room::sentence(&format!("{}, {}", earlier.run, earlier.made)),
            passed: earlier.verdict == "passed",
            rows,
        }
    }
}

fn span(seconds: f64) -> String {
    std::time::Duration::try_from_secs_f64(seconds).map_or_else(|_| "?".to_owned(), humane)
}

/// The keys of two maps, each once and in order.
fn union<'a, V>(
    one: &'a BTreeMap<String, V>,
    other: &'a BTreeMap<String, V>,
) -> impl Iterator<Item = &'a String> {
    let mut keys: Vec<&String> = one.keys().chain(other.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(value: Value) -> Facts {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_changed_is_told_and_what_did_not_is_not() {
        let before = facts(json!({
            "images": {"Deployment n/same": ["a:1"], "Deployment n/new-tag": ["b:1", "side:1"], "Deployment n/gone": ["c:1"]},
            "restarts": {"Deployment n/same": 2},
            "seconds": {"install-kind": 60.0, "deploy-manifests": 100.0, "Deployment n/same": 4.0, "Deployment n/fast": 90.0},
        }));
        let now = facts(json!({
            "images": {"Deployment n/same": ["a:1"], "Deployment n/new-tag": ["b:2", "side:1"], "Deployment n/added": ["d:1"]},
            "restarts": {"Deployment n/same": 5, "Deployment n/added": 3},
            "seconds": {"install-kind": 69.0, "deploy-manifests": 400.0, "Deployment n/same": 9.0, "Deployment n/fast": 30.0},
        }));
        let earlier = Earlier {
            verdict: "passed".to_owned(),
            facts: before,
            ..Earlier::default()
        };
        let changes = Changes::between(&earlier, &now);
        let rows: Vec<_> = changes
            .rows
            .iter()
            .map(|row| {
                let (before, now) = (row.before.as_str(), row.now.as_str());
                (row.what, row.object.as_str(), before, now)
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("image", "Deployment n/added", "", "d:1"),
                ("image", "Deployment n/gone", "c:1", ""),
                ("image", "Deployment n/new-tag", "b:1", "b:2"),
                ("restarts", "Deployment n/same", "2", "5"),
                ("time", "deploy-manifests", "1m 40s", "6m 40s"),
                ("time", "Deployment n/fast", "1m 30s", "30s"),
            ]
        );
        assert!(changes.passed);
        let same = Earlier {
            facts: now.clone(),
            ..Earlier::default()
        };
        assert!(Changes::between(&same, &now).rows.is_empty());
        // A run that saw no cluster lost no workload.
        let unseen = Changes::between(&earlier, &Facts::default());
        assert!(unseen.rows.is_empty());
    }

    #[test]
    fn the_facts_are_those_of_workloads_stages_and_objects() {
        let mut snapshot = Snapshot::empty("x");
        let owner = json!([{"kind": "StatefulSet", "name": "db", "controller": true}]);
        let objects = [
            json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "n"},
                "spec": {"template": {"spec": {"initContainers": [{"image": "init:1"}], "containers": [{"image": "db:1"}, {"image": "db:1"}]}}}}),
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "db-0", "namespace": "n", "ownerReferences": owner},
                "spec": {"containers": [{"name": "c"}]}, "status": {"containerStatuses": [{"name": "c", "restartCount": 2}]}}),
        ];
        snapshot
            .objects
            .extend(objects.into_iter().filter_map(Object::of));
        let stage = |name: &str, exit: u8| StageRecord {
            stage: name.to_owned(),
            started: "2026-01-02T03:00:00Z".parse().unwrap(),
            ended: "2026-01-02T03:01:00.26Z".parse().ok(),
            exit: Some(exit),
            cause: String::new(),
            about: Vec::new(),
        };
        let deploy = json!({"deployment": {"objects": [
            {"object": "StatefulSet n/db", "sent": 1000, "ready": 3500}, {"object": "ConfigMap n/fast", "sent": 1, "ready": 20},
            {"object": "Job n/never", "sent": 5, "ready": null}]}});
        let (passed, failed) = (stage("install-kind", 0), stage("deploy-manifests", 3));
        let told = Facts::of(Some(&snapshot), &[&passed, &failed], Some(&deploy));
        assert_eq!(
            told,
            facts(
                json!({"images": {"StatefulSet n/db": ["db:1", "init:1"]}, "restarts": {"StatefulSet n/db": 2},
                "seconds": {"install-kind": 60.3, "StatefulSet n/db": 2.5}})
            )
        );
    }
}
