//! Objects of the set that the cluster is still deleting: by an earlier `kubectl delete`, by a prune that was killed.
//!
//! The server accepts what is sent to such an object, and then deletes it all the same. So it is not accepted yet: once it
//! is gone, it is sent again. One that does not go ends the deployment.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::{
    api::{ObjectId, is_leaving, list},
    cluster::{
        errors::{Awaited, Class},
        live::{self, Extent, NO_FINALIZER},
        request::Refusal,
    },
    deploy::{
        Answer, Deployment, State,
        apply::{Accepted, version},
    },
    ready::{Condition, Verdict},
};

/// A finalizer is a promise of a controller that reacts within seconds. Without progress for this long, that controller is
/// not there.
pub(super) const GOES: Duration = Duration::from_mins(2);
/// The same for what goes after other objects, which have finalizers and grace periods of their own.
pub(super) const GOES_LAST: Duration = Duration::from_mins(5);
/// The pause between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// The finalizers of what goes after other objects: dependents, objects of the kind, pods that use the volume.
const AFTER_OTHERS: [&str; 3] = [
    "foregroundDeletion",
    "customresourcecleanup.apiextensions.k8s.io",
    "kubernetes.io/pvc-protection",
];

/// How far a deletion is.
#[derive(Clone, Debug)]
pub(super) struct Leaving {
    /// What keeps the object, in words.
    keeps: String,
    /// Since when it is waited for.
    since: Instant,
    /// When something last changed about what keeps it.
    progress: Instant,
}

impl Leaving {
    fn new(now: Instant) -> Self {
        Self {
            keeps: String::new(),
            since: now,
            progress: now,
        }
    }
}

/// How a deletion stands that does not end.
#[derive(Debug)]
pub(super) struct Stays {
    pub(super) keeps: String,
    /// How long it was waited for, in whole seconds.
    pub(super) waited: Duration,
}

impl Deployment<'_> {
    /// Waits until an object is gone that is being deleted, to send it again then.
    pub(super) fn await_end(&mut self, at: usize) {
        let now = Instant::now();
        if self.items[at].leaving.is_none() {
            tracing::warn!(
                "{} is being deleted: it is sent again when it is gone",
                self.plan.objects[at].id
            );
            self.items[at].leaving = Some(Leaving::new(now));
        }
        self.leaves(at, NO_FINALIZER, now);
    }

    /// Notes how an object that is being deleted stands, and when it is looked at next.
    fn leaves(&mut self, at: usize, message: &str, next: Instant) {
        let item = &mut self.items[at];
        item.state = State::Due(next);
        item.refusal = Some(Refusal {
            class: Class::Missing(Awaited::Deletion),
            code: 409,
            message: message.to_owned(),
            retry_after: None,
        });
    }

    /// Asks what is there of an object that is being deleted.
    pub(super) fn ask_there(&mut self, at: usize) {
        self.items[at].state = State::Sending;
        self.sending += 1;
        let (client, path) = (self.client.0.clone(), self.plan.path(at).to_owned());
        // Of a namespace the server tells more than its metadata has.
        let extent = if self.plan.objects[at].id.is("", "Namespace") {
            Extent::Whole
        } else {
            Extent::Metadata
        };
        self.ask(async move { Answer::There(at, live::get(&client, &path, extent).await) });
    }

    /// Takes in what is there of an object that is being deleted.
    pub(super) fn take_there(&mut self, at: usize, there: Result<Option<Value>, Refusal>) {
        self.sending -= 1;
        self.pulse
            .note(there.as_ref().err().and_then(Refusal::silence));
        let now = Instant::now();
        match there {
            Ok(Some(live)) if is_leaving(&live) => {
                let id = &self.plan.objects[at].id;
                let keeps = live::keeps(&live);
                let item = &mut self.items[at];
                let leaving = item.leaving.get_or_insert_with(|| Leaving::new(now));
                if leaving.keeps != keeps {
                    leaving.progress = now;
                    leaving.keeps.clone_from(&keeps);
                }
                let message = in_words(&keeps);
                let is_over = leaving.progress.elapsed() >= patience(id, &live);
                self.leaves(at, &message, now + LOOK);
                if is_over && let Some(refusal) = self.items[at].refusal.take() {
                    self.give_up(at, refusal);
                }
            }
            Ok(_) => {
                tracing::info!("{} is gone, and sent again", self.plan.objects[at].id);
                let item = &mut self.items[at];
                item.leaving = None;
                item.state = State::Due(now);
            }
            Err(refusal) if refusal.class.is_retryable() => {
                let next = now + self.back_off(at, &refusal);
                self.items[at].state = State::Due(next);
            }
            Err(refusal) => self.give_up(at, refusal),
        }
    }

    /// What keeps an object that was given up since its deletion does not end.
    pub(super) fn stays(&self, at: usize) -> Option<Stays> {
        let item = &self.items[at];
        let class = item.refusal.as_ref().map(|it| &it.class);
        let leaving = item.leaving.as_ref();
        let leaving = leaving.filter(|_| class == Some(&Class::Missing(Awaited::Deletion)))?;
        let keeps = match leaving.keeps.as_str() {
            NO_FINALIZER => "no finalizer keeps it",
            keeps => keeps,
        };
        Some(Stays {
            keeps: keeps.to_owned(),
            waited: Duration::from_secs(leaving.since.elapsed().as_secs()),
        })
    }

    /// What can be done about an object that does not go.
    pub(super) fn remedy_of_leaving(&self, at: usize) -> String {
        let object = &self.plan.objects[at];
        let id = &object.id;
        if id.is("", "Namespace") {
            return format!(
                "`kubectl describe namespace {}` shows what is left in it: start the controllers of those finalizers \
                 again, or remove the finalizers",
                id.name
            );
        }
        if id.is("apiextensions.k8s.io", "CustomResourceDefinition") {
            return format!(
                "`kubectl get {} -A` lists the objects that have to go first: start the controller of their finalizers \
                 again, or remove the finalizers",
                id.name
            );
        }
        let resource = self.plan.resource(at);
        let kind = resource.map_or_else(String::new, |it| match it.group.as_str() {
            "" => it.plural.clone(),
            group => format!("{}.{group}", it.plural),
        });
        let namespace = id.namespace.as_deref();
        let namespace = namespace.map_or_else(String::new, |it| format!("-n {it} "));
        let keeps = self.items[at].leaving.as_ref();
        let keeps = keeps.map_or(NO_FINALIZER, |it| it.keeps.as_str());
        if keeps == NO_FINALIZER {
            // Such as a pod whose node is lost.
            return format!("`kubectl {namespace}delete {kind} {} --force`", id.name);
        }
        if keeps.contains("foregroundDeletion") {
            return format!(
                "what it owns has to go first: `kubectl {namespace}get pods` may show what stays, and its finalizers"
            );
        }
        format!(
            "start the controller of the finalizer again, or remove it: `kubectl {namespace}patch {kind} {} --type=merge \
             -p '{{\"metadata\":{{\"finalizers\":null}}}}'`",
            id.name
        )
    }
}

