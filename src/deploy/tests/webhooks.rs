//! Webhooks that are no use to wait for, and answers that are none of theirs.

use super::*;

fn set(policy: &str, more: &str) -> String {
    format!(
        "{{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {{name: w}}, \
         webhooks: [{{name: w.example, failurePolicy: {policy}, clientConfig: {{service: {{namespace: default, name: s}}}}, \
         rules: [{{operations: [CREATE], apiGroups: [b.example], apiVersions: ['*'], resources: ['*']}}]}}]}}\n---\n\
         {{apiVersion: b.example/v1, kind: Gizmo, metadata: {{name: g}}}}{more}"
    )
}

/// A configuration as the server has it.
fn live(policy: &str) -> Value {
    let pem = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==";
    json!({"metadata": {"name": "w", "uid": "u"}, "webhooks": [{"name": "w.example", "failurePolicy": policy, "rules": [{}],
        "clientConfig": {"caBundle": pem, "service": {"namespace": "default", "name": "s"}}}]})
}

fn server(policy: &str) -> Server {
    let gizmo = json!({"metadata": {"name": "g", "namespace": "default", "uid": "u", "generation": 1}, "status": {"phase": "Ready"}});
    Server::new()
        .lists("validatingwebhookconfigurations", vec![vec![live(policy)]])
        .lists("gizmos", vec![vec![gizmo]])
}

fn endpoint() -> Value {
    json!({"metadata": {"name": "s-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "s"}},
        "endpoints": [{"addresses": ["10.0.0.1"]}]})
}

const BACKING: &str = "
---
{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: a}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: {metadata: {labels: {app: a}}, spec: {containers: []}}}}";

#[tokio::test(start_paused = true)]
async fn a_webhook_that_the_server_goes_on_without_is_awaited_only_while_the_set_brings_it_up() {
    // Its Service is nowhere.
    let (result, took, _) = server("Ignore").deploy(&set("Ignore", ""), "45m").await;
    result.unwrap();
    assert!(took <= 2, "{took}");
    // Something of the set serves it, and comes up.
    let mut server = server("Ignore").lists("deployments", vec![vec![deployment(0)]]);
    server.events = vec![
        (50, "deployments", deployment(1)),
        (55, "endpointslices", endpoint()),
    ];
    server.becomes = Some((50, deployment(1)));
    let server = server.lists("endpointslices", vec![Vec::new(), vec![endpoint()]]);
    let (result, took, _) = server.deploy(&set("Ignore", BACKING), "45m").await;
    result.unwrap();
    assert!((55..=57).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_nobody_serves_ends_it() {
    let alone = set("Fail", "")
        .replace("b.example", "c.example")
        .replace("kind: Gizmo", "kind: ConfigMap");
    let alone = alone.replace("apiVersion: c.example/v1", "apiVersion: v1");
    let (result, took, _) = server("Fail").deploy(&alone, "45m").await;
    let error = result.unwrap_err();
    assert_eq!(error.exit(), Exit::TestFailed);
    assert!(
        error
            .to_string()
            .contains("Service default/s has no ready endpoint"),
        "{error}"
    );
    assert!((180..=310).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_somebody_else_is_told_as_what_it_is_and_holds_nothing_back() {
    // Another webhook refuses what it guards: that is what the deployment fails for.
    let refused = json!({"message": "admission webhook \"other.example\" denied the request: no"});
    let server = server("Fail")
        .lists("endpointslices", vec![vec![endpoint()]])
        .says((0, 100_000), (Method::PATCH, "g"), (403, refused));
    let (result, took, server) = server.deploy(&set("Fail", ""), "45m").await;
    let error = result.unwrap_err();
    assert!(
        error.to_string().contains("refused Gizmo default/g"),
        "{error}"
    );
    assert!(took <= 5, "{took}");
    assert_eq!(server.times("g").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_a_new_definition_is_refused_before_its_webhook_is_there() {
    let typo = json!({"message": "failed to create typed patch object (default/g; a.example/v1, Kind=Widget): .spec.x: field not declared in schema"});
    let guarded = set("Fail", "").replace("b.example", "a.example");
    let guarded = guarded.replace("kind: Gizmo", "kind: Widget");
    let set = format!("{guarded}\n---\n{DEFINITION}");
    let definitions = vec![vec![established("d", "2")]];
    let server = server("Fail")
        .lists("endpointslices", vec![vec![endpoint()]])
        .lists("customresourcedefinitions", definitions)
        .says((0, 100_000), (Method::PATCH, "g"), (500, typo))
        .says(
            (0, 100_000),
            (Method::PATCH, "widgets.a.example"),
            (201, established("d", "2")),
        );
    let (result, took, _) = server.deploy(&set, "45m").await;
    let error = result.unwrap_err().to_string();
    assert!(error.contains("refused Widget default/g"), "{error}");
    assert!(took <= 5, "{took}");
}
