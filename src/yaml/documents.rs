//! From bytes to documents: encodings, the marks between documents, JSON beside YAML.

use std::borrow::Cow;

use serde_json::{Value, value::RawValue};

use super::{
    Fault,
    compose::{self, Composer},
    json, write,
};

/// One document of a text, not read yet.
#[derive(Debug)]
pub struct Document<'a> {
    text: Cow<'a, str>,
    line: usize,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Yaml,
    Json,
    Bad(Fault),
}

impl Document<'_> {
    /// What it holds; null where that is nothing.
    ///
    /// # Errors
    /// All that is wrong with it, as far as it can be read.
    pub fn read(&self) -> Result<Value, Vec<Fault>> {
        match &self.form {
            Form::Json => json::read(&self.text, self.line).map_err(|fault| vec![fault]),
            Form::Bad(fault) => Err(vec![fault.clone()]),
            Form::Yaml => {
                if let Some(fault) = forbidden(&self.text, self.line) {
                    return Err(vec![fault]);
                }
                Composer::new(&self.text, self.line).document()
            }
        }
    }

    /// The line of the whole text in which its content begins, from 1.
    pub fn line(&self) -> usize {
        let is_content = |line: &str| {
            let line = line.trim();
            !(line.is_empty() || line.starts_with('#') || line.starts_with("---"))
        };
        let before = self.text.lines().take_while(|line| !is_content(line));
        self.line + before.count()
    }

    /// The kind and the name that it seems to have, where it cannot be read.
    pub fn object(&self) -> Option<String> {
        let Some(value) = Composer::new(&self.text, self.line).outline() else {
            return self.object_by_lines();
        };
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        let namespace = text("/metadata/namespace").map_or_else(String::new, |it| format!("{it}/"));
        let (kind, name) = (text("/kind")?, text("/metadata/name")?);
        Some(format!("{kind} {namespace}{name}"))
    }

    fn object_by_lines(&self) -> Option<String> {
        let value = |line: &str, key: &str| {
            let value = line.strip_prefix(key)?.trim().trim_matches(['"', '\'']);
            (!value.is_empty()).then(|| value.to_owned())
        };
        let kind = self.text.lines().find_map(|line| value(line, "kind:"))?;
        let metadata = self.text.lines();
        let metadata = metadata.skip_while(|line| line.trim_end() != "metadata:");
        let inner: Vec<&str> = metadata
            .skip(1)
            .take_while(|it| it.starts_with(' '))
            .collect();
        let first = inner.first()?;
        let indent = first.len() - first.trim_start().len();
        let of = |key: &str| {
            inner
                .iter()
                .find_map(|line| value(line.get(indent..)?, key))
        };
        let namespace = of("namespace:").map_or_else(String::new, |it| format!("{it}/"));
        Some(format!("{kind} {namespace}{}", of("name:")?))
    }

    /// That something is wrong where it begins.
    pub(super) fn begins(&self, reason: &str) -> Fault {
        Fault::new(self.line, reason)
    }

    /// Whether it holds no more than comments and white space.
    fn is_empty(&self) -> bool {
        matches!(self.form, Form::Yaml) && compose::is_empty(&self.text)
    }
}

/// The documents of a text; those that hold nothing are left out.
///
/// A text that begins with `{` is a stream of JSON, as long as it can be read as one. Else a line that begins with `---` parts
/// documents, wherever it stands.
pub fn documents(text: &str) -> Vec<Document<'_>> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (text, 1);
    if text.trim_start().starts_with('{') {
        let (end, failed) = objects_of_json(text, &mut found);
        let Some(error) = failed else {
            return found;
        };
        if found.len() > 1 {
            let reason = json::reason(&error);
            let fault = Fault::new(
                error.line(),
                format!("no JSON, which stands before it: {reason}"),
            );
            found.push(Document {
                text: Cow::Borrowed(&text[end..]),
                line: error.line(),
                form: Form::Bad(fault),
            });
            return found;
        }
        // As kubectl: white space to the end of the line is none of YAML's.
        rest = &text[end..];
        let blank = &rest[..rest.len() - rest.trim_start().len()];
        rest = &rest[blank.find('\n').map_or(blank.len(), |at| at + 1)..];
        line += count_lines(&text[..text.len() - rest.len()]);
    }
    parts(rest, line, &mut found);
    found.retain(|document| !document.is_empty());
    found
}

