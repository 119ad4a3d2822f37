//! The order of any set: complete, stable, free of cycles, and true to what the server would refuse.

use std::collections::BTreeSet;

use proptest::{prelude::*, sample::Index};

use super::*;
use crate::set::objects;

/// Any object of a small world, in which everything may need everything.
fn document() -> impl Strategy<Value = String> {
    let (at, other) = (0_u8..3, 0_u8..3);
    (at, other, 0_u8..3, any::<bool>(), any::<bool>(), 0_usize..11).prop_map(
        |(at, other, ns, fails, mutates, kind)| {
            let meta = format!("metadata: {{name: o{at}, namespace: n{ns}}}");
            match kind {
                0 => format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: n{ns}, labels: {{l: l{at}}}}}}}"),
                1 => format!(
                    "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: o{at}, namespace: n{ns}, annotations: \
                     {{config.kubernetes.io/depends-on: /namespaces/n{ns}/ConfigMap/o{other}}}}}}}"
                ),
                2 => format!("{{apiVersion: v1, kind: Secret, {meta}}}"),
                3 => format!("{{apiVersion: v1, kind: ServiceAccount, {meta}}}"),
                4 => format!("{{apiVersion: v1, kind: Service, {meta}, spec: {{selector: {{app: o{at}}}}}}}"),
                5 => format!(
                    "{{apiVersion: apps/v1, kind: Deployment, {meta}, spec: {{template: {{metadata: {{labels: {{app: o{at}}}}}, \
                     spec: {{serviceAccountName: o{other}, volumes: [{{secret: {{secretName: o{other}}}}}, \
                     {{configMap: {{name: o{at}}}}}], containers: [{{args: [o{other}.n{ns}]}}]}}}}}}}}"
                ),
                6 => format!(
                    "{{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {{name: k{at}s.x.example}}, \
                     spec: {{group: x.example, scope: Namespaced, names: {{kind: K{at}, plural: k{at}s}}, versions: [{{name: v1}}]}}}}"
                ),
                7 => format!("{{apiVersion: x.example/v1, kind: K{other}, {meta}}}"),
                8 => format!("{{apiVersion: kubeflow.org/v1, kind: Profile, metadata: {{name: n{ns}}}}}"),
                9 => format!(
                    "{{apiVersion: cert-manager.io/v1, kind: Certificate, {meta}, spec: {{secretName: o{other}, \
                     issuerRef: {{name: o{at}}}}}}}"
                ),
                _ => {
                    let kind = if mutates { "Mutating" } else { "Validating" };
                    let policy = if fails { "Fail" } else { "Ignore" };
                    let groups = ["'*'", "'', apps", "x.example, apiextensions.k8s.io"][usize::from(other)];
                    format!(
                        "{{apiVersion: admissionregistration.k8s.io/v1, kind: {kind}WebhookConfiguration, metadata: {{name: o{at}}}, \
                         webhooks: [{{name: w, failurePolicy: {policy}, clientConfig: {{service: {{namespace: n{ns}, name: o{at}}}}}, \
                         rules: [{{operations: [CREATE], apiGroups: [{groups}], apiVersions: ['*'], resources: ['*']}}]}}]}}"
                    )
                }
            }
        },
    )
}

/// A set without two of one identity.
fn set() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(document(), 1..40).prop_map(|documents| {
        let mut seen = BTreeSet::new();
        documents
            .into_iter()
            .filter(|document| seen.insert(read(std::slice::from_ref(document))[0].id.clone()))
            .collect()
    })
}

fn read(documents: &[String]) -> Vec<Object> {
    objects::read("x", &documents.join("\n---\n")).unwrap()
}

fn derive(objects: &[Object], legacy: bool) -> Graph {
    let facts: Vec<Facts> = objects.iter().map(Facts::of).collect();
    let mut served = Served::default();
    served.assume(objects);
    let existing = Existing::default();
    if legacy {
        Graph::legacy(objects, &facts, &existing)
    } else {
        Graph::gated(objects, &facts, &served, &existing)
    }
}

