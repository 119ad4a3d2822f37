//! Where each thing lies in the bundle. The tree of objects is crust-gather's, so that its `serve` (and with it
//! kubectl and k9s) reads it.
//!
//! Names hold no character that an artifact upload refuses.

use super::snapshot::{LogKey, Object};

/// What an artifact upload, or a file system, refuses in a name.
const REFUSED: [char; 10] = ['"', ':', '<', '>', '|', '*', '?', '\\', '\r', '\n'];

/// A path whose every part can be uploaded and unpacked anywhere; it never leads out of its folder.
pub fn safe(path: &str) -> String {
    let parts = path.split('/').filter_map(|part| {
        let part: String = part
            .chars()
            .map(|c| {
                if REFUSED.contains(&c) || c.is_control() {
                    '-'
                } else {
                    c
                }
            })
            .collect();
        match part.as_str() {
            "" | "." => None,
            ".." => Some("--".to_owned()),
            _ => Some(part),
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

/// A single name out of any text.
pub fn safe_name(name: &str) -> String {
    let name = safe(&name.replace('/', "-"));
    let name = name.trim_start_matches('.');
    if name.is_empty() {
        "unnamed".to_owned()
    } else {
        name.chars().take(120).collect()
    }
}

/// The folder of a cluster.
pub fn root(context: &str) -> String {
    format!("cluster-state/{}", safe_name(context))
}

/// The file of an object.
pub fn object(context: &str, object: &Object) -> String {
    let folder = folder(&object.api_version, &object.kind);
    let name = safe_name(object.name());
    match object.namespace() {
        Some(namespace) => format!(
            "{}/namespaces/{}/{folder}/{name}.yaml",
            root(context),
            safe_name(namespace)
        ),
        None => format!("{}/cluster/{folder}/{name}.yaml", root(context)),
    }
}

/// The folder of a kind, where its objects could not be listed.
pub fn kind(context: &str, api_version: &str, kind: &str) -> String {
    format!("{}/*/{}", root(context), folder(api_version, kind))
}

/// The file of a container's log.
pub fn log(context: &str, key: &LogKey) -> String {
    format!(
        "{}/namespaces/{}/v1/pod/{}/{}/{}.log",
        root(context),
        safe_name(&key.namespace),
        safe_name(&key.pod),
        safe_name(&key.container),
        if key.previous { "previous" } else { "current" }
    )
}

/// The file of what `describe` has to say of an object.
pub fn description(object: &Object) -> String {
    format!(
        "describe/{}/{}-{}.txt",
        object.namespace().map_or("_cluster".to_owned(), safe_name),
        object.kind.to_lowercase(),
        safe_name(object.name())
    )
}

fn folder(api_version: &str, kind: &str) -> String {
    safe(&format!(
        "{}/{}",
        api_version.to_lowercase().replace('/', "-"),
        kind.to_lowercase()
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn made(value: serde_json::Value) -> Object {
        Object::of(value).unwrap()
    }

    #[test]
    fn objects_lie_where_crust_gather_looks_for_them() {
        let role = made(
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "system:node"}}),
        );
        assert_eq!(
            object("kind-a", &role),
            "cluster-state/kind-a/cluster/rbac.authorization.k8s.io-v1/clusterrole/system-node.yaml"
        );
        let pod = made(
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a.b", "namespace": "n"}}),
        );
        assert_eq!(
            object("kind-a", &pod),
            "cluster-state/kind-a/namespaces/n/v1/pod/a.b.yaml"
        );
        let key = LogKey {
            namespace: "n".into(),
            pod: "a.b".into(),
            container: "c".into(),
            previous: true,
        };
        assert_eq!(
            log("kind-a", &key),
            "cluster-state/kind-a/namespaces/n/v1/pod/a.b/c/previous.log"
        );
    }

    proptest! {
        #[test]
        fn any_path_can_be_uploaded_and_stays_inside(path in ".{0,80}") {
            let path = safe(&path);
            prop_assert!(!path.starts_with('/'));
            prop_assert!(!path.contains(REFUSED));
            prop_assert!(path.split('/').all(|part| part != ".."));
        }
    }
}
