//! The API of Kubernetes as data: who an object is, where its kind is served, how its JSON is read.
//!
//! No client, no set: what both sides of every wall may name.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

/// Who an object is: unique in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    /// API group, empty for the core's.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace, where it has one.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

impl ObjectId {
    /// Whether it is of this kind.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.kind == kind && self.group == group
    }

    /// Group and kind in one text: `Deployment.apps`, `Pod.`.
    pub fn group_kind(&self) -> String {
        format!("{}.{}", self.kind, self.group)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// A kind as it is served: what a path is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// API group, empty for the core's.
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Name in paths.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

impl Resource {
    /// `apiVersion` as objects have it.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Kind and group in one text, as [`ObjectId::group_kind`].
    pub fn group_kind(&self) -> String {
        format!("{}.{}", self.kind, self.group)
    }

    /// The name of the definition of a custom kind.
    pub fn definition(&self) -> String {
        format!("{}.{}", self.plural, self.group)
    }

    /// The path of all of them, or of one.
    pub fn path(&self, namespace: Option<&str>, name: Option<&str>) -> String {
        let mut path = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        if let Some(namespace) = namespace {
            path.push_str("/namespaces/");
            path.push_str(namespace);
        }
        path.push('/');
        path.push_str(&self.plural);
        if let Some(name) = name {
            path.push('/');
            path.push_str(&segment(name));
        }
        path
    }
}

/// A name as one segment of a path: RBAC's may hold colons, and some percent signs.
fn segment(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                text.push(char::from(byte));
            }
            _ => {
                text.push('%');
                text.push_str(&hex::encode_upper([byte]));
            }
        }
    }
    text
}

/// Groups of Kubernetes itself: the API server serves them without a definition.
const BUILTIN: [&str; 24] = [
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "extensions",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// Whether a group is of Kubernetes itself. Other projects own `kueue.x-k8s.io`, `gateway.networking.k8s.io`,
/// `snapshot.storage.k8s.io`: no ending tells.
pub fn is_builtin(group: &str) -> bool {
    BUILTIN.contains(&group)
}

/// Labels, or the part of them that a selector wants.
pub type Labels = BTreeMap<String, String>;

/// The items of a list; none where it is none.
pub fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Whether an object is being deleted.
pub fn is_leaving(object: &Value) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}

/// Text that is not empty.
pub fn string(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// A mapping of texts.
pub fn labels(value: &Value) -> Labels {
    let pairs = value.as_object().into_iter().flatten();
    pairs
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// Whether all of `wanted` is among `labels`.
pub fn contains(labels: &Labels, wanted: &Labels) -> bool {
    wanted
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_other_projects_are_not_kubernetes_own_however_they_end() {
        for (group, expected) in [
            ("", true),
            ("apps", true),
            ("networking.k8s.io", true),
            ("storage.k8s.io", true),
            ("kueue.x-k8s.io", false),
            ("jobset.x-k8s.io", false),
            ("gateway.networking.k8s.io", false),
            ("snapshot.storage.k8s.io", false),
            ("metrics.k8s.io", false),
            ("kubeflow.org", false),
        ] {
            assert_eq!(is_builtin(group), expected, "{group}");
        }
    }

    #[test]
    fn a_path_holds_any_name() {
        let role = Resource {
            group: "rbac.authorization.k8s.io".to_owned(),
            version: "v1".to_owned(),
            kind: "ClusterRole".to_owned(),
            plural: "clusterroles".to_owned(),
            namespaced: false,
        };
        assert_eq!(
            role.path(None, Some("system:a%b c")),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:a%25b%20c"
        );
        let config = Resource {
            group: String::new(),
            plural: "configmaps".to_owned(),
            namespaced: true,
            ..role
        };
        assert_eq!(
            config.path(Some("a"), Some("b")),
            "/api/v1/namespaces/a/configmaps/b"
        );
    }
}
