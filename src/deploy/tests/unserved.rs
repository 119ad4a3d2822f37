//! Services that lead to no pod.

use super::*;

const SERVICE: &str = "{apiVersion: v1, kind: Service, metadata: {name: s}, \
                       spec: {selector: {app: a}, ports: [{port: 80, targetPort: web}]}}";

/// A pod of nobody in the set, that is ready and has a port of that name.
fn pod(app: &str, port: &str) -> Value {
    json!({"metadata": {"name": "p", "namespace": "default", "uid": "p", "resourceVersion": "2", "labels": {"app": app}},
        "spec": {"containers": [{"name": "c", "ports": [{"name": port, "containerPort": 80}]}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}})
}

async fn deploy(set: &str, pods: Vec<Value>) -> (Result<(), DeployError>, u64) {
    let server = Server::new().lists("pods", vec![pods]);
    let (result, took, _) = server.deploy(set, "45m").await;
    (result, took)
}

#[tokio::test(start_paused = true)]
async fn a_service_that_leads_to_no_pod_is_not_ready() {
    for (app, port, said) in [
        ("a", "web", None),
        ("b", "web", Some("no pod has its labels app=a")),
        (
            "a",
            "http",
            Some("its pods have no port that is called web"),
        ),
    ] {
        let (result, took) = deploy(SERVICE, vec![pod(app, port)]).await;
        let Some(said) = said else {
            result.unwrap();
            assert!(took < 3, "{took}");
            continue;
        };
        let error = result.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("Service default/s: {said}, and nothing has changed for 1m")
        );
        assert_eq!(error.exit(), Exit::TestFailed);
        assert!(
            error
                .hint()
                .unwrap()
                .contains("ready-when: services accepted")
        );
        assert!((60..=62).contains(&took), "{took}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_leads_nowhere_only_while_nothing_could_serve_it() {
    // A controller may make its pods: it has longer. Or its user says that they come later.
    let widget = "{apiVersion: kubeflow.org/v1, kind: Profile, metadata: {name: w}}";
    let mut server = Server::new().lists("pods", vec![vec![]]);
    server.ready_when = "profiles.kubeflow.org accepted".parse().unwrap();
    let set = format!("{SERVICE}\n---\n{widget}");
    let (result, took, _) = server.deploy(&set, "45m").await;
    assert_eq!(result.unwrap_err().exit(), Exit::TestFailed);
    assert!((180..=182).contains(&took), "{took}");
    // Where a workload of the set makes its pods, no controller will give them another port.
    let made = DEPLOYMENT.replace("template: {", "template: {metadata: {labels: {app: a}}, ");
    let mut server = Server::new()
        .lists("deployments", vec![vec![deployment(1)]])
        .lists("pods", vec![vec![pod("a", "http")]]);
    server.ready_when = "profiles.kubeflow.org accepted".parse().unwrap();
    let (result, took, _) = server.deploy(&format!("{set}\n---\n{made}"), "45m").await;
    assert_eq!(result.unwrap_err().exit(), Exit::TestFailed);
    assert!((60..=62).contains(&took), "{took}");
    let mut server = Server::new().lists("pods", vec![vec![]]);
    server.ready_when = "services accepted".parse().unwrap();
    server.deploy(SERVICE, "45m").await.0.unwrap();
    // A workload of the set that wants no pod, one whose pod is not ready yet, and one without a selector.
    let scaled = DEPLOYMENT.replace(
        "template: {",
        "replicas: 0, template: {metadata: {labels: {app: a}}, ",
    );
    let mut none = deployment(0);
    none["spec"]["replicas"] = json!(0);
    none["status"]["replicas"] = json!(0);
    none["status"]["updatedReplicas"] = json!(0);
    let server = Server::new().lists("deployments", vec![vec![none]]);
    let set = format!("{SERVICE}\n---\n{scaled}");
    server.deploy(&set, "45m").await.0.unwrap();
    let mut starting = pod("a", "http");
    starting["status"]["conditions"] = json!([]);
    deploy(SERVICE, vec![starting]).await.0.unwrap();
    let by_hand = SERVICE.replace("selector: {app: a}, ", "");
    deploy(&by_hand, vec![]).await.0.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_service_that_a_crashed_container_named_is_the_cause() {
    let service = SERVICE.replace("name: s}", "name: store}");
    let (set, mut pod) = without_image();
    pod["status"]["containerStatuses"][0] = json!({"name": "c", "restartCount": 3, "ready": false,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1}}});
    let server = Server::new()
        .lists("deployments", vec![vec![deployment(0)]])
        .lists("replicasets", vec![vec![set]])
        .lists("pods", vec![vec![pod]])
        .says(
            (0, 10_000),
            (Method::GET, "log"),
            (200, json!("http://store:80 does not answer")),
        );
    let (result, took, _) = server
        .deploy(&format!("{DEPLOYMENT}\n---\n{service}"), "45m")
        .await;
    let error = result.unwrap_err().to_string();
    assert_eq!(
        error,
        "Deployment default/a waits ← Service default/store: no pod has its labels app=a, and nothing has changed for 3m"
    );
    assert!((180..=183).contains(&took), "{took}");
}
