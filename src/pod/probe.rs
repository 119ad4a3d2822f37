//! Why a container that runs is not ready: by its probes, and by what the kubelet told of them.

use serde_json::Value;

use super::{Why, brief, events::told};
use crate::api::list;

/// The probes that a container has to pass before it is ready.
const PROBES: [&str; 2] = ["startupProbe", "readinessProbe"];

/// What keeps a container from being ready: why, in words, and what the kubelet said of it.
pub(super) fn unready<'a>(spec: &'a Value, events: &[&'a Value]) -> Option<(Why, String, &'a str)> {
    if let Some(port) = PROBES.iter().find_map(|probe| unknown(&spec[*probe], spec)) {
        let what = format!("its probe calls the port {port}, and no port of it has that name");
        return Some((Why::ProbePort, what, ""));
    }
    let said = told(events, &["Unhealthy"], "probe failed")
        .or_else(|| told(events, &["Unhealthy"], "probe errored"))?;
    let why = if is_refused(said) && !said.starts_with("Liveness") {
        Why::Probe
    } else {
        Why::NotReady
    };
    Some((why, brief(said), said))
}

/// The name by which a probe calls a port that its container does not have.
fn unknown<'a>(probe: &'a Value, spec: &Value) -> Option<&'a str> {
    let mut calls = ["httpGet", "tcpSocket"].into_iter();
    let port = calls.find_map(|how| probe[how]["port"].as_str())?;
    let is_known = port.parse::<u16>().is_ok() || list(&spec["ports"]).any(|it| it["name"] == port);
    (!is_known).then_some(port)
}

/// Whether what answers a probe has no such page, or wants to know who asks: it is up, and will say so again.
fn is_refused(said: &str) -> bool {
    let code = said
        .rsplit_once("statuscode: ")
        .map(|(_, code)| code.trim());
    matches!(code, Some("400" | "401" | "403" | "404" | "405"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(spec: &Value, message: &str) -> Option<(Why, String)> {
        let event = json!({"reason": "Unhealthy", "message": message});
        unready(spec, &[&event]).map(|(why, what, _)| (why, what))
    }

    #[test]
    fn a_probe_that_calls_a_port_by_no_name_of_its_container_never_succeeds() {
        for (port, is_unknown) in [
            (json!("htp"), true),
            (json!("http"), false),
            (json!("8080"), false),
            (json!(8080), false),
        ] {
            for (probe, how) in [("readinessProbe", "httpGet"), ("startupProbe", "tcpSocket")] {
                let mut spec = json!({"ports": [{"name": "http", "containerPort": 8080}]});
                spec[probe] = json!({how: {"port": port}});
                let said = unready(&spec, &[]).map(|(why, what, _)| (why, what));
                let what = "its probe calls the port htp, and no port of it has that name";
                let expected = is_unknown.then(|| (Why::ProbePort, what.to_owned()));
                assert_eq!(said, expected, "{spec}");
            }
        }
        // A liveness probe that cannot be made is passed over by the kubelet.
        let spec = json!({"livenessProbe": {"httpGet": {"port": "htp"}}});
        assert_eq!(unready(&spec, &[]), None);
    }

    #[test]
    fn what_says_that_it_has_no_such_page_is_up_and_what_is_silent_may_still_come() {
        for (message, why) in [
            (
                "Readiness probe failed: HTTP probe failed with statuscode: 404",
                Why::Probe,
            ),
            (
                "Startup probe failed: HTTP probe failed with statuscode: 401",
                Why::Probe,
            ),
            // It is on its way, or too busy.
            (
                "Readiness probe failed: HTTP probe failed with statuscode: 503",
                Why::NotReady,
            ),
            (
                "Readiness probe failed: HTTP probe failed with statuscode: 429",
                Why::NotReady,
            ),
            (
                "Readiness probe failed: dial tcp 10.0.0.1:404: connect: connection refused",
                Why::NotReady,
            ),
            // The kubelet ends a container for that.
            (
                "Liveness probe failed: HTTP probe failed with statuscode: 404",
                Why::NotReady,
            ),
            (
                "Readiness probe errored and resulted in unknown state: rpc error",
                Why::NotReady,
            ),
        ] {
            assert_eq!(of(&json!({}), message), Some((why, message.to_owned())));
        }
    }
}
