//! One pass: GitHub asked about every run, then the verdicts carried out and proven.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};

use super::{Fate, Repositories, Rules, RunKey, Told, Verdict};
use crate::{
    github::api::Api,
    limits::Deadline,
    provider::{Resource, ec2::Janitor},
    report::Failure,
    run::TAG_CANDIDATE,
};

/// How many runs GitHub is asked about at a time.
const AT_A_TIME: usize = 8;

/// What GitHub says of every run whose things were found, if they may be reaped at all.
pub async fn ask(
    github: &Api,
    things: &[Resource],
    repositories: &Repositories,
    deadline: Deadline,
) -> BTreeMap<RunKey, Told> {
    let runs: BTreeSet<RunKey> = things
        .iter()
        .filter_map(RunKey::of)
        .filter(|run| repositories.cover(Some(&run.repository)))
        .collect();
    stream::iter(runs)
        .map(async |run| {
            let told = match github.run(&run.repository, run.id, deadline).await {
                Ok(Some(told)) => Told::Run(told),
                Ok(None) => Told::Nothing,
                Err(error) => Told::Silence(error.to_string()),
            };
            (run, told)
        })
        .buffer_unordered(AT_A_TIME)
        .collect()
        .await
}

/// What was found and what is to become of it.
pub struct Pass<'a> {
    /// Who carries it out.
    pub janitor: &'a Janitor,
    /// What was found.
    pub things: &'a [Resource],
    /// A verdict on each.
    pub verdicts: &'a [Verdict],
}

impl Pass<'_> {
    fn of(&self, choose: impl Fn(&Resource, &Verdict) -> bool) -> Vec<&Resource> {
        let both = self.things.iter().zip(self.verdicts);
        both.filter(|(thing, verdict)| choose(thing, verdict))
            .map(|(thing, _)| thing)
            .collect()
    }

    /// Id and a line for each that is chosen.
    pub fn lines(&self, choose: impl Fn(&Resource, &Verdict) -> bool) -> Vec<(String, String)> {
        let both = self.things.iter().zip(self.verdicts);
        both.filter(|(thing, verdict)| choose(thing, verdict))
            .map(|(thing, verdict)| (thing.id.clone(), format!("{thing}: {}", verdict.why)))
            .collect()
    }

    /// Marks, takes marks back, ends, and proves it. Gives the ids of what is gone, and what stood in the way.
    pub async fn carry_out(
        &self,
        rules: &Rules,
        deadline: Deadline,
    ) -> (Vec<String>, Vec<Failure>) {
        let marked = |thing: &Resource| thing.tags.contains_key(TAG_CANDIDATE);
        let back = self.of(|thing, verdict| {
            marked(thing) && matches!(verdict.fate, Fate::Spare | Fate::Stuck)
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
                .map(|thing| thing.id)
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
