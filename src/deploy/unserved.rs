//! Services of the set that lead to no pod, although nothing that is coming up could serve them: no pod has their labels, or
//! the pods have no such port.
//!
//! A test that follows relies on them. What is only late is told of what serves them, not of the Service.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use crate::{
    api::{Labels, is_leaving, labels, list},
    cluster::view::View,
    deploy::{DeployError, Deployment, Plan, cause::Cause, verdict},
    ready::{Condition, Verdict},
};

const PODS: &str = "Pod.";

/// What a Service of the set looks for.
#[derive(Debug)]
pub(super) struct Wanted {
    namespace: String,
    labels: Labels,
    /// The ports that it calls by name.
    ports: Vec<String>,
    /// Whether a workload of the set makes such pods, now or when it is scaled up.
    has_workload: bool,
}

impl Wanted {
    /// Of each Service that selects pods, unless its user has another rule for it.
    pub(super) fn all(plan: &Plan) -> BTreeMap<usize, Self> {
        let services = plan
            .objects
            .iter()
            .enumerate()
            .filter(|(at, object)| object.id.is("", "Service") && plan.rule(*at).is_none());
        let wanted = services.filter_map(|(at, object)| {
            let spec = &object.value()["spec"];
            let labels = labels(&spec["selector"]);
            if labels.is_empty() || spec["type"] == "ExternalName" {
                return None;
            }
            let namespace = object.id.namespace.clone().unwrap_or_default();
            let key = (namespace.clone(), object.id.name.clone());
            let ports = list(&spec["ports"]).filter_map(|port| port["targetPort"].as_str());
            let wanted = Self {
                namespace,
                labels,
                ports: ports.map(str::to_owned).collect(),
                has_workload: plan.graph.called.contains_key(&key),
            };
            Some((at, wanted))
        });
        wanted.collect()
    }

    /// Whether a Service leads to pods, or will once they are ready.
    pub(super) fn judge(&self, view: &View) -> Verdict {
        if !view.is_synced(PODS) {
            return Verdict::Ready;
        }
        let mut pods = view.all(PODS).filter(|pod| self.selects(pod)).peekable();
        if pods.peek().is_none() && !self.has_workload {
            let labels = self.labels.iter().map(|(key, it)| format!("{key}={it}"));
            let labels: Vec<String> = labels.collect();
            let what = format!("no pod has its labels {}", labels.join(", "));
            return Verdict::Stuck(what.into());
        }
        let ready: Vec<&Value> = pods.filter(|pod| Condition::holds(pod, "Ready")).collect();
        let is_absent = |name: &&String| !ready.iter().any(|pod| has_port(pod, name));
        match self.ports.iter().find(is_absent) {
            Some(name) if !ready.is_empty() => {
                let what = format!("its pods have no port that is called {name}");
                Verdict::Stuck(what.into())
            }
            _ => Verdict::Ready,
        }
    }

    fn selects(&self, pod: &Value) -> bool {
        let metadata = &pod["metadata"];
        let mut labels = self.labels.iter();
        metadata["namespace"] == self.namespace.as_str()
            && labels.all(|(key, value)| metadata["labels"][key] == value.as_str())
            && !is_leaving(pod)
    }
}

/// Whether a container of a pod has a port of that name.
fn has_port(pod: &Value, name: &str) -> bool {
    ["containers", "initContainers"].iter().any(|kind| {
        let mut ports = list(&pod["spec"][*kind]).flat_map(|it| list(&it["ports"]));
        ports.any(|port| port["name"] == name)
    })
}

impl Deployment<'_> {
    /// Whether a Service is what all else waits for, whatever else is wrong.
    pub(super) fn is_unserved(&self, causes: &[Cause]) -> bool {
        let first = causes.first();
        self.culprit.is_none() && first.is_some_and(|first| self.services.contains_key(&first.at))
    }

    /// The failure of a Service that leads nowhere.
    pub(super) fn not_served(&self, cause: String, tree: Vec<String>) -> DeployError {
        DeployError::NotReady {
            cause,
            tree,
            quiet: Duration::from_secs(self.moved.elapsed().as_secs()),
            remedy: "correct its selector or its ports; if its pods come later, accept it as it is with ready-when: services \
                     accepted"
                .into(),
        }
    }

    /// How long a Service has to lead nowhere: a controller may make its pods, where no workload of the set does.
    pub(super) fn time_of_service(&self, service: &Wanted) -> Duration {
        if self.plan.makes_more && !service.has_workload {
            verdict::ABSENT
        } else {
            verdict::NOBODY
        }
    }
}
