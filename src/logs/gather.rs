//! The order in which things are gathered: objects first, since they tell which logs there are and which secrets;
//! the host at the same time; then logs, descriptions, report, and the end of the archive.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::StreamExt as _;
use jiff::Timestamp;
use tokio::sync::oneshot;

mod node;
mod page;
mod results;
mod secrets;

use node::{Hidden, Known, of_host};
use results::{Rendered, add_rendered, add_results, results};
use secrets::{log, redactor, without_secrets};

use super::{
    bundle::{Bundle, BundleError, Entry},
    collect::{Server, containers, host::Site, objects},
    describe, diagnose, layout, prow,
    redact::{Redactor, structure},
    render::{Material, Report, changes::Earlier},
    snapshot::{Gap, Snapshot, event_time},
};
use crate::{
    cluster::Connected, inputs::Environment, limits::Deadline, record::Store, report::Failure, yaml,
};

/// Longest time without a byte of an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// What the page and the end of the archive need.
const CLOSING: Duration = Duration::from_secs(3);

/// The stages as JUnit, in the bundle.
pub const STAGES: &str = "artifacts/junit_stages.xml";
/// The pod that the first cause is about, in the bundle.
pub const PODINFO: &str = "podinfo.json";

/// What to gather, and where to.
pub struct GatherRequest<'a> {
    /// Directory for bundle and report.
    pub output: &'a Path,
    /// Name of the bundle without its ending.
    pub name: &'a str,
    /// The cluster, or why there is none.
    pub cluster: Result<&'a Connected, String>,
    /// The host, or why there is none.
    pub host: Result<Site<'a>, String>,
    /// The `kind` program on that host; absent where its logs are not wanted.
    pub kind: Option<&'a str>,
    /// The environment, for the secrets in it.
    pub env: &'a Environment,
    /// Whether the job was cancelled.
    pub cancelled: bool,
    /// What an earlier run reported, that this one is compared with.
    pub earlier: Option<Earlier>,
    /// Record and state of this job.
    pub store: &'a Store,
    /// When the archive has to be closed.
    pub deadline: Deadline,
}

impl GatherRequest<'_> {
    /// Where the bundle will be.
    pub fn bundle(&self) -> PathBuf {
        self.output.join(format!("{}.zip", self.name))
    }

    /// Where the page will be.
    pub fn page(&self) -> PathBuf {
        self.output.join(format!("{}.html", self.name))
    }
}

/// What was gathered.
#[derive(Debug)]
pub struct Gathered {
    /// The archive.
    pub bundle: PathBuf,
    /// The page.
    pub page: PathBuf,
    /// What it says.
    pub report: Report,
    /// The archive's manifest.
    pub entries: Vec<Entry>,
}

