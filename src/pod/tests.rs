use serde_json::json;

use super::*;

#[expect(clippy::needless_pass_by_value, reason = "it is called with literals")]
fn pod(status: Value) -> Value {
    json!({
        "metadata": {"name": "p", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"containers": [{"name": "c", "image": "i:1", "resources": {"limits": {"memory": "64Mi"}}}]},
        "status": status,
    })
}

#[expect(clippy::needless_pass_by_value, reason = "it is called with literals")]
fn container(status: Value) -> Value {
    pod(json!({"phase": "Pending", "containerStatuses": [status]}))
}

fn only(pod: &Value, events: &[&Value]) -> (Why, String) {
    let mut troubles = troubles(pod, events);
    assert_eq!(troubles.len(), 1, "{pod}");
    let trouble = troubles.remove(0);
    (trouble.why, trouble.what)
}

#[test]
fn the_words_of_registries_count_and_names_tags_and_digests_do_not() {
    for (message, expected) in [
        (
            "x:v20240429-ab: unexpected status from HEAD request to https://r/v2/x/manifests/404: 500 Internal",
            Why::ImagePull,
        ),
        (
            "failed to copy: httpReadSeeker: sha256:1429404ab401: unexpected content",
            Why::ImagePull,
        ),
        (
            "unexpected status from GET request to https://r/v2/x: 429 Too Many Requests",
            Why::RegistryLimits,
        ),
        (
            "toomanyrequests: You have reached your pull rate limit",
            Why::RegistryLimits,
        ),
        (
            "failed to resolve reference \"r/denied/not found:1\": unexpected status: 503 Service Unavailable",
            Why::RegistryUnreachable,
        ),
        (
            "rpc error: code = NotFound desc = failed to pull and unpack image",
            Why::ImageGone,
        ),
        ("r/x:1: not found", Why::ImageGone),
        (
            "pull access denied, repository does not exist or may require authorization",
            Why::ImageGone,
        ),
        ("failed to authorize: 401 Unauthorized", Why::RegistryDenies),
        ("403 Forbidden", Why::RegistryDenies),
        (
            "no match for platform in manifest: not found",
            Why::ImagePlatform,
        ),
        (
            "dial tcp: lookup gcr.io: no such host",
            Why::RegistryUnknown,
        ),
        (
            "dial tcp: lookup gcr.io on 10.0.0.2:53: read udp: i/o timeout",
            Why::RegistryUnknown,
        ),
        ("a: b: c: dial tcp: i/o timeout", Why::RegistryUnreachable),
        (
            "tls: failed to verify certificate",
            Why::RegistryUnreachable,
        ),
        ("r.io/tls-tools:1 is odd", Why::ImagePull),
        ("", Why::ImagePull),
    ] {
        let (why, words) = pull::why(message, "ErrImagePull");
        assert_eq!(why, expected, "{message}");
        assert!(!words.is_empty(), "{message}");
    }
    assert_eq!(pull::why("bad", "InvalidImageName").0, Why::ImageName);
    assert_eq!(pull::why("", "ErrImageNeverPull").0, Why::ImageNever);
}

#[test]
fn what_no_node_offers_is_told_whole() {
    let unscheduled = |reason: &str, message: &str| {
        pod(
            json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": reason, "message": message}]}),
        )
    };
    for (message, expected) in [
        (
            "0/3 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }, 2 Insufficient cpu. \
             preemption: 0/3 nodes are available: 3 Preemption is not helpful.",
            "no node takes it: node(s) had untolerated taint {node.kubernetes.io/not-ready: }, Insufficient cpu",
        ),
        (
            "0/2 nodes are available: 1 Insufficient memory, 2 Insufficient cpu. no new claims to deallocate, preemption: 0/2 nodes",
            "no node takes it: Insufficient memory, Insufficient cpu",
        ),
    ] {
        assert_eq!(
            only(&unscheduled("Unschedulable", message), &[]),
            (Why::NoRoom, expected.to_owned())
        );
    }
    let unbound = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.";
    assert_eq!(
        only(&unscheduled("Unschedulable", unbound), &[]).0,
        Why::Claim
    );
    assert_eq!(only(&unscheduled("SchedulingGated", ""), &[]).0, Why::Gated);
    for (message, expected) in [
        (
            "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
            Why::NoNode,
        ),
        (
            "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match Pod's node affinity/selector.",
            Why::NoRoom,
        ),
        ("persistentvolumeclaim \"data\" not found", Why::Claim),
    ] {
        let why = only(&unscheduled("Unschedulable", message), &[]).0;
        assert_eq!(why, expected, "{message}");
    }
}

