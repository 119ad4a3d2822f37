//! Edges that follow from the objects alone: membership, kinds, what pods use.

use std::collections::HashMap;

use crate::{
    api::contains,
    set::{
        facts::{Facts, PodFacts},
        objects::Object,
        order::{EdgeReason, Existing, Graph, Need, Strength, Until},
    },
};

/// The objects by what they are looked up with.
pub(super) struct Index<'a> {
    pub(super) objects: &'a [Object],
    pub(super) facts: &'a [Facts],
    /// Group, kind, namespace (empty for none) and name.
    named: HashMap<(&'a str, &'a str, &'a str, &'a str), usize>,
    definitions: HashMap<(&'a str, &'a str), usize>,
    /// By namespace.
    services: HashMap<&'a str, Vec<usize>>,
    workloads: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Index<'a> {
    pub(super) fn new(objects: &'a [Object], facts: &'a [Facts]) -> Self {
        let mut index = Self {
            objects,
            facts,
            named: HashMap::with_capacity(objects.len()),
            definitions: HashMap::new(),
            services: HashMap::new(),
            workloads: HashMap::new(),
        };
        for (at, (object, facts)) in objects.iter().zip(facts).enumerate() {
            let id = &object.id;
            let namespace = id.namespace.as_deref().unwrap_or_default();
            let key = (
                id.group.as_str(),
                id.kind.as_str(),
                namespace,
                id.name.as_str(),
            );
            index.named.insert(key, at);
            if let Some(definition) = &facts.definition {
                let key = (definition.group.as_str(), definition.kind.as_str());
                index.definitions.insert(key, at);
            }
            if facts.selector.is_some() {
                index.services.entry(namespace).or_default().push(at);
            }
            if facts.pod.is_some() {
                index.workloads.entry(namespace).or_default().push(at);
            }
        }
        index
    }

    pub(super) fn find(
        &self,
        group: &str,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Option<usize> {
        let key = (group, kind, namespace.unwrap_or_default(), name);
        self.named.get(&key).copied()
    }

    /// The workloads whose pods a Service of the set selects.
    pub(super) fn backing(&self, namespace: &str, service: &str) -> Vec<usize> {
        let Some(selector) = self
            .find("", "Service", Some(namespace), service)
            .and_then(|at| self.facts[at].selector.as_ref())
        else {
            return Vec::new();
        };
        let workloads = self.workloads.get(namespace).into_iter().flatten();
        let selected = workloads.copied().filter(|at| {
            let pod = self.facts[*at].pod.as_ref();
            pod.is_some_and(|pod| contains(&pod.labels, selector))
        });
        selected.collect()
    }
}

fn need(on: usize, until: Until, strength: Strength, why: EdgeReason) -> Need {
    Need {
        on,
        until,
        strength,
        why,
    }
}

/// All edges but those of webhooks; without `soft`, only what the server would refuse.
pub(super) fn derive(index: &Index<'_>, existing: &Existing, soft: bool) -> Graph {
    let mut graph = Graph {
        needs: vec![Vec::new(); index.objects.len()],
        explains: vec![Vec::new(); index.objects.len()],
        outside: vec![None; index.objects.len()],
        ..Graph::default()
    };
    let accounts = if soft {
        bindings(index)
    } else {
        HashMap::new()
    };
    for (at, object) in index.objects.iter().enumerate() {
        let id = &object.id;
        let facts = &index.facts[at];
        let mut needs = Vec::new();
        if let Some(namespace) = id.namespace.as_deref() {
            let made = index.find("", "Namespace", None, namespace);
            let profile = index.find("kubeflow.org", "Profile", None, namespace);
            needs.extend(
                made.map(|on| need(on, Until::Ready, Strength::Hard, EdgeReason::Namespace)),
            );
            needs.extend(
                profile.map(|on| need(on, Until::Ready, Strength::Hard, EdgeReason::Profile)),
            );
            if made.is_none() && !existing.namespaces.contains_key(namespace) {
                graph.outside[at] = Some(namespace.to_owned());
            }
        }
        let definition = index
            .definitions
            .get(&(id.group.as_str(), id.kind.as_str()));
        needs.extend(
            definition.map(|on| need(*on, Until::Ready, Strength::Hard, EdgeReason::Definition)),
        );
        if soft {
            if let Some(pod) = &facts.pod {
                needs.extend(pod_needs(index, at, pod, &accounts));
                graph.explains[at].extend(mentions(index, at, pod));
                for on in claims(index, at, pod) {
                    let explained = |on, why| need(on, Until::Ready, Strength::Soft, why);
                    graph.explains[at].push(explained(on, EdgeReason::Uses));
                    graph.explains[on].push(explained(at, EdgeReason::Consumer));
                }
            }
            for (group, kind, name) in &facts.refers {
                let on = index
                    .find(group, kind, id.namespace.as_deref(), name)
                    .or_else(|| index.find(group, kind, None, name));
                needs.extend(
                    on.map(|on| need(on, Until::Accepted, Strength::Soft, EdgeReason::Refers)),
                );
            }
        }
        needs.retain(|need| need.on != at);
        graph.needs[at] = needs;
    }
    graph
}

