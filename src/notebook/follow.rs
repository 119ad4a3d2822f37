//! Follows a test to its end: the state of its pod, and every reason for which it cannot begin.
//!
//! Watches wake it; what counts is read from the API server each time. The verdict is the exit code of the container
//! `test`, which is known before the Job's own Complete or Failed.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::{
    batch::v1,
    core::v1::{Event, Pod},
};
use kube::{
    Api, Client,
    api::ListParams,
    runtime::{WatchStreamExt as _, watcher},
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout_at},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    limits::{Deadline, humane},
    notebook::{
        NotebookError, SILENCE,
        job::Job,
        state::{Ended, StartTrouble, State, judge},
    },
    report::one_line,
    wait::{self, Every, Status, WaitError},
};

/// How long one look may take: an answer that is lost on the way never comes, while the next is there at once.
const LOOK: Duration = Duration::from_secs(10);

/// How far a test is, for whoever follows its log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Its pod.
    pub pod: Option<String>,
    /// Whether its container has begun.
    pub begun: bool,
    /// Whether its container has ended.
    pub ended: bool,
}

/// What is remembered from one look to the next.
#[derive(Default)]
struct Memory {
    /// The pod, once it was seen.
    pod: Option<String>,
    /// What keeps it from beginning, and since when.
    trouble: Option<(StartTrouble, Instant)>,
    /// Since when the API server is silent: when it was asked for what it did not answer first.
    silent: Option<Instant>,
    /// Whether it has answered before: then we may look.
    answered: bool,
    /// What was said, to say it once.
    said: BTreeSet<String>,
    status: String,
}

/// Returns once the test's container has ended, and tells `progress` on the way.
///
/// # Errors
/// [`NotebookError::NotStarted`] as soon as it is plain that it will not begin; [`NotebookError::Lost`] when its pod
/// goes away; [`NotebookError::TimeLimit`]; [`NotebookError::Api`] and [`NotebookError::Silent`] when the API server
/// gives no good answer for 90 s.
pub async fn until_ended(
    client: &Client,
    job: &Job,
    deadline: Deadline,
    progress: &watch::Sender<Progress>,
) -> Result<Ended, NotebookError> {
    let namespace = &job.place.namespace;
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let jobs: Api<v1::Job> = Api::namespaced(client.clone(), namespace);
    let events: Api<Event> = Api::namespaced(client.clone(), namespace);
    let selector = ListParams::default().labels(&job.selector());
    let notify = Arc::new(Notify::new());
    let watching = watch_both(&pods, &jobs, job, &notify);
    let memory = Mutex::new(Memory::default());
    let result = wait::until(
        format_args!("the test {namespace}/{}", job.name),
        deadline,
        Every::secs(5).or_when(&notify),
        || async {
            let asked = Instant::now();
            let enough = asked + LOOK;
            let found = async {
                let pod = pods.list(&selector).await?.items.into_iter().next();
                let object = jobs.get_opt(&job.name).await?;
                Ok((pod, object))
            };
            let (pod, object) = match timeout_at(enough, found).await {
                Ok(Ok(found)) => found,
                unanswered => {
                    let error = unanswered.ok().and_then(Result::err);
                    return memory
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .silence(asked, error);
                }
            };
            let waits = !progress.borrow().begun;
            let warnings = if waits {
                // They only explain: where they do not come, the test is followed without.
                let warnings = warnings(&events, job, pod.as_ref());
                timeout_at(enough, warnings).await.unwrap_or_default()
            } else {
                Vec::new()
            };
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            (memory.silent, memory.answered) = (None, true);
            let state = judge(
                pod.as_ref(),
                object.as_ref(),
                memory.pod.is_some(),
                &warnings,
            );
            memory.pod = pod.and_then(|pod| pod.metadata.name).or(memory.pod.take());
            progress.send_if_modified(|progress| {
                let now = Progress {
                    pod: memory.pod.clone(),
                    begun: progress.begun || matches!(state, State::Running | State::Ended(_)),
                    ended: matches!(state, State::Ended(_)),
                };
                std::mem::replace(progress, now.clone()) != now
            });
            memory.take(state, &warnings)
        },
    )
    .await;
    drop(watching);
    result.map_err(|error| match error {
        WaitError::TimedOut { last, .. } => NotebookError::TimeLimit {
            limit: deadline.limit(),
            last,
            below: Vec::new(),
        },
        WaitError::Failed(error) => error,
    })
}

