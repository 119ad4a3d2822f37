//! Environments and logs that name a Service which is not there, or a port that it does not have.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Scene};
use crate::logs::{
    diagnose::{
        Class, Evidence,
        index::{id, id_of},
        mentions::{self, Address, How},
    },
    snapshot::{Object, containers, list, text},
};

/// What is wrong with the addresses that pods are given.
pub(super) fn addresses(scene: &Scene<'_>) -> Vec<Finding> {
    let mut of_owners: BTreeMap<String, &Object> = BTreeMap::new();
    for pod in scene.index.pods() {
        of_owners.entry(scene.index.owner(pod)).or_insert(pod);
    }
    let mut found = Vec::new();
    for (owner, pod) in &of_owners {
        let mut seen = BTreeSet::new();
        for (name, value) in environment(pod) {
            for address in mentions::addresses(value) {
                if seen.insert((address.host, address.port)) {
                    let finding = one(scene, pod, owner, (name, value), &address);
                    found.extend(finding);
                }
            }
        }
    }
    found
}

/// The variables of a pod that are written out.
fn environment(pod: &Object) -> impl Iterator<Item = (&str, &str)> {
    let containers = pod.list("/spec/containers").iter();
    let all = containers.flat_map(|it| list(it, "/env"));
    all.map(|it| (text(it, "/name"), text(it, "/value")))
}

fn one(
    scene: &Scene<'_>,
    pod: &Object,
    owner: &str,
    (name, value): (&str, &str),
    address: &Address<'_>,
) -> Option<Finding> {
    let namespace = pod.namespace().unwrap_or_default();
    if address.host.parse::<std::net::IpAddr>().is_ok() {
        return None;
    }
    let shown = |line: Option<Evidence>| -> Vec<Evidence> {
        let own = scene.evidence(pod, &format!("{name}={value}"));
        std::iter::once(own).chain(line).collect()
    };
    let Some(service) = mentions::service(&scene.index, namespace, address) else {
        return missing(scene, pod, owner, (name, value), address, shown);
    };
    let port = address.port?;
    let is_headless = service.text("/spec/clusterIP") == "None";
    if is_headless || service.list("/spec/ports").is_empty() || mentions::has_port(service, port) {
        return None;
    }
    let ports: Vec<String> = service
        .list("/spec/ports")
        .iter()
        .map(|it| it["port"].to_string())
        .collect();
    let said = format!(
        "its variable {name} has the address {value}, and {} has no port {port}, but {}: connections to it are refused or get no answer",
        id_of(service),
        ports.join(", ")
    );
    let mut of_pod = scene.mentions.of_pod(pod).iter();
    let mention = of_pod.find(|it| it.service.is_some_and(|named| std::ptr::eq(named, service)));
    let is_told = mention.is_some() || complains(scene, pod);
    let finding = Finding::new(Class::ServiceAddressWrong, owner, said)
        .shown(shown(mention.map(|it| Evidence::line(it.log, it.line))))
        .quiet(!is_told);
    Some(finding)
}

/// Whether a pod tells again and again that somebody does not answer.
fn complains(scene: &Scene<'_>, pod: &Object) -> bool {
    let logs = containers(pod).into_iter();
    let mut logs = logs.filter_map(|it| scene.index.snapshot.log(pod, it.name, false));
    logs.any(|log| {
        let words = [
            "refused",
            "timeout",
            "timed out",
            "unreachable",
            "Unavailable",
            "UnableToConnect",
        ];
        let mut late = log.troubles().filter(|it| log.is_late(it));
        late.any(|it| words.iter().any(|word| it.text.contains(word)))
    })
}

