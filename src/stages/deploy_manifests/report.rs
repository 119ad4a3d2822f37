//! What a deploy leaves to read: a report of every object, a table of times, the job summary.

use serde_json::{Value, json};

use super::lint;
use crate::{
    deploy::{Journal, REPORT},
    github::commands,
    record::{RecordError, write_private},
    report::Failure,
    set::lint::LintFinding,
    stages::Context,
};

/// The times of the report as a table: tab-separated, in milliseconds since the begin.
const TIMING: &str = "deploy-timing.tsv";

/// A deploy that is over.
pub(super) struct DeployReport<'a, P> {
    pub(super) version: &'a str,
    /// The sha256 of what was rendered, in hex.
    pub(super) hash: &'a str,
    pub(super) legacy: bool,
    pub(super) wait: bool,
    pub(super) findings: &'a [LintFinding],
    pub(super) journal: &'a Journal,
    /// What was pruned, or why it failed.
    pub(super) result: &'a Result<P, Failure>,
}

impl<P: serde::Serialize> DeployReport<'_, P> {
    /// Writes it all, and says where the report is: it is wanted most where the deploy failed.
    pub(super) fn leave(&self, context: &Context) -> Result<(), RecordError> {
        let path = context.store.path(REPORT);
        write_private(&path, self.report().to_string().as_bytes())?;
        context.tell("report", [path.display().to_string()]);
        let table = self.journal.table();
        write_private(&context.store.path(TIMING), table.as_bytes())?;
        if context.env.on_runner() {
            commands::folded("when each object was sent, accepted and ready", &table);
        }
        let summary = self.journal.markdown(self.result.is_ok());
        context.summarize(&summary);
        lint::summarize(self.findings, context);
        Ok(())
    }

    fn report(&self) -> Value {
        json!({
            "server": self.version,
            "sha256": self.hash,
            "order": if self.legacy { "legacy" } else { "gated" },
            "wait": self.wait,
            "lint": self.findings,
            "passed": self.result.is_ok(),
            "cause": self.result.as_ref().err().map(|failure| &failure.cause),
            "pruned": self.result.as_ref().ok(),
            "deployment": self.journal,
        })
    }
}
