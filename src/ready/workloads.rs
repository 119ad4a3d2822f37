//! Workloads and their claims.

use std::cmp::Reverse;

use jiff::SignedDuration;
use serde_json::Value;

use crate::{
    api::list,
    pod::{self, Why},
    ready::{ClusterView, Condition, Missing, Verdict, pods, suspend},
    report::one_line,
};

/// A volume is made and bound within this long, where nothing has to come first.
pub(super) const BINDS: SignedDuration = SignedDuration::from_mins(5);
const CLASSES: &str = "StorageClass.storage.k8s.io";

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

fn wanted(live: &Value) -> i64 {
    live["spec"]["replicas"].as_i64().unwrap_or(1)
}

/// Whether the controller has seen what was asked for last.
fn observed(live: &Value) -> bool {
    let generation = live["metadata"]["generation"].as_i64().unwrap_or_default();
    number(&live["status"]["observedGeneration"]) >= generation
}

pub(super) fn deployment(live: &Value, cluster: &ClusterView<'_>) -> Verdict {
    let (status, wanted) = (&live["status"], wanted(live));
    if !observed(live) {
        return Verdict::Waiting("its controller has not seen it yet".into());
    }
    let available = number(&status["availableReplicas"]);
    let done = number(&status["updatedReplicas"]) == wanted
        && number(&status["replicas"]) == wanted
        && available == wanted;
    if !done && let Some(failure) = Condition::of(live, "ReplicaFailure").filter(|it| it.is("True"))
    {
        let text = failure.text();
        let why = pod::not_created(&text);
        let missing = Missing::because(why, text);
        return if why == Why::PodSecurity {
            Verdict::Failed(missing)
        } else {
            not_made(missing, failure.since(cluster))
        };
    }
    if !done && live["spec"]["paused"] == true {
        return Verdict::Suspended("spec.paused is true".into());
    }
    past_its_deadline(
        live,
        cluster,
        by_pods(live, cluster, done, available, wanted),
    )
}

/// A Deployment says itself how long it may go without progress. A large image may take longer than that. A pod whose
/// containers all run pulls nothing any more.
fn past_its_deadline(live: &Value, cluster: &ClusterView<'_>, verdict: Verdict) -> Verdict {
    let is_late = Condition::of(live, "Progressing")
        .is_some_and(|it| it.is("False") && it.reason() == "ProgressDeadlineExceeded");
    match verdict {
        Verdict::Waiting(missing) if is_late => {
            let pods = cluster.pods(live);
            let pod = pods.iter().find(|pod| {
                let name = pod["metadata"]["name"].as_str();
                missing.pod.is_some() && name == missing.pod.as_deref()
            });
            if !pod.is_some_and(|pod| pods::runs(pod) && !Condition::holds(pod, "Ready")) {
                return Verdict::Waiting(missing);
            }
            let what = format!("{}; its progressDeadlineSeconds are over", missing.what);
            Verdict::Stuck(Missing {
                what,
                why: None,
                ..missing
            })
        }
        other => other,
    }
}

pub(super) fn replica_set(live: &Value, cluster: &ClusterView<'_>) -> Verdict {
    let (ready, wanted) = (number(&live["status"]["readyReplicas"]), wanted(live));
    by_pods(
        live,
        cluster,
        observed(live) && ready == wanted,
        ready,
        wanted,
    )
}

pub(super) fn stateful_set(live: &Value, cluster: &ClusterView<'_>) -> Verdict {
    let (status, wanted) = (&live["status"], wanted(live));
    let ready = number(&status["readyReplicas"]);
    let by_hand = live["spec"]["updateStrategy"]["type"] == "OnDelete";
    let partition = number(&live["spec"]["updateStrategy"]["rollingUpdate"]["partition"]);
    let current = by_hand
        || partition > 0
        || wanted == 0
        || status["currentRevision"] == status["updateRevision"];
    by_pods(
        live,
        cluster,
        observed(live) && ready == wanted && current,
        ready,
        wanted,
    )
}