#[test]
fn a_pod_that_no_scheduler_has_looked_at_names_the_one_it_waits_for() {
    let mut pod = pod(json!({"phase": "Pending"}));
    pod["spec"]["schedulerName"] = json!("mine");
    let expected = "no scheduler has looked at it (schedulerName: mine)".to_owned();
    assert_eq!(only(&pod, &[]), (Why::Unscheduled, expected));
    pod["spec"]["nodeName"] = json!("n1");
    assert_eq!(troubles(&pod, &[]), []);
}

#[test]
fn a_mount_that_failed_before_a_pull_began_is_over() {
    let event = |reason: &str, message: &str| json!({"reason": reason, "message": message});
    let creating = json!({"name": "c", "state": {"waiting": {"reason": "ContainerCreating"}}});
    let creating = container(creating);
    let pulling = event("Pulling", "Pulling image \"i:1\"");
    for (message, expected) in [
        ("configmap \"programs\" not found", Why::Mount),
        (
            "configmap references non-existent config key: a.py",
            Why::Mount,
        ),
        ("references non-existent secret key: tls.crt", Why::Mount),
        (
            "hostPath type check failed: /a is not a directory",
            Why::Mount,
        ),
        (
            "object \"n\"/\"kube-root-ca.crt\" not registered",
            Why::Volume,
        ),
        ("timed out waiting for the condition", Why::Volume),
    ] {
        let message = format!("MountVolume.SetUp failed for volume \"v\" : {message}");
        let mount = event("FailedMount", &message);
        assert_eq!(
            only(&creating, &[&pulling, &mount]).0,
            expected,
            "{message}"
        );
        assert_eq!(troubles(&creating, &[&mount, &pulling]), []);
    }
}

#[test]
fn a_container_is_told_to_have_ended_as_often_as_it_did() {
    let last = json!({"terminated": {"exitCode": 1, "reason": "Error"}});
    for (status, expected) in [
        (
            json!({"name": "c", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": last}),
            "container c ended 3 times, last with exit code 1",
        ),
        (
            json!({"name": "c", "restartCount": 2, "ready": false, "state": {"running": {}}, "lastState": last}),
            "container c ended 2 times, last with exit code 1",
        ),
        (
            json!({"name": "c", "restartCount": 0, "state": last}),
            "container c ended with exit code 1",
        ),
    ] {
        assert_eq!(
            only(&container(status), &[]),
            (Why::Crash, expected.to_owned())
        );
    }
    let ready = json!({"name": "c", "restartCount": 1, "ready": true, "state": {"running": {}}, "lastState": last});
    assert_eq!(troubles(&container(ready), &[]), []);
}

#[test]
fn each_trouble_has_its_reason() {
    let waiting = |reason: &str, message: &str| json!({"name": "c", "restartCount": 0, "state": {"waiting": {"reason": reason, "message": message}}});
    for (status, why, what) in [
        (
            waiting("ImagePullBackOff", "Back-off pulling image: not found"),
            Why::ImageGone,
            "image i:1 cannot be pulled: not found",
        ),
        (
            waiting("CreateContainerConfigError", "secret \"s\" not found"),
            Why::Configuration,
            "container c cannot be made: secret \"s\" not found",
        ),
        (
            waiting(
                "CreateContainerConfigError",
                "container has runAsNonRoot and image will run as root",
            ),
            Why::RunsAsRoot,
            "container c cannot be made: container has runAsNonRoot and image will run as root",
        ),
        (
            waiting(
                "CreateContainerConfigError",
                "container's runAsUser breaks non-root policy",
            ),
            Why::RunsAsRoot,
            "container c cannot be made: container's runAsUser breaks non-root policy",
        ),
        (
            json!({"name": "c", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}),
            Why::OutOfMemory,
            "container c was killed: it needs more than its 64Mi of memory",
        ),
        (
            waiting("PostStartHookError", "exit 1"),
            Why::Waits,
            "container c: PostStartHookError (exit 1)",
        ),
    ] {
        assert_eq!(only(&container(status), &[]), (why, what.to_owned()));
    }
    let quiet = [
        waiting("ContainerCreating", ""),
        json!({"name": "c", "state": {"running": {}}}),
        json!({"name": "c", "state": {"terminated": {"exitCode": 0}}}),
    ];
    for status in quiet {
        assert_eq!(troubles(&container(status), &[]), []);
    }
    let evicted = pod(
        json!({"reason": "Evicted", "message": "The node was low on resource: ephemeral-storage."}),
    );
    let expected = "evicted: The node was low on resource: ephemeral-storage.";
    assert_eq!(only(&evicted, &[]), (Why::Evicted, expected.to_owned()));
}

#[test]
fn events_tell_what_the_status_does_not() {
    let event = |reason: &str, message: &str| json!({"reason": reason, "message": message});
    let pulled = event(
        "Failed",
        "Failed to pull image \"i:1\": rpc error: code = NotFound desc = manifest unknown",
    );
    let status = json!({"name": "c", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"i:1\""}}});
    assert_eq!(only(&container(status), &[&pulled]).0, Why::ImageGone);

    let failed = event("Failed", "Error: secret \"s\" not found");
    let status =
        json!({"name": "c", "state": {"waiting": {"reason": "CreateContainerConfigError"}}});
    let expected = "container c cannot be made: secret \"s\" not found".to_owned();
    assert_eq!(
        only(&container(status), &[&failed]),
        (Why::Configuration, expected)
    );

    let mount = event("FailedMount", "secret \"s\" not found");
    let creating = json!({"name": "c", "state": {"waiting": {"reason": "ContainerCreating"}}});
    let expected = "a volume cannot be mounted: secret \"s\" not found".to_owned();
    assert_eq!(
        only(&container(creating), &[&mount]),
        (Why::Mount, expected)
    );

    let probe = event("Unhealthy", "Readiness probe failed: 503");
    let running = json!({"name": "c", "ready": false, "state": {"running": {}}});
    let expected = "container c runs but is not ready: Readiness probe failed: 503".to_owned();
    assert_eq!(
        only(&container(running), &[&probe]),
        (Why::NotReady, expected)
    );
}

