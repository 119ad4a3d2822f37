//! What a user has an object wait for: the annotation of kpt and cli-utils, `config.kubernetes.io/depends-on`.
//!
//! Its value is a list of `group/namespaces/NAMESPACE/kind/name`, or `group/kind/name` for what has no namespace; the core
//! group is empty. Source: the reference of `sigs.k8s.io/cli-utils`.

use serde_json::Value;

use crate::api::ObjectId;

/// The annotation.
pub const ANNOTATION: &str = "config.kubernetes.io/depends-on";

fn parse(text: &str) -> Option<ObjectId> {
    let parts: Vec<&str> = text.split('/').collect();
    let (group, namespace, kind, name) = match parts[..] {
        [group, "namespaces", namespace, kind, name] => (group, Some(namespace), kind, name),
        [group, kind, name] => (group, None, kind, name),
        _ => return None,
    };
    let is_named = !kind.is_empty() && !name.is_empty() && namespace != Some("");
    is_named.then(|| ObjectId {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    })
}

/// What an object depends on by its annotation; in place of what cannot be read, the text itself.
pub fn of(object: &Value) -> Vec<Result<ObjectId, String>> {
    let value = object["metadata"]["annotations"][ANNOTATION].as_str();
    let parts = value.unwrap_or_default().split(',').map(str::trim);
    let parts = parts.filter(|part| !part.is_empty());
    parts
        .map(|part| parse(part).ok_or_else(|| part.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_dependency_is_read_as_cli_utils_write_it() {
        let value = "apps/namespaces/n/Deployment/a, /namespaces/n/ConfigMap/b,rbac.authorization.k8s.io/ClusterRole/c,/Namespace/d, x, a/namespaces//K/n";
        let read = of(&json!({"metadata": {"annotations": {ANNOTATION: value}}}));
        let shown: Vec<String> = read
            .iter()
            .map(|it| match it {
                Ok(it) => format!("{}: {it}", it.group),
                Err(text) => format!("not {text}"),
            })
            .collect();
        assert_eq!(
            shown,
            [
                "apps: Deployment n/a",
                ": ConfigMap n/b",
                "rbac.authorization.k8s.io: ClusterRole c",
                ": Namespace d",
                "not x",
                "not a/namespaces//K/n"
            ]
        );
        assert!(of(&json!({})).is_empty());
    }
}
