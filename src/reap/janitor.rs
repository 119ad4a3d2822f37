//! Where a pass looks: an account of AWS, or this machine.

use jiff::Timestamp;

use crate::{
    limits::Deadline,
    provider::{Resource, TaggedResources, clusters, ec2},
    report::Failure,
};

/// Who finds, marks and ends.
#[derive(Debug)]
pub(crate) enum Janitor {
    /// Hosts and what belongs to them.
    Ec2(Box<ec2::Janitor>),
    /// Clusters on this machine.
    Local(clusters::Janitor),
}

impl Janitor {
    /// Looks everywhere.
    ///
    /// # Errors
    /// [`Failure`] when one place could not be looked at: then nothing may be called clean.
    pub(crate) async fn look(&self, deadline: Deadline) -> Result<TaggedResources, Failure> {
        match self {
            Self::Ec2(ec2) => ec2.look(deadline).await,
            Self::Local(local) => local.look(deadline).await,
        }
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
        match self {
            Self::Ec2(ec2) => ec2.left(resources, deadline).await,
            Self::Local(local) => local.left(resources, deadline).await,
        }
    }

    /// Marks these as candidates: at that moment they looked leaked.
    ///
    /// # Errors
    /// [`Failure`] of the first that cannot be marked; the others are all the same.
    pub(crate) async fn mark(
        &self,
        resources: &[&Resource],
        at: Timestamp,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        match self {
            Self::Ec2(ec2) => ec2.mark(resources, at, deadline).await,
            Self::Local(local) => local.mark(resources, at, deadline).await,
        }
    }

    /// Takes the mark away.
    ///
    /// # Errors
    /// As [`Self::mark`].
    pub(crate) async fn unmark(
        &self,
        resources: &[&Resource],
        deadline: Deadline,
    ) -> Result<(), Failure> {
        match self {
            Self::Ec2(ec2) => ec2.unmark(resources, deadline).await,
            Self::Local(local) => local.unmark(resources, deadline).await,
        }
    }

    /// Ends these in an order that can succeed, and waits for it; gives what stood in the way.
    ///
    /// # Errors
    /// [`Failure`] when nobody can be asked any more.
    pub(crate) async fn end(
        &self,
        resources: &[Resource],
        deadline: Deadline,
    ) -> Result<Option<Failure>, Failure> {
        match self {
            Self::Ec2(ec2) => ec2.end(resources, deadline).await,
            Self::Local(local) => local.end(resources, deadline).await,
        }
    }
}
