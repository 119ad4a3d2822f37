//! The objects of some manifests as a cluster has them.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use kube::Client;
use serde_json::Value;

use crate::{
    api::Resource,
    cli::StatusArgs,
    cluster::{
        self,
        clock::ServerClock,
        discover::discover,
        live::{self, Extent},
        request::Refusal,
        view::View,
    },
    inputs::Environment,
    limits::Deadline,
    ready::{self, ClusterView, NO_STATUS, ReadyWhen, SILENCE, StatusSchema, Verdict},
    record::Store,
    report::{Exit, Failure, Leftover},
    set::{
        build::{self, Source},
        lint,
        objects::Object,
        prepare::prepare,
        served::{Definition, Served},
    },
    status::{self, ObjectStatus},
    tools,
    wait::{self, Every, Status, WaitError},
};

/// How many kinds are listed at once.
const AT_ONCE: usize = 8;
/// The pause between two looks.
const LOOK: Every<'_> = Every::secs(2);

/// Looks at the objects once, or until all are ready.
pub(super) async fn look(
    args: &StatusArgs,
    rules: &ReadyWhen,
    kubeconfig: &Path,
    env: &Environment,
) -> Result<Vec<ObjectStatus>, Failure> {
    let deadline = Deadline::after(args.timeout);
    let store = Store::open(env, None)?;
    let objects = objects(&args.paths, env, &store, deadline).await?;
    let connected = cluster::connect(Some(kubeconfig), env, &store, deadline).await?;
    // Ages are the server's: the clock of this machine may be another.
    let clock = ServerClock::default();
    let client = &clock.listening(&connected.client);
    let needed = BTreeSet::new();
    let discovered = discover(client, &needed, &BTreeSet::new()).await?;
    let mut served: Served = discovered.resources.into_iter().collect();
    let mut objects = objects;
    for object in &objects {
        if object
            .id
            .is("apiextensions.k8s.io", "CustomResourceDefinition")
            && let Some(definition) = Definition::of(&object.value())
        {
            served.define(&definition);
        }
    }
    lint::settle(&mut objects, &served, client.default_namespace());
    let eye = Eye {
        client,
        clock: &clock,
        served: &served,
        objects: &objects,
        rules,
        schemas: Mutex::default(),
    };
    if !args.watch {
        return eye.look().await;
    }
    let last: Mutex<Vec<ObjectStatus>> = Mutex::default();
    let keep = |all: &[ObjectStatus]| {
        if let Ok(mut last) = last.lock() {
            tell(&last, all);
            *last = all.to_vec();
        }
    };
    let looking = || async {
        let all = eye.look().await?;
        keep(&all);
        let open = all.iter().filter(|it| !it.state.is_ready()).count();
        Ok::<_, Failure>(match open {
            0 => Status::Ready(all),
            open => Status::NotYet(format!("{open} of {} are not ready", all.len())),
        })
    };
    match wait::until("everything to be ready", deadline, LOOK, looking).await {
        Ok(all) => Ok(all),
        Err(WaitError::Failed(failure)) => Err(failure),
        Err(WaitError::TimedOut { last: said, .. }) => {
            let last = last.into_inner().unwrap_or_default();
            if last.is_empty() {
                return Err(Failure::new(Exit::TimeLimit, format!("timed out: {said}")));
            }
            Ok(last)
        }
    }
}

/// Says what has changed since the last look, a line each.
fn tell(before: &[ObjectStatus], now: &[ObjectStatus]) {
    for (at, one) in now.iter().enumerate() {
        let old = before.get(at);
        let same = old.is_some_and(|old| old.state == one.state && old.why == one.why);
        if !same {
            let why = if one.why.is_empty() { "" } else { ": " };
            tracing::warn!("{} is {}{why}{}", one.object, one.state.state(), one.why);
        }
    }
}

/// The objects of the manifests: what kustomize builds, and what files and bundles hold.
async fn objects(
    paths: &[PathBuf],
    env: &Environment,
    store: &Store,
    deadline: Deadline,
) -> Result<Vec<Object>, Failure> {
    let is_tree = |path: &Path| {
        ["kustomization.yaml", "kustomization.yml", "Kustomization"]
            .iter()
            .any(|name| path.join(name).is_file())
    };
    let mut objects = Vec::new();
    for path in paths {
        if is_tree(path) {
            let kustomize = tools::kustomize(env, store, None, deadline).await?;
            let source = (path.display().to_string(), Source::Directory(path.clone()));
            let rendered = build::render(&[source], &kustomize, env, deadline).await?;
            objects.extend(rendered.objects);
            continue;
        }
        for found in status::read(std::slice::from_ref(path))? {
            let text = found.value.to_string();
            let mut read = crate::set::objects::read(&found.source, &text)?;
            for object in &mut read {
                object.source.clone_from(&found.source);
            }
            objects.extend(read);
        }
    }
    objects.iter_mut().for_each(prepare);
    Ok(objects)
}

/// What looks at a cluster.
struct Eye<'a> {
    client: &'a Client,
    clock: &'a ServerClock,
    served: &'a Served,
    objects: &'a [Object],
    rules: &'a ReadyWhen,
    /// What the definitions say of the statuses of kinds.
    schemas: Mutex<HashMap<String, StatusSchema>>,
}

