//! A set before anything is done with it: its objects where they belong, what each needs, what the lint says of it.
//!
//! With a cluster, by what that serves and has; without one, by what the set alone tells. Nothing is written.

use std::collections::BTreeSet;

use rayon::iter::{
    IntoParallelRefIterator as _, IntoParallelRefMutIterator as _, ParallelIterator as _,
};

use crate::{
    api::is_builtin,
    cluster::{
        Connected,
        discover::{DiscoverError, discover},
        survey,
    },
    set::{
        facts::Facts,
        images::Reference,
        late::{self, Late},
        lint::{self, ClusterFacts, LintFinding, services},
        objects::{Object, side_by_side},
        order::{EdgeReason, Existing, Graph, Need, Strength, Until},
        prepare::prepare,
        served::Served,
    },
};

/// A set that was read and looked at.
#[derive(Debug)]
pub struct Draft {
    /// The objects, where they belong.
    pub objects: Vec<Object>,
    /// What each needs and offers.
    pub facts: Vec<Facts>,
    /// Every kind that is or will be served; without a cluster, every kind of the set.
    pub served: Served,
    /// What the server has before anything is applied.
    pub existing: Existing,
    /// The objects whose kinds come later.
    pub late: Late,
    /// What was found, worst first; images are looked for by [`pulls`](crate::deploy::pulls).
    pub findings: Vec<LintFinding>,
    cluster_facts: Option<ClusterFacts>,
}

impl Draft {
    /// Reads what the cluster has, and looks at the set. `wait` is whether readiness would be waited for.
    ///
    /// # Errors
    /// [`DiscoverError`] when the server does not say what it serves.
    pub async fn new(
        cluster: &Connected,
        objects: Vec<Object>,
        wait: bool,
    ) -> Result<Self, DiscoverError> {
        let (objects, facts) = read(objects);
        let client = &cluster.client;
        let missing = services::missing(&objects, &facts);
        let needed = brought_by_others(&objects, &facts);
        let mut within: BTreeSet<String> = objects
            .iter()
            .filter_map(|object| object.id.namespace.clone())
            .collect();
        within.insert(client.default_namespace().to_owned());
        let (discovered, seen) = tokio::join!(
            discover(client, &needed, &within),
            survey::look(client, missing)
        );
        let discovered = discovered?;
        let served: Served = discovered.resources.into_iter().collect();
        let served = served.with_stale(discovered.stale);
        let existing = Existing {
            namespaces: discovered.namespaces,
        };
        let mut cluster_facts = ClusterFacts::of(
            &cluster.version,
            seen.nodes.as_deref(),
            seen.pods.as_deref(),
        );
        cluster_facts.room.grows = seen.grows;
        (cluster_facts.services, cluster_facts.unseen) = (seen.services, seen.unseen);
        let mut draft = Self::of(objects, facts, served, existing, Some(cluster_facts));
        draft.settle(client.default_namespace());
        draft.lint(wait);
        Ok(draft)
    }

    /// Looks at the set alone.
    pub fn without_cluster(objects: Vec<Object>) -> Self {
        let (objects, facts) = read(objects);
        let (served, existing) = (Served::default(), Existing::default());
        let mut draft = Self::of(objects, facts, served, existing, None);
        draft.lint(false);
        draft.served.assume(&draft.objects);
        draft
    }

    /// The set as a server would take it that serves this, and has that; what else a cluster has is not looked at.
    #[cfg(test)]
    pub(in crate::deploy) fn for_server(
        objects: Vec<Object>,
        served: Served,
        existing: Existing,
    ) -> Self {
        let (objects, facts) = read(objects);
        let seen = ClusterFacts {
            services: Some(BTreeSet::new()),
            ..ClusterFacts::default()
        };
        let mut draft = Self::of(objects, facts, served, existing, Some(seen));
        draft.settle("default");
        draft.lint(true);
        draft
    }

    fn of(
        objects: Vec<Object>,
        facts: Vec<Facts>,
        mut served: Served,
        existing: Existing,
        cluster_facts: Option<ClusterFacts>,
    ) -> Self {
        for definition in facts.iter().filter_map(|it| it.definition.as_ref()) {
            served.define(definition);
        }
        Self {
            objects,
            facts,
            served,
            existing,
            late: Late::new(),
            findings: Vec::new(),
            cluster_facts,
        }
    }

    /// Derives the order: what each needs, or upstream's by kind.
    pub fn graph(&self, legacy: bool) -> Graph {
        let mut graph = if legacy {
            Graph::legacy(&self.objects, &self.facts, &self.existing)
        } else {
            Graph::gated(&self.objects, &self.facts, &self.served, &self.existing)
        };
        for (at, makers) in &self.late {
            let explains = makers.iter().map(|on| Need {
                on: *on,
                until: Until::Ready,
                strength: Strength::Soft,
                why: EdgeReason::Maker,
            });
            graph.explains[*at].extend(explains);
        }
        graph
    }

    /// The images that every node has.
    pub fn images_there(&self) -> &[Reference] {
        self.cluster_facts
            .as_ref()
            .map_or(&[], |cluster_facts| &cluster_facts.images)
    }

    /// Whether the cluster may add nodes.
    pub fn grows(&self) -> bool {
        let room = self.cluster_facts.as_ref().map(|facts| &facts.room);
        room.is_some_and(|room| room.grows)
    }

    /// Puts each object where its kind lives.
    fn settle(&mut self, default: &str) {
        lint::settle(&mut self.objects, &self.served, default);
    }

    fn lint(&mut self, wait: bool) {
        for unseen in self
            .cluster_facts
            .iter()
            .flat_map(|cluster_facts| &cluster_facts.unseen)
        {
            tracing::warn!("not looked at: {unseen}");
        }
        self.late = late::find(&self.objects, &self.facts, &self.served);
        let set = lint::Set {
            objects: &self.objects,
            facts: &self.facts,
            served: &self.served,
            late: &self.late,
        };
        self.findings = lint::check(&set, self.cluster_facts.as_ref(), wait);
    }
}

/// The kinds of the set, by group and kind, that only the server can have: Kubernetes' own it serves itself, and of those
/// that the set defines its definitions tell.
fn brought_by_others(objects: &[Object], facts: &[Facts]) -> BTreeSet<(String, String)> {
    let defined: BTreeSet<(&str, &str)> = facts
        .iter()
        .filter_map(|facts| facts.definition.as_ref())
        .map(|it| (it.group.as_str(), it.kind.as_str()))
        .collect();
    objects
        .iter()
        .map(|object| (object.id.group.as_str(), object.id.kind.as_str()))
        .filter(|kind| !is_builtin(kind.0) && !defined.contains(kind))
        .map(|(group, kind)| (group.to_owned(), kind.to_owned()))
        .collect()
}

fn read(mut objects: Vec<Object>) -> (Vec<Object>, Vec<Facts>) {
    let facts = side_by_side(|| {
        objects.par_iter_mut().for_each(prepare);
        objects.par_iter().map(Facts::of).collect()
    });
    (objects, facts)
}
