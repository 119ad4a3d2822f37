//! What a user changes in the pod of a test: a patch, merged as kubectl and kustomize merge one.

use std::str::FromStr;

use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Map, Value};

/// Lists whose items have a name for themselves in one field; other lists are replaced whole. From Kubernetes' API
/// reference (`patchMergeKey`).
const KEYS: [(&str, &str); 9] = [
    ("containers", "name"),
    ("initContainers", "name"),
    ("env", "name"),
    ("volumes", "name"),
    ("imagePullSecrets", "name"),
    ("volumeMounts", "mountPath"),
    ("volumeDevices", "devicePath"),
    ("ports", "containerPort"),
    ("hostAliases", "ip"),
];

/// A strategic merge patch of a pod's `metadata` and `spec`. The test runs in the container `test`; `keeper` holds its
/// results.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodPatch(Value);

impl FromStr for PodPatch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let patch: Value =
            serde_yaml::from_str(text).map_err(|error| format!("it is no YAML: {error}"))?;
        if !patch.is_object() {
            return Err("it is no object with `spec` or `metadata`".to_owned());
        }
        let wanted = without_nulls(&patch);
        let typed: PodTemplateSpec = serde_json::from_value(wanted.clone())
            .map_err(|error| format!("it fits no pod: {error}"))?;
        let known = serde_json::to_value(typed).map_err(|error| error.to_string())?;
        if let Some(path) = unknown(&wanted, &known) {
            return Err(format!("a pod has no `{path}`"));
        }
        if let Some(list) = unnamed(&patch) {
            return Err(format!("an item of `{list}` does not say which one it is"));
        }
        Ok(Self(patch))
    }
}

impl PodPatch {
    /// Merges it into a pod's template.
    pub(super) fn apply(&self, template: &mut Value) {
        if self.0.is_object() {
            merge(template, &self.0);
        }
    }
}

fn key_of(list: &str) -> Option<&'static str> {
    KEYS.iter()
        .find(|(name, _)| *name == list)
        .map(|(_, key)| *key)
}

fn merge(base: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *base = patch.clone();
        return;
    };
    if !base.is_object() {
        *base = Value::Object(Map::new());
    }
    let Value::Object(base) = base else { return };
    for (name, value) in fields {
        let old = base.get_mut(name);
        match (key_of(name), old, value) {
            (_, _, Value::Null) => drop(base.remove(name)),
            (Some(key), Some(Value::Array(old)), Value::Array(new)) => {
                for item in new {
                    match old.iter_mut().find(|it| it[key] == item[key]) {
                        Some(same) => merge(same, item),
                        None => old.push(without_nulls(item)),
                    }
                }
            }
            (_, Some(old), value) => merge(old, value),
            (_, None, value) => drop(base.insert(name.clone(), without_nulls(value))),
        }
    }
}

/// A `null` removes what is there.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            fields
                .map(|(name, value)| (name.clone(), without_nulls(value)))
                .collect()
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// The path of a field that the type did not take.
fn unknown(wanted: &Value, known: &Value) -> Option<String> {
    match (wanted, known) {
        (Value::Object(wanted), known) => {
            wanted
                .iter()
                .find_map(|(name, value)| match known.get(name) {
                    // An empty object says nothing, and is left out.
                    None if is_empty(value) => None,
                    None => Some(name.clone()),
                    Some(known) => unknown(value, known).map(|path| format!("{name}.{path}")),
                })
        }
        (Value::Array(wanted), Value::Array(known)) => wanted
            .iter()
            .zip(known)
            .find_map(|(wanted, known)| unknown(wanted, known)),
        _ => None,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// A list of which an item lacks the field that tells it from the others.
fn unnamed(value: &Value) -> Option<&str> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .find_map(|(name, value)| {
                let key = key_of(name)?;
                let items = value.as_array()?;
                items
                    .iter()
                    .any(|item| item[key].is_null())
                    .then_some(name.as_str())
            })
            .or_else(|| fields.values().find_map(unnamed)),
        Value::Array(items) => items.iter().find_map(unnamed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(text: &str) -> String {
        text.parse::<PodPatch>().unwrap_err()
    }

    #[test]
    fn it_is_merged_by_names() {
        let patch: PodPatch = "\
spec:
  nodeSelector: {gpu: 'yes'}
  serviceAccountName: null
  tolerations: [{key: gpu, operator: Exists}]
  imagePullSecrets: [{name: mine}]
  containers:
  - name: test
    resources: {limits: {nvidia.com/gpu: 1, memory: 2Gi}}
    env: [{name: A, value: new}, {name: B, value: b}]
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, emptyDir: {}}]
"
        .parse()
        .unwrap();
        let mut pod = json!({ "spec": { "serviceAccountName": "x", "volumes": [{ "name": "work" }], "containers": [
            { "name": "test", "env": [{ "name": "A", "value": "old" }], "resources": { "requests": { "cpu": "1" } },
              "volumeMounts": [{ "name": "work", "mountPath": "/w" }] },
            { "name": "keeper" },
        ] } });
        patch.apply(&mut pod);
        let spec = &pod["spec"];
        assert_eq!(spec.get("serviceAccountName"), None);
        assert_eq!(spec["nodeSelector"], json!({ "gpu": "yes" }));
        assert_eq!(spec["imagePullSecrets"], json!([{ "name": "mine" }]));
        assert_eq!(
            spec["volumes"],
            json!([{ "name": "work" }, { "name": "data", "emptyDir": {} }])
        );
        assert_eq!(spec["containers"].as_array().unwrap().len(), 2);
        let test = &spec["containers"][0];
        assert_eq!(
            test["env"],
            json!([{ "name": "A", "value": "new" }, { "name": "B", "value": "b" }])
        );
        assert_eq!(test["resources"]["requests"], json!({ "cpu": "1" }));
        assert_eq!(test["resources"]["limits"]["memory"], "2Gi");
        assert_eq!(test["volumeMounts"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn what_no_pod_has_is_refused() {
        for (text, why) in [
            ("spec: [", "no YAML"),
            ("nodeSelector", "no object"),
            ("nodeSelector: {a: b}", "a pod has no `nodeSelector`"),
            (
                "spec: {nodeSelecter: {a: b}}",
                "a pod has no `spec.nodeSelecter`",
            ),
            (
                "spec: {containers: [{name: test, resource: {}, image: 3}]}",
                "fits no pod",
            ),
            (
                "spec: {containers: [{name: test, resourcs: {limits: {cpu: 1}}}]}",
                "`spec.containers.resourcs`",
            ),
            (
                "spec: {containers: [{image: x}]}",
                "an item of `containers` does not say which one",
            ),
        ] {
            let error = refused(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