/// Takes objects of JSON as long as there are any: where the last ends, and what is wrong behind it.
fn objects_of_json<'a>(
    text: &'a str,
    found: &mut Vec<Document<'a>>,
) -> (usize, Option<serde_json::Error>) {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let (mut end, mut line) = (0, 1);
    loop {
        match values.next() {
            None => return (end, None),
            Some(Err(error)) => return (end, Some(error)),
            Some(Ok(value)) => {
                let begin = values.byte_offset() - value.get().len();
                line += count_lines(&text[end..begin]);
                found.push(Document {
                    text: Cow::Borrowed(value.get()),
                    line,
                    form: Form::Json,
                });
                line += count_lines(value.get());
                end = values.byte_offset();
            }
        }
    }
}

/// The same text, but objects of JSON as YAML with `---` between, so that it can stand among others.
pub fn with_marks(text: String) -> String {
    if !text.trim_start().starts_with('{') {
        return text;
    }
    let documents = documents(&text);
    let as_yaml = |it: &Document| match it.read() {
        Ok(value) => write(&value),
        Err(_) => it.text.to_string(),
    };
    let texts: Vec<String> = documents.iter().map(as_yaml).collect();
    texts.join("---\n")
}

fn parts<'a>(text: &'a str, first_line: usize, found: &mut Vec<Document<'a>>) {
    let (mut begin, mut begin_line) = (0, first_line);
    let mut bad = None;
    let mut at = 0;
    let mut push = |part: &'a str, line: usize, bad: Option<Fault>| {
        // kubectl reads line by line, so each has an end.
        let text = if part.is_empty() || part.ends_with('\n') {
            Cow::Borrowed(part)
        } else {
            Cow::Owned(format!("{part}\n"))
        };
        let form = bad.map_or(Form::Yaml, Form::Bad);
        found.push(Document { text, line, form });
    };
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if let Some(rest) = line.strip_prefix("---") {
            push(&text[begin..at], begin_line, bad.take());
            (begin, begin_line) = (at + line.len(), first_line + number + 1);
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                bad = Some(Fault::new(
                    first_line + number,
                    "more than a comment stands behind `---`, which kubectl refuses: begin a line for it; within a text, indent the line",
                ));
            }
        }
        at += line.len();
    }
    push(&text[begin..], begin_line, bad);
}

fn count_lines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// The first character that YAML does not allow.
fn forbidden(text: &str, line: usize) -> Option<Fault> {
    let suspect = |byte: &u8| matches!(byte, 0..=8 | 11 | 12 | 14..=31 | 127 | 0xC2 | 0xEF);
    if !text.as_bytes().iter().any(suspect) {
        return None;
    }
    let is_forbidden = |c: char| match c {
        '\t' | '\n' | '\r' | '\u{85}' => false,
        '\u{fffe}' | '\u{ffff}' => true,
        c => c.is_control(),
    };
    if text.starts_with('\u{feff}') {
        return Some(Fault::new(
            line,
            "a byte order mark stands within the text, as where files were joined: remove it",
        ));
    }
    let at = text.find(is_forbidden)?;
    let code = u32::from(text[at..].chars().next().expect("it was found"));
    let line = line + count_lines(&text[..at]);
    Some(Fault::new(
        line,
        format!(
            "the character U+{code:04X} is not allowed: escape it in double quotes, or encode it"
        ),
    ))
}

/// The text of a file: UTF-8, or UTF-16 where a byte order mark says so.
///
/// # Errors
/// Where it is neither.
pub fn decode(bytes: Vec<u8>) -> Result<String, Fault> {
    let wide = |unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..]
            .chunks(2)
            .map(|it| unit([it[0], it.get(1).copied().unwrap_or_default()]))
            .collect();
        let whole = bytes.len().is_multiple_of(2);
        String::from_utf16(&units)
            .ok()
            .filter(|_| whole)
            .ok_or_else(|| Fault::new(1, "it begins as UTF-16 and is none"))
    };
    match bytes.as_slice() {
        [0xFF, 0xFE, ..] => wide(u16::from_le_bytes),
        [0xFE, 0xFF, ..] => wide(u16::from_be_bytes),
        _ => {
            let text = String::from_utf8(bytes).map_err(|error| {
                let whole = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = 1 + count_lines(&String::from_utf8_lossy(whole));
                Fault::new(
                    line,
                    "it is not UTF-8: save it as UTF-8, or as UTF-16 with a byte order mark",
                )
            })?;
            Ok(match text.strip_prefix('\u{feff}') {
                Some(text) => text.to_owned(),
                None => text,
            })
        }
    }
}
