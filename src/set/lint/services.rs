//! Webhooks and conversions that call a Service which neither the set nor the cluster has.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::set::{
    facts::Facts,
    lint::{ClusterFacts, LintFinding, Rule, Severity},
    objects::Object,
};

/// The Services that the set calls and does not have: namespace and name.
pub fn missing(objects: &[Object], facts: &[Facts]) -> BTreeSet<(String, String)> {
    let own: HashSet<(&str, &str)> = objects
        .iter()
        .filter(|object| object.id.is("", "Service"))
        .map(|object| {
            let namespace = object.id.namespace.as_deref().unwrap_or_default();
            (namespace, object.id.name.as_str())
        })
        .collect();
    let called = facts.iter().flat_map(|facts| {
        let webhooks = facts.webhooks.iter().filter_map(|it| it.service.as_ref());
        let conversion = facts
            .definition
            .iter()
            .filter_map(|it| it.conversion.as_ref());
        webhooks.chain(conversion)
    });
    called
        .filter(|(namespace, name)| !own.contains(&(namespace.as_str(), name.as_str())))
        .cloned()
        .collect()
}

/// Each object that calls such a Service. A controller of the set may still make it, so nothing is refused for it.
pub fn check(
    objects: &[Object],
    facts: &[Facts],
    cluster: Option<&ClusterFacts>,
) -> Vec<LintFinding> {
    let gone = missing(objects, facts);
    let there = cluster.and_then(|cluster| cluster.services.as_ref());
    let unseen = there.is_none();
    let is_gone = |service: &(String, String)| {
        gone.contains(service) && there.is_none_or(|there| !there.contains(service))
    };
    let mut findings = Vec::new();
    for (object, facts) in objects.iter().zip(facts) {
        // What follows from it: a webhook that fails refuses, one that does not is left out.
        let mut called: BTreeMap<String, Severity> = BTreeMap::new();
        let mut take = |service: &Option<(String, String)>, severity: Severity| {
            if let Some(service) = service.as_ref().filter(|service| is_gone(service)) {
                let worst = called
                    .entry(format!("{}/{}", service.0, service.1))
                    .or_insert(severity);
                *worst = severity.min(*worst);
            }
        };
        for webhook in &facts.webhooks {
            let severity = if webhook.fails && !unseen {
                Severity::Problem
            } else {
                Severity::Warning
            };
            take(&webhook.service, severity);
        }
        if let Some(definition) = &facts.definition {
            // With one version there is nothing to convert.
            let severity = if definition.versions.len() > 1 && !unseen {
                Severity::Problem
            } else {
                Severity::Warning
            };
            take(&definition.conversion, severity);
        }
        let Some(severity) = called.values().min().copied() else {
            continue;
        };
        let names: Vec<String> = called.into_keys().collect();
        findings.push(LintFinding {
            severity,
            rule: Rule::Service,
            object: object.id.to_string(),
            message: format!(
                "{} calls the Service {}, which {}",
                object.id,
                names.join(" and "),
                if unseen {
                    "is not in the set"
                } else {
                    "is neither in the set nor on the cluster"
                }
            ),
            remedy: match (facts.definition.is_some(), severity) {
                (true, _) => "add the Service, or set its conversion to None".to_owned(),
                (false, Severity::Problem) => {
                    "what it guards will be refused: add the Service and what serves it, or leave the webhook out".to_owned()
                }
                (false, _) => "add the Service and what serves it, or leave the webhook out".to_owned(),
            },
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set::objects;

    const TEXT: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: a}
webhooks:
- {name: w, clientConfig: {service: {namespace: 'n', name: gone}}}
- {name: x, failurePolicy: Ignore, clientConfig: {service: {namespace: 'n', name: gone}}}
- {name: 'y', clientConfig: {service: {namespace: 'n', name: own}}}
- {name: z, clientConfig: {url: 'https://elsewhere.example'}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: b}
webhooks: [{name: w, failurePolicy: Ignore, clientConfig: {service: {namespace: 'n', name: gone}}}]
---
{apiVersion: v1, kind: Service, metadata: {name: own, namespace: 'n'}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.x}
spec: {group: x, scope: Namespaced, names: {kind: Thing, plural: things}, versions: [{name: v1}],
  conversion: {webhook: {clientConfig: {service: {namespace: 'n', name: conv}}}}}
";

    fn found(text: &str, cluster: Option<&ClusterFacts>) -> Vec<(Severity, String)> {
        let objects = objects::read("x", text).unwrap();
        let facts: Vec<Facts> = objects.iter().map(Facts::of).collect();
        check(&objects, &facts, cluster)
            .into_iter()
            .map(|it| (it.severity, it.message))
            .collect()
    }

    #[test]
    fn a_service_that_is_nowhere_is_told_as_bad_as_it_is() {
        let nowhere = "which is neither in the set nor on the cluster";
        let none = ClusterFacts {
            services: Some(BTreeSet::new()),
            ..ClusterFacts::default()
        };
        assert_eq!(
            found(TEXT, Some(&none)),
            [
                (
                    Severity::Problem,
                    format!("ValidatingWebhookConfiguration a calls the Service n/gone, {nowhere}")
                ),
                (
                    Severity::Warning,
                    format!("MutatingWebhookConfiguration b calls the Service n/gone, {nowhere}")
                ),
                (
                    Severity::Warning,
                    format!(
                        "CustomResourceDefinition things.x calls the Service n/conv, {nowhere}"
                    )
                ),
            ]
        );
        let two = TEXT.replace("[{name: v1}]", "[{name: v1}, {name: v2}]");
        assert_eq!(found(&two, Some(&none))[2].0, Severity::Problem);
    }

    #[test]
    fn a_service_of_the_cluster_is_enough_and_an_unseen_one_may_be_there() {
        let there = ["gone", "conv"].map(|name| ("n".to_owned(), name.to_owned()));
        let cluster = ClusterFacts {
            services: Some(BTreeSet::from(there)),
            ..ClusterFacts::default()
        };
        assert_eq!(found(TEXT, Some(&cluster)), []);
        // Other things that could not be seen say nothing of Services, whatever words are in them.
        let half_blind = ClusterFacts {
            services: Some(BTreeSet::new()),
            unseen: vec!["the nodes: ServiceUnavailable".to_owned()],
            ..ClusterFacts::default()
        };
        assert_eq!(found(TEXT, Some(&half_blind))[0].0, Severity::Problem);
        for cluster in [None, Some(&ClusterFacts::default())] {
            let blind = found(TEXT, cluster);
            assert_eq!(blind.len(), 3);
            assert!(blind.iter().all(|(severity, message)| {
                *severity == Severity::Warning && message.ends_with("which is not in the set")
            }));
        }
    }
}
