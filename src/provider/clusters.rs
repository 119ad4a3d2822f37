//! KinD clusters on a host that others use too: named after run and job, found by their markers and names, removed.

mod janitor;
mod marker;

use std::sync::Arc;

pub(crate) use self::{
    janitor::Janitor,
    marker::{claim, is_ours},
};
use super::{BadInput, DestroyOutcome, Owner, Resource};
use crate::{
    host::{
        Host, HostError,
        engine::{Engine, EngineError},
    },
    limits::Deadline,
    report::Failure,
    run::{Run, TAG_RUN, resource_name, short_hash},
};

/// What a node's container is labelled with, by kind itself.
const LABEL: &str = "io.x-k8s.kind.cluster";

/// Every process of the host, a line each: its number and its words. Patterns for it have a letter in brackets, so that
/// they do not find themselves.
const PROCESSES: &str = "ps -axww -o pid=,args=";

/// The name of a cluster of this job, so that it is found without a record: `kind-1f2e3d4c-5b6a7988`.
///
/// At most 48 characters, since kind makes host names of it.
pub(crate) fn name(cluster: &str, run: &Run) -> String {
    let cluster = resource_name(&[cluster], 30);
    format!("{cluster}-{}-{}", short_hash(&run.id), short_hash(&run.job))
}

/// Refuses a name that kind would.
///
/// # Errors
/// [`BadInput`].
pub(crate) fn check_name(cluster: &str) -> Result<(), BadInput> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if cluster.is_empty()
        || cluster.len() > 40
        || !cluster.chars().all(fits)
        || cluster.starts_with('-')
    {
        return Err(BadInput {
            input: "cluster",
            reason: format!("`{cluster}` is no name of a cluster"),
            remedy: Some("use at most 40 of a-z, 0-9 and -".to_owned()),
        });
    }
    Ok(())
}

/// Whether a name can be a part of a script: what was read from a host may be anything.
fn is_plain(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !name.is_empty() && name.len() <= 63 && name.chars().all(fits)
}

/// A cluster whose name does not say whose it is; only the record of its job does.
#[derive(Clone, Debug)]
pub(super) struct ExactCluster {
    /// [`Run::id`].
    pub(super) run: String,
    pub(super) name: String,
}

/// Whether a cluster belongs to `owner`: by its marker, else by its name.
fn belongs(cluster: &Resource, owner: &Owner, exact: Option<&ExactCluster>) -> bool {
    if cluster.tags.contains_key(TAG_RUN) {
        return owner.has(&cluster.tags);
    }
    let name = cluster.id.as_str();
    if exact.is_some_and(|exact| exact.run == owner.run && exact.name == name) {
        return true;
    }
    let Some((rest, job)) = name.rsplit_once('-') else {
        return false;
    };
    let Some((_, run)) = rest.rsplit_once('-') else {
        return false;
    };
    run == short_hash(&owner.run)
        && owner
            .job
            .as_ref()
            .is_none_or(|owned| job == short_hash(owned))
}

/// The clusters of `owner` on a host; none where there is no Docker, without which there can be no cluster.
pub(super) async fn find(
    host: Arc<dyn Host>,
    owner: &Owner,
    exact: Option<&ExactCluster>,
    deadline: Deadline,
) -> Result<Vec<Resource>, Failure> {
    match engine(host, deadline).await? {
        Some(engine) => Ok(owned(&engine, owner, exact, deadline).await?),
        None => Ok(Vec::new()),
    }
}

/// Removes the clusters of `owner` on a host.
pub(super) async fn destroy(
    host: Arc<dyn Host>,
    owner: &Owner,
    exact: Option<&ExactCluster>,
    deadline: Deadline,
) -> Result<DestroyOutcome, Failure> {
    let Some(engine) = engine(host, deadline).await? else {
        return Ok(DestroyOutcome::default());
    };
    let found = owned(&engine, owner, exact, deadline).await?;
    let mut ended = DestroyOutcome {
        found: owner.part(found, deadline).await.0,
        refused: None,
        ..DestroyOutcome::default()
    };
    for cluster in &ended.found {
        tracing::info!("found {cluster}");
        if let Err(error) = remove(&engine, &cluster.id, deadline).await {
            ended.refused.get_or_insert(error.into());
        }
    }
    Ok(ended)
}

