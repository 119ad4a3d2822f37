//! What the server serves, and which namespaces it has.
//!
//! A server behind an aggregated API may be down: its kinds are then unknown, not absent, and its group is named.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use kube::Client;
use serde_json::{Value, json};

use crate::{
    api::{Labels, Resource, labels, list, string},
    cluster::{
        errors::Class,
        live::{self, Extent},
        request::Refusal,
    },
    limits::{Deadline, Limit},
    report::{Exit, Explain},
    wait::{self, Every, Status, WaitError},
};

/// The accepted forms of a discovery document: newest first; servers before 1.30 know the second.
pub const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
/// A server in trouble is given up after so many seconds.
const PATIENCE: u64 = 120;
/// How long an aggregated API that the set needs may be down.
const STALE_PATIENCE: Duration = Duration::from_mins(1);

/// What a server has before anything is applied.
#[derive(Clone, Debug, Default)]
pub struct Discovered {
    /// Every kind that it serves, in each version, the preferred one first.
    pub resources: Vec<Resource>,
    /// Groups of which the kinds are unknown: the server behind them does not answer.
    pub stale: BTreeSet<String>,
    /// Its namespaces with their labels.
    pub namespaces: BTreeMap<String, Labels>,
}

impl Discovered {
    /// The first of these kinds, by group and kind, of which it cannot be told whether it is served.
    fn unknown<'a>(&self, needed: &'a BTreeSet<(String, String)>) -> Option<&'a (String, String)> {
        needed.iter().find(|(group, kind)| {
            let serves = |it: &Resource| it.group == *group && it.kind == *kind;
            self.stale.contains(group) && !self.resources.iter().any(serves)
        })
    }
}

/// The server does not say what it serves.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// It does not answer, or refuses.
    #[error("cannot ask the cluster what it serves: {0}")]
    Server(String),
    /// The server behind an aggregated API does not answer.
    #[error(
        "cannot tell whether the cluster serves {kind} of {group}: the server behind that API does not answer"
    )]
    Stale {
        /// The kind that the set has.
        kind: String,
        /// Its API group.
        group: String,
    },
}

impl Explain for DiscoverError {
    fn exit(&self) -> Exit {
        Exit::Infrastructure
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Server(_) => "is the cluster still up?".to_owned(),
            Self::Stale { group, .. } => {
                format!("`kubectl get apiservices` tells why {group} is not available")
            }
        })
    }
}

/// What the server serves, and which namespaces it has. Where the account may not list namespaces, those in `within` are
/// looked at one by one. A server in trouble is asked again for a while; so is one that cannot tell whether it
/// serves a kind that is `needed` (group and kind), since the server behind its group is down.
///
/// # Errors
/// [`DiscoverError`].
pub async fn discover(
    client: &Client,
    needed: &BTreeSet<(String, String)>,
    within: &BTreeSet<String>,
) -> Result<Discovered, DiscoverError> {
    let deadline = Deadline::after(Limit::secs(PATIENCE));
    let stale = deadline.within(STALE_PATIENCE);
    let look = || async {
        match ask(client, within).await {
            Ok(discovered) => match discovered.unknown(needed) {
                Some((group, kind)) if stale.passed() => Err(DiscoverError::Stale {
                    kind: kind.clone(),
                    group: group.clone(),
                }),
                Some((group, _)) => Ok(Status::NotYet(format!(
                    "the server behind {group} does not answer"
                ))),
                None => Ok(Status::Ready(discovered)),
            },
            Err(refusal) if refusal.class == Class::Transient => {
                Ok(Status::NotYet(refusal.message))
            }
            Err(refusal) => Err(DiscoverError::Server(refusal.message)),
        }
    };
    wait::until("what the cluster serves", deadline, Every::secs(1), look)
        .await
        .map_err(|error| match error {
            WaitError::TimedOut { last, .. } => DiscoverError::Server(last),
            WaitError::Failed(error) => error,
        })
}

async fn ask(client: &Client, within: &BTreeSet<String>) -> Result<Discovered, Refusal> {
    let (core, groups, namespaces) = tokio::try_join!(
        live::document(client, "/api", AGGREGATED),
        live::document(client, "/apis", AGGREGATED),
        namespaces(client, within),
    )?;
    let mut discovered = Discovered::default();
    for document in [core, groups] {
        let (kinds, stale) = kinds(&document);
        discovered
            .resources
            .extend(kinds.into_iter().map(|kind| kind.resource));
        let group = |version: &String| version.split_once('/').map(|(group, _)| group.to_owned());
        discovered.stale.extend(stale.iter().filter_map(group));
    }
    let namespaces = namespaces.iter().filter_map(|namespace| {
        let metadata = &namespace["metadata"];
        // One that is being deleted takes all along that is sent into it.
        if !metadata["deletionTimestamp"].is_null() {
            return None;
        }
        Some((string(&metadata["name"])?, labels(&metadata["labels"])))
    });
    discovered.namespaces = namespaces.collect();
    Ok(discovered)
}

/// All namespaces; where they may not be listed, those of these names. One that may not even be looked at is taken to be
/// there: the server says when it is sent something.
async fn namespaces(client: &Client, within: &BTreeSet<String>) -> Result<Vec<Value>, Refusal> {
    const ALL: &str = "/api/v1/namespaces";
    let refusal = match live::pages(client, ALL, "", Extent::Metadata).await {
        Err(refusal) if refusal.class == Class::Forbidden => refusal,
        listed => return listed,
    };
    tracing::warn!("namespaces are looked at one by one: {}", refusal.message);
    let mut found = Vec::new();
    for name in within {
        match live::get(client, &format!("{ALL}/{name}"), Extent::Metadata).await {
            Ok(namespace) => found.extend(namespace),
            Err(refusal) if refusal.class == Class::Forbidden => {
                found.push(json!({"metadata": {"name": name}}));
            }
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(found)
}

/// A kind as a discovery document has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedKind {
    /// Where it is served.
    pub resource: Resource,
    /// Whether its objects can be listed.
    pub listable: bool,
}

/// The kinds of a discovery document, the preferred version of each first, and the versions of groups, as `group/version`,
/// whose server does not answer: what is there of them is what it said last.
pub fn kinds(document: &Value) -> (Vec<ServedKind>, Vec<String>) {
    let (mut kinds, mut stale) = (Vec::new(), Vec::new());
    for group in list(&document["items"]) {
        let name = string(&group["metadata"]["name"]).unwrap_or_default();
        for version in list(&group["versions"]) {
            let number = string(&version["version"]).unwrap_or_default();
            if version["freshness"] == "Stale" {
                stale.push(format!("{name}/{number}"));
            }
            for resource in list(&version["resources"]) {
                let kind = string(&resource["responseKind"]["kind"]);
                let (Some(kind), Some(plural)) = (kind, string(&resource["resource"])) else {
                    continue;
                };
                kinds.push(ServedKind {
                    resource: Resource {
                        group: name.clone(),
                        version: number.clone(),
                        kind,
                        plural,
                        namespaced: resource["scope"] == "Namespaced",
                    },
                    listable: list(&resource["verbs"]).any(|verb| verb == "list"),
                });
            }
        }
    }
    (kinds, stale)
}

#[cfg(test)]
mod tests;
