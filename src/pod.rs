//! What is wrong with a pod, as its status and its events tell it.
//!
//! Pure. Whoever asks adds only his patience: how long something may take before it counts as a failure. Where
//! Kubernetes has no code for a reason, the words are those of its source, and all of them stand here.

mod events;
mod patience;
mod probe;
mod pull;
mod refused;
mod schedule;
mod volume;

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    api::{list, string},
    report::one_line,
};

pub use events::last_seen;
#[cfg(test)]
pub use patience::TABLE;
pub use refused::not_created;

use events::told;

/// Characters of a message within a sentence.
const LONGEST: usize = 240;

/// Why a pod, or a workload that has none, is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The kubelet stopped it.
    Evicted,
    /// No node has room for it.
    NoRoom,
    /// No node is as it wants one: its labels, its taints, its free ports.
    NoNode,
    /// No scheduler has looked at it.
    Unscheduled,
    /// A claim of it is not bound.
    Claim,
    /// Somebody has to lift its scheduling gates.
    Gated,
    /// The name of its image is none.
    ImageName,
    /// The registry does not have its image.
    ImageGone,
    /// The image does not exist for this architecture.
    ImagePlatform,
    /// The registry refuses access.
    RegistryDenies,
    /// The registry limits the rate of pulls.
    RegistryLimits,
    /// The name of the registry is not known.
    RegistryUnknown,
    /// The registry is out of reach.
    RegistryUnreachable,
    /// Its image cannot be pulled for another reason.
    ImagePull,
    /// The image is not on the node, and is never pulled.
    ImageNever,
    /// A container cannot be made: a Secret, a key, a command is not there.
    Configuration,
    /// The image would run as root where that is not allowed.
    RunsAsRoot,
    /// A container needed more memory than it may have.
    OutOfMemory,
    /// A container ended.
    Crash,
    /// A container waits for another reason.
    Waits,
    /// A volume cannot be mounted.
    Volume,
    /// What a volume is made of is not there: a Secret, a `ConfigMap`, a key, a directory.
    Mount,
    /// A container runs, and its probe fails.
    NotReady,
    /// What answers the probe of a container says that it has no such page, or that the kubelet may not ask.
    Probe,
    /// A probe calls a port by a name that its container does not have.
    ProbePort,
    /// A webhook that guards pods does not answer.
    Webhook,
    /// The Pod Security Standard of the namespace forbids it.
    PodSecurity,
    /// What it names is not there: a service account, a priority class, a runtime class.
    Absent,
    /// A quota of the namespace forbids it.
    Quota,
    /// The API server refuses it for another reason.
    Refused,
}

impl Why {
    /// Whether it is about getting an image.
    pub fn is_pull(self) -> bool {
        self.is_registry() || self.is_image()
    }

    /// Whether the image itself is at fault: another try does not help.
    pub fn is_image(self) -> bool {
        matches!(
            self,
            Self::ImageName | Self::ImageGone | Self::ImagePlatform | Self::ImageNever
        )
    }