impl Memory {
    /// What a state means, given what was before it.
    fn take(&mut self, state: State, warnings: &[String]) -> Result<Status<Ended>, NotebookError> {
        for warning in warnings {
            // What keeps the pod from beginning is told below, without the names that change with each try.
            let told = ["FailedCreate: ", "Failed: ", "InspectFailed: ", "BackOff: "];
            if !told.iter().any(|reason| warning.starts_with(reason))
                && self.said.insert(warning.clone())
            {
                tracing::warn!("{warning}");
            }
        }
        let status = match state {
            State::Ended(ended) => {
                tracing::info!(
                    "the test: ended with code {} after {}",
                    ended.code,
                    humane(ended.ran)
                );
                return Ok(Status::Ready(ended));
            }
            State::Lost(reason) => return Err(NotebookError::Lost(reason)),
            State::Running => {
                self.trouble = None;
                "it runs".to_owned()
            }
            State::Waiting(status) => {
                self.trouble = None;
                status
            }
            State::Trouble(trouble) => {
                let (trouble, since) = match self.trouble.take() {
                    // A pull that backs off may no longer say why.
                    Some((before, since)) if before.what == trouble.what => {
                        (if trouble.vague { before } else { trouble }, since)
                    }
                    _ => (trouble, Instant::now()),
                };
                let status = format!("{}: {}", trouble.what, trouble.reason);
                if since.elapsed() >= trouble.patience {
                    return Err(NotebookError::NotStarted {
                        what: trouble.what,
                        reason: trouble.reason,
                        hint: trouble.hint,
                    });
                }
                if self.said.insert(trouble.what.clone()) {
                    tracing::warn!("the test: {status}");
                }
                self.trouble = Some((trouble, since));
                return Ok(Status::NotYet(status));
            }
        };
        if status != self.status {
            tracing::info!("the test: {status}");
            self.status.clone_from(&status);
        }
        Ok(Status::NotYet(status))
    }
}

impl Memory {
    /// What it means that the API server, `asked` at that moment, did not answer, or refused. One that has just started
    /// refuses everybody until it has read its roles: what was allowed before is waited for.
    fn silence(
        &mut self,
        asked: Instant,
        error: Option<kube::Error>,
    ) -> Result<Status<Ended>, NotebookError> {
        let silent = self.silent.get_or_insert(asked).elapsed();
        let Some(error) = error else {
            if silent >= SILENCE {
                let what = "follow the test".to_owned();
                return Err(NotebookError::Silent { what, silent });
            }
            return Ok(Status::NotYet(format!(
                "the API server has not answered for {}",
                humane(silent)
            )));
        };
        let refused =
            matches!(&error, kube::Error::Api(status) if matches!(status.code, 401 | 403));
        if (refused && !self.answered) || silent >= SILENCE {
            return Err(NotebookError::api("follow the test")(error));
        }
        let what = if refused {
            "refuses what it allowed before"
        } else {
            "does not answer"
        };
        Ok(Status::NotYet(format!(
            "the API server {what}: {}",
            one_line(&error.to_string())
        )))
    }
}

/// Warnings about the Job and its pod, as `reason: message`, the newest last. Who may not read events goes without.
async fn warnings(events: &Api<Event>, job: &Job, pod: Option<&Pod>) -> Vec<String> {
    let pod = pod.and_then(|pod| pod.metadata.name.as_deref());
    let mut found = Vec::new();
    for name in [Some(job.name.as_str()), pod].into_iter().flatten() {
        let about =
            ListParams::default().fields(&format!("involvedObject.name={name},type=Warning"));
        match events.list(&about).await {
            Ok(list) => found.extend(list.items),
            Err(error) => tracing::debug!("cannot list events of {name}: {error}"),
        }
    }
    found.sort_by_key(happened);
    // A pod may be at its node before what it mounts is made.
    let on_the_way = format!("configmap \"{}-", job.name);
    let said = found.into_iter().map(|event| {
        let reason = event.reason.unwrap_or_default();
        let message = event.message.unwrap_or_default();
        one_line(&format!("{reason}: {message}"))
    });
    said.filter(|warning| !warning.contains(&on_the_way))
        .collect()
}

/// When an event was last seen.
fn happened(event: &Event) -> Option<Timestamp> {
    let series = event
        .series
        .as_ref()
        .and_then(|it| it.last_observed_time.as_ref());
    let last = event.last_timestamp.as_ref().map(|it| it.0);
    let last = series.map(|it| it.0).or(last);
    let made = event.metadata.creation_timestamp.as_ref().map(|it| it.0);
    last.or(event.event_time.as_ref().map(|it| it.0)).or(made)
}

/// Tells `notify` of each change of the Job and its pod, until it is dropped.
fn watch_both(
    pods: &Api<Pod>,
    jobs: &Api<v1::Job>,
    job: &Job,
    notify: &Arc<Notify>,
) -> AbortOnDropHandle<()> {
    let ours = watcher::Config::default().labels(&job.selector());
    let pods = watcher(pods.clone(), ours.clone()).default_backoff();
    let jobs = watcher(jobs.clone(), ours).default_backoff();
    let changes = futures::stream::select(
        pods.map(|event| event.map(|it| is_news(&it))),
        jobs.map(|event| event.map(|it| is_news(&it))),
    );
    let notify = Arc::clone(notify);
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut changes = std::pin::pin!(changes);
        while let Some(change) = changes.next().await {
            match change {
                Ok(true) => notify.notify_one(),
                // Nothing was seen: a look that is under way is not begun anew for that.
                Ok(false) => {}
                Err(error) => tracing::debug!("a watch broke and is begun again: {error}"),
            }
        }
    }))
}

/// Whether the server said something: a watch that begins says so before it asks.
fn is_news<K>(event: &watcher::Event<K>) -> bool {
    !matches!(event, watcher::Event::Init)
}

#[cfg(test)]
mod tests;
