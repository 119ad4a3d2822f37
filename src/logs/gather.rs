//! The order in which things are gathered: objects first, since they tell which logs there are and which secrets;
//! the host at the same time; then logs, descriptions, report, and the end of the archive.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::StreamExt as _;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

mod secrets;

use secrets::{redactor, tail, without_secrets};

use super::{
    bundle::{Bundle, BundleError, Entry},
    collect::{
        Server, containers,
        files::{self, yaml},
        host::{self, Site},
        objects,
    },
    describe, diagnose, layout,
    redact::{Redactor, structure},
    render::{Material, Report},
    snapshot::{Gap, Object, Snapshot, event_time},
};
use crate::{
    cluster::Connected, deploy::REPORT, inputs::Environment, limits::Deadline, record::Store,
    report::Failure,
};

/// Longest time that one request may take.
const PATIENCE: Duration = Duration::from_secs(10);

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
    /// Record and state of this job.
    pub store: &'a Store,
    /// When the archive has to be closed.
    pub deadline: Deadline,
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
        .tempdir_in(wanted.output)
        .map_err(|source| BundleError {
            path: wanted.output.to_owned(),
            source,
        })?;
    // Descriptions, report and the end of the archive need their time.
    let left = wanted.deadline.remaining();
    let collecting = wanted
        .deadline
        .within(left.saturating_sub((left / 5).min(Duration::from_secs(30))));
    let (tell, told) = oneshot::channel();
    let archive = scratch.path().join("kind.tgz");
    let ((snapshot, redactor), ()) = futures::join!(
        of_cluster(&wanted, &bundle, collecting, tell),
        of_host(&wanted, &bundle, &archive, collecting, told),
    );
    let seen = snapshot.reached().then_some(&snapshot);
    let findings = seen.map_or(Vec::new(), diagnose::diagnose);
    if let Some(snapshot) = seen {
        for object in snapshot
            .objects
            .iter()
            .filter(|object| describe::is_told(object))
        {
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
    let deploy = files::read(&wanted.store.path(REPORT)).ok();
    let deploy = deploy.and_then(|file| serde_json::from_slice(&file.bytes).ok());
    let report = Report::of(&Material {
        record: &without_secrets(wanted.store.record(), &redactor),
        snapshot: seen,
        unreachable: unreachable.as_deref(),
        findings: &findings,
        gaps: &bundle.gaps(),
        deploy: deploy.as_ref(),
        bundle: &format!("{}.zip", wanted.name),
        cancelled: wanted.cancelled,
        now: Timestamp::now(),
    });
    bundle
        .add_text("report.json", report.json(), &redactor)
        .await;
    let html = redactor.text(&report.html());
    bundle
        .add_text("report.html", html.clone(), &redactor)
        .await;
    let (archive, entries) = bundle.finish(wanted.deadline).await?;
    let page = wanted.output.join(format!("{}.html", wanted.name));
    std::fs::write(&page, html).map_err(|source| BundleError {
        path: page.clone(),
        source,
    })?;
    Ok(Gathered {
        bundle: archive,
        page,
        report,
        entries,
    })
}

/// Objects and logs. Tells the redactor as soon as the cluster's secrets are known.
async fn of_cluster(
    wanted: &GatherRequest<'_>,
    bundle: &Bundle,
    deadline: Deadline,
    tell: oneshot::Sender<Arc<Redactor>>,
) -> (Snapshot, Arc<Redactor>) {
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
    // Nobody listens any more when there is no host.
    drop(tell.send(redactor.clone()));
    for object in &mut snapshot.objects {
        structure::scrub(object, &redactor);
    }
    for gap in std::mem::take(&mut snapshot.gaps) {
        bundle.missing(Gap {
            error: redactor.text(&gap.error),
            ..gap
        });
    }
    add_results(wanted, bundle, &redactor, rendered).await;
    add_objects(bundle, &snapshot, &redactor).await;
    if let Some(server) = &server {
        tracing::info!(
            "{} objects; now the logs of {} pods",
            snapshot.objects.len(),
            snapshot.pods().count()
        );
        let mut tails = Vec::new();
        let logs = async {
            let mut logs = std::pin::pin!(containers::collect(server, &snapshot));
            while let Some(found) = logs.next().await {
                match found {
                    Ok((key, log)) => {
                        tails.push((key.clone(), tail(&log.bytes, &redactor)));
                        bundle.add(layout::log(context, &key), log, &redactor).await;
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
        snapshot.tails.extend(tails);
    }
    (snapshot, redactor)
}

/// The facts of the host and what kind exports of the nodes; they are put in once it is known what must not be shown.
async fn of_host(
    wanted: &GatherRequest<'_>,
    bundle: &Bundle,
    archive: &Path,
    deadline: Deadline,
    told: oneshot::Receiver<Arc<Redactor>>,
) {
    let site = match &wanted.host {
        Ok(site) => *site,
        Err(reason) => {
            bundle.missing(Gap {
                file: "host/".to_owned(),
                error: reason.clone(),
            });
            return;
        }
    };
    let export = async {
        match wanted.kind {
            Some(kind) => host::export(site, kind, archive, deadline).await,
            None => Err(Gap {
                file: "kind/".to_owned(),
                error: "left out: no time for it in a cancelled job, or no KinD cluster of ours"
                    .to_owned(),
            }),
        }
    };
    let (facts, exported) = futures::join!(host::facts(site, deadline), export);
    let Ok(redactor) = told.await else {
        return;
    };
    let take = async |found: host::Found| match found {
        Ok((file, clipped)) => bundle.add(file, clipped, &redactor).await,
        Err(gap) => bundle.missing(Gap {
            error: redactor.text(&gap.error),
            ..gap
        }),
    };
    for fact in facts {
        take(fact).await;
    }
    if let Err(gap) = exported {
        take(Err(gap)).await;
        return;
    }
    let (send, mut files) = mpsc::channel(2);
    let path = archive.to_owned();
    let unpacking = tokio::task::spawn_blocking(move || {
        // An error means that time was up; it was noted.
        host::unpack(&path, |found| drop(send.blocking_send(found)))
    });
    let all = async {
        while let Some(found) = files.recv().await {
            take(found).await;
        }
    };
    let error = match deadline.bound(all).await {
        Err(_) => Some("not all of it could be read in the time there was".to_owned()),
        Ok(()) => unpacking
            .await
            .ok()
            .and_then(Result::err)
            .map(|error| error.to_string()),
    };
    if let Some(error) = error {
        bundle.missing(Gap {
            file: "kind/".to_owned(),
            error,
        });
    }
}

/// The results of this job; of rendered manifests their objects, which hold secrets that logs may repeat.
type Results = Vec<(PathBuf, Option<Result<Vec<Object>, String>>)>;

fn results(wanted: &GatherRequest<'_>) -> Results {
    let state = wanted.store.dir();
    let read = |path: PathBuf| {
        let is_yaml = path
            .extension()
            .is_some_and(|end| end != "log" && end.to_string_lossy().starts_with('y'));
        let objects = is_yaml.then(|| files::objects(&state.join(&path)));
        (path, objects)
    };
    files::results(state).into_iter().map(read).collect()
}

async fn add_results(
    wanted: &GatherRequest<'_>,
    bundle: &Bundle,
    redactor: &Arc<Redactor>,
    results: Results,
) {
    let stages = files::stages(wanted.store.record());
    bundle
        .add_text("artifacts/stages.json", stages, redactor)
        .await;
    for (path, objects) in results {
        let file = format!("artifacts/{}", path.display());
        let content = match objects {
            Some(objects) => objects.map(|objects| containers::Clipped {
                bytes: files::rendered(objects, redactor).into_bytes(),
                left_out: 0,
            }),
            None => files::read(&wanted.store.path(&path.to_string_lossy())),
        };
        match content {
            Ok(clipped) => bundle.add(file, clipped, redactor).await,
            Err(error) => bundle.missing(Gap { file, error }),
        }
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
            .add_text(format!("{root}/version.yaml"), yaml(version), redactor)
            .await;
    }
    for (file, content) in &snapshot.discovery {
        bundle
            .add_text(format!("{root}/{file}"), content.to_string(), redactor)
            .await;
    }
    for object in &snapshot.objects {
        let file = layout::object(&snapshot.context, object);
        bundle.add_text(file, yaml(&object.value), redactor).await;
    }
    let mut events: Vec<_> = snapshot.of_kind("", "Event").collect();
    events.sort_by_key(|event| event_time(event));
    let lines: Vec<_> = events.iter().map(|event| event.value.to_string()).collect();
    let lines = lines.join(
        "
",
    );
    bundle.add_text("events.jsonl", lines, redactor).await;
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
