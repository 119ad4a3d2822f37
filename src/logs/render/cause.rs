//! The cause: what the stage that failed said of itself. Findings explain it, or are told beside it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::room;
use crate::{
    logs::diagnose::Finding,
    record::{Record, StageRecord},
    report::Exit,
    stages::Stage,
};

/// Lines of the tree of what waits for what.
const BRANCHES: usize = 14;

/// Those who wait for one object that are named.
const TWIGS: usize = 4;

/// One line of that tree.
#[derive(Debug, Serialize)]
pub struct Branch {
    /// How deep it is: 0 is a root.
    pub depth: usize,
    /// Who.
    pub object: String,
    /// What is missing of it.
    pub missing: String,
    /// How many others wait for it.
    pub waiting: usize,
}

/// A cause as `deploy-manifests` reports it.
#[derive(Deserialize)]
struct Waits {
    object: String,
    missing: String,
    waiting: usize,
    below: Vec<Waits>,
}

/// What the stages came to.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// No stage of ours ran: whoever asks has a cluster and no more.
    Unknown,
    /// Each stage passed.
    Passed,
    /// A stage failed.
    Failed(&'a StageRecord),
    /// A stage was killed.
    CutShort(&'a StageRecord),
    /// The job was cancelled, in this stage of ours where it was in one.
    Cancelled(Option<&'a StageRecord>),
}

impl<'a> Outcome<'a> {
    /// What they came to; `cancelled` is what the runner says of the job.
    pub fn of(stages: &[&'a StageRecord], cancelled: bool) -> Self {
        let failed = stages
            .iter()
            .enumerate()
            .filter(|(_, stage)| stage.exit.is_some_and(|exit| exit != 0))
            .find(|(at, stage)| !made_good(stage, &stages[at + 1..]))
            .map(|(_, stage)| *stage);
        let open = stages.iter().copied().find(|stage| stage.exit.is_none());
        match (failed, open) {
            (Some(stage), _) if stage.exit == Some(Exit::Cancelled.code()) => {
                Self::Cancelled(Some(stage))
            }
            (Some(stage), _) => Self::Failed(stage),
            (None, open) if cancelled => Self::Cancelled(open),
            (None, Some(stage)) => Self::CutShort(stage),
            (None, None) if stages.is_empty() => Self::Unknown,
            (None, None) => Self::Passed,
        }
    }

    /// In a word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::CutShort(_) => "cut short",
            Self::Cancelled(_) => "cancelled",
        }
    }

    /// The cause in one line; empty where nothing failed.
    pub fn cause(self, findings: &[Finding]) -> String {
        match self {
            Self::Unknown => findings.first().map_or(String::new(), Finding::line),
            Self::Passed => String::new(),
            Self::Failed(stage) => format!("{}: {}", stage.stage, stage.cause),
            Self::CutShort(stage) => format!("{} did not come to its end", stage.stage),
            Self::Cancelled(Some(stage)) => format!("{}: cancelled", stage.stage),
            Self::Cancelled(None) => "the job was cancelled".to_owned(),
        }
    }

    /// The stage, and the cause without it in its links: who waits, and for whom.
    pub(super) fn chain(self, findings: &[Finding]) -> (String, Vec<String>) {
        let said = self.cause(findings);
        let stage = match self {
            Self::Failed(stage) | Self::CutShort(stage) | Self::Cancelled(Some(stage)) => {
                stage.stage.clone()
            }
            _ => String::new(),
        };
        let said = said.strip_prefix(&stage).unwrap_or(&said);
        let said = said.trim_start_matches([':', ' ']);
        let links = room::sentence(said);
        let links = links.split(" ← ").map(str::to_owned);
        (stage, links.filter(|link| !link.is_empty()).collect())
    }

    /// What to do where no finding says it.
    pub(super) fn advice(self) -> &'static str {
        let stage = match self {
            Self::Failed(stage) => stage,
            Self::CutShort(_) => {
                return "Look at the log of the job: the step, or the whole runner, was ended from outside.";
            }
            _ => return "",
        };
        let is = |it: Stage| stage.stage == it.name();
        if is(Stage::ProvisionEc2) {
            "Look at the requests for an instance below; `manifests-e2e doctor` tries account, network and quotas."
        } else if is(Stage::InstallKind) {
            "Look at the logs of the nodes, in `kind/` of the bundle."
        } else if is(Stage::DeployManifests) {
            "Look at what is not ready below; the bundle has each object's description and log."
        } else if is(Stage::RunMnistNotebookJob) {
            "Read the cell or the log that failed, then try it again with the commands at the end of this page."
        } else {
            ""
        }
    }

    /// Whether a finding explains the cause: it is about an object that the cause is about.
    pub(super) fn is_explained_by(self, finding: &Finding) -> bool {
        let Self::Failed(stage) = self else {
            return false;
        };
        // Of a chain `x waits ← webhook ← Deployment ← pod: reason` the first link is a victim.
        let links = stage.cause.split(" ← ");
        let culprits: Vec<&str> = links.filter(|link| !link.ends_with(" waits")).collect();
        finding.concerns(&|object: &str| {
            stage.about.iter().any(|it| it == object)
                || culprits.iter().any(|link| names(link, object))
        })
    }
}