/// A Service that is not there, and that the pod looks for in vain.
fn missing(
    scene: &Scene<'_>,
    pod: &Object,
    owner: &str,
    (name, value): (&str, &str),
    address: &Address<'_>,
    shown: impl Fn(Option<Evidence>) -> Vec<Evidence>,
) -> Option<Finding> {
    let namespace = pod.namespace().unwrap_or_default();
    let told = told(scene, pod, address.host)?;
    let (service, namespace) = as_service(address.host, namespace)?;
    let wanted = id("Service", namespace, service);
    let is_known = scene
        .index
        .workloads_in(namespace)
        .iter()
        .any(|it| it.name() == service);
    let finding = if is_known {
        let said = format!("there is no {wanted}, which {owner} looks for by its variable {name}");
        Finding::new(Class::ServiceMissing, wanted, said).with([owner.to_owned()])
    } else {
        let said = format!(
            "its variable {name} has the address {value}, where nobody is reached: there is no {wanted}"
        );
        Finding::new(Class::ServiceAddressWrong, owner, said).with([wanted])
    };
    let quotas = scene.index.quotas_of(namespace);
    Some(finding.shown(shown(Some(told))).needing(quotas))
}

/// Names that pods which are not ready say nobody has, where a Service of their namespace would have them: known from
/// their logs alone.
pub(super) fn unknown_names(scene: &Scene<'_>) -> Vec<Finding> {
    // A dump without Services does not tell that one is missing.
    if scene.index.of_kind("", "Service").is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for pod in scene.index.pods() {
        if pod.is("Ready", "True") || scene.index.is_satisfied(pod) {
            continue;
        }
        let namespace = pod.namespace().unwrap_or_default();
        let told = names_in_environments(scene, namespace);
        let mut mentions = scene.mentions.of_pod(pod).iter().rev();
        let last = mentions.find_map(|it| {
            if it.how != How::NoName || it.service.is_some() {
                return None;
            }
            // Of other namespaces the dump may have nothing.
            let (service, of) = as_service(&it.host, namespace)?;
            (of == namespace && !told.contains(service)).then_some((it, service))
        });
        if let Some((mention, service)) = last {
            let (wanted, owner) = (id("Service", namespace, service), scene.index.owner(pod));
            let said = format!("there is no {wanted}, which {owner} looks for");
            let finding = Finding::new(Class::ServiceMissing, wanted, said)
                .with([owner])
                .shown([Evidence::line(mention.log, mention.line)])
                .needing(scene.index.quotas_of(namespace));
            found.push(finding);
        }
    }
    found
}

/// The Service and its namespace that a host would be the name of, seen from a namespace; none of a name of the world outside.
fn as_service<'t>(host: &'t str, from: &'t str) -> Option<(&'t str, &'t str)> {
    let parts: Vec<&str> = host.split('.').collect();
    match parts.as_slice() {
        [service] => Some((service, from)),
        [service, namespace] | [service, namespace, "svc", ..] => Some((service, namespace)),
        _ => None,
    }
}

/// The last line by which a pod tells of trouble with a host.
fn told(scene: &Scene<'_>, pod: &Object, host: &str) -> Option<Evidence> {
    let name = host.split('.').next().unwrap_or_default();
    let mut mentions = scene.mentions.of_pod(pod).iter().rev();
    let by_name =
        mentions.find(|it| it.how == How::NoName && it.host.split('.').next() == Some(name));
    if let Some(mention) = by_name {
        return Some(Evidence::line(mention.log, mention.line));
    }
    containers(pod).into_iter().find_map(|container| {
        let log = scene.index.snapshot.log(pod, container.name, false)?;
        let mut troubles = log.troubles().rev();
        let line = troubles.find(|line| {
            let mut hosts = mentions::addresses(&line.text).into_iter();
            log.is_late(line) && hosts.any(|it| it.host == host)
        })?;
        Some(Evidence::line(log, line))
    })
}

/// The names that environments of a namespace give with a port.
pub(super) fn names_in_environments<'a>(scene: &Scene<'a>, namespace: &str) -> BTreeSet<&'a str> {
    let pods = scene.index.pods_in(namespace).iter();
    let values = pods.flat_map(|pod| environment(pod).map(|(_, value)| value));
    let all = values.flat_map(|value| mentions::addresses(value).into_iter());
    all.map(|it| it.host.split('.').next().unwrap_or_default())
        .collect()
}
