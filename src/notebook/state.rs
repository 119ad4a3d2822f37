//! What the objects of a test say about it, without asking anybody: pure.

use std::time::Duration;

use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{ContainerStateTerminated, ContainerStatus, Pod, PodCondition, PodStatus},
};

use crate::{
    notebook::job::TEST,
    pod::{self, Why},
    report::one_line,
};

/// How the test's container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its pod; empty on this machine.
    pub pod: String,
    /// Its exit code.
    pub code: i32,
    /// Why, in a word of the kubelet's: `Error`, `OOMKilled`.
    pub reason: String,
    /// What it left as its last word.
    pub message: String,
    /// Whether a sidecar of Istio's has to be told to end.
    pub sidecar: bool,
    /// How long it ran.
    pub ran: Duration,
}

/// What is known of a test at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not begun, and nothing is wrong.
    Waiting(String),
    /// Not begun, for a reason that may last.
    Trouble(StartTrouble),
    /// Its container runs.
    Running,
    /// Its container ended.
    Ended(Ended),
    /// Pod or Job is gone, or the pod was stopped from outside.
    Lost(String),
}

/// What keeps a test from beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StartTrouble {
    /// What cannot be done.
    pub(super) what: String,
    /// What the cluster says.
    pub(super) reason: String,
    /// For how long it may pass by itself.
    pub(super) patience: Duration,
    /// What can be done about it.
    pub(super) hint: &'static str,
    /// Whether an earlier report said more.
    pub(super) vague: bool,
}

impl StartTrouble {
    fn new(what: String, reason: &str, patience: u64, hint: &'static str) -> Self {
        Self {
            what,
            reason: one_line(reason),
            patience: Duration::from_secs(patience),
            hint,
            vague: false,
        }
    }
}

/// Judges a test by its pod, its Job and the warnings about both; `seen` is whether there was a pod before.
pub(super) fn judge(
    pod: Option<&Pod>,
    job: Option<&Job>,
    seen: bool,
    warnings: &[String],
) -> State {
    let failed = job.and_then(condition_failed);
    match (pod, job) {
        (Some(pod), _) => judge_pod(pod, warnings),
        (None, None) => State::Lost("its Job was deleted".to_owned()),
        (None, Some(_)) if failed.is_some() => State::Lost(failed.unwrap_or_default()),
        (None, Some(_)) if seen => State::Lost("it was deleted".to_owned()),
        (None, Some(_)) => match warnings
            .iter()
            .rev()
            .find(|w| w.starts_with("FailedCreate: "))
        {
            Some(warning) => not_created(warning),
            None => State::Waiting(
                suspended(job).unwrap_or_else(|| "its pod is not created yet".to_owned()),
            ),
        },
    }
}

/// Who holds a Job back that somebody has suspended: we never do.
fn suspended(job: Option<&Job>) -> Option<String> {
    let job = job?;
    job.spec.as_ref()?.suspend.filter(|suspended| *suspended)?;
    let labels = job.metadata.labels.as_ref();
    let queue = labels.and_then(|it| it.get("kueue.x-k8s.io/queue-name"));
    Some(match queue {
        Some(queue) => format!("its Job is suspended: Kueue starts it when its queue {queue} has room"),
        None => "its Job is suspended (`spec.suspend`), and not by us: does Kueue manage this namespace?".to_owned(),
    })
}

fn condition_failed(job: &Job) -> Option<String> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let failed = conditions
        .iter()
        .find(|condition| condition.type_ == "Failed" && condition.status == "True")?;
    Some(format!(
        "its Job failed: {}: {}",
        failed.reason.as_deref().unwrap_or("unknown"),
        failed.message.as_deref().unwrap_or("no message")
    ))
}

