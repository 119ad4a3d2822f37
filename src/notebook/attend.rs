//! Attends a test from its Job's creation to its verdict: state, log, results, and the end of its pod.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    limits::{Deadline, humane},
    notebook::{
        NotebookError,
        follow::{Progress, until_ended},
        job::Job,
        log, results,
        source::Kind,
        verdict::{self, TestVerdict},
    },
    report::with_causes,
};

/// What is kept of the limit to fetch what was saved and to delete the Job: a busy cluster takes seconds for the first.
const RESERVE: Duration = Duration::from_secs(15);
/// How long the deletion of the Job may take, once the time is up.
const DELETION: Duration = Duration::from_secs(3);
/// How far beyond the limit it may last: a stage is dropped a second later.
const BEYOND: Duration = Duration::from_secs(2);
/// For how long no line of the log may come, once the test has ended and its last one is still missing.
const LAST_LINES: Duration = Duration::from_secs(5);
/// How long the log may take to its last line altogether; of one that is longer the end is read.
const FLOOD: Duration = Duration::from_secs(30);

/// What is still to be done about a test's pod, once its results are kept: an API server that hangs then costs nothing.
#[derive(Debug)]
#[must_use = "until then the pod waits to be asked for its results"]
pub enum Ending {
    /// Its keeper is told to end, and with it the pod.
    Release {
        /// The pod.
        pod: String,
        /// Whether a sidecar of Istio's has to be told to end.
        sidecar: bool,
    },
    /// Its time was up: the Job goes.
    Delete,
}

impl Ending {
    /// Lets the pod end, or ends it.
    pub async fn carry_out(self, client: &Client, job: &Job, deadline: Deadline) {
        match self {
            Self::Release { pod, sidecar } => {
                let pods: Api<Pod> = Api::namespaced(client.clone(), &job.place.namespace);
                results::release(&pods, &pod, sidecar, deadline).await;
            }
            Self::Delete => {
                let moment = DELETION.min(deadline.remaining() + BEYOND);
                let why = match tokio::time::timeout(moment, job.delete(client)).await {
                    Ok(Ok(())) => return,
                    Ok(Err(error)) => with_causes(&error),
                    Err(_) => format!("no answer within {}", humane(moment)),
                };
                tracing::warn!(
                    "the Job {}/{} ends by itself, two minutes after the limit: {why}",
                    job.place.namespace,
                    job.name
                );
            }
        }
    }
}

/// Follows the Job to its end or to the limit, and fetches what it left. What it left is to be kept before the
/// [`Ending`] is carried out.
///
/// # Errors
/// [`NotebookError`] where there is no test to judge: it did not begin, or its pod was lost.
pub async fn to_its_end(
    client: &Client,
    job: &Job,
    suite: &str,
    kind: Kind,
    deadline: Deadline,
) -> Result<(TestVerdict, Ending), NotebookError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &job.place.namespace);
    let (sender, receiver) = watch::channel(Progress::default());
    let log = log::Kept::default();
    let showing = log::show(pods.clone(), receiver, log.clone());
    let shown = AbortOnDropHandle::new(tokio::spawn(showing));
    let reserve = RESERVE.min(deadline.remaining() / 4);
    let until = deadline.within(deadline.remaining().saturating_sub(reserve));
    match until_ended(client, job, until, &sender).await {
        Ok(ended) => {
            let fetched = async {
                match kind {
                    Kind::Notebook => results::executed(&pods, &ended.pod, deadline).await,
                    Kind::Python | Kind::Sh | Kind::Bash => Ok(None),
                }
            };
            let shown = whole(shown, &log, deadline.within(FLOOD));
            let (fetched, is_shown) = tokio::join!(fetched, shown);
            let is_lost = match is_shown {
                Shown::Whole => false,
                Shown::Stalls => true,
                Shown::TooLong => {
                    let end = log::show_end(&pods, &ended.pod, &log);
                    deadline.within(LAST_LINES).bound(end).await.is_err()
                }
            };
            if is_lost {
                tracing::warn!("the last lines of the log did not come");
            }
            let verdict = match kind {
                Kind::Notebook => verdict::of_notebook(&ended, fetched),
                Kind::Python | Kind::Sh | Kind::Bash => {
                    verdict::of_script(suite, &ended, &log.lines())
                }
            };
            let (pod, sidecar) = (ended.pod, ended.sidecar);
            Ok((verdict, Ending::Release { pod, sidecar }))
        }
        Err(NotebookError::TimeLimit { last, .. }) => {
            let progress = sender.borrow().clone();
            let begun = progress.pod.filter(|_| progress.begun);
            let limit = deadline.limit();
            let verdict = match (begun, kind) {
                (Some(pod), Kind::Notebook) => {
                    let part = deadline.within(reserve / 4 * 3);
                    let fetched = results::executed(&pods, &pod, part).await;
                    let saved = fetched.unwrap_or_else(|error| {
                        tracing::warn!("{error}");
                        None
                    });
                    verdict::at_limit(limit, last, saved)
                }
                (Some(_), _) => verdict::of_script_at_limit(suite, limit, last, &log.lines()),
                (None, _) => verdict::at_limit(limit, last, None),
            };
            Ok((verdict, Ending::Delete))
        }
        Err(error) => Err(error),
    }
}

/// How far a log came.
enum Shown {
    Whole,
    Stalls,
    TooLong,
}

/// Waits for the last line of a log, as long as lines come.
async fn whole(mut shown: AbortOnDropHandle<()>, log: &log::Kept, enough: Deadline) -> Shown {
    loop {
        let before = log.all();
        if enough.within(LAST_LINES).bound(&mut shown).await.is_ok() {
            return Shown::Whole;
        }
        if log.all() == before {
            return Shown::Stalls;
        }
        if enough.passed() {
            return Shown::TooLong;
        }
    }
}

#[cfg(test)]
mod tests;
