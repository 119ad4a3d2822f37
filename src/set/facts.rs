//! What an object needs and what it offers, read once from its content.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    api::{Labels, ObjectId, contains, labels, list, string},
    set::{depends, objects::Object, served::Definition},
};

/// What the graph has to know of one object.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Its labels.
    pub labels: Labels,
    /// The pod it makes.
    pub pod: Option<PodFacts>,
    /// The pods that a Service selects.
    pub selector: Option<Labels>,
    /// The kind that a definition defines.
    pub definition: Option<Definition>,
    /// The webhooks of a configuration.
    pub webhooks: Vec<Webhook>,
    /// The Secret that a Certificate makes.
    pub certificate: Option<String>,
    /// The role that a binding gives: kind and name.
    pub role: Option<(String, String)>,
    /// The service accounts that a binding gives it to: namespace (own, where absent) and name.
    pub subjects: Vec<(Option<String>, String)>,
    /// The definition's own conversion, an issuer, a class, what is scaled: names of other objects of the set, as group,
    /// kind, name.
    pub refers: Vec<(&'static str, &'static str, String)>,
    /// What its user has it wait for; in place of what names no object, the text.
    pub depends: Vec<Result<ObjectId, String>>,
}

/// What a pod template needs.
#[derive(Clone, Debug, Default)]
pub struct PodFacts {
    /// Labels of the pod.
    pub labels: Labels,
    /// Its service account.
    pub account: Option<String>,
    /// What it mounts or reads: kind and name.
    pub uses: BTreeSet<(&'static str, String)>,
    /// Its priority class.
    pub priority: Option<String>,
    /// Every word of its commands, arguments and environment: other workloads are named in them.
    pub words: BTreeSet<String>,
}

/// One webhook of a configuration.
#[derive(Clone, Debug, Default)]
pub struct Webhook {
    /// Its name, as errors have it.
    pub name: String,
    /// Whether the server refuses what it cannot ask about.
    pub fails: bool,
    /// Whether it changes objects.
    pub mutates: bool,
    /// The Service that it calls: namespace and name.
    pub service: Option<(String, String)>,
    /// What it wants to see, as written.
    pub rules: Vec<Value>,
    /// As written.
    pub namespace_selector: Value,
    /// As written.
    pub object_selector: Value,
    /// Whether other versions of the same kind count too.
    pub equivalent: bool,
}

impl Facts {
    /// Reads them.
    pub fn of(object: &Object) -> Self {
        let value = object.value();
        let id = &object.id;
        let mut facts = Self {
            labels: labels(&value["metadata"]["labels"]),
            depends: depends::of(&value),
            pod: template(&id.group, &id.kind, &value).map(|(meta, spec)| pod(meta, spec)),
            ..Self::default()
        };
        match (id.group.as_str(), id.kind.as_str()) {
            ("", "Service") => {
                let selector = labels(&value["spec"]["selector"]);
                facts.selector = (!selector.is_empty()).then_some(selector);
            }
            ("apiextensions.k8s.io", "CustomResourceDefinition") => {
                facts.definition = Definition::of(&value);
            }
            ("admissionregistration.k8s.io", kind) => facts.webhooks = webhooks(kind, &value),
            ("cert-manager.io", "Certificate") => {
                facts.certificate = string(&value["spec"]["secretName"]);
                let issuer = &value["spec"]["issuerRef"];
                let kind = match issuer["kind"].as_str() {
                    Some("ClusterIssuer") => "ClusterIssuer",
                    _ => "Issuer",
                };
                facts.refer("cert-manager.io", kind, &issuer["name"]);
            }
            ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
                let role = &value["roleRef"];
                facts.role = string(&role["kind"]).zip(string(&role["name"]));
                facts.subjects = list(&value["subjects"])
                    .filter(|subject| subject["kind"] == "ServiceAccount")
                    .filter_map(|it| Some((string(&it["namespace"]), string(&it["name"])?)))
                    .collect();
            }
            ("", "PersistentVolumeClaim") => {
                let class = &value["spec"]["storageClassName"];
                facts.refer("storage.k8s.io", "StorageClass", class);
            }
            ("autoscaling", "HorizontalPodAutoscaler") => {
                let target = &value["spec"]["scaleTargetRef"];
                let version = target["apiVersion"].as_str().unwrap_or_default();
                let kinds = ["Deployment", "StatefulSet"];
                let kind = kinds.into_iter().find(|kind| target["kind"] == *kind);
                if let Some(kind) = kind.filter(|_| version.starts_with("apps/")) {
                    facts.refer("apps", kind, &target["name"]);
                }
            }
            _ => {}
        }
        facts
    }

    fn refer(&mut self, group: &'static str, kind: &'static str, name: &Value) {
        if let Some(name) = string(name) {
            self.refers.push((group, kind, name));
        }
    }
}

/// Metadata and spec of the pod that an object makes.
pub fn template<'a>(group: &str, kind: &str, value: &'a Value) -> Option<(&'a Value, &'a Value)> {
    let pod = match (group, kind) {
        ("", "Pod") => value,
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") | ("batch", "Job") => {
            value.pointer("/spec/template")?
        }
        ("batch", "CronJob") => value.pointer("/spec/jobTemplate/spec/template")?,
        _ => return None,
    };
    Some((&pod["metadata"], pod.get("spec")?))
}

