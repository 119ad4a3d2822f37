//! A snapshot as rules look at it: objects by kind and by name, and the edges between them, each found once.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use crate::logs::snapshot::{Object, Snapshot, event_time, text};

/// Kind, namespace (empty where there is none) and name.
type Name<'a> = (&'a str, &'a str, &'a str);

/// A snapshot and its edges.
pub(super) struct Index<'a> {
    /// What was seen.
    pub(super) snapshot: &'a Snapshot,
    /// When it was seen, as far as the objects tell: the newest time of an event or of a start.
    pub(super) now: Option<Timestamp>,
    kinds: HashMap<(&'a str, &'a str), Vec<&'a Object>>,
    names: HashMap<Name<'a>, &'a Object>,
    events: HashMap<Name<'a>, Vec<&'a Object>>,
    pods_of_namespaces: HashMap<&'a str, Vec<&'a Object>>,
    workloads_of_namespaces: HashMap<&'a str, Vec<&'a Object>>,
    pods_of_services: HashMap<Name<'a>, Vec<&'a Object>>,
    services_of_addresses: HashMap<&'a str, &'a Object>,
    services_of_pods: HashMap<Name<'a>, Vec<&'a Object>>,
}

impl<'a> Index<'a> {
    /// Looks at each object once.
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        let mut index = Self {
            snapshot,
            now: None,
            kinds: HashMap::new(),
            names: HashMap::new(),
            events: HashMap::new(),
            pods_of_namespaces: HashMap::new(),
            workloads_of_namespaces: HashMap::new(),
            pods_of_services: HashMap::new(),
            services_of_addresses: HashMap::new(),
            services_of_pods: HashMap::new(),
        };
        for object in &snapshot.objects {
            index.put(object);
        }
        for events in index.events.values_mut() {
            events.sort_by_key(|event| event_time(event));
        }
        index.link_services();
        index
    }

    fn put(&mut self, object: &'a Object) {
        let (group, kind) = (object.group(), object.kind.as_str());
        self.kinds.entry((group, kind)).or_default().push(object);
        let namespace = object.namespace().unwrap_or_default();
        let name = (kind, namespace, object.name());
        // Other projects have kinds of the same name, such as Knative's Service.
        if is_builtin(group) {
            self.names.insert(name, object);
        } else {
            self.names.entry(name).or_insert(object);
        }
        match (group, kind) {
            ("", "Event") => {
                let involved = (
                    object.text("/involvedObject/kind"),
                    object.text("/involvedObject/namespace"),
                    object.text("/involvedObject/name"),
                );
                self.events.entry(involved).or_default().push(object);
                self.now = self.now.max(event_time(object).parse().ok());
            }
            // A node renews its lease every ten seconds, also where nothing happens.
            ("coordination.k8s.io", "Lease") => {
                self.now = self.now.max(object.text("/spec/renewTime").parse().ok());
            }
            ("", "Pod") => {
                let pods = self.pods_of_namespaces.entry(namespace).or_default();
                pods.push(object);
            }
            ("", "Service") => {
                let address = object.text("/spec/clusterIP");
                if !address.is_empty() && address != "None" {
                    self.services_of_addresses.insert(address, object);
                }
            }
            ("apps", "Deployment" | "StatefulSet" | "DaemonSet") => {
                let workloads = self.workloads_of_namespaces.entry(namespace).or_default();
                workloads.push(object);
            }
            _ => {}
        }
    }

    /// Which pods a Service selects. Only pods of the label that fewest pods of the namespace have are compared.
    fn link_services(&mut self) {
        let mut labelled: HashMap<(&str, &str, &str), Vec<&'a Object>> = HashMap::new();
        for (namespace, pods) in &self.pods_of_namespaces {
            for pod in pods {
                for (key, value) in labels(pod, "/metadata/labels") {
                    let with = labelled.entry((namespace, key, value)).or_default();
                    with.push(pod);
                }
            }
        }
        for service in self.kinds.get(&("", "Service")).into_iter().flatten() {
            let namespace = service.namespace().unwrap_or_default();
            let selector: Vec<(&str, &str)> = labels(service, "/spec/selector").collect();
            let none = Vec::new();
            let with = |(key, value): &(&'a str, &'a str)| {
                labelled.get(&(namespace, *key, *value)).unwrap_or(&none)
            };
            let Some(fewest) = selector.iter().map(with).min_by_key(|pods| pods.len()) else {
                continue;
            };
            let pods: Vec<&Object> = fewest
                .iter()
                .copied()
                .filter(|pod| selects(&selector, pod, "/metadata/labels"))
                .collect();
            for pod in &pods {
                let of_pod = self.services_of_pods.entry(("Pod", namespace, pod.name()));
                of_pod.or_default().push(service);
            }
            let name = ("Service", namespace, service.name());
            self.pods_of_services.insert(name, pods);
        }
    }

    /// The objects of a kind of a group (`""` is the core).
    pub(super) fn of_kind<'s>(&'s self, group: &'s str, kind: &'s str) -> &'s [&'a Object] {
        self.kinds.get(&(group, kind)).map_or(&[], Vec::as_slice)
    }

    /// The pods.
    pub(super) fn pods(&self) -> &[&'a Object] {
        self.of_kind("", "Pod")
    }

    /// The pods of a namespace.
    pub(super) fn pods_in<'s>(&'s self, namespace: &'s str) -> &'s [&'a Object] {
        self.pods_of_namespaces
            .get(namespace)
            .map_or(&[], Vec::as_slice)
    }

    /// An object by kind, namespace and name.
    pub(super) fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<&'a Object> {
        self.names.get(&(kind, namespace, name)).copied()
    }

    /// The pods that a Service selects.
    pub(super) fn pods_of<'s>(&'s self, service: &'s Object) -> &'s [&'a Object] {
        let namespace = service.namespace().unwrap_or_default();
        self.pods_of_services
            .get(&("Service", namespace, service.name()))
            .map_or(&[], Vec::as_slice)
    }

    /// The Services that select a pod.
    pub(super) fn services_of<'s>(&'s self, pod: &'s Object) -> &'s [&'a Object] {
        let namespace = pod.namespace().unwrap_or_default();
        self.services_of_pods
            .get(&("Pod", namespace, pod.name()))
            .map_or(&[], Vec::as_slice)
    }

    /// The Service that has an address of the cluster.
    pub(super) fn service_at(&self, address: &str) -> Option<&'a Object> {
        self.services_of_addresses.get(address).copied()
    }

    /// Whether the addresses of Services are known at all.
    pub(super) fn knows_addresses(&self) -> bool {
        !self.services_of_addresses.is_empty()
    }

    /// The events of an object, oldest first, without those of an object that it has replaced.
    pub(super) fn events_of(&self, object: &Object) -> Vec<&'a Object> {
        let uid = object.text("/metadata/uid");
        // The kubelet names a pod of a file by its hash, and a node by its name.
        let has_uid = !matches!(object.kind.as_str(), "Node")
            && object
                .text("/metadata/annotations/kubernetes.io~1config.mirror")
                .is_empty();
        let is_of = |event: &&&Object| {
            let of = event.text("/involvedObject/uid");
            !has_uid || of.is_empty() || uid.is_empty() || of == uid
        };
        let mut events = Vec::new();
        // Events of cluster-wide objects may name a namespace or none.
        for namespace in [object.namespace().unwrap_or_default(), "default"] {
            let name = (object.kind.as_str(), namespace, object.name());
            if let Some(found) = self.events.get(&name) {
                events.extend(found.iter().filter(is_of).copied());
            }
            if object.namespace().is_some() {
                break;
            }
        }
        events
    }

    /// Whether the last event that a message is part of was seen within so many minutes of the end.
    pub(super) fn is_recent(&self, event: &Object, minutes: i64) -> bool {
        let seen: Option<Timestamp> = event_time(event).parse().ok();
        match (seen, self.now) {
            (Some(seen), Some(now)) => now.as_second() - seen.as_second() <= minutes * 60,
            _ => true,
        }
    }

    /// Whom an object belongs to, as people name it: its Deployment rather than its `ReplicaSet`.
    pub(super) fn owner(&self, object: &Object) -> String {
        let namespace = object.namespace().unwrap_or_default();
        let (mut kind, mut name) = (object.kind.as_str(), object.name());
        let mut above = object.controller();
        // A Deployment owns a ReplicaSet owns a pod; nothing is deeper than that but custom resources.
        for _ in 0..4 {
            let Some((owner_kind, owner_name)) = above else {
                break;
            };
            if owner_kind == "Node" {
                break;
            }
            let Some(owner) = self.get(owner_kind, namespace, owner_name) else {
                return id(owner_kind, namespace, owner_name);
            };
            (kind, name) = (owner.kind.as_str(), owner.name());
            above = owner.controller();
        }
        id(kind, namespace, name)
    }

    /// The workloads whose pods a Service selects.
    pub(super) fn owners_behind(&self, service: &Object) -> Vec<String> {
        let mut owners: Vec<String> = self
            .pods_of(service)
            .iter()
            .map(|it| self.owner(it))
            .collect();
        let selector: Vec<(&str, &str)> = labels(service, "/spec/selector").collect();
        if owners.is_empty() && !selector.is_empty() {
            owners = self
                .workloads_in(service.namespace().unwrap_or_default())
                .iter()
                .filter(|it| selects(&selector, it, "/spec/template/metadata/labels"))
                .map(|it| self.owner(it))
                .collect();
        }
        owners.sort();
        owners.dedup();
        owners
    }

    /// The workloads of a namespace that keep pods.
    pub(super) fn workloads_in<'s>(&'s self, namespace: &'s str) -> &'s [&'a Object] {
        self.workloads_of_namespaces
            .get(namespace)
            .map_or(&[], Vec::as_slice)
    }

    /// The quotas of a namespace, as findings name them.
    pub(super) fn quotas_of(&self, namespace: &str) -> Vec<String> {
        let quotas = self.of_kind("", "ResourceQuota").iter();
        let of = quotas.filter(|it| it.namespace() == Some(namespace));
        of.map(|it| id_of(it)).collect()
    }

    /// Whether the owner of a pod has what it wants without it: then nothing about the pod matters any more.
    pub(super) fn is_satisfied(&self, pod: &Object) -> bool {
        let namespace = pod.namespace().unwrap_or_default();
        let Some((kind, name)) = pod.controller() else {
            return false;
        };
        let Some(owner) = self.get(kind, namespace, name) else {
            return false;
        };
        let number = |pointer| owner.number(pointer).unwrap_or(0);
        match kind {
            "ReplicaSet" | "StatefulSet" | "ReplicationController" => {
                let wanted = owner.number("/spec/replicas").unwrap_or(1);
                number("/status/readyReplicas") >= wanted
            }
            "DaemonSet" => {
                let wanted = owner.number("/status/desiredNumberScheduled");
                wanted.is_some_and(|wanted| number("/status/numberReady") >= wanted)
            }
            "Job" => owner.is("Complete", "True") || self.is_made_good(owner),
            _ => false,
        }
    }

    /// Whether a later Job of the same `CronJob` did what this one failed to do.
    pub(super) fn is_made_good(&self, job: &Object) -> bool {
        let Some(("CronJob", name)) = job.controller() else {
            return false;
        };
        let cron = self.get("CronJob", job.namespace().unwrap_or_default(), name);
        let good = cron.map_or("", |cron| cron.text("/status/lastSuccessfulTime"));
        !good.is_empty() && good > job.text("/metadata/creationTimestamp")
    }
}

