//! Walks the tree, and reads the newest builds of each job.
//!
//! Job after job, a few builds at once: what is held in memory is one job's builds, of which each case is a line.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

use super::{
    History, HistoryError,
    build::Build,
    job::JobHistory,
    judge::Files,
    source::Source,
    tree::{self, BuildId, JobId},
};

/// Requests at once. One build has one request at a time.
const AT_ONCE: usize = 16;

/// Reads the newest `builds` of each job, or of the jobs that are named.
///
/// # Errors
/// [`HistoryError`]: no build, a job that is not there, a source that cannot be read.
pub async fn read(
    source: &Source,
    name: &str,
    wanted: &[String],
    builds: usize,
) -> Result<History, HistoryError> {
    let now = Timestamp::now();
    let mut found = find(source, wanted).await?;
    let known: BTreeSet<String> = found.keys().map(|job| job.name.clone()).collect();
    let missing: Vec<String> = wanted
        .iter()
        .filter(|job| !known.contains(*job))
        .cloned()
        .collect();
    if !missing.is_empty() {
        return Err(HistoryError::NoJob {
            source_name: name.to_owned(),
            missing,
            known: known_jobs(source).await?,
        });
    }
    if found.is_empty() {
        return Err(HistoryError::Empty(name.to_owned()));
    }
    let mut jobs = Vec::new();
    for (job, ids) in &mut found {
        let all = ids.len();
        ids.truncate(builds);
        let each = stream::iter(ids.drain(..)).map(|id| build(source, id, now));
        let builds: Vec<Build> = each.buffer_unordered(AT_ONCE).try_collect().await?;
        tracing::info!("{}: {} of {all} builds read", job.directory(), builds.len());
        jobs.push(JobHistory::of(job, all, builds));
    }
    Ok(History {
        made: now,
        source: name.to_owned(),
        jobs,
    })
}

/// Reads and judges one build.
async fn build(source: &Source, id: BuildId, now: Timestamp) -> Result<Build, HistoryError> {
    let file = |name: &str| format!("{}/{name}", id.path);
    let started = source.read(&file("started.json")).await?;
    let finished = source.read(&file("finished.json")).await?;
    let mut files = Files::new(started, finished);
    let artifacts = file("artifacts");
    for name in source.names(&artifacts).await?.files {
        files.has_report |= name == "report.html";
        if is_junit(&name) {
            let path = format!("{artifacts}/{name}");
            let content = source.read(&path).await?;
            files.report(&path, content);
        }
    }
    Ok(files.judge(id, now))
}

/// `junit*.xml`, as Gubernator and `TestGrid` look for it.
fn is_junit(name: &str) -> bool {
    name.starts_with("junit") && Path::new(name).extension().is_some_and(|it| it == "xml")
}

/// The builds of all jobs, or of those that are named.
async fn find(
    source: &Source,
    wanted: &[String],
) -> Result<BTreeMap<JobId, Vec<BuildId>>, HistoryError> {
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|one| one == name);
    let of_job = |path: &String| is_wanted(last(path));
    let mut builds = Vec::new();

    let below_logs = below(source, vec![tree::LOGS.to_owned()]).await?;
    // A repository is `OWNER_NAME`; what has no such name is a job.
    let may_be = |path: &String| of_job(path) || last(path).contains('_');
    let below_logs = below(source, only(below_logs, may_be)).await?;
    let (numbered, named) = split(below_logs);
    builds.extend(numbered);
    builds.extend(below(source, only(named, of_job)).await?);

    let below_pulls = below(source, vec![tree::PULLS.to_owned()]).await?;
    let below_pulls = below(source, below_pulls).await?;
    let (pulls, others) = split(below_pulls);
    let of_batch = |path: &String| path.starts_with("pr-logs/pull/batch/") && of_job(path);
    let mut jobs = only(others, of_batch);
    jobs.extend(only(below(source, pulls).await?, of_job));
    builds.extend(below(source, jobs).await?);

    let mut found = tree::by_job(builds);
    found.retain(|job, _| is_wanted(&job.name));
    Ok(found)
}

/// The names of all jobs.
async fn known_jobs(source: &Source) -> Result<Vec<String>, HistoryError> {
    let found = find(source, &[]).await?;
    let names: BTreeSet<String> = found.into_keys().map(|job| job.name).collect();
    Ok(names
        .into_iter()
        .map(|name| super::text::clean(&name, 80))
        .collect())
}

/// The directories directly below some others.
async fn below(source: &Source, directories: Vec<String>) -> Result<Vec<String>, HistoryError> {
    let looks = stream::iter(directories).map(|directory| async move {
        let names = source.names(&directory).await?.directories;
        let paths = names.iter().map(|name| format!("{directory}/{name}"));
        Ok::<Vec<String>, HistoryError>(paths.collect())
    });
    let found: Vec<Vec<String>> = looks.buffered(AT_ONCE).try_collect().await?;
    Ok(found.concat())
}

fn last(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

fn only(paths: Vec<String>, wanted: impl Fn(&String) -> bool) -> Vec<String> {
    paths.into_iter().filter(wanted).collect()
}

/// Those that are called by a number, and the others.
fn split(paths: Vec<String>) -> (Vec<String>, Vec<String>) {
    paths
        .into_iter()
        .partition(|path| tree::number(last(path)).is_some())
}
