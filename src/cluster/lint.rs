//! What can be known to fail before anything is written.

use std::collections::{BTreeMap, HashSet};

use crate::{
    cluster::{facts::Facts, objects::Object, served::Served},
    report::{Exit, Explain},
};

/// The set cannot be deployed to this cluster.
#[derive(Debug, thiserror::Error)]
#[error("{}", problems.first().map_or("nothing", String::as_str))]
pub struct LintError {
    /// Each problem in one line, with its remedy.
    pub problems: Vec<String>,
}

impl Explain for LintError {
    fn exit(&self) -> Exit {
        Exit::BadInput
    }

    fn hint(&self) -> Option<String> {
        Some("nothing was written to the cluster".to_owned())
    }

    fn details(&self) -> Vec<String> {
        self.problems.iter().skip(1).cloned().collect()
    }
}

/// APIs that Kubernetes gave up: group, version, and the last minor release of 1.x that had it.
const GONE: [(&str, &str, u32); 30] = [
    ("extensions", "v1beta1", 21),
    ("apps", "v1beta1", 15),
    ("apps", "v1beta2", 15),
    ("admissionregistration.k8s.io", "v1beta1", 21),
    ("apiextensions.k8s.io", "v1beta1", 21),
    ("apiregistration.k8s.io", "v1beta1", 21),
    ("authentication.k8s.io", "v1beta1", 21),
    ("authorization.k8s.io", "v1beta1", 21),
    ("certificates.k8s.io", "v1beta1", 21),
    ("coordination.k8s.io", "v1beta1", 21),
    ("networking.k8s.io", "v1beta1", 21),
    ("rbac.authorization.k8s.io", "v1beta1", 21),
    ("rbac.authorization.k8s.io", "v1alpha1", 21),
    ("scheduling.k8s.io", "v1beta1", 21),
    ("scheduling.k8s.io", "v1alpha1", 21),
    ("storage.k8s.io", "v1alpha1", 21),
    ("autoscaling", "v2beta1", 24),
    ("autoscaling", "v2beta2", 25),
    ("batch", "v1beta1", 24),
    ("discovery.k8s.io", "v1beta1", 24),
    ("events.k8s.io", "v1beta1", 24),
    ("node.k8s.io", "v1beta1", 24),
    ("node.k8s.io", "v1alpha1", 22),
    ("policy", "v1beta1", 24),
    ("storage.k8s.io", "v1beta1", 26),
    ("flowcontrol.apiserver.k8s.io", "v1alpha1", 21),
    ("flowcontrol.apiserver.k8s.io", "v1beta1", 25),
    ("flowcontrol.apiserver.k8s.io", "v1beta2", 28),
    ("flowcontrol.apiserver.k8s.io", "v1beta3", 31),
    ("batch", "v2alpha1", 20),
];

/// Puts each object where its kind lives: into a namespace, or into none.
///
/// `default` is the namespace of objects that name none.
pub fn settle(objects: &mut [Object], served: &Served, default: &str) {
    for object in objects {
        let Some(resource) = served.of(object) else {
            continue;
        };
        if !resource.namespaced {
            object.settle(None);
        } else if object.id.namespace.is_none() {
            object.settle(Some(default));
        }
    }
}

/// Refuses what neither the server nor the set serves; warns of webhooks that nothing can answer.
///
/// # Errors
/// [`LintError`] with every problem.
pub fn check(
    objects: &[Object],
    facts: &[Facts],
    served: &Served,
    version: &str,
) -> Result<(), LintError> {
    let mut unserved: BTreeMap<(String, &str), Vec<&Object>> = BTreeMap::new();
    for object in objects.iter().filter(|object| served.of(object).is_none()) {
        let key = (object.api_version(), object.id.kind.as_str());
        unserved.entry(key).or_default().push(object);
    }
    let problems: Vec<String> = unserved
        .into_values()
        .map(|objects| unserved_problem(&objects, served, version))
        .collect();
    for warning in dangling(objects, facts) {
        tracing::warn!("{warning}");
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(LintError { problems })
    }
}