fn not_created(warning: &str) -> State {
    let (patience, hint) = match pod::not_created(warning) {
        Why::PodSecurity => (
            0,
            "use an image whose user is not root and a namespace that lets it run",
        ),
        Why::Quota => (
            60,
            "raise the quota of the namespace, or give the containers what it wants with pod-patch",
        ),
        Why::Webhook => (
            120,
            "an admission webhook has to let the pod through: is its server ready?",
        ),
        _ => (60, "the event says what the API server wants"),
    };
    let reason = warning.trim_start_matches("FailedCreate: ");
    State::Trouble(StartTrouble::new(
        "cannot create the pod of the test".to_owned(),
        reason,
        patience,
        hint,
    ))
}

fn judge_pod(pod: &Pod, warnings: &[String]) -> State {
    let name = pod.metadata.name.clone().unwrap_or_default();
    let none = PodStatus::default();
    let status = pod.status.as_ref().unwrap_or(&none);
    let test = container(status, TEST);
    let ended = test.and_then(|test| test.state.as_ref()?.terminated.as_ref());
    let stopped = stopped_from_outside(pod, status);
    match (ended, stopped) {
        (Some(ended), _) if ended.exit_code == 0 => State::Ended(end(name, ended, pod)),
        (_, Some(why)) => State::Lost(why),
        (Some(ended), None) if ended.reason.as_deref().is_some_and(unknown) => {
            State::Lost(format!(
                "how its container ended is unknown (exit code {}): node or container runtime began anew",
                ended.exit_code
            ))
        }
        (Some(ended), None) if never_began(ended) => State::Trouble(StartTrouble::new(
            "cannot start the container of the test".to_owned(),
            ended.message.as_deref().unwrap_or("no reason is given"),
            0,
            "the image needs a shell, `sh`",
        )),
        (Some(ended), None) => State::Ended(end(name, ended, pod)),
        (None, None) if test.is_some_and(is_running) => State::Running,
        (None, None) => judge_pending(pod, status, warnings),
    }
}

/// Eviction, a node that went away, a deletion: why a pod did not end by itself.
fn stopped_from_outside(pod: &Pod, status: &PodStatus) -> Option<String> {
    let message = status.message.as_deref().unwrap_or("no message");
    if let Some(reason) = status.reason.as_deref().filter(|reason| !reason.is_empty()) {
        return Some(format!("{reason}: {message}"));
    }
    if let Some(target) = condition(status, "DisruptionTarget").filter(|c| c.status == "True") {
        return Some(format!(
            "{}: {}",
            target.reason.as_deref().unwrap_or("disrupted"),
            target.message.as_deref().unwrap_or(message)
        ));
    }
    let ended = container(status, TEST).is_some_and(|test| !is_running(test));
    (pod.metadata.deletion_timestamp.is_some() && ended).then(|| "it was deleted".to_owned())
}

/// What containerd and the kubelet say of a container that they find ended after they began anew themselves.
fn unknown(reason: &str) -> bool {
    matches!(reason, "Unknown" | "ContainerStatusUnknown")
}

fn never_began(ended: &ContainerStateTerminated) -> bool {
    matches!(
        ended.reason.as_deref(),
        Some("StartError" | "ContainerCannotRun")
    )
}

fn end(pod: String, ended: &ContainerStateTerminated, object: &Pod) -> Ended {
    let ran = match (&ended.started_at, &ended.finished_at) {
        (Some(from), Some(to)) => to.0.duration_since(from.0).unsigned_abs(),
        _ => Duration::ZERO,
    };
    let containers = object.spec.iter().flat_map(|spec| &spec.containers);
    Ended {
        pod,
        code: ended.exit_code,
        reason: ended.reason.clone().unwrap_or_default(),
        message: ended.message.clone().unwrap_or_default().trim().to_owned(),
        // As an init container with restartPolicy Always it ends by itself.
        sidecar: containers
            .into_iter()
            .any(|container| container.name == "istio-proxy"),
        ran,
    }
}

