//! What the cluster looks like now: a copy of the kinds that matter, kept by watches.
//!
//! Whoever looks is woken by every change. A watch that breaks is taken up again by itself; meanwhile the copy is old,
//! never empty, and says so. Who must not rely on an old copy has it taken [anew](Watches::anew).

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{StreamExt as _, future::try_join_all};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, NotUsed, Object as Slim},
    core::PartialObjectMeta,
    runtime::watcher,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{sync::Notify, task::JoinSet, time::Instant};

use crate::{
    api::Resource,
    cluster::{
        live::{self, Extent},
        request::{ClientHandle, Refusal},
    },
    wait,
};

/// An answer begins within so long, or it is none.
const ANSWER: Duration = Duration::from_secs(35);
/// So long the server keeps one request to watch open, in seconds: a connection that died in silence is found out soon.
const OPEN: u32 = 60;
/// The pause after a watch broke, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(3));

const DEFINITIONS: &str = "CustomResourceDefinition.apiextensions.k8s.io";
const SECRETS: &str = "Secret.";
const EVENTS: &str = "Event.";
/// Of all events only those of pods that could not be made.
const TOLD_EVENTS: &str = "reason=FailedCreate";
/// The same as a part of a query.
const LISTED_EVENTS: &str = "&fieldSelector=reason%3DFailedCreate";

/// Objects of one kind by namespace (empty for none) and name.
type Objects = HashMap<(String, String), Arc<Value>>;

/// A copy of some kinds, by group and kind as [`ObjectId::group_kind`](crate::api::ObjectId::group_kind).
#[derive(Debug, Default)]
pub struct View {
    kinds: HashMap<String, Objects>,
    synced: HashSet<String>,
    /// Kinds whose watch broke, and when.
    broken: HashMap<String, Instant>,
    /// Kinds that the server does not let be seen, and what it says.
    refused: HashMap<String, String>,
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
        self.refused.get(group_kind).map(String::as_str)
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

    /// Takes these for all there are of a kind.
    pub fn replace(&mut self, group_kind: &str, values: Vec<Value>) {
        let objects = values
            .into_iter()
            .map(|value| (key(&value), Arc::new(value)));
        self.kinds.insert(group_kind.to_owned(), objects.collect());
        self.synced.insert(group_kind.to_owned());
        self.version += 1;
    }

    /// Since when some kind is not watched any more; what is known of it is at least as old.
    pub fn old_since(&self) -> Option<Instant> {
        self.broken.values().min().copied()
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
    client: ClientHandle,
    view: Arc<Mutex<View>>,
    changed: Arc<Notify>,
    watched: HashMap<String, Resource>,
    /// Kinds that need not be seen: one that the server does not show is none of a copy that is taken anew.
    optional: HashSet<String>,
    tasks: JoinSet<()>,
}

/// A client whose answers begin in time, or which fails: a watch may last, but not its begin.
fn prompt(client: Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request| {
        let client = client.clone();
        async move {
            match tokio::time::timeout(ANSWER, client.send(request)).await {
                Ok(answer) => answer.map_err(tower::BoxError::from),
                Err(_) => Err(no_answer().into()),
            }
        }
    });
    Client::new(service, namespace)
}

fn no_answer() -> String {
    format!("no answer within {} s", ANSWER.as_secs())
}

impl Watches {
    /// A view of nothing as yet; `changed` is told of each change.
    pub fn new(client: Client, changed: Arc<Notify>) -> Self {
        Self {
            client: ClientHandle(prompt(client)),
            view: Arc::default(),
            changed,
            watched: HashMap::new(),
            optional: HashSet::new(),
            tasks: JoinSet::new(),
        }
    }

    /// The view as it is now.
    pub fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a kind in view from now on, as far as the server lets it be seen.
    pub fn keep_if_shown(&mut self, resource: &Resource) {
        let group_kind = resource.group_kind();
        if !self.watched.contains_key(&group_kind) {
            self.optional.insert(group_kind);
            self.keep(resource);
        }
    }

    /// Keeps a kind in view from now on. To be called once its definition is served.
    pub fn keep(&mut self, resource: &Resource) {
        let group_kind = resource.group_kind();
        if self.watched.contains_key(&group_kind) {
            return;
        }
        let gvk = GroupVersionKind::gvk(&resource.group, &resource.version, &resource.kind);
        let api = ApiResource::from_gvk_with_plural(&gvk, &resource.plural);
        self.watched.insert(group_kind.clone(), resource.clone());
        let (client, view, changed) = (
            self.client.0.clone(),
            self.view.clone(),
            self.changed.clone(),
        );
        match group_kind.as_str() {
            // Of definitions only what became of them matters; their schemas are megabytes.
            DEFINITIONS => {
                let api = Api::<Slim<NotUsed, Value>>::all_with(client, &api);
                self.tasks.spawn(follow(api, group_kind, view, changed));
            }
            // What is in a Secret is nobody's business.
            SECRETS => {
                let api = Api::<PartialObjectMeta<DynamicObject>>::all_with(client, &api);
                self.tasks.spawn(follow(api, group_kind, view, changed));
            }
            _ => {
                let api = Api::<DynamicObject>::all_with(client, &api);
                self.tasks.spawn(follow(api, group_kind, view, changed));
            }
        }
    }

