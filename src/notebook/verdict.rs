//! What the end of a test and its results mean together, and where they are kept.
//!
//! The exit code of the test's container decides; a code of 0 without cases that passed is no pass.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use crate::{
    limits::humane,
    notebook::{
        NotebookError,
        junit::{self, Case, Outcome, cases},
        log::quoted,
        state::Ended,
    },
    record::{RecordError, write_private},
    report::one_line,
};

/// How many lines of a traceback or a log go below the cause.
const BELOW: usize = 30;
/// What `start.sh` and `driver.py` put before a reason that is not the test's own.
const CANNOT_START: &str = "cannot start: ";

/// How a test came out, with what it left.
#[derive(Debug)]
pub struct Verdict {
    /// Why it is no pass.
    pub error: Option<NotebookError>,
    /// Its cases.
    pub cases: Vec<Case>,
    /// The executed notebook.
    pub notebook: Option<Value>,
}

/// The verdict on a notebook that ended, given what could be fetched of it.
pub fn of_notebook(ended: &Ended, fetched: Result<Option<Value>, NotebookError>) -> Verdict {
    if let Some(error) = not_started(ended) {
        return Verdict::of(error);
    }
    let notebook = match fetched {
        Ok(notebook) => notebook,
        Err(error) if ended.code == 0 => return Verdict::of(error),
        Err(error) => return Verdict::of(failed(&said(ended), vec![error.to_string()])),
    };
    let Some(notebook) = notebook else {
        return Verdict::of(if ended.code == 0 {
            NotebookError::Unproven("it left no executed notebook".to_owned())
        } else {
            failed(&said(ended), Vec::new())
        });
    };
    let cases = cases(&notebook, &how(ended));
    let bad = cases.iter().find(|case| case.outcome != Outcome::Passed);
    let error = match (ended.code, bad) {
        (0, None) if cases.is_empty() => {
            Some(NotebookError::Unproven("it has no test case".to_owned()))
        }
        (0, None) => None,
        (0, Some(case)) => Some(NotebookError::Unproven(format!(
            "{} did not pass",
            case.name
        ))),
        (_, Some(case)) => Some(match &case.outcome {
            Outcome::Failed {
                kind,
                message,
                traceback,
            } => failed(
                &one_line(&format!("{}: {kind}: {message}", case.name)),
                last_lines(traceback.lines()),
            ),
            _ => failed(&said(ended), Vec::new()),
        }),
        (_, None) => Some(failed(&said(ended), Vec::new())),
    };
    Verdict {
        error,
        cases,
        notebook: Some(notebook),
    }
}

/// The verdict on a script that ended, given its log.
pub fn of_script(name: &str, ended: &Ended, log: &[String]) -> Verdict {
    if let Some(error) = not_started(ended) {
        return Verdict::of(error);
    }
    let passed = ended.code == 0;
    let outcome = if passed {
        Outcome::Passed
    } else {
        Outcome::Failed {
            kind: "ExitCode".to_owned(),
            message: how(ended),
            traceback: String::new(),
        }
    };
    Verdict {
        error: (!passed).then(|| {
            failed(
                &format!("{name} {}", how(ended)),
                last_lines(log.iter().map(String::as_str)),
            )
        }),
        cases: vec![Case {
            name: name.to_owned(),
            outcome,
            time: ended.ran,
            output: log.join("\n"),
        }],
        notebook: None,
    }
}

/// The verdict on a test whose time was up while it did `last`, given what it had saved.
pub fn at_limit(limit: Duration, last: String, notebook: Option<Value>) -> Verdict {
    let ending = format!("not done within {}", humane(limit));
    let cases = notebook
        .as_ref()
        .map_or_else(Vec::new, |notebook| cases(notebook, &ending));
    let running = cases
        .iter()
        .find(|case| matches!(case.outcome, Outcome::Failed { .. }));
    let last = running.map_or(last, |case| format!("{} was running", case.name));
    Verdict {
        error: Some(NotebookError::TimeLimit { limit, last }),
        cases,
        notebook,
    }
}

impl Verdict {
    fn of(error: NotebookError) -> Self {
        Self {
            error: Some(error),
            cases: Vec::new(),
            notebook: None,
        }
    }
}

fn failed(cause: &str, below: Vec<String>) -> NotebookError {
    let cause = cause.replace("##[", "## [");
    NotebookError::Failed { cause, below }
}

fn not_started(ended: &Ended) -> Option<NotebookError> {
    let reason = ended.message.strip_prefix(CANNOT_START)?;
    Some(NotebookError::NotStarted {
        what: "the test could not begin".to_owned(),
        reason: one_line(reason),
        hint: "a notebook needs an image with Jupyter; requirements need a package index that the cluster reaches",
    })
}

/// Its own last word, else how it ended.
fn said(ended: &Ended) -> String {
    if ended.message.is_empty() {
        format!("the test {}", how(ended))
    } else {
        one_line(&ended.message)
    }
}

fn how(ended: &Ended) -> String {
    match ended.reason.as_str() {
        "" | "Error" | "Completed" => format!("ended with code {}", ended.code),
        reason => format!("ended with code {} ({reason})", ended.code),
    }
}

fn last_lines<'a>(lines: impl DoubleEndedIterator<Item = &'a str>) -> Vec<String> {
    let mut kept: Vec<String> = lines.rev().take(BELOW).map(quoted).collect();
    kept.reverse();
    kept
}

