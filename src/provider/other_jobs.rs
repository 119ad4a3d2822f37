//! Other jobs of the run: what one of them uses stays while it is in progress, where `scope: run` would end it.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::Mutex;

use crate::{
    github::api::{Api, ApiError},
    inputs::Environment,
    limits::Deadline,
    run::{Execution, Run, TAG_CHECK_RUN, TAG_JOB, TAG_REPOSITORY},
};

/// GitHub's word on the jobs that resources are tagged with; each is asked about once.
#[derive(Clone, Debug)]
pub(crate) struct OtherJobs {
    api: Api,
    /// This job, by name and by check run. It is in progress, and what it created is what a teardown is for.
    own: [(&'static str, Option<String>); 2],
    answers: Arc<Mutex<Answers>>,
}

#[derive(Debug, Default)]
struct Answers {
    in_progress: BTreeMap<String, bool>,
    /// It did not answer, or may not: it is not asked again.
    silent: bool,
}

impl OtherJobs {
    /// `None` where nobody can be asked: without a token.
    ///
    /// # Errors
    /// [`ApiError::Variable`].
    pub(crate) fn of(env: &Environment, run: &Run) -> Result<Option<Self>, ApiError> {
        if env.get("GITHUB_TOKEN").is_none() {
            return Ok(None);
        }
        let check_run = Execution::of(env, None).check_run;
        let check_run = check_run.or_else(|| run.execution.check_run.clone());
        Ok(Some(Self {
            api: Api::new(env)?,
            own: [(TAG_JOB, Some(run.job.clone())), (TAG_CHECK_RUN, check_run)],
            answers: Arc::default(),
        }))
    }

    /// Check run and repository of the other job that these are tags of.
    fn other<'a>(&self, tags: &'a BTreeMap<String, String>) -> Option<(&'a String, &'a String)> {
        let is_own =
            |(tag, own): &(&str, Option<String>)| own.is_some() && tags.get(*tag) == own.as_ref();
        let named = tags.get(TAG_CHECK_RUN).zip(tags.get(TAG_REPOSITORY))?;
        (!self.own.iter().any(is_own)).then_some(named)
    }

    /// Whether these are tags of another job, and GitHub says that it is in progress.
    pub(crate) async fn in_progress(
        &self,
        tags: &BTreeMap<String, String>,
        deadline: Deadline,
    ) -> bool {
        let Some((id, repository)) = self.other(tags) else {
            return false;
        };
        let Ok(number) = id.parse() else {
            return false;
        };
        let mut answers = self.answers.lock().await;
        if let Some(known) = answers.in_progress.get(id) {
            return *known;
        }
        if answers.silent {
            return false;
        }
        let is_in_progress = match self.api.job(repository, number, deadline).await {
            Ok(job) => job.is_some_and(|job| !job.is_over()),
            Err(error) => {
                tracing::warn!(
                    "{error}; what that job created is ended, whether it is in progress or not"
                );
                answers.silent = true;
                false
            }
        };
        answers.in_progress.insert(id.clone(), is_in_progress);
        is_in_progress
    }
}