/// What waits for what, by the report of `deploy-manifests`: the roots with most below them first.
pub(super) fn tree(deploy: &Value) -> Vec<Branch> {
    fn grow(depth: usize, causes: &[Waits], most: usize, tree: &mut Vec<Branch>) {
        for cause in causes.iter().take(most) {
            if tree.len() == BRANCHES {
                return;
            }
            tree.push(Branch {
                depth: depth.min(8),
                object: room::sentence(&cause.object),
                missing: room::sentence(&cause.missing),
                waiting: cause.waiting,
            });
            grow(depth + 1, &cause.below, TWIGS, tree);
        }
    }
    let causes = deploy
        .pointer("/deployment/causes")
        .cloned()
        .unwrap_or_default();
    let causes: Vec<Waits> = serde_json::from_value(causes).unwrap_or_default();
    let mut tree = Vec::new();
    grow(0, &causes, BRANCHES, &mut tree);
    // One line without anybody who waits says what the cause says.
    if tree.len() > 1 { tree } else { Vec::new() }
}

/// Whether a text has an object's name, which is not the part of a longer one.
fn names(text: &str, object: &str) -> bool {
    text.match_indices(object).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let mut after = text[at + object.len()..].chars();
        let goes_on = match after.next() {
            // The end of a sentence, or the middle of a name.
            Some('.') => after.next().is_some_and(char::is_alphanumeric),
            Some(next) => next.is_alphanumeric() || next == '-',
            None => false,
        };
        !goes_on && !before.is_some_and(char::is_alphanumeric)
    })
}

/// Whether a step that was run again got its host or its cluster; a test that failed once stays failed.
fn made_good(failed: &StageRecord, later: &[&StageRecord]) -> bool {
    let again = later.iter().rev().find(|stage| stage.stage == failed.stage);
    matches!(failed.stage.as_str(), "provision-ec2" | "install-kind")
        && again.is_some_and(|stage| stage.exit == Some(0))
}

/// The stages that the verdict is made of. On a laptop the record goes on for as long as the host is there, and what failed
/// yesterday is none of today's business: there the last run of each stage counts.
pub(super) fn counted(record: &Record) -> Vec<&StageRecord> {
    let all = &record.stages;
    let is_last = |at: usize| {
        all[at + 1..]
            .iter()
            .all(|later| later.stage != all[at].stage)
    };
    (0..all.len())
        .filter(|at| !record.run.is_local() || is_last(*at))
        .map(|at| &all[at])
        .filter(|stage| stage.stage != Stage::GatherLogs.name())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_of_a_deploy_names_the_root_first_and_some_who_wait() {
        let leaf = |name: &str| serde_json::json!({"object": name, "missing": "waits", "waiting": 0, "below": []});
        let many: Vec<Value> = (0..9).map(|at| leaf(&format!("Job n/{at}"))).collect();
        let root = serde_json::json!({"object": "Deployment n/web", "missing": "ImagePullBackOff", "waiting": 9, "below": many});
        let deploy = |causes: Value| serde_json::json!({"deployment": {"causes": causes}});
        let told = tree(&deploy(serde_json::json!([root])));
        let told: Vec<_> = told
            .iter()
            .map(|it| (it.depth, it.object.as_str(), it.waiting))
            .collect();
        assert_eq!(told[0], (0, "Deployment n/web", 9));
        assert_eq!((told.len(), told[1]), (1 + TWIGS, (1, "Job n/0", 0)));
        assert!(tree(&deploy(serde_json::json!([leaf("Job n/a")]))).is_empty());
        assert!(tree(&Value::Null).is_empty());
    }

    #[test]
    fn a_name_is_not_found_in_a_longer_one() {
        let cause = "Deployment n/web-2 failed, CronJob n/a too; see Job n/b.";
        assert!(names(cause, "Deployment n/web-2") && names(cause, "Job n/b"));
        assert!(!names(cause, "Deployment n/web") && !names(cause, "Job n/a"));
        assert!(!names("Service n/a.b: no", "Service n/a"));
    }
}
