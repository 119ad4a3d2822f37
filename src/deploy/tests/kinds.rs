//! Kinds that come later, and what a user has objects wait for.

use super::*;

const TEMPLATE: &str = "{apiVersion: templates.gatekeeper.sh/v1, kind: ConstraintTemplate, metadata: {name: k}, \
                        spec: {crd: {spec: {names: {kind: K}}}}}";
const CONSTRAINT: &str =
    "{apiVersion: constraints.gatekeeper.sh/v1beta1, kind: K, metadata: {name: c}}";
/// The definition of templates.
const TEMPLATES: &str = "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, \
    metadata: {name: constrainttemplates.templates.gatekeeper.sh}, spec: {group: templates.gatekeeper.sh, scope: Cluster, \
    names: {kind: ConstraintTemplate, plural: constrainttemplates}, versions: [{name: v1, served: true}]}}";

fn server(serves_at: u64, namespaced: bool) -> Server {
    let mut definition = established("u", "2");
    definition["metadata"]["name"] = "constrainttemplates.templates.gatekeeper.sh".into();
    let found = json!({"resources": [{"name": "k", "kind": "K", "namespaced": namespaced}, {"name": "k/status", "kind": "K"}]});
    let of = |name: &str| json!({"metadata": {"name": name, "uid": "u", "generation": 1}, "status": {"created": true}});
    Server::new()
        .lists("customresourcedefinitions", vec![vec![definition]])
        .lists("constrainttemplates", vec![vec![of("k")]])
        .lists("k", vec![vec![of("c")]])
        .says(
            (0, serves_at),
            (Method::GET, "v1beta1"),
            (404, json!({"message": "not found"})),
        )
        .says((serves_at, 100_000), (Method::GET, "v1beta1"), (200, found))
}

fn set() -> String {
    [TEMPLATES, TEMPLATE, CONSTRAINT].join("\n---\n")
}

#[tokio::test(start_paused = true)]
async fn an_object_whose_kind_comes_later_is_sent_when_it_is_there() {
    for waits in [true, false] {
        let mut server = server(40, false);
        server.waits = waits;
        let (result, took, server) = server.deploy(&set(), "45m").await;
        result.unwrap();
        let times = server.times("c");
        assert_eq!(times.len(), 1);
        assert!((40..=44).contains(&times[0]), "{times:?}");
        assert!(took >= 40);
    }
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_does_not_come_is_named() {
    let (result, took, server) = server(100_000, false).deploy(&set(), "45m").await;
    let error = result.unwrap_err();
    assert_eq!(error.exit(), Exit::TestFailed);
    let said = "the cluster does not serve constraints.gatekeeper.sh/v1beta1 K yet";
    assert!(error.to_string().contains(said), "{error}");
    assert!((180..=220).contains(&took), "{took}");
    assert!(server.times("c").is_empty());
    let mut without_wait = self::server(100_000, false);
    without_wait.waits = false;
    let (result, took, _) = without_wait.deploy(&set(), "45m").await;
    let error = result.unwrap_err();
    assert!(error.details().join(" ").contains(said), "{error}");
    assert!((180..=190).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn an_object_in_no_namespace_whose_kind_has_them_is_refused() {
    let (result, ..) = server(10, true).deploy(&set(), "45m").await;
    let error = result.unwrap_err();
    assert!(error.to_string().contains("K has namespaces"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_its_user_says_is_ready_first() {
    let first = DEPLOYMENT;
    let second = CONFIG.replace(
        "{name: c}",
        "{name: c, annotations: {config.kubernetes.io/depends-on: apps/namespaces/default/Deployment/a}}",
    );
    let set = format!("{second}\n---\n{first}");
    let mut server = Server::new().lists("deployments", vec![vec![deployment(0)]]);
    server.becomes = Some((30, deployment(1)));
    server.events = vec![(30, "deployments", deployment(1))];
    let (result, _, server) = server.deploy(&set, "45m").await;
    result.unwrap();
    assert!((30..=31).contains(&server.times("c")[0]));
    // Without a wait it is enough that the other was accepted.
    let mut server = Server::new();
    server.waits = false;
    let (result, took, _) = server.deploy(&set, "45m").await;
    result.unwrap();
    assert!(took <= 1, "{took}");
}
