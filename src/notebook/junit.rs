//! The cells of an executed notebook as test cases, as JUnit and as Markdown.
//!
//! Reads what `driver.py` noted in the metadata of each cell: pure.

use std::{borrow::Cow, time::Duration};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde_json::Value;

use crate::{
    limits::humane,
    notebook::{
        log::clean,
        source::{METADATA, shortened, text},
    },
    report::{escape_markdown, one_line},
};

/// What JUnit has of a case's output, at its begin and at its end.
const HALF: usize = 128 << 10;
/// How long a line may be, to be left out whole rather than in part.
const LINE: usize = 4 << 10;

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
    /// It is not to be run, or said itself that it is none for this cluster.
    Skipped {
        /// Why.
        reason: String,
    },
    /// It was not reached.
    NotRun,
    /// Whether it would pass is not known: the test did not begin, or was lost.
    Unknown {
        /// Why.
        reason: String,
    },
}

/// The cases of an executed notebook; `ending` is why a cell that still ran did not end.
pub fn cases(notebook: &Value, ending: &str) -> Vec<Case> {
    let cells = notebook["cells"].as_array().map_or(&[][..], Vec::as_slice);
    cells
        .iter()
        .filter_map(|cell| {
            let how = &cell["metadata"]["papermill"];
            let ours = &cell["metadata"][METADATA];
            let name = ours["name"].as_str()?.to_owned();
            let error = &ours["error"];
            let outcome = match how["status"].as_str() {
                _ if ours["skipped"] == true => Outcome::Skipped {
                    reason: "tagged skip-execution".to_owned(),
                },
                _ if ours["skipped"].is_string() => Outcome::Skipped {
                    reason: plain(&ours["skipped"]),
                },
                _ if !error.is_null() => Outcome::Failed {
                    kind: plain(&error["ename"]),
                    message: plain(&error["evalue"]),
                    traceback: traceback(error),
                },
                Some("completed") => Outcome::Passed,
                Some("pending") => Outcome::NotRun,
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
    let suite = xml(suite);
    let mut report = Report::new("manifests-e2e");
    let mut tests = TestSuite::new(suite.as_str());
    for case in cases {
        let status = match &case.outcome {
            Outcome::Passed => TestCaseStatus::success(),
            Outcome::Failed {
                kind,
                message,
                traceback,
            } => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                let description = if traceback.is_empty() {
                    message
                } else {
                    traceback
                };
                status
                    .set_type(xml(kind))
                    .set_message(xml(message))
                    .set_description(xml(description));
                status
            }
            Outcome::Skipped { reason } => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(xml(&one_line(reason)));
                status
            }
            Outcome::NotRun => {
                let mut status = TestCaseStatus::skipped();
                status.set_message("not reached");
                status
            }
            Outcome::Unknown { reason } => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
                status.set_type("NotJudged").set_message(xml(reason));
                status
            }
        };
        let mut test = TestCase::new(xml(&case.name), status);
        test.set_classname(suite.as_str()).set_time(case.time);
        if !case.output.is_empty() {
            test.set_system_out(xml(&clipped(&case.output)));
        }
        tests.add_test_case(test);
    }
    let time = cases.iter().map(|case| case.time).sum();
    tests.set_time(time);
    report.set_time(time).add_test_suite(tests);
    report.to_string()
}

