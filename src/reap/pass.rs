//! One pass: asks GitHub about every run, carries the verdicts out, and proves the result.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};

use super::{Answers, Fate, Janitor, ReapVerdict, Rules, RunAnswer, RunKey};
use crate::{
    github::api::Api,
    limits::Deadline,
    provider::Resource,
    report::Failure,
    run::{TAG_CANDIDATE, TAG_CHECK_RUN},
};

/// How many runs GitHub is asked about at a time.
const MAX_CONCURRENT: usize = 8;

/// What GitHub says of every run whose resources were found, if they may be reaped at all; and of the jobs of what has
/// expired in a run that is in progress.
pub(crate) async fn ask(
    github: &Api,
    resources: &[Resource],
    rules: &Rules,
    deadline: Deadline,
) -> Answers {
    let covered = |run: &RunKey| rules.repositories.cover(Some(&run.repository));
    let runs = resources.iter().filter_map(RunKey::of).filter(covered);
    let runs = ask_of_runs(github, runs.collect(), deadline).await;
    let in_doubt: BTreeSet<(String, u64)> = resources
        .iter()
        .filter(|one| one.expires_at().is_some_and(|at| at < rules.now))
        .filter_map(|one| {
            let run = RunKey::of(one)?;
            let is_going_on = matches!(runs.get(&run)?, RunAnswer::Run(run) if !run.is_over());
            let job = one.tags.get(TAG_CHECK_RUN)?.parse().ok()?;
            is_going_on.then_some((run.repository, job))
        })
        .collect();
    let jobs_over = stream::iter(in_doubt)
        .map(async |(repository, id)| {
            let job = github.job(&repository, id, deadline).await;
            let is_over = job.is_ok_and(|job| job.is_some_and(|job| job.is_over()));
            is_over.then(|| id.to_string())
        })
        .buffer_unordered(MAX_CONCURRENT)
        .filter_map(std::future::ready)
        .collect()
        .await;
    Answers { runs, jobs_over }
}

async fn ask_of_runs(
    github: &Api,
    runs: BTreeSet<RunKey>,
    deadline: Deadline,
) -> BTreeMap<RunKey, RunAnswer> {
    stream::iter(runs)
        .map(async |run| {
            let answer = match github.run(&run.repository, run.id, deadline).await {
                Ok(Some(answer)) => RunAnswer::Run(answer),
                Ok(None) => RunAnswer::NotFound,
                Err(error) => RunAnswer::NoAnswer(error.to_string()),
            };
            (run, answer)
        })
        .buffer_unordered(MAX_CONCURRENT)
        .collect()
        .await
}

/// What was found and what is to become of it.
pub(crate) struct Pass<'a> {
    /// Who carries it out.
    pub(crate) janitor: &'a Janitor,
    /// What was found.
    pub(crate) resources: &'a [Resource],
    /// A verdict on each.
    pub(crate) verdicts: &'a [ReapVerdict],
}

impl Pass<'_> {
    fn of(&self, choose: impl Fn(&Resource, &ReapVerdict) -> bool) -> Vec<&Resource> {
        let both = self.resources.iter().zip(self.verdicts);
        both.filter(|(resource, verdict)| choose(resource, verdict))
            .map(|(resource, _)| resource)
            .collect()
    }

    /// Id and a line for each that is chosen.
    pub(crate) fn lines(
        &self,
        choose: impl Fn(&Resource, &ReapVerdict) -> bool,
    ) -> Vec<(String, String)> {
        let both = self.resources.iter().zip(self.verdicts);
        both.filter(|(resource, verdict)| choose(resource, verdict))
            .map(|(resource, verdict)| {
                (resource.id.clone(), format!("{resource}: {}", verdict.why))
            })
            .collect()
    }

    /// Marks, takes marks back, ends, and proves it. Gives the ids of what is gone, and what stood in the way.
    pub(crate) async fn carry_out(
        &self,
        rules: &Rules,
        deadline: Deadline,
    ) -> (Vec<String>, Vec<Failure>) {
        let marked = |resource: &Resource| resource.tags.contains_key(TAG_CANDIDATE);
        let back = self.of(|resource, verdict| {
            marked(resource) && matches!(verdict.fate, Fate::Spare | Fate::Stuck)
        });
        let mark = self.of(|_, verdict| verdict.fate == Fate::Mark);
        let end = self.of(|_, verdict| verdict.fate == Fate::End);
        let end: Vec<Resource> = end.into_iter().cloned().collect();
        let mut trouble = Vec::new();
        let back = self.janitor.unmark(&back, deadline).await;
        let mark = self.janitor.mark(&mark, rules.now, deadline).await;
        trouble.extend(back.err().into_iter().chain(mark.err()));
        if end.is_empty() {
            return (Vec::new(), trouble);
        }
        // A part of the limit is for the proof.
        let part = deadline.within(deadline.remaining().mul_f32(0.8));
        match self.janitor.end(&end, part).await {
            Ok(refused) => trouble.extend(refused),
            Err(failure) => trouble.push(failure),
        }
        let gone = match self.janitor.left(&end, deadline).await {
            Ok(left) => end
                .into_iter()
                .map(|resource| resource.id)
                .filter(|id| !left.iter().any(|other| other.id == *id))
                .collect(),
            Err(failure) => {
                trouble.push(failure);
                Vec::new()
            }
        };
        (gone, trouble)
    }
}