impl Eye<'_> {
    /// Lists what is needed, and judges each object by it.
    async fn look(&self) -> Result<Vec<ObjectStatus>, Failure> {
        let mut view = View::default();
        let lists = stream::iter(self.kinds()).map(|(resource, extent)| async move {
            let path = resource.path(None, None);
            let listed = live::pages(self.client, &path, "", extent).await;
            let group_kind = resource.group_kind();
            listed
                .map(|values| (group_kind, values))
                .map_err(|refusal| unlisted(&resource, &refusal))
        });
        let lists = lists.buffer_unordered(AT_ONCE);
        let lists: Vec<(String, Vec<Value>)> = lists.try_collect().await?;
        for (group_kind, values) in lists {
            view.replace(&group_kind, values);
        }
        self.learn_schemas(&view).await;
        let cluster = ClusterView::new(&view, self.clock.now());
        Ok(self
            .objects
            .iter()
            .map(|object| self.judge(object, &cluster))
            .collect())
    }

    fn plural(&self, object: &Object) -> Option<&str> {
        self.served.of(object).map(|it| it.plural.as_str())
    }

    /// The kinds that have to be listed, and how much of each.
    fn kinds(&self) -> Vec<(Resource, Extent)> {
        let mut kinds: HashMap<String, (Resource, Extent)> = HashMap::new();
        let mut add = |resource: &Resource, extent: Extent| {
            let known = kinds
                .entry(resource.group_kind())
                .or_insert_with(|| (resource.clone(), extent));
            if extent == Extent::Whole {
                known.1 = extent;
            }
        };
        for object in self.objects {
            let id = &object.id;
            let rule = self.rules.of(id, self.plural(object));
            // What is in a Secret is nobody's business.
            let is_whole = ready::is_told(id, rule) && !id.is("", "Secret");
            let extent = if is_whole {
                Extent::Whole
            } else {
                Extent::Metadata
            };
            if let Some(resource) = self.served.of(object) {
                add(resource, extent);
            }
            for (group, kind) in ready::also_needs(id) {
                let extent = if (*group, *kind) == ("", "Secret") {
                    Extent::Metadata
                } else {
                    Extent::Whole
                };
                if let Some(resource) = self.served.preferred(group, kind) {
                    add(resource, extent);
                }
            }
        }
        kinds.into_values().collect()
    }

    /// Asks for the definitions of the kinds that only the general rule knows.
    async fn learn_schemas(&self, view: &View) {
        for object in self.objects {
            let (id, group_kind) = (&object.id, object.id.group_kind());
            let known = |schemas: &HashMap<String, StatusSchema>| schemas.contains_key(&group_kind);
            let is_known = self.schemas.lock().is_ok_and(|schemas| known(&schemas));
            let live = view.get(&group_kind, id.namespace.as_deref(), &id.name);
            let rule = self.rules.of(id, self.plural(object));
            if is_known || live.is_none() || !ready::is_generic(id, rule) {
                continue;
            }
            let Some(resource) = self.served.of(object) else {
                continue;
            };
            if let Ok(definition) = live::definition(self.client, resource).await {
                let schema = definition.map_or_else(StatusSchema::default, |it| {
                    StatusSchema::of(&it, &object.version)
                });
                if let Ok(mut schemas) = self.schemas.lock() {
                    schemas.insert(group_kind, schema);
                }
            }
        }
    }

    fn judge(&self, object: &Object, cluster: &ClusterView<'_>) -> ObjectStatus {
        let id = &object.id;
        let status = |verdict| ObjectStatus::of(id, &object.source, verdict);
        if self.served.of(object).is_none() {
            let what = format!("the cluster serves no {} {}", object.api_version(), id.kind);
            return status(Verdict::Failed(what.into()));
        }
        let group_kind = id.group_kind();
        let Some(live) = cluster
            .view
            .get(&group_kind, id.namespace.as_deref(), &id.name)
        else {
            return status(Verdict::Waiting("the cluster does not have it".into()));
        };
        let rule = self.rules.of(id, self.plural(object));
        let status = status(ready::judge_live(id, rule, live, cluster));
        let schemas = self.schemas.lock();
        let schema = schemas.ok().and_then(|it| it.get(&group_kind).cloned());
        match schema {
            Some(schema) if status::is_silent(id, rule.is_some(), live, &status, &schema) => {
                silent(status, live, cluster.now, &schema)
            }
            _ => status,
        }
    }
}

/// What an object is without a status: ready where its kind has none, or where it has been without one for long enough.
fn silent(
    status: ObjectStatus,
    live: &Value,
    now: Timestamp,
    schema: &StatusSchema,
) -> ObjectStatus {
    let created = live["metadata"]["creationTimestamp"].as_str();
    let created: Option<Timestamp> = created.and_then(|text| text.parse().ok());
    let had_time = created.is_none_or(|created| {
        // Less than nothing is no time.
        Duration::try_from(now.duration_since(created)).is_ok_and(|age| age >= SILENCE)
    });
    match (schema.exists, had_time) {
        (false, _) => status.counted_as_ready(""),
        (true, true) => status.counted_as_ready(NO_STATUS),
        (true, false) => status,
    }
}

fn unlisted(resource: &Resource, refusal: &Refusal) -> Failure {
    let cause = format!("cannot list {}: {}", resource.plural, refusal.message);
    Failure::new(Exit::Infrastructure, cause)
        .hint("has the kubeconfig the right to list every kind of the manifests?")
        .leaving(Leftover::None)
}
