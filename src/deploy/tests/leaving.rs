//! Objects that the cluster is still deleting when they are sent.

use super::*;

const DELETED: &str = "2026-01-01T00:00:00Z";

/// An object that is being deleted, and what keeps it.
fn going(name: &str, finalizer: &str) -> (u16, Value) {
    let metadata = json!({"name": name, "uid": "old", "deletionTimestamp": DELETED, "finalizers": [finalizer]});
    (200, json!({ "metadata": metadata }))
}

/// An object that is being deleted until some second, whatever is sent to it.
fn until(server: Server, second: u64, name: &'static str, finalizer: &str) -> Server {
    let gone = (404, json!({"message": "not found"}));
    server
        .says((0, second), (Method::PATCH, name), going(name, finalizer))
        .says((0, second), (Method::GET, name), going(name, finalizer))
        .says((second, 100_000), (Method::GET, name), gone)
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_being_deleted_is_sent_again_when_it_is_gone() {
    for waits in [true, false] {
        let mut server = until(Server::new(), 100, "c", "a.example/f");
        server.waits = waits;
        let (result, took, server) = server.deploy(CONFIG, "45m").await;
        result.unwrap();
        assert!((100..=103).contains(&took), "{took}");
        let times = server.times("c");
        assert_eq!(times.len(), 2, "{times:?}");
        assert!(times[1] >= 100, "{times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_workload_that_goes_in_the_foreground_is_not_ready() {
    // Its pods are up, and it is deleted as soon as they are not.
    let listed = || Server::new().lists("deployments", vec![vec![deployment(1)]]);
    let server = until(listed(), 40, "a", "foregroundDeletion");
    let (result, took, server) = server.deploy(DEPLOYMENT, "45m").await;
    result.unwrap();
    assert!((40..=43).contains(&took), "{took}");
    assert_eq!(server.times("a").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_does_not_go_ends_it_and_is_named_with_its_finalizers() {
    let set = format!("{CONFIG}\n---\n{}", CONFIG.replace("name: c", "name: d"));
    for waits in [true, false] {
        let mut server = until(Server::new(), 10_000, "c", "a.example/f");
        server.waits = waits;
        let (result, took, server) = server.deploy(&set, "45m").await;
        let error = result.unwrap_err();
        assert_eq!(error.exit(), Exit::TestFailed);
        assert_eq!(
            error.to_string(),
            "ConfigMap default/c is still being deleted after 2m: it waits for a.example/f"
        );
        assert_eq!(
            error.hint().unwrap(),
            "start the controller of the finalizer again, or remove it: `kubectl -n default patch configmaps c --type=merge \
             -p '{\"metadata\":{\"finalizers\":null}}'`"
        );
        assert!((120..=123).contains(&took), "{took}");
        assert_eq!(server.times("c").len(), 1, "sent once only");
        assert_eq!(server.times("d").len(), 1, "the rest was sent");
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_goes_after_others_is_given_five_minutes() {
    for (finalizers, grace, said, hint, seconds) in [
        (
            json!(["foregroundDeletion"]),
            json!(0),
            "Deployment default/a is still being deleted after 5m: it waits for foregroundDeletion",
            "what it owns has to go first",
            300,
        ),
        (
            Value::Null,
            json!(60),
            "Deployment default/a is still being deleted after 3m: no finalizer keeps it",
            "`kubectl -n default delete deployments.apps a --force`",
            180,
        ),
    ] {
        let metadata = json!({"name": "a", "deletionTimestamp": DELETED, "finalizers": finalizers,
            "deletionGracePeriodSeconds": grace});
        let going = || (200, json!({ "metadata": metadata }));
        let server = Server::new()
            .says((0, 10_000), (Method::PATCH, "a"), going())
            .says((0, 10_000), (Method::GET, "a"), going());
        let (result, took, _) = server.deploy(DEPLOYMENT, "45m").await;
        let error = result.unwrap_err();
        assert_eq!(error.to_string(), said);
        assert!(error.hint().unwrap().contains(hint));
        assert!((seconds..=seconds + 3).contains(&took), "{took}");
    }
}

#[tokio::test(start_paused = true)]
async fn finalizers_of_the_set_are_no_error_while_the_object_is_being_deleted() {
    let said = "ConfigMap \"c\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"a.example/f\"}";
    let server = Server::new().says(
        (0, 30),
        (Method::PATCH, "c"),
        (422, json!({ "message": said })),
    );
    let server = until(server, 30, "c", "b.example/f");
    let (result, took, _) = server.deploy(CONFIG, "45m").await;
    result.unwrap();
    assert!((30..=33).contains(&took), "{took}");
}

fn namespace(uid: &str, version: &str, phase: &str) -> Value {
    json!({"metadata": {"name": "n", "uid": uid, "resourceVersion": version}, "status": {"phase": phase}})
}

/// A namespace that says, from some second on, what is left in it.
fn remaining(server: Server, (from, to): (u64, u64), left: u32) -> Server {
    let mut live = namespace("old", "1", "Terminating");
    live["metadata"]["deletionTimestamp"] = json!(DELETED);
    live["status"]["conditions"] = json!([{"type": "NamespaceContentRemaining", "status": "True",
        "message": format!("Some resources are remaining: widgets.a.example has {left} resource instances")}]);
    server.says((from, to), (Method::GET, "n"), (200, live))
}

const IN_NAMESPACE: &str = "{apiVersion: v1, kind: Namespace, metadata: {name: 'n'}}\n---\n\
                            {apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: 'n'}}";

#[tokio::test(start_paused = true)]
async fn what_is_in_a_namespace_that_is_being_deleted_waits_for_the_next() {
    for waits in [true, false] {
        // The watch tells of the old one first, and of its end late.
        let old = namespace("old", "1", "Active");
        let new = namespace("u", "9", "Active");
        let mut server = until(Server::new(), 60, "n", "a.example/f")
            .lists("namespaces", vec![vec![old], vec![new.clone()]]);
        server.events = vec![(80, "namespaces", new)];
        server.waits = waits;
        let (result, took, server) = server.deploy(IN_NAMESPACE, "45m").await;
        result.unwrap();
        assert!((80..=83).contains(&took), "{took}");
        assert_eq!(server.times("n").len(), 2);
        assert_eq!(server.times("c").len(), 1);
        assert!(server.times("c")[0] >= 80);
    }
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_goes_and_is_not_of_the_set_is_named() {
    let mut live = namespace("old", "1", "Terminating");
    live["metadata"]["deletionTimestamp"] = json!(DELETED);
    let server = Server::new().lists("namespaces", vec![vec![live]]);
    let member = CONFIG.replace("name: c", "name: c, namespace: 'n'");
    let (result, took, server) = server.deploy(&member, "45m").await;
    let error = result.unwrap_err();
    assert_eq!(error.exit(), Exit::TestFailed);
    let said = "namespace n is being deleted, and the set does not make it";
    assert!(error.to_string().contains(said), "{error}");
    assert!((60..=65).contains(&took), "{took}");
    assert!(server.times("c").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_namespace_is_waited_for_as_long_as_less_is_left_in_it() {
    let server = Server::new().says((0, 10_000), (Method::PATCH, "n"), going("n", "a.example/f"));
    let server = remaining(server, (0, 200), 2);
    let server = remaining(server, (200, 10_000), 1);
    let (result, took, server) = server.deploy(IN_NAMESPACE, "45m").await;
    let error = result.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Namespace n is still being deleted after 8m 20s: Some resources are remaining: \
         widgets.a.example has 1 resource instances"
    );
    assert!(
        error
            .hint()
            .unwrap()
            .contains("kubectl describe namespace n")
    );
    assert!((500..=503).contains(&took), "{took}");
    assert!(server.times("c").is_empty());
}

#[tokio::test(start_paused = true)]
async fn objects_wait_for_a_definition_that_is_being_deleted() {
    let set = format!(
        "{DEFINITION}\n---\n{{apiVersion: a.example/v1, kind: Widget, metadata: {{name: w}}}}"
    );
    let set = set.as_str();
    let crd = "widgets.a.example";
    let cleanup = "customresourcecleanup.apiextensions.k8s.io";
    let mut server = until(Server::new(), 50, crd, cleanup).lists(
        "customresourcedefinitions",
        vec![vec![established("old", "1")]],
    );
    let widget =
        json!({"metadata": {"name": "w", "namespace": "default", "uid": "u", "generation": 1}});
    server.events = vec![(55, "customresourcedefinitions", established("u", "9"))];
    let server = server.lists("widgets", vec![vec![widget]]);
    let (result, took, server) = server.deploy(set, "45m").await;
    result.unwrap();
    assert!((55..=58).contains(&took), "{took}");
    assert_eq!(server.times("w").len(), 1);
    assert!(server.times("w")[0] >= 55);

    let (result, took, _) = until(Server::new(), 10_000, crd, cleanup)
        .deploy(set, "45m")
        .await;
    let error = result.unwrap_err();
    assert!(error.to_string().contains(cleanup), "{error}");
    assert!(
        error
            .hint()
            .unwrap()
            .contains("kubectl get widgets.a.example -A")
    );
    assert!((300..=303).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn an_object_of_a_definition_that_others_delete_is_refused_in_the_end() {
    let said = "create not allowed while custom resource definition is terminating";
    let refused = (403, json!({ "message": said }));
    let server = Server::new().says((0, 200), (Method::PATCH, "c"), refused.clone());
    let (result, took, _) = server.deploy(CONFIG, "45m").await;
    result.unwrap();
    assert!((200..=203).contains(&took), "{took}");
    let server = Server::new().says((0, 10_000), (Method::PATCH, "c"), refused);
    let (result, took, _) = server.deploy(CONFIG, "45m").await;
    let error = result.unwrap_err();
    assert_eq!(error.exit(), Exit::TestFailed);
    assert!(error.to_string().contains(said), "{error}");
    assert!((300..=303).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_was_there_before_is_no_verdict() {
    // A watch that is behind: the old one is up, the new one is not yet.
    let mut old = deployment(1);
    old["metadata"]["uid"] = json!("old");
    let mut server = Server::new().lists("deployments", vec![vec![old]]);
    server.events = vec![
        (30, "deployments", deployment(0)),
        (70, "deployments", deployment(1)),
    ];
    server.becomes = Some((70, deployment(1)));
    let (result, took, _) = server.deploy(DEPLOYMENT, "45m").await;
    result.unwrap();
    assert!((70..=73).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_deleted_after_it_was_accepted_fails() {
    let mut deleted = deployment(0);
    deleted["metadata"]["deletionTimestamp"] = json!(DELETED);
    let mut server = Server::new().lists("deployments", vec![vec![deployment(0)]]);
    server.events = vec![(30, "deployments", deleted)];
    let (result, took, _) = server.deploy(DEPLOYMENT, "45m").await;
    let error = result.unwrap_err();
    assert_eq!(error.exit(), Exit::TestFailed);
    assert_eq!(
        error.to_string(),
        "Deployment default/a failed: after it was accepted, something deleted it: it is being deleted"
    );
    assert!((30..=32).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_gone_after_it_was_ready_fails() {
    // When it is listed once more, it is not there.
    let lists = vec![vec![deployment(1)], Vec::new()];
    let server = Server::new().lists("deployments", lists);
    let (result, took, _) = server.deploy(DEPLOYMENT, "45m").await;
    let error = result.unwrap_err();
    assert_eq!(error.exit(), Exit::TestFailed);
    assert_eq!(
        error.to_string(),
        "Deployment default/a failed: after it was accepted, something deleted it"
    );
    assert!(took <= 2, "{took}");
}
