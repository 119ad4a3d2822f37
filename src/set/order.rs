//! In which order objects are applied: a graph of what each needs, derived from the objects themselves.
//!
//! Given the set and what the server has already; no I/O. Stable: the same set gives the same graph. Cycles are broken,
//! and which edge was given up is said.

mod cycles;
mod edges;
mod guards;
mod ranks;

use std::collections::BTreeMap;

pub use guards::Guard;
pub use ranks::{legacy_rank, rank};

use crate::{
    api::Labels,
    set::{facts::Facts, objects::Object, served::Served},
};

/// How far another object has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Until {
    /// The server has accepted it.
    Accepted,
    /// It is ready: established, active, reachable.
    Ready,
}

/// What happens where a need is not met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// It would come up wrong or late.
    Soft,
    /// The server would refuse it.
    Hard,
}

/// Why one object needs another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EdgeReason {
    /// A workload was named by another: explains, holds nothing.
    Mention,
    /// A workload that uses a claim: explains, holds nothing.
    Consumer,
    /// Reversed: what backs a webhook goes before it.
    Before,
    /// A Service that selects the workload.
    Service,
    /// Role of its account.
    Role,
    /// Issuer, class, what is scaled.
    Refers,
    /// Config map, secret, claim.
    Uses,
    /// Service account.
    Account,
    /// Secret of a Certificate that it mounts.
    Certificate,
    /// A webhook that changes its pods, or would refuse them.
    PodWebhook,
    /// Its user's word, in an annotation.
    DependsOn,
    /// A webhook that would refuse it.
    Webhook,
    /// What may make its kind: explains, holds nothing.
    Maker,
    /// What serves a webhook: explains, holds nothing.
    Backing,
    /// The Profile that makes its namespace.
    Profile,
    /// The definition of its kind.
    Definition,
    /// Its namespace.
    Namespace,
}

/// One edge: an object needs another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// Index of the other.
    pub on: usize,
    /// How far that has to be.
    pub until: Until,
    /// What if not.
    pub strength: Strength,
    /// Why.
    pub why: EdgeReason,
}

/// What the server has before anything is applied.
#[derive(Clone, Debug, Default)]
pub struct Existing {
    /// Namespaces with their labels.
    pub namespaces: BTreeMap<String, Labels>,
}

/// The graph of a set; all vectors are indexed as its objects.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// What holds each object back.
    pub needs: Vec<Vec<Need>>,
    /// What explains why each is not ready, without holding it back.
    pub explains: Vec<Vec<Need>>,
    /// Namespaces that neither the set nor the server has.
    pub outside: Vec<Option<String>>,
    /// The webhooks that have to be reached before what they guard.
    pub guards: Vec<Guard>,
    /// The workloads behind the Services of the set, by namespace and name of the Service.
    pub called: BTreeMap<(String, String), Vec<usize>>,
    /// Among those that could go, lower goes first.
    pub rank: Vec<(u32, usize)>,
    /// Edges that were given up to break cycles.
    pub dropped: Vec<(usize, Need)>,
}

impl Graph {
    /// Derives the gated order.
    pub fn gated(
        objects: &[Object],
        facts: &[Facts],
        served: &Served,
        existing: &Existing,
    ) -> Self {
        let index = edges::Index::new(objects, facts);
        let mut graph = edges::derive(&index, existing, true);
        graph.guards = guards::derive(&index, served, existing, &mut graph);
        cycles::break_all(&mut graph);
        graph.finish(objects, rank);
        graph.hasten(objects);
        graph
    }

    /// Derives upstream's order: by kind, definitions awaited, webhooks not. As with `kubectl`, what is refused holds up
    /// no other kind: an object waits only for what the server would refuse it without.
    pub fn legacy(objects: &[Object], facts: &[Facts], existing: &Existing) -> Self {
        let index = edges::Index::new(objects, facts);
        let mut graph = edges::derive(&index, existing, false);
        cycles::break_all(&mut graph);
        graph.finish(objects, |object| legacy_rank(&object.id.kind));
        graph
    }

    /// The server establishes definitions one after the other, and prepares each kind at its first object: that chain is
    /// the longest, so the definitions that objects wait for go first, those objects next, and the other definitions
    /// while that lasts, but before any controller.
    fn hasten(&mut self, objects: &[Object]) {
        let definition = "CustomResourceDefinition";
        let first = ranks::of_kind(definition);
        let last = ranks::of_kind("ValidatingWebhookConfiguration");
        for (at, object) in objects.iter().enumerate() {
            let (rank, wanted) = &mut self.rank[at];
            if self.needs[at]
                .iter()
                .any(|need| need.why == EdgeReason::Definition)
            {
                (*rank, *wanted) = (first, usize::MAX);
            } else if object.id.is("apiextensions.k8s.io", definition) && *wanted == usize::MAX {
                *rank = last;
            }
        }
    }

    fn finish(&mut self, objects: &[Object], rank: impl Fn(&Object) -> u32) {
        let mut wanted = vec![0_usize; objects.len()];
        for needs in &mut self.needs {
            needs.sort_unstable();
            needs.dedup();
            for need in needs.iter() {
                wanted[need.on] += 1;
            }
        }
        self.rank = objects
            .iter()
            .zip(wanted)
            // Of one kind, what most others wait for goes first.
            .map(|(object, wanted)| (rank(object), usize::MAX - wanted))
            .collect();
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
