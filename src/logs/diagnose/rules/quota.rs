//! Quotas that refuse what nobody tells of: Services and claims are refused to who applies them, and leave no event.

use super::{Finding, Scene, claims};
use crate::logs::{
    diagnose::{
        Class, Evidence,
        index::{id, id_of, labels},
        mentions::How,
    },
    snapshot::Object,
};

/// Quotas that hold as many Services as they allow, where a Service is missed.
pub(super) fn services(scene: &Scene<'_>) -> Vec<Finding> {
    let quotas = scene.index.of_kind("", "ResourceQuota").iter();
    let mut found = Vec::new();
    for quota in quotas {
        let namespace = quota.namespace().unwrap_or_default();
        let Some((resource, allowed)) = used_up(quota, |it| it.ends_with("services")) else {
            continue;
        };
        for (name, evidence) in missed(scene, namespace) {
            let said = format!(
                "quota {} allows {allowed} {resource}, and so many are there: Service {namespace}/{name}, which pods look for, is not among them",
                quota.path()
            );
            let finding = Finding::new(Class::QuotaExceeded, id_of(quota), said.clone())
                .with([id("Service", namespace, &name)])
                .sharing(id_of(quota), said)
                .shown(evidence);
            found.push(finding);
        }
    }
    found
}

/// The names of Services that pods of a namespace look for, or that workloads have, and that are not there.
fn missed(scene: &Scene<'_>, namespace: &str) -> Vec<(String, Option<Evidence>)> {
    let is_there = |name: &str| scene.index.get("Service", namespace, name).is_some();
    let mut missed: Vec<(String, Option<Evidence>)> = Vec::new();
    for mention in &scene.mentions.all {
        let name = mention.host.split('.').next().unwrap_or_default();
        let is_one = mention.how == How::NoName
            && mention.pod.namespace() == Some(namespace)
            && scene
                .index
                .workloads_in(namespace)
                .iter()
                .any(|it| is_named(it, name));
        if is_one && !is_there(name) && !missed.iter().any(|(known, _)| known == name) {
            let evidence = Evidence::line(mention.log, mention.line);
            missed.push((name.to_owned(), Some(evidence)));
        }
    }
    if missed.is_empty() {
        // Nobody said so: a workload to which no Service leads, where environments name one for it.
        let wanted = super::addresses::names_in_environments(scene, namespace);
        for workload in scene.index.workloads_in(namespace) {
            let name = workload.name();
            if wanted.contains(name) && !is_there(name) {
                missed.push((name.to_owned(), None));
            }
        }
    }
    missed
}

fn is_named(workload: &Object, name: &str) -> bool {
    workload.name() == name
        || labels(workload, "/spec/template/metadata/labels").any(|(_, value)| value == name)
}

/// Quotas that leave little storage, where pods wait for a claim that is not there.
pub(super) fn claims(scene: &Scene<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (namespace, name, pods) in claims::waited_for(scene) {
        let quotas = scene.index.of_kind("", "ResourceQuota").iter();
        let of_namespace = quotas.filter(|it| it.namespace() == Some(namespace));
        for quota in of_namespace {
            let is_of_storage = |it: &str| {
                it.ends_with("requests.storage") || it.ends_with("persistentvolumeclaims")
            };
            let hard = labels(quota, "/status/hard").find(|(key, _)| is_of_storage(key));
            let Some((resource, allowed)) = hard else {
                continue;
            };
            let used = labels(quota, "/status/used").find(|(key, _)| *key == resource);
            let said = format!(
                "claim {namespace}/{name} does not exist, and quota {} refuses claims beyond {allowed} of {resource}, of which {} are used",
                quota.path(),
                used.map_or("0", |(_, used)| used)
            );
            let owners = pods.iter().map(|pod| scene.index.owner(pod));
            let finding = Finding::new(Class::QuotaExceeded, id_of(quota), said.clone())
                .with([id("PersistentVolumeClaim", namespace, name)])
                .with(owners)
                .sharing(id_of(quota), said)
                .shown([scene.evidence(quota, &format!("{resource}: {allowed}"))]);
            found.push(finding);
        }
    }
    found
}

/// A resource of which a quota has nothing left.
fn used_up(quota: &Object, is_one: impl Fn(&str) -> bool) -> Option<(&str, &str)> {
    let hard = labels(quota, "/status/hard").filter(|(key, _)| is_one(key));
    let mut full = hard.filter(|(key, hard)| {
        let used = labels(quota, "/status/used").find(|(used, _)| used == key);
        let number = |text: &str| text.parse::<i64>().ok();
        let used = used.and_then(|(_, used)| number(used));
        used.is_some() && used >= number(hard)
    });
    full.next()
}
