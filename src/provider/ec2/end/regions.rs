//! Which regions are visited: those that are known, else every one that the account has.

use aws_sdk_ec2::Client;
use futures::{StreamExt as _, future::BoxFuture, stream};

use super::{
    destroy::{self, Ending, Refusals},
    find::{ResourceQuery, find},
};
use crate::{
    inputs::Environment,
    limits::Deadline,
    provider::ec2::{
        access::{self, Access, Ec2Api},
        class::ErrorClass,
        errors::{Ec2Error, ask},
    },
    provider::{BadInput, DestroyOutcome, KnownLaunches, Owner, Resource, refused},
    report::Failure,
};

/// How many regions are asked at a time.
const MAX_CONCURRENT: usize = 6;

/// Where to look.
#[derive(Clone, Debug)]
pub(crate) enum Regions {
    /// In these.
    Named(Vec<String>),
    /// In all that are enabled, this one first.
    All {
        /// The one that the environment names, which has to answer.
        first: String,
    },
}

/// What came of a visit to all of them.
pub(crate) struct Visited<T> {
    /// What each region had.
    pub(crate) answers: Vec<T>,
    /// What went wrong in one; the others were visited all the same.
    pub(crate) failed: Option<Ec2Error>,
    /// Why none but the first was visited, where the account may not list the others.
    pub(crate) only_first: Option<Ec2Error>,
}

impl Regions {
    /// The one that is given and the one of the record: what is given must not hide where something was launched.
    ///
    /// # Errors
    /// [`BadInput`] for a name that cannot be one.
    pub(crate) fn of(
        given: Option<&str>,
        recorded: Option<&str>,
        env: &Environment,
    ) -> Result<Self, BadInput> {
        let usual = access::region(given, env)?;
        let given = usual.clone().filter(|_| given.is_some());
        let mut named: Vec<String> = given.into_iter().collect();
        named.extend(recorded.map(str::to_owned));
        named.dedup();
        Ok(if named.is_empty() {
            let first = usual.unwrap_or_else(|| access::DEFAULT_REGION.to_owned());
            Self::All { first }
        } else {
            Self::Named(named)
        })
    }

    /// The one that is meant first.
    pub(crate) fn first(&self) -> &str {
        match self {
            Self::Named(regions) => regions.first().map_or("", String::as_str),
            Self::All { first } => first,
        }
    }

    /// Does the same in all of them: in the first at once, while the others are still being listed.
    pub(crate) async fn visit<'a, T, F>(
        &self,
        api: &Ec2Api,
        deadline: Deadline,
        visit: F,
    ) -> Visited<T>
    where
        F: Fn(Client, String) -> BoxFuture<'a, Result<T, Ec2Error>>,
    {
        let each = |names: Vec<String>| {
            stream::iter(names)
                .map(|region| visit(api.region(&region), region))
                .buffer_unordered(MAX_CONCURRENT)
                .collect::<Vec<_>>()
        };
        let (all, only_first) = match self {
            Self::Named(regions) => (each(regions.clone()).await, None),
            Self::All { first } => {
                let rest = async {
                    match others(api, first, deadline).await {
                        Ok(others) => {
                            let mut answers = each(others).await;
                            answers.retain(|answer| !closed(answer.as_ref().err()));
                            (answers, None)
                        }
                        Err(error) if error.class() == ErrorClass::Denied => {
                            (Vec::new(), Some(error))
                        }
                        Err(error) => (vec![Err(error)], None),
                    }
                };
                let (one, (mut all, only_first)) =
                    tokio::join!(visit(api.region(first), first.clone()), rest);
                all.insert(0, one);
                (all, only_first)
            }
        };
        let mut visited = Visited {
            answers: Vec::new(),
            failed: None,
            only_first,
        };
        for answer in all {
            match answer {
                Ok(answer) => visited.answers.push(answer),
                Err(error) => {
                    visited.failed.get_or_insert(error);
                }
            }
        }
        visited
    }

    /// Looks in all of them. Beside what is there: why none but the first was looked at, as in [`Visited`].
    pub(crate) async fn look(
        &self,
        api: &Ec2Api,
        query: ResourceQuery<'_>,
        deadline: Deadline,
    ) -> Result<(Vec<Resource>, Option<Ec2Error>), Ec2Error> {
        let visited = self
            .visit(api, deadline, |ec2, region| {
                Box::pin(async move { find(&ec2, &region, query, deadline).await })
            })
            .await;
        match visited.failed {
            Some(error) => Err(error),
            None => Ok((visited.answers.concat(), visited.only_first)),
        }
    }

    /// Finds what is the owner's and ends it, in each region as soon as it is found there.
    pub(crate) async fn end(
        &self,
        api: &Ec2Api,
        owner: &Owner,
        known: Option<&KnownLaunches>,
        deadline: Deadline,
    ) -> Visited<Ending> {
        self.visit(api, deadline, |ec2, region| {
            Box::pin(async move {
                let query = ResourceQuery::Of(owner);
                // Elsewhere nothing of the record can show up.
                let known = known.filter(|known| known.region.as_ref() == Some(&region));
                match destroy::destroy(&ec2, &region, query, known, deadline).await {
                    Ending {
                        found,
                        unseen: Some(error),
                        ..
                    } if found.is_empty() => Err(error),
                    ending => Ok(ending),
                }
            })
        })
        .await
    }
}

