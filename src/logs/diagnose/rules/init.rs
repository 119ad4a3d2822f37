//! Init containers that do not come to their end.

use jiff::Timestamp;

use super::{Finding, Scene, lines};
use crate::logs::{
    diagnose::{Class, Evidence},
    snapshot::{Object, containers, text},
};

/// Seconds after which an init container that still runs is told.
const LONG: i64 = 120;

/// Lines of its log that are shown.
const SHOWN: usize = 4;

/// Each init container that runs for long while others wait for it.
pub(super) fn hanging(scene: &Scene<'_>) -> Vec<Finding> {
    let pods = scene.index.pods().iter();
    let pending = pods.filter(|pod| pod.text("/status/phase") == "Pending");
    pending.filter_map(|pod| one(scene, pod)).collect()
}

fn one(scene: &Scene<'_>, pod: &Object) -> Option<Finding> {
    let hanging = containers(pod).into_iter().find(|it| {
        // A sidecar is an init container that never ends.
        it.role == "init container"
            && text(it.spec, "/restartPolicy") != "Always"
            && it.status.pointer("/state/running").is_some()
    })?;
    let since: Timestamp = text(hanging.status, "/state/running/startedAt")
        .parse()
        .ok()?;
    let seconds = scene.index.now?.as_second() - since.as_second();
    if seconds < LONG {
        return None;
    }
    let log = scene.index.snapshot.log(pod, hanging.name, false);
    let tail = log.map_or(&[][..], |log| log.tail());
    let said = lines::telling(tail).map_or(String::new(), |line| format!(": {}", line.text.trim()));
    let said = format!(
        "init container {} runs for {} min, and the others wait for it{said}",
        hanging.name,
        seconds / 60
    );
    let shown = tail.iter().rev().take(SHOWN).rev();
    let evidence: Vec<Evidence> = log
        .into_iter()
        .flat_map(|log| shown.clone().map(|line| Evidence::line(log, line)))
        .collect();
    let key = format!("{} {}", pod.namespace().unwrap_or_default(), hanging.name);
    let finding = Finding::new(
        Class::InitContainerHangs,
        scene.index.owner(pod),
        said.clone(),
    )
    .sharing(key, said)
    .needing(lines::needs(scene, pod))
    .shown(evidence)
    .since(Some(since));
    Some(finding)
}
