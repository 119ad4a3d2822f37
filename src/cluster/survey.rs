//! One look at what a set would meet: nodes, pods, Services.
//!
//! Reads only. What may not be read, or does not come in time, is named: nothing fails for it.

use std::{collections::BTreeSet, time::Duration};

use futures::{StreamExt as _, stream};
use http::Request;
use kube::Client;
use serde_json::Value;

use crate::{api::string, limits::humane, report::one_line};

/// The whole look takes no longer; a cluster of thousands of pods is not waited for.
const PATIENCE: Duration = Duration::from_secs(15);
/// Pods in one answer.
const PAGE: usize = 500;
/// Services asked for at once.
const AT_ONCE: usize = 8;

/// What was seen of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// The nodes, where they could be seen.
    pub nodes: Option<Vec<Value>>,
    /// Every pod that takes room, where they could be seen.
    pub pods: Option<Vec<Value>>,
    /// Whether something adds nodes when pods find no room.
    pub grows: bool,
    /// Of the Services that were asked for, those that are there: namespace and name.
    pub services: BTreeSet<(String, String)>,
    /// What could not be seen, and why.
    pub unseen: Vec<String>,
}

/// Looks at the cluster; `services` are those that the set calls and does not have.
pub async fn look(client: &Client, services: BTreeSet<(String, String)>) -> Survey {
    let (nodes, running, grows, services) = tokio::join!(
        within("the nodes", items(client, "/api/v1/nodes?")),
        within("the pods", items(client, RUNNING)),
        within("whether nodes are added", grows(client)),
        within("the Services of webhooks", there(client, services)),
    );
    let mut survey = Survey {
        // Then they may: an error is no proof that none come.
        grows: grows.unwrap_or(true),
        ..Survey::default()
    };
    let mut seen = |looked: Result<Vec<Value>, String>| match looked {
        Ok(values) => Some(values),
        Err(reason) => {
            survey.unseen.push(reason);
            None
        }
    };
    let (nodes, pods) = (seen(nodes), seen(running));
    (survey.nodes, survey.pods) = (nodes, pods);
    match services {
        Ok(services) => survey.services = services,
        Err(reason) => survey.unseen.push(reason),
    }
    survey
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
