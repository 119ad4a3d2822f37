//! Every object of every kind that the API server serves, by aggregated discovery and in pages.

use std::sync::Mutex;

use futures::{StreamExt as _, stream};
use serde_json::Value;

use super::{CONCURRENCY, RequestError, Server};
use crate::logs::{
    layout,
    snapshot::{Gap, Object, Snapshot, list, text},
};

/// Objects in one answer.
const PAGE: usize = 250;
/// Newest form first; servers before 1.30 know the second.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
const JSON: &str = "application/json";

/// A kind that can be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) plural: String,
}

impl Served {
    fn path(&self) -> String {
        let base = if self.api_version.contains('/') {
            "/apis"
        } else {
            "/api"
        };
        format!("{base}/{}/{}", self.api_version, self.plural)
    }
}

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
        server.json("/api", AGGREGATED),
        server.json("/apis", AGGREGATED),
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
        .map(|kind| async move { (kind, list_all(server, kind).await) })
        .buffer_unordered(CONCURRENCY)
        .for_each(|(kind, (objects, error))| {
            let mut snapshot = snapshot.lock().expect("nobody panics while holding it");
            snapshot.objects.extend(objects);
            if let Some(error) = error {
                snapshot.gaps.push(Gap {
                    file: layout::kind(&context, &kind.api_version, &kind.kind),
                    error: error.to_string(),
                });
            }
            futures::future::ready(())
        })
        .await;
}

/// The kinds to list, each in the version that the server prefers, and the groups that are not up.
pub(super) fn served_kinds(discovery: &Value) -> (Vec<Served>, Vec<String>) {
    let (mut kinds, mut stale): (Vec<Served>, Vec<String>) = (Vec::new(), Vec::new());
    for group in list(discovery, "/items") {
        let name = text(group, "/metadata/name");
        // The same events are listed as those of the core.
        if name == "events.k8s.io" {
            continue;
        }
        let mut seen = Vec::new();
        for version in list(group, "/versions") {
            let number = text(version, "/version");
            let api_version = if name.is_empty() {
                number.to_owned()
            } else {
                format!("{name}/{number}")
            };
            if text(version, "/freshness") == "Stale" {
                stale.push(api_version.clone());
            }
            for resource in list(version, "/resources") {
                let plural = text(resource, "/resource");
                let listable = list(resource, "/verbs").iter().any(|verb| verb == "list");
                if listable && !seen.contains(&plural) {
                    seen.push(plural);
                    kinds.push(Served {
                        api_version: api_version.clone(),
                        kind: text(resource, "/responseKind/kind").to_owned(),
                        plural: plural.to_owned(),
                    });
                }
            }
        }
    }
    (kinds, stale)
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

/// All objects of a kind, page by page; after an error those that came before it.
async fn list_all(server: &Server, kind: &Served) -> (Vec<Object>, Option<RequestError>) {
    let mut objects = Vec::new();
    let mut next = String::new();
    let mut restarted = false;
    loop {
        let path = format!(
            "{}?limit={PAGE}&continue={}",
            kind.path(),
            url::form_urlencoded::byte_serialize(next.as_bytes()).collect::<String>()
        );
        let mut page = match server.json(&path, JSON).await {
            Ok(page) => page,
            // The list became too old between two pages: from the start, once.
            Err(error) if error.is_expired() && !restarted => {
                restarted = true;
                objects.clear();
                next.clear();
                continue;
            }
            Err(error) => return (objects, Some(error)),
        };
        let items = page
            .get_mut("items")
            .and_then(Value::as_array_mut)
            .map(std::mem::take)
            .unwrap_or_default();
        objects.extend(items.into_iter().map(|mut value| {
            // Items of a list do not say what they are.
            value["apiVersion"] = kind.api_version.clone().into();
            value["kind"] = kind.kind.clone().into();
            Object {
                api_version: kind.api_version.clone(),
                kind: kind.kind.clone(),
                value,
            }
        }));
        text(&page, "/metadata/continue").clone_into(&mut next);
        if next.is_empty() {
            return (objects, None);
        }
    }
}