/// Where the results of a test are.
#[derive(Debug, Default)]
pub struct Kept {
    /// The JUnit report.
    pub junit: Option<PathBuf>,
    /// The executed notebook.
    pub notebook: Option<PathBuf>,
    /// The job summary.
    pub summary: String,
}

/// Writes what there is of a test's results into a directory.
///
/// # Errors
/// [`RecordError`] when it cannot be written.
pub fn keep(verdict: &Verdict, suite: &str, directory: &Path) -> Result<Kept, RecordError> {
    let mut kept = Kept::default();
    if verdict.cases.is_empty() && verdict.notebook.is_none() {
        return Ok(kept);
    }
    fs::create_dir_all(directory).map_err(|source| RecordError::Io {
        what: "create",
        path: directory.to_owned(),
        source,
    })?;
    if let Some(notebook) = &verdict.notebook {
        let path = directory.join(format!("{suite}.ipynb"));
        let text = serde_json::to_vec_pretty(notebook).expect("a notebook is plain data");
        write_private(&path, &text)?;
        kept.notebook = Some(path);
    }
    if !verdict.cases.is_empty() {
        let path = directory.join("junit.xml");
        let text = junit::junit(suite, &verdict.cases).expect("memory can be written");
        write_private(&path, text.as_bytes())?;
        kept.junit = Some(path);
        kept.summary = junit::markdown(suite, &verdict.cases);
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::{Exit, Explain as _};

    fn ended(code: i32, reason: &str, message: &str) -> Ended {
        Ended {
            pod: "p".to_owned(),
            code,
            reason: reason.to_owned(),
            message: message.to_owned(),
            sidecar: false,
            ran: Duration::from_secs(2),
        }
    }

    fn notebook(statuses: &[&str]) -> Value {
        let cells: Vec<Value> = statuses
            .iter()
            .map(|status| {
                json!({ "cell_type": "code", "source": "x", "outputs": [], "metadata": {
                    "manifests-e2e": { "name": format!("a {status} cell") }, "papermill": { "status": status } } })
            })
            .collect();
        json!({ "cells": cells })
    }

    fn exit(verdict: &Verdict) -> Exit {
        verdict
            .error
            .as_ref()
            .map_or(Exit::Passed, NotebookError::exit)
    }

    #[test]
    fn code_0_is_a_pass_only_with_cases_that_passed() {
        let of = |fetched| exit(&of_notebook(&ended(0, "Completed", ""), fetched));
        assert_eq!(of(Ok(Some(notebook(&["completed"])))), Exit::Passed);
        assert_eq!(
            of(Ok(Some(notebook(&["completed", "pending"])))),
            Exit::Infrastructure
        );
        assert_eq!(of(Ok(Some(notebook(&[])))), Exit::Infrastructure);
        assert_eq!(of(Ok(None)), Exit::Infrastructure);
        assert_eq!(
            of(Err(NotebookError::Fetch("gone".to_owned()))),
            Exit::Infrastructure
        );
    }

    #[test]
    fn a_failed_test_stays_one_when_its_results_are_lost() {
        let ended = ended(1, "Error", "cell 3: ZeroDivisionError");
        for fetched in [Ok(None), Err(NotebookError::Fetch("gone".to_owned()))] {
            let verdict = of_notebook(&ended, fetched);
            assert_eq!(exit(&verdict), Exit::TestFailed);
            assert!(
                verdict
                    .error
                    .unwrap()
                    .to_string()
                    .contains("ZeroDivisionError")
            );
        }
    }

    #[test]
    fn a_cell_that_was_killed_failed() {
        let verdict = of_notebook(
            &ended(137, "OOMKilled", ""),
            Ok(Some(notebook(&["completed", "running"]))),
        );
        let error = verdict.error.unwrap();
        assert_eq!(error.exit(), Exit::TestFailed);
        assert!(
            error
                .to_string()
                .contains("a running cell: NotDone: ended with code 137 (OOMKilled)"),
            "{error}"
        );
    }

    #[test]
    fn what_keeps_a_test_from_beginning_is_not_its_failure() {
        let ended = ended(
            3,
            "Error",
            "cannot start: pip could not install the requirements",
        );
        assert_eq!(exit(&of_notebook(&ended, Ok(None))), Exit::Infrastructure);
        assert_eq!(exit(&of_script("a.sh", &ended, &[])), Exit::Infrastructure);
    }

    #[test]
    fn a_script_is_one_case_with_its_log() {
        let log = ["a".to_owned(), "b".to_owned()];
        let verdict = of_script("a.sh", &ended(7, "Error", ""), &log);
        assert_eq!(verdict.error.unwrap().to_string(), "a.sh ended with code 7");
        assert_eq!(verdict.cases[0].output, "a\nb");
        assert_eq!(
            exit(&of_script("a.sh", &ended(0, "Completed", ""), &log)),
            Exit::Passed
        );
    }

    #[test]
    fn at_the_limit_the_running_cell_is_named() {
        let verdict = at_limit(
            Duration::from_secs(90),
            "it runs".to_owned(),
            Some(notebook(&["completed", "running"])),
        );
        let error = verdict.error.unwrap();
        assert_eq!(error.exit(), Exit::TimeLimit);
        assert_eq!(
            error.to_string(),
            "the test was not done within 1m 30s: a running cell was running"
        );
    }
}