/// A text for the report, which leaves out control characters itself, but not what else XML 1.0 has no character for.
pub fn xml(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

/// The cases as a table for the job summary, with the traceback of what failed.
pub fn markdown(suite: &str, cases: &[Case]) -> String {
    let suite = escape_markdown(suite);
    let rows = cases.iter().map(|case| {
        let name = escape_markdown(&case.name);
        let time = humane(case.time);
        match &case.outcome {
            Outcome::Passed => format!("| ✅ | {name} | {time} |"),
            Outcome::Failed { .. } => format!("| ❌ | {name} | {time} |"),
            Outcome::Skipped { reason } => {
                let reason = escape_markdown(&shortened(&one_line(reason), 200));
                format!("| ⏭️ | {name}: {reason} | |")
            }
            Outcome::NotRun => format!("| ⏭️ | {name}: not reached | |"),
            Outcome::Unknown { .. } => format!("| ⚠️ | {name} | |"),
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

/// The begin and the end of an output: readers of JUnit hold all of it in memory, and a site that shows it has a limit.
fn clipped(output: &str) -> Cow<'_, str> {
    if output.len() <= 2 * HALF {
        return Cow::Borrowed(output);
    }
    // Whole lines, unless they are very long: half of one may be half a secret.
    let (begin, rest) = output.split_at(output.floor_char_boundary(HALF));
    let begin = match begin.rsplit_once('\n') {
        Some((whole, part)) if part.len() <= LINE => whole,
        _ => begin,
    };
    let (_, end) = rest.split_at(rest.ceil_char_boundary(rest.len() - HALF));
    let end = match end.split_once('\n') {
        Some((part, whole)) if part.len() <= LINE => whole,
        _ => end,
    };
    let left_out = output.len() - begin.len() - end.len();
    Cow::Owned(format!(
        "{begin}\n[manifests-e2e: {left_out} bytes are left out here]\n{end}"
    ))
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
/// A text of a notebook as a terminal would show it in the end.
pub fn plain(value: &Value) -> String {
    let text = text(value);
    let ends = text.ends_with('\n');
    let lines: Vec<String> = text.lines().map(clean).collect();
    lines.join("\n") + if ends { "\n" } else { "" }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn cell(name: &str, status: &str, outputs: &Value, more: &Value) -> Value {
        let mut ours = json!({ "name": name });
        ours.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({ "cell_type": "code", "source": "x", "outputs": outputs,
            "metadata": { METADATA: ours, "papermill": { "status": status, "duration": 1.25 } } })
    }

    fn notebook() -> Value {
        let error = json!({ "output_type": "error", "ename": "ZeroDivisionError", "evalue": "division by zero",
                            "traceback": ["\u{1b}[31mCell In[1]\u{1b}[0m", "]]> <boom> ```"] });
        let printed =
            json!([{ "output_type": "stream", "name": "stdout", "text": ["a\n", "b\n"] }]);
        json!({ "cells": [
            { "cell_type": "markdown", "metadata": {}, "source": "no case" },
            cell("one", "completed", &printed, &json!({})),
            cell("meant", "completed", &json!([error]), &json!({})),
            cell("tagged", "", &json!([]), &json!({ "skipped": true })),
            cell("absent", "completed", &json!([]), &json!({ "skipped": "the cluster serves no TrainJob" })),
            cell("two | *", "failed", &json!([error]), &json!({ "error": error })),
            cell("three", "running", &json!([]), &json!({})),
            cell("four", "pending", &json!([]), &json!({})),
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
                Outcome::Skipped { reason } => format!("{} skipped: {reason}", case.name),
                Outcome::Unknown { .. } => format!("{} unknown", case.name),
                Outcome::Failed { kind, message, .. } => format!("{} {kind} {message}", case.name),
            })
            .collect();
        assert_eq!(
            outcomes,
            [
                "one passed",
                "meant passed",
                "tagged skipped: tagged skip-execution",
                "absent skipped: the cluster serves no TrainJob",
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
            xml.contains(r#"tests="7" skipped="3" failures="2" errors="0""#),
            "{xml}"
        );
        assert!(
            xml.contains("&lt;boom&gt;") && !xml.contains('\u{1b}'),
            "{xml}"
        );
    }

    proptest! {
        #[test]
        fn the_report_is_xml_whatever_was_printed(text in "[\\x00-\\x{ff}\\x{fffd}-\\x{10000}<&\"\\]]{0,40}") {
            let failed = Outcome::Failed { kind: text.clone(), message: text.clone(), traceback: text.clone() };
            let case = |outcome| Case { name: text.clone(), outcome, time: Duration::ZERO, output: text.clone() };
            let xml = junit(&text, &[case(failed), case(Outcome::Passed)]).unwrap();
            // https://www.w3.org/TR/xml/#charsets
            let is_char = |c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
            prop_assert!(xml.chars().all(is_char), "{xml:?}");
            for hidden in ["&#x0;", "&#0;", "&#xFFFE;", "&#65534;"] {
                prop_assert!(!xml.contains(hidden), "{xml:?}");
            }
            prop_assert_eq!(xml.matches("<testcase ").count(), 2);
        }
    }

    #[test]
    fn of_a_flood_the_report_has_the_begin_and_the_end() {
        let lines: Vec<String> = (0..200_000).map(|line| format!("line {line}")).collect();
        let output = lines.join("\n") + "\nLAST";
        let xml = junit(
            "s",
            &[Case {
                name: "c".to_owned(),
                outcome: Outcome::Passed,
                time: Duration::ZERO,
                output,
            }],
        );
        let xml = xml.unwrap();
        assert!(
            xml.len() < 3 * HALF && xml.contains("line 0\n") && xml.contains("\nline 199999\nLAST")
        );
        assert!(
            xml.contains(" bytes are left out here]\nline "),
            "a whole line follows"
        );
    }

    #[test]
    fn characters_that_xml_has_not_are_replaced() {
        let printed = json!([{ "output_type": "stream", "text": "a\u{fffe}b\u{ffff}c\u{0}d" }]);
        let notebook = json!({ "cells": [cell("x", "completed", &printed, &json!({}))] });
        let xml = junit("s", &cases(&notebook, "")).unwrap();
        assert!(xml.contains("a\u{fffd}b\u{fffd}cd"), "{xml}");
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
