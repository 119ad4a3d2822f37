//! Failures as people and machines read them: cause chain, hint, what is left, exit code, annotation.
//!
//! Given a room's error. Beside it only `main`, `progress`, `github` and the last words of `stages/run.rs` print.

mod bad_input;

use std::{error::Error, fmt, io::Write as _};

pub use bad_input::BadInput;

use crate::{
    github::commands, inputs::Environment, limits::humane, progress, stages::Stage, wait::WaitError,
};

/// The exit codes of the binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// What was to be proven holds.
    Passed = 0,
    /// The test or the manifests failed.
    TestFailed = 1,
    /// An input is wrong; nothing was created.
    BadInput = 2,
    /// The machine, the cluster, a registry or the network failed.
    Infrastructure = 3,
    /// Something is left behind.
    Leftovers = 4,
    /// A bug of ours.
    Bug = 101,
    /// The stage's time limit passed.
    TimeLimit = 124,
    /// Cancelled by a signal.
    Cancelled = 130,
}

impl Exit {
    /// The number the process exits with.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// What a failure leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// Nothing was made.
    None,
    /// What was made carries our tags or names; `teardown` finds it.
    Tagged,
    /// What was applied to a cluster that is not of this job; `teardown` does not look there.
    Applied,
    /// It cannot be told.
    Unknown,
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Tagged => "tagged",
            Self::Applied => "applied",
            Self::Unknown => "unknown",
        })
    }
}

/// A room's error that knows what it means for the verdict.
pub trait Explain: Error + Send + Sync + 'static {
    /// The exit code it leads to.
    fn exit(&self) -> Exit;

    /// What the reader can do about it.
    fn hint(&self) -> Option<String> {
        None
    }

    /// Lines below the cause: the objects, the attempts.
    fn details(&self) -> Vec<String> {
        Vec::new()
    }
}

/// How a stage failed: the one thing that crosses the boundary of a stage.
#[derive(Debug)]
pub struct Failure {
    /// Exit code.
    pub exit: Exit,
    /// The cause in one line.
    pub cause: String,
    /// Below it: objects, attempts, then the chain of causes.
    pub details: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// What is left.
    pub leftover: Leftover,
    /// Objects of the cluster that it is about and that the cause does not name: `Job namespace/name`.
    pub about: Vec<String>,
}

impl Failure {
    /// A failure without a room's error behind it.
    pub fn new(exit: Exit, cause: impl Into<String>) -> Self {
        Self {
            exit,
            cause: cause.into(),
            details: Vec::new(),
            hint: None,
            leftover: if exit == Exit::BadInput {
                Leftover::None
            } else {
                Leftover::Unknown
            },
            about: Vec::new(),
        }
    }

    /// Says what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says what it leaves.
    #[must_use]
    pub fn leaving(mut self, leftover: Leftover) -> Self {
        self.leftover = leftover;
        self
    }

    /// Says which objects of the cluster it is about, beside those that the cause names.
    #[must_use]
    pub fn about(mut self, objects: impl IntoIterator<Item = String>) -> Self {
        self.about.extend(objects);
        self
    }

    /// The cause in one line, with the innermost reason where it says more.
    pub fn line(&self) -> String {
        one_line(&self.cause)
    }
}

impl<E: Explain> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut failure = Self::new(error.exit(), one_line(&error.to_string()));
        failure.hint = error.hint();
        failure.details = error.details();
        let mut said = failure.cause.clone();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = one_line(&cause.to_string());
            // A line that its parent has said already is dropped; kube's errors do that.
            if !said.contains(&text) {
                said.clone_from(&text);
                failure.details.push(format!("caused by: {text}"));
            }
            source = cause.source();
        }
        failure
    }
}

/// Turns a wait's end into the error of a room, which names the two cases.
pub fn waited<E, R>(
    error: WaitError<E>,
    timed_out: impl FnOnce(String) -> R,
    failed: impl FnOnce(E) -> R,
) -> R {
    match error {
        WaitError::TimedOut { what, last, waited } => timed_out(format!(
            "{what}: not there after {}: {last}",
            humane(waited)
        )),
        WaitError::Failed(error) => failed(error),
    }
}

/// The failure as text for a terminal or a log.
pub fn text(stage: Option<Stage>, failure: &Failure) -> String {
    let mut text = match stage {
        Some(stage) => format!("error: {}: {}\n", stage.name(), failure.line()),
        None => format!("error: {}\n", failure.line()),
    };
    for detail in &failure.details {
        for line in detail.lines() {
            text.push_str("  ");
            text.push_str(line);
            text.push('\n');
        }
    }
    if let Some(hint) = &failure.hint {
        text.push_str("\nhint: ");
        text.push_str(hint);
        text.push('\n');
    }
    if failure.leftover != Leftover::None {
        text.push_str(match failure.leftover {
            Leftover::Tagged => "left behind: tagged (`teardown` finds it)\n",
            Leftover::Applied => {
                "left behind: what was applied stays in the cluster (`teardown` does not remove it)\n"
            }
            _ => "left behind: unknown (run `teardown`)\n",
        });
    }
    text
}

