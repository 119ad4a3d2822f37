//! Which other objects an object names: it needs them to work, now or when its pods start anew.

use std::collections::BTreeSet;

use crate::{
    api::list,
    set::{facts::Facts, objects::Object},
};

/// Where a name belongs: group, kind, and the namespace of what has one.
pub type Place = (String, String, Option<String>);

/// What an object names, each once.
pub fn named(object: &Object, facts: &Facts) -> BTreeSet<(Place, String)> {
    let here = &object.id.namespace;
    let mut names = BTreeSet::new();
    let mut name = |group: &str, kind: &str, namespace: &Option<String>, name: &str| {
        let place = (group.to_owned(), kind.to_owned(), namespace.clone());
        names.insert((place, name.to_owned()));
    };
    for (group, kind, of) in &facts.refers {
        let is_of_cluster = matches!(*kind, "ClusterIssuer" | "StorageClass");
        name(group, kind, if is_of_cluster { &None } else { here }, of);
    }
    if let Some(pod) = &facts.pod {
        for (kind, of) in &pod.uses {
            name("", kind, here, of);
        }
        if let Some(account) = &pod.account {
            name("", "ServiceAccount", here, account);
        }
        if let Some(priority) = &pod.priority {
            name("scheduling.k8s.io", "PriorityClass", &None, priority);
        }
    }
    if let Some((kind, of)) = &facts.role {
        let namespace = if kind == "Role" { here } else { &None };
        name("rbac.authorization.k8s.io", kind, namespace, of);
    }
    for (namespace, of) in &facts.subjects {
        let namespace = if namespace.is_some() { namespace } else { here };
        name("", "ServiceAccount", namespace, of);
    }
    for webhook in &facts.webhooks {
        if let Some((namespace, of)) = &webhook.service {
            name("", "Service", &Some(namespace.clone()), of);
        }
    }
    for service in services(object) {
        name("", "Service", here, &service);
    }
    names
}

/// The Services by whose names an Ingress routes, or a `StatefulSet` calls its pods.
fn services(object: &Object) -> Vec<String> {
    let id = &object.id;
    let is_route = id.is("networking.k8s.io", "Ingress");
    if !is_route && !id.is("apps", "StatefulSet") {
        return Vec::new();
    }
    let spec = &object.value()["spec"];
    let rules = list(&spec["rules"]).flat_map(|rule| list(&rule["http"]["paths"]));
    let backends = rules.map(|path| &path["backend"]);
    let names = backends
        .chain([&spec["defaultBackend"]])
        .map(|backend| &backend["service"]["name"])
        .chain([&spec["serviceName"]]);
    names
        .filter_map(|it| it.as_str().map(str::to_owned))
        .collect()
}