#[test]
fn a_command_that_is_not_there_is_told_alike_before_and_while_the_kubelet_waits() {
    let message = "failed to create task: OCI runtime create failed: runc create failed: unable to start container process: exec: \
                   \"pyton3\": executable file not found in $PATH";
    let end = json!({"terminated": {"exitCode": 128, "reason": "StartError", "message": message}});
    let waiting = |reason: &str| json!({"waiting": {"reason": reason, "message": message}});
    let what = "container c cannot be made: exec: \"pyton3\": executable file not found in $PATH";
    for state in [
        waiting("RunContainerError"),
        waiting("CrashLoopBackOff"),
        end.clone(),
    ] {
        let status = json!({"name": "c", "restartCount": 2, "ready": false, "state": state, "lastState": end});
        assert_eq!(
            only(&container(status), &[]),
            (Why::Configuration, what.to_owned())
        );
    }
}

#[test]
fn a_probe_that_fails_since_the_last_start_says_more_than_an_earlier_end() {
    let probe = |at: &str| json!({"reason": "Unhealthy", "message": "Readiness probe failed: 503", "lastTimestamp": at});
    let status = json!({"name": "c", "restartCount": 2, "ready": false,
        "state": {"running": {"startedAt": "2026-01-01T00:01:00Z"}}, "lastState": {"terminated": {"exitCode": 1}}});
    let status = container(status);
    for (at, expected) in [
        ("2026-01-01T00:00:30Z", Why::Crash),
        ("2026-01-01T00:01:30Z", Why::NotReady),
    ] {
        assert_eq!(only(&status, &[&probe(at)]).0, expected, "{at}");
    }
}

#[test]
fn a_refusal_to_make_a_pod_has_a_reason() {
    for (message, expected) in [
        (
            "violates PodSecurity \"restricted:latest\"",
            Why::PodSecurity,
        ),
        ("failed calling webhook \"w\": no endpoints", Why::Webhook),
        ("pods \"x\" is forbidden: exceeded quota: q", Why::Quota),
        (
            "pods \"x\" is forbidden: failed quota: q: must specify limits.cpu",
            Why::Quota,
        ),
        (
            "pods \"x\" is forbidden: error looking up service account n/a: serviceaccount \"a\" not found",
            Why::Absent,
        ),
        (
            "pods \"x\" is forbidden: no PriorityClass with name top was found",
            Why::Absent,
        ),
        (
            "pods \"x\" is forbidden: pod rejected: RuntimeClass \"gvisor\" not found",
            Why::Absent,
        ),
        (
            "pods \"x\" is forbidden: maximum memory usage is 16Mi",
            Why::Refused,
        ),
    ] {
        assert_eq!(not_created(message), expected, "{message}");
    }
}
