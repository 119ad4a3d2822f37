//! Where each thing lies in the bundle. The tree of objects is crust-gather's, so that its `serve` (and with it
//! kubectl and k9s) reads it: it looks for an object by its name as it is, `system:node` with its colon (`storage/reader.rs`
//! of crust-gather). The bundle is uploaded as one file, so what is refused in the names of uploads stands in none but its own.

use super::snapshot::{LogKey, Object};

/// What no name of an object holds, and file systems or shells take for something else.
const REFUSED: [char; 9] = ['"', '<', '>', '|', '*', '?', '\\', '\r', '\n'];
/// Longest name of an object's file: file systems have 255, and its ending has 5 of them.
const LONGEST: usize = 250;

/// A path whose every part can be unpacked; it never leads out of its folder.
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

/// The name of a file of its own out of any text: artifact uploads refuse a colon, too.
pub fn file_name(name: &str) -> String {
    let name = safe_name(&name.replace(':', "-"));
    name.chars().take(120).collect()
}

/// One part of a path out of any text.
fn safe_name(name: &str) -> String {
    let name = safe(&name.replace('/', "-"));
    let name = name.trim_start_matches('.');
    if name.is_empty() {
        "unnamed".to_owned()
    } else {
        name.chars().take(LONGEST).collect()
    }
}

/// The folder of a cluster.
pub fn root(context: &str) -> String {
    format!("cluster-state/{}", file_name(context))
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
            "cluster-state/kind-a/cluster/rbac.authorization.k8s.io-v1/clusterrole/system:node.yaml"
        );
        let long = "l".repeat(250);
        let long =
            made(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": long}}));
        let file = object("kind-a", &long);
        assert!(file.ends_with(&format!("/{}.yaml", long.name())), "{file}");
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
        fn any_path_can_be_unpacked_and_stays_inside(path in ".{0,80}") {
            let path = safe(&path);
            prop_assert!(!path.starts_with('/'));
            prop_assert!(!path.contains(REFUSED));
            prop_assert!(path.split('/').all(|part| part != ".."));
            prop_assert!(!file_name(&path).contains([':', '/']));
        }
    }
}
