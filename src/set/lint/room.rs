//! Whether the pods of the set find room on the nodes.
//!
//! Counts what the set says, so what a webhook adds to a pod later (a sidecar of a mesh) is not in it; and the sum alone,
//! so a sum that fits may still not fit pod by pod. What it finds is therefore true, but not all there is.

mod amounts;
mod pods;

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

pub use amounts::{Amounts, shown};
pub use pods::{PodDemand, asks};

use crate::{
    api::Labels,
    set::{
        lint::{LintFinding, Rule, Severity},
        objects::Object,
    },
};

/// What has no room is not scheduled; of these every node tells how much it has.
const COUNTED: [&str; 4] = ["cpu", "memory", "ephemeral-storage", "pods"];

/// A node that takes pods.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Its taints, as written.
    pub taints: Vec<Value>,
    /// What it has for pods.
    pub allocatable: Amounts,
}

/// A pod that runs already.
#[derive(Clone, Debug, Default)]
pub struct Running {
    /// Its node.
    pub node: String,
    /// Namespace, kind and name of what made it.
    pub owner: Option<(String, String, String)>,
    /// Whether it ends by itself.
    pub passes: bool,
    /// What it asks for.
    pub asks: Amounts,
}

/// Nodes and what runs on them.
#[derive(Clone, Debug, Default)]
pub struct Room {
    /// The nodes that take pods.
    pub nodes: Vec<Node>,
    /// The pods that they run.
    pub running: Vec<Running>,
    /// Whether something adds nodes when pods need them.
    pub grows: bool,
}

/// Pods that fit no node, and a sum that the nodes have no room for.
///
/// With `wait` the first refuses the deployment: it could only end at its time limit.
pub fn check(objects: &[Object], room: &Room, wait: bool) -> Vec<LintFinding> {
    let wanted: Vec<(&Object, PodDemand)> = objects
        .iter()
        .filter_map(|object| Some((object, PodDemand::of(object)?)))
        .collect();
    if wanted.is_empty() || room.nodes.is_empty() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut others = Vec::new();
    for (object, pods) in wanted {
        match misfit(object, &pods, room, wait) {
            // It is told by itself, and would drown the others in the sum.
            Some(finding) => findings.push(finding),
            None => others.push((object, pods)),
        }
    }
    findings.extend(sums(&others, room));
    findings
}

/// Indices of the nodes that a pod may go to.
fn places(pods: &PodDemand, room: &Room) -> Vec<usize> {
    let nodes = room.nodes.iter().enumerate();
    nodes
        .filter(|(_, node)| pods.may_go_to(&node.labels, &node.taints))
        .map(|(at, _)| at)
        .collect()
}

fn misfit(object: &Object, pods: &PodDemand, room: &Room, wait: bool) -> Option<LintFinding> {
    // A DaemonSet makes pods only where they may go.
    if pods.copies.is_none_or(|copies| copies < 1) {
        return None;
    }
    let unsure = if room.grows {
        Severity::Warning
    } else {
        Severity::Problem
    };
    let places = places(pods, room);
    if places.is_empty() {
        return Some(LintFinding {
            rule: Rule::Room,
            severity: unsure,
            object: object.id.to_string(),
            message: format!(
                "{}: its pod may go to no node: its nodeSelector or a taint keeps it off",
                object.id
            ),
            remedy: "label or untaint a node, or change the pod's nodeSelector and tolerations"
                .to_owned(),
        });
    }
    let most = |resource: &str| {
        let each = places.iter();
        each.map(|at| room.nodes[*at].allocatable.get(resource))
            .max()
            .unwrap_or_default()
    };
    let (resource, amount) = pods
        .asks
        .0
        .iter()
        .find(|(resource, amount)| **amount > most(resource))?;
    let own = COUNTED.contains(&resource.as_str()) && most(resource) > 0;
    let (offer, remedy) = match most(resource) {
        0 => (
            "no node offers any".to_owned(),
            "add a node that has it, or the device plugin that offers it; or ask for less",
        ),
        amount => (
            format!("no node has more than {}", shown(resource, amount)),
            "take larger nodes (a larger instance-types), or ask for less",
        ),
    };
    Some(LintFinding {
        rule: Rule::Room,
        // Something of the set may still offer a resource that is not the nodes' own.
        severity: if wait && own && !room.grows {
            Severity::Fatal
        } else {
            unsure
        },
        object: object.id.to_string(),
        message: format!(
            "{}: its pod asks for {}, and {offer}",
            object.id,
            shown(resource, *amount)
        ),
        remedy: remedy.to_owned(),
    })
}

