//! What is to be done, derived before anything is written.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use kube::Client;

use crate::{
    cluster::{
        apply::{self, innermost},
        deploy::{DeployError, verdict::LOST},
        draft::Draft,
        errors::Given,
        facts::Facts,
        lint::{LintError, Severity},
        objects::{Object, ObjectId},
        order::{Existing, Graph, is_own},
        served::Served,
    },
    limits::{Deadline, Limit},
    report::one_line,
    wait::{self, Every, Status, WaitError},
};

/// An answer comes within so long, or it is asked for again.
const ANSWER: Duration = Duration::from_secs(35);

/// What is to be done, derived before anything is written.
#[derive(Debug)]
pub struct Plan {
    /// The objects, where they belong.
    pub objects: Vec<Object>,
    /// In which order.
    pub graph: Graph,
    /// Every kind that is or will be served.
    pub served: Served,
    /// Whether something of the set may make further objects: a workload, or what a controller looks after.
    pub makes_more: bool,
    pub(super) paths: Vec<String>,
    pub(super) given: Vec<Arc<Given>>,
}

impl Plan {
    /// Takes a set in the order of `graph`, unless the lint refuses it. Nothing is written.
    ///
    /// # Errors
    /// [`DeployError::Lint`] with all findings.
    pub fn of(draft: Draft, graph: Graph) -> Result<Self, DeployError> {
        LintError::refuse(draft.findings, Severity::Fatal).map_err(DeployError::Lint)?;
        let (objects, facts, served) = (draft.objects, draft.facts, draft.served);
        for (at, need) in &graph.dropped {
            tracing::debug!(
                "a circle is broken: {} does not wait for {}",
                objects[*at].id,
                objects[need.on].id
            );
        }
        let (paths, given) = addresses(&objects, &facts, &served);
        let is_custom = |object: &Object| !is_own(&object.id.group);
        let makes_more =
            facts.iter().any(|facts| facts.pod.is_some()) || objects.iter().any(is_custom);
        Ok(Self {
            objects,
            graph,
            served,
            makes_more,
            paths,
            given,
        })
    }
}

impl Plan {
    /// The path of an object, and what of the set decides on its refusals.
    pub fn address(&self, at: usize) -> (&str, &Given) {
        (&self.paths[at], &self.given[at])
    }

    /// Who each object is.
    pub fn ids(&self) -> impl Iterator<Item = &ObjectId> {
        self.objects.iter().map(|object| &object.id)
    }

    /// Each object with the digest of its content.
    pub fn contents(&self) -> Vec<(ObjectId, String)> {
        let content = |it: &Object| (it.id.clone(), apply::digest(it.body()));
        self.objects.iter().map(content).collect()
    }
}

fn addresses(
    objects: &[Object],
    facts: &[Facts],
    served: &Served,
) -> (Vec<String>, Vec<Arc<Given>>) {
    let services = objects.iter().filter(|object| object.id.is("", "Service"));
    let outer = Given {
        services: services
            .map(|object| {
                let namespace = object.id.namespace.clone().unwrap_or_default();
                (namespace, object.id.name.clone())
            })
            .collect(),
        defines_kind: false,
    };
    let inner = Arc::new(Given {
        defines_kind: true,
        ..outer.clone()
    });
    let outer = Arc::new(outer);
    let defined: BTreeSet<(&str, &str)> = facts
        .iter()
        .filter_map(|facts| facts.definition.as_ref())
        .map(|it| (it.group.as_str(), it.kind.as_str()))
        .collect();
    let each = |object: &Object| {
        let id = &object.id;
        let resource = served.of(object).expect("the lint refuses all others");
        let path = resource.path(id.namespace.as_deref(), Some(&id.name));
        let is_defined = defined.contains(&(id.group.as_str(), id.kind.as_str()));
        (path, if is_defined { &inner } else { &outer }.clone())
    };
    objects.iter().map(each).unzip()
}

/// What the server serves and has. One in trouble for a while is asked again.
pub(in crate::cluster) async fn ask(client: &Client) -> Result<(Served, Existing), DeployError> {
    wait::until(
        "what the cluster serves",
        Deadline::after(Limit::secs(LOST.as_secs())),
        Every::secs(1),
        || async {
            let both = async { tokio::try_join!(Served::discover(client), existing(client)) };
            match tokio::time::timeout(ANSWER, both).await {
                Ok(Ok(both)) => Ok(Status::Ready(both)),
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
    .map_err(|error| {
        DeployError::Server(match error {
            WaitError::TimedOut { last, .. } => last,
            WaitError::Failed(reason) => reason,
        })
    })
}

async fn existing(client: &Client) -> kube::Result<Existing> {
    let api: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(client.clone());
    let list = api.list_metadata(&kube::api::ListParams::default()).await?;
    let namespaces = list.items.into_iter().filter_map(|namespace| {
        let metadata = namespace.metadata;
        // One that is being deleted takes all along that is sent into it.
        if metadata.deletion_timestamp.is_some() {
            return None;
        }
        Some((metadata.name?, metadata.labels.unwrap_or_default()))
    });
    Ok(Existing {
        namespaces: namespaces.collect(),
    })
}
