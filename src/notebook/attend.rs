//! Attends a test from its Job's creation to its verdict: state, log, results, and the end of its pod.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    limits::Deadline,
    notebook::{
        NotebookError,
        follow::{Progress, until_ended},
        job::Job,
        log, results,
        source::Kind,
        verdict::{self, Verdict},
    },
};

/// What is kept of the limit to fetch what was saved and to delete the Job: a busy cluster takes seconds for the first.
const RESERVE: Duration = Duration::from_secs(15);
/// How long the log may take to its last line, once the test has ended.
const LAST_LINES: Duration = Duration::from_secs(5);

/// Follows the Job to its end or to the limit, and fetches what it left.
///
/// # Errors
/// [`NotebookError`] where there is no test to judge: it did not begin, or its pod was lost.
pub async fn to_its_end(
    client: &Client,
    job: &Job,
    suite: &str,
    kind: Kind,
    deadline: Deadline,
) -> Result<Verdict, NotebookError> {
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
            let last_lines = deadline.within(LAST_LINES);
            let (fetched, shown) = tokio::join!(fetched, last_lines.bound(shown));
            if shown.is_err() {
                tracing::warn!("the last lines of the log did not come");
            }
            results::release(&pods, &ended.pod, ended.sidecar, deadline).await;
            let log = log.lines();
            Ok(match kind {
                Kind::Notebook => verdict::of_notebook(&ended, fetched),
                Kind::Python | Kind::Sh | Kind::Bash => verdict::of_script(suite, &ended, &log),
            })
        }
        Err(NotebookError::TimeLimit { last, .. }) => {
            let progress = sender.borrow().clone();
            let saved = match progress
                .pod
                .filter(|_| progress.begun && kind == Kind::Notebook)
            {
                Some(pod) => {
                    let part = deadline.within(reserve / 4 * 3);
                    let fetched = results::executed(&pods, &pod, part).await;
                    fetched.unwrap_or_else(|error| {
                        tracing::warn!("{error}");
                        None
                    })
                }
                None => None,
            };
            if let Err(error) = job.delete(client).await {
                tracing::warn!("{error}");
            }
            Ok(verdict::at_limit(deadline.limit(), last, saved))
        }
        Err(error) => Err(error),
    }
}
