//! What stands in the directory of a build beside bundle and report.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Build;
use crate::{
    logs::{
        diagnose::Finding,
        render::Report,
        snapshot::{Object, Snapshot, event_time},
        verdict::State,
    },
    plan::prow::spec,
    record::Record,
};

/// Longest description of a `ProwJob`, as GitHub takes it of a commit status.
const DESCRIPTION: usize = 140;

/// As a `ProwJob` and `finished.json` write it.
const fn word(state: Option<State>) -> &'static str {
    match state {
        Some(State::Success) => "success",
        Some(State::Failure) => "failure",
        Some(State::Cancelled) => "aborted",
        Some(State::Pending) => "pending",
        // Without a stage nothing is proven.
        Some(State::Error) | None => "error",
    }
}

impl Build {
    /// `started.json`. `node` is the machine, where there is one already.
    pub fn started(&self, record: &Record) -> Value {
        let subject = &self.subject;
        let repository = subject.repository();
        let mut file = json!({
            "timestamp": begun(record).as_second(),
            "repos": {repository: self.refs()},
        });
        let launch = record.launch.as_ref();
        if let Some(node) = launch.and_then(|launch| launch.instance_id.as_ref()) {
            file["node"] = json!(node);
        }
        if let Some(pull) = &subject.pull {
            file["pull"] = json!(pull.number.to_string());
        }
        if let Some(commit) = &subject.commit {
            file["repo-commit"] = json!(commit);
        }
        file
    }

    /// `finished.json`. Deck shows of `metadata` what is text.
    pub fn finished(&self, report: &Report, now: Timestamp) -> Value {
        let mut metadata = json!({
            "repo": self.subject.repository(),
            "repos": {self.subject.repository(): self.refs()},
        });
        for (key, value) in [
            ("root-cause", report.cause.as_str()),
            ("gha-run", &self.url),
            ("kubernetes", &report.kubernetes),
        ] {
            if !value.is_empty() {
                metadata[key] = json!(value);
            }
        }
        json!({
            "timestamp": now.as_second(),
            "passed": report.state == Some(State::Success),
            "result": word(report.state).to_uppercase(),
            "revision": self.subject.commit.clone().unwrap_or_default(),
            "metadata": metadata,
        })
    }

    /// `prowjob.json`: of a job that still runs without a report.
    pub fn prowjob(&self, record: &Record, ended: Option<(&Report, Timestamp)>) -> Value {
        let build = crate::plan::prow::Build {
            job_name: self.job.clone(),
            ..crate::plan::prow::Build::default()
        };
        let mut status = json!({
            "startTime": begun(record),
            "build_id": self.number.to_string(),
            "state": "pending",
        });
        if !self.url.is_empty() {
            status["url"] = json!(self.url);
        }
        if let Some((report, now)) = ended {
            status["state"] = json!(word(report.state));
            status["completionTime"] = json!(now);
            let said = match report.cause.as_str() {
                "" => report.verdict,
                cause => cause,
            };
            status["description"] = json!(said.chars().take(DESCRIPTION).collect::<String>());
        }
        let mut spec = spec(&self.subject, &build);
        spec["agent"] = json!("github-actions");
        json!({
            "apiVersion": "prow.k8s.io/v1",
            "kind": "ProwJob",
            "metadata": {
                "name": format!("{}-{}", self.job, self.number),
                "creationTimestamp": begun(record),
            },
            "spec": spec,
            "status": status,
        })
    }
}

fn begun(record: &Record) -> Timestamp {
    let first = record.stages.first();
    first.map_or_else(Timestamp::now, |stage| stage.started)
}

/// `podinfo.json`: the pod that the first finding is about, of which Deck makes its hint, with its events and its node.
pub fn podinfo(snapshot: &Snapshot, findings: &[Finding]) -> Option<Value> {
    let pods = || snapshot.pods();
    let pod = findings
        .iter()
        .find_map(|finding| pods().find(|pod| finding.concerns(&|name| belongs(pod, name))))?;
    let about = |event: &&Object| {
        event.text("/involvedObject/kind") == "Pod"
            && event.text("/involvedObject/name") == pod.name()
            && Some(event.text("/involvedObject/namespace")) == pod.namespace()
    };
    let mut events: Vec<&Object> = snapshot.of_kind("", "Event").filter(about).collect();
    events.sort_by_key(|event| event_time(event));
    let events: Vec<&Value> = events.iter().map(|event| &event.value).collect();
    let node = pod.text("/spec/nodeName");
    let node = snapshot
        .of_kind("", "Node")
        .find(|one| !node.is_empty() && one.name() == node);
    let mut file = json!({"pod": pod.value, "events": events});
    if let Some(node) = node {
        file["node"] = node.value.clone();
    }
    Some(file)
}

/// Whether a finding about that object is about the pod: the pod itself, or what made it.
fn belongs(pod: &Object, object: &str) -> bool {
    let Some((kind, path)) = object.split_once(' ') else {
        return false;
    };
    let Some((namespace, name)) = path.split_once('/') else {
        return false;
    };
    if pod.namespace() != Some(namespace) {
        return false;
    }
    if kind == "Pod" {
        return pod.name() == name;
    }
    let Some((owner_kind, owner)) = pod.controller() else {
        return false;
    };
    match kind {
        // A ReplicaSet is called as its Deployment, with a hash behind it.
        "Deployment" => {
            owner_kind == "ReplicaSet"
                && owner
                    .rsplit_once('-')
                    .is_some_and(|(deployment, _)| deployment == name)
        }
        _ => owner_kind == kind && owner == name,
    }
}
