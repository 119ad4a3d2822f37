//! The search for capacity: sends `RunInstances` for one candidate after another, in rounds, until EC2 launches one.
//!
//! A request without an answer is sent again with the same token. Each answer goes into the record.

use std::time::Duration;

use aws_sdk_ec2::{config::retry::RetryConfig, types::Instance};
use serde_json::json;
use tokio::time::Instant;

use super::{
    adopt, attempts,
    plan::{AfterRefusal, CandidatePlan, jitter, reserve},
    ready::reason_of_end,
    request::{Candidate, LaunchRequest},
};
use crate::{
    limits::{Deadline, humane},
    provider::ec2::{
        RUN_INSTANCES, VISIBILITY_DELAY,
        access::NoCapacityRetry,
        class::ErrorClass,
        errors::{Ec2Error, QuotaRefusal, ask},
        quota::Quota,
    },
    record::Store,
    report::{Exit, Failure},
    run::Run,
    wait::{self, Every, Status},
};

/// The longest pause before the first retry of a request; it doubles with each retry.
const RETRY_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_RETRY_PAUSE: Duration = Duration::from_secs(20);
/// How many tokens in a row may turn out to be spent.
const MAX_SPENT_TOKENS: u32 = 5;

/// An instance that EC2 has launched, and the candidate that it came from.
pub(crate) struct LaunchedInstance {
    pub(crate) id: String,
    pub(crate) candidate: Candidate,
}

/// The result of the requests for one candidate.
enum CandidateAnswer {
    Launched(String),
    Refused(Ec2Error),
}

/// The search for a candidate with capacity.
pub(crate) struct CandidateSearch<'a> {
    launch: &'a LaunchRequest<'a>,
    plan: CandidatePlan,
    /// When the search began: the security group may not be visible everywhere yet.
    began: Instant,
    /// How many instances ended early: requests after that need other tokens.
    died: u32,
    /// The first refusal by a quota.
    quota: Option<Ec2Error>,
}

impl<'a> CandidateSearch<'a> {
    pub(crate) fn new(launch: &'a LaunchRequest<'a>, candidates: Vec<Candidate>) -> Self {
        Self {
            plan: CandidatePlan::new(candidates, launch.spec.rounds),
            launch,
            began: Instant::now(),
            died: 0,
            quota: None,
        }
    }

    /// Requests one candidate after another until EC2 launches one.
    pub(crate) async fn next(
        &mut self,
        store: &mut Store,
        deadline: Deadline,
    ) -> Result<LaunchedInstance, Failure> {
        loop {
            while let Some(candidate) = self.plan.next() {
                if deadline.passed() {
                    return Err(self.nothing(store, deadline));
                }
                match self.ask_for(&candidate, store, deadline).await? {
                    CandidateAnswer::Launched(id) => return Ok(LaunchedInstance { id, candidate }),
                    CandidateAnswer::Refused(error) => {
                        tracing::warn!("{candidate}: {}", error.code());
                        let class = error.class();
                        if self.plan.refused(&candidate, class, error.code())
                            == AfterRefusal::GiveUp
                        {
                            return Err(self.end(error, &candidate, store));
                        }
                        if class == ErrorClass::Quota {
                            let quota = Self::explain(error, &candidate, store);
                            self.quota.get_or_insert(quota);
                        }
                    }
                }
            }
            let Some(longest) = self.plan.again() else {
                return Err(self.nothing(store, deadline));
            };
            let pause = jitter(longest);
            if deadline.remaining() < pause + reserve(deadline) {
                return Err(self.nothing(store, deadline));
            }
            let (round, rounds) = (self.plan.round(), self.plan.rounds());
            tracing::info!(
                "no candidate has capacity: round {round} of {rounds} in {}",
                humane(pause)
            );
            wait::rest(&format!("round {round} of {rounds}"), pause, deadline).await;
        }
    }

    /// Records that an instance ended before it could be used. `false` where a replacement would not help, or come too late.
    pub(crate) fn may_replace(
        &mut self,
        launched: &LaunchedInstance,
        death: &Ec2Error,
        store: &mut Store,
        deadline: Deadline,
    ) -> Result<bool, Failure> {
        let Ec2Error::Died { code, reason, .. } = death else {
            return Ok(false);
        };
        attempts::correct(store, format!("{} ended: {reason}", launched.id))?;
        // What somebody ended on purpose must not come back, and one more would power itself off as well.
        let meant = matches!(
            code.as_str(),
            "Client.UserInitiatedShutdown" | "Client.InstanceInitiatedShutdown"
        );
        if meant || self.died > 0 || deadline.remaining() < reserve(deadline) {
            return Ok(false);
        }
        self.died += 1;
        self.plan.died(&launched.candidate, code);
        store.update(|record| {
            record.host = None;
            if let Some(launch) = &mut record.launch {
                launch.instance_id = None;
            }
        })?;
        tracing::warn!("{death}: replacing it, once");
        Ok(true)
    }