/// Prints lines to standard output that a stage is for.
pub fn say(lines: &str) {
    // A closed pipe is the reader's business.
    drop(writeln!(std::io::stdout(), "{}", lines.trim_end()));
}

/// Prints what was asked for to standard output, else why it cannot be had.
pub fn document(text: Result<String, Failure>, env: &Environment) -> Exit {
    match text {
        Ok(text) => {
            say(&text);
            Exit::Passed
        }
        Err(failure) => {
            print(None, &failure, env.on_runner());
            failure.exit
        }
    }
}

/// Prints the failure to standard error and, on a runner, as an annotation.
#[expect(clippy::print_stderr, reason = "this is the module that prints")]
pub fn print(stage: Option<Stage>, failure: &Failure, on_runner: bool) {
    let text = text(stage, failure);
    progress::note(&text);
    if !on_runner {
        eprint!("{text}");
        return;
    }
    eprintln!("{}", commands::harmless(&text));
    let mut message = failure.line();
    for part in failure.details.iter().chain(&failure.hint) {
        message.push('\n');
        message.push_str(part);
    }
    commands::error(title(stage), &message);
}

fn title(stage: Option<Stage>) -> &'static str {
    stage.map_or("manifests-e2e", Stage::name)
}

/// Prints what a stage was asked to show, to standard output; on a runner nothing in it is a command.
pub fn show(text: &str, on_runner: bool) {
    let text = if on_runner {
        format!("{}\n", commands::harmless(text))
    } else {
        text.to_owned()
    };
    // A closed pipe does not change the verdict.
    drop(std::io::stdout().write_all(text.as_bytes()));
}

/// Says what stops nothing: each line to the log and, on a runner, all of them as one annotation.
pub fn warn(stage: Stage, lines: &[String], on_runner: bool) {
    for line in lines {
        tracing::warn!("{line}");
    }
    if on_runner && !lines.is_empty() {
        commands::warning(stage.name(), &lines.join("\n"));
    }
}

/// What clap refused, in one line, with what it knows of a remedy.
pub fn bad_input(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let mut paragraphs = text
        .split("\n\n")
        .map(one_line)
        .filter(|line| !line.is_empty());
    let cause = paragraphs.next().unwrap_or_default();
    let failure = Failure::new(Exit::BadInput, cause.trim_start_matches("error: "));
    let hint: Vec<String> = paragraphs
        .filter(|line| !line.starts_with("Usage:"))
        .collect();
    if hint.is_empty() {
        failure
    } else {
        failure.hint(hint.join(" "))
    }
}

/// The failure for a job summary, in Markdown.
pub fn markdown(stage: Option<Stage>, failure: &Failure) -> String {
    let mut text = format!(
        "### ❌ {}: {}\n",
        title(stage),
        escape_markdown(&failure.line())
    );
    if !failure.details.is_empty() {
        text.push_str("\n```text\n");
        for detail in &failure.details {
            text.push_str(&detail.replace("```", "` ` `"));
            text.push('\n');
        }
        text.push_str("```\n");
    }
    if let Some(hint) = &failure.hint {
        text.push_str("\n**Hint:** ");
        text.push_str(&escape_markdown(hint));
        text.push('\n');
    }
    text
}

/// Text that means itself within a line of Markdown.
pub fn escape_markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' => {
                escaped.push('\\');
                escaped.push(c);
            }
            _ => escaped.push(c),
        }
    }
    escaped
}

/// An error and its causes in one line, each by the first of its own: for what is told in passing and is no failure.
pub fn with_causes(error: &dyn Error) -> String {
    let first_line = |error: &dyn Error| {
        let text = error.to_string();
        text.lines().next().unwrap_or_default().to_owned()
    };
    let mut text = first_line(error);
    let mut source = error.source();
    while let Some(cause) = source {
        let line = first_line(cause);
        if !text.contains(&line) {
            text = format!("{text}: {line}");
        }
        source = cause.source();
    }
    text
}

/// What is at the bottom of an error, on one line: in a client's error all above it only says that there was one.
pub fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    one_line(&cause.to_string())
}

/// The first of some names, at most so many, and how many more there are: `a, b and 3 more`.
pub fn first_of<T: AsRef<str>>(names: &[T], most: usize) -> String {
    let first: Vec<&str> = names.iter().take(most).map(AsRef::as_ref).collect();
    let first = first.join(", ");
    match names.len().saturating_sub(most) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// A text on one line, its white space folded.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
