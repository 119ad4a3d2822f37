//! The short form of the report, for a job summary.

use std::fmt::Write as _;

use super::Report;
use crate::report::escape_markdown;

/// Findings that a summary lists under a title.
const LISTED: usize = 8;

impl Report {
    /// The short form for a job summary.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        let sign = match self.verdict {
            "passed" => "✅",
            "unknown" => "ℹ️",
            _ => "❌",
        };
        if !self.unlisted.is_empty() {
            writeln!(
                text,
                "> [!WARNING]\n> {}\n",
                escape_markdown(&self.warning())
            )
            .expect("a string takes any text");
        }
        writeln!(text, "### {sign} {}\n", self.verdict).expect("a string takes any text");
        if !self.cause.is_empty() {
            writeln!(text, "**{}**\n", escape_markdown(&self.cause))
                .expect("a string takes any text");
        }
        if let Some(todo) = self.todo() {
            writeln!(text, "What to do: {todo}\n").expect("a string takes any text");
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
        if let Some(changes) = &self.changes {
            let since = escape_markdown(&changes.since);
            if changes.rows.is_empty() {
                writeln!(text, "Nothing has changed since {since}\n")
                    .expect("a string takes any text");
            } else {
                writeln!(
                    text,
                    "Changed since {since}:\n\n| | what | before | now |\n|---|---|---|---|"
                )
                .expect("a string takes any text");
            }
            for row in changes.rows.iter().take(LISTED) {
                writeln!(
                    text,
                    "| {} | {} | {} | {} |",
                    row.what,
                    escape_markdown(&row.object),
                    escape_markdown(&row.before),
                    escape_markdown(&row.now)
                )
                .expect("a string takes any text");
            }
            if let Some(more @ 1..) = changes.rows.len().checked_sub(LISTED) {
                writeln!(text, "\n… and {more} more in the report")
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
