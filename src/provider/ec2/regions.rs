//! Which regions are searched: one that is known, else every one that the account has.

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    client::Api,
    destroy::{self, Refusals},
    errors::{Class, Ec2Error, ask},
    find::{Sought, look},
};
use crate::{limits::Deadline, provider::Resource};

/// How many regions are asked at a time.
const AT_A_TIME: usize = 6;

/// Where to look.
#[derive(Clone, Debug)]
pub(super) enum Regions {
    /// In one.
    One(String),
    /// In all that are enabled, this one first.
    All {
        /// The one that the environment names, which has to answer.
        first: String,
    },
}

impl Regions {
    /// Looks in all of them.
    pub(super) async fn look(
        &self,
        sought: Sought<'_>,
        deadline: Deadline,
    ) -> Result<Vec<Resource>, Ec2Error> {
        let api = Api::open(deadline).await?;
        let (first, others) = match self {
            Self::One(region) => (region, Vec::new()),
            Self::All { first } => (first, others(&api, first, deadline).await?),
        };
        let mut found = look(&api.region(first), first, sought, deadline).await?;
        if others.is_empty() {
            return Ok(found);
        }
        let asked = stream::iter(others)
            .map(|region| {
                let ec2 = api.region(&region);
                async move {
                    match look(&ec2, &region, sought, deadline).await {
                        // Nothing of ours can be where the account may not do anything.
                        Err(error) if error.class() == Class::Denied => {
                            tracing::warn!("{region} is not searched: {}", error.code());
                            Ok(Vec::new())
                        }
                        answer => answer,
                    }
                }
            })
            .buffer_unordered(AT_A_TIME);
        let rest: Vec<Vec<Resource>> = asked.try_collect().await?;
        found.extend(rest.into_iter().flatten());
        Ok(found)
    }
}

/// The other regions that are enabled; none where the account may not ask, which is said.
async fn others(api: &Api, first: &str, deadline: Deadline) -> Result<Vec<String>, Ec2Error> {
    let request = api.region(first).describe_regions();
    match ask("DescribeRegions", first, deadline, request.send()).await {
        Ok(answer) => {
            let names = answer.regions.unwrap_or_default().into_iter();
            let others: Vec<String> = names
                .filter_map(|region| region.region_name)
                .filter(|region| region != first)
                .collect();
            tracing::info!(
                "no region is known: searching {first} and {} others",
                others.len()
            );
            Ok(others)
        }
        Err(error) if error.class() == Class::Denied => {
            tracing::warn!(
                "only {first} is searched: {error}; set `region` where that is not the one"
            );
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

/// Ends these, each in its region, all regions at the same time.
pub(super) async fn destroy(
    resources: &[Resource],
    deadline: Deadline,
) -> Result<Refusals, Ec2Error> {
    let mut names: Vec<&str> = resources
        .iter()
        .filter_map(|one| one.region.as_deref())
        .collect();
    names.sort_unstable();
    names.dedup();
    let api = Api::open(deadline).await?;
    let ends = names.into_iter().map(|region| {
        let ec2 = api.region(region);
        async move {
            let here: Vec<Resource> = resources
                .iter()
                .filter(|one| one.region.as_deref() == Some(region))
                .cloned()
                .collect();
            destroy::destroy(&ec2, region, &here, deadline).await
        }
    });
    let refusals = futures::future::try_join_all(ends).await?;
    Ok(refusals.into_iter().flatten().collect())
}
