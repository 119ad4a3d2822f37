//! Pods: what keeps one from being ready, and whether one that is can be relied on.

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
/// An image that cannot be pulled, and room that is not there, may still come.
const GRACE: SignedDuration = SignedDuration::from_mins(3);
/// A container that ended so often does not wait for anything any more.
const CRASHES: i64 = 6;

/// A pod that nobody owns.
pub(super) fn bare(pod: &Value, cluster: &ClusterView<'_>) -> Verdict {
    match pod["status"]["phase"].as_str() {
        Some("Succeeded") => Verdict::Ready,
        Some("Failed") => Verdict::Failed(format!("it failed: {}", ended(pod)).into()),
        _ => of(pod, cluster),
    }
}

/// A pod of a workload: running, ready, and that for long enough.
pub(super) fn of(pod: &Value, cluster: &ClusterView<'_>) -> Verdict {
    if let Some(trouble) = trouble(pod, cluster) {
        return trouble;
    }
    if !Condition::holds(pod, "Ready") {
        let started =
            list(&pod["status"]["containerStatuses"]).any(|it| !it["state"]["running"].is_null());
        return Verdict::Waiting(if started {
            "running, not ready".into()
        } else {
            pod["status"]["phase"].as_str().unwrap_or("Pending").into()
        });
    }
    settling(pod, cluster).map_or(Verdict::Ready, |why| Verdict::Waiting(why.into()))
}

/// What is wrong with a pod, and whether it has been for too long.
fn trouble(pod: &Value, cluster: &ClusterView<'_>) -> Option<Verdict> {
    let mut verdicts: Vec<Verdict> = pod::troubles(pod, &[])
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
    let lasts = trouble
        .since
        .is_some_and(|since| cluster.now.duration_since(since) > GRACE);
    let is_stuck = match trouble.why {
        Why::Evicted => true,
        Why::Crash | Why::OutOfMemory => trouble.backs_off && trouble.restarts >= CRASHES,
        _ => lasts,
    };
    let missing = Missing::because(trouble.why, trouble.what);
    if is_stuck {
        Verdict::Stuck(missing)
    } else {
        Verdict::Waiting(missing)
    }
}

/// A claim of a pod that cannot be bound. The scheduler only counts them.
fn unbound(pod: &Value, cluster: &ClusterView<'_>) -> Option<String> {
    let (namespace, pod_name) = (
        pod["metadata"]["namespace"].as_str(),
        pod["metadata"]["name"].as_str().unwrap_or_default(),
    );
    list(&pod["spec"]["volumes"]).find_map(|volume| {
        let name = if volume["ephemeral"].is_null() {
            let claimed = &volume["persistentVolumeClaim"]["claimName"];
            claimed.as_str()?.to_owned()
        } else {
            format!("{pod_name}-{}", volume["name"].as_str()?)
        };
        let live = cluster
            .view
            .get("PersistentVolumeClaim.", namespace, &name)?;
        match workloads::claim(live, cluster) {
            Verdict::Stuck(why) | Verdict::Failed(why) => {
                Some(format!("PersistentVolumeClaim {name}: {why}"))
            }
            _ => None,
        }
    })
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
fn settling(pod: &Value, cluster: &ClusterView<'_>) -> Option<String> {
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
            return Some(format!(
                "container {} {why} and runs for less than {} s",
                name.as_str().unwrap_or_default(),
                SOAK.as_secs()
            ));
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
