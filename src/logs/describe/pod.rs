//! A pod told in text, with the ends of its failed containers' logs.

use serde_json::Value;

use super::Writer;
use crate::logs::snapshot::{Container, Log, Object, Snapshot, containers, list, text};

/// A pod's state in a few words: its phase, or why its containers wait.
pub fn state(pod: &Object) -> String {
    let mut words = vec![pod.text("/status/phase").to_owned()];
    let reason = pod.text("/status/reason");
    if !reason.is_empty() {
        words.push(reason.to_owned());
    }
    for container in containers(pod) {
        let reason = text(container.status, "/state/waiting/reason");
        if !reason.is_empty() && reason != "PodInitializing" {
            words.push(format!("{}: {reason}", container.name));
        }
        if let Some(code) = container
            .status
            .pointer("/state/terminated/exitCode")
            .and_then(Value::as_i64)
            .filter(|code| *code != 0)
        {
            words.push(format!("{} ended with exit code {code}", container.name));
        }
        if container.restarts() > 0 {
            words.push(format!(
                "{} restarted {}×",
                container.name,
                container.restarts()
            ));
        }
    }
    words.join(", ")
}

pub(super) fn describe(out: &mut Writer, snapshot: &Snapshot, pod: &Object) {
    out.field(0, "State", state(pod));
    out.some(0, "Message", pod.text("/status/message"));
    out.some(0, "Node", pod.text("/spec/nodeName"));
    out.some(0, "IP", pod.text("/status/podIP"));
    out.some(0, "Service account", pod.text("/spec/serviceAccountName"));
    out.some(0, "QoS class", pod.text("/status/qosClass"));
    for container in containers(pod) {
        out.heading(0, &format!("{} {}", container.role, container.name));
        describe_container(out, &container);
        for previous in [true, false] {
            let log = snapshot.log(pod, container.name, previous);
            let tail = log.map_or(&[][..], Log::tail);
            let failed = container.has_previous() || terminated_badly(&container);
            if failed && !tail.is_empty() {
                let which = if previous { "previous" } else { "current" };
                out.heading(2, &format!("Last lines of the {which} log"));
                for line in tail.iter().rev().take(12).rev() {
                    out.line(4, &line.text);
                }
            }
        }
    }
    let volumes = pod.list("/spec/volumes");
    if !volumes.is_empty() {
        out.heading(0, "Volumes");
    }
    for volume in volumes {
        let source = [
            "persistentVolumeClaim",
            "configMap",
            "secret",
            "hostPath",
            "emptyDir",
            "projected",
            "csi",
        ]
        .iter()
        .find_map(|kind| volume.get(*kind).map(|source| (*kind, source)));
        let Some((kind, source)) = source else {
            continue;
        };
        let of = ["claimName", "name", "secretName", "path", "driver"]
            .iter()
            .map(|field| {
                source
                    .get(*field)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            })
            .find(|name| !name.is_empty())
            .unwrap_or_default();
        out.field(2, text(volume, "/name"), format!("{kind} {of}"));
    }
}

fn terminated_badly(container: &Container<'_>) -> bool {
    container
        .status
        .pointer("/state/terminated/exitCode")
        .and_then(Value::as_i64)
        .is_some_and(|code| code != 0)
}

fn describe_container(out: &mut Writer, container: &Container<'_>) {
    out.some(2, "Image", text(container.spec, "/image"));
    let words = |pointer| {
        let words: Vec<_> = list(container.spec, pointer)
            .iter()
            .filter_map(Value::as_str)
            .collect();
        words.join(" ")
    };
    out.some(2, "Command", &words("/command"));
    out.some(2, "Arguments", &words("/args"));
    for which in ["state", "lastState"] {
        let Some(Value::Object(states)) = container.status.get(which) else {
            continue;
        };
        for (name, details) in states {
            let mut line = name.clone();
            for (label, pointer) in [
                ("", "/reason"),
                ("exit code ", "/exitCode"),
                ("signal ", "/signal"),
                ("since ", "/startedAt"),
                ("until ", "/finishedAt"),
                ("", "/message"),
            ] {
                match details.pointer(pointer) {
                    Some(Value::String(value)) => line = format!("{line}, {label}{}", value.trim()),
                    Some(Value::Number(value)) => line = format!("{line}, {label}{value}"),
                    _ => {}
                }
            }
            let title = if which == "state" {
                "State"
            } else {
                "Last state"
            };
            out.field(2, title, line);
        }
    }
    if !container.status.is_null() {
        let ready = container.status.pointer("/ready") == Some(&Value::Bool(true));
        out.field(2, "Ready", if ready { "yes" } else { "no" });
        out.field(2, "Restarts", container.restarts());
    }
    for (name, pointer) in [
        ("Requests", "/resources/requests"),
        ("Limits", "/resources/limits"),
    ] {
        if let Some(Value::Object(map)) = container.spec.pointer(pointer) {
            let parts: Vec<_> = map
                .iter()
                .map(|(key, value)| format!("{key} {}", value.to_string().trim_matches('"')))
                .collect();
            out.field(2, name, parts.join(", "));
        }
    }
    for variable in list(container.spec, "/env") {
        let value = match variable.get("value").and_then(Value::as_str) {
            Some(value) => value.to_owned(),
            None => variable
                .get("valueFrom")
                .map_or(String::new(), |source| format!("from {source}")),
        };
        out.field(
            2,
            "Variable",
            format!("{}={value}", text(variable, "/name")),
        );
    }
    for mount in list(container.spec, "/volumeMounts") {
        out.field(
            2,
            "Mount",
            format!(
                "{} from {}",
                text(mount, "/mountPath"),
                text(mount, "/name")
            ),
        );
    }
}
