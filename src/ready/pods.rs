//! Pods: what keeps one from being ready, and whether one that is can be relied on.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::Value;

use crate::{
    api::list,
    pod::{self, Trouble, Why},
    ready::{ClusterView, Condition, Missing, Verdict, workloads},
    report::one_line,
};

/// A container that cannot be asked, or that was restarted, counts as ready so long after its last start.
const SOAK: SignedDuration = SignedDuration::from_secs(10);
/// A pod whose containers run for so long is ready, or will not be: what a Deployment gives its pods by default.
const DEADLINE: SignedDuration = SignedDuration::from_mins(10);
/// A container that ended so often does not wait for anything any more. While the kubelet waits, it has ended once more
/// than it was restarted.
pub(super) const CRASHES: i64 = 5;

/// A pod that nobody owns.
pub(super) fn bare(pod: &Value, cluster: &ClusterView<'_>) -> Verdict {
    match pod["status"]["phase"].as_str() {
        Some("Succeeded") => Verdict::Ready,
        Some("Failed") => Verdict::Failed(format!("it failed: {}", ended(pod)).into()),
        _ => in_time(of(pod, cluster), pod, cluster),
    }
}

/// A pod of a workload: running, ready, and that for long enough.
pub(super) fn of(pod: &Value, cluster: &ClusterView<'_>) -> Verdict {
    if let Some(trouble) = trouble(pod, cluster) {
        return trouble;
    }
    if let Some(gate) = Condition::of(pod, "Ready").filter(|it| it.is("False"))
        && Condition::holds(pod, "ContainersReady")
        && gate.reason() == "ReadinessGatesNotReady"
    {
        return Verdict::Waiting(gate.text().into());
    }
    if !Condition::holds(pod, "Ready") {
        let started =
            list(&pod["status"]["containerStatuses"]).any(|it| !it["state"]["running"].is_null());
        return Verdict::Waiting(if started {
            "running, not ready".into()
        } else if let Some(name) = initialised_by(pod) {
            format!("its init container {name} runs, and has not ended").into()
        } else {
            pod["status"]["phase"].as_str().unwrap_or("Pending").into()
        });
    }
    settling(pod, cluster).map_or(Verdict::Ready, Verdict::Waiting)
}

/// The init container that runs, and that the others wait for.
fn initialised_by(pod: &Value) -> Option<&str> {
    let mut running = list(&pod["status"]["initContainerStatuses"])
        .filter(|it| !it["state"]["running"].is_null());
    let ends = |name: &&str| {
        let mut specs = list(&pod["spec"]["initContainers"]);
        // One that is always started again runs beside the others.
        !specs.any(|it| it["name"] == **name && it["restartPolicy"] == "Always")
    };
    running
        .by_ref()
        .filter_map(|it| it["name"].as_str())
        .find(ends)
}

/// Whether all containers of a pod run: its images are there, its volumes are mounted.
pub(super) fn runs(pod: &Value) -> bool {
    let mut statuses = list(&pod["status"]["containerStatuses"]).peekable();
    statuses.peek().is_some() && statuses.all(|it| !it["state"]["running"].is_null())
}

/// The same, unless a pod whose containers have run for very long is still not ready: what owns it has no deadline of its
/// own, as a Deployment has.
pub(super) fn in_time(verdict: Verdict, pod: &Value, cluster: &ClusterView<'_>) -> Verdict {
    let mut statuses = list(&pod["status"]["containerStatuses"]);
    let is_late = runs(pod)
        && !Condition::holds(pod, "Ready")
        && statuses.all(|it| cluster.since(&it["state"]["running"]["startedAt"]) > DEADLINE);
    match verdict {
        Verdict::Waiting(missing) if is_late => Verdict::Stuck(Missing {
            what: format!("{}, for {} minutes", missing.what, DEADLINE.as_mins()),
            why: None,
            ..missing
        }),
        other => other,
    }
}

/// What is wrong with a pod, and whether it has been for too long.
fn trouble(pod: &Value, cluster: &ClusterView<'_>) -> Option<Verdict> {
    let mut verdicts: Vec<Verdict> = pod::troubles(pod, cluster.events(pod))
        .into_iter()
        .map(|trouble| judged(trouble, pod, cluster))
        .collect();
    // The worst says most.
    let worst = verdicts
        .iter()
        .position(|it| matches!(it, Verdict::Stuck(_)));
    (!verdicts.is_empty()).then(|| verdicts.swap_remove(worst.unwrap_or(0)))
}

