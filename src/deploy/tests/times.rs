//! How long each bad state has to last, as docs/readiness.md has it.

use super::*;
use crate::{
    cluster::view::REFUSED,
    deploy::{gates, leaving, patience, statuses, verdict},
    limits::humane,
    pod::TABLE,
};

/// The pod of the deployment with a container that waits for this reason.
fn waiting(reason: &str, message: &str) -> Value {
    let (_, mut pod) = without_image();
    pod["status"]["containerStatuses"][0]["state"]["waiting"] =
        json!({"reason": reason, "message": message});
    pod
}

fn crashed(times: u64) -> Value {
    let mut pod = waiting(
        "CrashLoopBackOff",
        "back-off 5m0s restarting failed container",
    );
    let status = &mut pod["status"]["containerStatuses"][0];
    status["restartCount"] = json!(times - 1);
    status["lastState"] = json!({"terminated": {"exitCode": 1}});
    pod
}

fn server(pod: Value) -> Server {
    let (set, _) = without_image();
    Server::new()
        .lists("deployments", vec![vec![deployment(0)]])
        .lists("replicasets", vec![vec![set]])
        .lists("pods", vec![vec![pod]])
}

/// A second Deployment, of which nothing is seen yet.
fn both() -> String {
    format!(
        "{DEPLOYMENT}\n---\n{}",
        DEPLOYMENT.replace("name: a", "name: b")
    )
}