fn judge_pending(pod: &Pod, status: &PodStatus, warnings: &[String]) -> State {
    if matches!(status.phase.as_deref(), Some("Failed" | "Succeeded")) {
        let initial = status.init_container_statuses.iter().flatten();
        let failed = initial
            .filter_map(|container| {
                Some((container, container.state.as_ref()?.terminated.as_ref()?))
            })
            .find(|(_, ended)| ended.exit_code != 0);
        return State::Lost(match failed {
            Some((container, ended)) => format!(
                "its init container {} ended with code {}",
                container.name, ended.exit_code
            ),
            None => "it ended before the test began".to_owned(),
        });
    }
    let value = serde_json::to_value(pod).unwrap_or_default();
    pod::troubles(&value, &[])
        .into_iter()
        .find_map(lasting)
        .map_or_else(
            || State::Waiting(pending_words(pod, status, warnings)),
            State::Trouble,
        )
}

/// What it waits for; the last warning is the cause, should it wait too long.
fn pending_words(pod: &Pod, status: &PodStatus, warnings: &[String]) -> String {
    let scheduled = condition(status, "PodScheduled");
    let gates = pod
        .spec
        .iter()
        .flat_map(|spec| spec.scheduling_gates.iter().flatten());
    let gates: Vec<&str> = gates.map(|gate| gate.name.as_str()).collect();
    if scheduled.is_some_and(|it| it.reason.as_deref() == Some("SchedulingGated")) {
        return format!(
            "its pod is held back by the scheduling gate {}, which its owner lifts",
            gates.join(", ")
        );
    }
    let words = if scheduled.is_some_and(|it| it.status == "True") {
        "its pod is being set up: the image is pulled, volumes are mounted"
    } else {
        "its pod is to be scheduled"
    };
    match warnings.last() {
        Some(warning) => format!("{words}; the last warning: {warning}"),
        None => words.to_owned(),
    }
}

/// What keeps a test from beginning, for how long it may, and what can be done; none for what passes.
fn lasting(trouble: pod::Trouble) -> Option<StartTrouble> {
    let container = trouble.container.unwrap_or_default();
    let message = trouble.message.as_str();
    let said = if message.is_empty() {
        "no message"
    } else {
        message
    };
    match trouble.why {
        Why::NoRoom | Why::NoNode | Why::Claim => Some(StartTrouble::new(
            "no node takes the pod of the test".to_owned(),
            if message.is_empty() {
                "no node takes it"
            } else {
                message
            },
            // Long enough for a cluster that grows by itself.
            300,
            "give the cluster a node with room for it; pod-patch sets requests, tolerations and the node selector",
        )),
        why if why.is_pull() => {
            let patience = match why {
                Why::ImageName => 0,
                Why::ImageGone | Why::ImagePlatform | Why::RegistryDenies => 30,
                // A misspelt registry, or a resolver that hiccups.
                Why::RegistryUnknown => 60,
                _ => 180,
            };
            let what = format!("cannot pull image {}", trouble.image);
            let hint =
                "is its name right, and may the cluster pull it? pod-patch sets imagePullSecrets";
            let cause = said.rsplit("ErrImagePull: ").next().unwrap_or(said);
            let mut found = StartTrouble::new(what, cause, patience, hint);
            // A pull that backs off may no longer say why.
            found.vague = why == Why::ImagePull && cause.starts_with("Back-off pulling image");
            Some(found)
        }
        Why::Configuration | Why::RunsAsRoot => {
            let (patience, hint) = if trouble.why == Why::RunsAsRoot {
                (
                    0,
                    "the namespace lets no pod run as root: use an image whose user is not root",
                )
            } else {
                (60, "the message says what the container lacks")
            };
            let what = format!("cannot start container {container}");
            Some(StartTrouble::new(what, said, patience, hint))
        }
        _ => None,
    }
}

fn container<'a>(status: &'a PodStatus, name: &str) -> Option<&'a ContainerStatus> {
    status
        .container_statuses
        .iter()
        .flatten()
        .find(|container| container.name == name)
}

fn condition<'a>(status: &'a PodStatus, type_: &str) -> Option<&'a PodCondition> {
    status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == type_)
}

fn is_running(container: &ContainerStatus) -> bool {
    container
        .state
        .as_ref()
        .is_some_and(|state| state.running.is_some())
}

#[cfg(test)]
mod tests;