/// Bindings and roles of each service account, by namespace and name.
fn bindings<'a>(index: &'a Index<'_>) -> HashMap<(&'a str, &'a str), Vec<usize>> {
    let mut given: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    for (at, object) in index.objects.iter().enumerate() {
        let facts = &index.facts[at];
        let own = object.id.namespace.as_deref();
        let role = facts.role.as_ref().and_then(|(kind, name)| {
            let namespace = own.filter(|_| kind == "Role");
            index.find("rbac.authorization.k8s.io", kind, namespace, name)
        });
        for (namespace, name) in &facts.subjects {
            if let Some(namespace) = namespace.as_deref().or(own) {
                let list = given.entry((namespace, name)).or_default();
                list.push(at);
                list.extend(role);
            }
        }
    }
    given
}

fn pod_needs(
    index: &Index<'_>,
    at: usize,
    pod: &PodFacts,
    accounts: &HashMap<(&str, &str), Vec<usize>>,
) -> Vec<Need> {
    let namespace = index.objects[at].id.namespace.as_deref();
    let here = namespace.unwrap_or_default();
    let account = pod.account.as_deref().unwrap_or("default");
    let soft = |on, why| need(on, Until::Accepted, Strength::Soft, why);
    let mut needs = Vec::new();
    let own = index.find("", "ServiceAccount", namespace, account);
    needs.extend(own.map(|on| soft(on, EdgeReason::Account)));
    let given = accounts.get(&(here, account)).into_iter().flatten();
    needs.extend(given.map(|on| soft(*on, EdgeReason::Role)));
    for (kind, name) in &pod.uses {
        let on = index.find("", kind, namespace, name);
        needs.extend(on.map(|on| soft(on, EdgeReason::Uses)));
    }
    if let Some(priority) = &pod.priority {
        let on = index.find("scheduling.k8s.io", "PriorityClass", None, priority);
        needs.extend(on.map(|on| soft(on, EdgeReason::Refers)));
    }
    for service in index.services.get(here).into_iter().flatten() {
        let selector = index.facts[*service].selector.as_ref();
        if selector.is_some_and(|selector| contains(&pod.labels, selector)) {
            needs.push(soft(*service, EdgeReason::Service));
        }
    }
    let certificates = pod.uses.iter().filter(|(kind, _)| *kind == "Secret");
    for (_, secret) in certificates {
        for (on, facts) in index.facts.iter().enumerate() {
            let same = index.objects[on].id.namespace.as_deref() == namespace;
            if same && facts.certificate.as_ref() == Some(secret) {
                needs.push(need(
                    on,
                    Until::Ready,
                    Strength::Soft,
                    EdgeReason::Certificate,
                ));
            }
        }
    }
    needs
}

/// The claims of the set that a pod mounts.
fn claims(index: &Index<'_>, at: usize, pod: &PodFacts) -> Vec<usize> {
    let namespace = index.objects[at].id.namespace.as_deref();
    let names = pod.uses.iter().filter_map(|(kind, name)| {
        let claim = *kind == "PersistentVolumeClaim";
        claim.then(|| index.find("", kind, namespace, name))?
    });
    names.collect()
}

/// The workloads behind Services that a pod names in its commands, arguments or environment.
fn mentions(index: &Index<'_>, at: usize, pod: &PodFacts) -> Vec<Need> {
    let here = index.objects[at]
        .id
        .namespace
        .as_deref()
        .unwrap_or_default();
    let mut found = Vec::new();
    for word in &pod.words {
        let mut parts = word.split('.');
        let name = parts.next().unwrap_or_default();
        let namespace = parts.next().unwrap_or(here);
        for on in index.backing(namespace, name) {
            if on != at {
                found.push(need(on, Until::Ready, Strength::Soft, EdgeReason::Mention));
            }
        }
    }
    found
}