fn sums(wanted: &[(&Object, PodDemand)], room: &Room) -> Vec<LintFinding> {
    let mut open = BTreeSet::new();
    let (mut staying, mut all, mut copies) = (Amounts::default(), Amounts::default(), 0);
    for (_, pods) in wanted {
        let places = places(pods, room);
        let times = match pods.copies {
            Some(_) if places.is_empty() => 0,
            Some(copies) => copies,
            None => i128::try_from(places.len()).unwrap_or_default(),
        };
        open.extend(places);
        copies += times;
        all.add(&pods.asks, times);
        if pods.stay {
            staying.add(&pods.asks, times);
        }
    }
    let (has, used, passing) = taken(wanted, room, &open);
    let mut findings = Vec::new();
    for resource in COUNTED {
        let free = has.get(resource) - used.get(resource);
        let (stays, most) = (staying.get(resource), all.get(resource));
        let later = most + passing.get(resource);
        if has.get(resource) == 0 || later <= free {
            continue;
        }
        let sure = stays > free && !room.grows;
        let asked = if stays > free { stays } else { later };
        findings.push(LintFinding {
            rule: Rule::Room,
            severity: if sure {
                Severity::Problem
            } else {
                Severity::Warning
            },
            object: String::new(),
            message: format!(
                "the set asks for {} in {} and {} {} left of {}{}; most is asked for by {}",
                shown(resource, asked),
                if copies == 1 {
                    "1 pod,".to_owned()
                } else {
                    format!("{copies} pods,")
                },
                nodes_have(open.len()),
                shown(resource, free.max(0)),
                shown(resource, has.get(resource)),
                if sure {
                    ""
                } else {
                    " while all of it runs at once"
                },
                largest(wanted, resource)
            ),
            remedy: "take larger or more nodes (instance-types, workers), or ask for less"
                .to_owned(),
        });
    }
    findings
}

/// What the nodes have, what of it is in use for good, and what only for a while. What the set made earlier does not
/// count: it is in the set's own sum.
fn taken(
    wanted: &[(&Object, PodDemand)],
    room: &Room,
    open: &BTreeSet<usize>,
) -> (Amounts, Amounts, Amounts) {
    let (mut has, mut used, mut passing) =
        (Amounts::default(), Amounts::default(), Amounts::default());
    for at in open {
        has.add(&room.nodes[*at].allocatable, 1);
    }
    let names: HashSet<&str> = open
        .iter()
        .map(|at| room.nodes[*at].name.as_str())
        .collect();
    let own: HashSet<(&str, &str, &str)> = wanted
        .iter()
        .map(|(object, _)| {
            let namespace = object.id.namespace.as_deref().unwrap_or_default();
            (namespace, object.id.kind.as_str(), object.id.name.as_str())
        })
        .collect();
    for pod in room
        .running
        .iter()
        .filter(|pod| names.contains(pod.node.as_str()))
    {
        let owner = pod.owner.as_ref();
        let is_own = owner.is_some_and(|(namespace, kind, name)| {
            own.contains(&(namespace.as_str(), kind.as_str(), name.as_str()))
        });
        if is_own {
            continue;
        }
        if pod.passes {
            passing.add(&pod.asks, 1);
        } else {
            used.add(&pod.asks, 1);
        }
    }
    (has, used, passing)
}

/// The three that ask for most, each with all its pods.
fn largest(wanted: &[(&Object, PodDemand)], resource: &str) -> String {
    let by_amount: BTreeSet<(i128, String)> = wanted
        .iter()
        .map(|(object, pods)| {
            let amount = pods.asks.get(resource) * pods.copies.unwrap_or(1);
            (amount, object.id.to_string())
        })
        .collect();
    let first = by_amount.into_iter().rev().take(3);
    let said: Vec<String> = first
        .map(|(amount, id)| format!("{id} ({})", shown(resource, amount)))
        .collect();
    said.join(", ")
}

fn nodes_have(count: usize) -> String {
    if count == 1 {
        "1 node has".to_owned()
    } else {
        format!("{count} nodes have")
    }
}

#[cfg(test)]
mod tests;
