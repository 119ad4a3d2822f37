//! Workloads and their claims.

use serde_json::Value;

use crate::{
    api::list,
    pod::{self, Why},
    ready::{ClusterView, Condition, Missing, Verdict, pods, suspend},
    report::one_line,
};

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
            Verdict::Waiting(missing)
        };
    }
    if !done && live["spec"]["paused"] == true {
        return Verdict::Suspended("spec.paused is true".into());
    }
    by_pods(live, cluster, done, available, wanted)
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
        let verdict = pods::of(pod, cluster);
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
            Some(missing) if missing.why == Some(Why::PodSecurity) => {
                Verdict::Stuck(missing.counted(&counts))
            }
            Some(missing) => Verdict::Waiting(missing.counted(&counts)),
            None => Verdict::Waiting(counts.into()),
        },
    }
}

/// What the server said last when it refused to make a pod of a workload. Only Deployments have a condition for that.
fn refused(live: &Value, cluster: &ClusterView<'_>) -> Option<Missing> {
    let of = |event: &&Value| event["involvedObject"]["uid"] == live["metadata"]["uid"];
    let events = cluster.view.all("Event.").filter(of);
    let last = events.max_by_key(|event| event["lastTimestamp"].as_str().unwrap_or_default())?;
    let message = one_line(last["message"].as_str()?);
    Some(Missing::because(pod::not_created(&message), message))
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
        let refused = if pods.is_empty() {
            refused(live, cluster)
        } else {
            None
        };
        return Verdict::Waiting(refused.unwrap_or_else(|| "not complete".into()));
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

pub(super) fn claim(live: &Value, cluster: &ClusterView<'_>) -> Verdict {
    let phase = live["status"]["phase"].as_str().unwrap_or("Pending");
    match phase {
        "Bound" => return Verdict::Ready,
        "Lost" => return Verdict::Failed("its volume is lost".into()),
        _ => {}
    }
    let classes = || cluster.view.all("StorageClass.storage.k8s.io");
    let is_default = |class: &&Value| {
        class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    };
    let name = live["spec"]["storageClassName"].as_str();
    let class = match name {
        Some("") => None,
        Some(name) => classes().find(|class| class["metadata"]["name"] == name),
        None => classes().find(is_default),
    };
    let Some(class) = class else {
        if !cluster.view.is_synced("StorageClass.storage.k8s.io") {
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
        let claim = &live["metadata"];
        let used = cluster.view.all("Pod.").any(|pod| {
            pod["metadata"]["namespace"] == claim["namespace"]
                && list(&pod["spec"]["volumes"])
                    .any(|volume| volume["persistentVolumeClaim"]["claimName"] == claim["name"])
        });
        if !used {
            return Verdict::Ready;
        }
    }
    Verdict::Waiting(phase.into())
}
