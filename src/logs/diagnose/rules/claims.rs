//! Claims without a volume: why no volume is made, and why none that is there fits.

use std::collections::{BTreeSet, HashMap};

use super::{Finding, Scene};
use crate::{
    logs::{
        diagnose::{
            Class,
            index::{id, id_of, labels, selects},
        },
        snapshot::{Object, text},
    },
    pod::brief,
};

/// Who uses each claim: namespace and name of the claim, and the pods.
type Users<'a> = HashMap<(&'a str, &'a str), Vec<&'a Object>>;

/// Each claim that is not bound, and each that pods name and nobody made.
pub(super) fn claims(scene: &Scene<'_>) -> Vec<Finding> {
    let users = users(scene);
    let mut found: Vec<Finding> = scene
        .index
        .of_kind("", "PersistentVolumeClaim")
        .iter()
        .filter_map(|claim| unbound(scene, claim, &users))
        .collect();
    for (namespace, name, pods) in missing(scene, &users) {
        let said = format!("claim {namespace}/{name} does not exist");
        let owners: Vec<String> = pods.iter().map(|pod| scene.index.owner(pod)).collect();
        let finding = Finding::new(Class::ClaimMissing, owners[0].clone(), said)
            .with(owners)
            .with([id("PersistentVolumeClaim", namespace, name)])
            .needing(scene.index.quotas_of(namespace));
        found.push(finding);
    }
    found
}

fn users<'a>(scene: &Scene<'a>) -> Users<'a> {
    let mut users: Users<'a> = HashMap::new();
    for pod in scene.index.pods() {
        for volume in pod.list("/spec/volumes") {
            let claim = text(volume, "/persistentVolumeClaim/claimName");
            if !claim.is_empty() {
                let namespace = pod.namespace().unwrap_or_default();
                users.entry((namespace, claim)).or_default().push(pod);
            }
        }
    }
    users
}

/// The claims that pods wait for, and nobody made: namespace, name, pods.
pub(super) fn waited_for<'a>(scene: &Scene<'a>) -> Vec<(&'a str, &'a str, Vec<&'a Object>)> {
    missing(scene, &users(scene))
}

fn missing<'a>(scene: &Scene<'a>, users: &Users<'a>) -> Vec<(&'a str, &'a str, Vec<&'a Object>)> {
    let mut waiting: HashMap<(&str, &str), Vec<&Object>> = HashMap::new();
    for pod in scene.index.pods() {
        if pod.text("/status/phase") != "Pending" {
            continue;
        }
        let message = pod
            .condition("PodScheduled")
            .map_or("", |it| text(it, "/message"));
        if let Some(name) = super::between(message, "persistentvolumeclaim \"", "\" not found") {
            let namespace = pod.namespace().unwrap_or_default();
            waiting.entry((namespace, name)).or_default().push(pod);
        }
    }
    for (key, pods) in users {
        let pending = |pod: &&&Object| pod.text("/status/phase") == "Pending";
        let has_claims = !scene.index.of_kind("", "PersistentVolumeClaim").is_empty();
        let is_there = scene
            .index
            .get("PersistentVolumeClaim", key.0, key.1)
            .is_some();
        let pods: Vec<&Object> = pods.iter().filter(pending).copied().collect();
        if has_claims && !is_there && !pods.is_empty() {
            waiting.entry(*key).or_insert(pods);
        }
    }
    let mut missing: Vec<_> = waiting
        .into_iter()
        .map(|((namespace, name), pods)| (namespace, name, pods))
        .collect();
    missing.sort_by_key(|(namespace, name, _)| (*namespace, *name));
    missing
}

fn unbound(scene: &Scene<'_>, claim: &Object, users: &Users<'_>) -> Option<Finding> {
    let namespace = claim.namespace().unwrap_or_default();
    let name = claim.name();
    let (class, cause) = match claim.text("/status/phase") {
        "Pending" => why_pending(scene, claim)?,
        "Lost" => (
            Class::ClaimNotBound,
            format!("its volume {} is gone", claim.text("/spec/volumeName")),
        ),
        _ => return None,
    };
    let events = scene.index.events_of(claim);
    let of = users.get(&(namespace, name)).into_iter().flatten();
    let said = format!("claim {name} is not bound: {cause}");
    let finding = Finding::new(class, id_of(claim), said)
        .with(of.map(|pod| scene.index.owner(pod)))
        .with(owners_of_templates(scene, namespace, name))
        .shown(
            events
                .last()
                .map(|it| scene.evidence(it, it.text("/message"))),
        )
        .since(claim.text("/metadata/creationTimestamp").parse().ok());
    Some(finding)
}

/// Workloads whose pods use a claim, where the pods say nothing of their volumes, or are not there.
fn owners_of_templates(scene: &Scene<'_>, namespace: &str, claim: &str) -> Vec<String> {
    let waits = |pod: &&&Object| {
        let message = pod
            .condition("PodScheduled")
            .map_or("", |it| text(it, "/message"));
        message.contains("unbound immediate PersistentVolumeClaims")
            && pod.list("/spec/volumes").is_empty()
    };
    let pods = scene.index.pods_in(namespace).iter();
    let unbound = scene.index.of_kind("", "PersistentVolumeClaim").iter();
    let pending = unbound
        .filter(|it| it.namespace() == Some(namespace) && it.text("/status/phase") == "Pending");
    let is_only_one = pending.take(2).count() == 1;
    let with_template = scene.index.workloads_in(namespace).iter().filter(|it| {
        let volumes = it.list("/spec/template/spec/volumes").iter();
        let mut names = volumes.map(|it| text(it, "/persistentVolumeClaim/claimName"));
        names.any(|name| name == claim)
    });
    let mut owners: BTreeSet<String> = with_template.map(|it| id_of(it)).collect();
    if is_only_one {
        owners.extend(pods.filter(waits).map(|pod| scene.index.owner(pod)));
    }
    owners.into_iter().collect()
}

