//! What earlier deploys sent to a cluster: kept in the cluster itself, so that the next one, from wherever, can tell what
//! has left the set, and what nobody has changed since.
//!
//! Config maps hold one line an object. An object is written down before it is sent and struck out after it is gone, so a
//! process that dies in between forgets nothing. Every map can be written on its own: a line stays where it is.

mod lines;

use std::collections::{BTreeMap, HashSet, btree_map::Entry};

use kube::Client;
use serde_json::{Value, json};

use crate::{
    api::ObjectId,
    cluster::{
        errors::Class,
        live::{self, Extent},
        request::{MANAGER, Refusal},
    },
    limits::Deadline,
    report::{Exit, Explain},
};

pub use lines::Sent;

/// Where the maps are: the one namespace that no cluster lacks and nobody deletes.
const NAMESPACE: &str = "default";
const LABEL: &str = "manifests-e2e/inventory";
/// A config map holds 1 MiB; a line takes up to 700 bytes.
const LINES: usize = 1400;
/// How often it is tried again where another deploy writes to the same inventory.
const ROUNDS: usize = 5;

/// Why an inventory cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} the inventory `{name}` in namespace {NAMESPACE}: {}", refusal.message)]
pub struct InventoryError {
    verb: &'static str,
    name: String,
    /// What the server said.
    pub refusal: Refusal,
}

impl InventoryError {
    /// Whether it is a right that is missing: a deploy can do without an inventory.
    pub fn is_forbidden(&self) -> bool {
        matches!(self.refusal.class, Class::Forbidden | Class::Denied)
    }
}

impl Explain for InventoryError {
    fn exit(&self) -> Exit {
        Exit::Infrastructure
    }

    fn hint(&self) -> Option<String> {
        let text = if self.is_forbidden() {
            "prune needs the right to read and write config maps in that namespace"
        } else if self.refusal.code == 409 {
            "another deploy writes to it: give each set on a cluster an inventory of its own"
        } else {
            "is the cluster still up?"
        };
        Some(text.to_owned())
    }
}

/// The objects of all other inventories of a cluster, each with the name of one that has it.
pub type Elsewhere = BTreeMap<ObjectId, String>;

/// What earlier deploys sent under one name.
#[derive(Debug)]
pub struct Inventory {
    name: String,
    objects: BTreeMap<ObjectId, Line>,
    maps: BTreeMap<usize, Map>,
    /// How many lines were ever put into each map.
    used: BTreeMap<usize, usize>,
    need: Necessity,
}

/// What an inventory is to a deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Necessity {
    /// It fails without.
    Must,
    /// It goes on without, where the right to keep one is missing.
    May,
    /// It goes on without.
    Without,
}

#[derive(Clone, Debug)]
struct Line {
    /// In which map it is.
    map: usize,
    sent: Sent,
}

/// A config map as it was read or written last.
#[derive(Clone, Debug)]
struct Map {
    version: String,
    text: String,
}

impl Inventory {
    /// Reads what is there; an inventory that was never written is empty.
    ///
    /// # Errors
    /// [`InventoryError`].
    pub async fn read(
        client: &Client,
        name: &str,
        need: Necessity,
        deadline: Deadline,
    ) -> Result<Self, InventoryError> {
        let mut inventory = Self {
            name: name.to_owned(),
            objects: BTreeMap::new(),
            maps: BTreeMap::new(),
            used: BTreeMap::new(),
            need,
        };
        match inventory.stored(client, deadline).await {
            Ok(maps) => inventory.load(&maps),
            Err(refusal) => inventory.failed("read", refusal)?,
        }
        Ok(inventory)
    }