fn unserved_problem(objects: &[&Object], served: &Served, version: &str) -> String {
    let object = objects[0];
    let (group, kind) = (&object.id.group, &object.id.kind);
    let mut text = format!(
        "Kubernetes {version} has no {} {kind}, and no definition of the set makes it ({}, in {}",
        object.api_version(),
        object.id,
        object.source
    );
    if objects.len() > 1 {
        text.extend([format!(", and {} more", objects.len() - 1)]);
    }
    text.push(')');
    let gone = GONE
        .iter()
        .find(|(known, version, _)| known == group && *version == object.version);
    if let Some((.., last)) = gone {
        text.extend([format!("; Kubernetes 1.{last} was the last with it")]);
    }
    let others: Vec<String> = served
        .groups_of(kind)
        .iter()
        .map(|it| {
            if it.group.is_empty() {
                it.version.clone()
            } else {
                format!("{}/{}", it.group, it.version)
            }
        })
        .collect();
    if others.is_empty() {
        text.push_str("; add its CustomResourceDefinition to the manifests");
    } else {
        text.extend([format!("; {kind} is served as {}", others.join(", "))]);
    }
    text
}

/// Webhooks and conversions whose Service is not in the set.
fn dangling(objects: &[Object], facts: &[Facts]) -> Vec<String> {
    let services: HashSet<(&str, &str)> = objects
        .iter()
        .filter(|object| object.id.is("", "Service"))
        .map(|object| {
            let namespace = object.id.namespace.as_deref().unwrap_or_default();
            (namespace, object.id.name.as_str())
        })
        .collect();
    let mut warnings = Vec::new();
    for (object, facts) in objects.iter().zip(facts) {
        let webhooks = facts.webhooks.iter().filter_map(|it| it.service.as_ref());
        let conversion = facts
            .definition
            .as_ref()
            .and_then(|it| it.conversion.as_ref());
        let mut missing: Vec<String> = webhooks
            .chain(conversion)
            .filter(|(namespace, name)| !services.contains(&(namespace.as_str(), name.as_str())))
            .map(|(namespace, name)| format!("{namespace}/{name}"))
            .collect();
        missing.sort();
        missing.dedup();
        if !missing.is_empty() {
            warnings.push(format!(
                "{} calls the Service {}, which is not in the set",
                object.id,
                missing.join(" and ")
            ));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{objects, served::Resource};

    fn served() -> Served {
        let mut served = Served::default();
        for (group, version, kind, namespaced) in [
            ("", "v1", "Namespace", false),
            ("", "v1", "Service", true),
            ("autoscaling", "v2", "HorizontalPodAutoscaler", true),
        ] {
            served.insert(Resource {
                group: group.to_owned(),
                version: version.to_owned(),
                kind: kind.to_owned(),
                plural: String::new(),
                namespaced,
            });
        }
        served
    }

    #[test]
    fn a_kind_that_nobody_serves_is_refused_with_the_way_out() {
        let text = "
{apiVersion: autoscaling/v2beta2, kind: HorizontalPodAutoscaler, metadata: {name: a, namespace: b}}
---
{apiVersion: x.example/v1, kind: Thing, metadata: {name: a}}";
        let objects = objects::read("f.yaml", text).unwrap();
        let facts: Vec<Facts> = objects.iter().map(Facts::of).collect();
        let error = check(&objects, &facts, &served(), "v1.35.4").unwrap_err();
        assert_eq!(
            error.problems,
            [
                "Kubernetes v1.35.4 has no autoscaling/v2beta2 HorizontalPodAutoscaler, and no definition of the set makes it \
                 (HorizontalPodAutoscaler b/a, in f.yaml, document 1); Kubernetes 1.25 was the last with it; \
                 HorizontalPodAutoscaler is served as autoscaling/v2",
                "Kubernetes v1.35.4 has no x.example/v1 Thing, and no definition of the set makes it (Thing a, in f.yaml, \
                 document 2); add its CustomResourceDefinition to the manifests",
            ]
        );
        assert_eq!(error.exit(), Exit::BadInput);
    }

    #[test]
    fn scope_comes_from_what_is_served() {
        let text = "
{apiVersion: v1, kind: Namespace, metadata: {name: a, namespace: b}}
---
{apiVersion: v1, kind: Service, metadata: {name: a}}";
        let mut objects = objects::read("x", text).unwrap();
        settle(&mut objects, &served(), "default");
        let ids: Vec<String> = objects.iter().map(|it| it.id.to_string()).collect();
        assert_eq!(ids, ["Namespace a", "Service default/a"]);
    }

    #[test]
    fn a_webhook_without_its_service_is_told() {
        let text = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: a}
webhooks: [{name: w, clientConfig: {service: {namespace: n, name: gone}}}]";
        let objects = objects::read("x", text).unwrap();
        let facts: Vec<Facts> = objects.iter().map(Facts::of).collect();
        assert_eq!(
            dangling(&objects, &facts),
            ["ValidatingWebhookConfiguration a calls the Service n/gone, which is not in the set"]
        );
    }
}
