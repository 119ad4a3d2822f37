//! The plan in words, for a log, and as a table, for a job summary.

use std::fmt::Write as _;

use super::{
    changes::Changes,
    select::{Decision, quoted},
    subject::Subject,
};
use crate::report::escape_markdown;

/// A number with its noun: `1 job`, `2 jobs`.
pub fn counted(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// What is tested, in one line.
fn head(subject: &Subject, changes: Option<&Changes>) -> String {
    let mut text = format!("{} of {}", subject.job, subject.repository());
    if let Some(pull) = &subject.pull {
        write!(text, ", pull request {}", pull.number).expect("a String takes everything");
    }
    if let Some(commit) = &subject.commit {
        write!(text, ", commit {commit}").expect("a String takes everything");
    }
    match changes {
        Some(Changes::Files(files)) => write!(text, ", {}", counted(files.len(), "changed file")),
        Some(Changes::All(why)) => write!(text, ", every file counts as changed: {why}"),
        None => Ok(()),
    }
    .expect("a String takes everything");
    text
}

/// How many workflows run.
fn running(decisions: &[Decision<'_>]) -> usize {
    decisions.iter().filter(|one| one.why.runs()).count()
}

/// A line for each workflow.
pub fn words(
    subject: &Subject,
    file: &str,
    changes: Option<&Changes>,
    decisions: &[Decision<'_>],
    jobs: usize,
) -> String {
    let mut text = format!("{}\n", quoted(&head(subject, changes)));
    for one in decisions {
        let verb = if one.why.runs() { "runs" } else { "skips" };
        writeln!(
            text,
            "{verb:<6} {}: {}",
            quoted(&one.workflow.name),
            one.why.words()
        )
        .expect("a String takes everything");
    }
    let running = running(decisions);
    writeln!(
        text,
        "{running} of {} workflows of {file} run, as {}",
        decisions.len(),
        counted(jobs, "job")
    )
    .expect("a String takes everything");
    text
}

/// The same, in Markdown.
pub fn markdown(
    subject: &Subject,
    file: &str,
    changes: Option<&Changes>,
    decisions: &[Decision<'_>],
    jobs: usize,
) -> String {
    let cell = |text: &str| escape_markdown(&quoted(text));
    let running = running(decisions);
    let mut text = format!(
        "### plan: {running} of {} workflows run, as {}\n\n{}; configuration: {}\n\n| workflow | runs | why |\n|---|---|---|\n",
        decisions.len(),
        counted(jobs, "job"),
        cell(&head(subject, changes)),
        cell(file)
    );
    for one in decisions {
        let runs = if one.why.runs() { "yes" } else { "no" };
        writeln!(
            text,
            "| {} | {runs} | {} |",
            cell(&one.workflow.name),
            escape_markdown(&one.why.words())
        )
        .expect("a String takes everything");
    }
    text.push('\n');
    text
}
