//! Parameters, as papermill gives them to a notebook: a cell of assignments after the one that is tagged `parameters`.

use serde_json::{Value, json};

use crate::{
    inputs::Pairs,
    notebook::source::{METADATA, SourceError, language, tagged, text},
};

/// Tag of the cell whose values the parameters replace.
const TAG: &str = "parameters";
/// Tag of the cell that replaces them.
const INJECTED: &str = "injected-parameters";
/// Words that Python keeps for itself.
const KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

/// Puts the parameters into a notebook whose cells are in order.
///
/// # Errors
/// [`SourceError::Parameter`] for a name that Python cannot assign, and for a notebook in another language.
pub(super) fn inject(notebook: &mut Value, given: &Pairs) -> Result<(), SourceError> {
    let Some((first, _)) = given.0.first() else {
        return Ok(());
    };
    let language = language(notebook).unwrap_or("python");
    if !language.eq_ignore_ascii_case("python") {
        return Err(refuse(
            first,
            &format!("the notebook is in {language}, and only Python takes any"),
        ));
    }
    let numbered = notebook["nbformat_minor"].as_i64().unwrap_or(0) >= 5;
    let cells = notebook["cells"]
        .as_array_mut()
        .expect("the notebook was checked");
    cells.retain(|cell| !tagged(cell, INJECTED));
    let at = cells
        .iter()
        .position(|cell| cell["cell_type"] == "code" && tagged(cell, TAG));
    if at.is_none() {
        tracing::warn!("no cell is tagged `{TAG}`: the parameters are set before the first cell");
    }
    let defaults = at.map(|at| text(&cells[at]["source"]));
    let mut source = "# Parameters".to_owned();
    for (name, value) in &given.0 {
        check_variable(name)?;
        if KEYWORDS.contains(&name.as_str()) {
            return Err(refuse(name, "Python keeps this word for itself"));
        }
        if defaults.as_ref().is_some_and(|text| !assigns(text, name)) {
            tracing::warn!("the cell tagged `{TAG}` has no `{name}`: is it misspelt?");
        }
        source.extend(["\n", name, " = ", &literal(value)]);
    }
    let mut cell = json!({
        "cell_type": "code",
        "execution_count": null,
        "metadata": { "tags": [INJECTED], METADATA: { "name": "parameters" } },
        "outputs": [],
        "source": source,
    });
    if numbered {
        cell["id"] = json!(INJECTED);
    }
    cells.insert(at.map_or(0, |at| at + 1), cell);
    Ok(())
}

/// Whether a name can be a variable.
///
/// # Errors
/// [`SourceError::Parameter`] where it cannot.
pub(super) fn check_variable(name: &str) -> Result<(), SourceError> {
    let mut letters = name.chars();
    let begins = letters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if begins && letters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    Err(refuse(
        name,
        "it is not made of letters, digits and underscores",
    ))
}

fn refuse(name: &str, reason: &str) -> SourceError {
    SourceError::Parameter {
        name: name.to_owned(),
        reason: reason.to_owned(),
    }
}

fn assigns(source: &str, name: &str) -> bool {
    source.lines().any(|line| {
        line.trim_start()
            .strip_prefix(name)
            .is_some_and(|rest| rest.trim_start().starts_with(['=', ':']))
    })
}

/// A value as Python writes it: numbers, `True`, `None` and JSON as themselves, all else as a string.
fn literal(value: &str) -> String {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if matches!(value, "True" | "False" | "None")
        || (whole && (digits == "0" || !digits.starts_with('0')))
    {
        return value.to_owned();
    }
    match serde_json::from_str::<Value>(value) {
        Ok(value) => python(&value),
        Err(_) => json!(value).to_string(),
    }
}

fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        // What JSON escapes in a string, Python reads the same way.
        Value::Number(_) | Value::String(_) => value.to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(python).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let items: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", json!(key), python(value)))
                .collect();
            format!("{{{}}}", items.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Pairs {
        text.parse().unwrap()
    }

    #[test]
    fn values_are_what_python_reads() {
        for (value, python) in [
            ("3", "3"),
            ("-0.5", "-0.5"),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567890",
            ),
            ("007", "\"007\""),
            ("true", "True"),
            ("None", "None"),
            ("a \"b\"", "\"a \\\"b\\\"\""),
            ("\"3\"", "\"3\""),
            ("[1, {\"a\": null}]", "[1, {\"a\": None}]"),
            ("v1.2", "\"v1.2\""),
            ("", "\"\""),
        ] {
            assert_eq!(literal(value), python, "{value}");
        }
    }

    #[test]
    fn they_follow_the_tagged_cell_and_replace_earlier_ones() {
        let mut notebook = json!({ "metadata": {}, "nbformat_minor": 4, "cells": [
            { "cell_type": "code", "metadata": {}, "source": "import os" },
            { "cell_type": "code", "metadata": { "tags": ["parameters"] }, "source": "a = 1" },
            { "cell_type": "code", "metadata": { "tags": ["injected-parameters"] }, "source": "a = 2" },
        ]});
        inject(&mut notebook, &pairs("a=3")).unwrap();
        let sources: Vec<String> = notebook["cells"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| text(&c["source"]))
            .collect();
        assert_eq!(sources, ["import os", "a = 1", "# Parameters\na = 3"]);
    }

    #[test]
    fn what_python_cannot_assign_is_refused() {
        let refused = |language: &str, given: &str| {
            let mut notebook =
                json!({ "metadata": { "language_info": { "name": language } }, "cells": [] });
            inject(&mut notebook, &pairs(given))
                .unwrap_err()
                .to_string()
        };
        assert!(refused("python", "a-b=1").contains("`a-b`"));
        assert!(refused("python", "for=1").contains("keeps this word"));
        assert!(refused("R", "a=1").contains("in R"));
    }
}
