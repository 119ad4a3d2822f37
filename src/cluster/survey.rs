//! One look at what a set would meet: nodes, pods, Services.
//!
//! Reads only. What may not be read, or does not come in time, is named: nothing fails for it.

use std::{collections::BTreeSet, time::Duration};

use futures::{StreamExt as _, stream};
use kube::Client;
use serde_json::Value;

use crate::{
    cluster::{
        live::{Extent, get, pages},
        request::Refusal,
    },
    limits::humane,
};

/// The whole look takes no longer; a cluster of thousands of pods is not waited for.
const PATIENCE: Duration = Duration::from_secs(15);
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
    /// Of the Services that were asked for, those that are there, by namespace and name; none where it could not be told.
    pub services: Option<BTreeSet<(String, String)>>,
    /// What could not be seen, and why.
    pub unseen: Vec<String>,
}

/// Looks at the cluster; `services` are those that the set calls and does not have.
pub async fn look(client: &Client, services: BTreeSet<(String, String)>) -> Survey {
    let (nodes, running, grows, services) = tokio::join!(
        within(
            "the nodes",
            pages(client, "/api/v1/nodes", "", Extent::Whole)
        ),
        within(
            "the pods",
            pages(client, "/api/v1/pods", RUNNING, Extent::Whole)
        ),
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
        Ok(services) => survey.services = Some(services),
        Err(reason) => survey.unseen.push(reason),
    }
    survey
}

async fn within<T>(
    what: &str,
    look: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(Ok(seen)) => Ok(seen),
        Ok(Err(refusal)) => Err(format!("{what}: {}", refusal.message)),
        Err(_) => Err(format!("{what}: no answer within {}", humane(PATIENCE))),
    }
}

/// Of all pods those that take room.
const RUNNING: &str =
    "&fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed%2Cspec.nodeName%21%3D";

/// Which of the Services are there.
async fn there(
    client: &Client,
    services: BTreeSet<(String, String)>,
) -> Result<BTreeSet<(String, String)>, Refusal> {
    let ask = async |(namespace, name): (String, String)| {
        let path = format!("/api/v1/namespaces/{namespace}/services/{name}");
        let service = get(client, &path, Extent::Metadata).await?;
        Ok(service.map(|_| (namespace, name)))
    };
    let answers: Vec<Result<Option<(String, String)>, Refusal>> = stream::iter(services)
        .map(ask)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    answers.into_iter().filter_map(Result::transpose).collect()
}

/// Whether something adds nodes when pods find no room: Karpenter (EKS's own among it) or the cluster autoscaler.
async fn grows(client: &Client) -> Result<bool, Refusal> {
    let status = "/api/v1/namespaces/kube-system/configmaps/cluster-autoscaler-status";
    let (karpenter, autoscaler) = tokio::try_join!(
        get(client, "/apis/karpenter.sh", Extent::Whole),
        get(client, status, Extent::Metadata)
    )?;
    Ok(karpenter.is_some() || autoscaler.is_some())
}
