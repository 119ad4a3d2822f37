//! What the rules have to know of the cluster: its Services, its nodes, what runs on them.
//!
//! Given as the server has it; what could not be seen is named, and its rules are left out: a lint is no reason to fail.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use crate::{
    api::{labels, list, string},
    set::{
        images::Reference,
        lint::room::{Amounts, Node, Room, Running, asks},
    },
};

/// What was seen of the cluster.
#[derive(Clone, Debug, Default)]
pub struct ClusterFacts {
    /// Version of the server, as `v1.35.4`.
    pub version: String,
    /// Of the Services that were asked for, those that are there, by namespace and name; none where it could not be told.
    pub services: Option<BTreeSet<(String, String)>>,
    /// The nodes and what they run.
    pub room: Room,
    /// The images that every node has.
    pub images: Vec<Reference>,
    /// What could not be seen, and why.
    pub unseen: Vec<String>,
}

impl ClusterFacts {
    /// Takes the nodes and pods as the server has them; without either there is no room to be judged.
    pub fn of(version: &str, nodes: Option<&[Value]>, pods: Option<&[Value]>) -> Self {
        let mut cluster = Self {
            version: version.to_owned(),
            images: nodes.map(images).unwrap_or_default(),
            ..Self::default()
        };
        if let (Some(nodes), Some(pods)) = (nodes, pods) {
            cluster.room.nodes = nodes.iter().filter_map(node).collect();
            cluster.room.running = pods.iter().map(pod).collect();
        }
        cluster
    }
}

/// A node, unless it is closed to new pods.
fn node(value: &Value) -> Option<Node> {
    (value["spec"]["unschedulable"] != true).then(|| Node {
        name: string(&value["metadata"]["name"]).unwrap_or_default(),
        labels: labels(&value["metadata"]["labels"]),
        taints: list(&value["spec"]["taints"]).cloned().collect(),
        allocatable: Amounts::of(&value["status"]["allocatable"]),
    })
}

fn pod(value: &Value) -> Running {
    let metadata = &value["metadata"];
    let owner = list(&metadata["ownerReferences"]).find(|owner| owner["controller"] == true);
    let owner = owner.and_then(|owner| {
        let (kind, name) = (string(&owner["kind"])?, string(&owner["name"])?);
        // A Deployment's pods belong to a ReplicaSet that is called by it and the hash of the template.
        let hash = metadata["labels"]["pod-template-hash"].as_str();
        let deployment = hash
            .filter(|_| kind == "ReplicaSet")
            .and_then(|hash| name.strip_suffix(hash)?.strip_suffix('-'));
        Some(match deployment {
            Some(deployment) => ("Deployment".to_owned(), deployment.to_owned()),
            None => (kind, name),
        })
    });
    let own = string(&metadata["name"]).map(|name| ("Pod".to_owned(), name));
    let namespace = string(&metadata["namespace"]).unwrap_or_default();
    Running {
        node: string(&value["spec"]["nodeName"]).unwrap_or_default(),
        passes: metadata.get("deletionTimestamp").is_some()
            || owner.as_ref().is_some_and(|(kind, _)| kind == "Job")
            || matches!(
                value["spec"]["restartPolicy"].as_str(),
                Some("Never" | "OnFailure")
            ),
        owner: owner.or(own).map(|(kind, name)| (namespace, kind, name)),
        asks: asks(&value["spec"]),
    }
}

/// The images that each of the nodes has, by every name that it gives them.
fn images(nodes: &[Value]) -> Vec<Reference> {
    let of = |node: &Value| -> HashSet<Reference> {
        let names = list(&node["status"]["images"]).flat_map(|image| list(&image["names"]));
        names
            .filter_map(|name| Reference::parse(name.as_str()?))
            .collect()
    };
    let each = nodes.iter().map(of);
    each.reduce(|all, one| &all & &one)
        .map(Vec::from_iter)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_is_known_by_what_made_it() {
        let of = |kind: &str, name: &str, labels: Value| {
            pod(
                &json!({"metadata": {"namespace": "n", "name": "p", "labels": labels,
                "ownerReferences": [{"kind": kind, "name": name, "controller": true}]}, "spec": {"nodeName": "m"}}),
            )
        };
        let owner =
            |kind: &str, name: &str| Some(("n".to_owned(), kind.to_owned(), name.to_owned()));
        let replica = of("ReplicaSet", "a-b-6d5", json!({"pod-template-hash": "6d5"}));
        assert_eq!(
            (replica.owner, replica.passes),
            (owner("Deployment", "a-b"), false)
        );
        let job = of("Job", "j", json!({}));
        assert_eq!((job.owner, job.passes), (owner("Job", "j"), true));
        let bare = pod(
            &json!({"metadata": {"namespace": "n", "name": "p"}, "spec": {"restartPolicy": "Never"}}),
        );
        assert_eq!((bare.owner, bare.passes), (owner("Pod", "p"), true));
    }

    #[test]
    fn an_image_counts_where_every_node_has_it() {
        let node = |names: &[&str]| json!({"status": {"images": [{"names": names}]}});
        let nodes = [
            node(&["docker.io/library/a:1", "docker.io/library/b:1"]),
            node(&["docker.io/library/b:1", "quay.io/c:1"]),
        ];
        assert_eq!(images(&nodes), [Reference::parse("b:1").unwrap()]);
        assert_eq!(images(&[]), []);
    }
}
