//! What is wrong about a probe.

use serde_json::json;

use super::*;

#[test]
fn what_is_wrong_about_a_probe_is_told() {
    let spec = json!({"name": "c", "ports": [{"containerPort": 8080}],
        "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}, "initialDelaySeconds": 5, "periodSeconds": 5}});
    let status = json!({"name": "c", "restartCount": 2});
    let container = Container {
        role: "container",
        name: "c",
        spec: &spec,
        status: &status,
    };
    for (message, expected) in [
        (
            "Liveness probe failed: dial tcp 10.0.0.1:8081: connect: connection refused",
            "nothing answers on port 8081; the container declares port 8080",
        ),
        (
            "Liveness probe failed: timeout: failed to connect service \"10.0.0.1:8081\" within 1s: context deadline exceeded",
            "nothing answers on port 8081; the container declares port 8080",
        ),
        (
            "Liveness probe failed: Get \"http://10.0.0.1:8080/\": net/http: HTTP/1.x transport connection broken: malformed HTTP response \"\\x00\"",
            "it asks by HTTP, and port 8080 speaks another protocol, such as gRPC",
        ),
        (
            "Liveness probe failed: Get \"https://10.0.0.1:8080/\": http: server gave HTTP response to HTTPS client",
            "it asks by HTTPS, and port 8080 speaks HTTP",
        ),
        (
            "Liveness probe failed: HTTP probe failed with statuscode: 404",
            "the path /live is not there (404)",
        ),
        (
            "Liveness probe failed: dial tcp 10.0.0.1:8080: connect: connection refused",
            "nothing listens on port 8080 yet: the container does not start within the 20 s that the probe gives it, or it hangs (dial tcp 10.0.0.1:8080: connect: connection refused)",
        ),
        (
            "Liveness probe failed: command \"x\" timed out",
            "no answer came in time: command \"x\" timed out",
        ),
    ] {
        let probe = &spec["livenessProbe"];
        let said = wrong(message, &container, probe, Class::LivenessProbeFails);
        assert_eq!(said, expected, "{message}");
    }
}
