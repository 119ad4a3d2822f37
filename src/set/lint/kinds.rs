//! Kinds that nobody serves: given up by Kubernetes, or defined neither by the set nor on the server.

mod remedy;

use std::collections::BTreeMap;

use crate::{
    api::is_builtin,
    set::{
        lint::{LintFinding, Rule, Set, Severity},
        objects::Object,
        served::Served,
    },
};

/// APIs that Kubernetes gave up: group, version, kinds (none for all: some names came back with other kinds), and the last
/// minor release of 1.x that had it. Source: the deprecated API migration guide of kubernetes.io.
const GONE: [(&str, &str, &[&str], u32); 33] = [
    ("extensions", "v1beta1", &["Ingress"], 21),
    ("extensions", "v1beta1", &[], 15),
    ("apps", "v1beta1", &[], 15),
    ("apps", "v1beta2", &[], 15),
    (
        "admissionregistration.k8s.io",
        "v1beta1",
        &[
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
        ],
        21,
    ),
    ("apiextensions.k8s.io", "v1beta1", &[], 21),
    ("apiregistration.k8s.io", "v1beta1", &[], 21),
    ("auditregistration.k8s.io", "v1alpha1", &[], 18),
    ("authentication.k8s.io", "v1beta1", &["TokenReview"], 21),
    ("authorization.k8s.io", "v1beta1", &[], 21),
    (
        "certificates.k8s.io",
        "v1beta1",
        &["CertificateSigningRequest"],
        21,
    ),
    ("coordination.k8s.io", "v1beta1", &["Lease"], 21),
    (
        "networking.k8s.io",
        "v1beta1",
        &["Ingress", "IngressClass"],
        21,
    ),
    ("rbac.authorization.k8s.io", "v1beta1", &[], 21),
    ("rbac.authorization.k8s.io", "v1alpha1", &[], 21),
    ("scheduling.k8s.io", "v1beta1", &["PriorityClass"], 21),
    ("scheduling.k8s.io", "v1alpha1", &["PriorityClass"], 21),
    ("settings.k8s.io", "v1alpha1", &[], 19),
    ("storage.k8s.io", "v1alpha1", &["VolumeAttachment"], 21),
    ("autoscaling", "v2beta1", &[], 24),
    ("autoscaling", "v2beta2", &[], 25),
    ("batch", "v1beta1", &[], 24),
    ("batch", "v2alpha1", &[], 20),
    ("discovery.k8s.io", "v1beta1", &[], 24),
    ("events.k8s.io", "v1beta1", &[], 24),
    ("node.k8s.io", "v1beta1", &[], 24),
    ("node.k8s.io", "v1alpha1", &[], 22),
    ("policy", "v1beta1", &[], 24),
    ("storage.k8s.io", "v1beta1", &["CSIStorageCapacity"], 26),
    (
        "storage.k8s.io",
        "v1beta1",
        &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"],
        21,
    ),
    ("flowcontrol.apiserver.k8s.io", "v1beta1", &[], 25),
    ("flowcontrol.apiserver.k8s.io", "v1beta2", &[], 28),
    ("flowcontrol.apiserver.k8s.io", "v1beta3", &[], 31),
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

/// Each kind that neither a server of this version nor the set serves. One that comes later is waited for.
pub fn check(set: &Set<'_>, version: &str) -> Vec<LintFinding> {
    let unserved = unserved(set).into_values();
    let tell = |places: Vec<usize>| {
        let objects: Vec<&Object> = places.iter().map(|at| &set.objects[*at]).collect();
        let (first, all) = (objects[0], named(&objects));
        let what = format!("{} {}", first.api_version(), first.id.kind);
        let finding = |severity: Severity, message: String, remedy: String| LintFinding {
            severity,
            rule: Rule::Kind,
            object: first.id.to_string(),
            message,
            remedy,
        };
        let Some(makers) = set.late.get(&places[0]) else {
            return finding(
                Severity::Fatal,
                format!(
                    "Kubernetes {version} has no {what}, and no definition of the set makes it ({all})"
                ),
                remedy::of(first, set),
            );
        };
        let maker = match makers[..] {
            [] => "its annotation says that it comes later".to_owned(),
            [maker] => format!("{} may make it", set.objects[maker].id),
            [..] => "an operator of the set may make it".to_owned(),
        };
        let message = format!(
            "Kubernetes {version} has no {what} yet ({all}): it is waited for, since {maker}"
        );
        finding(Severity::Warning, message, String::new())
    };
    unserved.map(tell).collect()
}

/// What the set alone tells: APIs that newer servers do not have, and kinds that a server has to bring.
pub fn check_without_server(set: &Set<'_>) -> Vec<LintFinding> {
    let unserved = unserved(set).into_values();
    let tell = |places: Vec<usize>| {
        if set.late.contains_key(&places[0]) {
            return None;
        }
        let objects: Vec<&Object> = places.iter().map(|at| &set.objects[*at]).collect();
        let (first, all) = (objects[0], named(&objects));
        let what = format!("{} {}", first.api_version(), first.id.kind);
        let (message, remedy) = if let Some(last) = last_with(first) {
            (
                format!("Kubernetes 1.{last} was the last with {what} ({all})"),
                "move to the version that followed it".to_owned(),
            )
        } else if is_builtin(&first.id.group) {
            return None;
        } else {
            (
                format!("no definition of the set makes {what} ({all})"),
                "it needs a server that has it already, or its CustomResourceDefinition in the manifests"
                    .to_owned(),
            )
        };
        Some(LintFinding {
            severity: Severity::Warning,
            rule: Rule::Kind,
            object: first.id.to_string(),
            message,
            remedy,
        })
    };
    unserved.filter_map(tell).collect()
}

/// The places of the objects that are not served, by API version and kind, and whether they come later.
fn unserved<'a>(set: &Set<'a>) -> BTreeMap<(String, &'a str, bool), Vec<usize>> {
    let mut unserved: BTreeMap<(String, &str, bool), Vec<usize>> = BTreeMap::new();
    for (at, object) in set.objects.iter().enumerate() {
        if set.served.of(object).is_none() {
            let comes = set.late.contains_key(&at);
            let key = (object.api_version(), object.id.kind.as_str(), comes);
            unserved.entry(key).or_default().push(at);
        }
    }
    unserved
}

