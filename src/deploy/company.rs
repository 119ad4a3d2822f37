//! The pods beside those of the set, in its namespaces: what a controller of the set makes, what was there before.
//!
//! By default they are only reported, where they are broken. With `pods: namespaces` the deployment waits for them: until
//! all are ready and no further one has come for a while.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

use crate::{
    api::{is_leaving, list},
    cluster::view::View,
    deploy::{DeployError, Deployment},
    ready::{self, ClusterView, Missing, Verdict},
};

/// No pod came for this long: then those that are there are all.
const NONE_CAME: Duration = Duration::from_secs(10);
/// A pod that failed may be replaced within this long.
const REPLACED: Duration = Duration::from_secs(30);

/// What is seen of the pods of the namespaces once the set is ready.
#[derive(Debug, Default)]
pub(super) struct Company {
    seen: HashSet<String>,
    /// When the last pod came.
    came: Option<Instant>,
    /// What was missing at the last look, and since when.
    missing: BTreeMap<String, String>,
    since: Option<Instant>,
}

impl Deployment<'_> {
    /// Keeps pods in view, and what owns them.
    pub(super) fn keep_company(&mut self) {
        for (group, kind) in [("", "Pod"), ("apps", "ReplicaSet"), ("batch", "Job")] {
            if let Some(resource) = self.plan.served.preferred(group, kind) {
                self.watches.keep_if_shown(resource);
            }
        }
    }

    /// What keeps the pods of the namespaces from being ready; none where they are, or nobody waits for them.
    ///
    /// # Errors
    /// A pod that will not become ready.
    pub(super) fn await_company(&mut self) -> Result<Option<String>, DeployError> {
        if !self.plan.waits_for_namespaces {
            return Ok(None);
        }
        let now = Instant::now();
        let (uids, verdicts) = {
            let view = self.watches.view();
            if !view.is_synced("Pod.") && view.refusal("Pod.").is_none() {
                return Ok(Some(
                    "the pods of its namespaces are not seen yet".to_owned(),
                ));
            }
            let cluster = ClusterView::new(&view, self.watches.now());
            (
                uids(&cluster, &self.namespaces()),
                self.others(&cluster, false),
            )
        };
        let company = &mut self.company;
        let came = uids.iter().any(|uid| !company.seen.contains(uid));
        if came || company.came.is_none() {
            company.came = Some(now);
            company.seen.extend(uids);
        }
        let missing: BTreeMap<String, String> = verdicts
            .iter()
            .map(|(pod, verdict)| (pod.clone(), what(verdict)))
            .collect();
        if company.missing != missing {
            company.missing = missing;
            company.since = Some(now);
        }
        let lasts = company
            .since
            .map_or(Duration::ZERO, |since| since.elapsed());
        let came = company.came;
        let over = verdicts.iter().find(|(_, verdict)| match verdict {
            Verdict::Failed(_) => lasts >= REPLACED,
            Verdict::Stuck(missing) => {
                let time = self.time_of(missing.why);
                time.is_some_and(|time| lasts >= time)
            }
            _ => false,
        });
        if let Some((pod, verdict)) = over {
            let missing = verdict.missing().cloned().unwrap_or_default();
            return Err(DeployError::Stuck {
                cause: format!("Pod {pod}: {missing}"),
                why: missing.why,
                tree: verdicts
                    .iter()
                    .map(|(pod, it)| format!("Pod {pod}: {}", what(it)))
                    .collect(),
                lasts,
                is_alone: true,
            });
        }
        if let Some((pod, verdict)) = verdicts.first() {
            let others = match verdicts.len() - 1 {
                0 => String::new(),
                others => format!(", and {others} more"),
            };
            return Ok(Some(format!("Pod {pod}: {}{others}", what(verdict))));
        }
        let quiet = came.map_or(Duration::ZERO, |came| came.elapsed());
        Ok((quiet < NONE_CAME).then(|| "further pods may come to its namespaces".to_owned()))
    }

    /// A pod of the namespaces that a snapshot shows as not ready, or that the watches have not shown.
    pub(super) fn unready_company(&self, snapshot: &View) -> Option<String> {
        if !self.plan.waits_for_namespaces {
            return None;
        }
        let cluster = ClusterView::new(snapshot, self.watches.now());
        let came = uids(&cluster, &self.namespaces());
        if came.iter().any(|uid| !self.company.seen.contains(uid)) {
            return Some("another pod has come to its namespaces".to_owned());
        }
        let others = self.others(&cluster, false);
        let (pod, verdict) = others.first()?;
        Some(format!("Pod {pod}: {}", what(verdict)))
    }

    /// What is broken in the namespaces of the set and is none of its own, a line each.
    pub(super) fn broken_beside(&self) -> Vec<String> {
        let view = self.watches.view();
        let cluster = ClusterView::new(&view, self.watches.now());
        let others = self.others(&cluster, true).into_iter();
        others
            .map(|(pod, verdict)| format!("Pod {pod}: {}", what(&verdict)))
            .collect()
    }

    /// The pods of the namespaces that are not ready, but for those that the set's own verdicts are about; all, or only
    /// those of which something says that they are broken.
    fn others(&self, cluster: &ClusterView<'_>, only_broken: bool) -> Vec<(String, Verdict)> {
        let namespaces = self.namespaces();
        let accepted = self.items.iter().filter_map(|item| item.accepted.as_ref());
        let own: HashSet<&str> = accepted.map(|it| it.uid.as_str()).collect();
        let mut found: Vec<(String, Verdict)> = cluster
            .view
            .all("Pod.")
            .filter(|pod| namespaces.contains(text(pod, "namespace")))
            .filter(|pod| !is_leaving(pod))
            .filter(|pod| !only_broken || !is_of(pod, cluster, &own))
            .filter(|pod| !is_finished(pod, cluster))
            .filter_map(|pod| {
                let verdict = ready::pod(pod, cluster);
                let is_broken = match &verdict {
                    Verdict::Ready => return None,
                    Verdict::Waiting(missing) => missing.why.is_some(),
                    _ => true,
                };
                let name = format!("{}/{}", text(pod, "namespace"), text(pod, "name"));
                (is_broken || !only_broken).then_some((name, verdict))
            })
            .collect();
        // What is worst first, then by name.
        found.sort_by(|(a, one), (b, other)| {
            let is_mild = |it: &Verdict| matches!(it, Verdict::Waiting(_));
            (is_mild(one), a).cmp(&(is_mild(other), b))
        });
        found
    }

    /// The namespaces that the set has objects in, or makes.
    fn namespaces(&self) -> BTreeSet<&str> {
        let ids = self.plan.ids();
        ids.filter_map(|id| {
            if id.is("", "Namespace") {
                Some(id.name.as_str())
            } else {
                id.namespace.as_deref()
            }
        })
        .collect()
    }
}