pub(super) fn daemon_set(live: &Value, cluster: &ClusterView<'_>) -> Verdict {
    let status = &live["status"];
    let wanted = number(&status["desiredNumberScheduled"]);
    let ready = number(&status["numberReady"]);
    let by_hand = live["spec"]["updateStrategy"]["type"] == "OnDelete";
    let current = by_hand || number(&status["updatedNumberScheduled"]) == wanted;
    by_pods(
        live,
        cluster,
        observed(live) && ready == wanted && current,
        ready,
        wanted,
    )
}

/// What the counts say, then what the pods themselves say.
fn by_pods(live: &Value, cluster: &ClusterView<'_>, done: bool, have: i64, wanted: i64) -> Verdict {
    let mut worst: Option<(String, Verdict)> = None;
    for pod in cluster.pods(live) {
        // An old one that failed has been replaced.
        if matches!(
            pod["status"]["phase"].as_str(),
            Some("Failed" | "Succeeded")
        ) {
            continue;
        }
        let mut verdict = pods::of(pod, cluster);
        if live["spec"]["progressDeadlineSeconds"].is_null() {
            verdict = pods::in_time(verdict, pod, cluster);
        }
        let is_worse = match (&worst, &verdict) {
            (_, Verdict::Ready) => false,
            (None, _) => true,
            (Some((_, known)), Verdict::Stuck(_)) => !matches!(known, Verdict::Stuck(_)),
            _ => false,
        };
        if is_worse {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            worst = Some((name.to_owned(), verdict));
        }
    }
    let counts = format!("{have} of {wanted} ready");
    match worst {
        Some((pod, Verdict::Stuck(why))) if !done => Verdict::Stuck(why.of_pod(&counts, &pod)),
        Some((pod, verdict)) => {
            let missing = verdict.missing().cloned().unwrap_or_default();
            Verdict::Waiting(missing.of_pod(&counts, &pod))
        }
        None if done => Verdict::Ready,
        None => match refused(live, cluster) {
            Some((missing, age)) => not_made(missing.counted(&counts), age),
            None => Verdict::Waiting(counts.into()),
        },
    }
}

/// What the server said last when it refused to make a pod of a workload, and for how long it says so. Only
/// Deployments have a condition for that.
fn refused(live: &Value, cluster: &ClusterView<'_>) -> Option<(Missing, SignedDuration)> {
    let of = |event: &&Value| event["involvedObject"]["uid"] == live["metadata"]["uid"];
    let events = cluster.view.all("Event.").filter(of);
    let last = events.max_by_key(|event| event["lastTimestamp"].as_str().unwrap_or_default())?;
    // The API server puts it before a message that stands for several.
    let message = last["message"].as_str()?;
    let message = one_line(message.trim_start_matches("(combined from similar events): "));
    let age = cluster.since(&last["firstTimestamp"]);
    Some((Missing::because(pod::not_created(&message), message), age))
}

/// What a workload is whose pods the server refuses.
fn not_made(missing: Missing, age: SignedDuration) -> Verdict {
    let is_stuck = missing
        .why
        .is_some_and(|why| why == Why::PodSecurity || pods::lasts(why, age));
    if is_stuck {
        Verdict::Stuck(missing)
    } else {
        Verdict::Waiting(missing)
    }
}

pub(super) fn job(live: &Value, cluster: &ClusterView<'_>) -> Verdict {
    if Condition::holds(live, "Complete") || Condition::holds(live, "SuccessCriteriaMet") {
        return Verdict::Ready;
    }
    for kind in ["Failed", "FailureTarget"] {
        if let Some(failed) = Condition::of(live, kind).filter(|it| it.is("True")) {
            let pods = cluster.pods(live);
            let last = pods
                .iter()
                .rev()
                .find(|pod| pod["status"]["phase"] == "Failed");
            let end = last.map_or(String::new(), |pod| format!(" ({})", pods::ended(pod)));
            return Verdict::Failed(format!("{}{end}", failed.text()).into());
        }
    }
    if live["spec"]["suspend"] == true {
        return suspend::verdict(live, "spec.suspend is true");
    }
    let pods = cluster.pods(live);
    let running = pods.iter().find(|pod| {
        !matches!(
            pod["status"]["phase"].as_str(),
            Some("Failed" | "Succeeded")
        )
    });
    let Some(pod) = running else {
        let refused = refused(live, cluster).filter(|_| pods.is_empty());
        return match refused {
            Some((missing, age)) => not_made(missing, age),
            None => tried(live, &pods),
        };
    };
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    match pods::of(pod, cluster) {
        Verdict::Stuck(why) => Verdict::Stuck(why.of_pod("", name)),
        Verdict::Waiting(why) if !Condition::holds(pod, "Ready") => {
            Verdict::Waiting(why.of_pod("", name))
        }
        _ => Verdict::Waiting(Missing::from("running").of_pod("", name)),
    }
}

