//! Which kinds there are: what the server serves and what the definitions of the set will make it serve.
//!
//! Kinds of the set come from its definitions alone: discovery lags behind them.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use crate::{api::Resource, set::objects::Object};

/// Every kind that is or will be served.
#[derive(Clone, Debug, Default)]
pub struct Served {
    kinds: HashMap<(String, String), Vec<Resource>>,
    stale: BTreeSet<String>,
}

impl Served {
    /// Notes groups of which the server cannot tell now what it serves.
    #[must_use]
    pub fn with_stale(mut self, groups: BTreeSet<String>) -> Self {
        self.stale = groups;
        self
    }

    /// Whether a kind of this group may be served although it is not known.
    pub fn is_stale(&self, group: &str) -> bool {
        self.stale.contains(group)
    }

    /// Adds one; what came first stays.
    pub fn insert(&mut self, resource: Resource) {
        let key = (resource.group.clone(), resource.kind.clone());
        let versions = self.kinds.entry(key).or_default();
        if !versions
            .iter()
            .any(|known| known.version == resource.version)
        {
            versions.push(resource);
        }
    }

    /// Adds what a definition of the set will serve. What it says counts more than what is served now.
    pub fn define(&mut self, definition: &Definition) {
        let key = (definition.group.clone(), definition.kind.clone());
        self.kinds.remove(&key);
        for version in &definition.versions {
            self.insert(Resource {
                group: definition.group.clone(),
                version: version.clone(),
                kind: definition.kind.clone(),
                plural: definition.plural.clone(),
                namespaced: definition.namespaced,
            });
        }
    }

    /// Adds what the objects' kinds would be called if they were served: without a server nobody tells. Kinds that are
    /// served already stay as they are.
    pub fn assume(&mut self, objects: &[Object]) {
        for object in objects {
            if self.of(object).is_none() {
                let kind = object.id.kind.to_lowercase();
                let plural = match kind.strip_suffix('y') {
                    Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
                    _ if kind.ends_with(['s', 'x']) && kind != "endpoints" => format!("{kind}es"),
                    _ if kind == "endpoints" => kind,
                    _ => format!("{kind}s"),
                };
                self.insert(Resource {
                    group: object.id.group.clone(),
                    version: object.version.clone(),
                    kind: object.id.kind.clone(),
                    plural,
                    namespaced: object.id.namespace.is_some(),
                });
            }
        }
    }

    /// The resource of an object, if it is served in that very version.
    pub fn of(&self, object: &Object) -> Option<&Resource> {
        let versions = self.versions(&object.id.group, &object.id.kind);
        versions.iter().find(|it| it.version == object.version)
    }

    /// Every version of a kind, preferred first.
    pub fn versions(&self, group: &str, kind: &str) -> &[Resource] {
        self.kinds
            .get(&(group.to_owned(), kind.to_owned()))
            .map_or(&[], Vec::as_slice)
    }

    /// The preferred version of a kind.
    pub fn preferred(&self, group: &str, kind: &str) -> Option<&Resource> {
        self.versions(group, kind).first()
    }

    /// The kinds of a group in one version.
    pub fn kinds_of<'a>(
        &'a self,
        group: &'a str,
        version: &'a str,
    ) -> impl Iterator<Item = &'a str> {
        let of_group = self.kinds.iter().filter(move |((it, _), _)| it == group);
        let with = move |versions: &[Resource]| versions.iter().any(|it| it.version == version);
        let found = of_group.filter(move |(_, versions)| with(versions));
        found.map(|((_, kind), _)| kind.as_str())
    }

    /// Groups that serve a kind of that name.
    pub fn groups_of(&self, kind: &str) -> Vec<&Resource> {
        let mut found: Vec<&Resource> = self
            .kinds
            .iter()
            .filter(|((_, other), _)| other == kind)
            .flat_map(|(_, versions)| versions)
            .collect();
        found.sort_by(|a, b| (&a.group, &a.version).cmp(&(&b.group, &b.version)));
        found
    }
}

impl FromIterator<Resource> for Served {
    fn from_iter<I: IntoIterator<Item = Resource>>(resources: I) -> Self {
        let mut served = Self::default();
        for resource in resources {
            served.insert(resource);
        }
        served
    }
}

/// What a `CustomResourceDefinition` of the set defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// API group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Name in paths.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Served versions.
    pub versions: Vec<String>,
    /// Service of its conversion webhook: namespace and name.
    pub conversion: Option<(String, String)>,
}

impl Definition {
    /// Reads it from the object.
    pub fn of(value: &Value) -> Option<Self> {
        let spec = value.get("spec")?;
        let text = |pointer: &str| Some(spec.pointer(pointer)?.as_str()?.to_owned());
        let service = spec.pointer("/conversion/webhook/clientConfig/service");
        let versions = spec.get("versions")?.as_array()?;
        Some(Self {
            group: text("/group")?,
            kind: text("/names/kind")?,
            plural: text("/names/plural")?,
            namespaced: spec.get("scope")?.as_str()? == "Namespaced",
            versions: versions
                .iter()
                .filter(|version| version["served"] != false)
                .filter_map(|version| Some(version.get("name")?.as_str()?.to_owned()))
                .collect(),
            conversion: service.and_then(|service| {
                let part = |key: &str| Some(service.get(key)?.as_str()?.to_owned());
                Some((part("namespace")?, part("name")?))
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_says_what_will_be_served() {
        let definition = Definition::of(&serde_json::json!({"spec": {
            "group": "a.example", "scope": "Cluster",
            "names": {"kind": "Realm", "plural": "realms"},
            "versions": [{"name": "v2", "served": true}, {"name": "v1", "served": false}],
            "conversion": {"webhook": {"clientConfig": {"service": {"namespace": "n", "name": "s"}}}},
        }}))
        .unwrap();
        assert_eq!(
            definition.conversion,
            Some(("n".to_owned(), "s".to_owned()))
        );
        let mut served = Served::default();
        served.define(&definition);
        let versions = served.versions("a.example", "Realm");
        assert_eq!(versions.len(), 1);
        assert_eq!(
            (versions[0].version.as_str(), versions[0].namespaced),
            ("v2", false)
        );
    }
}
