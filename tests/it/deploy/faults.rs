//! `deploy-manifests` while the API server is in trouble: the right verdict, in time, and each object accepted once.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::it::support::{
    Lane, cluster,
    proxy::{Fault, Proxy},
    sandbox,
    sets::{self, Deployed, Set, python},
    within,
};

const CONFIGS: usize = 12;

/// A set of 18 objects in a namespace of its own: definitions and what they define, and a workload that takes its time.
fn set(name: &str) -> Set {
    let group = format!("{name}.example");
    let member = |at: usize| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("c{at}"), "namespace": name}, "data": {"a": "1"}});
    let thing = |at: usize| json!({"apiVersion": format!("{group}/v1"), "kind": "Thing", "metadata": {"name": format!("t{at}"), "namespace": name}});
    let mut objects: Vec<Value> = (0..CONFIGS).map(member).collect();
    objects.extend((0..3).map(thing));
    objects.push(sets::definition(&group, "Thing", "things"));
    objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
    let mut server = python(
        "import http.server, time; time.sleep(4); http.server.HTTPServer(('', 8080), http.server.SimpleHTTPRequestHandler).serve_forever()",
    );
    server["readinessProbe"] = json!({"tcpSocket": {"port": 8080}, "periodSeconds": 1});
    objects.push(sets::deployment(name, "slow", &server));
    Set::new(name, objects)
}

/// Deploys the set while the server is in trouble, once in the middle and once after all was sent.
async fn through(name: &str, lasts: u64, fault: Fault) -> (String, Deployed, Vec<usize>) {
    let set = set(name);
    let lasts = Duration::from_secs(lasts);
    let faults = vec![(7, lasts, fault), (set.len(), lasts, fault)];
    let proxy = Proxy::before(cluster(), faults).await;
    let deployed = set.deploy(&proxy.kubeconfig(), "4m").await;
    let accepted = proxy.accepted().into_values().collect();
    (format!("{fault:?}"), deployed, accepted)
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_a_server_in_trouble_costs_no_more_than_the_time_it_takes() {
    let Some(_turn) = sandbox(Lane::Waits) else {
        return;
    };
    let after = Some("2");
    let all = [
        ("fault-busy", 8, Fault::Says(429, after)),
        ("fault-hang", 30, Fault::Hangs),
        ("fault-inner", 8, Fault::Says(500, None)),
        ("fault-away", 12, Fault::Says(503, after)),
        ("fault-reset", 8, Fault::Resets),
    ];
    let runs =
        all.map(|(name, lasts, fault)| async move { (lasts, through(name, lasts, fault).await) });
    for (lasts, (fault, deployed, accepted)) in join_all(runs).await {
        assert_eq!(deployed.code, Some(0), "{fault}: {}", deployed.said);
        assert_eq!(
            accepted, [1; 18],
            "{fault}: accepted more than once, or not at all"
        );
        // Both faults were met, and cost little more than they lasted.
        let (took, more) = (
            deployed.took.as_secs(),
            within(Duration::from_mins(1)).as_secs(),
        );
        assert!(
            (2 * lasts..2 * lasts + more).contains(&took),
            "{fault}: {took} s"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_a_server_that_dies_when_all_was_sent_is_named_at_the_limit() {
    let Some(_turn) = sandbox(Lane::Cluster) else {
        return;
    };
    let set = set("fault-dead");
    let forever = Duration::from_hours(1);
    let faults = vec![(set.len(), forever, Fault::Resets)];
    let proxy = Proxy::before(cluster(), faults).await;
    // Two minutes of silence end a deployment; that is proven on a clock that need not be waited for.
    let deployed = set.deploy(&proxy.kubeconfig(), "25s").await;
    assert_eq!(deployed.code, Some(124), "{}", deployed.said);
    assert!(
        deployed
            .cause()
            .contains("the API server has not answered for"),
        "{}",
        deployed.said
    );
}
