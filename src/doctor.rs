//! Checks before a run whether the chain has what it needs; creates nothing.
//!
//! This module has the result of a check, its forms for log and summary, and the verdict over all. One submodule each
//! checks EC2, a host, this machine, GitHub. A check that cannot be made is a warning, never "ok".

pub(crate) mod ec2;
pub(crate) mod github;
pub(crate) mod host;
pub(crate) mod machine;
mod schedule;

use std::fmt::Write as _;

use crate::{
    github::commands::harmless,
    iam::Statement,
    report::{Exit, Failure, Leftover, escape_markdown, one_line},
};

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckStatus {
    /// It is there.
    Ok,
    /// The chain can run, but the user should know something.
    Warning,
    /// The chain cannot run, and would end with this.
    Missing(Exit),
}

impl CheckStatus {
    /// The word of its line.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Missing(_) => "missing",
        }
    }
}

/// One check and its result.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    /// How it came out.
    pub(crate) status: CheckStatus,
    /// What was looked at.
    pub(crate) what: String,
    /// What was found.
    pub(crate) found: String,
    /// What to do about it.
    pub(crate) remedy: Option<String>,
    /// What a policy has to say, each a statement in JSON.
    pub(crate) allow: Vec<String>,
}

impl Check {
    fn new(status: CheckStatus, what: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            status,
            what: what.into(),
            found: one_line(&found.into()),
            remedy: None,
            allow: Vec::new(),
        }
    }

    /// It is there.
    pub(crate) fn ok(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(CheckStatus::Ok, what, found)
    }

    /// It is to be known.
    pub(crate) fn warning(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(CheckStatus::Warning, what, found)
    }

    /// It is not there.
    pub(crate) fn missing(exit: Exit, what: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(CheckStatus::Missing(exit), what, found)
    }

    /// A room's error in place of what was looked for.
    pub(crate) fn failed(what: impl Into<String>, failure: impl Into<Failure>) -> Self {
        let failure = failure.into();
        let mut found = failure.line();
        for detail in failure.details.iter().take(2) {
            found = format!("{found}; {detail}");
        }
        let check = Self::missing(failure.exit, what, found);
        match failure.hint {
            Some(hint) => check.remedy(hint),
            None => check,
        }
    }

    /// With what to do about it.
    #[must_use]
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(one_line(&remedy.into()));
        self
    }

    /// With what a policy has to say.
    #[must_use]
    pub(crate) fn allow(mut self, statements: &[Statement]) -> Self {
        let text = |one| serde_json::to_string(one).expect("a statement is made of texts");
        self.allow = statements.iter().map(text).collect();
        self
    }
}

/// The checks for a log or a terminal: one line each, below it what to do.
pub(crate) fn text(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let (word, found) = (check.status.word(), &check.found);
        let colon = if found.is_empty() { "" } else { ": " };
        let mut lines = vec![format!("{word:<8} {}{colon}{found}", check.what)];
        lines.extend(
            check
                .remedy
                .iter()
                .map(|remedy| format!("         → {remedy}")),
        );
        lines.extend(
            check
                .allow
                .iter()
                .map(|allow| format!("         allow {allow}")),
        );
        for line in lines {
            text.push_str(&harmless(&line));
            text.push('\n');
        }
    }
    text
}

/// The checks for a job summary; what is missing comes with its statements.
pub(crate) fn markdown(checks: &[Check]) -> String {
    let mut text = "### doctor\n\n| | check | found | what to do |\n|---|---|---|---|\n".to_owned();
    for check in checks {
        let sign = match check.status {
            CheckStatus::Ok => "✅",
            CheckStatus::Warning => "⚠️",
            CheckStatus::Missing(_) => "❌",
        };
        let cells = [
            &check.what,
            &check.found,
            check.remedy.as_ref().unwrap_or(&String::new()),
        ]
        .map(|cell| escape_markdown(cell));
        let [what, found, remedy] = cells;
        writeln!(text, "| {sign} | {what} | {found} | {remedy} |")
            .expect("a String takes everything");
    }
    let allow: Vec<&str> = checks
        .iter()
        .flat_map(|check| &check.allow)
        .map(String::as_str)
        .collect();
    if !allow.is_empty() {
        let allow = allow.join(",\n");
        write!(
            text,
            "\nWhat the policy has to say:\n\n```json\n{allow}\n```\n"
        )
        .expect("a String takes everything");
    }
    text
}

/// Whether the chain can run.
///
/// # Errors
/// [`Failure`] naming what is missing; exit code 3 where anything of it is the infrastructure's fault, else 2.
pub(crate) fn conclude(checks: &[Check]) -> Result<(), Failure> {
    let missing: Vec<&Check> = checks
        .iter()
        .filter(|check| matches!(check.status, CheckStatus::Missing(_)))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let bad_input = missing
        .iter()
        .all(|check| check.status == CheckStatus::Missing(Exit::BadInput));
    let exit = if bad_input {
        Exit::BadInput
    } else {
        Exit::Infrastructure
    };
    let mut failure = Failure::new(
        exit,
        format!(
            "{} of {} checks say that the chain cannot run",
            missing.len(),
            checks.len()
        ),
    )
    .leaving(Leftover::None);
    failure.details = missing
        .iter()
        .map(|check| format!("{}: {}", check.what, check.found))
        .collect();
    failure.hint = missing.iter().find_map(|check| check.remedy.clone());
    Err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_one_line_with_what_to_do_below() {
        let checks = [
            Check::ok("disk", "80 GiB"),
            Check::missing(Exit::BadInput, "credentials", "there\nare none").remedy("set some"),
        ];
        assert_eq!(
            text(&checks),
            "ok       disk: 80 GiB\nmissing  credentials: there are none\n         → set some\n"
        );
        assert!(markdown(&checks).contains("| ❌ | credentials | there are none | set some |"));
    }

    #[test]
    fn what_an_input_can_mend_is_2_and_anything_else_3() {
        let check = |exit| Check::missing(exit, "x", "y");
        let exit = |checks: &[Check]| conclude(checks).err().map(|failure| failure.exit);
        assert_eq!(exit(&[Check::ok("x", "y"), Check::warning("x", "y")]), None);
        assert_eq!(
            exit(&[Check::ok("x", "y"), check(Exit::BadInput)]),
            Some(Exit::BadInput)
        );
        assert_eq!(
            exit(&[check(Exit::BadInput), check(Exit::Infrastructure)]),
            Some(Exit::Infrastructure)
        );
        assert_eq!(exit(&[check(Exit::TimeLimit)]), Some(Exit::Infrastructure));
    }
}
