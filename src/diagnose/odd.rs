//! Where no cause is known: the objects of which most is odd.

use std::collections::{HashMap, HashSet};

use crate::{
    diagnose::Read,
    ready::ReadyWhen,
    status::{self, ObjectStatus, identity},
};

/// Objects that are named.
const SHOWN: usize = 3;

/// Restarts of a pod that count; more say no more.
const RESTARTS: i64 = 20;

/// The objects that are not ready and have most warnings and restarts; of two alike the one that has failed. Who owns another
/// stands for both.
pub(super) fn oddest(read: &Read) -> Vec<ObjectStatus> {
    let mut points: HashMap<String, i64> = HashMap::new();
    let mut inner: HashSet<String> = HashSet::new();
    for found in &read.found {
        let value = &found.value;
        if value["kind"] == "Event" && value["type"] == "Warning" {
            let involved = &value["involvedObject"];
            let part = |key: &str| involved[key].as_str().unwrap_or_default();
            let id = named(part("kind"), part("namespace"), part("name"));
            *points.entry(id).or_default() += value["count"].as_i64().unwrap_or(1);
        }
        let statuses = value["status"]["containerStatuses"].as_array();
        let restarts = statuses.into_iter().flatten();
        let restarts: i64 = restarts.filter_map(|it| it["restartCount"].as_i64()).sum();
        if restarts > 0 {
            let id = identity(value).to_string();
            *points.entry(id).or_default() += restarts.min(RESTARTS);
        }
    }
    let mut odd = status::judge(&read.found, &ReadyWhen::default());
    odd.retain(|it| !it.state.is_ready() && it.state.state() != "suspended");
    let listed: HashSet<String> = odd.iter().map(|it| it.object.clone()).collect();
    for found in &read.found {
        let own = identity(&found.value).to_string();
        let namespace = found.value["metadata"]["namespace"]
            .as_str()
            .unwrap_or_default();
        let owners = found.value["metadata"]["ownerReferences"].as_array();
        for owner in owners.into_iter().flatten() {
            let part = |key: &str| owner[key].as_str().unwrap_or_default();
            let owner = named(part("kind"), namespace, part("name"));
            if listed.contains(&owner) && listed.contains(&own) {
                let of_own = points.get(&own).copied().unwrap_or(0);
                *points.entry(owner).or_default() += of_own;
                inner.insert(own.clone());
            }
        }
    }
    odd.retain(|it| !inner.contains(&it.object));
    odd.sort_by_key(|it| {
        let state = match it.state.state() {
            "failed" => 0,
            "stuck" => 1,
            _ => 2,
        };
        let points = points.get(&it.object).copied().unwrap_or(0);
        (std::cmp::Reverse(points), state, it.object.clone())
    });
    odd.truncate(SHOWN);
    odd
}

fn named(kind: &str, namespace: &str, name: &str) -> String {
    if namespace.is_empty() {
        format!("{kind} {name}")
    } else {
        format!("{kind} {namespace}/{name}")
    }
}
