//! What explains what, and what is told first.

use super::{
    super::*,
    cases::{CRASHES, Cluster, READY, UNREADY, event, node, of, pod, service, waits},
};

fn told(findings: &[Finding]) -> Vec<(Class, Vec<Class>)> {
    let below = |it: &Finding| it.below.iter().map(|it| it.class).collect();
    findings.iter().map(|it| (it.class, below(it))).collect()
}

#[test]
fn ten_workloads_and_one_registry_are_one_cause() {
    let message = "dial tcp 1.2.3.4:443: i/o timeout";
    let pods: Vec<String> = (0..10)
        .map(|at| {
            pod(&format!("p{at}"), &waits("ErrImagePull", message))
                .replace("quay.io/x:1", &format!("quay.io/x{at}:1"))
        })
        .collect();
    let findings = diagnose(&Cluster::from(&pods[..]).snapshot());
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].affects.len(), 10);
    assert_eq!(
        findings[0].cause,
        "images of quay.io cannot be pulled: the registry is out of reach"
    );
}

#[test]
fn who_waits_for_a_database_is_below_what_is_wrong_with_it() {
    let cluster = of([
        pod("a", CRASHES),
        pod("b", CRASHES),
        service("db", "app: db", "{port: 5432, targetPort: 80}"),
        pod("db", &waits("ErrImagePull", "quay.io/x:1: not found")),
    ])
    .with_log("a", "error: dial tcp db:5432: connect: connection refused")
    .with_log(
        "b",
        "error: dial tcp db.n.svc:5432: connect: connection refused",
    );
    let findings = diagnose(&cluster.snapshot());
    assert_eq!(findings[0].class, Class::ImageNotFound);
    assert_eq!(findings[0].affects, ["Pod n/db"]);
    let below = &findings[0].below;
    assert_eq!(below.len(), 1, "{below:?}");
    assert_eq!(below[0].affects, ["Pod n/a", "Pod n/b"]);
}

#[test]
fn a_webhook_whose_backend_crashes_is_below_the_crash() {
    let webhook = "failed calling webhook \"w.example\": Post \"https://w.n.svc:443/\": no endpoints available";
    let cluster = of([
        pod("w", CRASHES),
        service("w", "app: w", "{port: 443, targetPort: 80}"),
        "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: r, namespace: 'n'}, spec: {replicas: 1}, status: {replicas: 0}}".to_owned(),
        event("ReplicaSet", "r", "FailedCreate", webhook),
    ]);
    let findings = diagnose(&cluster.snapshot());
    assert_eq!(
        told(&findings),
        [(Class::CrashLoop, vec![Class::WebhookDown])]
    );
}

#[test]
fn pods_of_a_node_that_is_gone_are_below_it() {
    let cluster = of([
        node("one", "Unknown", "Kubelet stopped posting node status."),
        pod("p", UNREADY),
        event("Pod", "p", "Unhealthy", "Readiness probe failed: timeout"),
        pod("q", &waits("ErrImagePull", "quay.io/x:1: not found")),
    ]);
    let findings = diagnose(&cluster.snapshot());
    let expected = [
        (Class::KubeletDown, vec![Class::ReadinessProbeFails]),
        (Class::ImageNotFound, vec![]),
    ];
    assert_eq!(told(&findings), expected);
}

#[test]
fn what_explains_more_is_told_first_and_what_nobody_misses_last() {
    let cluster = of([
        pod("web", READY),
        service("web", "application: web", "{port: 80, targetPort: 80}"),
        pod(
            "one",
            &waits("CreateContainerConfigError", "secret \"s\" not found"),
        ),
        pod("two", &waits("ErrImagePull", "quay.io/x:1: not found")),
        pod("three", &waits("ErrImagePull", "quay.io/x:1: not found")),
    ]);
    let classes: Vec<Class> = diagnose(&cluster.snapshot())
        .iter()
        .map(|it| it.class)
        .collect();
    let expected = [
        Class::ImageNotFound,
        Class::ConfigurationMissing,
        Class::ServiceSelectorMismatch,
    ];
    assert_eq!(classes, expected);
}

#[test]
fn two_that_need_each_other_are_not_below_each_other() {
    let cluster = of([
        pod("a", CRASHES),
        pod("b", CRASHES),
        service("a", "app: a", "{port: 80, targetPort: 80}"),
        service("b", "app: b", "{port: 80, targetPort: 80}"),
    ])
    .with_log("a", "error: dial tcp b:80: connect: connection refused")
    .with_log("b", "error: dial tcp a:80: connect: connection refused");
    let findings = diagnose(&cluster.snapshot());
    let count: usize = findings.iter().map(|it| 1 + it.symptoms().len()).sum();
    assert_eq!((findings.len(), count), (1, 2));
}
