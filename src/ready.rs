//! Whether an object is ready, per kind, and what is missing if not.
//!
//! Given a [`View`]; no I/O. "Ready" is what a test that follows may rely on, not what a controller calls available.

mod conditions;
mod custom;
mod generic;
mod jsonpath;
mod others;
mod pods;
mod projects;
mod schema;
mod suspend;
mod table;
mod told;
mod when;
mod workloads;

use std::{collections::HashMap, fmt};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    api::{ObjectId, is_builtin, is_leaving},
    cluster::{live::keeps, view::View},
    pod::Why,
};

use table::{Judge, Row};

pub use conditions::Condition;
pub use generic::{NO_STATUS, SILENCE, is_silent};
pub use schema::StatusSchema;
pub use suspend::of as suspended;
pub use when::{ReadyWhen, Rule};

/// What an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ready.
    Ready,
    /// It does nothing until somebody lets it go on, and what says so.
    Suspended(Missing),
    /// Not yet, and what is missing.
    Waiting(Missing),
    /// Not, and it cannot become so without a change: its image does not exist, no node has room.
    Stuck(Missing),
    /// Not, and it never will be.
    Failed(Missing),
}

impl Verdict {
    /// Whether it is ready.
    pub fn is_ready(&self) -> bool {
        *self == Self::Ready
    }

    /// What is missing, where something is.
    pub fn missing(&self) -> Option<&Missing> {
        match self {
            Self::Ready => None,
            Self::Suspended(missing)
            | Self::Waiting(missing)
            | Self::Stuck(missing)
            | Self::Failed(missing) => Some(missing),
        }
    }

    /// In one word.
    pub const fn state(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Suspended(_) => "suspended",
            Self::Waiting(_) => "waiting",
            Self::Stuck(_) => "stuck",
            Self::Failed(_) => "failed",
        }
    }
}

/// What is missing of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// How many there are of how many: `0 of 1 ready`; empty where nothing is counted.
    pub counts: String,
    /// The pod that keeps it, where one does.
    pub pod: Option<String>,
    /// What is missing.
    pub what: String,
    /// Why, where a pod or the lack of one tells.
    pub why: Option<Why>,
}

impl Missing {
    /// What is wrong with a pod, or why there is none.
    pub fn because(why: Why, what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: Some(why),
            ..Self::default()
        }
    }

    /// Whether nothing is.
    pub fn is_none(&self) -> bool {
        self.what.is_empty() && self.pod.is_none()
    }

    /// The same of a pod that keeps something.
    fn of_pod(self, counts: &str, pod: &str) -> Self {
        Self {
            counts: counts.to_owned(),
            pod: Some(pod.to_owned()),
            ..self
        }
    }

    /// The same with how many there are.
    fn counted(self, counts: &str) -> Self {
        Self {
            counts: counts.to_owned(),
            ..self
        }
    }
}

impl<T: Into<String>> From<T> for Missing {
    fn from(what: T) -> Self {
        Self {
            what: what.into(),
            ..Self::default()
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pod = self.pod.as_ref().map(|pod| format!("pod {pod}"));
        let parts = [Some(&self.counts), pod.as_ref(), Some(&self.what)];
        let parts = parts.into_iter().flatten().filter(|part| !part.is_empty());
        let parts: Vec<&str> = parts.map(String::as_str).collect();
        f.write_str(&parts.join(": "))
    }
}

/// A view at one moment, with who owns whom.
#[derive(Debug)]
pub struct ClusterView<'a> {
    /// The view.
    pub view: &'a View,
    /// The moment.
    pub now: Timestamp,
    /// Whether the view holds what some files have: what is not in it may be on the cluster all the same, and what is under
    /// way is not waited for.
    pub is_snapshot: bool,
    owned: HashMap<&'a str, Vec<&'a Value>>,
    /// Events of pods by their unique id, oldest first.
    events: HashMap<&'a str, Vec<&'a Value>>,
}

impl<'a> ClusterView<'a> {
    /// Looks at a view.
    pub fn new(view: &'a View, now: Timestamp) -> Self {
        let mut owned: HashMap<&str, Vec<&Value>> = HashMap::new();
        for group_kind in ["Pod.", "ReplicaSet.apps"] {
            for value in view.all(group_kind) {
                let owners = crate::api::list(&value["metadata"]["ownerReferences"]);
                for owner in owners.filter(|owner| owner["controller"] == true) {
                    if let Some(uid) = owner["uid"].as_str() {
                        owned.entry(uid).or_default().push(value);
                    }
                }
            }
        }
        let mut events: HashMap<&str, Vec<&Value>> = HashMap::new();
        for event in view.all("Event.").chain(view.told()) {
            let about = &event["involvedObject"];
            if let (true, Some(uid)) = (about["kind"] == "Pod", about["uid"].as_str()) {
                events.entry(uid).or_default().push(event);
            }
        }
        for events in events.values_mut() {
            events.sort_by_key(|event| crate::pod::last_seen(event));
        }
        Self {
            view,
            now,
            is_snapshot: false,
            owned,
            events,
        }
    }

