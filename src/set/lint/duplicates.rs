//! Objects that are one: of the same group, kind, namespace and name.

use std::collections::BTreeMap;

use crate::{
    api::ObjectId,
    set::{
        lint::{LintFinding, Rule, Severity},
        objects::Object,
    },
};

/// Each identity that more than one document has, with all of these.
pub fn check(objects: &[Object]) -> Vec<LintFinding> {
    let mut places: BTreeMap<&ObjectId, Vec<&str>> = BTreeMap::new();
    for object in objects {
        places.entry(&object.id).or_default().push(&object.source);
    }
    let twice = places.into_iter().filter(|(_, sources)| sources.len() > 1);
    twice
        .map(|(id, sources)| {
            let times = match sources.len() {
                2 => "twice".to_owned(),
                more => format!("{more} times"),
            };
            LintFinding {
                severity: Severity::Fatal,
                rule: Rule::Duplicate,
                object: id.to_string(),
                message: format!("{id} is there {times}: in {}", sources.join(", and in ")),
                remedy: "rename or remove all but one".to_owned(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set::objects;

    #[test]
    fn all_of_one_identity_are_named() {
        let text = "{apiVersion: apps/v1, kind: A, metadata: {name: b}}\n---\n\
                    {apiVersion: v1, kind: A, metadata: {name: b}}\n---\n\
                    {apiVersion: apps/v1beta1, kind: A, metadata: {name: b}}";
        let objects = objects::read("x", text).unwrap();
        let found: Vec<String> = check(&objects).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "A b is there twice: in x, document 1, and in x, document 3; rename or remove all but one"
            ]
        );
        let thrice = [objects.clone(), objects].concat();
        assert!(check(&thrice)[1].message.contains("4 times"));
    }
}
