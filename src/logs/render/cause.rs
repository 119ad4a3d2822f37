//! The cause: what the stage that failed said of itself. Findings explain it, or are told beside it.

use crate::{logs::diagnose::Finding, record::StageRecord, report::Exit};

/// What the stages came to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome<'a> {
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
    pub(super) fn of(stages: &[&'a StageRecord], cancelled: bool) -> Self {
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
    pub(super) fn cause(self, findings: &[Finding]) -> String {
        match self {
            Self::Unknown => findings.first().map_or(String::new(), Finding::line),
            Self::Passed => String::new(),
            Self::Failed(stage) => format!("{}: {}", stage.stage, stage.cause),
            Self::CutShort(stage) => format!("{} did not come to its end", stage.stage),
            Self::Cancelled(Some(stage)) => format!("{}: cancelled", stage.stage),
            Self::Cancelled(None) => "the job was cancelled".to_owned(),
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
        finding.affects.iter().any(|object| {
            stage.about.contains(object) || culprits.iter().any(|link| names(link, object))
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_not_found_in_a_longer_one() {
        let cause = "Deployment n/web-2 failed, CronJob n/a too; see Job n/b.";
        assert!(names(cause, "Deployment n/web-2") && names(cause, "Job n/b"));
        assert!(!names(cause, "Deployment n/web") && !names(cause, "Job n/a"));
        assert!(!names("Service n/a.b: no", "Service n/a"));
    }
}
