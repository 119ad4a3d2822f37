//! Refusals that pass, and those that do not.

use super::*;

const WIDGET: &str =
    "{apiVersion: a.example/v1, kind: Widget, metadata: {name: w}, spec: {dnsName: [a]}}";
const TYPO: &str = "failed to create typed patch object (default/w; a.example/v1, Kind=Widget): .spec.dnsName: field not declared in schema";

fn with_definition() -> Server {
    let widget =
        json!({"metadata": {"name": "w", "namespace": "default", "uid": "u", "generation": 1}});
    Server::new()
        .lists(
            "customresourcedefinitions",
            vec![vec![established("u", "2")]],
        )
        .lists("widgets", vec![vec![widget]])
}

fn message(text: &str) -> Value {
    json!({ "message": text })
}

fn calls(webhook: &str, service: &str, namespace: &str, end: &str) -> Value {
    message(&format!(
        "Internal error occurred: failed calling webhook \"{webhook}\": failed to call webhook: \
         Post \"https://{service}.{namespace}.svc:443/x?timeout=10s\": {end}"
    ))
}

#[tokio::test(start_paused = true)]
async fn an_object_that_does_not_fit_its_definition_is_given_up_after_a_minute() {
    let set = format!("{WIDGET}\n---\n{DEFINITION}\n---\n{CONFIG}");
    // No older one can be served where it was not there before: it is 201, then.
    for (waits, code, seconds) in [
        (true, 200, 60..=64),
        (false, 200, 60..=64),
        (true, 201, 0..=2),
    ] {
        let patch = (Method::PATCH, "w");
        let definition = (Method::PATCH, "widgets.a.example");
        let mut server = with_definition()
            .says((0, 10_000), patch, (500, message(TYPO)))
            .says((0, 10_000), definition, (code, established("u", "2")));
        server.waits = waits;
        let (result, took, _) = server.deploy(&set, "45m").await;
        let error = result.unwrap_err();
        assert_eq!(error.exit(), Exit::TestFailed);
        assert_eq!(
            error.to_string(),
            format!("the cluster refused Widget default/w: {TYPO}")
        );
        let hint = error.hint().unwrap();
        assert!(hint.contains("definition of its kind"), "{hint}");
        assert!(seconds.contains(&took), "{code}: {took}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_definition_that_is_still_served_is_waited_out() {
    let set = format!("{WIDGET}\n---\n{DEFINITION}");
    let unserved = "the server could not find the requested resource";
    for waits in [true, false] {
        let patch = || (Method::PATCH, "w");
        let mut server = with_definition()
            .says((0, 30), patch(), (500, message(TYPO)))
            .says((30, 50), patch(), (404, message(unserved)));
        server.waits = waits;
        let (result, took, _) = server.deploy(&set, "45m").await;
        result.unwrap();
        assert!((50..=54).contains(&took), "{took}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_typo_ends_it_also_where_only_a_probe_meets_it() {
    // Its webhook is asked by a dry run of the object, which the server refuses before it asks.
    let webhook = "{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: v}, \
         webhooks: [{name: v.a.example, clientConfig: {url: 'https://hooks.example'}, \
         rules: [{operations: [CREATE], apiGroups: [a.example], apiVersions: ['*'], resources: ['*']}]}]}";
    let live = json!({"metadata": {"name": "v", "uid": "u"}, "webhooks": [{"name": "v.a.example", "rules": [{}], "clientConfig": {}}]});
    let set = format!("{WIDGET}\n---\n{DEFINITION}\n---\n{webhook}");
    let server = with_definition()
        .lists("validatingwebhookconfigurations", vec![vec![live]])
        .says((0, 10_000), (Method::PATCH, "w"), (500, message(TYPO)));
    let (result, took, server) = server.deploy(&set, "45m").await;
    let error = result.unwrap_err();
    assert_eq!(error.exit(), Exit::TestFailed);
    assert!(error.to_string().contains(TYPO), "{error}");
    assert!((60..=64).contains(&took), "{took}");
    assert!(server.times("w").is_empty());
}

fn stale() -> Server {
    let service = |name: &str| json!({"service": {"namespace": "gone", "name": name}});
    let configurations = json!([
        {"metadata": {"name": "other"}, "webhooks": [{"name": "w.example", "clientConfig": service("another")}]},
        {"metadata": {"name": "left"}, "webhooks": [{"name": "v.example"}, {"name": "w.example", "clientConfig": service("hook")}]},
    ]);
    let list = json!({"metadata": {"resourceVersion": "1"}, "items": configurations});
    let all = (Method::GET, "validatingwebhookconfigurations");
    Server::new().says((0, 10_000), all, (200, list))
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_calls_nobody_ends_it_after_a_minute() {
    let end = "service \"hook\" not found";
    let refused = || (500, calls("w.example", "hook", "gone", end));
    let named = "ValidatingWebhookConfiguration left calls the Service gone/hook, which neither the set nor the cluster has: \
                 deploy what serves it, or `kubectl delete validatingwebhookconfiguration left`";
    let server = stale().says((0, 10_000), (Method::PATCH, "c"), refused());
    let set = format!("{CONFIG}\n---\n{DEPLOYMENT}");
    let server = server.lists("deployments", vec![vec![deployment(0)]]);
    let (result, took, _) = server.deploy(&set, "45m").await;
    let error = result.unwrap_err();
    assert_eq!(error.exit(), Exit::TestFailed);
    assert!(
        error
            .to_string()
            .starts_with("the cluster refused ConfigMap default/c: Internal error occurred: failed calling webhook \"w.example\""),
        "{error}"
    );
    assert_eq!(error.hint().unwrap(), named);
    assert!((60..=66).contains(&took), "{took}");

    // Without a wait the third refusal in a row is the last.
    let mut server = stale().says((0, 10_000), (Method::PATCH, "c"), refused());
    server.waits = false;
    let (result, took, _) = server.deploy(CONFIG, "45m").await;
    let error = result.unwrap_err();
    assert!(matches!(error, DeployError::NotAccepted { .. }), "{error}");
    assert_eq!(error.hint().unwrap(), named);
    assert!(took <= 3, "{took}");

    // Where its configuration cannot be found, the way to it is told.
    let server = Server::new().says((0, 10_000), (Method::PATCH, "c"), refused());
    let (result, ..) = server.deploy(CONFIG, "45m").await;
    let hint = result.unwrap_err().hint().unwrap();
    assert!(
        hint.starts_with("the webhook w.example calls the Service gone/hook"),
        "{hint}"
    );
    assert!(
        hint.contains("kubectl get validatingwebhookconfigurations"),
        "{hint}"
    );

    let conversion = "conversion webhook for a.example/v1, Kind=A failed: Post \"https://hook.gone.svc:443/convert\": service \"hook\" not found";
    let server = Server::new().says(
        (0, 10_000),
        (Method::PATCH, "c"),
        (500, message(conversion)),
    );
    let (result, took, _) = server.deploy(CONFIG, "45m").await;
    let hint = result.unwrap_err().hint().unwrap();
    assert!(
        hint.starts_with("the definition that converts a.example/v1 calls the Service gone/hook"),
        "{hint}"
    );
    assert!((60..=66).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_webhook_whose_service_comes_with_the_set_is_waited_for() {
    let refused = || {
        let text = calls("w.example", "hook", "default", "service \"hook\" not found");
        (500, text)
    };
    let server = Server::new().says((0, 300), (Method::PATCH, "c"), refused());
    let set = format!("{CONFIG}\n---\n{{apiVersion: v1, kind: Service, metadata: {{name: hook}}}}");
    let (result, took, _) = server.deploy(&set, "45m").await;
    result.unwrap();
    assert!((300..=306).contains(&took), "{took}");

    // An operator of the set makes the Service when it is up.
    let mut server = Server::new()
        .lists("deployments", vec![vec![deployment(0)]])
        .says((0, 190), (Method::PATCH, "c"), refused());
    server.events = vec![(150, "deployments", deployment(1))];
    server.becomes = Some((150, deployment(1)));
    let set = format!("{CONFIG}\n---\n{DEPLOYMENT}");
    let (result, took, _) = server.deploy(&set, "45m").await;
    result.unwrap();
    assert!((190..=196).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn what_only_others_can_end_is_over_when_nothing_moves() {
    let end = "no endpoints available for service \"hook\"";
    for (code, body) in [
        (500, calls("w.example", "hook", "other", end)),
        (500, message("etcdserver: leader changed")),
    ] {
        let said = body["message"].as_str().unwrap().to_owned();
        let server = Server::new().says((0, 10_000), (Method::PATCH, "c"), (code, body));
        let (result, took, _) = server.deploy(CONFIG, "45m").await;
        let error = result.unwrap_err();
        assert_eq!(error.exit(), Exit::TestFailed);
        assert_eq!(
            error.to_string(),
            format!("nothing moved for 5m: ConfigMap default/c: {said}")
        );
        assert!((300..=310).contains(&took), "{took}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_alone_the_server_stumbles_over_is_given_up_after_a_minute() {
    let said = "unsupported role reference kind: \"role\"";
    let server = || Server::new().says((0, 10_000), (Method::PATCH, "c"), (500, message(said)));
    let (result, took, _) = server().deploy(CONFIG, "45m").await;
    let error = result.unwrap_err();
    assert_eq!(error.exit(), Exit::TestFailed);
    assert_eq!(
        error.to_string(),
        format!("the cluster refused ConfigMap default/c: {said}")
    );
    assert!((60..=75).contains(&took), "{took}");
    // A server that answers nothing well is in trouble itself.
    let mut server = server();
    server.faults = vec![(1, 100_000, Fault::Says(500))];
    let error = server.deploy(CONFIG, "45m").await.0.unwrap_err();
    assert_eq!(error.exit(), Exit::Infrastructure);
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_on_the_cluster_is_given_up_after_a_minute() {
    for (code, text, hint) in [
        (
            404,
            "namespaces \"default\" not found",
            "its namespace was there and is gone",
        ),
        (
            403,
            "pods \"c\" is forbidden: error looking up service account default/a: serviceaccount \"a\" not found",
            "add that to the set",
        ),
    ] {
        let server = Server::new().says((0, 10_000), (Method::PATCH, "c"), (code, message(text)));
        let (result, took, _) = server.deploy(CONFIG, "45m").await;
        let error = result.unwrap_err();
        assert_eq!(error.exit(), Exit::TestFailed);
        assert!(error.to_string().contains(text), "{error}");
        assert!(error.hint().unwrap().contains(hint));
        assert!((60..=64).contains(&took), "{took}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_too_large_for_the_store_is_refused_at_once() {
    let said = "etcdserver: request is too large";
    let server = Server::new().says((0, 10_000), (Method::PATCH, "c"), (500, message(said)));
    let (result, took, server) = server.deploy(CONFIG, "45m").await;
    let error = result.unwrap_err();
    assert_eq!(error.exit(), Exit::TestFailed);
    assert!(error.hint().unwrap().contains("1.5 MiB"));
    assert!(took <= 1, "{took}");
    assert_eq!(server.times("c").len(), 1);
}
