//! Kinds that come later: asked for until the server has them. Then their objects are sent.

use std::{sync::OnceLock, time::Duration};

use serde_json::Value;
use tokio::time::Instant;

use crate::{
    api::{Resource, list},
    cluster::{
        errors::{Awaited, Class},
        live::{self, Extent},
        request::Refusal,
    },
    deploy::{Answer, Deployment, State, verdict::ABSENT},
    set::{late::Late, objects::Object},
};

/// The pause between two looks.
const LOOK: Duration = Duration::from_secs(2);

/// A kind that the server does not serve yet.
#[derive(Debug)]
pub struct LateKind {
    group: String,
    version: String,
    kind: String,
    /// Its objects in the plan.
    objects: Vec<usize>,
    /// Where it is served, once it is.
    resource: OnceLock<Resource>,
}

impl LateKind {
    /// The kinds of a set that come later.
    pub(super) fn all(objects: &[Object], late: &Late) -> Vec<Self> {
        let mut kinds: Vec<Self> = Vec::new();
        for at in late.keys() {
            let object = &objects[*at];
            let known = kinds.iter_mut().find(|it| it.is_of(object));
            match known {
                Some(kind) => kind.objects.push(*at),
                None => kinds.push(Self {
                    group: object.id.group.clone(),
                    version: object.version.clone(),
                    kind: object.id.kind.clone(),
                    objects: vec![*at],
                    resource: OnceLock::new(),
                }),
            }
        }
        kinds
    }

    pub(super) fn is_of(&self, object: &Object) -> bool {
        self.kind == object.id.kind
            && self.group == object.id.group
            && self.version == object.version
    }

    /// Where it is served, once it is.
    pub(super) fn resource(&self) -> Option<&Resource> {
        self.resource.get()
    }

    fn read(&self, document: &Value) -> Option<Resource> {
        let mut resources = list(&document["resources"]);
        let found = resources.find(|it| {
            it["kind"] == self.kind.as_str()
                && it["name"].as_str().is_some_and(|it| !it.contains('/'))
        })?;
        Some(Resource {
            group: self.group.clone(),
            version: self.version.clone(),
            kind: self.kind.clone(),
            plural: found["name"].as_str()?.to_owned(),
            namespaced: found["namespaced"] == true,
        })
    }
}

/// What is known of when kinds are asked for.
#[derive(Debug)]
pub(super) struct Asked {
    asking: Vec<bool>,
    next: Instant,
}

impl Asked {
    pub(super) fn new(kinds: usize) -> Self {
        Self {
            asking: vec![false; kinds],
            next: Instant::now(),
        }
    }
}

impl Deployment<'_> {
    /// Notes for each object whose kind comes later what it waits for.
    pub(super) fn note_late_kinds(&mut self) {
        for kind in &self.plan.late {
            for at in &kind.objects {
                self.items[*at].refusal = Some(Refusal {
                    class: Class::Missing(Awaited::Definition),
                    code: 404,
                    message: format!(
                        "the cluster does not serve {}/{} {} yet",
                        kind.group, kind.version, kind.kind
                    ),
                    retry_after: None,
                });
            }
        }
    }

    /// Asks for the kinds that are not served yet.
    pub(super) fn ask_late_kinds(&mut self) {
        let now = Instant::now();
        if self.late.next > now {
            return;
        }
        self.late.next = now + LOOK;
        let plan = self.plan;
        for (number, kind) in plan.late.iter().enumerate() {
            if kind.resource().is_some() || std::mem::replace(&mut self.late.asking[number], true) {
                continue;
            }
            let path = format!("/apis/{}/{}", kind.group, kind.version);
            let client = self.client.0.clone();
            self.ask(async move {
                Answer::Kind(number, live::get(&client, &path, Extent::Whole).await)
            });
        }
    }

    /// Takes in what a group and version of a kind serves.
    pub(super) fn take_late_kind(&mut self, number: usize, served: Result<Option<Value>, Refusal>) {
        self.late.asking[number] = false;
        self.pulse
            .note(served.as_ref().err().and_then(Refusal::silence));
        let plan = self.plan;
        let kind = &plan.late[number];
        let document = served.ok().flatten();
        let Some(resource) = document.and_then(|document| kind.read(&document)) else {
            return;
        };
        for at in &kind.objects {
            let id = &plan.objects[*at].id;
            if id.namespace.is_some() == resource.namespaced {
                plan.set_path(*at, &resource);
                self.items[*at].refusal = None;
                continue;
            }
            let message = if resource.namespaced {
                format!(
                    "{} has namespaces: name that of the object in its metadata",
                    kind.kind
                )
            } else {
                format!(
                    "{} has no namespaces: leave that of the object out",
                    kind.kind
                )
            };
            let refusal = Refusal {
                class: Class::Invalid,
                code: 400,
                message,
                retry_after: None,
            };
            self.give_up(*at, refusal);
        }
        tracing::info!("{} is served now", resource.definition());
        // Only this sets it.
        drop(kind.resource.set(resource));
    }

    /// Whether the kind of an object is not served yet.
    pub(super) fn is_of_late_kind(&self, at: usize) -> bool {
        self.plan.path(at).is_empty()
    }

    /// Whether something held has a kind that may still come.
    pub(super) fn a_kind_may_come(&self) -> bool {
        let is_held =
            |at: &usize| self.items[*at].state == State::Held && self.is_of_late_kind(*at);
        let mut kinds = self.plan.late.iter();
        self.moved.elapsed() < ABSENT && kinds.any(|kind| kind.objects.iter().any(is_held))
    }
}
