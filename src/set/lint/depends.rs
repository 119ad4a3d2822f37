//! Objects that depend on what the set does not have, by their annotation.

use std::collections::HashSet;

use crate::{
    api::ObjectId,
    set::{
        depends::ANNOTATION,
        facts::Facts,
        lint::{LintFinding, Rule, Severity},
        objects::Object,
    },
};

/// Each name in an annotation that is no object of the set: nothing is waited for there.
pub fn check(objects: &[Object], facts: &[Facts]) -> Vec<LintFinding> {
    let ids: HashSet<&ObjectId> = objects.iter().map(|object| &object.id).collect();
    let mut findings = Vec::new();
    for (object, facts) in objects.iter().zip(facts) {
        let mut tell = |what: String, remedy: &str| {
            findings.push(LintFinding {
                severity: Severity::Problem,
                rule: Rule::DependsOn,
                object: object.id.to_string(),
                message: format!("{} has the annotation {ANNOTATION}, {what}", object.id),
                remedy: remedy.to_owned(),
            });
        };
        for dependency in &facts.depends {
            match dependency {
                Ok(dependency) if !ids.contains(dependency) => tell(
                    format!("and the set has no {dependency}"),
                    "add that object, or leave it out: only objects of the set are waited for",
                ),
                Ok(_) => {}
                Err(text) => tell(
                    format!("of which `{text}` names no object"),
                    "write group/namespaces/NAMESPACE/kind/name, or group/kind/name for what has no namespace",
                ),
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set::objects;

    #[test]
    fn a_dependency_that_the_set_does_not_have_is_told() {
        let text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: 'n', annotations: \
             {config.kubernetes.io/depends-on: '/namespaces/n/ConfigMap/b,/namespaces/m/ConfigMap/b,nothing'}}}\n---\n\
             {apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: 'n'}}";
        let objects = objects::read("x", text).unwrap();
        let facts: Vec<Facts> = objects.iter().map(Facts::of).collect();
        let found = check(&objects, &facts);
        let said: Vec<&str> = found.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(
            said,
            [
                "ConfigMap n/a has the annotation config.kubernetes.io/depends-on, and the set has no ConfigMap m/b",
                "ConfigMap n/a has the annotation config.kubernetes.io/depends-on, of which `nothing` names no object",
            ]
        );
    }
}
