//! Nodes, the control plane, and what lies between pods and Services.

use super::*;

const SOCKET: &str =
    "rpc error: dial unix /run/containerd/containerd.sock: connect: no such file or directory";

#[expect(clippy::too_many_lines, reason = "a table is as long as it has cases")]
pub(super) fn cases() -> Vec<Case> {
    let system = |name: &str, labels: &str, status: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: kube-system, labels: {{{labels}}}}}, spec: {{nodeName: one, containers: [{{name: c}}]}}, status: {{{status}}}}}"
        )
    };
    let component = |name: &str, status: &str| system(name, &format!("component: {name}"), status);
    let condition = |kind: &str, status: &str| {
        format!(
            "{{apiVersion: v1, kind: Node, metadata: {{name: one}}, status: {{conditions: [{{type: Ready, status: 'True'}}, {{type: {kind}, status: '{status}', message: m}}]}}}}"
        )
    };
    let unseen = "phase: Pending";
    let made = |seconds: &str| {
        format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: d, namespace: 'n', creationTimestamp: '2026-01-01T00:{seconds}:00Z'}}, spec: {{replicas: 1}}}}"
        )
    };
    let heard = || event("Pod", "p", "Pulled", "m");
    let api = "dial tcp 10.96.0.1:443: connect: connection refused";
    let kubernetes = "{apiVersion: v1, kind: Service, metadata: {name: kubernetes, namespace: default}, spec: {clusterIP: 10.96.0.1, ports: [{port: 443}]}}";
    let started = |at: u32| {
        format!(
            "{{apiVersion: v1, kind: Event, metadata: {{name: s{at}, namespace: default}}, type: Normal, reason: Starting, source: {{component: kube-proxy}}, involvedObject: {{kind: Node, name: one}}, lastTimestamp: '2026-01-01T00:5{at}:00Z'}}"
        )
    };
    let silent = "dial tcp: lookup a on 10.96.0.10:53: i/o timeout\ndial tcp: lookup b on 10.96.0.10:53: i/o timeout\ndial tcp: lookup a on 10.96.0.10:53: i/o timeout\ndial tcp: lookup b on 10.96.0.10:53: i/o timeout\ndial tcp: lookup b on 10.96.0.10:53: i/o timeout";
    let two = || {
        of([
            pod("a", READY),
            pod("b", READY),
            pod("p", READY),
            service("a", "app: a", "{port: 80, targetPort: 80}"),
            service("b", "app: b", "{port: 80, targetPort: 80}"),
            node("one", "True", ""),
        ])
        .with_log("p", silent)
    };
    let restarted = || {
        let mut cluster = two();
        for at in 0..3 {
            cluster.objects = format!("{}\n---\n{}", cluster.objects, started(at));
        }
        cluster
    };
    let unresolved = "lookup web on 10.96.0.10:53: no such host";
    let web = || service("web", "app: web", "{port: 80, targetPort: 80}");
    vec![
        case(
            Class::NodeNotReady,
            of([node("one", "False", "the kubelet says no")]),
            of([node("one", "True", "fine")]),
        ),
        case(
            Class::KubeletDown,
            of([node(
                "one",
                "Unknown",
                "Kubelet stopped posting node status.",
            )]),
            of([node("one", "False", "the kubelet says no")]),
        ),
        case(
            Class::ContainerRuntimeDown,
            of([
                pod("p", &waits("ContainerCreating", "")),
                event("Pod", "p", "FailedCreatePodSandBox", SOCKET),
                node("one", "False", "container runtime is down"),
            ]),
            of([
                pod("p", READY),
                event("Pod", "p", "FailedCreatePodSandBox", SOCKET),
            ]),
        ),
        case(
            Class::NetworkPluginDown,
            of([node(
                "one",
                "False",
                "container runtime network not ready: cni plugin not initialized",
            )]),
            of([node("one", "False", "PLEG is not healthy")]),
        ),
        case(
            Class::NodePressure,
            of([condition("DiskPressure", "True")]),
            of([condition("DiskPressure", "False")]),
        ),
        case(
            Class::SchedulerDown,
            of([pod("p", unseen), heard()]),
            of([
                pod("p", unseen),
                event("Pod", "p", "FailedScheduling", "0/1 nodes are available"),
            ]),
        ),
        case(
            Class::SchedulerDown,
            of([component("kube-scheduler", CRASHES)]),
            of([component("kube-scheduler", READY)]),
        ),
        case(
            Class::ControllerManagerDown,
            of([made("10"), pod("p", READY), heard()]),
            of([
                made("10").replace("replicas: 1", "replicas: 0"),
                pod("p", READY),
                heard(),
            ]),
        ),
        case(
            Class::ApiServerDown,
            of([pod("p", CRASHES), kubernetes.to_owned()]).with_log("p", api),
            of([pod("p", READY), kubernetes.to_owned()]).with_log("p", api),
        ),
        case(
            Class::ApiServerSlow,
            of([pod("p", CRASHES)])
                .with_log("p", "E leaderelection.go:332] error: leader election lost"),
            of([pod("p", READY)])
                .with_log("p", "E leaderelection.go:332] error: leader election lost"),
        ),
        case(
            Class::NetworkPluginThrottled,
            throttled(
                "== ./pod01234567-89ab-cdef-0123-456789abcdef/cpu.stat\nnr_periods 1000\nnr_throttled 900\n",
            ),
            throttled(
                "== ./pod01234567-89ab-cdef-0123-456789abcdef/cpu.stat\nnr_periods 1000\nnr_throttled 100\n",
            ),
        ),
        case(Class::KubeProxyDown, restarted(), two()),
        case(
            Class::DnsFails,
            of([pod("web", READY), pod("p", CRASHES), web()]).with_log("p", unresolved),
            of([pod("web", READY), pod("p", READY), web()]).with_log("p", unresolved),
        ),
        case(
            Class::NamespaceHeldByFinalizer,
            of([namespace(
                "NamespaceFinalizersRemaining",
                "Some content in the namespace has finalizers remaining: x in 1 resource instances",
            )]),
            of([
                "{apiVersion: v1, kind: Namespace, metadata: {name: 'n'}, status: {phase: Active}}"
                    .to_owned(),
            ]),
        ),
        case(
            Class::NamespaceHeldByApi,
            of([namespace(
                "NamespaceDeletionDiscoveryFailure",
                "unable to retrieve the complete list of server APIs: x.example/v1",
            )]),
            of([namespace(
                "NamespaceFinalizersRemaining",
                "x in 1 resource instances",
            )]),
        ),
        case(
            Class::ApiNotServed,
            of([served("False")]),
            of([served("True")]),
        ),
    ]
}

fn throttled(cpu: &'static str) -> Cluster {
    let plugin = pod("kindnet", READY).replace(
        "name: kindnet,",
        "name: kindnet, uid: 01234567-89ab-cdef-0123-456789abcdef,",
    );
    Cluster {
        cpu,
        ..of([plugin])
    }
}

fn namespace(condition: &str, message: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Namespace, metadata: {{name: 'n', deletionTimestamp: '2026-01-01T00:00:00Z'}}, status: {{phase: Terminating, conditions: [{{type: {condition}, status: 'True', message: {}}}]}}}}",
        quoted(message)
    )
}

fn served(available: &str) -> String {
    format!(
        "{{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {{name: v1.x.example}}, spec: {{service: {{name: x, namespace: 'n'}}}}, status: {{conditions: [{{type: Available, status: '{available}', message: endpoints for service/x have no addresses}}]}}}}"
    )
}