/// Whether the account may not do anything there: nothing of ours can be.
fn closed(error: Option<&Ec2Error>) -> bool {
    let denied = error.filter(|error| error.class() == ErrorClass::Denied);
    if let Some(error) = denied {
        tracing::warn!("a region is not searched: {error}");
    }
    denied.is_some()
}

/// The other regions that are enabled.
async fn others(api: &Ec2Api, first: &str, deadline: Deadline) -> Result<Vec<String>, Ec2Error> {
    let request = api.region(first).describe_regions();
    let answer = ask("DescribeRegions", first, deadline, request.send()).await?;
    let names = answer.regions.unwrap_or_default().into_iter();
    let others: Vec<String> = names
        .filter(|region| region.opt_in_status() != Some("not-opted-in"))
        .filter_map(|region| region.region_name)
        .filter(|region| region != first)
        .collect();
    tracing::info!(
        "no region is known: searching {first} and {} others",
        others.len()
    );
    Ok(others)
}

/// Finds what is the owner's, ends it, and says what stood in the way.
pub(crate) async fn end_all(
    regions: &Regions,
    access: &Access,
    owner: &Owner,
    known: Option<&KnownLaunches>,
    deadline: Deadline,
) -> Result<DestroyOutcome, Failure> {
    let api = Ec2Api::open(access, deadline).await?;
    let visited = regions.end(&api, owner, known, deadline).await;
    let (mut ended, mut refusals, mut failed) =
        (DestroyOutcome::default(), Refusals::new(), visited.failed);
    for ending in visited.answers {
        ended.found.extend(ending.found);
        refusals.extend(ending.refusals);
        failed = failed.or(ending.unseen);
    }
    if ended.found.is_empty() {
        if let Some(error) = failed {
            return Err(error.into());
        }
        // Nothing in one region of many is no proof.
        if let Some(error) = visited.only_first {
            return Err(Ec2Error::NotEverywhere {
                first: regions.first().to_owned(),
                code: error.code().to_owned(),
            }
            .into());
        }
    }
    ended.now = api.now();
    ended.refused = failed.map(Failure::from).or_else(|| refused(refusals));
    Ok(ended)
}

/// Ends these, each in its region, all regions at the same time.
pub(crate) async fn destroy(
    api: &Ec2Api,
    resources: &[Resource],
    deadline: Deadline,
) -> Result<Refusals, Ec2Error> {
    let mut names: Vec<&str> = resources
        .iter()
        .filter_map(|one| one.region.as_deref())
        .collect();
    names.sort_unstable();
    names.dedup();
    let ends = names.into_iter().map(|region| {
        let ec2 = api.region(region);
        async move {
            let here: Vec<Resource> = resources
                .iter()
                .filter(|one| one.region.as_deref() == Some(region))
                .cloned()
                .collect();
            destroy::destroy(&ec2, region, ResourceQuery::These(&here), None, deadline).await
        }
    });
    // One that fails must not keep the others from their end.
    let mut refusals = Refusals::new();
    let mut failed = None;
    for ending in futures::future::join_all(ends).await {
        refusals.extend(ending.refusals);
        failed = failed.or(ending.unseen);
    }
    failed.map_or(Ok(refusals), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_that_is_given_does_not_hide_the_one_of_the_record() {
        let env = Environment::of([("AWS_REGION", "eu-west-3")]);
        let named = |given, recorded| match Regions::of(given, recorded, &env).unwrap() {
            Regions::Named(regions) => regions.join(" "),
            Regions::All { first } => format!("all, {first} first"),
        };
        let (here, there) = (Some("us-east-1"), Some("eu-west-1"));
        assert_eq!(named(None, here), "us-east-1");
        assert_eq!(named(here, here), "us-east-1");
        assert_eq!(named(there, here), "eu-west-1 us-east-1");
        assert_eq!(named(there, None), "eu-west-1");
        assert_eq!(named(None, None), "all, eu-west-3 first");
    }
}
