//! Webhooks: which objects each one guards, and what serves it.

use serde_json::Value;

use crate::{
    api::{Labels, Resource, list},
    set::{
        facts::{Facts, Webhook, selects},
        objects::Object,
        order::{EdgeReason, Existing, Graph, Need, Strength, Until, edges::Index},
        served::Served,
    },
};

/// A webhook with what it guards.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Index of its configuration.
    pub configuration: usize,
    /// Its name, as errors have it.
    pub webhook: String,
    /// Whether the server refuses what it cannot ask about.
    pub fails: bool,
    /// Whether it changes objects.
    pub mutates: bool,
    /// The workloads of the set that serve it.
    pub backing: Vec<usize>,
    /// Objects that it sees itself.
    pub objects: Vec<usize>,
    /// Workloads whose pods it sees.
    pub pods: Vec<usize>,
}

/// What a rule is held against.
struct Seen<'a> {
    group: &'a str,
    version: &'a str,
    plural: &'a str,
    namespaced: bool,
    labels: &'a Labels,
    /// Labels of its namespace; of itself, where it is one.
    namespace: Option<&'a Labels>,
}

pub(super) fn derive(
    index: &Index<'_>,
    served: &Served,
    existing: &Existing,
    graph: &mut Graph,
) -> Vec<Guard> {
    let namespaces = namespaces(index, existing);
    let mut guards = Vec::new();
    for (configuration, facts) in index.facts.iter().enumerate() {
        for webhook in &facts.webhooks {
            let backing = webhook
                .service
                .as_ref()
                .map_or_else(Vec::new, |service| index.backing(&service.0, &service.1));
            graph.explains[configuration].extend(
                backing
                    .iter()
                    .map(|on| edge(*on, Strength::Hard, EdgeReason::Backing)),
            );
            let mut guard = Guard {
                configuration,
                webhook: webhook.name.clone(),
                fails: webhook.fails,
                mutates: webhook.mutates,
                backing,
                objects: Vec::new(),
                pods: Vec::new(),
            };
            for (at, object) in index.objects.iter().enumerate() {
                let facts = &index.facts[at];
                let of = object.id.namespace.as_ref();
                let namespace = of.and_then(|name| namespaces.get(name));
                if guarded(webhook, object, facts, served, namespace) {
                    if webhook.fails {
                        let need = edge(configuration, Strength::Hard, EdgeReason::Webhook);
                        graph.needs[at].push(need);
                        guard.objects.push(at);
                    } else if webhook.mutates {
                        let need = edge(configuration, Strength::Soft, EdgeReason::Webhook);
                        graph.needs[at].push(need);
                    }
                }
                if !sees_pods(webhook, facts, namespace) || object.id.is("", "Pod") {
                    continue;
                }
                if guard.backing.contains(&at) {
                    // It would refuse the very pods that serve it.
                    if webhook.fails {
                        let need = edge(at, Strength::Soft, EdgeReason::Before);
                        graph.needs[configuration].push(need);
                    }
                } else if webhook.mutates || webhook.fails {
                    // Pods that are refused meanwhile are tried again after ever longer pauses.
                    let need = edge(configuration, Strength::Soft, EdgeReason::PodWebhook);
                    graph.needs[at].push(need);
                    guard.pods.push(at);
                }
            }
            guards.push(guard);
        }
    }
    guards
}

fn edge(on: usize, strength: Strength, why: EdgeReason) -> Need {
    Need {
        on,
        until: Until::Ready,
        strength,
        why,
    }
}

/// Labels of every namespace that is or will be, with the one that the server adds.
fn namespaces(index: &Index<'_>, existing: &Existing) -> std::collections::HashMap<String, Labels> {
    let mut all: std::collections::HashMap<String, Labels> =
        existing.namespaces.clone().into_iter().collect();
    for (object, facts) in index.objects.iter().zip(index.facts) {
        if object.id.is("", "Namespace") {
            let labels = all.entry(object.id.name.clone()).or_default();
            labels.extend(facts.labels.clone());
        }
        if let Some(namespace) = &object.id.namespace {
            all.entry(namespace.clone()).or_default();
        }
    }
    for (name, labels) in &mut all {
        labels.insert("kubernetes.io/metadata.name".to_owned(), name.clone());
    }
    all
}

/// Whether a webhook is asked about this object when it is created.
fn guarded(
    webhook: &Webhook,
    object: &Object,
    facts: &Facts,
    served: &Served,
    namespace: Option<&Labels>,
) -> bool {
    // The server asks nobody about these, or nobody could ever repair them.
    if object.id.group == "admissionregistration.k8s.io" {
        return false;
    }
    let Some(Resource {
        plural, namespaced, ..
    }) = served.of(object)
    else {
        return false;
    };
    let own = object.id.is("", "Namespace").then_some(&facts.labels);
    sees(
        webhook,
        &Seen {
            group: &object.id.group,
            version: &object.version,
            plural,
            namespaced: *namespaced,
            labels: &facts.labels,
            namespace: namespace.or(own),
        },
    )
}

fn sees_pods(webhook: &Webhook, facts: &Facts, namespace: Option<&Labels>) -> bool {
    facts.pod.as_ref().is_some_and(|pod| {
        sees(
            webhook,
            &Seen {
                group: "",
                version: "v1",
                plural: "pods",
                namespaced: true,
                labels: &pod.labels,
                namespace,
            },
        )
    })
}

fn sees(webhook: &Webhook, seen: &Seen<'_>) -> bool {
    webhook
        .rules
        .iter()
        .any(|rule| rule_takes(rule, seen, webhook.equivalent))
        && selects(&webhook.object_selector, seen.labels)
        && seen
            .namespace
            .is_none_or(|labels| selects(&webhook.namespace_selector, labels))
}

fn rule_takes(rule: &Value, seen: &Seen<'_>, equivalent: bool) -> bool {
    let has = |key: &str, wanted: &str| {
        list(&rule[key])
            .filter_map(Value::as_str)
            .any(|it| it == wanted || it == "*")
    };
    let scope = match rule["scope"].as_str() {
        Some("Namespaced") => seen.namespaced,
        Some("Cluster") => !seen.namespaced,
        _ => true,
    };
    scope
        && (has("operations", "CREATE") || has("operations", "UPDATE"))
        && has("apiGroups", seen.group)
        && (equivalent || has("apiVersions", seen.version))
        && (has("resources", seen.plural) || has("resources", "*/*"))
}