/// That an object is being deleted, and what keeps it.
fn in_words(keeps: &str) -> String {
    match keeps {
        NO_FINALIZER => keeps.to_owned(),
        keeps => format!("it is being deleted: {keeps}"),
    }
}

/// How long an object may stay without progress. A pod has its grace period as well.
fn patience(id: &ObjectId, live: &Value) -> Duration {
    let metadata = &live["metadata"];
    let mut finalizers = list(&metadata["finalizers"]).filter_map(Value::as_str);
    let goes_last = if id.is("", "Namespace") {
        !is_held_by_controllers(live)
    } else {
        finalizers.any(|finalizer| AFTER_OTHERS.contains(&finalizer))
    };
    let grace = metadata["deletionGracePeriodSeconds"].as_u64();
    let grace = Duration::from_secs(grace.unwrap_or_default());
    grace + if goes_last { GOES_LAST } else { GOES }
}

/// Whether nothing but finalizers of controllers keeps what is in a namespace: no pod has its grace period, and nothing goes
/// after other objects.
fn is_held_by_controllers(namespace: &Value) -> bool {
    let told = |kind: &str| {
        let message = |it: Condition<'_>| it.is("True").then(|| it.text());
        Condition::of(namespace, kind).and_then(message)
    };
    // "Some content in the namespace has finalizers remaining: a.example/f in 2 resource instances"
    let by_controllers = |message: String| !AFTER_OTHERS.iter().any(|it| message.contains(it));
    let has_pods = told("NamespaceContentRemaining").is_some_and(|it| it.contains(" pods. has "));
    told("NamespaceFinalizersRemaining").is_some_and(by_controllers) && !has_pods
}