/// An object as findings name it.
pub(super) fn id(kind: &str, namespace: &str, name: &str) -> String {
    if namespace.is_empty() {
        format!("{kind} {name}")
    } else {
        format!("{kind} {namespace}/{name}")
    }
}

/// An object as findings name it.
pub(super) fn id_of(object: &Object) -> String {
    id(
        &object.kind,
        object.namespace().unwrap_or_default(),
        object.name(),
    )
}

/// The labels at a JSON pointer.
pub(super) fn labels<'a>(
    object: &'a Object,
    pointer: &str,
) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
    let map = object.value.pointer(pointer).and_then(|it| it.as_object());
    let pairs = map.into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

/// Whether labels at a JSON pointer are what a selector wants.
pub(super) fn selects(selector: &[(&str, &str)], object: &Object, pointer: &str) -> bool {
    let have: BTreeMap<&str, &str> = labels(object, pointer).collect();
    let has = |(key, value): &(&str, &str)| have.get(key) == Some(value);
    !selector.is_empty() && selector.iter().all(has)
}

fn is_builtin(group: &str) -> bool {
    !group.contains('.') || group.ends_with(".k8s.io")
}

/// The number that an event was counted to.
pub(super) fn times(event: &Object) -> i64 {
    let counted = event
        .number("/count")
        .or_else(|| event.number("/series/count"));
    counted.unwrap_or(1)
}

/// When something began: the first time of an event, or the newest change of a condition.
pub(super) fn began(event: &Object) -> Option<Timestamp> {
    let first = text(&event.value, "/firstTimestamp");
    if first.is_empty() {
        event_time(event)
    } else {
        first
    }
    .parse()
    .ok()
}
