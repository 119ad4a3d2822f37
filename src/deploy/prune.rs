//! Removes what left the set, and proves it gone.
//!
//! Given what an inventory says was sent and the set no longer has. Only objects on which the server still notes fields of
//! ours are touched. What holds other things (namespaces, definitions, volumes) stays unless all is asked for; what the
//! set stands on stays in any case.

mod deletion;

use std::{cell::LazyCell, collections::BTreeMap};

use futures::{StreamExt as _, stream};
use kube::Client;
use serde_json::Value;

use crate::{
    api::{ObjectId, list},
    cluster::{
        errors::Class,
        live::{self, Extent},
        request::Refusal,
    },
    deploy::{
        Journal, Plan,
        apply::{by_uid, mark},
        inventory::{Elsewhere, Inventory, InventoryError, Sent},
    },
    limits::Deadline,
    report::{Exit, Explain},
    set::{
        facts::Facts,
        uses::{Place, named},
    },
};

use deletion::carry_out;

/// How many objects are asked for at once.
const AT_ONCE: usize = 16;

/// What is removed of that which left the set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// What holds nothing but itself.
    #[default]
    Plain,
    /// Namespaces, definitions and volumes too, with all they hold.
    All,
}

/// By these annotations an object asks other tools to leave it; it is left here too.
const KEEP: [(&str, &str); 4] = [
    ("client.lifecycle.config.k8s.io/deletion", "detach"),
    ("cli-utils.sigs.k8s.io/on-remove", "keep"),
    ("helm.sh/resource-policy", "keep"),
    ("argocd.argoproj.io/sync-options", "Prune=false"),
];

/// The namespaces of every cluster.
const OWN: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// What is to become of what left the set.
#[derive(Debug, Default)]
pub struct Pruning {
    /// To be removed.
    pub doomed: Vec<Doomed>,
    /// Left alone, and remembered: each with the reason.
    pub kept: Vec<(ObjectId, String)>,
    /// Not there any more, or not ours any more.
    pub forgotten: Vec<ObjectId>,
}

/// An object to be removed.
#[derive(Clone, Debug)]
pub struct Doomed {
    /// Who.
    pub id: ObjectId,
    path: String,
    uid: String,
}

/// Why not everything is gone.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The server cannot say what is there.
    #[error("cannot look for {object}, which left the set: {}", refusal.message)]
    Unseen {
        /// Which.
        object: Box<ObjectId>,
        /// What it said.
        refusal: Refusal,
    },
    /// The server will not remove an object.
    #[error("the cluster refused to delete {object}: {}", refusal.message)]
    Refused {
        /// Which.
        object: Box<ObjectId>,
        /// What it said.
        refusal: Refusal,
    },
    /// It was asked to go, and is still there.
    #[error("not everything that left the set is gone: {0}")]
    Remains(String),
    /// What is gone cannot be struck out.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
}

impl Explain for PruneError {
    fn exit(&self) -> Exit {
        match self {
            Self::Unseen { .. } => Exit::Infrastructure,
            Self::Refused { refusal, .. } if refusal.class == Class::Forbidden => {
                Exit::Infrastructure
            }
            Self::Refused { .. } => Exit::TestFailed,
            Self::Remains(_) => Exit::TimeLimit,
            Self::Inventory(error) => error.exit(),
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Refused { refusal, .. } if refusal.class == Class::Forbidden => {
                "`prune` needs the right to delete what the set may have: give it to the user of the kubeconfig"
            }
            Self::Unseen { .. } => "is the cluster still up?",
            Self::Inventory(error) => return error.hint(),
            Self::Refused { .. } | Self::Remains(_) => {
                "the set itself is deployed; the next run with prune goes on from here"
            }
        };
        Some(text.to_owned())
    }
}

/// Deletes what left the set as far as `reach` goes, and strikes it out of the inventory; who was deleted. Without a
/// reach it only says how much there is.
///
/// # Errors
/// [`PruneError`]; what is gone is gone, and what is not is remembered.
pub async fn prune(
    client: &Client,
    plan: &Plan,
    journal: &Journal,
    inventory: &mut Inventory,
    reach: Option<Reach>,
    deadline: Deadline,
) -> Result<Vec<String>, PruneError> {
    let left = inventory.left(plan.ids());
    let Some(reach) = reach else {
        if !left.is_empty() {
            tracing::info!(
                "{} objects of earlier deploys are not in the set; prune would delete them",
                left.len()
            );
        }
        return Ok(Vec::new());
    };
    let elsewhere = inventory.elsewhere(client, deadline).await?;
    let pruning = decide(client, plan, left, &elsewhere, reach, deadline).await?;
    for (id, reason) in &pruning.kept {
        tracing::info!("{id} left the set and stays: {reason}");
    }
    let mut gone = carry_out(client, &pruning, journal, deadline).await?;
    let pruned = gone.iter().map(ToString::to_string).collect();
    gone.extend(pruning.forgotten);
    inventory.note(client, &[], &gone, deadline).await?;
    Ok(pruned)
}

