//! Edges that follow from the objects alone: membership, kinds, what pods use.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{
    api::{ObjectId, contains},
    set::{
        facts::{Facts, PodFacts, words},
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

    fn called_by_name(&self) -> BTreeMap<(String, String), Vec<usize>> {
        let mut called = BTreeMap::new();
        for (namespace, services) in &self.services {
            for at in services {
                let name = &self.objects[*at].id.name;
                let backing = self.backing(namespace, name);
                if !backing.is_empty() {
                    called.insert(((*namespace).to_owned(), name.clone()), backing);
                }
            }
        }
        called
    }

    /// The workloads behind the Service that a word names, as seen from a namespace: `name`, or `name.namespace` and more.
    fn called(&self, word: &str, here: &str) -> Vec<usize> {
        let mut parts = word.split('.');
        let name = parts.next().unwrap_or_default();
        self.backing(parts.next().unwrap_or(here), name)
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
    graph.called = index.called_by_name();
    let accounts = if soft {
        bindings(index)
    } else {
        HashMap::new()
    };
    let mut configs = HashMap::new();
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
        for other in facts.depends.iter().flatten() {
            let ObjectId {
                group,
                kind,
                namespace,
                name,
            } = other;
            let on = index.find(group, kind, namespace.as_deref(), name);
            needs
                .extend(on.map(|on| need(on, Until::Ready, Strength::Hard, EdgeReason::DependsOn)));
        }
        if soft {
            if let Some(pod) = &facts.pod {
                needs.extend(pod_needs(index, at, pod, &accounts));
                graph.explains[at].extend(mentions(index, at, pod, &mut configs));
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

/// The words of config maps, by their place in the set.
type Configs = HashMap<usize, BTreeSet<String>>;

/// The workloads behind Services that a pod names in its commands, arguments or environment, or in a config map of its own.
fn mentions(index: &Index<'_>, at: usize, pod: &PodFacts, configs: &mut Configs) -> Vec<Need> {
    let namespace = index.objects[at].id.namespace.as_deref();
    let used = pod.uses.iter().filter_map(|(kind, name)| {
        let is_config = *kind == "ConfigMap";
        is_config.then(|| index.find("", kind, namespace, name))?
    });
    let used: Vec<usize> = used.collect();
    for on in &used {
        configs
            .entry(*on)
            .or_insert_with(|| config_words(index, *on));
    }
    let of_configs = used.iter().flat_map(|on| &configs[on]);
    let backing: BTreeSet<usize> = pod
        .words
        .iter()
        .chain(of_configs)
        .flat_map(|word| index.called(word, namespace.unwrap_or_default()))
        .filter(|on| *on != at)
        .collect();
    let found = backing
        .into_iter()
        .map(|on| need(on, Until::Ready, Strength::Soft, EdgeReason::Mention));
    found.collect()
}

/// The words of a config map that name a Service of the set. What is larger than a configuration is not looked at.
fn config_words(index: &Index<'_>, at: usize) -> BTreeSet<String> {
    const LARGEST: usize = 256 * 1024;
    let object = &index.objects[at];
    if object.body().len() > LARGEST {
        return BTreeSet::new();
    }
    let here = object.id.namespace.as_deref().unwrap_or_default();
    let value = object.value();
    let texts = value["data"].as_object().into_iter().flatten();
    let words = texts.filter_map(|(_, text)| text.as_str()).flat_map(words);
    words
        .filter(|word| !index.called(word, here).is_empty())
        .map(str::to_owned)
        .collect()
}