/// Gathers what there is.
///
/// # Errors
/// [`BundleError`] when nothing can be written; whatever else fails is an entry of the manifest.
pub async fn gather(wanted: GatherRequest<'_>) -> Result<Gathered, Failure> {
    let run = wanted.store.run();
    let bundle = Bundle::create(wanted.output, wanted.name, run)?;
    let scratch = tempfile::Builder::new()
        .prefix(".gathering-")
        // Not where the bundle goes: somebody may upload that directory.
        .tempdir_in(wanted.store.dir())
        .map_err(|source| BundleError {
            path: wanted.store.dir().to_owned(),
            source,
        })?;
    // Descriptions, report and the end of the archive need their time.
    let left = wanted.deadline.remaining();
    let collecting = wanted
        .deadline
        .within(left.saturating_sub((left / 5).min(Duration::from_secs(30))));
    let (tell, told) = oneshot::channel();
    let archive = scratch.path().join("kind.tgz");
    let (cluster, cpu) = futures::join!(
        of_cluster(&wanted, &bundle, collecting, tell),
        of_host(&wanted, &bundle, &archive, collecting, told),
    );
    let OfCluster {
        mut snapshot,
        redactor,
        unlisted,
        rendered,
    } = cluster;
    snapshot.cpu = cpu;
    let seen = snapshot.reached().then_some(&snapshot);
    let findings = seen.map_or(Vec::new(), diagnose::diagnose);
    if let Some(snapshot) = seen {
        let told = snapshot
            .objects
            .iter()
            .filter(|object| describe::is_told(object));
        for object in told {
            if wanted.deadline.remaining() < CLOSING {
                bundle.missing(Gap {
                    file: "describe/".to_owned(),
                    error: "not everything could be described in the time there was".to_owned(),
                });
                break;
            }
            let text = describe::describe(snapshot, object);
            bundle
                .add_text(layout::description(object), text, &redactor)
                .await;
        }
    }
    let unreachable = match (&wanted.cluster, seen) {
        (Err(reason), _) => Some(redactor.text(reason)),
        (Ok(_), None) => Some("its API server does not answer".to_owned()),
        (Ok(_), Some(_)) => None,
    };
    let deploy = page::deploy(&wanted, &redactor);
    let report = Report::of(Material {
        record: &without_secrets(wanted.store.record(), &redactor),
        snapshot: seen,
        unreachable: unreachable.as_deref(),
        unlisted: unlisted.as_deref(),
        findings: &findings,
        gaps: &bundle.gaps(),
        deploy: deploy.as_ref(),
        notebooks: page::notebooks(&wanted, &redactor),
        pods: seen.map_or(Vec::new(), |it| page::pods(&wanted, it, &redactor)),
        earlier: wanted.earlier.clone(),
        bundle: &format!("{}.zip", wanted.name),
        cancelled: wanted.cancelled,
        now: Timestamp::now(),
    });
    bundle
        .add_text("report.json", report.json(), &redactor)
        .await;
    let junit = prow::of_stages(wanted.store.record(), deploy.as_ref());
    bundle.add_text(STAGES, junit, &redactor).await;
    if let Some(info) = seen.and_then(|seen| prow::podinfo(seen, &findings)) {
        bundle.add_text(PODINFO, info.to_string(), &redactor).await;
    }
    let html = page::clean(report.html(), &redactor);
    bundle
        .add_clean("report.html", html.clone(), &redactor)
        .await;
    // Whatever becomes of the rest.
    let page = wanted.page();
    if let Err(error) = std::fs::write(&page, html) {
        // Half a page is worse than none, and the archive has it.
        drop(std::fs::remove_file(&page));
        tracing::warn!(
            "cannot write the page {}: {error}; the bundle has it as report.html",
            page.display()
        );
    }
    add_rendered(&wanted, &bundle, &redactor, rendered).await;
    let (archive, entries) = bundle.finish(wanted.deadline).await?;
    Ok(Gathered {
        bundle: archive,
        page,
        report,
        entries,
    })
}

/// What there is of the cluster, and of this job.
struct OfCluster {
    snapshot: Snapshot,
    redactor: Arc<Redactor>,
    /// Why the cluster's Secrets are not known, where they are not.
    unlisted: Option<String>,
    /// What is put in last.
    rendered: Rendered,
}