async fn engine(host: Arc<dyn Host>, deadline: Deadline) -> Result<Option<Engine>, EngineError> {
    match Engine::find(host, deadline).await {
        Ok(engine) => Ok(Some(engine)),
        Err(EngineError::Absent { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn owned(
    engine: &Engine,
    owner: &Owner,
    exact: Option<&ExactCluster>,
    deadline: Deadline,
) -> Result<Vec<Resource>, HostError> {
    let mut found = everything(engine, deadline).await?;
    found.retain(|cluster| belongs(cluster, owner, exact));
    Ok(found)
}

/// Each cluster of a host once, whoever's it is, with the labels of its marker as tags. One of which there is only a marker
/// is among them.
async fn everything(engine: &Engine, deadline: Deadline) -> Result<Vec<Resource>, HostError> {
    let nodes = all(engine, deadline).await?;
    // After the nodes: a marker is there before its first node.
    let mut markers = marker::all(engine, deadline).await?;
    let mut found: Vec<Resource> = Vec::new();
    for (name, state) in nodes {
        if !found.iter().any(|known| known.id == name) {
            let tags = markers.remove(&name).unwrap_or_default();
            found.push(cluster(name, state, tags));
        }
    }
    let without_nodes = markers.into_iter();
    found.extend(without_nodes.map(|(name, tags)| cluster(name, "no node".to_owned(), tags)));
    Ok(found)
}

fn cluster(name: String, state: String, tags: marker::Labels) -> Resource {
    Resource {
        kind: "KinD cluster",
        id: name,
        tags,
        state,
        ..Resource::default()
    }
}

/// Whether there is anything of a cluster of that name.
///
/// # Errors
/// [`HostError::Failed`] when Docker cannot say.
pub(crate) async fn exists(
    engine: &Engine,
    name: &str,
    deadline: Deadline,
) -> Result<bool, HostError> {
    let all = all(engine, deadline).await?;
    Ok(all.iter().any(|(known, _)| known == name))
}

/// Name and state of each node, and of each cluster that kind is at work on: its creation outlives a lost connection
/// and a kill of ours, and may have no node yet.
async fn all(engine: &Engine, deadline: Deadline) -> Result<Vec<(String, String)>, HostError> {
    let script = format!(
        "docker ps -a --filter label={LABEL} --format '{{{{.Label \"{LABEL}\"}}}} {{{{.State}}}}' || exit\n\
         {PROCESSES} | sed -En \"s/.*create[ ]cluster --name '?([a-z0-9-]+).*/\\1 creating/p\""
    );
    let listed = engine.ask("list KinD clusters", script, deadline).await?;
    let pairs = listed.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs
        .map(|(name, state)| (name.to_owned(), state.to_owned()))
        .collect())
}

/// Removes the nodes of a cluster and their volumes, after a creation that still goes on, and its marker once they are
/// gone. Needs Docker alone, not kind.
///
/// # Errors
/// [`HostError::Failed`] when Docker cannot remove one.
pub(crate) async fn remove(
    engine: &Engine,
    name: &str,
    deadline: Deadline,
) -> Result<(), HostError> {
    debug_assert!(
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
    );
    let script = format!(
        "creating() {{ {PROCESSES} | sed -En \"s/^ *([0-9]+) .*(create[ ]cluster --name|label {LABEL}[=]) *'?{name}([^a-z0-9-].*)?$/\\1/p\"; }}\n\
         remove() {{ nodes=$(docker ps -aq --filter label={LABEL}={name}) || exit; [ -z \"$nodes\" ] || docker rm -fv $nodes; }}\n\
         creation=$(creating) half=$(docker ps -aq --filter label={LABEL}={name} --filter status=created)\n\
         [ -z \"$creation\" ] || kill -9 $creation 2>/dev/null\n\
         remove; code=$?\n\
         # What Docker was asked to make before the kill is there only afterwards.\n\
         if [ -n \"$creation$half\" ]; then for again in 1 2 3; do sleep 1; remove; code=$?; done; fi\n\
         [ $code != 0 ] || {{ {}; code=$?; }}\n\
         exit $code",
        marker::removal(name)
    );
    let what = format!("remove the cluster {name}");
    engine.ask(&what, script, deadline).await.map(drop)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_name_tells_run_and_job() {
        let (one, other) = (Run::random(), Run::random());
        let named = unmarked(&name("kind", &one));
        assert!(belongs(&named, &Owner::job(&one), None));
        assert!(belongs(&named, &Owner::run(&one.id), None));
        assert!(!belongs(&named, &Owner::job(&other), None));
        assert!(!belongs(&named, &Owner::run(&other.id), None));
        let sibling = Run {
            job: "another".to_owned(),
            ..one.clone()
        };
        assert!(!belongs(&named, &Owner::job(&sibling), None));
        assert!(!belongs(&unmarked("kind"), &Owner::job(&one), None));
    }

    #[test]
    fn a_marker_says_more_than_a_name_and_than_a_record() {
        let (one, other) = (Run::random(), Run::random());
        let mut kind = unmarked("kind");
        kind.tags = one.tags(jiff::Timestamp::now()).into_iter().collect();
        let exact = ExactCluster {
            run: other.id.clone(),
            name: "kind".to_owned(),
        };
        assert!(belongs(&kind, &Owner::job(&one), None));
        assert!(belongs(&kind, &Owner::run(&one.id), None));
        assert!(!belongs(&kind, &Owner::job(&other), Some(&exact)));
    }

    fn unmarked(name: &str) -> Resource {
        cluster(name.to_owned(), "running".to_owned(), BTreeMap::new())
    }

    #[test]
    fn an_exact_name_belongs_to_the_run_whose_record_has_it() {
        let (one, other) = (Run::random(), Run::random());
        let exact = ExactCluster {
            run: one.id.clone(),
            name: "kind".to_owned(),
        };
        let exact = Some(&exact);
        let named = unmarked(&name("kind", &one));
        assert!(belongs(&unmarked("kind"), &Owner::job(&one), exact));
        assert!(belongs(&named, &Owner::job(&one), exact));
        assert!(!belongs(&unmarked("kind"), &Owner::job(&other), exact));
        assert!(!belongs(&unmarked("kind2"), &Owner::job(&one), exact));
    }

    #[test]
    fn a_long_name_stays_a_host_name() {
        let name = name(&"Long_".repeat(30), &Run::random());
        assert!(format!("{name}-control-plane").len() <= 63, "{name}");
    }
}
