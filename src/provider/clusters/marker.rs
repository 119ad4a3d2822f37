//! The marker of a cluster: an empty Docker volume, created before the cluster and removed after it, with our tags as labels.
//!
//! kind labels its nodes with the name of the cluster alone. The marker says whose the cluster is and until when it may
//! live, also where its job was killed before the first node was there, or in the middle of a removal.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::is_plain;
use crate::{
    host::{HostError, engine::Engine, quoted},
    limits::Deadline,
    run::{Run, TAG_CANDIDATE, TAG_CLUSTER, TAG_JOB, TAG_RUN},
};

/// The labels of a marker, and of the mark of `reap` beside it.
pub(super) type Labels = BTreeMap<String, String>;

/// Creates the marker of a cluster, unless there is one of that name. Whether it is this job's.
///
/// Docker creates a volume of one name once: of two jobs that want one name at the same moment, one is told no.
///
/// # Errors
/// [`HostError::Failed`] when Docker cannot create a volume.
pub(crate) async fn claim(
    engine: &Engine,
    cluster: &str,
    run: &Run,
    expires_at: Timestamp,
    deadline: Deadline,
) -> Result<bool, HostError> {
    let mut labels = run.tags(expires_at);
    labels.push((TAG_CLUSTER.to_owned(), cluster.to_owned()));
    let labels: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("--label {}", quoted(&format!("{name}={value}"))))
        .collect();
    let labels = labels.join(" ");
    let volume = volume(cluster);
    // Docker leaves a volume that is there as it is, with its labels; Podman refuses a second. A mark of an earlier cluster is none of this one's.
    let script = format!(
        "{}\n\
         docker volume inspect {volume} >/dev/null 2>&1 || docker volume create {labels} {volume} >/dev/null || exit\n\
         docker volume inspect -f '{{{{json .Labels}}}}' {volume}",
        unmark(cluster)
    );
    let what = format!("create the marker of the cluster {cluster}");
    let labels = read(&engine.ask(&what, script, deadline).await?);
    Ok(labels.iter().any(|labels| is_of(labels, run)))
}

/// Whether the marker of a cluster is there and of this job.
///
/// # Errors
/// As [`all`].
pub(crate) async fn is_ours(
    engine: &Engine,
    cluster: &str,
    run: &Run,
    deadline: Deadline,
) -> Result<bool, HostError> {
    let all = all(engine, deadline).await?;
    Ok(all.get(cluster).is_some_and(|labels| is_of(labels, run)))
}

fn is_of(labels: &Labels, run: &Run) -> bool {
    labels.get(TAG_RUN) == Some(&run.id) && labels.get(TAG_JOB) == Some(&run.job)
}

/// The markers of a host, by the names of their clusters; with what `reap` has marked among their labels.
///
/// # Errors
/// [`HostError::Failed`] when Docker cannot list volumes.
pub(super) async fn all(
    engine: &Engine,
    deadline: Deadline,
) -> Result<BTreeMap<String, Labels>, HostError> {
    // One that is removed between the two looks is no error.
    let script = format!(
        "volumes=$(docker volume ls -q --filter label={TAG_CLUSTER}) || exit\n\
         for volume in $volumes; do\n\
         docker volume inspect -f '{{{{json .Labels}}}}' \"$volume\" 2>/dev/null && continue\n\
         docker volume ls -q --filter label={TAG_CLUSTER} | grep -Fxq -- \"$volume\" || continue\n\
         docker volume inspect \"$volume\" >/dev/null || exit\n\
         done"
    );
    let said = engine
        .ask("list the markers of clusters", script, deadline)
        .await?;
    let mut all: BTreeMap<String, Labels> = BTreeMap::new();
    for labels in read(&said) {
        let cluster = labels.get(TAG_CLUSTER).cloned().unwrap_or_default();
        // Anyone who may use Docker may have written it, and it becomes a part of scripts.
        if is_plain(&cluster) {
            all.entry(cluster).or_default().extend(labels);
        }
    }
    // A mark whose marker is gone.
    all.retain(|_, labels| labels.contains_key(TAG_RUN));
    Ok(all)
}

fn read(said: &str) -> Vec<Labels> {
    said.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// The script that marks a cluster as a candidate of `reap`: labels of a volume cannot be changed, so it is another volume.
pub(super) fn mark(cluster: &str, at: Timestamp) -> String {
    let (marker, mark) = (volume(cluster), mark_volume(cluster));
    format!(
        "docker volume rm -f {mark} >/dev/null\n\
         docker volume create --label {TAG_CLUSTER}={cluster} --label {TAG_CANDIDATE}={at} {mark} >/dev/null || exit\n\
         # Somebody else may have removed the cluster meanwhile.\n\
         docker volume inspect {marker} >/dev/null 2>&1 || docker volume rm -f {mark} >/dev/null"
    )
}

/// The script that takes that mark away.
pub(super) fn unmark(cluster: &str) -> String {
    format!("docker volume rm -f {} >/dev/null", mark_volume(cluster))
}

/// The script that removes a marker and its mark, the marker last: it proves whose the rest is.
pub(super) fn removal(cluster: &str) -> String {
    format!(
        "docker volume rm -f {} {} >/dev/null",
        mark_volume(cluster),
        volume(cluster)
    )
}

fn volume(cluster: &str) -> String {
    format!("manifests-e2e-{cluster}")
}

/// No name of a cluster has a dot.
fn mark_volume(cluster: &str) -> String {
    format!("{}.{}", volume(cluster), "reap-candidate")
}
