//! The names of kinds in paths: `Ingress` is `ingresses` there.

use std::collections::HashMap;

use crate::logs::snapshot::Object;

/// The names that definitions give, by group and kind.
pub struct Plurals<'a>(HashMap<(&'a str, &'a str), &'a str>);

impl<'a> Plurals<'a> {
    /// Those of the definitions among the objects.
    pub fn of(objects: &'a [Object]) -> Self {
        let definitions = objects
            .iter()
            .filter(|object| object.kind == "CustomResourceDefinition");
        let names = definitions.map(|definition| {
            let kind = (
                definition.text("/spec/group"),
                definition.text("/spec/names/kind"),
            );
            (kind, definition.text("/spec/names/plural"))
        });
        Self(names.filter(|(_, plural)| !plural.is_empty()).collect())
    }

    /// The name of a kind; without a definition by the rule of Kubernetes' own clients
    /// (`meta.UnsafeGuessKindToResource` of k8s.io/apimachinery).
    pub fn name(&self, group: &str, kind: &str) -> String {
        if let Some(plural) = self.0.get(&(group, kind)) {
            return (*plural).to_owned();
        }
        let singular = kind.to_lowercase();
        match singular.as_bytes().last() {
            _ if singular == "endpoints" => singular,
            Some(b's') => format!("{singular}es"),
            Some(b'y') => format!("{}ies", &singular[..singular.len() - 1]),
            _ => format!("{singular}s"),
        }
    }
}
