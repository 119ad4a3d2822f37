use std::{fmt::Write as _, io::Read as _};

use super::*;

fn notebook(cells: &Value) -> String {
    json!({ "nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells }).to_string()
}

fn code(source: &str) -> Value {
    json!({ "cell_type": "code", "metadata": {}, "outputs": [{"output_type": "stream", "text": "old"}],
            "execution_count": 7, "source": source })
}

fn read(text: &str) -> Result<Source, SourceError> {
    Source::notebook("x", "x.ipynb", text.as_bytes(), &Pairs::default())
}

fn sent(source: &Source) -> Value {
    assert_eq!(source.files.len(), 1, "{:?}", source.files.len());
    serde_json::from_slice(&source.files[0].1).unwrap()
}

#[test]
fn the_default_notebook_is_one() {
    let source = Source::read(None, None, &"epochs=3".parse().unwrap()).unwrap();
    let text = sent(&source).to_string();
    assert!(text.contains("# Parameters\\nepochs = 3"), "{text}");
}

#[test]
fn a_cell_goes_by_its_number_and_heading_or_first_line() {
    let heading =
        json!({ "cell_type": "markdown", "metadata": {}, "source": ["## Train\n", "text"] });
    let text = notebook(&json!([
        code("\nimport os\nx"),
        heading,
        code("fit()"),
        code("  ")
    ]));
    let sent = sent(&read(&text).unwrap());
    let names: Vec<&str> = sent["cells"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|cell| cell["metadata"][METADATA]["name"].as_str())
        .collect();
    assert_eq!(names, ["cell 1 of 3: import os", "cell 2 of 3: Train"]);
}

#[test]
fn a_cell_without_code_is_no_case_and_one_that_is_skipped_is_one() {
    let mut skipped = code("1/0");
    skipped["metadata"]["tags"] = json!(["skip-execution"]);
    let cells = json!([code("# only words\n"), skipped, code("%%bash\n# all\ntrue")]);
    let sent = sent(&read(&notebook(&cells)).unwrap());
    let ours: Vec<&Value> = (0..3)
        .map(|it| &sent["cells"][it]["metadata"][METADATA])
        .collect();
    assert_eq!(ours[0], &Value::Null);
    assert_eq!(
        ours[1],
        &json!({"name": "cell 2 of 3: 1/0", "skipped": true})
    );
    assert_eq!(ours[2]["name"], "cell 3 of 3: %%bash");
    let hashes = |language: &str| {
        let metadata = json!({ "language_info": { "name": language } });
        let cells = [code("#include <cassert>")];
        let text = json!({ "nbformat": 4, "metadata": metadata, "cells": cells }).to_string();
        read(&text).is_ok()
    };
    assert!(!hashes("R") && hashes("C++17"));
}

#[test]
fn old_outputs_are_not_sent() {
    let mut saved: Value = serde_json::from_str(&notebook(&json!([code("1")]))).unwrap();
    saved["metadata"]["widgets"] = json!({ "application/vnd.jupyter.widget-state+json": {} });
    let sent = sent(&read(&saved.to_string()).unwrap());
    assert_eq!(
        sent["metadata"],
        json!({}),
        "the state of widgets is an output"
    );
    assert_eq!(sent["cells"][0]["outputs"], json!([]));
    assert_eq!(sent["cells"][0]["execution_count"], Value::Null);
}

#[test]
fn what_could_not_fail_is_refused() {
    for (text, message) in [
        ("{\"cells\": [".to_owned(), "is no notebook: EOF"),
        ("[]".to_owned(), "no `nbformat`"),
        (
            json!({"nbformat": 3, "worksheets": []}).to_string(),
            "format is 3",
        ),
        (json!({"nbformat": 4}).to_string(), "no `cells`"),
        (
            notebook(&json!([{"cell_type": "code"}])),
            "cell 1 has no type or source",
        ),
        (
            json!({"nbformat": 4, "metadata": {"kernelspec": "python3"}, "cells": []}).to_string(),
            "its `kernelspec` is no object",
        ),
        (
            notebook(
                &json!([{"cell_type": "code", "source": "1", "metadata": {"tags": "raises-exception"}}]),
            ),
            "the `tags` of cell 1 are no list of words",
        ),
        (notebook(&json!([code("# nothing")])), "no code to run"),
        (notebook(&json!([])), "no code to run"),
        (notebook(&json!([code(" \n")])), "no code to run"),
    ] {
        let error = read(&text).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert_eq!(error.exit(), Exit::BadInput);
    }
}

#[test]
fn a_large_notebook_travels_in_pieces_that_make_it_whole() {
    // Hexadecimal noise halves when gzipped.
    let mut noise = String::new();
    for i in 0..200_000_u64 {
        let mixed = i.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17) ^ (i << 7);
        write!(noise, "{mixed:016x}").unwrap();
    }
    let source = read(&notebook(&json!([code(&format!("x = '{noise}'"))]))).unwrap();
    assert!(source.files.len() > 1, "{}", source.files.len());
    assert!(source.files.iter().all(|(_, bytes)| bytes.len() <= PIECE));
    assert!(source.files.is_sorted_by_key(|(name, _)| name.clone()));
    let packed: Vec<u8> = source
        .files
        .into_iter()
        .flat_map(|(_, bytes)| bytes)
        .collect();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_string(&mut text)
        .unwrap();
    assert!(text.contains(&noise));
}

#[test]
fn a_script_says_what_runs_it() {
    let dir = tempfile::tempdir().unwrap();
    let script = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        Source::read(None, Some(&path), &"A=1".parse().unwrap())
    };
    for (name, text, kind) in [
        ("a.py", "print(1)", Kind::Python),
        ("a.sh", "true", Kind::Sh),
        ("b.sh", "#!/usr/bin/env bash\ntrue", Kind::Bash),
        ("a", "#!/bin/sh\ntrue", Kind::Sh),
        ("b", "#!/usr/bin/python3\nprint(1)", Kind::Python),
    ] {
        let source = script(name, text).unwrap();
        assert_eq!(source.kind, kind, "{name}");
        assert_eq!(source.env, [("A".to_owned(), "1".to_owned())]);
    }
    assert!(
        script("a.txt", "true")
            .unwrap_err()
            .to_string()
            .contains("neither a Python nor a shell")
    );
    assert!(
        script("c.sh", "#!/bin/sh\n# nothing\n")
            .unwrap_err()
            .to_string()
            .contains("no code")
    );
    assert!(Source::read(None, Some(&dir.path().join("none.py")), &Pairs::default()).is_err());
}
