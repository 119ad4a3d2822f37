//! Probes: which of them fails, and what is wrong about it.

use serde_json::Value;

use super::{Finding, Scene, lines};
use crate::{
    logs::{
        diagnose::{
            Class,
            index::{began, times},
        },
        snapshot::{Container, Object, containers, list},
    },
    pod::brief,
};

/// How often a probe has to fail, and minutes for which that counts.
const OFTEN: i64 = 3;
const RECENT: i64 = 10;

/// Containers that are restarted, since their liveness or startup probe fails, in pods that are ready in between.
pub(super) fn liveness(scene: &Scene<'_>) -> Vec<Finding> {
    let pods = scene.index.pods().iter();
    let alive = pods.filter(|pod| pod.text("/metadata/deletionTimestamp").is_empty());
    alive
        .filter_map(|pod| {
            let all = containers(pod);
            let container = all.iter().find(|it| {
                it.role == "container" && it.restarts() > 0 && it.status["ready"] == true
            })?;
            let (class, event) = killed(scene, pod, container)?;
            Some(finding(scene, pod, container, class, event))
        })
        .collect()
}

/// The event by which it is known that the kubelet restarts a container because of a probe.
pub(super) fn killed<'a>(
    scene: &Scene<'a>,
    pod: &Object,
    container: &Container<'_>,
) -> Option<(Class, &'a Object)> {
    let events = scene.index.events_of(pod);
    let of_container = |event: &&&Object| {
        let field = event.text("/involvedObject/fieldPath");
        field.is_empty() || field.contains(&format!("{{{}}}", container.name))
    };
    let recent = |event: &&&Object| scene.index.is_recent(event, RECENT);
    let failing = |word: &str| {
        let start = format!("{word} probe failed");
        let mut of_probe = events.iter().rev().filter(of_container).filter(recent);
        of_probe.find(|event| {
            event.text("/reason") == "Unhealthy" && event.text("/message").starts_with(&start)
        })
    };
    for (word, class) in [
        ("Liveness", Class::LivenessProbeFails),
        ("Startup", Class::StartupProbeFails),
    ] {
        let Some(event) = failing(word) else {
            continue;
        };
        let killing = format!("failed {} probe", word.to_lowercase());
        let is_killed = events
            .iter()
            .filter(of_container)
            .filter(recent)
            .any(|event| {
                event.text("/reason") == "Killing" && event.text("/message").contains(&killing)
            });
        if (times(event) >= OFTEN || is_killed && container.restarts() > 1)
            && container.restarts() > 0
        {
            return Some((class, event));
        }
    }
    None
}

/// A probe that fails.
pub(super) fn finding(
    scene: &Scene<'_>,
    pod: &Object,
    container: &Container<'_>,
    class: Class,
    event: &Object,
) -> Finding {
    let message = event.text("/message");
    let word = match class {
        Class::LivenessProbeFails => "liveness",
        Class::StartupProbeFails => "startup",
        _ => "readiness",
    };
    let key = format!("{word}Probe");
    let wrong = wrong(message, container, &container.spec[key.as_str()], class);
    let name = container.name;
    let restarts = if container.restarts() > 0 && class != Class::ReadinessProbeFails {
        format!(
            ", and the kubelet has restarted it {} times",
            container.restarts()
        )
    } else {
        String::new()
    };
    let said = format!("the {word} probe of container {name} fails{restarts}: {wrong}");
    Finding::new(class, scene.index.owner(pod), said)
        .needing(lines::needs(scene, pod))
        .shown([scene.evidence(event, message)])
        .since(began(event))
}

/// What is wrong about a probe, by the words of the kubelet and of Go's HTTP client.
fn wrong(message: &str, container: &Container<'_>, probe: &Value, class: Class) -> String {
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let said = message
        .split_once("failed: ")
        .map_or(message, |(_, rest)| rest);
    let port = port(said);
    let declared: Vec<i64> = list(container.spec, "/ports")
        .iter()
        .filter_map(|it| it["containerPort"].as_i64())
        .collect();
    if let Some(port) = port
        && !declared.is_empty()
        && !declared.contains(&port)
        && has(&[
            "refused",
            "failed to connect",
            "deadline exceeded",
            "timeout",
        ])
    {
        let ports: Vec<String> = declared.iter().map(ToString::to_string).collect();
        return format!(
            "nothing answers on port {port}; the container declares port {}",
            ports.join(", ")
        );
    }
    if has(&["malformed HTTP"]) {
        return format!(
            "it asks by HTTP, and port {} speaks another protocol, such as gRPC",
            shown(port)
        );
    }
    if has(&[
        "HTTP response to HTTPS client",
        "first record does not look like a TLS handshake",
    ]) {
        return format!("it asks by HTTPS, and port {} speaks HTTP", shown(port));
    }
    if has(&["HTTP request to an HTTPS server"]) {
        return format!("it asks by HTTP, and port {} wants HTTPS", shown(port));
    }
    if has(&["statuscode: 404"]) {
        let path = probe.pointer("/httpGet/path").and_then(Value::as_str);
        return format!("the path {} is not there (404)", path.unwrap_or("/"));
    }
    if has(&["statuscode: 401", "statuscode: 403"]) {
        return "the path asks for a login (401 or 403)".to_owned();
    }
    if has(&["statuscode: 5"]) {
        return format!("the container says that it is not well: {}", brief(said));
    }
    let number = |key: &str, default: i64| probe[key].as_i64().unwrap_or(default);
    if class != Class::ReadinessProbeFails && has(&["failed to connect", "refused"]) {
        let time = number("initialDelaySeconds", 0)
            + number("periodSeconds", 10) * number("failureThreshold", 3);
        let given = if probe.get("periodSeconds").is_some() {
            format!("the {time} s that the probe gives it")
        } else {
            "the time that the probe gives it".to_owned()
        };
        return format!(
            "nothing listens on port {} yet: the container does not start within {given}, or it hangs ({})",
            shown(port),
            brief(said)
        );
    }
    if has(&["refused"]) {
        return format!("nothing listens on port {}: {}", shown(port), brief(said));
    }
    if has(&[
        "deadline exceeded",
        "Client.Timeout",
        "did not complete within",
        "timed out",
        "timeout",
    ]) {
        return format!("no answer came in time: {}", brief(said));
    }
    brief(said)
}

fn shown(port: Option<i64>) -> String {
    port.map_or_else(|| "of the probe".to_owned(), |port| port.to_string())
}

/// The first port of an address in a message.
fn port(message: &str) -> Option<i64> {
    let mut parts = message.split(':').skip(1);
    parts.find_map(|part| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits
            .parse()
            .ok()
            .filter(|port| (1..=65535).contains(port))
    })
}

#[cfg(test)]
mod tests;
