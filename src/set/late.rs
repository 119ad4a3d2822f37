//! Kinds that come later: neither the server nor a definition of the set has them, and something of the set makes them.
//!
//! Gatekeeper makes a definition of each of its templates, Crossplane of each of its own definitions. An operator may bring
//! its definitions along: then a role of the set lets it. Or an annotation of Argo CD says that a kind comes later.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::{
    api::{is_builtin, list},
    set::{facts::Facts, objects::Object, served::Served},
};

/// The annotation of Argo CD's that says it of an object.
pub const ANNOTATION: (&str, &str) = (
    "argocd.argoproj.io/sync-options",
    "SkipDryRunOnMissingResource=true",
);

/// The objects whose kinds come later, by their place in the set, each with what may make its kind.
pub type Late = BTreeMap<usize, Vec<usize>>;

/// Finds them.
pub fn find(objects: &[Object], facts: &[Facts], served: &Served) -> Late {
    let is_unserved = |object: &Object| {
        let id = &object.id;
        !is_builtin(&id.group) && served.versions(&id.group, &id.kind).is_empty()
    };
    let unserved: Vec<usize> = (0..objects.len())
        .filter(|at| is_unserved(&objects[*at]))
        .collect();
    if unserved.is_empty() {
        return Late::new();
    }
    let mut templates: HashMap<(String, String), Vec<usize>> = HashMap::new();
    let mut operators = Vec::new();
    let mut may_define = false;
    for (at, (object, facts)) in objects.iter().zip(facts).enumerate() {
        let id = &object.id;
        if id.is("templates.gatekeeper.sh", "ConstraintTemplate") {
            let value = object.value();
            let kind = &value["spec"]["crd"]["spec"]["names"]["kind"];
            let key = ("constraints.gatekeeper.sh".to_owned(), text(kind));
            templates.entry(key).or_default().push(at);
        } else if id.is("apiextensions.crossplane.io", "CompositeResourceDefinition") {
            let value = object.value();
            let spec = &value["spec"];
            for names in ["names", "claimNames"] {
                let key = (text(&spec["group"]), text(&spec[names]["kind"]));
                templates.entry(key).or_default().push(at);
            }
        } else if id.is("rbac.authorization.k8s.io", "ClusterRole") {
            may_define |= list(&object.value()["rules"]).any(defines_kinds);
        } else if facts.pod.is_some() {
            operators.push(at);
        }
    }
    if !may_define {
        operators.clear();
    }
    let late = unserved.into_iter().filter_map(|at| {
        let id = &objects[at].id;
        let template = templates.get(&(id.group.clone(), id.kind.clone()));
        let makers = template.unwrap_or(&operators);
        (!makers.is_empty() || is_said(&objects[at])).then(|| (at, makers.clone()))
    });
    late.collect()
}

/// Whether a rule of a role lets its holder make definitions. One that lets him do anything says nothing of what he does.
fn defines_kinds(rule: &Value) -> bool {
    let has = |key: &str, wanted: &[&str]| {
        let mut values = list(&rule[key]).filter_map(Value::as_str);
        values.any(|it| wanted.contains(&it))
    };
    has("apiGroups", &["apiextensions.k8s.io"])
        && has("resources", &["customresourcedefinitions", "*"])
        && has("verbs", &["create", "*"])
}

fn is_said(object: &Object) -> bool {
    let (key, wanted) = ANNOTATION;
    let value = object.value();
    let options = value["metadata"]["annotations"][key].as_str();
    let mut options = options.unwrap_or_default().split(',');
    options.any(|option| option.trim() == wanted)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set::objects;

    const OPERATOR: &str = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: o}, spec: {template: {spec: {containers: []}}}}";
    const THING: &str = "{apiVersion: x.example/v1, kind: Thing, metadata: {name: t}}";

    fn found(documents: &[&str]) -> Late {
        let objects = objects::read("x", &documents.join("\n---\n")).unwrap();
        let facts: Vec<Facts> = objects.iter().map(Facts::of).collect();
        find(&objects, &facts, &Served::default())
    }

    #[test]
    fn a_kind_comes_later_where_something_makes_it_or_its_user_says_so() {
        let role = |group: &str, verb: &str| {
            format!(
                "{{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {{name: r}}, rules: \
                 [{{apiGroups: ['{group}'], resources: [customresourcedefinitions], verbs: [{verb}]}}]}}"
            )
        };
        let creates = role("apiextensions.k8s.io", "create");
        for (role, late) in [
            (creates.as_str(), true),
            (&role("apiextensions.k8s.io", "get"), false),
            (&role("*", "create"), false),
        ] {
            let found = found(&[OPERATOR, THING, role]);
            assert_eq!(found.get(&1), late.then(|| vec![0]).as_ref(), "{role}");
        }
        assert!(found(&[THING, &creates]).is_empty(), "nobody has the role");
        let said = THING.replace(
            "{name: t}",
            "{name: t, annotations: {argocd.argoproj.io/sync-options: 'Prune=false, SkipDryRunOnMissingResource=true'}}",
        );
        assert_eq!(found(&[&said]).get(&0), Some(&Vec::new()));
        assert!(found(&[&THING.replace("x.example", "apps"), OPERATOR, &creates]).is_empty());
    }

    #[test]
    fn a_template_makes_its_own_kind_alone() {
        let template = "{apiVersion: templates.gatekeeper.sh/v1, kind: ConstraintTemplate, metadata: {name: k}, spec: {crd: {spec: {names: {kind: K}}}}}";
        let composite = "{apiVersion: apiextensions.crossplane.io/v1, kind: CompositeResourceDefinition, metadata: {name: xs.x.example}, \
                         spec: {group: x.example, names: {kind: XThing}, claimNames: {kind: Thing}}}";
        let constraint = |kind: &str| {
            format!(
                "{{apiVersion: constraints.gatekeeper.sh/v1beta1, kind: {kind}, metadata: {{name: c}}}}"
            )
        };
        let found = found(&[
            template,
            composite,
            &constraint("K"),
            &constraint("L"),
            THING,
        ]);
        assert_eq!(found.get(&2), Some(&vec![0]));
        assert_eq!(found.get(&3), None);
        assert_eq!(found.get(&4), Some(&vec![1]));
    }
}