    /// Whether the way to the registry is at fault, and the image may exist.
    pub fn is_registry(self) -> bool {
        matches!(
            self,
            Self::RegistryDenies
                | Self::RegistryLimits
                | Self::RegistryUnknown
                | Self::RegistryUnreachable
                | Self::ImagePull
        )
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Why.
    pub why: Why,
    /// What it is, in one line.
    pub what: String,
    /// The container that it is about.
    pub container: Option<String>,
    /// Its image.
    pub image: String,
    /// What the cluster says, whole.
    pub message: String,
    /// Since when it may be so.
    pub since: Option<Timestamp>,
    /// How often the container was restarted.
    pub restarts: i64,
    /// Whether the kubelet waits before it starts the container again.
    pub backs_off: bool,
}

/// What is known to be wrong with a pod that is not over; `events` are its own, oldest first.
///
/// The troubles of its containers come in the order of these; none where it only takes its time.
pub fn troubles(pod: &Value, events: &[&Value]) -> Vec<Trouble> {
    let status = &pod["status"];
    let trouble = |why, what: String, message: &str, since: &Value| Trouble {
        why,
        what,
        container: None,
        image: String::new(),
        message: one_line(message),
        since: moment(since),
        restarts: 0,
        backs_off: false,
    };
    if status["reason"] == "Evicted" {
        let message = text(&status["message"]);
        let what = format!("evicted: {}", brief(message));
        return vec![trouble(Why::Evicted, what, message, &status["startTime"])];
    }
    let unscheduled = list(&status["conditions"])
        .find(|it| it["type"] == "PodScheduled" && it["status"] == "False");
    if let Some(unscheduled) = unscheduled {
        let message = text(&unscheduled["message"]);
        let (why, what) = schedule::unschedulable(text(&unscheduled["reason"]), message);
        let since = &unscheduled["lastTransitionTime"];
        return vec![trouble(why, what, message, since)];
    }
    let mut troubles: Vec<Trouble> = containers(pod)
        .filter_map(|(spec, status, is_init)| {
            Container {
                spec,
                status,
                is_init,
            }
            .trouble(events)
        })
        .collect();
    if troubles.is_empty() && status["phase"] == "Pending" {
        if let Some((why, message)) = volume::unmounted(events) {
            let what = format!("a volume cannot be mounted: {}", brief(message));
            troubles.push(trouble(why, what, message, &Value::Null));
        } else if let Some(what) = schedule::unseen(pod) {
            troubles.push(trouble(Why::Unscheduled, what, "", &Value::Null));
        }
    }
    let begun = begun(pod);
    for trouble in &mut troubles {
        trouble.since = trouble.since.or(begun);
    }
    troubles
}

/// When the container of a pod that failed, and does not run again yet, was started last.
pub fn last_run(pod: &Value) -> Option<Timestamp> {
    let runs = containers(pod).filter_map(|(.., status, _)| {
        let end = match &status["state"]["terminated"] {
            Value::Null if status["state"]["waiting"].is_null() => return None,
            Value::Null => &status["lastState"]["terminated"],
            now => now,
        };
        moment(&end["startedAt"]).filter(|_| end["exitCode"] != 0)
    });
    runs.max()
}

/// Since when a node has a pod, or at least since when there is one.
fn begun(pod: &Value) -> Option<Timestamp> {
    let mut conditions = list(&pod["status"]["conditions"]);
    let scheduled = conditions.find(|it| it["type"] == "PodScheduled" && it["status"] == "True");
    scheduled
        .and_then(|it| moment(&it["lastTransitionTime"]))
        .or_else(|| moment(&pod["metadata"]["creationTimestamp"]))
}

/// Each container with its status, init containers first.
fn containers(pod: &Value) -> impl Iterator<Item = (&Value, &Value, bool)> {
    let of = |specs: &'static str, statuses: &'static str, is_init: bool| {
        list(&pod["status"][statuses]).map(move |status| {
            let spec = list(&pod["spec"][specs]).find(|spec| spec["name"] == status["name"]);
            (spec.unwrap_or(&Value::Null), status, is_init)
        })
    };
    let init = of("initContainers", "initContainerStatuses", true);
    init.chain(of("containers", "containerStatuses", false))
}

struct Container<'a> {
    spec: &'a Value,
    status: &'a Value,
    is_init: bool,
}

