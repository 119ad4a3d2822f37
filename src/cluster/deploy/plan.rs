//! What is to be done, derived before anything is written.

use std::{collections::BTreeSet, sync::Arc};

use kube::Client;

use crate::cluster::{
    apply,
    deploy::DeployError,
    errors::Given,
    facts::Facts,
    lint,
    objects::{self, Object},
    order::{Existing, Graph},
    served::Served,
};

/// What is to be done, derived before anything is written.
#[derive(Debug)]
pub struct Plan {
    /// The objects, where they belong.
    pub objects: Vec<Object>,
    /// In which order.
    pub graph: Graph,
    /// Every kind that is or will be served.
    pub served: Served,
    pub(super) paths: Vec<String>,
    pub(super) given: Vec<Arc<Given>>,
}

impl Plan {
    /// Reads what the server has, lints the set and derives its order. Nothing is written.
    ///
    /// # Errors
    /// [`DeployError::Lint`], [`DeployError::Server`].
    pub async fn new(
        client: &Client,
        version: &str,
        mut objects: Vec<Object>,
        legacy: bool,
    ) -> Result<Self, DeployError> {
        let (mut served, existing) = tokio::try_join!(Served::discover(client), existing(client))
            .map_err(DeployError::Server)?;
        for object in &mut objects {
            apply::prepare(object);
        }
        let facts: Vec<Facts> = objects.iter().map(Facts::of).collect();
        for definition in facts.iter().filter_map(|facts| facts.definition.as_ref()) {
            served.define(definition);
        }
        lint::check(&objects, &facts, &served, version).map_err(DeployError::Lint)?;
        lint::settle(&mut objects, &served, client.default_namespace());
        objects::distinct(&objects).map_err(DeployError::Set)?;
        let graph = if legacy {
            Graph::legacy(&objects, &facts, &existing)
        } else {
            Graph::gated(&objects, &facts, &served, &existing)
        };
        for (at, need) in &graph.dropped {
            tracing::debug!(
                "a circle is broken: {} does not wait for {}",
                objects[*at].id,
                objects[need.on].id
            );
        }
        let (paths, given) = addresses(&objects, &facts, &served);
        Ok(Self {
            objects,
            graph,
            served,
            paths,
            given,
        })
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

async fn existing(client: &Client) -> kube::Result<Existing> {
    let api: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(client.clone());
    let list = api.list_metadata(&kube::api::ListParams::default()).await?;
    let namespaces = list.items.into_iter().filter_map(|namespace| {
        let metadata = namespace.metadata;
        Some((metadata.name?, metadata.labels.unwrap_or_default()))
    });
    Ok(Existing {
        namespaces: namespaces.collect(),
    })
}
