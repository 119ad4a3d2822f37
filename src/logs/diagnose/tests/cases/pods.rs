//! Pods: where they go, whether they may be made, how their containers end, and their probes.

use super::*;

#[expect(clippy::too_many_lines, reason = "a table is as long as it has cases")]
pub(super) fn cases() -> Vec<Case> {
    let lacks = |message: &str| {
        of([pod(
            "p",
            &unschedulable(&format!("0/2 nodes are available: {message}.")),
        )])
    };
    let refused = |message: &str| {
        of([
            "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: r, namespace: 'n'}, spec: {replicas: 1}, status: {replicas: 0}}".to_owned(),
            event("ReplicaSet", "r", "FailedCreate", message),
        ])
    };
    let full = |message: &str| {
        of([
            "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: r, namespace: 'n'}, spec: {replicas: 1}, status: {replicas: 1}}".to_owned(),
            event("ReplicaSet", "r", "FailedCreate", message),
        ])
    };
    let quota = "pods \"r-x\" is forbidden: exceeded quota: q, requested: limits.cpu=2, used: limits.cpu=1, limited: limits.cpu=2";
    let account = "pods \"r-\" is forbidden: error looking up service account n/x: serviceaccount \"x\" not found";
    let security = "pods \"r-x\" is forbidden: violates PodSecurity \"restricted:latest\"";
    let webhook = "Internal error occurred: failed calling webhook \"w.example\": failed to call webhook: Post \"https://w.n.svc:443/\": no endpoints available for service \"w\"";
    let probe = |word: &str| format!("{word} probe failed: HTTP probe failed with statuscode: 404");
    let restarted = READY.replace("restartCount: 0", "restartCount: 3");
    let once = READY.replace("restartCount: 0", "restartCount: 1");
    let killed = |reason: &str| {
        format!(
            "phase: Running, containerStatuses: [{{name: c, ready: false, restartCount: 3, state: {{waiting: {{reason: CrashLoopBackOff}}}}, lastState: {{terminated: {{exitCode: 137, reason: {reason}}}}}}}]"
        )
    };
    let init = |started: &str| {
        of([
            format!(
                "{{apiVersion: v1, kind: Pod, metadata: {{name: p, namespace: 'n'}}, spec: {{initContainers: [{{name: i}}], containers: [{{name: c}}]}}, status: {{phase: Pending, initContainerStatuses: [{{name: i, ready: false, state: {{running: {{startedAt: '2026-01-01T00:{started}:00Z'}}}}}}], containerStatuses: [{{name: c, state: {{waiting: {{reason: PodInitializing}}}}}}]}}}}"
            ),
            event("Pod", "x", "Pulled", "m"),
        ])
    };
    let job = |condition: &str| {
        of([format!(
            "{{apiVersion: batch/v1, kind: Job, metadata: {{name: j, namespace: 'n'}}, status: {{conditions: [{{type: {condition}, status: 'True', reason: DeadlineExceeded, message: it was active too long}}]}}}}"
        )])
    };
    vec![
        case(
            Class::Evicted,
            of([pod(
                "p",
                "phase: Failed, reason: Evicted, message: The node was low on resource",
            )]),
            of([pod("p", "phase: Succeeded")]),
        ),
        case(
            Class::NodeCordoned,
            lacks("2 node(s) were unschedulable"),
            lacks("1 node(s) were unschedulable, 1 Insufficient cpu"),
        ),
        case(
            Class::TaintNotTolerated,
            lacks("2 node(s) had untolerated taint {a: b}"),
            lacks("2 node(s) didn't match Pod's node affinity/selector"),
        ),
        case(
            Class::InsufficientResources,
            lacks("2 Insufficient memory"),
            lacks("2 node(s) had untolerated taint {a: b}"),
        ),
        case(
            Class::NodeSelectorMismatch,
            lacks("2 node(s) didn't match Pod's node affinity/selector"),
            lacks("2 node(s) didn't match pod anti-affinity rules"),
        ),
        case(
            Class::PodAffinityConflict,
            lacks("2 node(s) didn't match pod anti-affinity rules"),
            lacks("2 node(s) didn't match Pod's node affinity/selector"),
        ),
        case(
            Class::Unschedulable,
            lacks("2 node(s) had volume node affinity conflict"),
            of([pod(
                "p",
                "phase: Pending, conditions: [{type: PodScheduled, status: 'False', reason: SchedulingGated}]",
            )]),
        ),
        case(Class::WebhookDown, refused(webhook), full(webhook)),
        case(Class::QuotaExceeded, refused(quota), refused(account)),
        case(
            Class::ServiceAccountMissing,
            refused(account),
            full(account),
        ),
        case(
            Class::PodSecurityViolated,
            refused(security),
            refused(quota),
        ),
        case(
            Class::PodsRefused,
            refused("pods \"r-x\" is invalid: spec.x"),
            full("pods \"r-x\" is invalid: spec.x"),
        ),
        case(
            Class::SandboxNotCreated,
            of([
                pod("p", &waits("ContainerCreating", "")),
                event(
                    "Pod",
                    "p",
                    "FailedCreatePodSandBox",
                    "Failed to create pod sandbox: rpc error: odd",
                ),
            ]),
            of([
                pod("p", READY),
                event(
                    "Pod",
                    "p",
                    "FailedCreatePodSandBox",
                    "Failed to create pod sandbox: rpc error: odd",
                ),
            ]),
        ),
        case(
            Class::ConfigurationMissing,
            of([pod(
                "p",
                &waits(
                    "CreateContainerConfigError",
                    "couldn't find key k in ConfigMap n/c",
                ),
            )]),
            of([pod(
                "p",
                &waits("CreateContainerConfigError", "image will run as root"),
            )]),
        ),
        case(
            Class::ContainerNotCreated,
            of([pod(
                "p",
                &waits(
                    "CreateContainerError",
                    "exec: \"x\": executable file not found in $PATH",
                ),
            )]),
            of([pod(
                "p",
                &waits("CreateContainerConfigError", "secret \"s\" not found"),
            )]),
        ),
        case(
            Class::ContainerWaiting,
            of([pod("p", &waits("PostStartHookError", "exit 1"))]),
            of([pod("p", &waits("ContainerCreating", ""))]),
        ),
        case(
            Class::OutOfMemory,
            of([pod("p", &killed("OOMKilled"))]),
            of([pod("p", &killed("Error"))]),
        ),
        case(
            Class::OutOfMemory,
            of([
                pod("p", &waits("ContainerCreating", "")),
                event(
                    "Pod",
                    "p",
                    "FailedCreatePodSandBox",
                    "runc create failed: container init was OOM-killed (memory limit too low?)",
                ),
            ]),
            of([pod("p", &waits("ContainerCreating", ""))]),
        ),
        case(
            Class::CrashLoop,
            of([pod("p", CRASHES)]),
            of([pod("p", &once)]),
        ),
        case(
            Class::LivenessProbeFails,
            of([
                pod("p", &restarted),
                events("Pod", "p", "Unhealthy", &probe("Liveness"), 9),
            ]),
            of([
                pod("p", &once),
                events("Pod", "p", "Unhealthy", &probe("Liveness"), 1),
            ]),
        ),
        case(
            Class::LivenessProbeFails,
            of([
                pod("p", &killed("Error")),
                events("Pod", "p", "Unhealthy", &probe("Liveness"), 9),
            ]),
            of([
                pod("p", &killed("Error")),
                events("Pod", "p", "Unhealthy", &probe("Readiness"), 9),
            ]),
        ),
        case(
            Class::StartupProbeFails,
            of([
                pod("p", &killed("Error")),
                events("Pod", "p", "Unhealthy", &probe("Startup"), 9),
            ]),
            of([
                pod("p", READY),
                events("Pod", "p", "Unhealthy", &probe("Startup"), 9),
            ]),
        ),
        case(
            Class::ReadinessProbeFails,
            of([
                pod("p", UNREADY),
                events("Pod", "p", "Unhealthy", &probe("Readiness"), 9),
            ]),
            of([
                pod("p", READY),
                events("Pod", "p", "Unhealthy", &probe("Readiness"), 9),
            ]),
        ),
        case(Class::InitContainerHangs, init("10"), init("59")),
        case(Class::JobFailed, job("Failed"), job("Complete")),
    ]
}
