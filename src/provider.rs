//! Where the host comes from and how it goes away again.
//!
//! Given run identity and inputs; hands out a [`HostRecord`]. To find and destroy needs no record, only tags or names.

pub(crate) mod clusters;
pub(crate) mod ec2;
pub mod local;
mod other_jobs;
pub(crate) mod ssh;

use std::{collections::BTreeMap, fmt, time::Duration};

use futures::future::BoxFuture;
use jiff::Timestamp;

pub(crate) use self::other_jobs::OtherJobs;
pub use crate::report::BadInput;

use crate::{
    cli::{ProviderKind, ProvisionArgs, Whereabouts},
    inputs::Environment,
    limits::Deadline,
    record::{HostRecord, Record, Store},
    report::{Exit, Failure, Leftover},
    run::{Run, TAG_EXPIRES_AT, TAG_JOB, TAG_RUN},
};

/// The pause before a second look where nothing at all was found and nothing says that there was a launch.
pub(crate) const SECOND_LOOK: Duration = Duration::from_secs(3);

/// Whose things: of a run, and where `job` is set, of one job of it.
#[derive(Clone, Debug)]
pub struct Owner {
    /// [`Run::id`].
    pub(crate) run: String,
    /// [`Run::job`], for scope `job`.
    pub(crate) job: Option<String>,
    /// For scope `run`: who tells whether another job is in progress, so that what it created stays.
    pub(crate) others: Option<OtherJobs>,
}

impl Owner {
    /// This job.
    pub fn job(run: &Run) -> Self {
        Self {
            run: run.id.clone(),
            job: Some(run.job.clone()),
            others: None,
        }
    }

    /// Any job and attempt of a run.
    pub fn run(id: impl Into<String>) -> Self {
        Self {
            run: id.into(),
            job: None,
            others: None,
        }
    }

    /// Parts what was found into what is to be ended, and what stays for a job that is in progress.
    pub(crate) fn part(
        &self,
        found: Vec<Resource>,
        deadline: Deadline,
    ) -> BoxFuture<'_, (Vec<Resource>, Vec<Resource>)> {
        Box::pin(async move {
            let Some(others) = &self.others else {
                return (found, Vec::new());
            };
            let (mut due, mut in_use) = (Vec::new(), Vec::new());
            for resource in found {
                if others.in_progress(&resource.tags, deadline).await {
                    in_use.push(resource);
                } else {
                    due.push(resource);
                }
            }
            (due, in_use)
        })
    }

    /// Whether these are tags of its.
    pub(crate) fn has(&self, tags: &BTreeMap<String, String>) -> bool {
        let job = self.job.as_ref();
        tags.get(TAG_RUN) == Some(&self.run) && job.is_none_or(|job| tags.get(TAG_JOB) == Some(job))
    }
}

/// What the record of a job knows of the launches of that job: the record is written before each launch is requested.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownLaunches {
    /// [`Run::job`].
    pub job: String,
    /// Where they are.
    pub region: Option<String>,
    /// Id or client token of each instance that was requested and is not known to have ended.
    pub instances: Vec<String>,
}

impl KnownLaunches {
    /// As the record has them.
    pub fn of(record: &Record) -> Self {
        Self {
            job: record.run.job.clone(),
            region: record
                .launch
                .as_ref()
                .and_then(|launch| launch.region.clone()),
            instances: record.requested_instances(),
        }
    }
}

/// One thing that carries our tags or name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// `instance`, `volume`, `security group`, `KinD cluster`.
    pub kind: &'static str,
    /// Id or name.
    pub id: String,
    /// AWS region, where it has one.
    pub region: Option<String>,
    /// What it is tagged with, where the provider has tags.
    pub tags: BTreeMap<String, String>,
    /// State in the provider's words.
    pub state: String,
    /// Since when it costs, where the provider says so.
    pub since: Option<Timestamp>,
    /// Of an instance that is paid for: its type.
    pub instance_type: Option<String>,
    /// Of an instance: the token of the request that launched it.
    pub client_token: Option<String>,
}

impl Resource {
    /// When its tags say that it ends.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        self.tags.get(TAG_EXPIRES_AT)?.parse().ok()
    }
}

/// The instance among these that lives.
pub(crate) fn instance(found: &[Resource]) -> Option<&Resource> {
    let alive = |one: &&Resource| matches!(one.state.as_str(), "pending" | "running");
    found
        .iter()
        .filter(|one| one.kind == "instance")
        .find(alive)
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)?;
        if let Some(region) = &self.region {
            write!(f, " in {region}")?;
        }
        write!(f, " ({})", self.state)
    }
}

/// The moment so long after another, in whole seconds.
pub(crate) fn end_after(now: Timestamp, life: Duration) -> Timestamp {
    let seconds = i64::try_from(life.as_secs()).unwrap_or(i64::MAX);
    Timestamp::new(now.as_second().saturating_add(seconds), 0).unwrap_or(Timestamp::MAX)
}

/// All resources with our tags at one moment, for `reap`.
#[derive(Debug)]
pub(crate) struct TaggedResources {
    /// Everything that carries our tags and is alive.
    pub(crate) resources: Vec<Resource>,
    /// The earliest of the clocks that could be read: what is not over by each is not over.
    pub(crate) now: Timestamp,
}

/// What could not be removed, by its id, and why.
pub(crate) fn refused(refusals: BTreeMap<String, String>) -> Option<Failure> {
    if refusals.is_empty() {
        return None;
    }
    let mut failure =
        Failure::new(Exit::Leftovers, "not everything may be removed").leaving(Leftover::Tagged);
    let lines = refusals.into_iter().map(|(id, why)| format!("{id}: {why}"));
    failure.details = lines.collect();
    Some(failure)
}

