//! The report: what went wrong, on one page that needs nothing else, and the short form of it for a job summary.
//!
//! Pure: given the record, the snapshot and its findings, all of them already without secrets.

mod cause;
mod view;
mod waterfall;

use std::fmt::Write as _;

use askama::Template;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use self::cause::Outcome;
use super::{
    diagnose::Finding,
    snapshot::{Gap, Snapshot},
};
use crate::{
    record::{Attempt, Record, StageRecord},
    report::escape_markdown,
};

/// Gaps and events that a page shows; the bundle has all.
const SHOWN: usize = 60;

/// Findings that a summary lists under a title.
const LISTED: usize = 8;

/// What a report is made of.
#[derive(Debug)]
pub struct Material<'a> {
    /// What the stages noted.
    pub record: &'a Record,
    /// What was seen of the cluster, if there was one.
    pub snapshot: Option<&'a Snapshot>,
    /// Why nothing was seen of it, otherwise.
    pub unreachable: Option<&'a str>,
    /// What is wrong with it.
    pub findings: &'a [Finding],
    /// What could not be collected.
    pub gaps: &'a [Gap],
    /// The report of `deploy-manifests`, where it got so far.
    pub deploy: Option<&'a Value>,
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
    /// How that looks: `good`, `bad`, or neither.
    pub tone: &'static str,
    /// The cause in one line, as the stage that failed told it; empty where nothing failed.
    pub cause: String,
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
    /// The stages on a common axis.
    pub stages: Vec<view::StageRow>,
    /// How long all of them took.
    pub took: String,
    /// Every request for an instance.
    pub attempts: Vec<Attempt>,
    /// The install, object by object.
    pub install: Option<waterfall::Waterfall>,
    /// What else is wrong; all of it where no stage ran that could have failed.
    pub also_seen: Vec<Finding>,
    /// Workloads that are not as they should be.
    pub workloads: Vec<view::WorkloadRow>,
    /// How many there are in all.
    pub workload_count: usize,
    /// Warnings of the cluster, newest first.
    pub events: Vec<view::EventRow>,
    /// Nodes.
    pub nodes: Vec<view::NodeRow>,
    /// How many objects were collected.
    pub objects: usize,
    /// How many pods.
    pub pods: usize,
    /// What was not collected.
    pub gaps: Vec<view::GapRow>,
    /// How many things were not collected.
    pub gap_count: usize,
    /// File name of the bundle.
    pub bundle: String,
    /// Folder of the objects in it, for `crust-gather serve`.
    pub folder: String,
    /// Version of this program.
    pub version: &'static str,
}

impl Report {
    /// Puts a report together.
    pub fn of(material: &Material<'_>) -> Self {
        let Material {
            record, snapshot, ..
        } = material;
        let stages: Vec<&StageRecord> = record
            .stages
            .iter()
            .filter(|stage| stage.stage != crate::stages::Stage::GatherLogs.name())
            .collect();
        let outcome = Outcome::of(&stages, material.cancelled);
        let (because, also_seen) = material
            .findings
            .iter()
            .cloned()
            .partition(|finding| outcome.is_explained_by(finding));
        let (workloads, workload_count) = snapshot.map_or((Vec::new(), 0), view::workloads);
        Self {
            verdict: outcome.word(),
            tone: match outcome {
                Outcome::Passed => "good",
                Outcome::Unknown if material.findings.is_empty() => "",
                _ => "bad",
            },
            cause: outcome.cause(material.findings),
            because,
            also_seen,
            repository: record.run.repository.clone().unwrap_or_default(),
            run: format!(
                "{} · {} · attempt {}",
                record.run.id, record.run.job, record.run.attempt
            ),
            url: record.run.url.clone().unwrap_or_default(),
            made: material.now.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            kubernetes: snapshot
                .and_then(|snapshot| snapshot.version.as_ref())
                .map_or(String::new(), |version| {
                    super::snapshot::text(version, "/gitVersion").to_owned()
                }),
            unreachable: material.unreachable.unwrap_or_default().to_owned(),
            took: view::took(&stages, material.now),
            attempts: record.attempts().to_vec(),
            stages: view::stages(&stages, material.now),
            install: material.deploy.and_then(waterfall::Waterfall::of),
            workloads,
            workload_count,
            events: snapshot.map_or(Vec::new(), view::events),
            nodes: snapshot.map_or(Vec::new(), view::nodes),
            objects: snapshot.map_or(0, |snapshot| snapshot.objects.len()),
            pods: snapshot.map_or(0, |snapshot| snapshot.pods().count()),
            gaps: view::gaps(material.gaps),
            gap_count: material.gaps.len(),
            bundle: material.bundle.to_owned(),
            folder: snapshot.map_or(String::new(), |snapshot| {
                super::layout::root(&snapshot.context)
            }),
            version: env!("CARGO_PKG_VERSION"),
        }
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

    /// The page as HTML.
    pub fn html(&self) -> String {
        self.render().expect("a template without filters that fail")
    }

    /// The report for machines.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report is plain data")
    }

    /// The short form for a job summary.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        let sign = match self.verdict {
            "passed" => "✅",
            "unknown" => "ℹ️",
            _ => "❌",
        };
        writeln!(text, "### {sign} {}\n", self.verdict).expect("a string takes any text");
        if !self.cause.is_empty() {
            writeln!(text, "**{}**\n", escape_markdown(&self.cause))
                .expect("a string takes any text");
        }
        if !self.stages.is_empty() {
            text.push_str("| stage | result | time |\n|---|---|---|\n");
            for stage in &self.stages {
                writeln!(
                    text,
                    "| {} | {} | {} |",
                    stage.name, stage.result, stage.took
                )
                .expect("a string takes any text");
            }
            text.push('\n');
        }
        for (title, findings) in self.told() {
            writeln!(text, "{title}:\n").expect("a string takes any text");
            for finding in findings.iter().take(LISTED) {
                writeln!(
                    text,
                    "- **{}** {}",
                    finding.class.title(),
                    escape_markdown(&finding.line())
                )
                .expect("a string takes any text");
            }
            if let Some(more @ 1..) = findings.len().checked_sub(LISTED) {
                writeln!(text, "- … and {more} more in the report")
                    .expect("a string takes any text");
            }
            text.push('\n');
        }
        if !self.unreachable.is_empty() {
            writeln!(
                text,
                "\nNothing was collected of the cluster: {}",
                escape_markdown(&self.unreachable)
            )
            .expect("a string takes any text");
        }
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests;