    /// Requests one candidate until there is an answer, with the same token as long as that is valid.
    async fn ask_for(
        &self,
        candidate: &Candidate,
        store: &mut Store,
        deadline: Deadline,
    ) -> Result<CandidateAnswer, Failure> {
        let session = self.launch.session;
        let lost = session.open.as_ref().filter(|open| open.is(candidate));
        let mut token = match lost {
            Some(open) if self.plan.round() == 1 && self.died == 0 => open.token.clone(),
            _ => self.token(candidate, store, 0),
        };
        let (mut spent, mut tries) = (0, 0);
        let mut fault = None;
        store.intend(RUN_INSTANCES, self.intent(candidate, &token))?;
        loop {
            let asked = Instant::now();
            let region = &self.launch.spec.region;
            let answer = self.send(store.run(), candidate, &token, deadline).await;
            let took = asked.elapsed();
            let error = match answer {
                Ok(Some(instance)) => match reason_of_end(region, &instance) {
                    None => return self.launched(candidate, &instance, "launched", took, store),
                    Some(died) => died,
                },
                Ok(None) => {
                    return Err(Failure::new(
                        Exit::Infrastructure,
                        "RunInstances answered without an instance",
                    ));
                }
                // What kept it from an answer all the time says more than that there was none.
                Err(error @ Ec2Error::TimedOut { .. }) => fault.take().unwrap_or(error),
                Err(error) => error,
            };
            let said = if error.code().is_empty() {
                error.to_string()
            } else {
                error.code().to_owned()
            };
            attempts::note(store, candidate, self.plan.round(), said, took)?;
            let class = match &error {
                // The answer to a token of an instance that is no more may be that instance.
                Ec2Error::Died { .. } => ErrorClass::Spent,
                _ => error.class(),
            };
            match class {
                ErrorClass::Mismatch | ErrorClass::Spent => {
                    if let Some(instance) = self.under(&token, class, store, deadline).await? {
                        if reason_of_end(region, &instance).is_none() {
                            return self.launched(candidate, &instance, "adopted", took, store);
                        }
                        // This process has launched it, and it ended just now. `may_replace` decides what follows.
                        if session.open.is_none() {
                            return self.launched(candidate, &instance, "launched", took, store);
                        }
                    }
                    if session.open.is_none() {
                        return Err(error.into());
                    }
                    store.achieve(RUN_INSTANCES, json!({"spent": error.code()}))?;
                    spent += 1;
                    if spent > MAX_SPENT_TOKENS {
                        return Err(error.into());
                    }
                    token = self.token(candidate, store, spent);
                    store.intend(RUN_INSTANCES, self.intent(candidate, &token))?;
                }
                ErrorClass::Fault => {
                    // The instance may be there: the step stays open, and the token is good.
                    let pause = jitter(
                        (RETRY_PAUSE * 2_u32.saturating_pow(tries)).min(LONGEST_RETRY_PAUSE),
                    );
                    tries += 1;
                    if deadline.remaining() <= pause {
                        return Err(error.into());
                    }
                    tracing::warn!("{candidate}: {error}; asking again");
                    wait::rest("the next try of RunInstances", pause, deadline).await;
                    fault = Some(error);
                }
                // A group that was just made may not be known everywhere.
                _ if error.code() == "InvalidGroup.NotFound"
                    && self.launch.spec.security_group.is_none()
                    && self.began.elapsed() < VISIBILITY_DELAY =>
                {
                    wait::rest(
                        "EC2 to know the security group",
                        Duration::from_secs(1),
                        deadline,
                    )
                    .await;
                }
                _ => {
                    // A refusal is an answer; after anything else the instance may be there.
                    if matches!(&error, Ec2Error::Refused { .. }) {
                        store.achieve(RUN_INSTANCES, json!({"refused": error.code()}))?;
                        return Ok(CandidateAnswer::Refused(error));
                    }
                    return Err(error.into());
                }
            }
        }
    }

