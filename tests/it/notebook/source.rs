//! The Kubeflow test is one text: a script in cells, and the notebook that is made of it.
//!
//! `UPDATE=1 cargo test --test it -- the_notebook_is_its_script` writes the notebook anew.

use std::fs;

use serde_json::{Value, json};

use crate::it::support::root;

/// The cells of a script in the percent format of Jupytext: `# %% [markdown] tags=["a"]` begins one.
fn cells(script: &str) -> Vec<Value> {
    let mut cells: Vec<(bool, Value, Vec<&str>)> = Vec::new();
    for line in script.lines() {
        if let Some(head) = line.strip_prefix("# %%") {
            let tags = head.split_once("tags=").map_or(json!([]), |(_, tags)| {
                serde_json::from_str(tags).expect("tags are a list of words")
            });
            cells.push((head.contains("[markdown]"), tags, Vec::new()));
        } else {
            let (is_markdown, _, lines) = cells.last_mut().expect("a cell comes first");
            lines.push(if *is_markdown {
                line.strip_prefix("# ")
                    .unwrap_or(line.trim_start_matches('#'))
            } else {
                line
            });
        }
    }
    let of = |(is_markdown, tags, lines): (bool, Value, Vec<&str>)| {
        let source = lines.join("\n").trim().to_owned();
        let metadata = match tags.as_array().map_or(0, Vec::len) {
            0 => json!({}),
            _ => json!({ "tags": tags }),
        };
        if is_markdown {
            json!({ "cell_type": "markdown", "metadata": metadata, "source": source })
        } else {
            json!({ "cell_type": "code", "execution_count": null, "metadata": metadata, "outputs": [], "source": source })
        }
    };
    cells.into_iter().map(of).collect()
}

#[test]
fn the_notebook_is_its_script() {
    let at = root().join("e2e/mnist");
    let script = fs::read_to_string(at.join("mnist.py")).unwrap();
    let kernel = json!({ "display_name": "Python 3", "language": "python", "name": "python3" });
    let made = json!({ "cells": cells(&script), "metadata": { "kernelspec": kernel }, "nbformat": 4, "nbformat_minor": 4 });
    let path = at.join("mnist.ipynb");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }
    let there: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(
        there == made,
        "UPDATE=1 cargo test --test it -- the_notebook_is_its_script"
    );
}
