//! What of an object is not sent: what others fill in, and what only the server writes.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use crate::set::objects::Object;

/// Takes out of an object what must not be sent: a CA bundle that stands for "somebody will fill it in", the rules of an
/// aggregated role, and what only the server or a controller writes.
pub fn prepare(object: &mut Object) {
    let mut value = object.value();
    let metadata = value["metadata"].as_object_mut();
    let mut changed = metadata.is_some_and(|metadata| {
        ["managedFields", "resourceVersion", "uid", "generation"]
            .iter()
            .any(|key| metadata.remove(*key).is_some())
    });
    // A generator's empty status: what has one of its own ignores it, and a kind whose schema has none is refused for it.
    let fields = value.as_object_mut();
    changed |= fields.is_some_and(|fields| fields.remove("status").is_some());
    if object.id.group.starts_with("admissionregistration.")
        || object.id.group.starts_with("apiextensions.")
        || object.id.group.starts_with("apiregistration.")
    {
        changed |= strip(&mut value);
    }
    // Its rules are the controller's: who owns them fights with it, deploy after deploy.
    if object.id.is("rbac.authorization.k8s.io", "ClusterRole")
        && value.get("aggregationRule").is_some_and(|it| !it.is_null())
        && let Some(role) = value.as_object_mut()
    {
        changed |= role.remove("rules").is_some();
    }
    if object.id.is("", "Secret")
        && let Some(secret) = value.as_object_mut()
    {
        changed |= encode(secret);
    }
    if changed {
        object.replace(&value);
    }
}

/// Moves `stringData` to `data`, where the server would put it. Nobody can own a field that is never stored: a key that
/// leaves the set would stay, and what others change would not be seen. What is no text is left for the server to refuse.
fn encode(secret: &mut Map<String, Value>) -> bool {
    let Some(Value::Object(plain)) = secret.get("stringData") else {
        return false;
    };
    let text = |(key, value): (&String, &Value)| {
        let encoded = BASE64_STANDARD.encode(value.as_str()?);
        Some((key.clone(), Value::from(encoded)))
    };
    let encoded: Vec<_> = plain.iter().filter_map(text).collect();
    if encoded.len() < plain.len() {
        return false;
    }
    let data = secret.entry("data").or_insert(Value::Null);
    if data.is_null() {
        *data = Value::Object(Map::new());
    }
    let Value::Object(data) = data else {
        return false;
    };
    data.extend(encoded);
    secret.remove("stringData");
    true
}

/// Base64 of a line end: upstream's placeholder.
const PLACEHOLDERS: [&str; 3] = ["Cg==", "Cgo=", ""];

fn strip(value: &mut Value) -> bool {
    match value {
        Value::Object(map) => {
            let placeholder = map
                .get("caBundle")
                .and_then(Value::as_str)
                .is_some_and(|bundle| PLACEHOLDERS.contains(&bundle.trim()));
            if placeholder {
                map.remove("caBundle");
            }
            let mut changed = placeholder;
            for (key, inner) in map.iter_mut() {
                // Schemas are large and hold none.
                if key != "schema" {
                    changed |= strip(inner);
                }
            }
            changed
        }
        Value::Array(items) => {
            let mut changed = false;
            for item in items {
                changed |= strip(item);
            }
            changed
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set::objects;

    #[test]
    fn the_rules_of_an_aggregated_role_are_left_to_its_controller() {
        let text = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: a}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}
rules: []
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: b}
rules: []";
        let mut roles = objects::read("x", text).unwrap();
        roles.iter_mut().for_each(prepare);
        assert_eq!(roles[0].value().get("rules"), None);
        assert_eq!(roles[1].value()["rules"], serde_json::json!([]));
    }

    #[test]
    fn the_texts_of_a_secret_are_sent_where_the_server_keeps_them() {
        let text = "
apiVersion: v1
kind: Secret
metadata: {name: a}
stringData: {a: hush, b: ''}
data: {a: b2xk, c: c3RheXM=}
---
apiVersion: v1
kind: Secret
metadata: {name: b}
stringData: {a: hush}
---
apiVersion: v1
kind: Secret
metadata: {name: c}
stringData: {a: 1}";
        let mut secrets = objects::read("x", text).unwrap();
        secrets.iter_mut().for_each(prepare);
        let data = |at: usize| secrets[at].value()["data"].clone();
        assert_eq!(
            data(0),
            serde_json::json!({"a": "aHVzaA==", "b": "", "c": "c3RheXM="})
        );
        assert_eq!(data(1), serde_json::json!({"a": "aHVzaA=="}));
        assert_eq!(secrets[1].value().get("stringData"), None);
        assert_eq!(secrets[2].value()["stringData"]["a"], 1, "it is refused");
    }

    #[test]
    fn a_status_is_left_to_its_controller() {
        let text = "
apiVersion: a.example/v1
kind: Widget
metadata: {name: a}
spec: {status: {}}
status: {}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.a.example}
spec: {versions: [{schema: {openAPIV3Schema: {properties: {status: {type: object}}}}}]}
status: {acceptedNames: {kind: '', plural: ''}, conditions: [], storedVersions: []}";
        let mut objects = objects::read("x", text).unwrap();
        objects.iter_mut().for_each(prepare);
        for object in &objects {
            assert_eq!(object.value().get("status"), None, "{}", object.id);
        }
        assert_eq!(
            objects[0].value()["spec"],
            serde_json::json!({"status": {}})
        );
        let schema = &objects[1].value()["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        assert!(schema["properties"]["status"].is_object());
    }

    #[test]
    fn a_placeholder_for_a_ca_is_not_sent() {
        let text = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: a, uid: x}
webhooks: [{clientConfig: {caBundle: Cg==}}, {clientConfig: {caBundle: QUJD}}]";
        let mut object = objects::read("x", text).unwrap().remove(0);
        prepare(&mut object);
        let value = object.value();
        assert_eq!(value["metadata"], serde_json::json!({"name": "a"}));
        assert_eq!(value["webhooks"][0]["clientConfig"], serde_json::json!({}));
        assert_eq!(value["webhooks"][1]["clientConfig"]["caBundle"], "QUJD");
    }
}
