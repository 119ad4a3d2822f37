//! Every object of every kind that the API server serves, by aggregated discovery and in pages.

use std::{collections::HashSet, sync::Mutex};

use futures::{StreamExt as _, stream};
use serde_json::Value;

use super::{CONCURRENCY, RequestError, Server};
use crate::{
    api::Resource,
    cluster::discover,
    logs::{
        layout,
        snapshot::{Gap, Object, Snapshot, text},
    },
};

/// Objects in one answer.
const PAGE: usize = 250;
/// Secrets in one answer: a release of Helm may have a megabyte.
const SECRETS_PAGE: usize = 50;
const JSON: &str = "application/json";

/// Fills the snapshot with all objects. What has come stays there when this future is dropped.
pub async fn collect(server: &Server, snapshot: &Mutex<Snapshot>) {
    let with = |change: &dyn Fn(&mut Snapshot)| {
        change(&mut snapshot.lock().expect("nobody panics while holding it"));
    };
    let context = snapshot
        .lock()
        .expect("nobody panics while holding it")
        .context
        .clone();
    let root = layout::root(&context);
    let (version, core, groups) = futures::join!(
        server.json("/version", JSON),
        server.json("/api", discover::AGGREGATED),
        server.json("/apis", discover::AGGREGATED),
    );
    let mut kinds = Vec::new();
    for (file, answer) in [("api.json", core), ("apis.json", groups)] {
        match answer {
            Ok(answer) => {
                let (found, stale) = served_kinds(&answer);
                kinds.extend(found);
                with(&|snapshot| {
                    snapshot.discovery.push((file, answer.clone()));
                    snapshot.gaps.extend(stale.iter().map(|group| Gap {
                        file: format!("{root}/*/{}", group.replace('/', "-")),
                        error: "the server behind this API group does not answer".to_owned(),
                    }));
                });
            }
            Err(error) => with(&|snapshot| {
                snapshot.gaps.push(Gap {
                    file: format!("{root}/{file}"),
                    error: format!("the API server does not tell what it serves: {error}"),
                });
            }),
        }
    }
    with(&|snapshot| snapshot.version = version.as_ref().ok().cloned());
    // Where time runs out, what matters most is there.
    kinds.sort_by_key(|kind| importance(&kind.kind));
    stream::iter(&kinds)
        .map(async |kind| {
            let ended = list_all(server, kind, snapshot).await;
            with(&|snapshot| match &ended {
                Ok(()) => snapshot.secrets_listed |= is_secret(kind),
                Err(error) => snapshot.gaps.push(Gap {
                    file: layout::kind(&context, &kind.api_version(), &kind.kind),
                    error: error.to_string(),
                }),
            });
        })
        .buffer_unordered(CONCURRENCY)
        .collect::<()>()
        .await;
}

fn is_secret(kind: &Resource) -> bool {
    kind.group.is_empty() && kind.kind == "Secret"
}

/// The kinds to list, each in the version that the server prefers, and the groups that are not up.
pub(super) fn served_kinds(discovery: &Value) -> (Vec<Resource>, Vec<String>) {
    let (mut kinds, mut stale) = discover::kinds(discovery);
    // The same events are listed as those of the core.
    stale.retain(|version| !version.starts_with("events.k8s.io/"));
    let mut seen = HashSet::new();
    kinds.retain(|kind| {
        let resource = &kind.resource;
        kind.listable
            && resource.group != "events.k8s.io"
            && seen.insert((resource.group.clone(), resource.plural.clone()))
    });
    let kinds = kinds.into_iter().map(|kind| kind.resource);
    (kinds.collect(), stale)
}

fn importance(kind: &str) -> usize {
    const FIRST: [&str; 12] = [
        "Secret",
        "Namespace",
        "Node",
        "Pod",
        "Event",
        "PersistentVolumeClaim",
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "Job",
        "ReplicaSet",
        "ConfigMap",
    ];
    FIRST
        .iter()
        .position(|first| *first == kind)
        .unwrap_or(FIRST.len())
}

/// Puts all objects of a kind into the snapshot, page by page: those that have come stay, whatever becomes of the rest.
async fn list_all(
    server: &Server,
    kind: &Resource,
    snapshot: &Mutex<Snapshot>,
) -> Result<(), RequestError> {
    let api_version = kind.api_version();
    let limit = if is_secret(kind) { SECRETS_PAGE } else { PAGE };
    let mut next = String::new();
    let mut restarted = false;
    loop {
        let path = format!(
            "{}?limit={limit}&continue={}",
            kind.path(None, None),
            url::form_urlencoded::byte_serialize(next.as_bytes()).collect::<String>()
        );
        let mut page = match server.json(&path, JSON).await {
            Ok(page) => page,
            // The list became too old between two pages: from the start, once.
            Err(error) if error.is_expired() && !restarted => {
                restarted = true;
                next.clear();
                let is_other =
                    |object: &Object| object.kind != kind.kind || object.api_version != api_version;
                snapshot
                    .lock()
                    .expect("nobody panics while holding it")
                    .objects
                    .retain(is_other);
                continue;
            }
            Err(error) => return Err(error),
        };
        let items = page
            .get_mut("items")
            .and_then(Value::as_array_mut)
            .map(std::mem::take)
            .unwrap_or_default();
        let objects = items.into_iter().map(|mut value| {
            // Items of a list do not say what they are.
            value["apiVersion"] = api_version.clone().into();
            value["kind"] = kind.kind.clone().into();
            // Who wrote which field is half of an object, and nobody reads it.
            if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.remove("managedFields");
            }
            Object {
                api_version: api_version.clone(),
                kind: kind.kind.clone(),
                value,
                file: String::new(),
            }
        });
        snapshot
            .lock()
            .expect("nobody panics while holding it")
            .objects
            .extend(objects);
        text(&page, "/metadata/continue").clone_into(&mut next);
        if next.is_empty() {
            return Ok(());
        }
    }
}