#[tokio::test(start_paused = true)]
async fn a_bad_pod_ends_it_after_the_time_of_its_reason_and_alone_where_nothing_else_can_help_it() {
    for (reason, message, seconds, alone) in [
        ("InvalidImageName", "couldn't parse image name", 30, true),
        (
            "CreateContainerConfigError",
            "container has runAsNonRoot and image will run as root",
            30,
            true,
        ),
        (
            "ErrImageNeverPull",
            "is not present with pull policy of Never",
            60,
            true,
        ),
        ("ErrImagePull", "manifest unknown", 120, true),
        (
            "ErrImagePull",
            "no match for platform in manifest",
            120,
            true,
        ),
        (
            "CreateContainerConfigError",
            "secret \"s\" not found",
            120,
            false,
        ),
        ("ErrImagePull", "401 Unauthorized", 180, false),
        ("ErrImagePull", "dial tcp: i/o timeout", 300, false),
        ("ErrImagePull", "429 Too Many Requests", 480, false),
    ] {
        let pod = waiting(reason, message);
        let (result, took, _) = server(pod.clone()).deploy(DEPLOYMENT, "45m").await;
        assert!(
            matches!(result, Err(DeployError::Stuck { .. })),
            "{message}: {result:?}"
        );
        assert!((seconds..=seconds + 3).contains(&took), "{message}: {took}");
        let (result, took, _) = server(pod).deploy(&both(), "20m").await;
        let error = result.unwrap_err();
        let expected = if alone { seconds } else { 1200 };
        assert!(
            (expected..=expected + 3).contains(&took),
            "{message}: {took}"
        );
        if alone {
            assert!(
                error
                    .to_string()
                    .starts_with("Deployment default/a ← pod a-1: "),
                "{error}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_passes_in_time_fails_nothing() {
    let (up, good) = (
        deployment(1),
        json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}),
    );
    let mut ready = waiting("", "");
    ready["status"] = good;
    // An image that was not found for a minute and a half, a large one that takes half an hour.
    for (pod, second) in [
        (waiting("ErrImagePull", "manifest unknown"), 100),
        (waiting("ContainerCreating", ""), 1800),
    ] {
        let mut server = server(pod.clone()).lists("pods", vec![vec![pod], vec![ready.clone()]]);
        server.becomes = Some((second, up.clone()));
        server.events = vec![
            (second, "pods", ready.clone()),
            (second, "deployments", up.clone()),
        ];
        let (result, took, _) = server.deploy(DEPLOYMENT, "45m").await;
        result.unwrap();
        assert!((second..=second + 2).contains(&took), "{took}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_volume_of_a_config_map_that_is_nowhere_ends_it_by_what_the_kubelet_told() {
    let mut pod = waiting("ContainerCreating", "");
    pod["metadata"]["uid"] = json!("p");
    let message = "MountVolume.SetUp failed for volume \"v\" : configmap \"gone\" not found";
    let event = json!({"reason": "FailedMount", "message": message, "lastTimestamp": "2026-01-01T00:00:09Z",
        "involvedObject": {"kind": "Pod", "uid": "p"}});
    let told = json!({ "items": [event] });
    let told = (200, told);
    let server = || server(pod.clone()).says((0, 9_999), (Method::GET, "events"), told.clone());
    let (result, took, _) = server().deploy(DEPLOYMENT, "45m").await;
    assert_eq!(
        result.unwrap_err().to_string(),
        format!(
            "nothing moved for 3m 15s: Deployment default/a ← pod a-1: a volume cannot be mounted: {message}"
        )
    );
    assert!((194..=197).contains(&took), "{took}");
    // Something else still comes up that may make it.
    let (result, ..) = server().deploy(&both(), "20m").await;
    assert_eq!(result.unwrap_err().exit(), Exit::TimeLimit);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_runs_past_the_deadline_of_its_deployment_ends_it() {
    let mut late = deployment(0);
    late["status"]["conditions"] =
        json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
    for (state, expected) in [
        (json!({"running": {}}), Some(60)),
        // A pull may take longer than that.
        (json!({"waiting": {"reason": "ContainerCreating"}}), None),
    ] {
        let mut pod = waiting("", "");
        pod["status"]["containerStatuses"][0]["state"] = state;
        let mut server = server(pod);
        server.events = vec![(600, "deployments", late.clone())];
        let (result, took, _) = server.deploy(DEPLOYMENT, "45m").await;
        let error = result.unwrap_err();
        match expected {
            Some(seconds) => {
                assert!((600 + seconds..=602 + seconds).contains(&took), "{took}");
                let said = "its progressDeadlineSeconds are over";
                assert!(error.to_string().contains(said), "{error}");
                assert_eq!(error.exit(), Exit::TestFailed);
            }
            None => assert_eq!(error.exit(), Exit::TimeLimit),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_container_that_crashes_once_more_after_all_else_came_up_will_not_start() {
    let mut server = server(crashed(7));
    server.events = vec![(45, "pods", crashed(8))];
    let (result, took, _) = server.deploy(DEPLOYMENT, "45m").await;
    assert_eq!(result.unwrap_err().exit(), Exit::TestFailed);
    assert!((45..=47).contains(&took), "{took}");
    // Of one that does not start again nothing more is heard.
    let (result, took, _) = self::server(crashed(7)).deploy(DEPLOYMENT, "45m").await;
    assert!(matches!(result, Err(DeployError::Stuck { .. })));
    assert!((360..=363).contains(&took), "{took}");
    // One that was started after all else came up, and has ended again, needs no further proof; nor has its start for a
    // moment been one.
    for (started, seconds) in [("2999-01-01T00:00:00Z", 30), ("2026-01-01T00:00:00Z", 360)] {
        let mut pod = crashed(6);
        pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["startedAt"] =
            json!(started);
        let mut up = pod.clone();
        up["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
        let status = &mut up["status"]["containerStatuses"][0];
        status["ready"] = json!(true);
        status["state"] = json!({"running": {"startedAt": "2999-01-01T00:00:00Z"}});
        let mut server = self::server(pod.clone());
        server.events = vec![(15, "pods", up), (17, "pods", pod)];
        let (result, took, _) = server.deploy(DEPLOYMENT, "45m").await;
        assert!(matches!(result, Err(DeployError::Stuck { .. })));
        assert!((seconds..=seconds + 3).contains(&took), "{started}: {took}");
    }
    // While something else is still coming up, it may be what the container needs.
    let mut server = self::server(crashed(7));
    server.events = vec![(45, "pods", crashed(8)), (345, "pods", crashed(9))];
    let (result, took, _) = server.deploy(&both(), "20m").await;
    assert_eq!(result.unwrap_err().exit(), Exit::TimeLimit);
    assert_eq!(took, 1200);
}

fn page() -> String {
    let mut page = "| state | how long it has to last |\n|---|---|\n".to_owned();
    let mut row = |what: &str, time: &str| page.extend([format!("| {what} | {time} |\n")]);
    row(
        "a Job, a Workflow, a pod of its own, or another object that ends has failed; a `fail` of `ready-when` holds; an accepted object was deleted",
        "it counts at once",
    );
    row(
        "another failure that the API calls final (a Profile, the names of a definition)",
        &humane(statuses::FLAP),
    );
    row(
        "somebody suspended an object, and not its manifest",
        &humane(statuses::SUSPENDED),
    );
    row(
        "a right to list or watch a kind is missing",
        &humane(REFUSED),
    );
    row(
        "the API server gives no good answer",
        &humane(verdict::LOST),
    );
    row(
        "what an object needs is accepted, and the server refuses the object still for lack of it; a webhook calls a Service that is nowhere; the server answers one object with code 500, and all else well",
        &humane(patience::SETTLED),
    );
    row(
        "an older object does not go that is being deleted; a Namespace, or what goes after others",
        &format!("{}; {}", humane(leaving::GOES), humane(leaving::GOES_LAST)),
    );
    for patience in &TABLE {
        let time = match patience.time {
            Some(time) if patience.alone => {
                format!("{}, whatever else still comes up", humane(time))
            }
            Some(time) => humane(time),
            None => "as long as there is time".to_owned(),
        };
        if patience.what.starts_with("no node") {
            row(
                patience.what,
                &format!(
                    "{time}; {} where an autoscaler may add a node",
                    humane(verdict::NODES)
                ),
            );
        } else {
            row(patience.what, &time);
        }
    }
    row(
        "the containers of a pod run, and the `progressDeadlineSeconds` of its Deployment are over, 10 minutes of what has none; another state that only a change ends: no StorageClass of that name",
        &humane(verdict::STUCK),
    );
    row(
        "a custom resource waits for its controller, beside something that is stuck",
        &humane(verdict::CONTROLLER),
    );
    row(
        "a namespace that a controller may make is not there; nothing of the set could make it",
        &format!("{}; {}", humane(verdict::ABSENT), humane(verdict::NOBODY)),
    );
    row(
        "a Service selects no pod, or calls a port by a name that its pods do not have; a workload of the set makes them, or nothing of it could",
        &format!("{}; {}", humane(verdict::ABSENT), humane(verdict::NOBODY)),
    );
    row(
        "a kind is not served that something of the set may make",
        &humane(verdict::ABSENT),
    );
    row(
        "a webhook is not complete or not reachable, and nothing of the set that serves it is coming up",
        &humane(gates::UNSERVED + verdict::STUCK),
    );
    row(
        "a refusal that only somebody else can end: his webhook, a 5xx for one object that tells of trouble of the server",
        &humane(verdict::OTHERS),
    );
    row(
        "an object of a kind that only the general rule knows has no status",
        &format!(
            "{} from its acceptance; then it counts as ready, and a warning says so",
            humane(ready::SILENCE)
        ),
    );
    row(
        "all that has a row is ready, the general rule calls the rest not ready, and nothing changes",
        &format!(
            "{}, with the `ready-when` line that accepts it",
            humane(verdict::UNCHANGED)
        ),
    );
    page
}

#[test]
fn the_page_has_the_times_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/readiness.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (head, rest) = text.split_once("<!-- begin times -->\n").unwrap();
    let (table, tail) = rest.split_once("<!-- end times -->\n").unwrap();
    if std::env::var_os("UPDATE").is_some() {
        let text = format!(
            "{head}<!-- begin times -->\n{}<!-- end times -->\n{tail}",
            page()
        );
        std::fs::write(path, text).unwrap();
    } else {
        assert_eq!(table, page(), "UPDATE=1 writes it");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_container_named_before_it_crashed_is_the_cause_while_it_is_not_ready() {
    let service =
        "{apiVersion: v1, kind: Service, metadata: {name: store}, spec: {selector: {app: b}}}";
    let store = DEPLOYMENT
        .replace("name: a", "name: b")
        .replace("template: {", "template: {metadata: {labels: {app: b}}, ");
    let set = [DEPLOYMENT, service, &store].join("\n---\n");
    for (log, cause) in [
        (
            "dial tcp: lookup store on 10.96.0.10:53",
            "Deployment default/a waits ← Deployment default/b: not seen yet",
        ),
        (
            "segmentation fault",
            "Deployment default/a ← pod a-1: container c ended 7 times, last with exit code 1",
        ),
    ] {
        let server = server(crashed(7)).says((0, 10_000), (Method::GET, "log"), (200, json!(log)));
        let (result, ..) = server.deploy(&set, "1m").await;
        let error = result.unwrap_err().to_string();
        assert_eq!(error, format!("timed out after 1m: {cause}"));
    }
}
