//! Jobs that fail again and again, long before Kubernetes gives them up.

use super::*;

const JOB: &str = "{apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {template: {spec: {containers: []}}}}";

fn job(failed: u64) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job", "spec": {"backoffLimit": 6}, "status": {"failed": failed},
        "metadata": {"name": "j", "namespace": "default", "uid": "u", "generation": 1, "resourceVersion": failed.to_string()}})
}

/// A pod of it that failed.
fn failed(name: &str, started: &str) -> Value {
    let end = json!({"terminated": {"exitCode": 1, "startedAt": started}});
    json!({"status": {"phase": "Failed", "containerStatuses": [{"name": "c", "state": end}]},
        "spec": {"containers": [{"name": "c"}]},
        "metadata": {"name": name, "namespace": "default", "uid": name, "resourceVersion": "2", "creationTimestamp": started,
            "ownerReferences": [{"controller": true, "uid": "u"}]}})
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_pod_fails_once_more_after_all_else_came_up_ends_it() {
    let server = |failures: u64, started: &str| {
        Server::new()
            .lists("jobs", vec![vec![job(failures)]])
            .lists("pods", vec![vec![failed("j-1", started)]])
    };
    let after = "2999-01-01T00:00:00Z";
    let (result, took, _) = server(5, after).deploy(JOB, "45m").await;
    let error = result.unwrap_err();
    assert_eq!(error.exit(), Exit::TestFailed);
    let said = "Job default/j ← pod j-1: 5 pods of it failed, last with container c: exit code 1";
    assert!(error.to_string().contains(said), "{error}");
    assert!((30..=32).contains(&took), "{took}");

    // One that was started before all else came up proves nothing, nor does a job that has failed but once.
    for (failures, started, exit) in [
        (5, "2026-01-01T00:00:00Z", Exit::TestFailed),
        (1, after, Exit::TimeLimit),
    ] {
        let (result, took, _) = server(failures, started).deploy(JOB, "20m").await;
        assert_eq!(result.unwrap_err().exit(), exit);
        assert!(took >= 360, "{took}");
    }
}