    /// Looks at what some files hold.
    pub fn snapshot(view: &'a View, now: Timestamp) -> Self {
        Self {
            is_snapshot: true,
            ..Self::new(view, now)
        }
    }

    /// The pods of a workload, through replica sets too, oldest first.
    pub fn pods(&self, workload: &Value) -> Vec<&'a Value> {
        let mut pods = Vec::new();
        for child in self.children(workload) {
            if child["kind"] == "ReplicaSet"
                || child
                    .get("spec")
                    .is_some_and(|s| s.get("replicas").is_some())
            {
                pods.extend(self.children(child));
            } else {
                pods.push(*child);
            }
        }
        pods.retain(|pod| !is_leaving(pod));
        pods.sort_by_key(|pod| pod["metadata"]["name"].as_str());
        pods
    }

    /// What is told of a pod, oldest first.
    fn events(&self, pod: &Value) -> &[&'a Value] {
        let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
        self.events.get(uid).map_or(&[], Vec::as_slice)
    }

    fn children(&self, value: &Value) -> &[&'a Value] {
        let uid = value["metadata"]["uid"].as_str().unwrap_or_default();
        self.owned.get(uid).map_or(&[], Vec::as_slice)
    }

    /// How long ago a moment was that the server wrote down; zero for one that is not there.
    fn since(&self, moment: &Value) -> SignedDuration {
        moment
            .as_str()
            .and_then(|text| text.parse::<Timestamp>().ok())
            .map_or(SignedDuration::ZERO, |moment| {
                self.now.duration_since(moment)
            })
    }
}

/// Whether more than its acceptance tells that an object is ready: it has to be in view.
pub fn is_judged(id: &ObjectId, rule: Option<&Rule>) -> bool {
    match (rule, Row::of(id)) {
        (Some(rule), _) => !rule.accepts(),
        (None, Some(row)) => !matches!(row.judge, Judge::Accepted | Judge::Told(_)),
        (None, None) => !is_builtin(&id.group),
    }
}

/// Whether its content tells anything of an object: what [`judge_live`] has to be given.
pub fn is_told(id: &ObjectId, rule: Option<&Rule>) -> bool {
    let is_told = Row::of(id).is_some_and(|row| matches!(row.judge, Judge::Told(_)));
    is_judged(id, rule) || rule.is_none() && is_told
}

/// The kinds beside its own that have to be in view to judge an object.
pub fn also_needs(id: &ObjectId) -> &'static [(&'static str, &'static str)] {
    Row::of(id).map_or(&[], |row| row.also)
}

/// Whether a kind only tells why another is not ready: what is ready shows without it.
pub fn only_explains(group: &str, kind: &str) -> bool {
    matches!(
        (group, kind),
        ("", "Event") | ("storage.k8s.io", "StorageClass")
    )
}

/// Whether an object is judged by the general rule, which may be wrong about its kind.
pub fn is_generic(id: &ObjectId, rule: Option<&Rule>) -> bool {
    rule.is_none() && Row::of(id).is_none() && !is_builtin(&id.group)
}

/// Whether an object comes to an end: what it has done stays done, also when it is cleaned up.
pub fn ends(id: &ObjectId, rule: Option<&Rule>) -> bool {
    rule.is_some_and(Rule::fails) || Row::of(id).is_some_and(|row| row.ends)
}

/// Judges an object that was accepted at `generation`, as the view has it: by its user's rule, where there is one. Webhooks
/// are judged by their gates.
pub fn judge(
    id: &ObjectId,
    rule: Option<&Rule>,
    generation: i64,
    cluster: &ClusterView<'_>,
) -> Verdict {
    if !is_judged(id, rule) {
        return Verdict::Ready;
    }
    let live = cluster
        .view
        .get(&id.group_kind(), id.namespace.as_deref(), &id.name);
    let Some(live) = live else {
        return Verdict::Waiting("not seen yet".into());
    };
    if live["metadata"]["generation"].as_i64().unwrap_or(i64::MAX) < generation {
        return Verdict::Waiting("the change was not seen yet".into());
    }
    judge_live(id, rule, live, cluster)
}

/// Whether all containers of a pod run: its images are there, its volumes are mounted.
pub fn runs(pod: &Value) -> bool {
    pods::runs(pod)
}

/// Judges a pod, whoever made it.
pub fn pod(live: &Value, cluster: &ClusterView<'_>) -> Verdict {
    pods::bare(live, cluster)
}

/// Judges an object as it is.
pub fn judge_live(
    id: &ObjectId,
    rule: Option<&Rule>,
    live: &Value,
    cluster: &ClusterView<'_>,
) -> Verdict {
    if is_leaving(live) {
        return Verdict::Waiting(keeps(live).into());
    }
    match (rule, Row::of(id)) {
        (Some(rule), _) => rule.judge(live),
        (None, Some(row)) => row.judge(live, cluster),
        (None, None) if is_builtin(&id.group) => Verdict::Ready,
        (None, None) => generic::judge(live),
    }
}

#[cfg(test)]
mod tests;
