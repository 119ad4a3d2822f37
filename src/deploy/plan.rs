//! What is to be done, derived before anything is written.

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
};

use crate::{
    api::{ObjectId, Resource, is_builtin},
    cluster::errors::Given,
    deploy::{DeployError, apply, draft::Draft, late::LateKind},
    ready::{ReadyWhen, Rule},
    set::{
        facts::Facts,
        lint::{LintError, Severity},
        objects::Object,
        order::{EdgeReason, Graph},
        served::Served,
    },
};

/// What is to be done, derived before anything is written.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Plan {
    /// The objects, where they belong.
    pub objects: Vec<Object>,
    /// In which order.
    pub graph: Graph,
    /// Every kind that is or will be served.
    pub served: Served,
    /// What makes objects ready by their user's word.
    pub ready_when: ReadyWhen,
    /// Whether the pods of its namespaces are waited for, whoever made them.
    pub waits_for_namespaces: bool,
    /// Whether what cannot be changed in place is deleted and made anew.
    pub recreates: bool,
    /// Whether the cluster may add nodes.
    pub grows: bool,
    /// Whether something of the set may make further objects: a workload, or what a controller looks after.
    pub makes_more: bool,
    /// The kinds that come later.
    pub(super) late: Vec<LateKind>,
    /// Where each object is; not set while its kind is not served.
    paths: Vec<OnceLock<String>>,
    pub(super) given: Vec<Arc<Given>>,
}

impl Plan {
    /// Takes a set in the order of `graph`, unless the lint refuses it. Nothing is written.
    ///
    /// # Errors
    /// [`DeployError::Lint`] with all findings.
    pub fn of(draft: Draft, graph: Graph) -> Result<Self, DeployError> {
        let grows = draft.grows();
        LintError::refuse(draft.findings, Severity::Fatal).map_err(DeployError::Lint)?;
        let (objects, facts, served) = (draft.objects, draft.facts, draft.served);
        for (at, need) in &graph.dropped {
            let (id, other) = (&objects[*at].id, &objects[need.on].id);
            let line = format!("a circle is broken: {id} does not wait for {other}");
            if need.why == EdgeReason::DependsOn {
                tracing::warn!("{line}, though its annotation says so");
            } else {
                tracing::debug!("{line}");
            }
        }
        let late = LateKind::all(&objects, &draft.late);
        let (paths, given) = addresses(&objects, &facts, &served);
        let is_custom = |object: &Object| !is_builtin(&object.id.group);
        let makes_more =
            facts.iter().any(|facts| facts.pod.is_some()) || objects.iter().any(is_custom);
        Ok(Self {
            objects,
            graph,
            served,
            ready_when: ReadyWhen::default(),
            waits_for_namespaces: false,
            recreates: false,
            grows,
            makes_more,
            late,
            paths,
            given,
        })
    }
}

impl Plan {
    /// Takes these lines of its user for what makes objects ready. One that is for no object is said.
    #[must_use]
    pub fn with_ready_when(mut self, rules: &ReadyWhen) -> Self {
        self.ready_when = rules.clone();
        let used: BTreeSet<&str> = (0..self.objects.len())
            .filter_map(|at| self.rule(at))
            .map(|rule| rule.resource.as_str())
            .collect();
        for rule in rules.rules() {
            if !used.contains(rule.resource.as_str()) {
                tracing::warn!("ready-when: {} is no kind of the set", rule.resource);
            }
        }
        self
    }

    /// The line of its user that says when an object is ready.
    pub fn rule(&self, at: usize) -> Option<&Rule> {
        if self.ready_when.rules().is_empty() {
            return None;
        }
        let plural = self.resource(at).map(|it| it.plural.as_str());
        self.ready_when.of(&self.objects[at].id, plural)
    }

    /// Where the kind of an object is served, unless it comes later and is not there yet.
    pub fn resource(&self, at: usize) -> Option<&Resource> {
        let object = &self.objects[at];
        let late = || self.late.iter().find(|kind| kind.is_of(object))?.resource();
        self.served.of(object).or_else(late)
    }

    /// The path of an object; empty while its kind is not served.
    pub fn path(&self, at: usize) -> &str {
        self.paths[at].get().map_or("", String::as_str)
    }

    /// Notes where an object is, whose kind came later.
    pub(super) fn set_path(&self, at: usize, resource: &Resource) {
        let id = &self.objects[at].id;
        // What is set stays.
        drop(self.paths[at].set(resource.path(id.namespace.as_deref(), Some(&id.name))));
    }

    /// The path of an object, and what of the set decides on its refusals.
    pub fn address(&self, at: usize) -> (&str, &Given) {
        (self.path(at), &self.given[at])
    }

    /// Who each object is.
    pub fn ids(&self) -> impl Iterator<Item = &ObjectId> {
        self.objects.iter().map(|object| &object.id)
    }

    /// Each object with the digest of its content.
    pub fn contents(&self) -> Vec<(ObjectId, String)> {
        let content = |it: &Object| (it.id.clone(), apply::digest(it.body()));
        self.objects.iter().map(content).collect()
    }
}

fn addresses(
    objects: &[Object],
    facts: &[Facts],
    served: &Served,
) -> (Vec<OnceLock<String>>, Vec<Arc<Given>>) {
    let services = objects.iter().filter(|object| object.id.is("", "Service"));
    let outer = Given {
        services: services
            .map(|object| {
                let namespace = object.id.namespace.clone().unwrap_or_default();
                (namespace, object.id.name.clone())
            })
            .collect(),
        defines_kind: false,
    };
    let inner = Arc::new(Given {
        defines_kind: true,
        ..outer.clone()
    });
    let outer = Arc::new(outer);
    let defined: BTreeSet<(&str, &str)> = facts
        .iter()
        .filter_map(|facts| facts.definition.as_ref())
        .map(|it| (it.group.as_str(), it.kind.as_str()))
        .collect();
    let each = |object: &Object| {
        let id = &object.id;
        let Some(resource) = served.of(object) else {
            // The lint refuses all but those whose kinds come later.
            return (OnceLock::new(), inner.clone());
        };
        let path = resource.path(id.namespace.as_deref(), Some(&id.name));
        let is_defined = defined.contains(&(id.group.as_str(), id.kind.as_str()));
        (
            OnceLock::from(path),
            if is_defined { &inner } else { &outer }.clone(),
        )
    };
    objects.iter().map(each).unzip()
}