    /// What the other inventories of the cluster hold: what one of them still deploys is not ours alone to remove.
    ///
    /// # Errors
    /// [`InventoryError`].
    pub async fn elsewhere(
        &self,
        client: &Client,
        deadline: Deadline,
    ) -> Result<Elsewhere, InventoryError> {
        let others = format!("{LABEL},{LABEL}!={}", self.name);
        let maps = selected(client, &others, deadline).await;
        let maps = maps.map_err(|refusal| InventoryError {
            verb: "look beside",
            name: self.name.clone(),
            refusal,
        })?;
        let mut elsewhere = Elsewhere::new();
        for map in &maps {
            let name = map["metadata"]["labels"][LABEL]
                .as_str()
                .unwrap_or_default();
            let lines = map["data"]["objects"].as_str().unwrap_or_default().lines();
            let ids = lines.filter_map(|line| Some(lines::read(line)?.0));
            elsewhere.extend(ids.map(|id| (id, name.to_owned())));
        }
        Ok(elsewhere)
    }

    async fn stored(&self, client: &Client, deadline: Deadline) -> Result<Vec<Value>, Refusal> {
        selected(client, &format!("{LABEL}={}", self.name), deadline).await
    }

    /// Without the right to keep an inventory a deploy that removes nothing goes on.
    fn failed(&mut self, verb: &'static str, refusal: Refusal) -> Result<(), InventoryError> {
        let error = InventoryError {
            verb,
            name: self.name.clone(),
            refusal,
        };
        if self.need == Necessity::Must || !error.is_forbidden() {
            return Err(error);
        }
        tracing::warn!("{error}; a later prune will not know of this deploy");
        self.need = Necessity::Without;
        Ok(())
    }

    fn load(&mut self, maps: &[Value]) {
        self.objects.clear();
        self.maps.clear();
        self.used.clear();
        for map in maps {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let called = text(&map["metadata"]["name"]);
            let number = called.rsplit('.').next().and_then(|it| it.parse().ok());
            let Some(number) = number else {
                tracing::warn!("config map {called} is no part of an inventory; it is left alone");
                continue;
            };
            let lines = text(&map["data"]["objects"]);
            for line in lines.lines() {
                match lines::read(line) {
                    Some((id, sent)) => self.take(id, sent, number),
                    None => {
                        tracing::warn!("config map {called} has a line that says nothing: {line}");
                    }
                }
            }
            self.maps.insert(
                number,
                Map {
                    version: text(&map["metadata"]["resourceVersion"]),
                    text: lines,
                },
            );
        }
    }

    fn take(&mut self, id: ObjectId, sent: Sent, map: usize) {
        *self.used.entry(map).or_default() += 1;
        match self.objects.entry(id) {
            Entry::Vacant(entry) => {
                entry.insert(Line { map, sent });
            }
            // Two that differ: who knows which of them is old.
            Entry::Occupied(mut entry) if entry.get().sent != sent => {
                entry.get_mut().sent = Sent::default();
            }
            Entry::Occupied(_) => {}
        }
    }

    /// What was sent of an object.
    pub fn sent(&self, id: &ObjectId) -> Option<&Sent> {
        self.objects.get(id).map(|line| &line.sent)
    }