/// The first with its place, and how many more there are.
fn named(objects: &[&Object]) -> String {
    let mut text = format!("{}, in {}", objects[0].id, objects[0].source);
    if objects.len() > 1 {
        text.extend([format!(", and {} more", objects.len() - 1)]);
    }
    text
}

fn last_with(object: &Object) -> Option<u32> {
    let id = &object.id;
    GONE.iter()
        .find(|(group, version, kinds, _)| {
            *group == id.group
                && *version == object.version
                && (kinds.is_empty() || kinds.contains(&id.kind.as_str()))
        })
        .map(|(.., last)| *last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::Resource,
        set::{facts::Facts, late, objects},
    };

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

    fn look(objects: &[Object], served: &Served, version: Option<&str>) -> Vec<LintFinding> {
        let facts: Vec<Facts> = objects.iter().map(Facts::of).collect();
        let late = late::find(objects, &facts, served);
        let set = Set {
            objects,
            facts: &facts,
            served,
            late: &late,
        };
        match version {
            Some(version) => check(&set, version),
            None => check_without_server(&set),
        }
    }

    #[test]
    fn a_kind_that_something_of_the_set_makes_is_waited_for() {
        let text = "
{apiVersion: templates.gatekeeper.sh/v1, kind: ConstraintTemplate, metadata: {name: k}, spec: {crd: {spec: {names: {kind: K}}}}}
---
{apiVersion: constraints.gatekeeper.sh/v1beta1, kind: K, metadata: {name: a}}";
        let objects = objects::read("f.yaml", text).unwrap();
        let findings = look(&objects, &served(), Some("v1.35.4"));
        assert_eq!(findings.len(), 2);
        assert_eq!(findings[0].severity, Severity::Warning);
        assert_eq!(
            findings[0].message,
            "Kubernetes v1.35.4 has no constraints.gatekeeper.sh/v1beta1 K yet (K a, in f.yaml, document 2): it is waited for, \
             since ConstraintTemplate k may make it"
        );
        // Who makes the templates is not in the set.
        assert_eq!(findings[1].severity, Severity::Fatal);
        assert_eq!(look(&objects, &served(), None).len(), 1);
    }

    const TEXT: &str = "
{apiVersion: autoscaling/v2beta2, kind: HorizontalPodAutoscaler, metadata: {name: a, namespace: b}}
---
{apiVersion: x.example/v1, kind: Thing, metadata: {name: a}}
---
{apiVersion: x.example/v1, kind: Thing, metadata: {name: b}}
---
{apiVersion: policy/v1beta1, kind: PodSecurityPolicy, metadata: {name: p}}
---
{apiVersion: networking.k8s.io/v1beta1, kind: ServiceCIDR, metadata: {name: c}}";

    #[test]
    fn a_kind_that_nobody_serves_is_refused_with_the_way_out() {
        let objects = objects::read("f.yaml", TEXT).unwrap();
        let findings = look(&objects, &served(), Some("v1.35.4"));
        let said: Vec<String> = findings.iter().map(ToString::to_string).collect();
        let nobody = "and no definition of the set makes it";
        assert_eq!(
            said,
            [
                format!(
                    "Kubernetes v1.35.4 has no autoscaling/v2beta2 HorizontalPodAutoscaler, {nobody} \
                     (HorizontalPodAutoscaler b/a, in f.yaml, document 1); Kubernetes 1.25 was the last with it; \
                     HorizontalPodAutoscaler is served as autoscaling/v2"
                ),
                format!(
                    "Kubernetes v1.35.4 has no networking.k8s.io/v1beta1 ServiceCIDR, {nobody} (ServiceCIDR c, in f.yaml, \
                     document 5); take a Kubernetes that has it, or switch its API on"
                ),
                format!(
                    "Kubernetes v1.35.4 has no policy/v1beta1 PodSecurityPolicy, {nobody} (PodSecurityPolicy p, in f.yaml, \
                     document 4); Kubernetes 1.24 was the last with it; leave it out: Pod Security admission does its work: \
                     label the namespaces"
                ),
                format!(
                    "Kubernetes v1.35.4 has no x.example/v1 Thing, {nobody} (Thing a, in f.yaml, document 2, and 1 more); \
                     add its CustomResourceDefinition to the manifests, or annotate the object with \
                     argocd.argoproj.io/sync-options: SkipDryRunOnMissingResource=true if something makes the kind later"
                ),
            ]
        );
        assert!(findings.iter().all(|it| it.severity == Severity::Fatal));
    }

    #[test]
    fn without_a_server_nothing_is_refused_for_its_kind() {
        let objects = objects::read("f.yaml", TEXT).unwrap();
        let findings = look(&objects, &Served::default(), None);
        let said: Vec<&str> = findings.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(
            said,
            [
                "Kubernetes 1.25 was the last with autoscaling/v2beta2 HorizontalPodAutoscaler \
                 (HorizontalPodAutoscaler b/a, in f.yaml, document 1)",
                "Kubernetes 1.24 was the last with policy/v1beta1 PodSecurityPolicy (PodSecurityPolicy p, in f.yaml, document 4)",
                "no definition of the set makes x.example/v1 Thing (Thing a, in f.yaml, document 2, and 1 more)",
            ]
        );
        assert!(findings.iter().all(|it| it.severity == Severity::Warning));
    }

    #[test]
    fn a_kind_that_is_misspelt_is_told_as_it_is_written() {
        let text = "
{apiVersion: v1, kind: service, metadata: {name: a}}
---
{apiVersion: autoscaling/v2, kind: HorizontalPodAutosclaer, metadata: {name: a}}
---
{apiVersion: x.example/v2, kind: Thing, metadata: {name: a}}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: things.x.example},
  spec: {group: x.example, scope: Namespaced, names: {kind: Thing, plural: things}, versions: [{name: v1, served: true}, {name: v2, served: false}]}}";
        let objects = objects::read("f.yaml", text).unwrap();
        let findings = look(&objects, &served(), Some("v1.35.4"));
        let remedies: Vec<&str> = findings.iter().map(|it| it.remedy.as_str()).collect();
        assert_eq!(
            remedies[1..3],
            [
                "HorizontalPodAutoscaler is what autoscaling/v2 has: write it so",
                "Service is what v1 has: write it so",
            ]
        );
        assert_eq!(
            remedies[3],
            "CustomResourceDefinition things.x.example of the set serves v1: serve v2 there too, or write the object for that"
        );
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
}
