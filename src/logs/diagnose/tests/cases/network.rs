//! Services, and the addresses that workloads are given.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let web = |selector: &str, port: &str| service("web", selector, port);
    let known = "{port: 80, targetPort: 80}";
    let one = |selector: &str, port: &str| of([pod("web", READY), web(selector, port)]);
    let scaled = |replicas: u32, more: &str| {
        let deployment = deployment("web", replicas, "");
        of([deployment, web("app: web", known), more.to_owned()])
    };
    let with_variable = |value: &str| {
        let variable = format!(", env: [{{name: WEB, value: '{value}'}}]");
        of([
            pod("web", READY),
            web("app: web", known),
            pod_with("p", &variable, READY),
        ])
    };
    let looks_for = |name: &str| {
        of([
            pod_with("p", ", env: [{name: DB, value: 'db:5432'}]", CRASHES),
            deployment(name, 1, ""),
        ])
        .with_log("p", "dial tcp: lookup db on 10.96.0.10:53: no such host")
    };
    let with_quota = |allowed: u32| {
        let quota = format!(
            "{{apiVersion: v1, kind: ResourceQuota, metadata: {{name: q, namespace: 'n'}}, status: {{hard: {{services: '{allowed}'}}, used: {{services: '3'}}}}}}"
        );
        let mut cluster = looks_for("db");
        cluster.objects = format!("{}\n---\n{quota}", cluster.objects);
        cluster
    };
    vec![
        case(
            Class::ServiceSelectorMismatch,
            one("application: web", known),
            of([pod("web", READY), service("later", "app: later", known)]),
        ),
        case(
            Class::ServicePortMismatch,
            one("app: web", "{port: 80, targetPort: 8080}"),
            one("app: web", "{port: 8080, targetPort: 80}"),
        ),
        case(
            Class::ServicePortMismatch,
            one("app: web", "{port: 80, targetPort: grpc}"),
            one("app: web", "{port: 80, targetPort: http}"),
        ),
        case(
            Class::ServiceProtocolMismatch,
            one("app: web", "{port: 80, targetPort: 80, protocol: UDP}"),
            one("app: web", "{port: 80, targetPort: 80, protocol: TCP}"),
        ),
        case(
            Class::ZeroReplicas,
            scaled(0, ""),
            scaled(
                0,
                "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h, namespace: 'n'}, spec: {scaleTargetRef: {kind: Deployment, name: web}}}",
            ),
        ),
        case(
            Class::ServiceAddressWrong,
            with_variable("http://web:8080/x"),
            with_variable("http://web:80/x"),
        ),
        case(Class::ServiceMissing, looks_for("db"), looks_for("other")),
        case(Class::QuotaExceeded, with_quota(3), with_quota(4)),
    ]
}