    /// Takes the copy anew, whatever the watches say: all kinds but definitions, which stay what they have become.
    ///
    /// # Errors
    /// Why some kind could not be listed; the copy is then what it was.
    pub fn anew(&self) -> impl Future<Output = Result<(), String>> + Send + use<> {
        let (client, view) = (self.client.0.clone(), self.view.clone());
        let kinds = self.watched.clone().into_iter();
        let optional = self.optional.clone();
        let lists = kinds
            .filter(|(group_kind, _)| group_kind != DEFINITIONS)
            .map(move |(group_kind, resource)| {
                let client = client.clone();
                let is_optional = optional.contains(&group_kind);
                async move {
                    match list(&client, &group_kind, &resource).await {
                        Ok(values) => Ok((group_kind, values)),
                        Err(refusal) if is_optional && is_refusal(refusal.code) => {
                            Ok((group_kind, Vec::new()))
                        }
                        Err(refusal) => Err(format!("listing {group_kind}: {}", refusal.message)),
                    }
                }
            });
        let lists = try_join_all(lists.collect::<Vec<_>>());
        async move {
            let listed = tokio::time::timeout(ANSWER, lists)
                .await
                .map_err(|_| no_answer())??;
            let mut view = view.lock().unwrap_or_else(PoisonError::into_inner);
            for (group_kind, values) in listed {
                view.replace(&group_kind, values);
            }
            Ok(())
        }
    }
}

async fn list(
    client: &Client,
    group_kind: &str,
    resource: &Resource,
) -> Result<Vec<Value>, Refusal> {
    let (query, extent) = match group_kind {
        EVENTS => (LISTED_EVENTS, Extent::Whole),
        SECRETS => ("", Extent::Metadata),
        _ => ("", Extent::Whole),
    };
    let mut values = live::pages(client, &resource.path(None, None), query, extent).await?;
    for value in &mut values {
        if let Some(metadata) = value["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
    }
    Ok(values)
}

async fn follow<K>(api: Api<K>, group_kind: String, view: Arc<Mutex<View>>, changed: Arc<Notify>)
where
    K: kube::Resource + Clone + Serialize + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    // The server's own copy will do for a begin, but not after a break: it may be older than what was seen before.
    let mut config = watcher::Config::default().any_semantic().timeout(OPEN);
    if group_kind == EVENTS {
        config = config.fields(TOLD_EVENTS);
    }
    let mut pause = PAUSE.0;
    loop {
        let mut events = std::pin::pin!(watcher(api.clone(), config.clone()));
        let mut listed = Vec::new();
        while let Some(event) = events.next().await {
            let lock = || view.lock().unwrap_or_else(PoisonError::into_inner);
            match event {
                Ok(watcher::Event::Apply(object)) => lock().put(&group_kind, plain(object)),
                Ok(watcher::Event::Delete(object)) => lock().remove(&group_kind, &plain(object)),
                Ok(watcher::Event::Init) => {
                    listed.clear();
                    continue;
                }
                Ok(watcher::Event::InitApply(object)) => {
                    listed.push(plain(object));
                    continue;
                }
                Ok(watcher::Event::InitDone) => {
                    pause = PAUSE.0;
                    let mut view = lock();
                    view.replace(&group_kind, std::mem::take(&mut listed));
                    view.broken.remove(&group_kind);
                    view.refused.remove(&group_kind);
                }
                Err(error) => {
                    tracing::debug!("watching {group_kind}: {error}");
                    let mut view = lock();
                    if let Some(refusal) = refusal(&error) {
                        view.refused.insert(group_kind.clone(), refusal);
                        view.version += 1;
                        changed.notify_one();
                    }
                    view.broken
                        .entry(group_kind.clone())
                        .or_insert_with(Instant::now);
                    break;
                }
            }
            changed.notify_one();
        }
        wait::pause(pause.mul_f64(0.5 + 0.5 * rand::random::<f64>())).await;
        pause = (pause * 2).min(PAUSE.1);
        config.list_semantic = watcher::ListSemantic::MostRecent;
    }
}

/// What the server says that does not let a kind be listed or watched: the right is missing, or the kind has no such verb.
fn refusal(error: &watcher::Error) -> Option<String> {
    let (watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) =
        error
    else {
        return None;
    };
    match error {
        kube::Error::Api(status) if is_refusal(status.code) => Some(status.message.clone()),
        _ => None,
    }
}

const fn is_refusal(code: u16) -> bool {
    matches!(code, 401 | 403 | 404 | 405)
}

fn plain<K: kube::Resource + Serialize>(mut object: K) -> Value {
    object.meta_mut().managed_fields = None;
    serde_json::to_value(object).unwrap_or_default()
}