fn judged(trouble: Trouble, pod: &Value, cluster: &ClusterView<'_>) -> Verdict {
    if matches!(trouble.why, Why::NoRoom | Why::Claim)
        && let Some(what) = unbound(pod, cluster)
    {
        return Verdict::Stuck(Missing::because(Why::Claim, what));
    }
    let age = trouble.since.map(|since| cluster.now.duration_since(since));
    if trouble.why == Why::Unscheduled
        && let Some(name) = being_made(pod, cluster)
    {
        let what = format!("the volume of PersistentVolumeClaim {name} is not made yet");
        let missing = Missing::because(Why::Claim, what);
        return if age.is_some_and(|age| age > workloads::BINDS) {
            Verdict::Stuck(missing)
        } else {
            Verdict::Waiting(missing)
        };
    }
    let is_stuck = match trouble.why {
        Why::Evicted => true,
        Why::Crash | Why::OutOfMemory => trouble.backs_off && trouble.restarts + 1 >= CRASHES,
        why => age.is_some_and(|age| lasts(why, age)),
    };
    let missing = Missing::because(trouble.why, trouble.what);
    if is_stuck {
        Verdict::Stuck(missing)
    } else {
        Verdict::Waiting(missing)
    }
}

/// Whether something has lasted for as long as it has to.
pub(super) fn lasts(why: Why, age: SignedDuration) -> bool {
    let age = Duration::try_from(age).unwrap_or_default();
    why.patience().time.is_some_and(|time| age > time)
}

/// The claims of a pod that are there, by name.
fn claims<'a>(
    pod: &'a Value,
    cluster: &'a ClusterView<'_>,
) -> impl Iterator<Item = (String, &'a Value)> {
    let (namespace, pod_name) = (
        pod["metadata"]["namespace"].as_str(),
        pod["metadata"]["name"].as_str().unwrap_or_default(),
    );
    list(&pod["spec"]["volumes"]).filter_map(move |volume| {
        let name = if volume["ephemeral"].is_null() {
            let claimed = &volume["persistentVolumeClaim"]["claimName"];
            claimed.as_str()?.to_owned()
        } else {
            format!("{pod_name}-{}", volume["name"].as_str()?)
        };
        let live = cluster
            .view
            .get("PersistentVolumeClaim.", namespace, &name)?;
        Some((name, live))
    })
}

/// A claim of a pod that cannot be bound. The scheduler only counts them.
fn unbound(pod: &Value, cluster: &ClusterView<'_>) -> Option<String> {
    claims(pod, cluster).find_map(|(name, live)| match workloads::claim(live, cluster) {
        Verdict::Stuck(why) | Verdict::Failed(why) => {
            Some(format!("PersistentVolumeClaim {name}: {why}"))
        }
        _ => None,
    })
}

/// A claim whose volume is to be made where the scheduler wants the pod. It says nothing of the pod until that is done.
fn being_made(pod: &Value, cluster: &ClusterView<'_>) -> Option<String> {
    let mut claims = claims(pod, cluster);
    let waits = |(_, live): &(String, &Value)| {
        let node = &live["metadata"]["annotations"]["volume.kubernetes.io/selected-node"];
        !node.is_null() && live["status"]["phase"] != "Bound"
    };
    claims.find(waits).map(|(name, _)| name)
}

fn because(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(" ({message})")
    }
}

fn terminated(state: &Value) -> String {
    match (state["exitCode"].as_i64(), state["reason"].as_str()) {
        (Some(code), Some(reason)) if reason != "Error" => format!(": exit code {code} ({reason})"),
        (Some(code), _) => format!(": exit code {code}"),
        _ => String::new(),
    }
}

/// How the containers of a pod that is over ended.
pub(super) fn ended(pod: &Value) -> String {
    let status = &pod["status"];
    let containers =
        list(&status["initContainerStatuses"]).chain(list(&status["containerStatuses"]));
    let ends: Vec<String> = containers
        .filter(|it| {
            it["state"]["terminated"]["exitCode"]
                .as_i64()
                .is_some_and(|code| code != 0)
        })
        .map(|it| {
            let name = it["name"].as_str().unwrap_or_default();
            format!("container {name}{}", terminated(&it["state"]["terminated"]))
        })
        .collect();
    if ends.is_empty() {
        let (reason, message) = (text(&status["reason"]), text(&status["message"]));
        return format!("{reason}{}", because(&message));
    }
    ends.join(", ")
}

/// Which container cannot be relied on yet.
fn settling(pod: &Value, cluster: &ClusterView<'_>) -> Option<Missing> {
    for status in list(&pod["status"]["containerStatuses"]) {
        let name = &status["name"];
        let spec = list(&pod["spec"]["containers"]).find(|it| it["name"] == *name);
        let probed = spec.is_some_and(|spec| !spec["readinessProbe"].is_null());
        let restarted = status["restartCount"].as_i64().unwrap_or_default() > 0;
        let started = &status["state"]["running"]["startedAt"];
        if (!probed || restarted) && !started.is_null() && cluster.since(started) < SOAK {
            let why = if restarted {
                "was restarted"
            } else {
                "has no readinessProbe"
            };
            let what = format!(
                "container {} {why} and runs for less than {} s",
                name.as_str().unwrap_or_default(),
                SOAK.as_secs()
            );
            // It may end again: a start is not the end of its crashes.
            return Some(if restarted {
                Missing::because(Why::Crash, what)
            } else {
                what.into()
            });
        }
    }
    None
}

fn text(value: &Value) -> String {
    let text = one_line(value.as_str().unwrap_or_default());
    match text.char_indices().nth(300) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
