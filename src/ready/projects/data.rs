//! What stores, guards and measures: databases, snapshots, policies, proxies, collectors.

use serde_json::Value;

use super::{number, unseen};
use crate::{
    api::{list, string},
    ready::{ClusterView, Verdict, conditions::unobserved, generic::NO_STATUS},
    report::one_line,
};

/// What a database of `CloudNativePG` holds: applied or not, and why.
pub(in crate::ready) fn applied(live: &Value, _: &ClusterView<'_>) -> Verdict {
    if let Some(unseen) = unseen(live) {
        return unseen;
    }
    match live["status"]["applied"].as_bool() {
        Some(true) => Verdict::Ready,
        Some(false) => {
            let message = live["status"]["message"].as_str().map(one_line);
            Verdict::Stuck(message.unwrap_or_else(|| "not applied".to_owned()).into())
        }
        None => Verdict::Waiting("not applied yet".into()),
    }
}

/// A tenant of `MinIO`.
pub(in crate::ready) fn tenant(live: &Value, _: &ClusterView<'_>) -> Verdict {
    let status = &live["status"];
    let state = status["currentState"].as_str().unwrap_or(NO_STATUS);
    if status["healthStatus"] == "red" {
        return Verdict::Stuck(format!("{state}: its health is red").into());
    }
    if state == "Initialized" {
        return Verdict::Ready;
    }
    Verdict::Waiting(state.into())
}

/// A cluster whose members are counted by rack.
pub(in crate::ready) fn racks(live: &Value, _: &ClusterView<'_>) -> Verdict {
    let racks = live["status"]["racks"].as_object();
    let Some(racks) = racks.filter(|racks| !racks.is_empty()) else {
        return Verdict::Waiting(NO_STATUS.into());
    };
    for (name, rack) in racks {
        let (ready, wanted) = (number(&rack["readyMembers"]), number(&rack["members"]));
        if ready < wanted {
            return Verdict::Waiting(format!("rack {name}: {ready} of {wanted} ready").into());
        }
    }
    Verdict::Ready
}

/// Elasticsearch: at what was asked for, and every primary shard is there. On one node it stays yellow.
pub(in crate::ready) fn elasticsearch(live: &Value, _: &ClusterView<'_>) -> Verdict {
    if let Some(unseen) = unseen(live) {
        return unseen;
    }
    let status = &live["status"];
    let part = |key: &str| status[key].as_str().unwrap_or("unknown");
    let what = format!("phase {}, health {}", part("phase"), part("health"));
    match (part("phase"), part("health")) {
        ("Ready", "green" | "yellow") => Verdict::Ready,
        ("Invalid" | "Stalled", _) | ("Ready", "red") => Verdict::Stuck(what.into()),
        _ => Verdict::Waiting(what.into()),
    }
}

/// A collector of OpenTelemetry: its replicas as `ready/wanted`. One that is injected into pods has none.
pub(in crate::ready) fn collector(live: &Value, _: &ClusterView<'_>) -> Verdict {
    if live["spec"]["mode"] == "sidecar" {
        return Verdict::Ready;
    }
    if let Some(unseen) = unseen(live) {
        return unseen;
    }
    let counts = live["status"]["scale"]["statusReplicas"]
        .as_str()
        .unwrap_or_default();
    let parsed = counts.split_once('/').and_then(|(ready, wanted)| {
        Some((ready.parse::<i64>().ok()?, wanted.parse::<i64>().ok()?))
    });
    match parsed {
        Some((ready, wanted)) if ready >= wanted => Verdict::Ready,
        Some(_) => Verdict::Waiting(format!("{counts} replicas are ready").into()),
        None => Verdict::Waiting("its replicas are not counted yet".into()),
    }
}

/// An object of Gloo: its state as text or number, by the namespace of the controller that wrote it.
pub(in crate::ready) fn gloo(live: &Value, _: &ClusterView<'_>) -> Verdict {
    let status = &live["status"];
    let by_namespace = status["statuses"].as_object();
    let mut told: Vec<&Value> = by_namespace
        .into_iter()
        .flat_map(|it| it.values())
        .collect();
    if told.is_empty() {
        told.push(status);
    }
    for state in told {
        let reason = state["reason"].as_str().map(one_line).unwrap_or_default();
        match (
            &state["state"],
            state["state"].as_i64(),
            state["state"].as_str(),
        ) {
            (_, Some(1), _) | (_, _, Some("Accepted")) => {}
            (_, Some(2), _) | (_, _, Some("Rejected")) => {
                return Verdict::Stuck(format!("rejected: {reason}").into());
            }
            (_, Some(3), _) | (_, _, Some("Warning")) => {
                return Verdict::Stuck(format!("warning: {reason}").into());
            }
            (Value::Null, ..) => return Verdict::Waiting(NO_STATUS.into()),
            _ => return Verdict::Waiting("pending".into()),
        }
    }
    Verdict::Ready
}

/// A template of Gatekeeper's: its constraints can be made.
pub(in crate::ready) fn template(live: &Value, _: &ClusterView<'_>) -> Verdict {
    let pods = || list(&live["status"]["byPod"]);
    let mut errors = pods().flat_map(|pod| list(&pod["errors"]));
    if let Some(error) = errors.next() {
        let message = error["message"].as_str().map(one_line).unwrap_or_default();
        return Verdict::Stuck(message.into());
    }
    if live["status"]["created"] == true {
        return Verdict::Ready;
    }
    Verdict::Waiting("its definition is not there yet".into())
}

/// A policy of Open Cluster Management: whether the clusters comply.
pub(in crate::ready) fn compliance(live: &Value, _: &ClusterView<'_>) -> Verdict {
    // Nobody has to comply with it.
    if live["spec"]["disabled"] == true {
        return Verdict::Ready;
    }
    let status = &live["status"];
    let clusters = || list(&status["status"]);
    let compliant = string(&status["compliant"]);
    let bad = clusters().find(|cluster| cluster["compliant"] == "NonCompliant");
    if let Some(name) = bad.map(|cluster| cluster["clustername"].as_str().unwrap_or_default()) {
        return Verdict::Stuck(format!("NonCompliant on {name}").into());
    }
    if let Some(unseen) = unobserved(live) {
        return unseen;
    }
    match compliant.as_deref() {
        Some("Compliant") => Verdict::Ready,
        Some("NonCompliant") => Verdict::Stuck("NonCompliant".into()),
        Some(other) => Verdict::Waiting(other.into()),
        // Where it is placed on no cluster, there is nobody to comply.
        None if !status["placement"].is_null() => Verdict::Ready,
        None => Verdict::Waiting(NO_STATUS.into()),
    }
}

/// A snapshot of a volume.
pub(in crate::ready) fn snapshot(live: &Value, _: &ClusterView<'_>) -> Verdict {
    let status = &live["status"];
    if let Some(message) = string(&status["error"]["message"]) {
        return Verdict::Stuck(one_line(&message).into());
    }
    if status["readyToUse"] == true {
        return Verdict::Ready;
    }
    Verdict::Waiting("not ready to use".into())
}
