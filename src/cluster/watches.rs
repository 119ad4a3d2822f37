//! The watches that keep a [`View`] of the cluster.
//!
//! Every change wakes the task that waits for it. A watch that breaks is taken up again by itself, from a new list; meanwhile the
//! copy is old, never empty. A watch may also hang: who must not rely on the copy takes a [snapshot](Watches::snapshot).

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{StreamExt as _, future::try_join_all};
use jiff::Timestamp;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, NotUsed, Object as Slim},
    core::PartialObjectMeta,
    runtime::watcher,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{sync::Notify, task::JoinSet};

use crate::{
    api::Resource,
    cluster::{
        clock::ServerClock,
        live::{self, Extent},
        request::{ClientHandle, Refusal},
        view::{Unseen, View},
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

/// The watches that keep a view; they end with it.
#[derive(Debug)]
pub struct Watches {
    client: ClientHandle,
    view: Arc<Mutex<View>>,
    changed: Arc<Notify>,
    watched: HashMap<String, Resource>,
    /// Kinds that need not be seen.
    optional: HashSet<String>,
    clock: ServerClock,
    tasks: JoinSet<()>,
}

/// A kind that has to be seen, and that the server does not let be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// `list` or `watch`.
    pub verb: &'static str,
    /// The kind as rights name it: `pods`, `deployments.apps`.
    pub resource: String,
    /// What the server says.
    pub message: String,
}

/// A client whose answers begin in time, or which fails: a watch may last, but not its begin.
fn prompt(client: Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request| {
        let client = client.clone();
        async move {
            match tokio::time::timeout(ANSWER, client.send(request)).await {
                Ok(answer) => answer.map_err(tower::BoxError::from),
                Err(_) => Err(tower::BoxError::from(no_answer())),
            }
        }
    });
    Client::new(service, namespace)
}

fn no_answer() -> String {
    format!("no answer within {} s", ANSWER.as_secs())
}

impl Watches {
    /// Watches nothing yet. Each change notifies `changed`.
    pub fn new(client: Client, changed: Arc<Notify>) -> Self {
        let clock = ServerClock::default();
        Self {
            client: ClientHandle(clock.listening(&prompt(client))),
            view: Arc::default(),
            changed,
            watched: HashMap::new(),
            optional: HashSet::new(),
            clock,
            tasks: JoinSet::new(),
        }
    }

