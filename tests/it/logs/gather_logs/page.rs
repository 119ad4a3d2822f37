//! What the page has of a job's own results: the cells of its notebook, and what changed since an earlier run.

use manifests_e2e::record::StageRecord;
use serde_json::json;

use super::{Job, passed, trouble::IN_ENV};

#[test]
fn a_run_is_compared_with_the_bundle_of_an_earlier_one() {
    let first = Job::new();
    let stage = |job: &Job, ended: &str| {
        job.store()
            .update(|record| {
                record.stages.push(StageRecord {
                    stage: "install-kind".into(),
                    started: "2026-01-02T03:00:00Z".parse().unwrap(),
                    ended: ended.parse().ok(),
                    exit: Some(0),
                    cause: String::new(),
                    about: Vec::new(),
                });
            })
            .unwrap();
    };
    stage(&first, "2026-01-02T03:01:00Z");
    passed(&first.gather(&[]));
    let second = Job::new();
    stage(&second, "2026-01-02T03:04:00Z");

    passed(&second.gather(&["--compare-with", &first.output("bundle")]));

    let summary = second.text("summary");
    let row = "| time | install-kind | 1m | 4m |";
    assert!(summary.contains(row), "{summary}");
    let page = std::fs::read_to_string(second.output("report")).unwrap();
    assert!(page.contains("<h2>Changed"), "{page}");
    // What cannot be read costs the comparison, not the bundle.
    let third = Job::new();
    let output = third.gather(&["--compare-with", &first.output("report")]);
    passed(&output);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("nothing is compared"), "{said}");
    assert!(third.bundle().contains_key("report.html"));
}

#[test]
fn the_cells_of_an_executed_notebook_are_on_the_page_without_secrets() {
    let job = Job::new().with("API_TOKEN", IN_ENV);
    let output = |text: String| json!({"output_type": "stream", "name": "stdout", "text": [text]});
    let cell = json!({"cell_type": "code", "source": ["train()"], "outputs": [output(format!("<b>token</b> {IN_ENV}\n"))],
        "metadata": {"manifests-e2e": {"name": "cell 1 of 1"}, "papermill": {"status": "completed"}}});
    let directory = job.store().path("tests/mnist-a1");
    std::fs::create_dir_all(&directory).unwrap();
    let notebook = json!({"cells": [cell], "metadata": {}, "nbformat": 4});
    std::fs::write(directory.join("mnist.ipynb"), notebook.to_string()).unwrap();

    passed(&job.gather(&[]));

    let page = std::fs::read_to_string(job.output("report")).unwrap();
    assert!(page.contains("cell 1 of 1") && page.contains("1 of 1 cells passed"));
    let clean = "&#60;b&#62;token&#60;/b&#62; &#60;redacted len=21 id=";
    assert!(page.contains(clean) && !page.contains(IN_ENV), "{page}");
    assert!(page.contains("<code>artifacts/tests/mnist-a1/mnist.ipynb</code>"));
    assert!(
        job.bundle()
            .contains_key("artifacts/tests/mnist-a1/mnist.ipynb")
    );
    assert_eq!(job.bundle()["report.html"], page.into_bytes());
}