/// Why a claim waits; none where it only waits for its pod.
fn why_pending(scene: &Scene<'_>, claim: &Object) -> Option<(Class, String)> {
    let wanted = claim
        .value
        .pointer("/spec/storageClassName")
        .and_then(|it| it.as_str());
    let classes = scene.index.of_kind("storage.k8s.io", "StorageClass");
    // Files that leave out the group of classes name them all the same.
    let named = wanted.and_then(|name| scene.index.get("StorageClass", "", name));
    let events = scene.index.events_of(claim);
    let newest = events.last();
    let (reason, message) = newest.map_or(("", ""), |event| {
        (event.text("/reason"), event.text("/message"))
    });
    match reason {
        "WaitForFirstConsumer" | "WaitForPodScheduled" => return None,
        "ProvisioningFailed" if named.is_some() || !message.contains("not found") => {
            return Some((Class::ProvisioningFailed, brief(message)));
        }
        _ => {}
    }
    if let Some(found) = misfit(scene, claim) {
        return Some(found);
    }
    match wanted {
        Some(name) if !name.is_empty() && named.is_none() => Some((
            Class::StorageClassMissing,
            format!("there is no storage class {name}"),
        )),
        None if !has_default(classes) && !message.contains("no storage class is set") => Some((
            Class::StorageClassMissing,
            "it names no storage class and the cluster has no default".to_owned(),
        )),
        _ if message.is_empty() => {
            let said = "no volume was made for it".to_owned();
            Some((Class::ClaimNotBound, said))
        }
        _ => Some((Class::ClaimNotBound, brief(message))),
    }
}

fn has_default(classes: &[&Object]) -> bool {
    classes.iter().any(|class| {
        class.text("/metadata/annotations/storageclass.kubernetes.io~1is-default-class") == "true"
    })
}

/// Why the volume that fits a claim best does not fit. Only what both of them say is compared.
fn misfit(scene: &Scene<'_>, claim: &Object) -> Option<(Class, String)> {
    let class = claim.text("/spec/storageClassName");
    let wanted = claim.text("/spec/volumeName");
    let volumes = scene.index.of_kind("", "PersistentVolume").iter();
    let of_class = volumes.filter(|volume| {
        let is_named = wanted.is_empty() || volume.name() == wanted;
        is_named && volume.text("/spec/storageClassName") == class
    });
    let mut misfits: Vec<Vec<(Class, String)>> = of_class
        .map(|volume| misfits(claim, volume))
        .filter(|misfits| !misfits.is_empty())
        .collect();
    // A volume of somebody else is the weakest explanation, and one with one fault a better one than one with two.
    let is_taken = |it: &(Class, String)| it.0 == Class::VolumeOccupied;
    misfits.sort_by_key(|misfits| (misfits.iter().any(is_taken), misfits.len()));
    misfits.into_iter().next()?.into_iter().next()
}

fn misfits(claim: &Object, volume: &Object) -> Vec<(Class, String)> {
    let mut found = Vec::new();
    let name = volume.name();
    let holder = match volume.value.pointer("/spec/claimRef") {
        Some(serde_json::Value::String(holder)) => holder.clone(),
        Some(holder) if holder.is_object() => {
            format!("{}/{}", text(holder, "/namespace"), text(holder, "/name"))
        }
        _ => String::new(),
    };
    if matches!(volume.text("/status/phase"), "Bound" | "Released")
        && !holder.is_empty()
        && holder != claim.path()
    {
        let said = format!("volume {name} is taken by claim {holder}");
        found.push((Class::VolumeOccupied, said));
    }
    let wanted: Vec<&str> = strings(claim, "/spec/accessModes");
    let offered: Vec<&str> = strings(volume, "/spec/accessModes");
    if !offered.is_empty() && wanted.iter().any(|mode| !offered.contains(mode)) {
        let said = format!(
            "it wants the access mode {}, and volume {name} has {}",
            wanted.join(", "),
            offered.join(", ")
        );
        found.push((Class::VolumeAccessModeMismatch, said));
    }
    let sizes = (
        claim.text("/spec/resources/requests/storage"),
        volume.text("/spec/capacity/storage"),
    );
    if let (Some(wanted), Some(offered)) = (bytes(sizes.0), bytes(sizes.1))
        && offered < wanted
    {
        let said = format!("it wants {}, and volume {name} has {}", sizes.0, sizes.1);
        found.push((Class::VolumeTooSmall, said));
    }
    let selector: Vec<(&str, &str)> = labels(claim, "/spec/selector/matchLabels").collect();
    if !selector.is_empty() && !selects(&selector, volume, "/metadata/labels") {
        let said: Vec<String> = selector
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let said = format!(
            "its selector wants the labels {}, which volume {name} does not have",
            said.join(", ")
        );
        found.push((Class::VolumeSelectorMismatch, said));
    }
    found
}

fn strings<'a>(object: &'a Object, pointer: &str) -> Vec<&'a str> {
    let list = object.list(pointer).iter();
    list.filter_map(serde_json::Value::as_str).collect()
}

/// A quantity of bytes.
pub(super) fn bytes(quantity: &str) -> Option<f64> {
    let at = quantity.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = quantity.split_at(at.unwrap_or(quantity.len()));
    let factor = match unit {
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}
