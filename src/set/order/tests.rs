//! What the order promises: edges as Kubernetes needs them, every object once, no cycle, the same each time.

use proptest::prelude::*;

use super::*;
use crate::{api::Resource, set::objects};

fn served() -> Served {
    let mut served = Served::default();
    for (group, version, kind, plural, namespaced) in [
        ("", "v1", "Namespace", "namespaces", false),
        ("", "v1", "ConfigMap", "configmaps", true),
        ("", "v1", "Service", "services", true),
        ("", "v1", "ServiceAccount", "serviceaccounts", true),
        ("apps", "v1", "Deployment", "deployments", true),
        ("a.example", "v1", "Widget", "widgets", true),
    ] {
        served.insert(Resource {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced,
        });
    }
    served
}

fn graph(text: &str) -> (Vec<Object>, Graph) {
    let objects = objects::read("x", text).unwrap();
    let facts: Vec<Facts> = objects.iter().map(Facts::of).collect();
    let graph = Graph::gated(&objects, &facts, &served(), &Existing::default());
    (objects, graph)
}

/// Each need as `who → what (why)`.
fn edges(text: &str) -> Vec<String> {
    let (objects, graph) = graph(text);
    let mut edges = Vec::new();
    for (at, needs) in graph.needs.iter().enumerate() {
        for need in needs {
            edges.push(format!(
                "{} → {} ({:?} {:?} {:?})",
                objects[at].id, objects[need.on].id, need.strength, need.until, need.why
            ));
        }
    }
    edges.sort();
    edges
}

#[test]
fn a_workload_is_explained_by_those_that_it_or_its_configuration_names() {
    let workload = |name: &str, container: &str| {
        format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {name}, namespace: 'n'}}, spec: {{template: \
             {{metadata: {{labels: {{app: {name}}}}}, spec: {{containers: [{{{container}}}]}}}}}}}}"
        )
    };
    let store = "{apiVersion: v1, kind: Service, metadata: {name: store, namespace: 'n'}, spec: {selector: {app: store}}}";
    let config = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: 'n'}, data: {a.conf: 'upstream http://store.n.svc:80/;'}}";
    for container in [
        "env: [{name: A, value: 'tcp://store:80'}]",
        "envFrom: [{configMapRef: {name: c}}]",
    ] {
        let front = workload("front", container);
        let (objects, graph) =
            graph(&[&front, store, config, &workload("store", "")].join("\n---\n"));
        let explains: Vec<(usize, EdgeReason)> =
            graph.explains[0].iter().map(|it| (it.on, it.why)).collect();
        assert_eq!(objects[3].id.name, "store");
        assert_eq!(explains, [(3, EdgeReason::Mention)], "{container}");
    }
}

#[test]
fn what_its_user_says_goes_first_and_a_circle_of_it_is_broken() {
    let config = |name: &str, on: &str| {
        format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}, namespace: 'n', annotations: \
             {{config.kubernetes.io/depends-on: '{on}'}}}}}}"
        )
    };
    let one = [config("a", "/namespaces/n/ConfigMap/b"), config("b", "")].join("\n---\n");
    assert_eq!(
        edges(&one),
        ["ConfigMap n/a → ConfigMap n/b (Hard Ready DependsOn)"]
    );
    let both = [
        config("a", "/namespaces/n/ConfigMap/b"),
        config("b", "/namespaces/n/ConfigMap/a"),
    ]
    .join("\n---\n");
    assert_eq!(edges(&both).len(), 1);
    let objects = objects::read("x", &both).unwrap();
    let facts: Vec<Facts> = objects.iter().map(Facts::of).collect();
    let legacy = Graph::legacy(&objects, &facts, &Existing::default());
    assert_eq!(legacy.needs.iter().flatten().count(), 1);
}