    /// The view as it is now.
    pub fn view(&self) -> MutexGuard<'_, View> {
        lock(&self.view)
    }

    /// What time it is at the server.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Keeps a kind in view from now on, as far as the server lets it be seen.
    pub fn keep_if_shown(&mut self, resource: &Resource) {
        let group_kind = resource.group_kind();
        if !self.watched.contains_key(&group_kind) {
            self.keep(resource);
            self.optional.insert(group_kind);
        }
    }

    /// Keeps a kind in view from now on: it has to be seen. To be called once its definition is served.
    pub fn keep(&mut self, resource: &Resource) {
        let group_kind = resource.group_kind();
        self.optional.remove(&group_kind);
        if let Entry::Vacant(new) = self.watched.entry(group_kind) {
            new.insert(resource.clone());
            self.follow(resource, watcher::ListSemantic::Any);
        }
    }

    /// Restarts all watches, each with a new list, since some may hang.
    pub fn renew(&mut self) {
        self.tasks = JoinSet::new();
        for resource in self.watched.clone().values() {
            self.follow(resource, watcher::ListSemantic::MostRecent);
        }
    }

    fn follow(&mut self, resource: &Resource, semantic: watcher::ListSemantic) {
        let group_kind = resource.group_kind();
        let gvk = GroupVersionKind::gvk(&resource.group, &resource.version, &resource.kind);
        let api = ApiResource::from_gvk_with_plural(&gvk, &resource.plural);
        let client = self.client.0.clone();
        let follower = Follower {
            group_kind: group_kind.clone(),
            semantic,
            view: self.view.clone(),
            changed: self.changed.clone(),
        };
        match group_kind.as_str() {
            // Of definitions only what became of them matters; their schemas are megabytes.
            DEFINITIONS => {
                let api = Api::<Slim<NotUsed, Value>>::all_with(client, &api);
                self.tasks.spawn(follower.follow(api));
            }
            // What is in a Secret is nobody's business.
            SECRETS => {
                let api = Api::<PartialObjectMeta<DynamicObject>>::all_with(client, &api);
                self.tasks.spawn(follower.follow(api));
            }
            _ => {
                let api = Api::<DynamicObject>::all_with(client, &api);
                self.tasks.spawn(follower.follow(api));
            }
        }
    }

    /// The first kind, by name, that has to be seen and is not shown for lack of a right.
    pub fn denied(&self) -> Option<Denied> {
        let view = self.view();
        let denied = view.unseen().filter_map(|(group_kind, unseen)| {
            if self.optional.contains(group_kind) || !unseen.is_for_good() {
                return None;
            }
            let resource = self.watched.get(group_kind)?;
            let resource = match resource.group.as_str() {
                "" => resource.plural.clone(),
                group => format!("{}.{group}", resource.plural),
            };
            Some(Denied {
                verb: unseen.verb,
                resource,
                message: unseen.message.clone(),
            })
        });
        denied.min_by(|a, b| a.resource.cmp(&b.resource))
    }

    /// What there is now of all kinds that are kept in view, whatever the watches say; of definitions, which stay what they
    /// have become, what the watches say.
    ///
    /// The copy that the watches keep stays as it is: they may tell of later changes while this is under way.
    ///
    /// # Errors
    /// Why some kind could not be listed.
    pub fn snapshot(&self) -> impl Future<Output = Result<View, String>> + Send + use<> {
        let mut snapshot = View::default();
        snapshot.take_over(DEFINITIONS, &self.view());
        let client = self.client.0.clone();
        let kinds = self.watched.clone().into_iter();
        let optional = self.optional.clone();
        let lists = kinds
            .filter(|(group_kind, _)| group_kind != DEFINITIONS)
            .map(move |(group_kind, resource)| {
                let client = client.clone();
                let is_optional = optional.contains(&group_kind);
                async move {
                    match list(&client, &group_kind, &resource).await {
                        Ok(values) => Ok((group_kind, Ok(values))),
                        Err(refusal) if is_optional && is_refusal(refusal.code) => {
                            let unseen = Unseen::new("list", refusal.code, refusal.message);
                            Ok((group_kind, Err(unseen)))
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
            for (group_kind, values) in listed {
                match values {
                    Ok(values) => snapshot.replace(&group_kind, values),
                    Err(unseen) => snapshot.refuse(&group_kind, unseen),
                }
            }
            Ok(snapshot)
        }
    }
}

fn lock(view: &Mutex<View>) -> MutexGuard<'_, View> {
    view.lock().unwrap_or_else(PoisonError::into_inner)
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

/// What keeps one kind of a view.
struct Follower {
    group_kind: String,
    semantic: watcher::ListSemantic,
    view: Arc<Mutex<View>>,
    changed: Arc<Notify>,
}

impl Follower {
    async fn follow<K>(self, api: Api<K>)
    where
        K: kube::Resource + Clone + Serialize + DeserializeOwned + std::fmt::Debug + Send + 'static,
    {
        let Self {
            group_kind,
            semantic,
            view,
            changed,
        } = self;
        let mut config = watcher::Config::default().timeout(OPEN);
        config.list_semantic = semantic;
        if group_kind == EVENTS {
            config = config.fields(TOLD_EVENTS);
        }
        let mut pause = PAUSE.0;
        loop {
            let mut events = std::pin::pin!(watcher(api.clone(), config.clone()));
            let mut listed = Vec::new();
            while let Some(event) = events.next().await {
                match event {
                    Ok(watcher::Event::Apply(object)) => {
                        lock(&view).put(&group_kind, plain(object));
                    }
                    Ok(watcher::Event::Delete(object)) => {
                        lock(&view).remove(&group_kind, &plain(object));
                    }
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
                        let mut view = lock(&view);
                        view.replace(&group_kind, std::mem::take(&mut listed));
                        view.is_listed(&group_kind);
                    }
                    Err(error) => {
                        tracing::debug!("watching {group_kind}: {error}");
                        if let Some(unseen) = unseen(&error) {
                            lock(&view).refuse(&group_kind, unseen);
                            changed.notify_one();
                        }
                        break;
                    }
                }
                changed.notify_one();
            }
            wait::pause(pause.mul_f64(0.5 + 0.5 * rand::random::<f64>())).await;
            pause = (pause * 2).min(PAUSE.1);
            // The server's own copy will do for a begin, but not after a break: it may be older than what was seen before.
            config.list_semantic = watcher::ListSemantic::MostRecent;
        }
    }
}

/// What the server says that does not let a kind be listed or watched: the right is missing, or the kind has no such verb.
fn unseen(error: &watcher::Error) -> Option<Unseen> {
    let (verb, error) = match error {
        watcher::Error::InitialListFailed(error) => ("list", error),
        watcher::Error::WatchStartFailed(error) => ("watch", error),
        _ => return None,
    };
    match error {
        kube::Error::Api(status) if is_refusal(status.code) => {
            Some(Unseen::new(verb, status.code, status.message.clone()))
        }
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
