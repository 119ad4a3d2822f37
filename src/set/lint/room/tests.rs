//! What fits, what does not, and what cannot be known.

use serde_json::json;

use super::*;
use crate::set::objects;

fn deployment(name: &str, replicas: u32, cpu: &str) -> String {
    format!(
        "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {name}, namespace: 'n'}}, spec: {{replicas: {replicas}, \
         template: {{spec: {{containers: [{{resources: {{requests: {{cpu: '{cpu}'}}}}}}]}}}}}}}}\n---\n"
    )
}

fn node(name: &str, cpu: &str) -> Node {
    Node {
        name: name.to_owned(),
        allocatable: Amounts::of(&json!({"cpu": cpu, "pods": "110"})),
        ..Node::default()
    }
}

fn runs(node: &str, cpu: &str, owner: (&str, &str, &str), passes: bool) -> Running {
    Running {
        node: node.to_owned(),
        owner: Some((owner.0.to_owned(), owner.1.to_owned(), owner.2.to_owned())),
        passes,
        asks: Amounts::of(&json!({"cpu": cpu})),
    }
}

/// Each finding as severity and message.
fn found(text: &str, room: &Room, wait: bool) -> Vec<(Severity, String)> {
    let objects = objects::read("x", text).unwrap();
    let findings = check(&objects, room, wait);
    findings
        .into_iter()
        .map(|it| (it.severity, it.message))
        .collect()
}

#[test]
fn a_pod_that_fits_no_node_is_refused_unless_nodes_may_come() {
    let set = deployment("a", 1, "3");
    let mut room = Room {
        nodes: vec![node("m", "2"), node("o", "2500m")],
        ..Room::default()
    };
    let message =
        "Deployment n/a: its pod asks for 3 CPU, and no node has more than 2.5 CPU".to_owned();
    assert_eq!(
        found(&set, &room, true),
        [(Severity::Fatal, message.clone())]
    );
    assert_eq!(
        found(&set, &room, false),
        [(Severity::Problem, message.clone())]
    );
    room.grows = true;
    assert_eq!(found(&set, &room, true), [(Severity::Warning, message)]);
    assert_eq!(found(&deployment("a", 0, "3"), &room, true), []);
}

#[test]
fn a_sum_is_told_with_who_asks_for_most() {
    let set = deployment("a", 3, "600m") + &deployment("b", 1, "500m") + &deployment("c", 1, "1m");
    let room = Room {
        nodes: vec![node("m", "2")],
        running: vec![runs(
            "m",
            "250m",
            ("kube-system", "Deployment", "dns"),
            false,
        )],
        ..Room::default()
    };
    assert_eq!(
        found(&set, &room, true),
        [(
            Severity::Problem,
            "the set asks for 2.301 CPU in 5 pods, and 1 node has 1.75 CPU left of 2 CPU; most is asked for by \
             Deployment n/a (1.8 CPU), Deployment n/b (0.5 CPU), Deployment n/c (0.001 CPU)"
                .to_owned()
        )]
    );
}

#[test]
fn what_the_set_runs_already_is_not_counted_twice() {
    let set = deployment("a", 3, "600m");
    let room = Room {
        nodes: vec![node("m", "2")],
        running: vec![runs("m", "1800m", ("n", "Deployment", "a"), false)],
        ..Room::default()
    };
    assert_eq!(found(&set, &room, true), []);
}

#[test]
fn what_ends_by_itself_makes_a_warning_only() {
    let job = "{apiVersion: batch/v1, kind: Job, metadata: {name: j, namespace: 'n'}, spec: {parallelism: 3, template: {spec: \
               {containers: [{resources: {requests: {cpu: 1}}}]}}}}";
    let mut room = Room {
        nodes: vec![node("m", "2")],
        ..Room::default()
    };
    let severities =
        |found: Vec<(Severity, String)>| found.into_iter().map(|it| it.0).collect::<Vec<_>>();
    assert_eq!(severities(found(job, &room, true)), [Severity::Warning]);
    room.running = vec![runs("m", "1500m", ("x", "Job", "old"), true)];
    let set = deployment("a", 1, "1");
    assert_eq!(severities(found(&set, &room, true)), [Severity::Warning]);
}

#[test]
fn a_daemonset_counts_once_a_node_that_it_may_go_to() {
    let set = "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: d, namespace: 'n'}, spec: {template: {spec: \
               {nodeSelector: {gpu: 'yes'}, containers: [{resources: {requests: {cpu: 3}}}]}}}}";
    let labelled = |name, cpu| Node {
        labels: crate::api::labels(&json!({"gpu": "yes"})),
        ..node(name, cpu)
    };
    let mut room = Room {
        nodes: vec![node("m", "1"), labelled("o", "4"), labelled("p", "4")],
        ..Room::default()
    };
    assert_eq!(found(set, &room, true), []);
    room.nodes[2] = labelled("p", "1");
    let said = found(set, &room, true);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0]
            .1
            .starts_with("the set asks for 6 CPU in 2 pods, and 2 nodes have 5 CPU left of 5 CPU")
    );
}

#[test]
fn what_no_node_offers_may_still_come() {
    let set = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: 'n'}, spec: {containers: \
               [{resources: {limits: {nvidia.com/gpu: 1}}}]}}\n---\n\
               {apiVersion: v1, kind: Pod, metadata: {name: q, namespace: 'n'}, spec: {nodeSelector: {a: b}, containers: []}}";
    let room = Room {
        nodes: vec![node("m", "2")],
        ..Room::default()
    };
    assert_eq!(
        found(set, &room, true),
        [
            (
                Severity::Problem,
                "Pod n/p: its pod asks for 1 nvidia.com/gpu, and no node offers any".to_owned()
            ),
            (
                Severity::Problem,
                "Pod n/q: its pod may go to no node: its nodeSelector or a taint keeps it off"
                    .to_owned()
            )
        ]
    );
}
