//! The report: what went wrong, on one page that needs nothing else, and the short form of it for a job summary.
//!
//! Pure: given the record, the snapshot and its findings, all of them already without secrets.

mod cause;
pub mod changes;
mod markdown;
pub mod notebook;
mod pods;
mod pulls;
mod room;
mod timeline;
mod told;
mod view;
mod waterfall;

use askama::Template;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

pub use self::cause::Outcome;
use self::{
    changes::{Changes, Facts},
    notebook::{Notebook, Output},
    told::FindingRow,
};
use super::{
    diagnose::Finding,
    snapshot::{Gap, Snapshot},
    verdict::State,
};
use crate::record::{Attempt, Record};

pub use pods::{PodRow, pods};

/// Gaps and events that a page shows; the bundle has all.
const SHOWN: usize = 60;

/// What a report is made of.
#[derive(Debug)]
pub struct Material<'a> {
    /// What the stages noted.
    pub record: &'a Record,
    /// What was seen of the cluster, if there was one.
    pub snapshot: Option<&'a Snapshot>,
    /// Why nothing was seen of it, otherwise.
    pub unreachable: Option<&'a str>,
    /// Why its Secrets could not be listed, where that is so.
    pub unlisted: Option<&'a str>,
    /// What is wrong with it.
    pub findings: &'a [Finding],
    /// What could not be collected.
    pub gaps: &'a [Gap],
    /// The report of `deploy-manifests`, where it got so far.
    pub deploy: Option<&'a Value>,
    /// The executed notebooks.
    pub notebooks: Vec<Notebook>,
    /// The pods that are described on the page.
    pub pods: Vec<PodRow>,
    /// What an earlier run reported, where this one is compared with it.
    pub earlier: Option<changes::Earlier>,
    /// File name of the bundle.
    pub bundle: &'a str,
    /// Whether the job was cancelled, as far as the runner says.
    pub cancelled: bool,
    /// Now.
    pub now: Timestamp,
}

/// The page; each field is something the reader sees.
#[derive(Debug, Serialize, Template)]
#[template(path = "report.html")]
pub struct Report {
    /// `passed`, `failed`, `cancelled`, `unknown`.
    pub verdict: &'static str,
    /// Whose fault it was; absent where no stage ran.
    pub state: Option<State>,
    /// How that looks: `good`, `bad`, or neither.
    pub tone: &'static str,
    /// The cause in one line, as the stage that failed told it; empty where nothing failed.
    pub cause: String,
    /// The same without the stage, in its links: who waits, for whom, and so on to the root.
    #[serde(skip)]
    pub chain: Vec<String>,
    /// The stage that it is about.
    #[serde(skip)]
    pub at: String,
    /// What waits for what, as `deploy-manifests` has it: how deep, who, what is missing.
    #[serde(skip)]
    pub tree: Vec<cause::Branch>,
    /// What to do, where no finding says it.
    #[serde(skip)]
    pub advice: &'static str,
    /// What explains it: findings about the very objects that it is about.
    pub because: Vec<Finding>,
    /// Repository, where known.
    pub repository: String,
    /// Run and job.
    pub run: String,
    /// Page of the workflow run, where known.
    pub url: String,
    /// When the report was made.
    pub made: String,
    /// Version of the API server; empty where none answered.
    pub kubernetes: String,
    /// Why nothing was seen of the cluster.
    pub unreachable: String,
    /// Why the Secrets of the cluster could not be listed; empty where they were.
    pub unlisted: String,
    /// The stages on a common axis.
    pub stages: Vec<timeline::StageRow>,
    /// What happened meanwhile, on the same axis.
    #[serde(skip)]
    pub lanes: Vec<timeline::Lane>,
    /// Times along that axis.
    #[serde(skip)]
    pub ticks: Vec<String>,
    /// When it begins.
    #[serde(skip)]
    pub began: String,
    /// How long all of them took.
    pub took: String,
    /// Every request for an instance.
    pub attempts: Vec<Attempt>,
    /// The install, object by object.
    pub install: Option<waterfall::Waterfall>,
    /// The executed notebooks.
    #[serde(skip)]
    pub notebooks: Vec<Notebook>,
    /// What else is wrong; all of it where no stage ran that could have failed.
    pub also_seen: Vec<Finding>,
    /// Workloads that are not as they should be.
    pub workloads: Vec<view::WorkloadRow>,
    /// How many there are in all.
    pub workload_count: usize,
    /// Custom resources that are not ready.
    pub custom: Vec<view::CustomRow>,
    /// How long images took to be pulled.
    pub pulls: Option<pulls::Pulls>,
    /// Warnings of the cluster, newest first.
    pub events: Vec<view::EventRow>,
    /// Nodes.
    pub nodes: Vec<view::NodeRow>,
    /// How many objects were collected.
    pub objects: usize,
    /// How many pods.
    pub pods: usize,
    /// Pods that are described.
    #[serde(skip)]
    pub described: Vec<PodRow>,
    /// What was not collected.
    pub gaps: Vec<view::GapRow>,
    /// How many things were not collected.
    pub gap_count: usize,
    /// File name of the bundle.
    pub bundle: String,
    /// Folder of the objects in it, for `crust-gather serve`.
    pub folder: String,
    /// Whether what was deployed is in it.
    #[serde(skip)]
    pub is_deployed: bool,
    /// What another run can be compared with.
    pub facts: Facts,
    /// What has changed since an earlier run.
    pub changes: Option<Changes>,
    /// Version of this program.
    pub version: &'static str,
}

