//! What the server serves, and which namespaces it has.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, api::ListParams, core::discovery::v2::APIGroupDiscoveryList};

use crate::{
    api::{Labels, Resource},
    cluster::request::innermost,
    limits::{Deadline, Limit},
    report::{Exit, Explain, one_line},
    wait::{self, Every, Status, WaitError},
};

/// An answer comes within so long, or it is asked for again.
const ANSWER: Duration = Duration::from_secs(35);
/// A server in trouble is given up after so many seconds.
const PATIENCE: u64 = 120;

/// What a server has before anything is applied.
#[derive(Clone, Debug, Default)]
pub struct Discovered {
    /// Every kind that it serves, in each version, the preferred one first.
    pub resources: Vec<Resource>,
    /// Its namespaces with their labels.
    pub namespaces: BTreeMap<String, Labels>,
}

/// The server does not say what it serves.
#[derive(Debug, thiserror::Error)]
#[error("cannot ask the cluster what it serves: {0}")]
pub struct DiscoverError(String);

impl Explain for DiscoverError {
    fn exit(&self) -> Exit {
        Exit::Infrastructure
    }

    fn hint(&self) -> Option<String> {
        Some("is the cluster still up?".to_owned())
    }
}

/// What the server serves and has. One in trouble for a while is asked again.
///
/// # Errors
/// [`DiscoverError`] with what it said, or what the last request met.
pub async fn discover(client: &Client) -> Result<Discovered, DiscoverError> {
    wait::until(
        "what the cluster serves",
        Deadline::after(Limit::secs(PATIENCE)),
        Every::secs(1),
        || async {
            let both = async { tokio::try_join!(resources(client), namespaces(client)) };
            match tokio::time::timeout(ANSWER, both).await {
                Ok(Ok((resources, namespaces))) => Ok(Status::Ready(Discovered {
                    resources,
                    namespaces,
                })),
                Ok(Err(kube::Error::Api(status)))
                    if (400..500).contains(&status.code) && !matches!(status.code, 408 | 429) =>
                {
                    Err(one_line(&status.message))
                }
                Ok(Err(error)) => Ok(Status::NotYet(one_line(&innermost(&error)))),
                Err(_) => Ok(Status::NotYet(format!(
                    "no answer within {} s",
                    ANSWER.as_secs()
                ))),
            }
        },
    )
    .await
    .map_err(|error| match error {
        WaitError::TimedOut { last: reason, .. } | WaitError::Failed(reason) => {
            DiscoverError(reason)
        }
    })
}

async fn resources(client: &Client) -> kube::Result<Vec<Resource>> {
    let (core, groups) = tokio::try_join!(
        client.list_core_api_versions_aggregated(),
        client.list_api_groups_aggregated()
    )?;
    let mut resources = Vec::new();
    add(&mut resources, core);
    add(&mut resources, groups);
    Ok(resources)
}

fn add(resources: &mut Vec<Resource>, list: APIGroupDiscoveryList) {
    for group in list.items {
        let name = group
            .metadata
            .and_then(|metadata| metadata.name)
            .unwrap_or_default();
        for version in group.versions {
            for resource in version.resources {
                let kind = resource.response_kind.and_then(|kind| kind.kind);
                let (Some(kind), Some(plural)) = (kind, resource.resource) else {
                    continue;
                };
                resources.push(Resource {
                    group: name.clone(),
                    version: version.version.clone().unwrap_or_default(),
                    kind,
                    plural,
                    namespaced: resource.scope.as_deref() == Some("Namespaced"),
                });
            }
        }
    }
}

async fn namespaces(client: &Client) -> kube::Result<BTreeMap<String, Labels>> {
    let api: Api<Namespace> = Api::all(client.clone());
    let list = api.list_metadata(&ListParams::default()).await?;
    let namespaces = list.items.into_iter().filter_map(|namespace| {
        let metadata = namespace.metadata;
        Some((metadata.name?, metadata.labels.unwrap_or_default()))
    });
    Ok(namespaces.collect())
}
