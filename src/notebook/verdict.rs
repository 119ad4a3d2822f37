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
        source::{METADATA, text},
        state::Ended,
    },
    record::{RecordError, write_private},
    report::one_line,
};

/// How many lines of a traceback or a log go below the cause.
const BELOW: usize = 30;
/// What `start.sh` and `driver.py` put before a reason that is not the test's own.
const CANNOT_START: &str = "cannot start: ";
/// What `driver.py` puts before the reason for which its results are not whole.
const CANNOT_SAVE: &str = "cannot save: ";
/// How many lines of a cell's code go below the cause.
const CODE: usize = 10;

/// How a test came out, with what it left.
#[derive(Debug)]
pub struct TestVerdict {
    /// Why it is no pass.
    pub error: Option<NotebookError>,
    /// Its cases.
    pub cases: Vec<Case>,
    /// The executed notebook.
    pub notebook: Option<Value>,
}

/// The verdict on a notebook that ended, given what could be fetched of it.
pub fn of_notebook(ended: &Ended, fetched: Result<Option<Value>, NotebookError>) -> TestVerdict {
    if let Some(error) = not_started(ended) {
        return TestVerdict::of(error);
    }
    if let Some(reason) = ended.message.strip_prefix(CANNOT_SAVE) {
        return TestVerdict::of(NotebookError::Fetch(format!(
            "the test could not save them: {}",
            one_line(reason)
        )));
    }
    let notebook = match fetched {
        Ok(notebook) => notebook,
        Err(error) if ended.code == 0 => return TestVerdict::of(error),
        Err(error) => return TestVerdict::of(failed(&said(ended), vec![error.to_string()])),
    };
    let Some(notebook) = notebook else {
        return TestVerdict::of(if ended.code == 0 {
            NotebookError::Unproven("it left no executed notebook".to_owned())
        } else {
            failed(&said(ended), Vec::new())
        });
    };
    let cases = cases(&notebook, &how(ended));
    let good = |case: &&Case| matches!(case.outcome, Outcome::Passed | Outcome::Skipped { .. });
    let bad = cases.iter().find(|case| !good(case));
    let failed_cases = cases
        .iter()
        .filter(|case| matches!(case.outcome, Outcome::Failed { .. }));
    let others = match failed_cases.count() {
        0 | 1 => String::new(),
        2 => " (one more case failed)".to_owned(),
        all => format!(" ({} more cases failed)", all - 1),
    };
    let error = match (ended.code, bad) {
        (0, None) if !cases.iter().any(|case| case.outcome == Outcome::Passed) => {
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
                &one_line(&if message.is_empty() {
                    format!("{}: {kind}{others}", case.name)
                } else {
                    format!("{}: {kind}: {message}{others}", case.name)
                }),
                last_lines(traceback.lines()),
            ),
            _ => failed(&said(ended), Vec::new()),
        }),
        (_, None) => Some(failed(&said(ended), Vec::new())),
    };
    TestVerdict {
        error,
        cases,
        notebook: Some(notebook),
    }
}

/// The verdict on a script that ended, given its log.
pub fn of_script(name: &str, ended: &Ended, log: &[String]) -> TestVerdict {
    if let Some(error) = not_started(ended) {
        return TestVerdict::of(error);
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
    TestVerdict {
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

/// The verdict on a test whose time was up while it did `last`, given what it had saved. The cell that ran is quoted.
pub fn at_limit(limit: Duration, last: String, notebook: Option<Value>) -> TestVerdict {
    let ending = format!("not done within {}", humane(limit));
    let cases = notebook
        .as_ref()
        .map_or_else(Vec::new, |notebook| cases(notebook, &ending));
    let running = cases
        .iter()
        .find(|case| matches!(case.outcome, Outcome::Failed { .. }));
    let below = running.map_or_else(Vec::new, |case| {
        let code = notebook
            .as_ref()
            .map(|it| code_of(it, &case.name))
            .unwrap_or_default();
        let code = code.lines().take(CODE).map(quoted);
        code.chain(last_lines(case.output.lines())).collect()
    });
    let last = running.map_or(last, |case| format!("{} was running", case.name));
    TestVerdict {
        error: Some(NotebookError::TimeLimit { limit, last, below }),
        cases,
        notebook,
    }
}

/// The code of the cell that goes by that name.
fn code_of(notebook: &Value, name: &str) -> String {
    let mut cells = notebook["cells"].as_array().into_iter().flatten();
    let cell = cells.find(|cell| cell["metadata"][METADATA]["name"] == name);
    cell.map(|cell| text(&cell["source"])).unwrap_or_default()
}

/// The verdict on a script whose time was up while it did `last`, given its log so far.
pub fn of_script_at_limit(
    name: &str,
    limit: Duration,
    last: String,
    log: &[String],
) -> TestVerdict {
    let outcome = Outcome::Failed {
        kind: "NotDone".to_owned(),
        message: format!("not done within {}", humane(limit)),
        traceback: String::new(),
    };
    let below = last_lines(log.iter().map(String::as_str));
    TestVerdict {
        error: Some(NotebookError::TimeLimit { limit, last, below }),
        cases: vec![Case {
            name: name.to_owned(),
            outcome,
            time: Duration::ZERO,
            output: log.join("\n"),
        }],
        notebook: None,
    }
}

impl TestVerdict {
    /// A test that could not be judged, or left no cases.
    pub fn of(error: NotebookError) -> Self {
        Self {
            error: Some(error),
            cases: Vec::new(),
            notebook: None,
        }
    }

    /// `passed`, `failed`, or `error` where nobody knows whether it would have passed.
    pub fn word(&self) -> &'static str {
        match &self.error {
            None => "passed",
            Some(NotebookError::Failed { .. } | NotebookError::TimeLimit { .. }) => "failed",
            Some(_) => "error",
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
    /// Why something could not be written.
    pub error: Option<RecordError>,
}

/// Writes what there is of a test's results into a directory, each for itself: a notebook for which the disk has no room
/// does not cost the JUnit report.
pub fn keep(verdict: &TestVerdict, suite: &str, directory: &Path) -> Kept {
    let mut kept = Kept::default();
    // Who reads nothing but JUnit has to see that there was a test.
    let whole = verdict.error.iter().filter(|_| verdict.cases.is_empty());
    let whole = whole.map(|error| Case {
        name: suite.to_owned(),
        outcome: Outcome::Unknown {
            reason: error.to_string(),
        },
        time: Duration::ZERO,
        output: String::new(),
    });
    let cases: Vec<Case> = whole.chain(verdict.cases.iter().cloned()).collect();
    if !cases.is_empty() {
        let text = junit::junit(suite, &cases).expect("memory can be written");
        kept.junit = kept.write(directory, "junit.xml", text.as_bytes());
        kept.summary = junit::markdown(suite, &cases);
    }
    if let Some(notebook) = &verdict.notebook {
        let text = serde_json::to_vec_pretty(notebook).expect("a notebook is plain data");
        kept.notebook = kept.write(directory, &format!("{suite}.ipynb"), &text);
    }
    kept
}

impl Kept {
    fn write(&mut self, directory: &Path, name: &str, text: &[u8]) -> Option<PathBuf> {
        let path = directory.join(name);
        let created = fs::create_dir_all(directory).map_err(|source| RecordError::Io {
            what: "create",
            path: directory.to_owned(),
            source,
        });
        match created.and_then(|()| write_private(&path, text)) {
            Ok(()) => Some(path),
            Err(error) => {
                self.error.get_or_insert(error);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