/// What came of an attempt to end everything of somebody.
#[derive(Debug, Default)]
pub struct DestroyOutcome {
    /// What was there.
    pub found: Vec<Resource>,
    /// Why not all of it could be ended, or not everywhere be looked. [`Provider::prove_gone`] says what is left.
    pub refused: Option<Failure>,
    /// The time by the provider's own clock, where it told it.
    pub now: Option<Timestamp>,
}

/// A host that answers.
#[derive(Clone, Debug)]
pub struct ProvisionedHost {
    /// How to reach it.
    pub host: HostRecord,
    /// When it will power itself off.
    pub expires_at: Option<Timestamp>,
    /// What an hour of it costs at most, in US dollars, where that is known.
    pub hourly: Option<f64>,
    /// Outputs of `provision-ec2` that the provider knows: `instance-id`, `public-ip` and so on.
    pub outputs: Vec<(&'static str, String)>,
}

/// Where hosts come from. Three kinds: EC2, a machine you have, this one.
pub trait Provider: Send + Sync {
    /// Launches a host and returns once it answers. Intents go into the record before each side effect.
    fn launch<'a>(
        &'a self,
        store: &'a mut Store,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<ProvisionedHost, Failure>>;

    /// Asks for the end of what the record knows, at once and without a wait: after a cancel or a failed launch.
    ///
    /// It makes no promise; [`Self::destroy`] and [`Self::prove_gone`] do.
    fn let_go<'a>(
        &'a self,
        _store: &'a mut Store,
        _deadline: Deadline,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Everything alive that belongs to `owner`, found by tags or names alone.
    fn find<'a>(
        &'a self,
        owner: &'a Owner,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Vec<Resource>, Failure>>;

    /// Finds everything of `owner`, asks for its end in an order that can succeed, and waits for it.
    ///
    /// `known`, where there is a record: an instance of it that is not listed yet is waited for until the provider has
    /// had the time to list it. A deadline that is sooner is told as [`DestroyOutcome::refused`], or as an error.
    fn destroy<'a>(
        &'a self,
        owner: &'a Owner,
        known: Option<&'a KnownLaunches>,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<DestroyOutcome, Failure>>;

    /// Asks again what is left of `owner`. An answer that cannot be trusted is an error, never "nothing".
    fn prove_gone<'a>(
        &'a self,
        owner: &'a Owner,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Vec<Resource>, Failure>> {
        self.find(owner, deadline)
    }

    /// Has this job's host end at `until`, by itself, and says so wherever its end is looked up.
    ///
    /// `kept`: as one that outlives its failed run.
    fn end_at<'a>(
        &'a self,
        _store: &'a mut Store,
        _host: &'a [Resource],
        _until: Timestamp,
        _kept: bool,
        _deadline: Deadline,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(std::future::ready(Err(Failure::new(
            Exit::BadInput,
            "only a host from EC2 ends by itself",
        ))))
    }
}

/// The provider that inputs ask for, each input checked as far as it can be without a request.
///
/// `whole` is what the run may take, with all its stages.
///
/// # Errors
/// [`BadInput`] naming the first input that cannot be.
pub(crate) fn for_launch(
    args: &ProvisionArgs,
    whole: Duration,
    env: &Environment,
) -> Result<Box<dyn Provider>, BadInput> {
    Ok(match args.provider.unwrap_or(ProviderKind::Ec2) {
        ProviderKind::Ec2 => Box::new(ec2::Ec2::for_launch(args, whole, env)?),
        ProviderKind::Ssh => Box::new(ssh::Ssh::new(
            args.host.as_deref(),
            args.host_key.as_deref(),
            args.private_key.as_deref(),
            env,
        )?),
        ProviderKind::Local => Box::new(local::Local::new(env).with_ttl(args.ttl)),
    })
}

/// The provider that a teardown asks: the one that is named, else the one of the record, else EC2.
///
/// # Errors
/// [`BadInput`] naming the first input that cannot be.
pub(crate) fn for_end(
    whereabouts: &Whereabouts,
    record: &Record,
    env: &Environment,
) -> Result<Box<dyn Provider>, BadInput> {
    let launch = record.launch.as_ref();
    let recorded = launch.map(|launch| launch.provider.as_str());
    let recorded = [ProviderKind::Ssh, ProviderKind::Local]
        .into_iter()
        .find(|kind| Some(kind.name()) == recorded);
    Ok(
        match whereabouts
            .provider
            .or(recorded)
            .unwrap_or(ProviderKind::Ec2)
        {
            ProviderKind::Ec2 => {
                let launch = launch.filter(|launch| launch.provider == ProviderKind::Ec2.name());
                Box::new(ec2::Ec2::for_end(
                    launch,
                    whereabouts.region.as_deref(),
                    whereabouts
                        .role_arn
                        .as_deref()
                        .or(record.role_arn.as_deref()),
                    env,
                )?)
            }
            ProviderKind::Ssh => match &record.host {
                Some(host) => Box::new(ssh::Ssh::of(host.clone(), env)),
                None => {
                    return Err(BadInput {
                        input: "provider",
                        reason: "no record says which host the clusters of this job are on"
                            .to_owned(),
                        remedy: Some("run this where provision-ec2 ran".to_owned()),
                    });
                }
            },
            ProviderKind::Local => Box::new(local::Local::new(env).with_record(record)),
        },
    )
}
