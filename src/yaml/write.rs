//! Values as YAML that means the same to readers of YAML 1.1 and 1.2: text that either would take for something else is quoted.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::scalars::is_text;

/// A value as YAML, in lines.
pub fn write(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => entries(&mut text, map, 0),
        Value::Array(list) if !list.is_empty() => items(&mut text, list, 0),
        scalar => leaf(&mut text, scalar, 2),
    }
    text
}

fn entries(text: &mut String, map: &Map<String, Value>, indent: usize) {
    for (number, (key, value)) in map.iter().enumerate() {
        // The first stands where its map begins, which may be behind a `-`.
        if number > 0 {
            text.push_str(&" ".repeat(indent));
        }
        inline(text, key);
        text.push(':');
        match value {
            Value::Object(map) if !map.is_empty() => {
                text.push('\n');
                text.push_str(&" ".repeat(indent + 2));
                entries(text, map, indent + 2);
            }
            Value::Array(list) if !list.is_empty() => {
                text.push('\n');
                text.push_str(&" ".repeat(indent));
                items(text, list, indent);
            }
            scalar => {
                text.push(' ');
                leaf(text, scalar, indent + 2);
            }
        }
    }
}

fn items(text: &mut String, list: &[Value], indent: usize) {
    for (number, item) in list.iter().enumerate() {
        if number > 0 {
            text.push_str(&" ".repeat(indent));
        }
        text.push_str("- ");
        match item {
            Value::Object(map) if !map.is_empty() => entries(text, map, indent + 2),
            Value::Array(list) if !list.is_empty() => items(text, list, indent + 2),
            scalar => leaf(text, scalar, indent + 2),
        }
    }
}

/// What has no lines of its own, and a block of text, whose lines are indented by so much.
fn leaf(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::String(string) if string.contains('\n') && string.chars().all(is_of_block) => {
            block(text, string, indent);
            return;
        }
        Value::String(string) => inline(text, string),
        Value::Array(_) => text.push_str("[]"),
        Value::Object(_) => text.push_str("{}"),
        other => text.push_str(&other.to_string()),
    }
    text.push('\n');
}

fn block(text: &mut String, string: &str, indent: usize) {
    text.push('|');
    if string.starts_with([' ', '\t', '\n']) {
        // Its first line does not show how far it is indented.
        text.push('2');
    }
    let body = match string.strip_suffix('\n') {
        None => {
            text.push('-');
            string
        }
        Some(body) => {
            if body.is_empty() || body.ends_with('\n') {
                text.push('+');
            }
            body
        }
    };
    text.push('\n');
    for line in body.split('\n') {
        if !line.is_empty() {
            text.push_str(&" ".repeat(indent));
        }
        text.push_str(line);
        text.push('\n');
    }
}

/// A text within a line.
fn inline(text: &mut String, string: &str) {
    if is_plain(string) {
        text.push_str(string);
    } else if string.chars().all(|c| c != '\n' && is_of_block(c)) {
        let _ = write!(text, "'{}'", string.replace('\'', "''"));
    } else {
        text.push('"');
        for c in string.chars() {
            match c {
                '"' | '\\' => text.extend(['\\', c]),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                c if is_of_block(c) => text.push(c),
                c => {
                    let _ = write!(text, "\\U{:08X}", u32::from(c));
                }
            }
        }
        text.push('"');
    }
}

/// Whether a character stands for itself in any text that is not escaped.
fn is_of_block(c: char) -> bool {
    match c {
        '\n' | '\t' => true,
        '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => false,
        c => !c.is_control(),
    }
}

/// Whether a text means itself without quotes.
fn is_plain(string: &str) -> bool {
    let mut letters = string.chars();
    let begins = match letters.next() {
        Some('-') => {
            letters.next().is_some_and(|c| !c.is_whitespace()) && !string.starts_with("---")
        }
        Some(c) => {
            !c.is_whitespace() && !"?:,[]{}#&*!|>'\"%@`=".contains(c) && !string.starts_with("...")
        }
        None => false,
    };
    begins
        && !string.ends_with(|c: char| c.is_whitespace() || c == ':')
        && !string.contains(": ")
        && !string.contains(" #")
        && string
            .chars()
            .all(|c| c != '\n' && c != '\t' && is_of_block(c))
        && string != "<<"
        && is_text(string)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_looks_as_people_write_it() {
        let value = json!({
            "args": ["--a=b", "-c", ["d", []], {"e": {"f": 1, "g": null}, "h": {}}],
            "data": {"config": "x:\n  y\n\nz\n", "keep": "a\n\n", "strip": " a\n b", "tab": "a\tb"},
            "flag": true,
        });
        let text = "args:\n- --a=b\n- -c\n- - d\n  - []\n- e:\n    f: 1\n    g: null\n  h: {}\n\
                    data:\n  config: |\n    x:\n      y\n\n    z\n  keep: |+\n    a\n\n  strip: |2-\n     a\n     b\n  tab: 'a\tb'\n\
                    flag: true\n";
        assert_eq!(write(&value), text);
    }

    #[test]
    fn what_reads_as_something_else_is_quoted() {
        for text in [
            "yes", "n", "On", "0644", "1_000", "~", "null", "true", ".inf", "1e3", "<<", "=", "",
            " a", "a ", "a: b", "a #b", "a:", "- a", "---", "*a", "it's", "#",
        ] {
            let quoted = format!("'{}'\n", text.replace('\'', "''"));
            let value = json!(text);
            let expected = if text == "it's" {
                "it's\n".to_owned()
            } else {
                quoted
            };
            assert_eq!(write(&value), expected);
        }
        assert_eq!(write(&json!("a\r\u{85}\"")), "\"a\\r\\U00000085\\\"\"\n");
    }
}
