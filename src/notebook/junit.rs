//! The cells of an executed notebook as test cases, as JUnit and as Markdown.
//!
//! Reads what `driver.py` noted in the metadata of each cell: pure.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde_json::Value;

use crate::{
    limits::humane,
    notebook::{
        log::clean,
        source::{METADATA, shortened, tagged, text},
    },
    report::escape_markdown,
};

/// One cell, or one script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What it goes by: `cell 3 of 7: Train`.
    pub name: String,
    /// How it went.
    pub outcome: Outcome,
    /// How long it took.
    pub time: Duration,
    /// What it printed.
    pub output: String,
}

/// How a case went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ran to its end without an error.
    Passed,
    /// It did not.
    Failed {
        /// The class of the error: `ZeroDivisionError`.
        kind: String,
        /// Its message.
        message: String,
        /// Its traceback, without colours.
        traceback: String,
    },
    /// It was not reached.
    NotRun,
}

/// The cases of an executed notebook; `ending` is why a cell that still ran did not end.
pub fn cases(notebook: &Value, ending: &str) -> Vec<Case> {
    let cells = notebook["cells"].as_array().map_or(&[][..], Vec::as_slice);
    cells
        .iter()
        .filter_map(|cell| {
            let how = &cell["metadata"]["papermill"];
            let name = cell["metadata"][METADATA]["name"].as_str()?.to_owned();
            let outcome = match (how["status"].as_str(), error_of(cell)) {
                (_, Some(error)) => Outcome::Failed {
                    kind: plain(&error["ename"]),
                    message: plain(&error["evalue"]),
                    traceback: traceback(error),
                },
                (Some("completed"), None) => Outcome::Passed,
                (Some("pending"), None) => Outcome::NotRun,
                _ => Outcome::Failed {
                    kind: "NotDone".to_owned(),
                    message: ending.to_owned(),
                    traceback: String::new(),
                },
            };
            let seconds = how["duration"].as_f64().unwrap_or(0.0);
            Some(Case {
                name,
                outcome,
                time: Duration::try_from_secs_f64(seconds).unwrap_or_default(),
                output: output(cell),
            })
        })
        .collect()
}

/// The cases as JUnit, the notebook being the suite.
///
/// # Errors
/// When XML cannot be written, which memory never refuses.
pub fn junit(suite: &str, cases: &[Case]) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("manifests-e2e");
    let mut tests = TestSuite::new(suite);
    for case in cases {
        let status = match &case.outcome {
            Outcome::Passed => TestCaseStatus::success(),
            Outcome::Failed {
                kind,
                message,
                traceback,
            } => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status
                    .set_type(kind.as_str())
                    .set_message(message.as_str())
                    .set_description(
                        if traceback.is_empty() {
                            message
                        } else {
                            traceback
                        }
                        .as_str(),
                    );
                status
            }
            Outcome::NotRun => {
                let mut status = TestCaseStatus::skipped();
                status.set_message("not reached");
                status
            }
        };
        let mut test = TestCase::new(case.name.as_str(), status);
        test.set_classname(suite).set_time(case.time);
        if !case.output.is_empty() {
            test.set_system_out(case.output.as_str());
        }
        tests.add_test_case(test);
    }
    let time = cases.iter().map(|case| case.time).sum();
    tests.set_time(time);
    report.set_time(time).add_test_suite(tests);
    report.to_string()
}

/// The cases as a table for the job summary, with the traceback of what failed.
pub fn markdown(suite: &str, cases: &[Case]) -> String {
    let suite = escape_markdown(suite);
    let rows = cases.iter().map(|case| {
        let name = escape_markdown(&case.name);
        let time = humane(case.time);
        match case.outcome {
            Outcome::Passed => format!("| ✅ | {name} | {time} |"),
            Outcome::Failed { .. } => format!("| ❌ | {name} | {time} |"),
            Outcome::NotRun => format!("| ⏭️ | {name} | |"),
        }
    });
    let tracebacks = cases.iter().filter_map(|case| match &case.outcome {
        Outcome::Failed { traceback, .. } if !traceback.is_empty() => {
            let name = escape_markdown(&case.name);
            let traceback = shortened(traceback, 8000).replace("```", "` ` `");
            Some(format!("\n{name}\n\n```text\n{traceback}\n```"))
        }
        _ => None,
    });
    let head = format!("### {suite}\n\n| | case | time |\n|---|---|---:|");
    let lines: Vec<String> = std::iter::once(head)
        .chain(rows)
        .chain(tracebacks)
        .collect();
    lines.join("\n") + "\n\n"
}