fn pod(metadata: &Value, spec: &Value) -> PodFacts {
    let mut facts = PodFacts {
        labels: labels(&metadata["labels"]),
        account: string(&spec["serviceAccountName"]).or_else(|| string(&spec["serviceAccount"])),
        priority: string(&spec["priorityClassName"]),
        ..PodFacts::default()
    };
    let mut uses = |kind: &'static str, name: &Value| {
        if let Some(name) = string(name) {
            facts.uses.insert((kind, name));
        }
    };
    let sources = list(&spec["volumes"])
        .flat_map(|volume| std::iter::once(volume).chain(list(&volume["projected"]["sources"])));
    for volume in sources {
        uses("ConfigMap", &volume["configMap"]["name"]);
        uses("Secret", &volume["secret"]["secretName"]);
        uses("Secret", &volume["secret"]["name"]);
        uses(
            "PersistentVolumeClaim",
            &volume["persistentVolumeClaim"]["claimName"],
        );
    }
    let containers = || list(&spec["containers"]).chain(list(&spec["initContainers"]));
    for container in containers() {
        for source in list(&container["envFrom"]) {
            uses("ConfigMap", &source["configMapRef"]["name"]);
            uses("Secret", &source["secretRef"]["name"]);
        }
        for variable in list(&container["env"]) {
            uses(
                "ConfigMap",
                &variable["valueFrom"]["configMapKeyRef"]["name"],
            );
            uses("Secret", &variable["valueFrom"]["secretKeyRef"]["name"]);
        }
    }
    for container in containers() {
        let texts = list(&container["command"])
            .chain(list(&container["args"]))
            .chain(list(&container["env"]).map(|variable| &variable["value"]));
        for text in texts.filter_map(Value::as_str) {
            facts.words.extend(words(text).map(str::to_owned));
        }
    }
    facts
}

/// The words of a text that may be names of hosts.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'));
    words.filter(|word| (3..=253).contains(&word.len()))
}

fn webhooks(kind: &str, value: &Value) -> Vec<Webhook> {
    let mutates = kind == "MutatingWebhookConfiguration";
    if !mutates && kind != "ValidatingWebhookConfiguration" {
        return Vec::new();
    }
    let read = |webhook: &Value| {
        let service = &webhook["clientConfig"]["service"];
        Webhook {
            name: string(&webhook["name"]).unwrap_or_default(),
            fails: webhook["failurePolicy"] != "Ignore",
            mutates,
            service: string(&service["namespace"]).zip(string(&service["name"])),
            rules: list(&webhook["rules"]).cloned().collect(),
            namespace_selector: webhook["namespaceSelector"].clone(),
            object_selector: webhook["objectSelector"].clone(),
            equivalent: webhook["matchPolicy"] != "Exact",
        }
    };
    list(&value["webhooks"]).map(read).collect()
}

/// Whether a selector of `matchLabels` and `matchExpressions` takes these labels; an empty one takes all.
pub fn selects(selector: &Value, of: &Labels) -> bool {
    let wanted = labels(&selector["matchLabels"]);
    contains(of, &wanted)
        && list(&selector["matchExpressions"]).all(|expression| {
            let has = expression["key"].as_str().and_then(|key| of.get(key));
            let is_one = |value: &String| list(&expression["values"]).any(|it| it == value);
            match expression["operator"].as_str() {
                Some("In") => has.is_some_and(is_one),
                Some("NotIn") => !has.is_some_and(is_one),
                Some("Exists") => has.is_some(),
                Some("DoesNotExist") => has.is_none(),
                _ => true,
            }
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_selector_takes_what_kubernetes_takes() {
        let of = labels(&json!({"a": "1", "b": "2"}));
        for (selector, taken) in [
            (json!(null), true),
            (json!({}), true),
            (json!({"matchLabels": {"a": "1"}}), true),
            (json!({"matchLabels": {"a": "2"}}), false),
            (
                json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "3"]}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}),
                false,
            ),
            (
                json!({"matchExpressions": [{"key": "c", "operator": "NotIn", "values": ["1"]}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "c", "operator": "Exists"}]}),
                false,
            ),
            (
                json!({"matchExpressions": [{"key": "c", "operator": "DoesNotExist"}]}),
                true,
            ),
        ] {
            assert_eq!(selects(&selector, &of), taken, "{selector}");
        }
    }

    #[test]
    fn a_pod_says_what_it_uses() {
        let facts = pod(
            &json!({"labels": {"app": "a"}}),
            &json!({"serviceAccountName": "sa", "volumes": [
                {"configMap": {"name": "c1"}}, {"secret": {"secretName": "s1"}},
                {"persistentVolumeClaim": {"claimName": "p"}},
                {"projected": {"sources": [{"secret": {"name": "s2"}}]}}],
             "containers": [{"envFrom": [{"secretRef": {"name": "s3"}}],
                "env": [{"name": "DB", "value": "http://db.ns.svc:80"},
                        {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "c2"}}}]}]}),
        );
        let uses: Vec<String> = facts.uses.iter().map(|(k, n)| format!("{k}/{n}")).collect();
        let expected = [
            "ConfigMap/c1",
            "ConfigMap/c2",
            "PersistentVolumeClaim/p",
            "Secret/s1",
            "Secret/s2",
            "Secret/s3",
        ];
        assert_eq!(uses, expected);
        assert!(facts.words.contains("db.ns.svc"));
        assert_eq!(facts.account.as_deref(), Some("sa"));
    }
}