/// Each edge by the names of its ends.
fn named(objects: &[Object], graph: &Graph) -> Vec<String> {
    let mut edges: Vec<String> = graph
        .needs
        .iter()
        .enumerate()
        .flat_map(|(at, needs)| needs.iter().map(move |need| (at, need)))
        .map(|(at, need)| {
            let Need {
                until,
                strength,
                why,
                ..
            } = need;
            let (then, first) = (&objects[at].id, &objects[need.on].id);
            format!("{then} → {first} ({until:?} {strength:?} {why:?})")
        })
        .collect();
    edges.sort();
    edges
}

/// The objects in the order in which they could go; those that never could are missing.
fn carried_out(graph: &Graph) -> Vec<usize> {
    let count = graph.needs.len();
    let mut done = vec![false; count];
    let mut order = Vec::new();
    loop {
        let next =
            (0..count).filter(|at| !done[*at] && graph.needs[*at].iter().all(|need| done[need.on]));
        let Some(at) = next.min_by_key(|at| (graph.rank[*at], *at)) else {
            return order;
        };
        done[at] = true;
        order.push(at);
    }
}

proptest! {
    #[test]
    fn every_object_goes_once(documents in set(), legacy in any::<bool>()) {
        let objects = read(&documents);
        let graph = derive(&objects, legacy);
        let mut order = carried_out(&graph);
        order.sort_unstable();
        let stuck: Vec<String> = (0..objects.len())
            .filter(|at| !order.contains(at))
            .map(|at| objects[at].id.to_string())
            .collect();
        prop_assert!(stuck.is_empty(), "{:?}", stuck);
        for list in [graph.explains.len(), graph.outside.len(), graph.rank.len(), graph.needs.len()] {
            prop_assert_eq!(list, objects.len());
        }
    }

    #[test]
    fn the_same_set_gives_the_same_graph(documents in set(), legacy in any::<bool>()) {
        let objects = read(&documents);
        let (one, two) = (derive(&objects, legacy), derive(&objects, legacy));
        prop_assert_eq!(&one.needs, &two.needs);
        prop_assert_eq!(&one.explains, &two.explains);
        prop_assert_eq!(&one.rank, &two.rank);
        prop_assert_eq!(&one.dropped, &two.dropped);
        prop_assert_eq!(carried_out(&one), carried_out(&two));
    }

    /// Where no cycle has to be broken, the place of a document in its file decides nothing.
    #[test]
    fn how_documents_are_sorted_decides_nothing(documents in set(), swaps in prop::collection::vec(any::<(Index, Index)>(), 0..40)) {
        let mut other = documents.clone();
        for (a, b) in swaps {
            let (a, b) = (a.index(other.len()), b.index(other.len()));
            other.swap(a, b);
        }
        let (objects, others) = (read(&documents), read(&other));
        let (graph, again) = (derive(&objects, false), derive(&others, false));
        prop_assert_eq!(graph.dropped.is_empty(), again.dropped.is_empty());
        if graph.dropped.is_empty() {
            prop_assert_eq!(named(&objects, &graph), named(&others, &again));
        }
    }

    /// Whatever circle is broken: no member goes before its namespace, no resource before its definition.
    #[test]
    fn what_the_server_always_wants_is_never_given_up(documents in set(), legacy in any::<bool>()) {
        let objects = read(&documents);
        let graph = derive(&objects, legacy);
        for (at, need) in &graph.dropped {
            prop_assert!(
                !matches!(need.why, EdgeReason::Namespace | EdgeReason::Definition | EdgeReason::Profile),
                "{} → {:?}", objects[*at].id, need
            );
        }
        let place: Vec<usize> = {
            let order = carried_out(&graph);
            (0..objects.len()).map(|at| order.iter().position(|it| *it == at).unwrap_or(usize::MAX)).collect()
        };
        for (at, object) in objects.iter().enumerate() {
            for (on, first) in objects.iter().enumerate() {
                let is_home = first.id.is("", "Namespace") && object.id.namespace.as_ref() == Some(&first.id.name);
                let defines = first.id.kind == "CustomResourceDefinition"
                    && object.id.group == "x.example"
                    && first.id.name == format!("{}s.x.example", object.id.kind.to_lowercase());
                if is_home || defines {
                    prop_assert!(place[on] < place[at], "{} goes before {}", object.id, first.id);
                    prop_assert!(graph.needs[at].iter().any(|need| need.on == on && need.strength == Strength::Hard));
                }
            }
        }
    }
}