/// A Job of which no pod runs: its last one may have failed, and another one comes. They are tried as a container of a pod
/// is, after ever longer pauses.
fn tried(live: &Value, pods: &[&Value]) -> Verdict {
    let failed = number(&live["status"]["failed"]);
    let failures = pods.iter().filter(|pod| pod["status"]["phase"] == "Failed");
    let last = failures.max_by_key(|pod| part(pod, "creationTimestamp"));
    let Some(last) = last.filter(|_| failed > 0) else {
        return Verdict::Waiting("not complete".into());
    };
    let ended = pods::ended(last);
    let what = match failed {
        1 => format!("a pod of it failed ({ended}), and another one is to come"),
        _ => format!("{failed} pods of it failed, last with {ended}, and another one is to come"),
    };
    let missing = Missing::because(Why::Crash, what).of_pod("", part(last, "name"));
    if failed >= pods::CRASHES {
        Verdict::Stuck(missing)
    } else {
        Verdict::Waiting(missing)
    }
}

pub(super) fn claim(live: &Value, cluster: &ClusterView<'_>) -> Verdict {
    let phase = live["status"]["phase"].as_str().unwrap_or("Pending");
    match phase {
        "Bound" => return Verdict::Ready,
        "Lost" => return Verdict::Failed("its volume is lost".into()),
        _ => {}
    }
    if let Some(refusal) = cluster.view.refusal(CLASSES) {
        let what = format!("{phase}, and its StorageClass cannot be seen: {refusal}");
        // It may wait for its first pod, as most do.
        return if is_used(live, cluster) {
            Verdict::Waiting(what.into())
        } else {
            Verdict::Stuck(what.into())
        };
    }
    let classes = || cluster.view.all(CLASSES);
    let is_default = |class: &&Value| {
        class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    };
    let name = live["spec"]["storageClassName"].as_str();
    let class = match name {
        Some("") => None,
        Some(name) => classes().find(|class| class["metadata"]["name"] == name),
        // Of several the newest counts, of equally new ones the first by name.
        None => classes().filter(is_default).max_by_key(|class| {
            let class: &Value = class;
            (
                part(class, "creationTimestamp"),
                Reverse(part(class, "name")),
            )
        }),
    };
    let Some(class) = class else {
        if !cluster.view.is_synced(CLASSES) {
            return Verdict::Waiting(phase.into());
        }
        return match name {
            Some("") => Verdict::Waiting(format!("{phase}: no volume matches it").into()),
            Some(name) => {
                Verdict::Stuck(format!("{phase}: there is no StorageClass {name}").into())
            }
            None => Verdict::Stuck(format!("{phase}: there is no default StorageClass").into()),
        };
    };
    if class["volumeBindingMode"] == "WaitForFirstConsumer" {
        return if is_used(live, cluster) {
            Verdict::Waiting(phase.into())
        } else {
            Verdict::Ready
        };
    }
    if cluster.since(&live["metadata"]["creationTimestamp"]) > BINDS {
        let provisioner = class["provisioner"].as_str().unwrap_or_default();
        return Verdict::Stuck(format!("{phase}: {provisioner} has made no volume for it").into());
    }
    Verdict::Waiting(phase.into())
}

fn part<'a>(object: &'a Value, key: &str) -> &'a str {
    object["metadata"][key].as_str().unwrap_or_default()
}

/// Whether a pod mounts a claim.
fn is_used(claim: &Value, cluster: &ClusterView<'_>) -> bool {
    let claim = &claim["metadata"];
    cluster.view.all("Pod.").any(|pod| {
        pod["metadata"]["namespace"] == claim["namespace"]
            && list(&pod["spec"]["volumes"])
                .any(|volume| volume["persistentVolumeClaim"]["claimName"] == claim["name"])
    })
}
