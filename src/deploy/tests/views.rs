//! What is seen of the cluster: what may not be, what the watches miss, whose clock counts.

use super::*;

fn denied(resource: &str) -> (u16, Value) {
    let message =
        format!("{resource} is forbidden: User \"u\" cannot list resource \"{resource}\"");
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403,
        "message": message, "reason": "Forbidden"});
    (403, status)
}

#[tokio::test(start_paused = true)]
async fn a_right_to_look_that_is_missing_is_told_at_once() {
    for waits_for in ["deployments", "pods"] {
        let server = Server::new()
            .lists("deployments", vec![vec![deployment(0)]])
            .says((0, 10_000), (Method::GET, waits_for), denied(waits_for));
        let (result, took, _) = server.deploy(DEPLOYMENT, "45m").await;
        let error = result.unwrap_err();
        assert_eq!(error.exit(), Exit::Infrastructure);
        let resource = match waits_for {
            "pods" => "pods",
            _ => "deployments.apps",
        };
        let said =
            format!("the credentials do not allow to list {resource}: {waits_for} is forbidden");
        assert!(error.to_string().starts_with(&said), "{error}");
        assert!(error.hint().unwrap().contains(resource));
        assert!((10..=14).contains(&took), "{took}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_right_that_a_new_server_grants_a_moment_later_is_not_missing() {
    let up = vec![deployment(1)];
    let server = Server::new().lists("deployments", vec![up]).says(
        (0, 8),
        (Method::GET, "deployments"),
        denied("deployments"),
    );
    let (result, took, _) = server.deploy(DEPLOYMENT, "45m").await;
    result.unwrap();
    assert!((8..=14).contains(&took), "{took}");
}

const SET: &str = "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: s}, \
                   spec: {template: {spec: {containers: []}}}}";

fn stateful_set(ready: u64) -> Value {
    json!({"metadata": {"name": "s", "namespace": "default", "uid": "u", "generation": 1, "resourceVersion": "2"},
        "spec": {"replicas": 1}, "status": {"observedGeneration": 1, "readyReplicas": ready,
        "currentRevision": "a", "updateRevision": "a"}})
}

#[tokio::test(start_paused = true)]
async fn what_only_explains_need_not_be_seen() {
    let server = Server::new()
        .lists("statefulsets", vec![vec![stateful_set(1)]])
        .says(
            (0, 10_000),
            (Method::GET, "storageclasses"),
            denied("storageclasses"),
        );
    let (result, took, _) = server.deploy(SET, "45m").await;
    result.unwrap();
    assert!(took <= 2, "{took}");
}

#[tokio::test(start_paused = true)]
async fn namespaces_and_definitions_need_not_be_seen_where_the_set_has_none() {
    let server = Server::new()
        .lists("deployments", vec![vec![deployment(1)]])
        .says(
            (0, 10_000),
            (Method::GET, "namespaces"),
            denied("namespaces"),
        )
        .says(
            (0, 10_000),
            (Method::GET, "customresourcedefinitions"),
            denied("customresourcedefinitions"),
        );
    let (result, took, _) = server.deploy(DEPLOYMENT, "45m").await;
    result.unwrap();
    assert!(took <= 2, "{took}");
    for waits in [true, false] {
        let mut server = Server::new().says(
            (0, 10_000),
            (Method::GET, "customresourcedefinitions"),
            denied("customresourcedefinitions"),
        );
        server.waits = waits;
        let (result, ..) = server.deploy(DEFINITION, "45m").await;
        assert_eq!(result.is_err(), waits, "{result:?}");
        if let Err(error) = result {
            assert!(matches!(error, DeployError::Unseen { .. }), "{error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_watch_tells_while_a_snapshot_is_taken_is_not_forgotten() {
    // The snapshot has the Deployment as it was before its last event, since the list of pods takes longer.
    let (up, down) = (vec![deployment(1)], vec![deployment(0)]);
    let mut server = Server::new().lists("deployments", vec![up.clone(), down, up]);
    server.slow = vec![(0, 5, "pods")];
    server.events = vec![(3, "deployments", deployment(1))];
    let (result, took, _) = server.deploy(DEPLOYMENT, "45m").await;
    result.unwrap();
    assert!(took <= 30, "{took}");
}

#[tokio::test(start_paused = true)]
async fn ages_are_measured_by_the_clock_of_the_server() {
    let pod = |started: Timestamp| {
        let running = json!({"startedAt": started.to_string()});
        json!({"metadata": {"name": "s-0", "namespace": "default", "uid": "p", "resourceVersion": "2",
            "ownerReferences": [{"controller": true, "uid": "u"}]}, "spec": {"containers": [{"name": "c"}]},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": "c", "ready": true, "state": {"running": running}}]}})
    };
    // It has run for a minute there, or for a second, and the clock there is half an hour ahead or behind.
    for (ahead, ran, is_up) in [(1800, 60, true), (-1800, 60, true), (-1800, 1, false)] {
        let started = Timestamp::now() + jiff::SignedDuration::from_secs(ahead - ran);
        let mut server = Server::new()
            .lists("statefulsets", vec![vec![stateful_set(1)]])
            .lists("pods", vec![vec![pod(started)]]);
        server.ahead = ahead;
        let (result, ..) = server.deploy(SET, "8s").await;
        assert_eq!(result.is_ok(), is_up, "{ahead} {ran}: {result:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_server_warns_of_is_in_the_report() {
    let mut server = Server::new();
    server.warning = Some("v1 ComponentStatus is deprecated");
    let (result, _, journal) = server.deploy_all(CONFIG, "1m").await;
    result.unwrap();
    assert_eq!(
        journal.objects[0].warnings,
        ["v1 ComponentStatus is deprecated"]
    );
    let line = "| v1 ComponentStatus is deprecated | ConfigMap default/c |";
    assert!(journal.markdown(true).contains(line));
}
