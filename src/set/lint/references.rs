//! Names of other objects that the set does not have, but nearly: a slip of the pen.
//!
//! What an object names may be on the cluster, or come from a controller, so a name that the set does not have is no finding
//! by itself. But some slips show nowhere else: nothing waits for what is scaled, routed to, or allowed.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    api::{Labels, contains, labels},
    set::{
        facts::Facts,
        lint::{LintFinding, Rule, Severity},
        objects::Object,
        uses::{Place, named},
    },
};

/// Shorter names are often alike.
const LONG: usize = 5;

/// Each name of which the set has nothing, but something whose name is nearly the same.
pub fn check(objects: &[Object], facts: &[Facts]) -> Vec<LintFinding> {
    let mut names: BTreeMap<Place, BTreeSet<&str>> = BTreeMap::new();
    for (object, facts) in objects.iter().zip(facts) {
        let id = &object.id;
        let place = (id.group.clone(), id.kind.clone(), id.namespace.clone());
        names.entry(place).or_default().insert(&id.name);
        if let Some(secret) = &facts.certificate {
            let place = (String::new(), "Secret".to_owned(), id.namespace.clone());
            names.entry(place).or_default().insert(secret);
        }
    }
    let mut findings = Vec::new();
    for (object, facts) in objects.iter().zip(facts) {
        for (place, name) in named(object, facts) {
            let Some(there) = names.get(&place).filter(|it| !it.contains(name.as_str())) else {
                continue;
            };
            let Some(near) = there.iter().find(|near| is_slip(&name, near)) else {
                continue;
            };
            findings.push(LintFinding {
                severity: Severity::Warning,
                rule: Rule::Reference,
                object: object.id.to_string(),
                message: format!(
                    "{} names the {} {name}, which the set does not have",
                    object.id, place.1
                ),
                remedy: format!("is {near} meant?"),
            });
        }
    }
    let pods = objects.iter().zip(facts).filter_map(|(object, facts)| {
        let pod = facts.pod.as_ref()?;
        Some((&object.id.namespace, &pod.labels))
    });
    let pods: Vec<_> = pods.collect();
    for object in objects {
        let wanted = selector(object);
        let here: Vec<&Labels> = pods
            .iter()
            .filter_map(|(namespace, labels)| {
                (**namespace == object.id.namespace).then_some(*labels)
            })
            .collect();
        if wanted.is_empty() || here.iter().any(|labels| contains(labels, &wanted)) {
            continue;
        }
        let slips = wanted.iter().find_map(|(key, value)| {
            let near = here.iter().filter_map(|labels| labels.get(key));
            near.into_iter()
                .find(|near| is_slip(value, near))
                .map(|near| (format!("{key}={value}"), near.clone()))
        });
        findings.extend(slips.map(|(label, near)| LintFinding {
            severity: Severity::Warning,
            rule: Rule::Reference,
            object: object.id.to_string(),
            message: format!(
                "{} selects pods with {label}, and the set makes none",
                object.id
            ),
            remedy: format!("is {near} meant?"),
        }));
    }
    findings
}

/// The labels by which an object looks for pods.
fn selector(object: &Object) -> Labels {
    let id = &object.id;
    let path = if id.is("", "Service") {
        "/spec/selector"
    } else if id.is("policy", "PodDisruptionBudget") {
        "/spec/selector/matchLabels"
    } else if id.is("networking.k8s.io", "NetworkPolicy") {
        "/spec/podSelector/matchLabels"
    } else {
        return Labels::new();
    };
    object.value().pointer(path).map(labels).unwrap_or_default()
}

/// Whether one name is meant by the other: one or two letters apart, and not numbered.
pub(super) fn is_slip(name: &str, near: &str) -> bool {
    let unnumbered = |name: &str| name.replace(|c: char| c.is_ascii_digit(), "");
    let most = if name.len().min(near.len()) < LONG {
        1
    } else {
        2
    };
    strsim::osa_distance(name, near) <= most && unnumbered(name) != unnumbered(near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set::objects;

    const HAS: &str = "
{apiVersion: v1, kind: Service, metadata: {name: store, namespace: 'n'}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: 'n'}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: migrate, namespace: 'n'}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: frontend, namespace: 'n'},
 spec: {template: {metadata: {labels: {app: frontend, tier: web}}, spec: {containers: []}}}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: migrate, namespace: 'n'}}
