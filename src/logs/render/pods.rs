//! Pods on the page, each with what `describe` has to say of it.

use serde::Serialize;

use super::room;
use crate::logs::{
    describe::pod_state,
    snapshot::{Object, Snapshot, healthy},
};

/// Bytes of one description.
const LONGEST: usize = 12_000;

/// A pod, described.
#[derive(Debug, Serialize)]
pub struct PodRow {
    /// `namespace/name`.
    pub name: String,
    /// Its state in a few words.
    pub state: String,
    /// Whether it is as it should be.
    pub good: bool,
    /// Its description.
    pub text: String,
}

/// The pods with their descriptions, those in trouble first, as far as there is room for them.
///
/// `tell` is given a pod and gives its description without secrets.
pub fn pods(snapshot: &Snapshot, tell: &dyn Fn(&Object) -> String) -> Vec<PodRow> {
    let mut pods: Vec<&Object> = snapshot.pods().collect();
    pods.sort_by_key(|pod| healthy(pod));
    let mut left = room::PODS;
    let mut rows = Vec::new();
    for pod in pods {
        let row = PodRow {
            name: pod.path(),
            state: room::sentence(&pod_state(pod)),
            good: healthy(pod),
            text: room::both_ends(&tell(pod), LONGEST),
        };
        let weight = [&row.name, &row.state, &row.text].map(|text| room::weight(text));
        let Some(rest) = left.checked_sub(room::MARKUP + weight.iter().sum::<usize>()) else {
            break;
        };
        left = rest;
        rows.push(row);
    }
    rows
}
