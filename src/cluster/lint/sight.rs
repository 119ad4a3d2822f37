//! What the rules have to know of the cluster: its Services, its nodes, what runs on them.
//!
//! Reads only. What may not be read, or does not come in time, is named, and its rules are left out: a lint is no reason
//! to fail.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use http::Request;
use kube::Client;
use serde_json::Value;

use crate::{
    cluster::{
        facts::{labels, list, string},
        images::Reference,
        lint::room::{Amounts, Node, Room, Running, asks},
    },
    limits::humane,
    report::one_line,
};

/// The whole look takes no longer; a cluster of thousands of pods is not waited for.
const PATIENCE: Duration = Duration::from_secs(15);
/// Pods in one answer.
const PAGE: usize = 500;
/// Services asked for at once.
const AT_ONCE: usize = 8;

/// What was seen of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// Version of the server, as `v1.35.4`.
    pub version: String,
    /// Of the Services that were asked for, those that are there: namespace and name.
    pub services: BTreeSet<(String, String)>,
    /// The nodes and what they run.
    pub room: Room,
    /// The images that every node has.
    pub images: Vec<Reference>,
    /// What could not be seen, and why.
    pub unseen: Vec<String>,
}

/// Looks at the cluster; `services` are those that the set calls and does not have.
pub async fn look(client: &Client, version: &str, services: BTreeSet<(String, String)>) -> Sight {
    let (nodes, running, grows, services) = tokio::join!(
        within("the nodes", items(client, "/api/v1/nodes?")),
        within("the pods", items(client, RUNNING)),
        within("whether nodes are added", grows(client)),
        within("the Services of webhooks", there(client, services)),
    );
    let mut sight = Sight {
        version: version.to_owned(),
        ..Sight::default()
    };
    match (nodes, running) {
        (Ok(nodes), Ok(running)) => {
            sight.images = images(&nodes);
            sight.room.nodes = nodes.iter().filter_map(node).collect();
            sight.room.running = running.iter().map(pod).collect();
        }
        (nodes, running) => {
            sight.images = nodes.as_deref().map(images).unwrap_or_default();
            sight
                .unseen
                .extend(nodes.err().into_iter().chain(running.err()));
        }
    }
    match grows {
        Ok(grows) => sight.room.grows = grows,
        // Then they may: an error is no proof that none come.
        Err(_) => sight.room.grows = true,
    }
    match services {
        Ok(services) => sight.services = services,
        Err(reason) => sight.unseen.push(reason),
    }
    sight
}

async fn within<T>(what: &str, look: impl Future<Output = kube::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(Ok(seen)) => Ok(seen),
        Ok(Err(error)) => Err(format!("{what}: {}", one_line(&error.to_string()))),
        Err(_) => Err(format!("{what}: no answer within {}", humane(PATIENCE))),
    }
}

/// Every pod that takes room.
const RUNNING: &str = "/api/v1/pods?fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed%2Cspec.nodeName%21%3D&";

async fn get(client: &Client, path: &str) -> kube::Result<Value> {
    let request = Request::get(path).body(Vec::new());
    client
        .request(request.map_err(kube::Error::HttpError)?)
        .await
}

/// What is there under a path; none where nothing is.
async fn found(client: &Client, path: &str) -> kube::Result<Option<Value>> {
    match get(client, path).await {
        Ok(value) => Ok(Some(value)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(error),
    }
}

async fn items(client: &Client, path: &str) -> kube::Result<Vec<Value>> {
    let mut all = Vec::new();
    let mut rest = String::new();
    loop {
        let mut page = get(client, &format!("{path}limit={PAGE}{rest}")).await?;
        if let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) {
            all.extend(items);
        }
        let Some(token) = string(&page["metadata"]["continue"]) else {
            return Ok(all);
        };
        let token: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
        rest = format!("&continue={token}");
    }
}

/// Which of the Services are there.
async fn there(
    client: &Client,
    services: BTreeSet<(String, String)>,
) -> kube::Result<BTreeSet<(String, String)>> {
    let ask = async |(namespace, name): (String, String)| {
        let path = format!("/api/v1/namespaces/{namespace}/services/{name}");
        let service = found(client, &path).await?;
        kube::Result::Ok(service.map(|_| (namespace, name)))
    };
    let answers: Vec<kube::Result<Option<(String, String)>>> = stream::iter(services)
        .map(ask)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    answers.into_iter().filter_map(Result::transpose).collect()
}

/// Whether something adds nodes when pods find no room: Karpenter (EKS's own among it) or the cluster autoscaler.
async fn grows(client: &Client) -> kube::Result<bool> {
    let status = "/api/v1/namespaces/kube-system/configmaps/cluster-autoscaler-status";
    let (karpenter, autoscaler) =
        tokio::try_join!(found(client, "/apis/karpenter.sh"), found(client, status))?;
    Ok(karpenter.is_some() || autoscaler.is_some())
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