/// Objects and logs, and why the cluster's Secrets are not known, where they are not. Tells the redactor as soon as it is made.
async fn of_cluster(
    wanted: &GatherRequest<'_>,
    bundle: &Bundle,
    deadline: Deadline,
    tell: oneshot::Sender<Known>,
) -> OfCluster {
    let context = match wanted.cluster {
        Ok(cluster) => cluster.context.as_str(),
        Err(_) => "none",
    };
    let shared = Mutex::new(Snapshot::empty(context));
    let server = wanted.cluster.as_ref().ok().map(|cluster| {
        let patience = PATIENCE.min(deadline.remaining() / 8);
        Server::new(cluster.client.clone(), patience)
    });
    match (&server, &wanted.cluster) {
        (Some(server), _) => {
            let lists = deadline.within(deadline.remaining() / 2);
            if lists
                .bound(objects::collect(server, &shared))
                .await
                .is_err()
            {
                bundle.missing(Gap {
                    file: layout::root(context),
                    error: "not every kind could be listed in the time there was".to_owned(),
                });
            }
        }
        (None, Err(reason)) => bundle.missing(Gap {
            file: layout::root(context),
            error: reason.clone(),
        }),
        (None, Ok(_)) => unreachable!("a cluster has a server"),
    }
    let mut snapshot = shared.into_inner().expect("nobody panics while holding it");
    let rendered = results(wanted);
    let redactor = Arc::new(redactor(wanted, &snapshot, &rendered));
    let unlisted = unlisted(wanted, &snapshot).map(|reason| redactor.text(&reason));
    bundle.knows(&redactor, unlisted.as_deref());
    let hidden = unlisted.as_ref().map(|_| Hidden::of(&snapshot));
    let containers_hidden = hidden
        .as_ref()
        .map(|hidden| hidden.containers.clone())
        .unwrap_or_default();
    // Nobody listens any more when there is no host.
    drop(tell.send(Known {
        redactor: redactor.clone(),
        hidden,
    }));
    for object in &mut snapshot.objects {
        structure::scrub(object, &redactor);
    }
    for gap in std::mem::take(&mut snapshot.gaps) {
        bundle.missing(gap);
    }
    let rendered = add_results(wanted, bundle, &redactor, rendered).await;
    add_objects(bundle, &snapshot, &redactor).await;
    if let Some(server) = &server {
        tracing::info!(
            "{} objects; now the logs of {} pods",
            snapshot.objects.len(),
            snapshot.pods().count()
        );
        let mut kept = Vec::new();
        let logs = async {
            let logs = containers::collect(server, &snapshot, &containers_hidden);
            let mut logs = std::pin::pin!(logs);
            while let Some(found) = logs.next().await {
                match found {
                    Ok((key, found)) => {
                        let file = layout::log(context, &key);
                        kept.push((key, log(&file, &found.bytes, &redactor)));
                        bundle.add(file, found, &redactor).await;
                    }
                    Err(gap) => bundle.missing(gap),
                }
            }
        };
        if deadline.bound(logs).await.is_err() {
            bundle.missing(Gap {
                file: format!("{}/namespaces", layout::root(context)),
                error: "not every log could be read in the time there was".to_owned(),
            });
        }
        snapshot.logs.extend(kept);
    }
    OfCluster {
        snapshot,
        redactor,
        unlisted,
        rendered,
    }
}

/// Why the Secrets of the cluster are not known, where something of it may be collected nevertheless.
fn unlisted(wanted: &GatherRequest<'_>, snapshot: &Snapshot) -> Option<String> {
    let kind = layout::kind(&snapshot.context, "v1", "Secret");
    let refused = snapshot.gaps.iter().find(|gap| gap.file == kind);
    match (&wanted.cluster, wanted.kind) {
        _ if snapshot.secrets_listed => None,
        (Ok(_), _) if refused.is_some() => refused.map(|gap| gap.error.clone()),
        (Ok(_), _) if snapshot.reached() => {
            Some("they were not listed in the time there was".to_owned())
        }
        (Ok(_), Some(_)) => Some("the API server does not answer".to_owned()),
        (Err(reason), Some(_)) => Some(reason.clone()),
        (_, None) => None,
    }
}

async fn add_objects(bundle: &Bundle, snapshot: &Snapshot, redactor: &Arc<Redactor>) {
    if !snapshot.reached() {
        return;
    }
    let root = layout::root(&snapshot.context);
    let taken = snapshot
        .taken
        .strftime("\"%Y-%m-%d %H:%M:%S UTC\"\n")
        .to_string();
    bundle
        .add_text(format!("{root}/collected.timestamp"), taken, redactor)
        .await;
    if let Some(version) = &snapshot.version {
        bundle
            .add_text(
                format!("{root}/version.yaml"),
                yaml::write(version),
                redactor,
            )
            .await;
    }
    for (file, content) in &snapshot.discovery {
        bundle
            .add_text(format!("{root}/{file}"), content.to_string(), redactor)
            .await;
    }
    for object in &snapshot.objects {
        let file = layout::object(&snapshot.context, object);
        bundle
            .add_clean(file, yaml::write(&object.value), redactor)
            .await;
    }
    let mut events: Vec<_> = snapshot.of_kind("", "Event").collect();
    events.sort_by_key(|event| event_time(event));
    let lines: Vec<_> = events.iter().map(|event| event.value.to_string()).collect();
    let lines = lines.join(
        "
",
    );
    bundle.add_clean("events.jsonl", lines, redactor).await;
}

impl Gathered {
    /// How many files it has, and how many things could not be had.
    pub fn counts(&self) -> (usize, usize) {
        let missing = self
            .entries
            .iter()
            .filter(|entry| entry.error.is_some())
            .count();
        (self.entries.len() - missing, missing)
    }
}

#[cfg(test)]
mod tests;
