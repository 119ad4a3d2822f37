//! What suspends an object by its own specification.

use serde_json::Value;

use crate::ready::Verdict;

/// Fields of a specification that suspend its object when they are true.
const FIELDS: [&str; 5] = [
    "/spec/suspend",
    "/spec/suspended",
    "/spec/paused",
    "/spec/pause",
    "/spec/runPolicy/suspend",
];

/// Annotations that pause their object, and with which value; any where none is named.
const ANNOTATIONS: [(&str, Option<&str>); 8] = [
    ("autoscaling.keda.sh/paused", Some("true")),
    ("autoscaling.keda.sh/paused-replicas", None),
    ("cluster.x-k8s.io/paused", None),
    ("cnpg.io/hibernation", Some("on")),
    ("crossplane.io/paused", Some("true")),
    ("kubeflow-resource-stopped", None),
    ("serving.kserve.io/stop", Some("true")),
    ("strimzi.io/pause-reconciliation", Some("true")),
];

/// What suspends an object, in the words of its manifest; none where nothing does.
pub fn of(object: &Value) -> Option<String> {
    let field = FIELDS
        .into_iter()
        .find(|field| object.pointer(field).is_some_and(|it| *it == true));
    if let Some(field) = field {
        return Some(format!("{} is true", field[1..].replace('/', ".")));
    }
    let annotations = &object["metadata"]["annotations"];
    ANNOTATIONS.into_iter().find_map(|(name, wanted)| {
        let value = annotations[name].as_str()?;
        let holds = wanted.is_none_or(|wanted| value.eq_ignore_ascii_case(wanted));
        holds.then(|| format!("the annotation {name} is set"))
    })
}

/// What an object is that is suspended. One that a queue holds back waits for its turn.
pub(super) fn verdict(live: &Value, what: &str) -> Verdict {
    let queue = live["metadata"]["labels"]["kueue.x-k8s.io/queue-name"].as_str();
    match queue {
        Some(queue) => Verdict::Waiting(format!("it waits in the queue {queue}").into()),
        None => Verdict::Suspended(what.into()),
    }
}