/// Looks at what left the set and decides on each, given what other inventories hold. Nothing is written.
///
/// # Errors
/// [`PruneError::Unseen`].
pub async fn decide(
    client: &Client,
    plan: &Plan,
    left: Vec<(ObjectId, Sent)>,
    elsewhere: &Elsewhere,
    reach: Reach,
    deadline: Deadline,
) -> Result<Pruning, PruneError> {
    let looks = stream::iter(left).map(|(id, sent)| async move {
        // A kind that nobody serves has no objects; one that is only not served now may have them.
        if plan.served.is_stale(&id.group) {
            return Ok((id, sent, Looked::Unknown));
        }
        let Some(resource) = plan.served.preferred(&id.group, &id.kind) else {
            return Ok((id, sent, Looked::Gone));
        };
        let path = resource.path(id.namespace.as_deref(), Some(&id.name));
        let what = id.to_string();
        let attempt = || live::get(client, &path, Extent::Metadata);
        match live::steadily(&what, deadline, attempt).await {
            Ok(Some(live)) => Ok((id, sent, Looked::There(path, live))),
            Ok(None) => Ok((id, sent, Looked::Gone)),
            Err(refusal) => Err(PruneError::Unseen {
                object: Box::new(id),
                refusal,
            }),
        }
    });
    let found: Vec<Result<_, PruneError>> = looks.buffered(AT_ONCE).collect().await;
    // Made when it is first needed: mostly nothing left the set, and this parses every object.
    let named = LazyCell::new(|| Named::by(plan));
    let mut pruning = Pruning::default();
    for found in found {
        let (id, sent, live) = found?;
        let (path, live) = match live {
            Looked::There(path, live) => (path, live),
            Looked::Gone => {
                pruning.forgotten.push(id);
                continue;
            }
            Looked::Unknown => {
                let reason = "the server behind its API does not answer, so nobody can tell whether it is there";
                pruning.kept.push((id, reason.to_owned()));
                continue;
            }
        };
        let metadata = &live["metadata"];
        let whose = whose(metadata, &sent);
        if whose == Whose::Others {
            tracing::warn!("{id} left the set, but is not ours any more: it stays");
            pruning.forgotten.push(id);
        } else if let Some(inventory) = elsewhere.get(&id) {
            tracing::info!(
                "{id} left the set, but the inventory `{inventory}` has it too: it stays"
            );
            pruning.forgotten.push(id);
        } else if whose == Whose::Unknown && reach == Reach::Plain {
            let reason = "nothing on it tells whose it is; with prune: all it goes";
            pruning.kept.push((id, reason.to_owned()));
        } else if let Some(object) = named.0.get(&key(&id)) {
            pruning
                .kept
                .push((id, format!("{object} of the set names it")));
        } else if let Some(reason) = keep(&id, metadata, plan, elsewhere, reach) {
            pruning.kept.push((id, reason));
        } else {
            let uid = metadata["uid"].as_str().unwrap_or_default().to_owned();
            pruning.doomed.push(Doomed { id, path, uid });
        }
    }
    Ok(pruning)
}

/// What the objects of the set name, and one that names it. Pods that run do not miss a Secret that goes, but the next ones do.
struct Named(BTreeMap<(Place, String), ObjectId>);

impl Named {
    fn by(plan: &Plan) -> Self {
        let names = plan.objects.iter().flat_map(|object| {
            let names = named(object, &Facts::of(object)).into_iter();
            names.map(|name| (name, object.id.clone()))
        });
        Self(names.collect())
    }
}

fn key(id: &ObjectId) -> (Place, String) {
    let place = (id.group.clone(), id.kind.clone(), id.namespace.clone());
    (place, id.name.clone())
}

/// What was found of an object that left the set.
enum Looked {
    /// It is there: its path, its metadata.
    There(String, Value),
    Gone,
    /// Its kind may be served, but not now.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Ours,
    Others,
    Unknown,
}

/// Whose an object is that was sent, or about to be sent. Of an object without fields the server notes nobody: ours is
/// the one with the unique id that it had; where the deploy died before it knew that, it cannot be told.
fn whose(metadata: &Value, sent: &Sent) -> Whose {
    if mark(metadata).is_some() || sent.mark == by_uid(metadata) {
        Whose::Ours
    } else if sent.mark.is_empty() && list(&metadata["managedFields"]).next().is_none() {
        Whose::Unknown
    } else {
        Whose::Others
    }
}

/// Why an object stays, if it does.
fn keep(
    id: &ObjectId,
    metadata: &Value,
    plan: &Plan,
    elsewhere: &Elsewhere,
    reach: Reach,
) -> Option<String> {
    let annotations = &metadata["annotations"];
    let asks = KEEP.iter().find(|(key, value)| {
        let given = annotations[*key].as_str().unwrap_or_default();
        given.split(',').any(|part| part.trim() == *value)
    });
    if let Some((key, value)) = asks {
        return Some(format!("its annotation {key}: {value} asks for that"));
    }
    if !holds(id) {
        return None;
    }
    if id.is("", "Namespace") && OWN.contains(&id.name.as_str()) {
        return Some("every cluster has it".to_owned());
    }
    let stands_on = |other: &ObjectId| match id.kind.as_str() {
        "Namespace" => other.namespace.as_deref() == Some(&id.name),
        "CustomResourceDefinition" => {
            let resource = plan.served.preferred(&other.group, &other.kind);
            resource.is_some_and(|it| it.definition() == id.name)
        }
        _ => false,
    };
    if let Some(object) = plan.objects.iter().find(|it| stands_on(&it.id)) {
        return Some(format!("{} of the set needs it", object.id));
    }
    if let Some((other, inventory)) = elsewhere.iter().find(|(it, _)| stands_on(it)) {
        return Some(format!("{other} of the inventory `{inventory}` needs it"));
    }
    (reach == Reach::Plain).then(|| "with prune: all it goes, and all it holds".to_owned())
}

/// Whether other things go with an object: what is in a namespace, the objects of a kind, the data of a volume.
pub(super) fn holds(id: &ObjectId) -> bool {
    id.is("", "Namespace")
        || id.is("apiextensions.k8s.io", "CustomResourceDefinition")
        || id.is("", "PersistentVolumeClaim")
        || id.is("", "PersistentVolume")
}

#[cfg(test)]
mod tests;
