//! Whether each of some objects is ready: those that files hold, judged as they are, or as a cluster has them.
//!
//! Given objects with their status and a view of what they depend on; no I/O but the reading of files.

mod read;
mod table;

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::{
    api::{ObjectId, string},
    cluster::view::View,
    ready::{self, ClusterView, ReadyWhen, StatusSchema, Verdict},
};

pub use read::{Found, ReadError, is_manifest, read, take, visit};
pub use table::table;

/// How one object is.
#[derive(Clone, Debug, Serialize)]
pub struct ObjectStatus {
    /// Which: `Deployment namespace/name`.
    pub object: String,
    /// How it is.
    #[serde(serialize_with = "as_word")]
    pub state: Verdict,
    /// Why, where it is not ready, or only counts as ready.
    pub why: String,
    /// Where it was read.
    pub source: String,
}

impl ObjectStatus {
    /// Takes a verdict on an object.
    pub fn of(id: &ObjectId, source: &str, state: Verdict) -> Self {
        let why = state
            .missing()
            .map_or_else(String::new, ToString::to_string);
        Self {
            object: id.to_string().trim_end().to_owned(),
            why,
            source: source.to_owned(),
            state,
        }
    }

    /// The same as ready, and why that is so.
    #[must_use]
    pub fn counted_as_ready(self, why: &str) -> Self {
        Self {
            state: Verdict::Ready,
            why: why.to_owned(),
            ..self
        }
    }
}

fn as_word<S: Serializer>(state: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(state.state())
}

/// Who an object is by its content; its name may be missing.
pub fn identity(value: &Value) -> ObjectId {
    let api_version = value["apiVersion"].as_str().unwrap_or_default();
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    ObjectId {
        group: group.to_owned(),
        kind: value["kind"].as_str().unwrap_or_default().to_owned(),
        namespace: string(&value["metadata"]["namespace"]),
        name: string(&value["metadata"]["name"]).unwrap_or_default(),
    }
}

/// Judges objects as files hold them, in view of each other.
pub fn judge(found: &[Found], rules: &ReadyWhen) -> Vec<ObjectStatus> {
    let mut view = View::default();
    let mut schemas: HashMap<String, &Value> = HashMap::new();
    let identities: Vec<ObjectId> = found.iter().map(|it| identity(&it.value)).collect();
    for (id, one) in identities.iter().zip(found) {
        view.put(&id.group_kind(), one.value.clone());
        if id.is("apiextensions.k8s.io", "CustomResourceDefinition") {
            let spec = &one.value["spec"];
            let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let group_kind = format!("{}.{}", part(&spec["names"]["kind"]), part(&spec["group"]));
            schemas.insert(group_kind, &one.value);
        }
    }
    let cluster = ClusterView::snapshot(&view, Timestamp::now());
    let one = |(id, one): (&ObjectId, &Found)| {
        let definition = schemas.get(&id.group_kind()).copied();
        let plural = definition.and_then(|it| it["spec"]["names"]["plural"].as_str());
        let rule = rules.of(id, plural);
        let verdict = ready::judge_live(id, rule, &one.value, &cluster);
        let status = ObjectStatus::of(id, &one.source, verdict);
        let schema = definition.map(|it| StatusSchema::of(it, &version(&one.value)));
        match schema {
            Some(schema)
                if is_silent(id, rule.is_some(), &one.value, &status, &schema)
                    && !schema.exists =>
            {
                status.counted_as_ready("")
            }
            _ => status,
        }
    };
    identities.iter().zip(found).map(one).collect()
}

/// The version of an object within its group.
pub fn version(value: &Value) -> String {
    let api_version = value["apiVersion"].as_str().unwrap_or_default();
    let version = api_version.rsplit_once('/').map_or(api_version, |it| it.1);
    version.to_owned()
}

/// Whether an object of a kind that only the general rule knows waits for its first status.
pub fn is_silent(
    id: &ObjectId,
    has_rule: bool,
    live: &Value,
    status: &ObjectStatus,
    schema: &StatusSchema,
) -> bool {
    let is_generic = !has_rule && ready::is_generic(id, None);
    is_generic
        && matches!(status.state, Verdict::Waiting(_))
        && ready::is_silent(live, Some(&schema.default))
}

#[cfg(test)]
mod tests;
