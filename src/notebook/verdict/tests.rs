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

fn exit(verdict: &TestVerdict) -> Exit {
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
fn skipped_cells_alone_are_no_pass_and_all_that_failed_are_counted() {
    let mut skipped = notebook(&["completed"]);
    skipped["cells"][0]["metadata"]["manifests-e2e"]["skipped"] = json!("not here");
    let verdict = of_notebook(&ended(0, "Completed", ""), Ok(Some(skipped.clone())));
    assert_eq!(exit(&verdict), Exit::Infrastructure);
    let mut three = notebook(&["failed", "completed", "failed"]);
    for cell in three["cells"].as_array_mut().unwrap() {
        if cell["metadata"]["papermill"]["status"] == "failed" {
            cell["metadata"]["manifests-e2e"]["error"] = json!({ "ename": "E", "evalue": "v" });
        }
    }
    let verdict = of_notebook(&ended(1, "Error", ""), Ok(Some(three)));
    let error = verdict.error.unwrap().to_string();
    assert!(
        error.contains("a failed cell: E: v (one more case failed)"),
        "{error}"
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
    assert_eq!(error.details(), ["| x"], "its code is quoted");
}

#[test]
fn a_test_without_cases_is_one_case_that_was_not_judged() {
    let verdict = TestVerdict::of(NotebookError::Lost("Evicted: low on memory".to_owned()));
    let dir = tempfile::tempdir().unwrap();
    let kept = keep(&verdict, "suite", dir.path());
    let xml = fs::read_to_string(kept.junit.unwrap()).unwrap();
    assert!(
        xml.contains(r#"tests="1" skipped="0" failures="0" errors="1""#),
        "{xml}"
    );
    assert!(xml.contains("was lost: Evicted: low on memory"), "{xml}");
    assert!(kept.summary.contains("| ⚠️ | suite |"), "{}", kept.summary);
}

#[test]
fn results_that_could_not_be_saved_are_no_failed_test_and_no_pass() {
    let ended = ended(3, "Error", "cannot save: No space left on device");
    let error = of_notebook(&ended, Ok(Some(notebook(&["completed"]))))
        .error
        .unwrap();
    assert_eq!(error.exit(), Exit::Infrastructure);
    assert!(error.to_string().contains("No space left"), "{error}");
}

#[test]
fn a_cell_that_is_skipped_is_neither_a_pass_nor_a_failure() {
    let mut notebook = notebook(&["completed", "pending"]);
    notebook["cells"][1]["metadata"]["manifests-e2e"]["skipped"] = true.into();
    let of = |notebook| exit(&of_notebook(&ended(0, "Completed", ""), Ok(Some(notebook))));
    assert_eq!(of(notebook.clone()), Exit::Passed);
    notebook["cells"].as_array_mut().unwrap().remove(0);
    assert_eq!(of(notebook), Exit::Infrastructure, "nothing passed");
}

#[test]
fn a_result_that_cannot_be_written_costs_no_other_and_no_verdict() {
    let verdict = of_notebook(&ended(1, "Error", "x"), Ok(Some(notebook(&["running"]))));
    let dir = tempfile::tempdir().unwrap();
    let directory = dir.path().join("results");
    // Nothing can be written in its place.
    fs::create_dir_all(directory.join("junit.xml")).unwrap();
    let kept = keep(&verdict, "suite", &directory);
    assert!(kept.junit.is_none() && kept.notebook.is_some());
    assert!(kept.summary.contains("a running cell"));
    let error = kept.error.unwrap().to_string();
    assert!(error.contains("results/junit.xml"), "{error}");
}
