//! What the schema of a kind says of its status.

use serde_json::{Map, Value};

use crate::api::list;

/// Whether objects of a kind have a status, and what the server itself puts into it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusSchema {
    /// Whether they have one.
    pub exists: bool,
    /// What is in it before a controller has written anything.
    pub default: Value,
}

impl StatusSchema {
    /// Reads it from a `CustomResourceDefinition`, for one of its versions.
    pub fn of(definition: &Value, version: &str) -> Self {
        let mut versions = list(&definition["spec"]["versions"]);
        let Some(version) = versions.find(|it| it["name"] == version) else {
            return Self::default();
        };
        let schema = &version["schema"]["openAPIV3Schema"]["properties"]["status"];
        let mut default = match &schema["default"] {
            Value::Object(default) => default.clone(),
            _ => Map::new(),
        };
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            if let Some(value) = field.get("default") {
                default.entry(name).or_insert_with(|| value.clone());
            }
        }
        Self {
            exists: schema.is_object() || version["subresources"]["status"].is_object(),
            default: if default.is_empty() {
                Value::Null
            } else {
                default.into()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ready::is_silent;

    #[test]
    fn what_the_schema_puts_in_is_no_status() {
        let condition =
            |kind: &str, status: &str| json!({"type": kind, "status": status, "reason": "Pending"});
        let definition = json!({"spec": {"versions": [
            {"name": "v1", "schema": {"openAPIV3Schema": {"properties": {"status": {
                "default": {"conditions": [condition("Accepted", "Unknown")]},
                "properties": {"count": {"default": 0}},
            }}}}},
            {"name": "v2", "subresources": {"status": {}}},
            {"name": "v3", "schema": {"openAPIV3Schema": {"properties": {"spec": {}}}}},
        ]}});
        let of = |version: &str| StatusSchema::of(&definition, version);
        assert_eq!(
            [
                of("v1").exists,
                of("v2").exists,
                of("v3").exists,
                of("v4").exists
            ],
            [true, true, false, false]
        );
        let default = of("v1").default;
        let silent = |status: Value| is_silent(&json!({ "status": status }), Some(&default));
        assert!(silent(
            json!({"conditions": [condition("Accepted", "Unknown")], "count": 0})
        ));
        assert!(silent(json!({"count": 0})));
        assert!(silent(Value::Null));
        assert!(!silent(
            json!({"conditions": [condition("Accepted", "True")], "count": 0})
        ));
        assert!(!silent(
            json!({"conditions": [condition("Accepted", "Unknown")], "count": 1})
        ));
        assert!(!silent(json!({"phase": "Running"})));
    }
}
