//! What can be done about an object whose kind nobody serves.

use similar::TextDiff;

use super::last_with;
use crate::{
    api::{Resource, is_builtin},
    set::{late::ANNOTATION, lint::Set, objects::Object, served::Served},
};

/// Names that are alike to this part are one name with a slip of the pen.
const ALIKE: f32 = 0.7;

/// Kinds that went without another in their place, and what does their work now.
const WITHOUT_HEIR: [(&str, &str); 3] = [
    (
        "PodSecurityPolicy",
        "Pod Security admission does its work: label the namespaces",
    ),
    ("PodPreset", "a mutating webhook does its work"),
    ("AuditSink", "the server's own audit webhook does its work"),
];

/// What can be done about it.
pub(super) fn of(object: &Object, set: &Set<'_>) -> String {
    let kind = &object.id.kind;
    let gone = last_with(object);
    let others = set.served.groups_of(kind);
    let others: Vec<String> = others.iter().map(|it| api_version(it)).collect();
    let heir = WITHOUT_HEIR.iter().find(|(known, _)| known == kind);
    let what = match (heir, gone) {
        (Some((_, now)), Some(_)) => format!("leave it out: {now}"),
        _ => unserved_version(object, set)
            .or_else(|| {
                let others = others.join(", ");
                (!others.is_empty()).then(|| format!("{kind} is served as {others}"))
            })
            .or_else(|| misspelt(object, set.served))
            .unwrap_or_else(|| bring(object)),
    };
    match gone {
        Some(last) => format!("Kubernetes 1.{last} was the last with it; {what}"),
        None => what,
    }
}

fn api_version(resource: &Resource) -> String {
    if resource.group.is_empty() {
        resource.version.clone()
    } else {
        format!("{}/{}", resource.group, resource.version)
    }
}

/// That the set defines the kind, and does not serve it in that version.
fn unserved_version(object: &Object, set: &Set<'_>) -> Option<String> {
    let mut all = set.objects.iter().zip(set.facts);
    let (definition, versions) = all.find_map(|(other, facts)| {
        let defined = facts.definition.as_ref()?;
        let is_it = defined.group == object.id.group && defined.kind == object.id.kind;
        is_it.then_some((&other.id, &defined.versions))
    })?;
    let version = &object.version;
    Some(if versions.is_empty() {
        format!("{definition} of the set serves no version of it: serve {version}")
    } else {
        format!(
            "{definition} of the set serves {}: serve {version} there too, or write the object for that",
            versions.join(", ")
        )
    })
}

/// The kind of the same group and version whose name is nearly the same.
fn misspelt(object: &Object, served: &Served) -> Option<String> {
    let written = object.id.kind.to_lowercase();
    let ratio = |kind: &str| TextDiff::from_chars(written.as_str(), &kind.to_lowercase()).ratio();
    let kinds = served.kinds_of(&object.id.group, &object.version);
    let best = kinds.max_by(|a, b| ratio(a).total_cmp(&ratio(b)).then_with(|| b.cmp(a)))?;
    let api_version = object.api_version();
    (ratio(best) >= ALIKE).then(|| format!("{best} is what {api_version} has: write it so"))
}

fn bring(object: &Object) -> String {
    if is_builtin(&object.id.group) {
        return "take a Kubernetes that has it, or switch its API on".to_owned();
    }
    let (key, value) = ANNOTATION;
    format!(
        "add its CustomResourceDefinition to the manifests, or annotate the object with {key}: {value} if something makes the \
         kind later"
    )
}