    /// Sends one request; the SDK retries it a few times.
    async fn send(
        &self,
        run: &Run,
        candidate: &Candidate,
        token: &str,
        deadline: Deadline,
    ) -> Result<Option<Instance>, Ec2Error> {
        let own = aws_sdk_ec2::config::Builder::new()
            .retry_classifier(NoCapacityRetry)
            .retry_config(RetryConfig::standard().with_max_attempts(3));
        let request = self.launch.request(candidate, token).customize();
        let sent = request.config_override(own).send();
        let region = &self.launch.spec.region;
        let answer = ask(RUN_INSTANCES, region, deadline, sent).await?;
        let instance = answer.instances.unwrap_or_default().pop();
        if self.launch.session.open.is_none() {
            return Ok(instance);
        }
        // A token of an earlier process may be answered with what is no more, in the state that it had at first.
        let now = adopt::by_token(self.launch.ec2, region, run, token, deadline).await?;
        Ok(now.or(instance))
    }

    /// The instance that was launched under a token. EC2 says that it exists, so this waits until EC2 lists it.
    async fn under(
        &self,
        token: &str,
        class: ErrorClass,
        store: &Store,
        deadline: Deadline,
    ) -> Result<Option<Instance>, Ec2Error> {
        // One that is terminated may be off the list for good.
        let span = if class == ErrorClass::Mismatch {
            VISIBILITY_DELAY
        } else {
            Duration::from_secs(5)
        };
        let soon = deadline.within(span);
        let region = &self.launch.spec.region;
        let what = "the instance that was launched under this token";
        let found = wait::until(what, soon, Every::secs(1), async || {
            // A request that hangs ends with the wait: it does not fail the launch.
            let found =
                adopt::by_token(self.launch.ec2, region, store.run(), token, deadline).await?;
            Ok(found.map_or_else(
                || Status::NotYet("EC2 does not list it".to_owned()),
                Status::Ready,
            ))
        })
        .await;
        match found {
            Ok(instance) => Ok(Some(instance)),
            Err(wait::WaitError::TimedOut { .. }) => Ok(None),
            Err(wait::WaitError::Failed(error)) => Err(error),
        }
    }

    fn token(&self, candidate: &Candidate, store: &Store, spent: u32) -> String {
        let turn = format!("{}.{}.{spent}", self.plan.round(), self.died);
        candidate.token(store.run(), &self.launch.session.nonce, &turn)
    }

    fn intent(&self, candidate: &Candidate, token: &str) -> serde_json::Value {
        json!({
            "type": candidate.instance_type,
            "zone": candidate.subnet.zone,
            "market": candidate.market.name(),
            "round": self.plan.round(),
            "token": token,
        })
    }

    fn launched(
        &self,
        candidate: &Candidate,
        instance: &Instance,
        how: &str,
        took: Duration,
        store: &mut Store,
    ) -> Result<CandidateAnswer, Failure> {
        let id = instance.instance_id().unwrap_or_default().to_owned();
        let said = format!("{how} {id}");
        attempts::note(store, candidate, self.plan.round(), said, took)?;
        store.update_launch(|launch| launch.instance_id = Some(id.clone()))?;
        store.achieve(RUN_INSTANCES, json!({"id": id}))?;
        tracing::info!("{how} {id}: {candidate}");
        Ok(CandidateAnswer::Launched(id))
    }

    /// The refusal that ends the search.
    fn end(&self, error: Ec2Error, candidate: &Candidate, store: &Store) -> Failure {
        let gone = error.code() == "InvalidGroup.NotFound";
        let mut failure = Failure::from(Self::explain(error, candidate, store));
        if gone && self.launch.spec.security_group.is_none() {
            failure.exit = Exit::Infrastructure;
            failure.hint = Some(
                "it was made for this launch: did a `teardown` of this job run meanwhile?"
                    .to_owned(),
            );
        }
        failure
    }

    /// The refusal with the quota behind it where there is one.
    fn explain(error: Ec2Error, candidate: &Candidate, store: &Store) -> Ec2Error {
        match error {
            Ec2Error::Refused {
                region,
                code,
                message,
                ..
            } if ErrorClass::of(&code) == ErrorClass::Quota => {
                Ec2Error::QuotaReached(Box::new(QuotaRefusal {
                    quota: Quota::of(&code, candidate.market, &candidate.instance_type),
                    region,
                    code,
                    message,
                    attempts: attempts::tally(store),
                }))
            }
            error => error,
        }
    }

    /// Why the search ended without an instance.
    fn nothing(&mut self, store: &Store, deadline: Deadline) -> Failure {
        if let Some(quota) = self.quota.take() {
            return quota.into();
        }
        let mut attempts = attempts::tally(store);
        if self.plan.round() < self.plan.rounds() {
            attempts.push(format!(
                "{} of {} are left: too little for another round",
                humane(deadline.remaining()),
                humane(deadline.limit())
            ));
        }
        Ec2Error::NoCapacity {
            region: self.launch.spec.region.clone(),
            rounds: self.plan.round(),
            attempts,
        }
        .into()
    }
}
