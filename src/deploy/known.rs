//! What need not be sent: objects that were sent as they are wanted now, and that nobody has changed since.
//!
//! The inventory says what was sent and what the server then noted as ours. Whoever changes a field of ours takes it over,
//! and whoever deletes the object takes our note away: so a note that is the same proves that our fields are, whatever
//! defaults, controllers and webhooks made of the rest. Only metadata is read. What cannot be told is sent.

use std::collections::{BTreeMap, HashMap};

use futures::{StreamExt as _, stream};
use kube::Client;
use serde_json::Value;

use crate::{
    cluster::{
        live::{self, Extent},
        request::Refusal,
    },
    deploy::{
        Deployment, Plan,
        apply::{Accepted, digest},
        inventory::{Inventory, Sent},
    },
};

/// Objects that need not be sent, by their place in the plan.
pub type Known = BTreeMap<usize, Accepted>;

/// How many kinds are asked for at once.
const AT_ONCE: usize = 8;
/// So few of a kind are asked for one by one: a cluster may have thousands of others.
const FEW: usize = 4;

/// Finds what need not be sent. Nothing is asked where no earlier deploy has sent anything.
pub async fn unchanged(client: &Client, plan: &Plan, inventory: &Inventory) -> Known {
    let mut kinds: BTreeMap<String, Vec<(usize, &str)>> = BTreeMap::new();
    for (at, object) in plan.objects.iter().enumerate() {
        let Some(Sent { content, mark }) = inventory.sent(&object.id) else {
            continue;
        };
        if mark.is_empty() || *content != digest(object.body()) {
            continue;
        }
        if let Some(resource) = plan.served.of(object) {
            let path = resource.path(None, None);
            kinds.entry(path).or_default().push((at, mark));
        }
    }
    let looks = stream::iter(kinds).map(|wanted| look(client, plan, wanted));
    let found: Vec<Known> = looks.buffer_unordered(AT_ONCE).collect().await;
    found.into_iter().flatten().collect()
}

/// Looks at objects of one kind: the path of their list, and the mark that each must have.
async fn look(client: &Client, plan: &Plan, (path, wanted): (String, Vec<(usize, &str)>)) -> Known {
    let found = if wanted.len() <= FEW {
        one_by_one(client, plan, &wanted).await
    } else {
        listed(client, plan, &path, &wanted).await
    };
    found.unwrap_or_else(|refusal| {
        tracing::debug!("{path}: {}; its objects are sent", refusal.message);
        Known::new()
    })
}

async fn one_by_one(
    client: &Client,
    plan: &Plan,
    wanted: &[(usize, &str)],
) -> Result<Known, Refusal> {
    let mut known = Known::new();
    for (at, mark) in wanted {
        let live = live::get(client, plan.path(*at), Extent::Metadata).await?;
        if let Some(accepted) = live.and_then(|live| judge(&live, mark)) {
            known.insert(*at, accepted);
        }
    }
    Ok(known)
}

async fn listed(
    client: &Client,
    plan: &Plan,
    path: &str,
    wanted: &[(usize, &str)],
) -> Result<Known, Refusal> {
    let by_name: HashMap<(Option<&str>, &str), (usize, &str)> = wanted
        .iter()
        .map(|(at, mark)| {
            let id = &plan.objects[*at].id;
            ((id.namespace.as_deref(), id.name.as_str()), (*at, *mark))
        })
        .collect();
    let mut known = Known::new();
    for live in live::pages(client, path, "", Extent::Metadata).await? {
        let metadata = &live["metadata"];
        let name = metadata["name"].as_str().unwrap_or_default();
        if let Some((at, mark)) = by_name.get(&(metadata["namespace"].as_str(), name))
            && let Some(accepted) = judge(&live, mark)
        {
            known.insert(*at, accepted);
        }
    }
    Ok(known)
}

fn judge(live: &Value, wanted: &str) -> Option<Accepted> {
    let accepted = Accepted::of(&live["metadata"]);
    (!accepted.is_leaving && accepted.mark == wanted).then_some(accepted)
}

impl Deployment<'_> {
    /// Takes what is known for accepted.
    pub(super) fn adopt(&mut self, known: Known) {
        for (at, accepted) in known {
            let (rank, wanted) = self.plan.graph.rank[at];
            self.held.remove(&(rank, wanted, at));
            self.accept(at, accepted);
        }
    }
}