---
{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: c, namespace: 'n'}, spec: {secretName: serving-cert}}
---
";

    fn found(object: &str) -> Vec<String> {
        let objects = objects::read("x", &format!("{HAS}{object}")).unwrap();
        let facts: Vec<Facts> = objects.iter().map(Facts::of).collect();
        let found = check(&objects, &facts);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_name_that_is_nearly_one_of_the_set_is_told() {
        let ingress = |name: &str| {
            format!(
                "{{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {{name: i, namespace: 'n'}}, \
                 spec: {{rules: [{{http: {{paths: [{{backend: {{service: {{name: {name}}}}}}}]}}}}]}}}}"
            )
        };
        let binding = |role: &str, account: &str| {
            format!(
                "{{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {{name: b, namespace: 'n'}}, \
                 roleRef: {{kind: Role, name: {role}}}, subjects: [{{kind: ServiceAccount, name: {account}}}]}}"
            )
        };
        let pod = |spec: &str| {
            format!(
                "{{apiVersion: v1, kind: Pod, metadata: {{name: p, namespace: 'n'}}, spec: {{{spec}}}}}"
            )
        };
        let autoscaler = "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h, namespace: 'n'}, \
             spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: fronted}}}";
        let stateful = "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: s, namespace: 'n'}, spec: {serviceName: stroe}}";
        let webhook = "{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: w}, \
             webhooks: [{name: w, clientConfig: {service: {namespace: 'n', name: stor}}}]}";
        for (object, kind, name, near) in [
            (ingress("stor"), "Service", "stor", "store"),
            (binding("migrat", "migrate"), "Role", "migrat", "migrate"),
            (
                binding("migrate", "mirgate"),
                "ServiceAccount",
                "mirgate",
                "migrate",
            ),
            (
                pod("volumes: [{configMap: {name: setings}}]"),
                "ConfigMap",
                "setings",
                "settings",
            ),
            (
                pod("volumes: [{secret: {secretName: serving-crt}}]"),
                "Secret",
                "serving-crt",
                "serving-cert",
            ),
            (
                pod("serviceAccountName: migrte"),
                "ServiceAccount",
                "migrte",
                "migrate",
            ),
            (autoscaler.to_owned(), "Deployment", "fronted", "frontend"),
            (stateful.to_owned(), "Service", "stroe", "store"),
            (webhook.to_owned(), "Service", "stor", "store"),
        ] {
            let said = found(&object);
            let expected =
                format!("names the {kind} {name}, which the set does not have; is {near} meant?");
            assert_eq!(said.len(), 1, "{object}: {said:?}");
            assert!(said[0].ends_with(&expected), "{said:?}");
        }
        for object in [
            ingress("store"),
            // On the cluster, perhaps.
            ingress("elsewhere"),
            binding("migrate", "migrate"),
            pod("serviceAccountName: default"),
            pod("volumes: [{secret: {secretName: serving-cert}}]"),
            // Another of a row.
            pod("volumes: [{configMap: {name: settings2}}]"),
        ] {
            assert_eq!(found(&object), [""; 0], "{object}");
        }
    }

    #[test]
    fn labels_that_are_nearly_those_of_a_pod_of_the_set_are_told() {
        let selects = |kind: &str, spec: &str| {
            found(&format!(
                "{{apiVersion: {kind}, metadata: {{name: s, namespace: 'n'}}, spec: {{{spec}}}}}"
            ))
        };
        for (kind, spec, id) in [
            (
                "v1, kind: Service",
                "selector: {app: frontent, tier: web}",
                "Service n/s",
            ),
            (
                "policy/v1, kind: PodDisruptionBudget",
                "selector: {matchLabels: {app: frontent}}",
                "PodDisruptionBudget n/s",
            ),
            (
                "networking.k8s.io/v1, kind: NetworkPolicy",
                "podSelector: {matchLabels: {app: frontent}}",
                "NetworkPolicy n/s",
            ),
        ] {
            let said = format!(
                "{id} selects pods with app=frontent, and the set makes none; is frontend meant?"
            );
            assert_eq!(selects(kind, spec), [said]);
        }
        for spec in [
            "selector: {app: frontend}",
            "selector: {app: backend}",
            "selector: {}",
            "type: ExternalName",
        ] {
            assert_eq!(selects("v1, kind: Service", spec), [""; 0], "{spec}");
        }
    }
}