const WEBHOOK: &str = "
{apiVersion: v1, kind: Service, metadata: {name: hook, namespace: 'n'}, spec: {selector: {app: hook}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: hook, namespace: 'n'}
spec: {template: {metadata: {labels: {app: hook}}, spec: {serviceAccountName: sa, containers: []}}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: sa, namespace: 'n'}}
---
{apiVersion: a.example/v1, kind: Widget, metadata: {name: w, namespace: 'n'}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: hook}
webhooks:
- name: hook.example
  clientConfig: {service: {namespace: 'n', name: hook}}
  rules: [{operations: [CREATE], apiGroups: [GROUPS], apiVersions: ['*'], resources: ['*']}]
";

#[test]
fn an_autoscaler_waits_for_what_it_scales() {
    let text = "
{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h, namespace: 'n'},
 spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}}}
---
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: d, namespace: 'n'}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, namespace: 'n'}}
";
    let found = edges(text);
    let edge = "HorizontalPodAutoscaler n/h → Deployment n/d (Soft Accepted Refers)";
    assert_eq!(found, [edge]);
    let stateful = text.replace("kind: Deployment, name", "kind: StatefulSet, name");
    assert_eq!(
        edges(&stateful),
        [edge.replace("Deployment", "StatefulSet")]
    );
    let foreign = text.replace(
        "apps/v1, kind: Deployment, name",
        "a.example/v1, kind: Deployment, name",
    );
    assert_eq!(edges(&foreign), Vec::<String>::new());
}

#[test]
fn members_wait_for_their_namespace_and_resources_for_their_definition() {
    let text = "
{apiVersion: a.example/v1, kind: Widget, metadata: {name: w, namespace: 'n'}}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: widgets.a.example},
 spec: {group: a.example, scope: Namespaced, names: {kind: Widget, plural: widgets}, versions: [{name: v1, served: true}]}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: 'n'}}";
    assert_eq!(
        edges(text),
        [
            "Widget n/w → CustomResourceDefinition widgets.a.example (Hard Ready Definition)",
            "Widget n/w → Namespace n (Hard Ready Namespace)",
        ]
    );
}

#[test]
fn a_namespace_that_nobody_makes_is_outside() {
    let (_, graph) =
        graph("{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: other}}");
    assert_eq!(graph.outside, [Some("other".to_owned())]);
}

#[test]
fn a_webhook_goes_before_what_it_guards_and_after_nothing_it_does_not_need() {
    assert_eq!(
        edges(&WEBHOOK.replace("GROUPS", "a.example")),
        [
            "Deployment n/hook → Service n/hook (Soft Accepted Service)",
            "Deployment n/hook → ServiceAccount n/sa (Soft Accepted Account)",
            "Widget n/w → ValidatingWebhookConfiguration hook (Hard Ready Webhook)",
        ]
    );
}

#[test]
fn what_serves_a_webhook_that_guards_everything_goes_before_it() {
    assert_eq!(
        edges(&WEBHOOK.replace("GROUPS", "'*'")),
        [
            "Deployment n/hook → Service n/hook (Soft Accepted Service)",
            "Deployment n/hook → ServiceAccount n/sa (Soft Accepted Account)",
            "ValidatingWebhookConfiguration hook → Deployment n/hook (Soft Accepted Before)",
            "ValidatingWebhookConfiguration hook → Deployment n/hook (Soft Ready Before)",
            "ValidatingWebhookConfiguration hook → Service n/hook (Soft Accepted Before)",
            "ValidatingWebhookConfiguration hook → ServiceAccount n/sa (Soft Accepted Before)",
            "Widget n/w → ValidatingWebhookConfiguration hook (Hard Ready Webhook)",
        ]
    );
}

#[test]
fn workloads_wait_for_webhooks_that_change_their_pods() {
    let text = "
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: inject}
webhooks:
- name: inject.example
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: 'n'}}
  objectSelector: {matchExpressions: [{key: inject, operator: NotIn, values: ['no']}]}
  rules: [{operations: [CREATE], apiGroups: [''], apiVersions: [v1], resources: [pods]}]
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: 'n'},
 spec: {template: {metadata: {}, spec: {containers: []}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: b, namespace: 'n'},
 spec: {template: {metadata: {labels: {inject: 'no'}}, spec: {containers: []}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: c, namespace: m},
 spec: {template: {metadata: {}, spec: {containers: []}}}}";
    assert_eq!(
        edges(text),
        ["Deployment n/a → MutatingWebhookConfiguration inject (Soft Ready PodWebhook)"]
    );
}

