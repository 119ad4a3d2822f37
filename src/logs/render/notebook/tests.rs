//! What of an executed notebook is shown, and how much of it.

use serde_json::json;

use super::*;
use crate::logs::redact::Redactor;

fn cell(name: &str, status: &str, outputs: &Value) -> Value {
    json!({"cell_type": "code", "source": ["a = 1\n", "a"], "outputs": outputs,
        "metadata": {"manifests-e2e": {"name": name}, "papermill": {"status": status, "duration": 2.0}}})
}

fn of(cells: &[Value]) -> Notebook {
    let mut room = Room::default();
    Notebook::of(
        "artifacts/tests/t/x.ipynb",
        &json!({"cells": cells}),
        &Redactor::blind(),
        &mut room,
    )
    .unwrap()
}

fn png(bytes: usize) -> Value {
    let mut picture = b"\x89PNG\r\n\x1a\n".to_vec();
    picture.resize(bytes, 7);
    json!({"output_type": "display_data", "data": {"image/png": STANDARD.encode(picture), "text/plain": "<Figure>"}})
}

#[test]
fn each_cell_is_told_with_what_it_printed_and_showed() {
    let mut failed = cell(
        "cell 2 of 3",
        "failed",
        &json!([{"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\u{1b}[31mE\u{1b}[0m", "at 3"]}]),
    );
    failed["metadata"]["manifests-e2e"]["error"] = json!({"ename": "E", "evalue": "v"});
    let cells = [
        json!({"cell_type": "markdown", "source": "# Title", "metadata": {}}),
        cell(
            "cell 1 of 3",
            "completed",
            &json!([
                {"output_type": "stream", "text": ["one\n", "two\n"]},
                {"output_type": "execute_result", "data": {"text/plain": "3"}},
                png(60),
            ]),
        ),
        failed,
        cell("cell 3 of 3", "pending", &json!([])),
    ];
    let told = of(&cells);
    assert!(told.has_failed());
    assert_eq!((told.passed, told.cases, told.more), (1, 3, 0));
    let states: Vec<_> = told.cells.iter().map(|it| it.state).collect();
    assert_eq!(states, ["", "passed", "failed", "not reached"]);
    let [Output::Text(printed), Output::Picture("image/png", _)] = told.cells[1].outputs.as_slice()
    else {
        panic!("{:?}", told.cells[1].outputs);
    };
    assert_eq!(printed, "one\ntwo\n3");
    let [Output::Error(error)] = told.cells[2].outputs.as_slice() else {
        panic!("{:?}", told.cells[2].outputs);
    };
    assert_eq!(error, "E\nat 3");
}

#[test]
fn what_a_browser_would_run_is_text_and_what_only_says_that_it_is_a_picture_is_none() {
    let data = |data: &Value| json!({"output_type": "display_data", "data": data});
    let fake = STANDARD.encode("<svg onload=alert(1)>");
    let outputs = json!([
        data(&json!({"text/html": "<b onclick=x>", "text/plain": "b"})),
        data(&json!({"image/svg+xml": "<svg onload=alert(1)>"})),
        data(&json!({"application/javascript": "alert(1)"})),
        data(&json!({"image/png": fake})),
        data(&json!({"image/jpeg": "\"><script>"})),
    ]);
    let told = of(&[cell("c", "completed", &outputs)]);
    let kinds: Vec<String> = told.cells[0]
        .outputs
        .iter()
        .map(|output| match output {
            Output::Text(text) => format!("text {text}"),
            Output::Markup(kind, _) => format!("markup {kind}"),
            Output::Elsewhere(why) => why.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "text b",
            "markup text/html",
            "markup image/svg+xml",
            "markup application/javascript",
            "image/png: it is none",
            "image/jpeg: it is not readable",
        ]
    );
}

#[test]
fn pictures_take_no_more_than_their_room_and_the_rest_is_named() {
    let pictures: Vec<Value> = (0..5).map(|_| png(300_000)).collect();
    let told = of(&[cell("c", "completed", &json!(pictures))]);
    let is_picture = |output: &&Output| matches!(output, Output::Picture(..));
    let outputs = &told.cells[0].outputs;
    assert_eq!(outputs.iter().filter(is_picture).count(), 2);
    assert_eq!(outputs.len(), 5);
    assert!(matches!(&outputs[4], Output::Elsewhere(why) if why.contains("293 KiB")));
}

#[test]
fn a_cell_that_failed_has_room_before_all_others() {
    let long = json!([{"output_type": "stream", "text": "<".repeat(100_000)}]);
    let mut cells: Vec<Value> = (0..500)
        .map(|at| cell(&format!("c{at}"), "completed", &long))
        .collect();
    cells[400]["metadata"]["manifests-e2e"]["error"] = json!({"ename": "E", "evalue": "v"});
    let told = of(&cells);
    assert!(told.has_failed() && told.more > 300, "{}", told.more);
    assert_eq!(told.cells.len() + told.more, 500);
    assert!(told.cells[0].name == "c0");
}

#[test]
fn a_notebook_is_as_clean_as_the_bundle() {
    let token = format!("ghp_{}", "a1B2".repeat(9));
    let outputs = json!([{"output_type": "stream", "text": format!("token {token}\n")},
        {"output_type": "display_data", "data": {"text/html": format!("<p>{token}")}}]);
    let mut one = cell(&format!("c {token}"), "completed", &outputs);
    one["source"] = json!(format!("x = '{token}'"));
    let told = format!("{:?}", of(&[one]));
    assert!(!told.contains(&token), "{told}");
    assert_eq!(told.matches("<redacted len=").count(), 4, "{told}");
}
