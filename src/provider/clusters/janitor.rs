//! The clusters of this machine for `reap`: by their markers, whoever owns them; marked, unmarked and removed.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::{engine, everything, marker, remove};
use crate::{
    host::{HostError, engine::Engine, local::LocalHost},
    inputs::Environment,
    limits::Deadline,
    provider::{Resource, TaggedResources, refused},
    report::Failure,
    run::TAG_RUN,
};

/// Docker on this machine; without one there is no cluster.
#[derive(Debug)]
pub(crate) struct Janitor(Option<Engine>);

impl Janitor {
    /// Asks Docker for an answer.
    ///
    /// # Errors
    /// [`Failure`] when it does not answer.
    pub(crate) async fn open(env: &Environment, deadline: Deadline) -> Result<Self, Failure> {
        Ok(Self(engine(Arc::new(LocalHost::new(env)), deadline).await?))
    }

    /// Every cluster that has a marker.
    ///
    /// # Errors
    /// [`Failure`] when Docker cannot say.
    pub(crate) async fn look(&self, deadline: Deadline) -> Result<TaggedResources, Failure> {
        let mut resources = match &self.0 {
            Some(engine) => everything(engine, deadline).await?,
            None => Vec::new(),
        };
        resources.retain(|one| one.tags.contains_key(TAG_RUN));
        Ok(TaggedResources {
            resources,
            now: Timestamp::now(),
        })
    }

    /// What is left of these.
    ///
    /// # Errors
    /// As [`Self::look`].
    pub(crate) async fn left(
        &self,
        resources: &[Resource],
        deadline: Deadline,
    ) -> Result<Vec<Resource>, Failure> {
        let mut left = match &self.0 {
            Some(engine) => everything(engine, deadline).await?,
            None => Vec::new(),
        };
        left.retain(|one| resources.iter().any(|other| other.id == one.id));
        Ok(left)
    }

    /// Marks these as candidates: at that moment they looked leaked.
    ///
    /// # Errors
    /// [`Failure`] of the first that cannot be marked; the others are all the same.
    pub(crate) async fn mark(
        &self,
        clusters: &[&Resource],
        at: Timestamp,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let scripts = clusters.iter().map(|one| marker::mark(&one.id, at));
        self.each("mark a cluster", scripts, deadline).await
    }

    /// Takes the mark away.
    ///
    /// # Errors
    /// As [`Self::mark`].
    pub(crate) async fn unmark(
        &self,
        clusters: &[&Resource],
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let scripts = clusters.iter().map(|one| marker::unmark(&one.id));
        self.each("take a mark away", scripts, deadline).await
    }

    /// Removes these; gives what stood in the way.
    ///
    /// # Errors
    /// As [`Self::look`].
    pub(crate) async fn end(
        &self,
        clusters: &[Resource],
        deadline: Deadline,
    ) -> Result<Option<Failure>, Failure> {
        let Some(engine) = &self.0 else {
            return Ok(None);
        };
        let mut refusals = BTreeMap::new();
        for cluster in self.left(clusters, deadline).await? {
            // A job that wants this very name may have got it meanwhile.
            if !clusters.iter().any(|one| one.tags == cluster.tags) {
                continue;
            }
            if let Err(error) = remove(engine, &cluster.id, deadline).await {
                refusals.insert(cluster.id, error.to_string());
            }
        }
        Ok(refused(refusals))
    }

    async fn each(
        &self,
        what: &str,
        scripts: impl Iterator<Item = String>,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let Some(engine) = &self.0 else {
            return Ok(());
        };
        let mut all = Ok(());
        for script in scripts {
            let done: Result<_, HostError> = engine.ask(what, script, deadline).await;
            all = all.and(done.map(drop));
        }
        Ok(all?)
    }
}
