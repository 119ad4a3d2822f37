//! Clusters in which all is well, whatever their history.

use super::{
    super::*,
    cases::{CRASHES, Cluster, READY, deployment, event, events, node, of, pod, service, waits},
};

/// A pod that an object controls.
fn owned(pod: &str, kind: &str, name: &str) -> String {
    pod.replacen(
        "namespace: 'n',",
        &format!(
            "namespace: 'n', ownerReferences: [{{kind: {kind}, name: {name}, controller: true}}],"
        ),
        1,
    )
}

#[test]
fn what_is_over_is_no_cause() {
    let restarted = READY.replace(
        "restartCount: 0",
        "restartCount: 7, lastState: {terminated: {exitCode: 137, reason: OOMKilled}}",
    );
    let evicted = "phase: Failed, reason: Evicted, message: The node was low on resource";
    let failed =
        "phase: Failed, containerStatuses: [{name: c, state: {terminated: {exitCode: 1}}}]";
    let early = "error: dial tcp db:5432: connect: connection refused\nstarted\nready\nserving\nserving\nserving\nserving";
    let cluster = of([
        pod("restarted", &restarted),
        "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: r, namespace: 'n'}, spec: {replicas: 1}, status: {replicas: 1, readyReplicas: 1}}".to_owned(),
        owned(&pod("evicted", evicted), "ReplicaSet", "r"),
        "{apiVersion: batch/v1, kind: Job, metadata: {name: j, namespace: 'n'}, status: {conditions: [{type: Complete, status: 'True'}]}}".to_owned(),
        owned(&pod("retried", failed), "Job", "j"),
        "{apiVersion: batch/v1, kind: CronJob, metadata: {name: c, namespace: 'n'}, status: {lastSuccessfulTime: '2026-01-01T01:00:00Z'}}".to_owned(),
        owned("{apiVersion: batch/v1, kind: Job, metadata: {name: k, namespace: 'n', creationTimestamp: '2026-01-01T00:00:00Z'}, status: {conditions: [{type: Failed, status: 'True', reason: r, message: m}]}}", "CronJob", "c"),
        owned(&pod("failed", failed), "Job", "k"),
        pod("early", READY),
        service("db", "app: db", "{port: 5432, targetPort: 80}"),
        pod("db", READY),
        events("Pod", "db", "Unhealthy", "Readiness probe failed: dial tcp 10.0.0.1:80: connect: connection refused", 4),
    ])
    .with_log("early", early);
    assert_eq!(diagnose(&cluster.snapshot()), []);
}

#[test]
fn an_event_of_a_pod_that_was_replaced_is_no_cause() {
    let of_uid = |uid: &str| {
        of([
            pod("p", &waits("ContainerCreating", "")).replacen("name: p,", "name: p, uid: new,", 1),
            event("Pod", "p", "FailedMount", "exit status 32").replace(
                "name: p, namespace: 'n'}, last",
                &format!("name: p, namespace: 'n', uid: {uid}}}, last"),
            ),
        ])
    };
    assert_eq!(diagnose(&of_uid("old").snapshot()), []);
    assert_eq!(diagnose(&of_uid("new").snapshot()).len(), 1);
}

#[test]
fn what_is_only_unusual_is_no_cause() {
    let cluster = of([
        // More ports than a container declares, a Service for pods to come, a quota that is full and suits.
        pod("web", READY),
        service("web", "app: web", "{name: a, port: 80, targetPort: 80}, {name: b, port: 9090, targetPort: 9090}"),
        service("later", "app: later", "{port: 80, targetPort: 80}"),
        "{apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: 'n'}, status: {hard: {services: '2'}, used: {services: '2'}}}".to_owned(),
        // Scaled to zero, and no Service leads there.
        deployment("idle", 0, ""),
        node("one", "True", ""),
        "{apiVersion: v1, kind: Node, metadata: {name: two}, spec: {unschedulable: true}, status: {conditions: [{type: Ready, status: 'True'}]}}".to_owned(),
        event("Pod", "web", "BackOff", "Back-off restarting failed container"),
    ]);
    assert_eq!(diagnose(&cluster.snapshot()), []);
}

/// A rule that compares each object with each other one takes minutes for this.
#[test]
fn many_objects_take_no_long_time() {
    let mut objects = Vec::new();
    for at in 0..2000 {
        let name = format!("web-{at}");
        objects.push(pod(&name, if at % 2 == 0 { READY } else { CRASHES }));
        objects.push(service(
            &name,
            &format!("app: {name}"),
            "{port: 80, targetPort: 80}",
        ));
        objects.push(deployment(&name, 1, ""));
        objects.push(event(
            "Pod",
            &name,
            "BackOff",
            "Back-off restarting failed container",
        ));
    }
    let snapshot = Cluster::from(&objects[..]).snapshot();
    let begun = std::time::Instant::now();
    assert_eq!(diagnose(&snapshot)[0].affects.len(), 1000);
    assert!(begun.elapsed().as_secs() < 120, "{:?}", begun.elapsed());
}
