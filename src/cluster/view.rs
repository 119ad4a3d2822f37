//! What the cluster looks like now: a copy of the kinds that matter, kept by watches.
//!
//! Whoever looks is woken by every change. A watch that breaks is taken up again by itself; meanwhile the copy is old,
//! never empty.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::StreamExt as _;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, NotUsed, Object as Slim},
    runtime::{WatchStreamExt as _, watcher},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{sync::Notify, task::JoinSet};

use crate::cluster::served::Resource;

/// Objects of one kind by namespace (empty for none) and name.
type Objects = HashMap<(String, String), Arc<Value>>;

/// A copy of some kinds, by group and kind as [`ObjectId::group_kind`](crate::cluster::objects::ObjectId::group_kind).
#[derive(Debug, Default)]
pub struct View {
    kinds: HashMap<String, Objects>,
    synced: HashSet<String>,
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

    /// Puts one in, or takes the place of an older one.
    pub fn put(&mut self, group_kind: &str, value: Value) {
        let key = key(&value);
        let objects = self.kinds.entry(group_kind.to_owned()).or_default();
        objects.insert(key, Arc::new(value));
        self.version += 1;
    }

    fn remove(&mut self, group_kind: &str, value: &Value) {
        if let Some(objects) = self.kinds.get_mut(group_kind) {
            objects.remove(&key(value));
            self.version += 1;
        }
    }

    fn replace(&mut self, group_kind: &str, values: Vec<Value>) {
        let objects = values
            .into_iter()
            .map(|value| (key(&value), Arc::new(value)));
        self.kinds.insert(group_kind.to_owned(), objects.collect());
        self.synced.insert(group_kind.to_owned());
        self.version += 1;
    }
}

fn key(value: &Value) -> (String, String) {
    let part = |name: &str| {
        let text = value["metadata"][name].as_str();
        text.unwrap_or_default().to_owned()
    };
    (part("namespace"), part("name"))
}

/// The watches that keep a view; they end with it.
#[derive(Debug)]
pub struct Watches {
    client: Client2,
    view: Arc<Mutex<View>>,
    changed: Arc<Notify>,
    watched: HashSet<String>,
    tasks: JoinSet<()>,
}

/// A client that can be shown.
struct Client2(Client);

impl std::fmt::Debug for Client2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("client")
    }
}

impl Watches {
    /// A view of nothing as yet; `changed` is told of each change.
    pub fn new(client: Client, changed: Arc<Notify>) -> Self {
        Self {
            client: Client2(client),
            view: Arc::default(),
            changed,
            watched: HashSet::new(),
            tasks: JoinSet::new(),
        }
    }

    /// The view as it is now.
    pub fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a kind in view from now on. To be called once its definition is served.
    pub fn keep(&mut self, resource: &Resource) {
        let group_kind = format!("{}.{}", resource.kind, resource.group);
        if !self.watched.insert(group_kind.clone()) {
            return;
        }
        let gvk = GroupVersionKind::gvk(&resource.group, &resource.version, &resource.kind);
        let api = ApiResource::from_gvk_with_plural(&gvk, &resource.plural);
        let (client, view, changed) = (
            self.client.0.clone(),
            self.view.clone(),
            self.changed.clone(),
        );
        // Of definitions only what became of them matters; their schemas are megabytes.
        if group_kind == "CustomResourceDefinition.apiextensions.k8s.io" {
            let api = Api::<Slim<NotUsed, Value>>::all_with(client, &api);
            self.tasks.spawn(follow(api, group_kind, view, changed));
        } else {
            let api = Api::<DynamicObject>::all_with(client, &api);
            self.tasks.spawn(follow(api, group_kind, view, changed));
        }
    }
}

async fn follow<K>(api: Api<K>, group_kind: String, view: Arc<Mutex<View>>, changed: Arc<Notify>)
where
    K: kube::Resource + Clone + Serialize + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let events = watcher(api, watcher::Config::default().any_semantic()).default_backoff();
    let mut events = std::pin::pin!(events);
    let mut listed = Vec::new();
    while let Some(event) = events.next().await {
        let lock = || view.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Ok(watcher::Event::Apply(object)) => lock().put(&group_kind, plain(object)),
            Ok(watcher::Event::Delete(object)) => lock().remove(&group_kind, &plain(object)),
            Ok(watcher::Event::Init) => listed.clear(),
            Ok(watcher::Event::InitApply(object)) => listed.push(plain(object)),
            Ok(watcher::Event::InitDone) => {
                lock().replace(&group_kind, std::mem::take(&mut listed));
            }
            Err(error) => {
                tracing::debug!("watching {group_kind}: {error}");
                continue;
            }
        }
        changed.notify_one();
    }
}

fn plain<K: kube::Resource + Serialize>(mut object: K) -> Value {
    object.meta_mut().managed_fields = None;
    serde_json::to_value(object).unwrap_or_default()
}
