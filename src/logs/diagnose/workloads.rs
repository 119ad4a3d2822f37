//! Rules that look at nodes, claims, Jobs, and at workloads whose pods the API server refuses.

use std::collections::BTreeSet;

use super::{Class, Finding, brief, owner, pods, whole};
use crate::{
    logs::snapshot::{Object, Snapshot, event_time, text},
    pod::{self, Why},
};

pub(super) fn nodes(snapshot: &Snapshot) -> Vec<Finding> {
    let mut found = Vec::new();
    for node in snapshot.of_kind("", "Node") {
        for condition in node.list("/status/conditions") {
            let (kind, status) = (text(condition, "/type"), text(condition, "/status"));
            let bad = match kind {
                "Ready" => status != "True",
                "MemoryPressure" | "DiskPressure" | "PIDPressure" | "NetworkUnavailable" => {
                    status == "True"
                }
                _ => false,
            };
            if bad {
                let what = if kind == "Ready" { "not Ready" } else { kind };
                found.push(Finding {
                    class: if kind == "Ready" {
                        Class::NodeNotReady
                    } else {
                        Class::NodePressure
                    },
                    affects: vec![format!("Node {}", node.name())],
                    cause: format!("{what}: {}", brief(text(condition, "/message"))),
                    evidence: vec![],
                });
            }
        }
    }
    found
}

/// Workloads that cannot have the pods they want: a webhook that does not answer, a quota, a missing account.
pub(super) fn refused(snapshot: &Snapshot) -> Vec<Finding> {
    let mut events: Vec<_> = snapshot
        .of_kind("", "Event")
        .filter(|event| event.text("/reason") == "FailedCreate")
        .collect();
    events.sort_by_key(|event| std::cmp::Reverse(event_time(event).to_owned()));
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for event in events {
        let (kind, name) = (
            event.text("/involvedObject/kind"),
            event.text("/involvedObject/name"),
        );
        let namespace = event.text("/involvedObject/namespace");
        let workload = snapshot.objects.iter().find(|object| {
            object.kind == kind && object.name() == name && object.namespace() == Some(namespace)
        });
        // Only the newest word of each, and only of those that still lack pods.
        let Some(workload) = workload.filter(|workload| lacks_pods(workload)) else {
            continue;
        };
        if !seen.insert((kind, namespace, name)) {
            continue;
        }
        let message = event.text("/message");
        let why = pod::not_created(message);
        let cause = match why {
            Why::Webhook => {
                let webhook = between(message, "webhook \"", "\"").unwrap_or_default();
                let reason = message.rsplit(": ").next().unwrap_or_default();
                format!("webhook {webhook} does not answer: {}", brief(reason))
            }
            _ => format!("the API server refuses its pods: {}", brief(message)),
        };
        found.push(Finding {
            class: pods::refused(why, message),
            affects: vec![owner(snapshot, workload)],
            cause,
            evidence: vec![whole(message)],
        });
    }
    found
}

fn lacks_pods(workload: &Object) -> bool {
    if workload.kind == "Job" {
        return !workload.is("Complete", "True");
    }
    let wanted = workload
        .number("/spec/replicas")
        .or_else(|| workload.number("/status/desiredNumberScheduled"))
        .unwrap_or(1);
    let there = workload
        .number("/status/replicas")
        .or_else(|| workload.number("/status/currentNumberScheduled"))
        .unwrap_or(0);
    there < wanted
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?
        .1
        .split_once(after)
        .map(|(found, _)| found)
}

pub(super) fn claims(snapshot: &Snapshot) -> Vec<Finding> {
    let classes: Vec<_> = snapshot.of_kind("storage.k8s.io", "StorageClass").collect();
    let pending = snapshot
        .of_kind("", "PersistentVolumeClaim")
        .filter(|claim| claim.text("/status/phase") == "Pending");
    pending
        .filter_map(|claim| {
            let wanted = claim.text("/spec/storageClassName");
            let events = snapshot.events_of(claim);
            let newest = events
                .last()
                .map(|event| (event.text("/reason"), event.text("/message")));
            let cause = match newest {
                // It waits for a pod, which has a finding of its own where it does not come.
                Some(("WaitForFirstConsumer" | "WaitForPodScheduled", _)) => return None,
                Some(("ProvisioningFailed", message)) => brief(message),
                _ if !wanted.is_empty() && !classes.iter().any(|class| class.name() == wanted) => {
                    format!("there is no storage class {wanted}")
                }
                _ if wanted.is_empty() && !has_default(&classes) => {
                    "it names no storage class and the cluster has no default".to_owned()
                }
                Some((_, message)) if !message.is_empty() => brief(message),
                _ => "no volume was made for it".to_owned(),
            };
            let users = snapshot.pods().filter(|pod| {
                pod.namespace() == claim.namespace()
                    && pod.list("/spec/volumes").iter().any(|volume| {
                        text(volume, "/persistentVolumeClaim/claimName") == claim.name()
                    })
            });
            let mut affects = vec![format!("PersistentVolumeClaim {}", claim.path())];
            affects.extend(users.map(|pod| owner(snapshot, pod)));
            affects.dedup();
            Some(Finding {
                class: Class::ClaimNotBound,
                affects,
                cause: format!("claim {} is not bound: {cause}", claim.name()),
                evidence: vec![],
            })
        })
        .collect()
}

fn has_default(classes: &[&Object]) -> bool {
    classes.iter().any(|class| {
        class.text("/metadata/annotations/storageclass.kubernetes.io~1is-default-class") == "true"
    })
}

pub(super) fn jobs(snapshot: &Snapshot) -> Vec<Finding> {
    snapshot
        .of_kind("batch", "Job")
        .filter_map(|job| {
            let failed = job
                .condition("Failed")
                .filter(|condition| text(condition, "/status") == "True")?;
            let reason = text(failed, "/reason");
            let message = brief(text(failed, "/message"));
            Some(Finding {
                class: Class::JobFailed,
                affects: vec![owner(snapshot, job)],
                cause: format!("the Job failed: {reason}: {message}"),
                evidence: vec![],
            })
        })
        .collect()
}