#[test]
fn a_pod_that_names_a_service_is_explained_by_what_serves_it() {
    let (objects, graph) = graph(
        "
{apiVersion: v1, kind: Service, metadata: {name: db, namespace: 'n'}, spec: {selector: {app: db}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: db, namespace: 'n'},
 spec: {template: {metadata: {labels: {app: db}}, spec: {containers: []}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: 'n'},
 spec: {template: {metadata: {}, spec: {containers: [{env: [{name: URL, value: 'tcp://db.n.svc:1'}]}]}}}}",
    );
    let names: Vec<_> = graph.explains[2]
        .iter()
        .map(|need| &objects[need.on].id.name)
        .collect();
    assert_eq!(names, ["db"]);
}

#[test]
fn in_upstreams_order_what_is_refused_holds_up_no_other_kind() {
    let text = "
{apiVersion: v1, kind: Namespace, metadata: {name: 'n'}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: w}
webhooks: [{name: w, clientConfig: {service: {namespace: 'n', name: s}},
  rules: [{operations: [CREATE], apiGroups: [''], apiVersions: ['*'], resources: [services]}]}]
---
{apiVersion: v1, kind: Service, metadata: {name: s, namespace: 'n'}, spec: {selector: {app: a}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: 'n'}, spec: {template: {metadata: {labels: {app: a}}, spec: {containers: []}}}}";
    let objects = objects::read("x", text).unwrap();
    let facts: Vec<Facts> = objects.iter().map(Facts::of).collect();
    let graph = Graph::legacy(&objects, &facts, &Existing::default());
    let needed: Vec<Vec<usize>> = graph
        .needs
        .iter()
        .map(|needs| needs.iter().map(|need| need.on).collect())
        .collect();
    assert_eq!(needed, [vec![], vec![], vec![0], vec![0]]);
    assert!(graph.rank.is_sorted(), "{:?}", graph.rank);
}

proptest! {
    /// Whatever needs whatever: afterwards an order exists, nothing but soft edges and guards was given up, and twice is the same.
    #[test]
    fn an_order_always_exists_and_is_stable(
        edges in prop::collection::vec((0_usize..12, 0_usize..12, 0_usize..5), 0..60)
    ) {
        let mut graph = Graph { needs: vec![Vec::new(); 12], explains: vec![Vec::new(); 12], ..Graph::default() };
        // 0 to 2 are namespaces, 9 to 11 webhooks, what is between them anything else.
        for (at, on, kind) in edges {
            let (at, on, why, strength) = match kind {
                0 => (3 + at % 6, 3 + on % 6, EdgeReason::Uses, Strength::Soft),
                1 => (3 + at % 6, 9 + on % 3, EdgeReason::PodWebhook, Strength::Soft),
                2 => (at % 9, 9 + on % 3, EdgeReason::Webhook, Strength::Hard),
                3 => (3 + at % 6, on % 3, EdgeReason::Namespace, Strength::Hard),
                _ => (9 + at % 3, 3 + on % 6, EdgeReason::Backing, Strength::Hard),
            };
            if at == on { continue; }
            let need = Need { on, until: Until::Ready, strength, why };
            if why == EdgeReason::Backing { graph.explains[at].push(need); } else { graph.needs[at].push(need); }
        }
        let mut again = graph.clone();
        cycles::break_all(&mut graph);
        cycles::break_all(&mut again);
        prop_assert_eq!(&graph.needs, &again.needs);
        for (_, need) in &graph.dropped {
            prop_assert!(need.why != EdgeReason::Namespace);
        }
        let mut done = [false; 12];
        for _ in 0..12 {
            for at in 0..12 {
                if graph.needs[at].iter().all(|need| done[need.on]) { done[at] = true; }
            }
        }
        prop_assert!(done.iter().all(|done| *done), "{:?}", graph.needs);
    }
}