/// The error that a cell showed and was not meant to.
fn error_of(cell: &Value) -> Option<&Value> {
    if tagged(cell, "raises-exception") {
        return None;
    }
    let outputs = cell["outputs"].as_array()?;
    outputs
        .iter()
        .find(|output| output["output_type"] == "error")
}

fn traceback(error: &Value) -> String {
    let lines = error["traceback"].as_array().map_or(&[][..], Vec::as_slice);
    let lines: Vec<String> = lines.iter().map(plain).collect();
    lines.join("\n").trim_end().to_owned()
}

/// What a cell printed, and the text of what it showed.
fn output(cell: &Value) -> String {
    let outputs = cell["outputs"].as_array().map_or(&[][..], Vec::as_slice);
    outputs
        .iter()
        .map(|output| match output["output_type"].as_str() {
            Some("stream") => plain(&output["text"]),
            Some("execute_result" | "display_data") => match &output["data"]["text/plain"] {
                Value::Null => String::new(),
                shown => plain(shown) + "\n",
            },
            _ => String::new(),
        })
        .collect()
}

/// A text of a notebook without colours.
fn plain(value: &Value) -> String {
    let text = text(value);
    let ends = text.ends_with('\n');
    let lines: Vec<String> = text.lines().map(clean).collect();
    lines.join("\n") + if ends { "\n" } else { "" }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cell(name: &str, status: &str, outputs: &Value, tags: &[&str]) -> Value {
        json!({ "cell_type": "code", "source": "x", "outputs": outputs,
            "metadata": { METADATA: { "name": name }, "tags": tags,
                          "papermill": { "status": status, "duration": 1.25 } } })
    }

    fn notebook() -> Value {
        let error = json!({ "output_type": "error", "ename": "ZeroDivisionError", "evalue": "division by zero",
                            "traceback": ["\u{1b}[31mCell In[1]\u{1b}[0m", "]]> <boom> ```"] });
        let printed =
            json!([{ "output_type": "stream", "name": "stdout", "text": ["a\n", "b\n"] }]);
        json!({ "cells": [
            { "cell_type": "markdown", "metadata": {}, "source": "no case" },
            cell("one", "completed", &printed, &[]),
            cell("meant", "completed", &json!([error]), &["raises-exception"]),
            cell("two | *", "failed", &json!([error]), &[]),
            cell("three", "running", &json!([]), &[]),
            cell("four", "pending", &json!([]), &[]),
        ]})
    }

    #[test]
    fn each_cell_is_a_case() {
        let cases = cases(&notebook(), "stopped at the limit");
        let outcomes: Vec<String> = cases
            .iter()
            .map(|case| match &case.outcome {
                Outcome::Passed => format!("{} passed", case.name),
                Outcome::NotRun => format!("{} not run", case.name),
                Outcome::Failed { kind, message, .. } => format!("{} {kind} {message}", case.name),
            })
            .collect();
        assert_eq!(
            outcomes,
            [
                "one passed",
                "meant passed",
                "two | * ZeroDivisionError division by zero",
                "three NotDone stopped at the limit",
                "four not run",
            ]
        );
        assert_eq!(cases[0].output, "a\nb\n");
        assert_eq!(cases[0].time, Duration::from_millis(1250));
    }

    #[test]
    fn the_report_counts_and_escapes() {
        let xml = junit("mnist", &cases(&notebook(), "late")).unwrap();
        assert!(
            xml.contains(r#"tests="5" skipped="1" failures="2" errors="0""#),
            "{xml}"
        );
        assert!(
            xml.contains("&lt;boom&gt;") && !xml.contains('\u{1b}'),
            "{xml}"
        );
    }

    #[test]
    fn a_traceback_stays_in_its_block() {
        let text = markdown("mnist", &cases(&notebook(), "late"));
        assert!(
            text.contains("| ❌ | two \\| \\* | 1.2s |")
                || text.contains("| ❌ | two \\| \\* | 1.3s |"),
            "{text}"
        );
        assert_eq!(text.matches("```").count(), 2, "{text}");
    }
}