/// What an object is that is not the one that was accepted, or will not be for long: it is gone, being deleted, or of another
/// unique id. What ends by itself and has done so is not asked about.
///
/// A watch may be behind: what it tells of an object that was there before is no verdict on the one that was accepted.
pub(super) fn not_the_accepted(
    accepted: &Accepted,
    live: Option<&Value>,
    was_ready: bool,
) -> Option<Verdict> {
    const DELETED: &str = "after it was accepted, something deleted it";
    let Some(live) = live else {
        // What was ready was seen.
        return was_ready.then(|| Verdict::Failed(DELETED.into()));
    };
    let metadata = &live["metadata"];
    let uid = metadata["uid"].as_str().unwrap_or_default();
    if !accepted.uid.is_empty() && !uid.is_empty() && accepted.uid != uid {
        let versions = version(metadata).zip(accepted.version);
        let is_later = versions.is_some_and(|(live, accepted)| live > accepted);
        return Some(if is_later {
            Verdict::Failed(format!("{DELETED}, and another was made in its place").into())
        } else {
            Verdict::Waiting("the change was not seen yet".into())
        });
    }
    is_leaving(live).then(|| Verdict::Failed(format!("{DELETED}: {}", live::keeps(live)).into()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(group: &str, kind: &str) -> ObjectId {
        ObjectId {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: None,
            name: "a".to_owned(),
        }
    }

    #[test]
    fn what_goes_after_others_is_given_more_time() {
        let after = |finalizer: &str, grace: Value| json!({"metadata": {"finalizers": [finalizer], "deletionGracePeriodSeconds": grace}});
        let namespace = |content: &str, finalizer: &str| {
            let content =
                format!("Some resources are remaining: {content}. has 1 resource instances");
            let finalizers = format!(
                "Some content in the namespace has finalizers remaining: {finalizer} in 1 resource instances"
            );
            json!({"status": {"conditions": [
                {"type": "NamespaceContentRemaining", "status": "True", "message": content},
                {"type": "NamespaceFinalizersRemaining", "status": "True", "message": finalizers}]}})
        };
        for (id, live, expected) in [
            (id("", "ConfigMap"), after("a/b", Value::Null), GOES),
            (id("", "Namespace"), json!({"metadata": {}}), GOES_LAST),
            (
                id("", "Namespace"),
                namespace("configmaps", "a.example/f"),
                GOES,
            ),
            (
                id("", "Namespace"),
                namespace("pods", "a.example/f"),
                GOES_LAST,
            ),
            (
                id("", "Namespace"),
                namespace("persistentvolumeclaims", "kubernetes.io/pvc-protection"),
                GOES_LAST,
            ),
            (
                id("apps", "Deployment"),
                after("foregroundDeletion", json!(0)),
                GOES_LAST,
            ),
            (
                id("", "Pod"),
                after("a/b", json!(600)),
                GOES + Duration::from_mins(10),
            ),
        ] {
            assert_eq!(patience(&id, &live), expected, "{id} {live}");
        }
    }

    #[test]
    fn only_the_object_that_was_accepted_is_judged() {
        let accepted = Accepted {
            uid: "new".to_owned(),
            version: Some(20),
            ..Accepted::default()
        };
        let live = |uid: &str, version: &str, deleted: Value| {
            json!({"metadata": {"uid": uid, "resourceVersion": version, "deletionTimestamp": deleted,
                "finalizers": ["a.example/f"]}})
        };
        let deleted = json!("2026-01-01T00:00:00Z");
        let missing = |live: Value, was_ready: bool| {
            let live = Some(&live).filter(|it| !it.is_null());
            let verdict = not_the_accepted(&accepted, live, was_ready);
            let failed = matches!(verdict, Some(Verdict::Failed(_)));
            verdict.map(|it| (failed, it.missing().unwrap().to_string()))
        };
        assert_eq!(missing(live("new", "21", Value::Null), false), None);
        let lag = (false, "the change was not seen yet".to_owned());
        assert_eq!(
            missing(live("old", "9", Value::Null), false),
            Some(lag.clone())
        );
        assert_eq!(missing(live("old", "9", deleted.clone()), false), Some(lag));
        let other = (
            true,
            "after it was accepted, something deleted it, and another was made in its place"
                .to_owned(),
        );
        assert_eq!(
            missing(live("other", "100", Value::Null), true),
            Some(other)
        );
        let failed = (
            true,
            "after it was accepted, something deleted it: it waits for a.example/f".to_owned(),
        );
        for was_ready in [false, true] {
            let live = live("new", "21", deleted.clone());
            assert_eq!(missing(live, was_ready), Some(failed.clone()));
        }
        assert_eq!(missing(Value::Null, false), None, "not seen yet");
        let gone = (
            true,
            "after it was accepted, something deleted it".to_owned(),
        );
        assert_eq!(missing(Value::Null, true), Some(gone));
    }
}
