//! Kinds that nobody knows a rule for, suspended objects, the user's own rules, pods beside the set.

use super::*;

const WIDGET: &str = "{apiVersion: a.example/v1, kind: Widget, metadata: {name: w}}";

/// The definition of the kind, whose objects have a status.
fn definition() -> String {
    DEFINITION.replace("served: true", "served: true, subresources: {status: {}}")
}

#[expect(clippy::needless_pass_by_value, reason = "it is called with literals")]
fn widget(spec: Value, status: Value) -> Value {
    json!({"apiVersion": "a.example/v1", "kind": "Widget", "spec": spec, "status": status,
        "metadata": {"name": "w", "namespace": "default", "uid": "u", "generation": 1, "resourceVersion": "2"}})
}

fn ready(status: &str, reason: &str) -> Value {
    json!({"conditions": [{"type": "Ready", "status": status, "reason": reason, "message": "m"}]})
}

/// A server that has the definition, and the object like this.
fn with(live: Value) -> Server {
    Server::new()
        .lists(
            "customresourcedefinitions",
            vec![vec![established("u", "2")]],
        )
        .lists("widgets", vec![vec![live]])
}

#[tokio::test(start_paused = true)]
async fn an_object_without_a_status_counts_as_ready_after_half_a_minute_where_its_kind_has_one() {
    for (definition, status, seconds) in [
        (definition(), Value::Null, 30..=31),
        (definition(), json!({}), 30..=31),
        // The API server puts this in, and no controller.
        (
            DEFINITION.replace(
                "served: true",
                "served: true, schema: {openAPIV3Schema: {properties: {status: {default: \
                 {conditions: [{type: Ready, status: Unknown, reason: Pending, message: m}]}}}}}",
            ),
            ready("Unknown", "Pending"),
            30..=31,
        ),
        (DEFINITION.to_owned(), Value::Null, 0..=2),
    ] {
        let server = with(widget(json!({}), status));
        let (result, took, journal) = server
            .deploy_all(&format!("{WIDGET}\n---\n{definition}"), "45m")
            .await;
        result.unwrap();
        assert!(seconds.contains(&took), "{took}: {definition}");
        let assumed = journal.objects[0].assumed.as_deref().unwrap_or_default();
        let is_said = assumed.contains("no controller has written a status yet");
        assert_eq!(is_said, took >= 30, "{assumed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_definition_of_the_cluster_says_whether_its_kind_has_a_status() {
    let of_cluster = json!({"spec": {"versions": [{"name": "v1"}]}});
    for (answer, seconds) in [
        ((200, of_cluster), 0..=2),
        // It is another server's.
        ((404, json!({"message": "not found"})), 0..=2),
        // It may have one.
        ((403, json!({"message": "forbidden"})), 30..=31),
    ] {
        let server = Server::new()
            .lists("profiles", Vec::new())
            .lists("gizmos", vec![vec![json!({"metadata": {"name": "g", "namespace": "default", "uid": "u", "generation": 1}})]])
            .says((0, 10_000), (Method::GET, "gizmos.b.example"), answer);
        let gizmo = "{apiVersion: b.example/v1, kind: Gizmo, metadata: {name: g}}";
        let (result, took, _) = server.deploy(gizmo, "45m").await;
        result.unwrap();
        assert!(seconds.contains(&took), "{took}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_that_comes_late_is_judged_all_the_same() {
    let mut server = with(widget(json!({}), Value::Null));
    server.events = vec![
        (10, "widgets", widget(json!({}), ready("False", "Starting"))),
        (90, "widgets", widget(json!({}), ready("True", "Up"))),
    ];
    let up = vec![widget(json!({}), ready("True", "Up"))];
    let server = server.lists("widgets", vec![vec![widget(json!({}), Value::Null)], up]);
    let (result, took, _) = server
        .deploy(&format!("{WIDGET}\n---\n{}", definition()), "45m")
        .await;
    result.unwrap();
    assert!((90..=92).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn what_only_the_general_rule_calls_not_ready_ends_it_after_five_minutes_without_a_change() {
    let set = format!("{WIDGET}\n---\n{}\n---\n{DEPLOYMENT}", definition());
    for (status, said) in [
        (ready("False", "Starting"), "Ready is False: Starting: m"),
        (json!({"phase": "Failed"}), "phase: Failed"),
    ] {
        let mut server =
            with(widget(json!({}), status)).lists("deployments", vec![vec![deployment(0)]]);
        // What has a rule is waited for first.
        server.events = vec![(400, "deployments", deployment(1))];
        let (result, took, _) = server.deploy(&set, "45m").await;
        let error = result.unwrap_err();
        assert_eq!(error.exit(), Exit::TestFailed);
        assert_eq!(
            error.to_string(),
            format!("Widget default/w: {said}, and nothing has changed for 5m")
        );
        assert!(
            error
                .hint()
                .unwrap()
                .contains("`widgets.a.example accepted`")
        );
        assert!((700..=705).contains(&took), "{took}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_users_word_counts_more_than_ours() {
    let set = format!("{WIDGET}\n---\n{}", definition());
    let failing = || ready("False", "Failed");
    for (rule, status, seconds, exit) in [
        ("widgets.a.example accepted", failing(), 0..=1, None),
        (
            "widgets.a.example condition=Ready=False",
            failing(),
            0..=1,
            None,
        ),
        (
            "widgets.a.example jsonpath={.status.phase}=Up fail jsonpath={.status.phase}=Down",
            json!({"phase": "Down"}),
            0..=1,
            Some(Exit::TestFailed),
        ),
        // A rule of its own is waited for, as long as there is time.
        (
            "widgets.a.example condition=Ready",
            failing(),
            1200..=1200,
            Some(Exit::TimeLimit),
        ),
    ] {
        let mut server = with(widget(json!({}), status));
        server.ready_when = rule.parse().unwrap();
        let (result, took, _) = server.deploy(&set, "20m").await;
        assert_eq!(result.err().map(|error| error.exit()), exit, "{rule}");
        assert!(seconds.contains(&took), "{rule}: {took}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_its_manifest_suspends_is_ready_and_what_somebody_else_did_is_not() {
    let suspended = || widget(json!({"suspend": true}), ready("True", "Up"));
    let own = WIDGET.replace("metadata", "spec: {suspend: true}, metadata");
    let set = |widget: &str| format!("{widget}\n---\n{}", definition());
    let (result, took, journal) = with(suspended()).deploy_all(&set(&own), "45m").await;
    result.unwrap();
    assert!(took <= 1, "{took}");
    let assumed = journal.objects[0].assumed.as_deref();
    assert_eq!(
        assumed,
        Some("its manifest suspends it: spec.suspend is true")
    );

    let (result, took, _) = with(suspended()).deploy(&set(WIDGET), "45m").await;
    let error = result.unwrap_err();
    assert_eq!(error.exit(), Exit::TestFailed);
    assert_eq!(
        error.to_string(),
        "Widget default/w failed: somebody suspended it, and not its manifest: spec.suspend is true"
    );
    assert!((120..=122).contains(&took), "{took}");

    // One that is resumed again was none.
    let mut server = with(suspended());
    server.events = vec![(60, "widgets", widget(json!({}), ready("True", "Up")))];
    let up = vec![widget(json!({}), ready("True", "Up"))];
    let server = server.lists("widgets", vec![vec![suspended()], up]);
    let (result, took, _) = server.deploy(&set(WIDGET), "45m").await;
    result.unwrap();
    assert!((60..=62).contains(&took), "{took}");

    // A new Deployment that is paused makes no pods, and says nothing of it.
    let mut paused = deployment(0);
    paused["spec"]["paused"] = json!(true);
    let manifest = DEPLOYMENT.replace("spec: {template", "spec: {paused: true, template");
    let server = Server::new().lists("deployments", vec![vec![paused]]);
    let (result, took, _) = server.deploy(&manifest, "45m").await;
    result.unwrap();
    assert!(took <= 1, "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_passes_within_seconds_is_none() {
    let profile = |status: &str| {
        json!({"metadata": {"name": "p", "uid": "u", "generation": 1, "resourceVersion": "2"},
            "status": {"conditions": [{"type": "Failed", "status": status, "message": "m"}]}})
    };
    let set = "{apiVersion: kubeflow.org/v1, kind: Profile, metadata: {name: p}}";
    let mut server = Server::new().lists("profiles", vec![vec![profile("True")]]);
    server.events = vec![(20, "profiles", profile("False"))];
    let (result, took, _) = server.deploy(set, "2m").await;
    assert_eq!(result.unwrap_err().exit(), Exit::TimeLimit);
    assert_eq!(took, 120);
    let server = Server::new().lists("profiles", vec![vec![profile("True")]]);
    let (result, took, _) = server.deploy(set, "2m").await;
    assert_eq!(result.unwrap_err().exit(), Exit::TestFailed);
    assert!((30..=31).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_the_server_does_not_show_counts_as_ready_and_that_is_said() {
    let forbidden = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403,
        "message": "widgets is forbidden", "reason": "Forbidden"});
    let server = with(widget(json!({}), Value::Null)).says(
        (0, 10_000),
        (Method::GET, "widgets"),
        (403, forbidden),
    );
    let set = format!("{WIDGET}\n---\n{}", definition());
    let (result, took, journal) = server.deploy_all(&set, "45m").await;
    result.unwrap();
    assert!(took <= 5, "{took}");
    let assumed = journal.objects[0].assumed.as_deref().unwrap_or_default();
    assert!(
        assumed.starts_with("it cannot be seen: widgets is forbidden"),
        "{assumed}"
    );
}

#[expect(clippy::needless_pass_by_value, reason = "it is called with literals")]
fn pod(name: &str, status: Value) -> Value {
    json!({"metadata": {"name": name, "namespace": "default", "uid": name, "resourceVersion": "2",
        "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"containers": [{"name": "c"}]}, "status": status})
}

#[tokio::test(start_paused = true)]
async fn the_pods_of_its_namespaces_are_waited_for_where_that_is_asked_for() {
    let up = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    let pending = json!({"phase": "Pending"});
    let done = json!({"phase": "Succeeded"});
    let listed = vec![pod("a", up.clone()), pod("b", done), pod("c", pending)];
    let later = vec![
        pod("a", up.clone()),
        pod("c", up.clone()),
        pod("d", up.clone()),
    ];
    let server = |waits: bool| {
        let mut server = Server::new().lists("pods", vec![listed.clone(), later.clone()]);
        server.events = vec![
            (40, "pods", pod("c", up.clone())),
            (45, "pods", pod("d", up.clone())),
        ];
        server.waits_for_namespaces = waits;
        server
    };
    let (result, took, _) = server(false).deploy(CONFIG, "45m").await;
    result.unwrap();
    assert!(took <= 1, "{took}");
    let (result, took, _) = server(true).deploy(CONFIG, "45m").await;
    result.unwrap();
    // The second list has one more, and 10 s later none has come.
    assert!((50..=52).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_broken_pod_beside_the_set_is_reported_and_fails_it_only_where_it_is_waited_for() {
    let failed = json!({"phase": "Failed", "reason": "Evicted", "message": "no room"});
    let server = |waits: bool| {
        let mut server = Server::new().lists("pods", vec![vec![pod("x", failed.clone())]]);
        server.waits_for_namespaces = waits;
        server
    };
    let (result, took, journal) = server(false).deploy_all(CONFIG, "45m").await;
    result.unwrap();
    assert!(took <= 1, "{took}");
    assert_eq!(journal.beside.len(), 1);
    assert!(
        journal.beside[0].starts_with("Pod default/x: "),
        "{:?}",
        journal.beside
    );
    let (result, took, _) = server(true).deploy(CONFIG, "45m").await;
    let error = result.unwrap_err();
    assert_eq!(error.exit(), Exit::TestFailed);
    assert!(error.to_string().contains("Pod default/x"), "{error}");
    assert!((30..=31).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_may_be_added_is_given_more_time() {
    let (set, _) = without_image();
    let unscheduled = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient cpu.", "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
    let mut pod = pod("a-1", unscheduled);
    pod["metadata"]["ownerReferences"] = json!([{"controller": true, "uid": "rs"}]);
    for (grows, seconds) in [(false, 300..=305), (true, 1200..=1205)] {
        let mut server = Server::new()
            .lists("deployments", vec![vec![deployment(0)]])
            .lists("replicasets", vec![vec![set.clone()]])
            .lists("pods", vec![vec![pod.clone()]]);
        server.grows = grows;
        let (result, took, _) = server.deploy(DEPLOYMENT, "45m").await;
        assert_eq!(result.unwrap_err().exit(), Exit::TestFailed);
        assert!(seconds.contains(&took), "{took}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_daemon_set_that_no_node_takes_is_ready_and_that_is_said() {
    let set = "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: d}, spec: {template: {spec: {containers: []}}}}";
    for (nodes, said) in [
        (0, Some("no node is as its pods want one, so it has none")),
        (1, None),
    ] {
        let counts = json!({"observedGeneration": 1, "desiredNumberScheduled": nodes, "numberReady": nodes, "updatedNumberScheduled": nodes});
        let live = json!({"metadata": {"name": "d", "namespace": "default", "uid": "u", "generation": 1, "resourceVersion": "2"},
            "spec": {}, "status": counts});
        let server = Server::new().lists("daemonsets", vec![vec![live]]);
        let (result, _, journal) = server.deploy_all(set, "45m").await;
        result.unwrap();
        assert_eq!(journal.objects[0].assumed.as_deref(), said);
    }
}