fn what(verdict: &Verdict) -> String {
    verdict
        .missing()
        .map_or_else(String::new, Missing::to_string)
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object["metadata"][key].as_str().unwrap_or_default()
}

fn uids(cluster: &ClusterView<'_>, namespaces: &BTreeSet<&str>) -> Vec<String> {
    let pods = cluster.view.all("Pod.");
    let pods = pods.filter(|pod| namespaces.contains(text(pod, "namespace")));
    pods.map(|pod| text(pod, "uid").to_owned()).collect()
}

fn owner(object: &Value) -> Option<&Value> {
    list(&object["metadata"]["ownerReferences"]).find(|owner| owner["controller"] == true)
}

/// Whether a pod is of one of these objects, through a replica set too.
fn is_of(pod: &Value, cluster: &ClusterView<'_>, uids: &HashSet<&str>) -> bool {
    let is_own = |owner: &Value| owner["uid"].as_str().is_some_and(|uid| uids.contains(uid));
    if uids.contains(text(pod, "uid")) {
        return true;
    }
    let Some(above) = owner(pod) else {
        return false;
    };
    let set = || {
        let name = above["name"].as_str().unwrap_or_default();
        let namespace = Some(text(pod, "namespace"));
        owner(cluster.view.get("ReplicaSet.apps", namespace, name)?)
    };
    is_own(above) || set().is_some_and(is_own)
}

/// Whether a pod has ended and its owner does not want it any more: it succeeded, its Job is complete, another is ready in
/// its place.
fn is_finished(pod: &Value, cluster: &ClusterView<'_>) -> bool {
    match pod["status"]["phase"].as_str() {
        Some("Succeeded") => return true,
        Some("Failed") => {}
        _ => return false,
    }
    let Some(owner) = owner(pod) else {
        return false;
    };
    let (name, namespace) = (
        owner["name"].as_str().unwrap_or_default(),
        text(pod, "namespace"),
    );
    if owner["kind"] == "Job" {
        let job = cluster.view.get("Job.batch", Some(namespace), name);
        return job.is_none_or(|job| ready::Condition::holds(job, "Complete"));
    }
    cluster.view.all("Pod.").any(|other| {
        self::owner(other).is_some_and(|it| it["uid"] == owner["uid"])
            && ready::Condition::holds(other, "Ready")
    })
}