impl Report {
    /// Puts a report together.
    pub fn of(material: Material<'_>) -> Self {
        let Material {
            record,
            snapshot,
            now,
            ..
        } = material;
        let stages = cause::counted(record);
        let outcome = Outcome::of(&stages, material.cancelled);
        let (because, also_seen): (Vec<Finding>, Vec<Finding>) = material
            .findings
            .iter()
            .cloned()
            .partition(|finding| outcome.is_explained_by(finding));
        let (workloads, workload_count) = snapshot.map_or((Vec::new(), 0), view::workloads);
        let axis = timeline::Axis::of(&stages, now).or(snapshot.map(timeline::Axis::before));
        let facts = Facts::of(snapshot, &stages, material.deploy);
        let changes = material.earlier.map(|it| Changes::between(&it, &facts));
        let (at, chain) = outcome.chain(material.findings);
        let tree = material.deploy.filter(|_| at == "deploy-manifests");
        Self {
            verdict: outcome.word(),
            state: State::of(outcome, because.first().map(|it| it.class)),
            tone: match outcome {
                Outcome::Passed => "good",
                Outcome::Unknown if material.findings.is_empty() => "",
                _ => "bad",
            },
            cause: outcome.cause(material.findings),
            advice: outcome.advice(),
            tree: tree.map_or(Vec::new(), cause::tree),
            chain,
            at,
            because,
            also_seen,
            repository: room::sentence(record.run.repository.as_deref().unwrap_or_default()),
            run: format!(
                "{} · {} · attempt {}",
                record.run.id, record.run.job, record.run.attempt
            ),
            url: room::sentence(record.run.url.as_deref().unwrap_or_default()),
            made: now.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            kubernetes: snapshot
                .and_then(|snapshot| snapshot.version.as_ref())
                .map_or(String::new(), |version| {
                    room::sentence(super::snapshot::text(version, "/gitVersion"))
                }),
            unreachable: room::sentence(material.unreachable.unwrap_or_default()),
            unlisted: room::sentence(material.unlisted.unwrap_or_default()),
            took: axis
                .filter(|_| !stages.is_empty())
                .map_or(String::new(), timeline::Axis::took),
            began: axis.map_or(String::new(), timeline::Axis::begin),
            ticks: axis.map_or(Vec::new(), timeline::Axis::ticks),
            lanes: snapshot
                .zip(axis)
                .map_or(Vec::new(), |(it, axis)| timeline::lanes(it, axis)),
            attempts: record.attempts().to_vec(),
            stages: timeline::stages(&stages, axis, now),
            install: material.deploy.and_then(waterfall::Waterfall::of),
            notebooks: material.notebooks,
            workloads,
            workload_count,
            custom: snapshot.map_or(Vec::new(), view::custom),
            pulls: snapshot.and_then(pulls::pulls),
            events: snapshot.map_or(Vec::new(), view::events),
            nodes: snapshot.map_or(Vec::new(), view::nodes),
            objects: snapshot.map_or(0, |snapshot| snapshot.objects.len()),
            pods: snapshot.map_or(0, |snapshot| snapshot.pods().count()),
            described: material.pods,
            gaps: view::gaps(material.gaps),
            gap_count: material.gaps.len(),
            bundle: material.bundle.to_owned(),
            folder: snapshot.map_or(String::new(), |snapshot| {
                super::layout::root(&snapshot.context)
            }),
            is_deployed: material.deploy.is_some(),
            facts,
            changes,
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// The finding that tells most: what explains the cause, or where no stage ran what is wrong.
    fn first(&self) -> Option<FindingRow> {
        let shown = if self.verdict == "unknown" {
            &self.also_seen
        } else {
            &self.because
        };
        shown.first().map(FindingRow::of)
    }

    /// The findings under their titles; a title without any is left out.
    fn told(&self) -> impl Iterator<Item = (&'static str, &[Finding])> {
        let rest = if self.verdict == "unknown" {
            "What is wrong"
        } else {
            "Also seen"
        };
        let parts = [("Because", &self.because[..]), (rest, &self.also_seen[..])];
        parts
            .into_iter()
            .filter(|(_, findings)| !findings.is_empty())
    }

    /// What to do first.
    fn todo(&self) -> Option<&'static str> {
        let remedy = self.first().map(|first| first.remedy);
        remedy.or((!self.advice.is_empty()).then_some(self.advice))
    }

    /// Whether each node is as it should be.
    fn are_nodes_good(&self) -> bool {
        self.nodes.iter().all(|node| node.good)
    }

    /// What the page tells below the cause: findings that fit, by title, and how many do not.
    fn others(&self) -> Vec<(&'static str, Vec<FindingRow>, usize)> {
        let mut first = usize::from(self.first().is_some());
        let mut parts = Vec::new();
        for (title, findings) in self.told() {
            let skipped = std::mem::take(&mut first).min(findings.len());
            let rows = findings[skipped..].iter().map(FindingRow::of);
            let (rows, more) = room::fit(rows, room::FINDINGS);
            if !rows.is_empty() {
                parts.push((title, rows, more));
            }
        }
        parts
    }

    /// Whether the test is what failed: then its cells come first.
    fn is_test(&self) -> bool {
        self.notebooks.iter().any(Notebook::has_failed)
    }

    /// The rows of a table that fit, and how many do not.
    fn shown<T: Serialize>(rows: &[T]) -> (Vec<&T>, usize) {
        room::fit(rows.iter(), room::TABLE)
    }

    /// A text in its pieces: whether each is code, between backticks, and what it says.
    fn pieces(text: &str) -> Vec<(bool, &str)> {
        let pieces = text.split('`').enumerate();
        pieces.map(|(at, piece)| (at % 2 == 1, piece)).collect()
    }

    /// How to look further and to try it again: what for, and the commands.
    fn commands(&self) -> Vec<(&'static str, String)> {
        let bundle = quoted(&self.bundle);
        let unpacked = quoted(self.bundle.trim_end_matches(".zip"));
        let mut commands = vec![(
            "What is wrong, told by the bundle alone:",
            format!("manifests-e2e diagnose {bundle}"),
        )];
        if !self.folder.is_empty() {
            let folder = quoted(&self.folder);
            commands.push((
                "The cluster as it was, for kubectl and k9s:",
                format!(
                    "unzip -q {bundle} -d {unpacked}\ncrust-gather serve --archive {unpacked}/{folder}"
                ),
            ));
        }
        if self.is_deployed {
            // The minor version alone: not each patch has an image of a node.
            let mut parts = self.kubernetes.trim_start_matches('v').split('.');
            let version = match (parts.next(), parts.next()) {
                (Some(major), Some(minor)) => {
                    format!(
                        " --kubernetes-version {}",
                        quoted(&format!("{major}.{minor}"))
                    )
                }
                _ => String::new(),
            };
            let test = match self.notebooks.first() {
                Some(notebook) => format!(" --notebook {unpacked}/{}", quoted(&notebook.file)),
                None => String::new(),
            };
            commands.push((
                "The same again on this machine. Values of Secrets are masked in the bundle; where they matter, name your own manifests:",
                format!(
                    "unzip -q {bundle} -d {unpacked}\nmanifests-e2e run --until test{version} --manifests {unpacked}/artifacts/rendered.yaml{test}"
                ),
            ));
        }
        commands
    }

    /// What comes first where the Secrets are not known.
    fn warning(&self) -> String {
        format!(
            "The cluster's Secrets could not be listed ({}). Only what looks like a secret was taken out. Logs of containers that use Secrets are left out.",
            self.unlisted
        )
    }

    /// The page as HTML.
    pub fn html(&self) -> String {
        self.render().expect("a template without filters that fail")
    }

    /// The report for machines.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report is plain data")
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=".contains(c);
    if word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests;
