//! Keys of config maps and Secrets that these do not have, but nearly: a slip of the pen.
//!
//! Others may fill in what the set leaves out, so a key that is not there is no finding by itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    api::list,
    set::{
        facts::template,
        lint::{LintFinding, Rule, Severity, references::is_slip},
        objects::Object,
    },
};

/// Kind, namespace and name.
type Source = (&'static str, Option<String>, String);

/// Each key of which a config map or a Secret of the set has only something nearly the same.
pub fn check(objects: &[Object]) -> Vec<LintFinding> {
    let mut sources: BTreeMap<Source, BTreeSet<String>> = BTreeMap::new();
    for object in objects {
        let id = &object.id;
        let mut kinds = ["ConfigMap", "Secret"].into_iter();
        if let Some(kind) = kinds.find(|kind| id.is("", kind)) {
            let value = object.value();
            let parts = ["data", "binaryData", "stringData"].into_iter();
            let keys = parts.flat_map(|part| value[part].as_object().into_iter().flatten());
            let source = (kind, id.namespace.clone(), id.name.clone());
            sources.insert(source, keys.map(|(key, _)| key.clone()).collect());
        }
    }
    let mut findings = Vec::new();
    for object in objects {
        let (id, value) = (&object.id, object.value());
        let Some((_, spec)) = template(&id.group, &id.kind, &value) else {
            continue;
        };
        let read: BTreeSet<_> = read(spec).into_iter().collect();
        for (kind, name, key) in read {
            let there = sources.get(&(kind, id.namespace.clone(), name.to_owned()));
            let there = there.filter(|keys| !keys.contains(key));
            let near = there.and_then(|keys| keys.iter().find(|near| is_slip(key, near)));
            findings.extend(near.map(|near| LintFinding {
                severity: Severity::Warning,
                rule: Rule::Reference,
                object: id.to_string(),
                message: format!(
                    "{id} reads the key {key} of {kind} {name}, which does not have it"
                ),
                remedy: format!("is {near} meant?"),
            }));
        }
    }
    findings
}

/// Every key that a pod cannot do without: kind and name of what has it, and the key.
fn read(spec: &Value) -> Vec<(&'static str, &str, &str)> {
    let containers = list(&spec["containers"]).chain(list(&spec["initContainers"]));
    let variables = containers.flat_map(|container| list(&container["env"]));
    let by_variable = variables.flat_map(|variable| {
        let from = &variable["valueFrom"];
        let (map, secret) = (&from["configMapKeyRef"], &from["secretKeyRef"]);
        [
            ("ConfigMap", map, &map["name"], &map["key"]),
            ("Secret", secret, &secret["name"], &secret["key"]),
        ]
    });
    let volumes = list(&spec["volumes"])
        .flat_map(|volume| std::iter::once(volume).chain(list(&volume["projected"]["sources"])));
    let by_volume = volumes.flat_map(|volume| {
        let (map, secret) = (&volume["configMap"], &volume["secret"]);
        let name = match &secret["secretName"] {
            Value::Null => &secret["name"],
            name => name,
        };
        let of_map =
            list(&map["items"]).map(move |it| ("ConfigMap", map, &map["name"], &it["key"]));
        of_map.chain(list(&secret["items"]).map(move |it| ("Secret", secret, name, &it["key"])))
    });
    by_variable
        .chain(by_volume)
        .filter(|(_, source, ..)| source["optional"] != true)
        .filter_map(|(kind, _, name, key)| Some((kind, name.as_str()?, key.as_str()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set::objects;

    #[test]
    fn a_key_that_is_nearly_one_of_its_source_is_told() {
        let found = |spec: &str| -> Vec<String> {
            let text = format!(
                "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c, namespace: 'n'}}, data: {{DELAY: '1', a.conf: ''}}}}\n---\n\
                 {{apiVersion: v1, kind: Secret, metadata: {{name: s, namespace: 'n'}}, stringData: {{password: x}}}}\n---\n\
                 {{apiVersion: v1, kind: Pod, metadata: {{name: p, namespace: 'n'}}, spec: {{{spec}}}}}"
            );
            let found = check(&objects::read("x", &text).unwrap());
            found.iter().map(ToString::to_string).collect()
        };
        let env =
            |from: &str| format!("containers: [{{env: [{{name: A, valueFrom: {{{from}}}}}]}}]");
        for (spec, kind, key, near) in [
            (env("configMapKeyRef: {name: c, key: DELAI}"), "ConfigMap c", "DELAI", "DELAY"),
            (env("secretKeyRef: {name: s, key: pasword}"), "Secret s", "pasword", "password"),
            ("volumes: [{configMap: {name: c, items: [{key: a.cnf}]}}]".to_owned(), "ConfigMap c", "a.cnf", "a.conf"),
            ("volumes: [{secret: {secretName: s, items: [{key: passwort}]}}]".to_owned(), "Secret s", "passwort", "password"),
            ("volumes: [{projected: {sources: [{secret: {name: s, items: [{key: passwort}]}}]}}]".to_owned(), "Secret s", "passwort", "password"),
        ] {
            let said = format!("Pod n/p reads the key {key} of {kind}, which does not have it; is {near} meant?");
            assert_eq!(found(&spec), [said]);
        }
        for from in [
            "configMapKeyRef: {name: c, key: DELAY}",
            "configMapKeyRef: {name: c, key: DELAI, optional: true}",
            "configMapKeyRef: {name: elsewhere, key: DELAI}",
            // Somebody may fill it in.
            "secretKeyRef: {name: s, key: tls.crt}",
        ] {
            assert_eq!(found(&env(from)), [""; 0], "{from}");
        }
    }
}
