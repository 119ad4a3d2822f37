//! EC2 for `reap`: finds every resource with our tags, whoever owns it; marks, unmarks and ends resources.

use aws_sdk_ec2::types::Tag;
use jiff::Timestamp;

use super::{
    find::ResourceQuery,
    regions::{self, Regions},
};
use crate::{
    limits::Deadline,
    provider::ec2::{
        access::{Access, DEFAULT_REGION, Ec2Api, region},
        errors::{Ec2Error, ask},
        tags_of,
    },
    provider::{BadInput, Resource, TaggedResources, refused},
    report::Failure,
    run::TAG_CANDIDATE,
};

/// EC2 in all regions that a pass covers.
#[derive(Debug)]
pub(crate) struct Janitor {
    api: Ec2Api,
    regions: Regions,
}

impl Janitor {
    /// Opens EC2 in these regions, in every one that the account has where none is named.
    ///
    /// # Errors
    /// [`BadInput`] for a name that cannot be one; no credentials.
    pub(crate) async fn open(
        names: &[String],
        access: &Access,
        deadline: Deadline,
    ) -> Result<Self, Failure> {
        let checked: Result<Vec<Option<String>>, BadInput> = names
            .iter()
            .map(|name| region(Some(name), access.env()))
            .collect();
        let regions: Vec<String> = checked?.into_iter().flatten().collect();
        let regions = if regions.is_empty() {
            let first = region(None, access.env())?;
            Regions::All {
                first: first.unwrap_or_else(|| DEFAULT_REGION.to_owned()),
            }
        } else {
            Regions::Named(regions)
        };
        let access = access.clone().in_region(regions.first());
        Ok(Self {
            api: Ec2Api::open(&access, deadline).await?,
            regions,
        })
    }

    /// Looks everywhere.
    ///
    /// # Errors
    /// [`Failure`] when one region could not be looked at: then nothing may be called clean.
    pub(crate) async fn look(&self, deadline: Deadline) -> Result<TaggedResources, Failure> {
        let looked = self.regions.look(&self.api, ResourceQuery::Ours, deadline);
        let (resources, only_first) = looked.await?;
        if let Some(error) = only_first {
            return Err(Failure::from(error)
                .hint("name the regions by `regions`, or allow ec2:DescribeRegions"));
        }
        let here = Timestamp::now();
        Ok(TaggedResources {
            resources,
            now: self.api.now().map_or(here, |there| there.min(here)),
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
        let mut names: Vec<String> = resources
            .iter()
            .filter_map(|one| one.region.clone())
            .collect();
        names.sort_unstable();
        names.dedup();
        let regions = Regions::Named(names);
        let looked = regions.look(&self.api, ResourceQuery::These(resources), deadline);
        Ok(looked.await?.0)
    }

    /// Marks these as candidates: at that moment they looked leaked.
    ///
    /// # Errors
    /// [`Failure`] of the first that cannot be tagged; the others are all the same.
    pub(crate) async fn mark(
        &self,
        resources: &[&Resource],
        at: Timestamp,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let mark = tags_of(&[(TAG_CANDIDATE.to_owned(), at.to_string())]);
        let mut all = Ok(());
        for resource in resources {
            let region = resource.region.as_deref().unwrap_or_default();
            let ec2 = self.api.region(region);
            let request = ec2
                .create_tags()
                .resources(&resource.id)
                .set_tags(Some(mark.clone()));
            let tagged = ask("CreateTags", region, deadline, request.send()).await;
            all = all.and(gone_is_done(tagged));
        }
        Ok(all?)
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
        let mut all = Ok(());
        for resource in resources {
            let region = resource.region.as_deref().unwrap_or_default();
            let ec2 = self.api.region(region);
            let mark = Tag::builder().key(TAG_CANDIDATE).build();
            let request = ec2.delete_tags().resources(&resource.id).tags(mark);
            let untagged = ask("DeleteTags", region, deadline, request.send()).await;
            all = all.and(gone_is_done(untagged));
        }
        Ok(all?)
    }

    /// Ends these in an order that can succeed, and waits for it; gives what stood in the way.
    ///
    /// # Errors
    /// [`Failure`] when EC2 cannot be asked any more.
    pub(crate) async fn end(
        &self,
        resources: &[Resource],
        deadline: Deadline,
    ) -> Result<Option<Failure>, Failure> {
        let refusals = regions::destroy(&self.api, resources, deadline).await?;
        Ok(refused(refusals))
    }
}

/// Somebody else was faster: nothing is left to be tagged.
fn gone_is_done<T>(answer: Result<T, Ec2Error>) -> Result<(), Ec2Error> {
    match answer {
        Err(error) if !error.code().ends_with(".NotFound") => Err(error),
        _ => Ok(()),
    }
}