impl Container<'_> {
    fn trouble(&self, events: &[&Value]) -> Option<Trouble> {
        let waiting = &self.status["state"]["waiting"];
        let (reason, message) = (text(&waiting["reason"]), text(&waiting["message"]));
        match reason {
            "ErrImagePull"
            | "ImagePullBackOff"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "ImageInspectError"
            | "RegistryUnavailable" => {
                // A pull that backs off may no longer say why; the event does.
                let event = told(events, &["Failed"], "Failed to pull image").unwrap_or_default();
                let full = one_line(&format!("{message} {event}"));
                let (why, words) = pull::why(&full, reason);
                let what = format!("image {} cannot be pulled: {words}", self.image());
                Some(self.of(why, what, &full))
            }
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                // A status without a message leaves it to the event.
                let event = told(events, &["Failed"], "Error: ").unwrap_or_default();
                let message = match message {
                    "" => event.strip_prefix("Error: ").unwrap_or(event),
                    _ => message,
                };
                Some(self.not_made(message))
            }
            "" | "ContainerCreating" | "PodInitializing" | "CrashLoopBackOff" => self
                .unready(&self.since_its_start(events))
                .or_else(|| self.ended(reason))
                .or_else(|| self.unready(events)),
            _ => {
                let mut what = format!("container {}: {reason}", self.name());
                if !message.is_empty() {
                    what.extend([format!(" ({})", brief(message))]);
                }
                Some(self.of(Why::Waits, what, message))
            }
        }
    }

    /// How it ended, unless it ended well or is ready again.
    fn ended(&self, waiting: &str) -> Option<Trouble> {
        let now = &self.status["state"]["terminated"];
        let end = match (now.is_null(), &self.status["lastState"]["terminated"]) {
            (false, _) => now,
            (true, last) if !last.is_null() && self.status["ready"] != true => last,
            _ => return None,
        };
        let code = end["exitCode"].as_i64().unwrap_or_default();
        if code == 0 && waiting != "CrashLoopBackOff" {
            return None;
        }
        let (name, message) = (self.name(), text(&end["message"]));
        // It never ran: its command is not there, or is not its to run. The kubelet says so in two ways by turns.
        let runs = !self.status["state"]["running"].is_null();
        if !runs && matches!(text(&end["reason"]), "StartError" | "ContainerCannotRun") {
            return Some(self.not_made(message));
        }
        if end["reason"] == "OOMKilled" {
            let limit = &self.spec["resources"]["limits"]["memory"];
            let what = match string(limit) {
                Some(limit) => {
                    format!("container {name} was killed: it needs more than its {limit} of memory")
                }
                None => format!("container {name} was killed: the node had no memory left"),
            };
            return Some(self.of(Why::OutOfMemory, what, message));
        }
        // While it runs again, as many runs ended as were begun after the first.
        let runs = self.restarts() + i64::from(self.status["state"]["running"].is_null());
        let times = if runs > 1 {
            format!("ended {runs} times, last with")
        } else {
            "ended with".to_owned()
        };
        let what = format!("container {name} {times} exit code {code}");
        Some(self.of(Why::Crash, what, message))
    }

    /// That it cannot be made. A container runtime names each of its layers before it comes to the point.
    fn not_made(&self, message: &str) -> Trouble {
        let as_root = ["runAsNonRoot", "breaks non-root policy"];
        let why = if as_root.iter().any(|sign| message.contains(sign)) {
            Why::RunsAsRoot
        } else {
            Why::Configuration
        };
        let point = message.rsplit("container process: ").next();
        let said = brief(point.unwrap_or(message));
        let what = format!("container {} cannot be made: {said}", self.name());
        self.of(why, what, message)
    }

    /// What was told since it was started last: what it ended for before may be over.
    fn since_its_start<'a>(&self, events: &[&'a Value]) -> Vec<&'a Value> {
        let started = moment(&self.status["state"]["running"]["startedAt"]);
        let is_later = |event: &&&Value| started.is_some() && last_seen(event) > started;
        events.iter().filter(is_later).copied().collect()
    }

    /// Why it is not ready although it runs.
    fn unready(&self, events: &[&Value]) -> Option<Trouble> {
        let running = !self.status["state"]["running"].is_null();
        if !running || self.is_init || self.status["ready"] == true {
            return None;
        }
        let (why, what, said) = probe::unready(self.spec, events)?;
        let what = format!("container {} runs but is not ready: {what}", self.name());
        Some(self.of(why, what, said))
    }

    fn of(&self, why: Why, what: String, message: &str) -> Trouble {
        Trouble {
            why,
            what,
            container: string(&self.status["name"]),
            image: self.image().to_owned(),
            message: one_line(message),
            since: None,
            restarts: self.restarts(),
            backs_off: !self.status["state"]["waiting"].is_null(),
        }
    }

    fn name(&self) -> &str {
        text(&self.status["name"])
    }

    fn image(&self) -> &str {
        let written = text(&self.spec["image"]);
        if written.is_empty() {
            text(&self.status["image"])
        } else {
            written
        }
    }

    fn restarts(&self) -> i64 {
        self.status["restartCount"].as_i64().unwrap_or_default()
    }
}

fn moment(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A message on one line, short enough for a sentence.
pub fn brief(message: &str) -> String {
    let line = one_line(message);
    match line.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests;