    /// What was sent and is not in this set.
    pub fn left<'a>(&self, set: impl IntoIterator<Item = &'a ObjectId>) -> Vec<(ObjectId, Sent)> {
        let set: HashSet<&ObjectId> = set.into_iter().collect();
        let left = self.objects.iter().filter(|(id, _)| !set.contains(id));
        left.map(|(id, line)| (id.clone(), line.sent.clone()))
            .collect()
    }

    /// Writes down what is about to be sent: each object with the digest of its content. Nothing is struck out.
    ///
    /// # Errors
    /// [`InventoryError`].
    pub async fn intend(
        &mut self,
        client: &Client,
        set: &[(ObjectId, String)],
        deadline: Deadline,
    ) -> Result<(), InventoryError> {
        let change = |inventory: &mut Self| {
            for (id, content) in set {
                let line = inventory.line(id);
                // What is sent anew says nothing of what was sent before.
                if line.sent.content != *content {
                    line.sent = Sent::default();
                }
            }
        };
        self.write(client, &change, deadline).await
    }

    /// Writes down what was accepted, and strikes out what is gone.
    ///
    /// # Errors
    /// [`InventoryError`].
    pub async fn note(
        &mut self,
        client: &Client,
        accepted: &[(ObjectId, Sent)],
        gone: &[ObjectId],
        deadline: Deadline,
    ) -> Result<(), InventoryError> {
        let change = |inventory: &mut Self| {
            for (id, sent) in accepted {
                inventory.line(id).sent = sent.clone();
            }
            for id in gone {
                inventory.objects.remove(id);
            }
        };
        self.write(client, &change, deadline).await
    }

    /// The line of an object: as it is, or a new one where there is room.
    fn line(&mut self, id: &ObjectId) -> &mut Line {
        if !self.objects.contains_key(id) {
            let (last, count) = self.used.last_key_value().unwrap_or((&0, &0));
            let map = last + usize::from(*count >= LINES);
            *self.used.entry(map).or_default() += 1;
            let sent = Sent::default();
            self.objects.insert(id.clone(), Line { map, sent });
        }
        self.objects.get_mut(id).expect("it was put in")
    }

    /// Writes every map that the change made another; begins anew where somebody else wrote meanwhile.
    async fn write(
        &mut self,
        client: &Client,
        change: &impl Fn(&mut Self),
        deadline: Deadline,
    ) -> Result<(), InventoryError> {
        for round in 1.. {
            if self.need == Necessity::Without {
                return Ok(());
            }
            change(self);
            match self.write_maps(client, deadline).await {
                Ok(()) => return Ok(()),
                Err(refusal) if refusal.code == 409 && round < ROUNDS => {
                    match self.stored(client, deadline).await {
                        Ok(maps) => self.load(&maps),
                        Err(refusal) => self.failed("read", refusal)?,
                    }
                }
                Err(refusal) => self.failed("write", refusal)?,
            }
        }
        unreachable!("the last round returns")
    }

    async fn write_maps(&mut self, client: &Client, deadline: Deadline) -> Result<(), Refusal> {
        let mut texts: BTreeMap<usize, String> = BTreeMap::new();
        for number in self.maps.keys() {
            texts.insert(*number, String::new());
        }
        for (id, line) in &self.objects {
            let text = texts.entry(line.map).or_default();
            lines::write(text, id, &line.sent);
        }
        for (number, text) in texts {
            let known = self.maps.get(&number);
            if known.map_or("", |map| map.text.as_str()) == text {
                continue;
            }
            let is_new = known.is_none();
            let map = self.config_map(number, &text, known);
            let path = if is_new {
                collection()
            } else {
                format!("{}/{}", collection(), self.called(number))
            };
            let attempt = || live::put(client, &path, &map, is_new);
            let stored = live::steadily("the inventory", deadline, attempt).await?;
            let version = stored["metadata"]["resourceVersion"].as_str();
            let version = version.unwrap_or_default().to_owned();
            self.maps.insert(number, Map { version, text });
        }
        Ok(())
    }

    fn called(&self, number: usize) -> String {
        format!("{MANAGER}-inventory.{}.{number}", self.name)
    }

    fn config_map(&self, number: usize, text: &str, known: Option<&Map>) -> Value {
        let mut map = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": self.called(number),
                "namespace": NAMESPACE,
                "labels": {LABEL: self.name, "app.kubernetes.io/managed-by": MANAGER},
            },
            "data": {"objects": text},
        });
        if let Some(known) = known {
            map["metadata"]["resourceVersion"] = known.version.clone().into();
        }
        map
    }
}

/// The config maps that a selector of labels chooses.
async fn selected(
    client: &Client,
    selector: &str,
    deadline: Deadline,
) -> Result<Vec<Value>, Refusal> {
    let encoded: String = url::form_urlencoded::byte_serialize(selector.as_bytes()).collect();
    let (path, query) = (collection(), format!("&labelSelector={encoded}"));
    let attempt = || live::pages(client, &path, &query, Extent::Whole);
    live::steadily("the inventory", deadline, attempt).await
}

fn collection() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/configmaps")
}

#[cfg(test)]
mod tests;
