//! What the cluster looks like: a copy of the kinds that matter, as data. [`Watches`](crate::cluster::watches) keep one.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

/// Refusals that are further apart have nothing to do with each other.
const IN_A_ROW: Duration = Duration::from_secs(10);
/// A right that is missing for so long is not there.
pub const REFUSED: Duration = Duration::from_secs(10);

/// Objects of one kind by namespace (empty for none) and name.
type Objects = HashMap<(String, String), Arc<Value>>;

/// A copy of some kinds, by group and kind as [`ObjectId::group_kind`](crate::api::ObjectId::group_kind).
#[derive(Debug, Default)]
pub struct View {
    kinds: HashMap<String, Objects>,
    synced: HashSet<String>,
    /// Kinds that the server does not let be seen.
    refused: HashMap<String, Unseen>,
    /// Events of pods that were asked about, by the pod's unique id.
    told: HashMap<String, Vec<Value>>,
    /// Grows with every change.
    pub version: u64,
}

impl View {
    /// One object.
    pub fn get(&self, group_kind: &str, namespace: Option<&str>, name: &str) -> Option<&Value> {
        let key = (namespace.unwrap_or_default().to_owned(), name.to_owned());
        self.kinds.get(group_kind)?.get(&key).map(AsRef::as_ref)
    }

    /// All of a kind.
    pub fn all(&self, group_kind: &str) -> impl Iterator<Item = &Value> {
        let objects = self.kinds.get(group_kind).into_iter().flatten();
        objects.map(|(_, value)| value.as_ref())
    }

    /// Whether a kind was listed in full once.
    pub fn is_synced(&self, group_kind: &str) -> bool {
        self.synced.contains(group_kind)
    }

    /// What the server says of a kind that it does not let be seen.
    pub fn refusal(&self, group_kind: &str) -> Option<&str> {
        self.refused.get(group_kind).map(|it| it.message.as_str())
    }

    /// Notes the events of a pod, in place of those that were noted before.
    pub fn tell(&mut self, uid: &str, events: Vec<Value>) {
        if self.told.get(uid) != Some(&events) {
            self.told.insert(uid.to_owned(), events);
            self.version += 1;
        }
    }

    /// The events of the pods that were asked about.
    pub fn told(&self) -> impl Iterator<Item = &Value> {
        self.told.values().flatten()
    }

    /// Puts one in, or takes the place of an older one.
    pub fn put(&mut self, group_kind: &str, value: Value) {
        let key = key(&value);
        let objects = self.kinds.entry(group_kind.to_owned()).or_default();
        objects.insert(key, Arc::new(value));
        self.version += 1;
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, group_kind: &str, value: &Value) {
        if let Some(objects) = self.kinds.get_mut(group_kind) {
            objects.remove(&key(value));
            self.version += 1;
        }
    }

    /// Takes these for all there are of a kind.
    pub fn replace(&mut self, group_kind: &str, values: Vec<Value>) {
        let objects = values
            .into_iter()
            .map(|value| (key(&value), Arc::new(value)));
        self.kinds.insert(group_kind.to_owned(), objects.collect());
        self.synced.insert(group_kind.to_owned());
        self.version += 1;
    }

    /// Has a kind as another copy has it.
    pub(super) fn take_over(&mut self, group_kind: &str, from: &Self) {
        if let Some(objects) = from.kinds.get(group_kind) {
            self.kinds.insert(group_kind.to_owned(), objects.clone());
        }
        if from.is_synced(group_kind) {
            self.synced.insert(group_kind.to_owned());
        }
        if let Some(unseen) = from.refused.get(group_kind) {
            self.refused.insert(group_kind.to_owned(), unseen.clone());
        }
    }

    /// Notes that the server does not let a kind be seen.
    pub(super) fn refuse(&mut self, group_kind: &str, unseen: Unseen) {
        let earlier = self.refused.get(group_kind);
        let since = earlier
            .filter(|it| it.verb == unseen.verb && it.last.elapsed() < IN_A_ROW)
            .map_or(unseen.since, |it| it.since);
        let unseen = Unseen { since, ..unseen };
        self.refused.insert(group_kind.to_owned(), unseen);
        self.version += 1;
    }

    /// Notes that a kind can be listed; whether it can be watched shows afterwards.
    pub(super) fn is_listed(&mut self, group_kind: &str) {
        let is_past = |it: &Unseen| it.verb == "list" || it.last.elapsed() >= IN_A_ROW;
        if self.refused.get(group_kind).is_some_and(is_past) {
            self.refused.remove(group_kind);
        }
    }

    /// The kinds that the server does not let be seen, by group and kind.
    pub(super) fn unseen(&self) -> impl Iterator<Item = (&String, &Unseen)> {
        self.refused.iter()
    }
}

/// Why a kind cannot be seen.
#[derive(Clone, Debug)]
pub struct Unseen {
    /// `list` or `watch`.
    pub verb: &'static str,
    /// HTTP status.
    pub code: u16,
    /// What the server says.
    pub message: String,
    /// When it said so first of a number of times in a row, and last.
    since: Instant,
    last: Instant,
}

impl Unseen {
    /// A refusal that comes now.
    pub(super) fn new(verb: &'static str, code: u16, message: String) -> Self {
        let now = Instant::now();
        Self {
            verb,
            code,
            message,
            since: now,
            last: now,
        }
    }

    /// Whether the credentials do not suffice, and have not for a while: a server that just started may refuse what it
    /// allows a moment later.
    pub(super) fn is_for_good(&self) -> bool {
        matches!(self.code, 401 | 403) && self.last.duration_since(self.since) >= REFUSED
    }
}

fn key(value: &Value) -> (String, String) {
    let part = |name: &str| {
        let text = value["metadata"][name].as_str();
        text.unwrap_or_default().to_owned()
    };
    (part("namespace"), part("name"))
}
