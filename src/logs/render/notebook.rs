//! The executed notebooks on the page: each cell with what it printed and showed.
//!
//! Nothing of a notebook is taken for HTML: text, HTML, SVG and scripts are shown as text, and of pictures only PNG and JPEG
//! are shown at all.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::Value;

use super::room;
use crate::{
    limits::humane,
    notebook::{
        junit::{Case, Outcome, cases, plain},
        source::METADATA,
    },
};

/// Bytes of one text: the code of a cell, or one output.
const TEXT: usize = 16_000;

/// What is a picture to every browser, and runs nothing: its type and its first bytes.
const PICTURES: [(&str, &[u8]); 2] = [
    ("image/png", b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", b"\xff\xd8\xff"),
];

/// What a browser would run or lay out; it is shown as text.
const MARKUP: [&str; 4] = [
    "text/html",
    "image/svg+xml",
    "application/javascript",
    "text/javascript",
];

/// What else is text, where there is no plain one.
const TEXTS: [&str; 4] = [
    "text/plain",
    "text/markdown",
    "text/latex",
    "application/json",
];

/// What of a text may be shown.
pub trait Clean {
    /// The text without secrets.
    fn text(&self, text: &str) -> String;
    /// Whether there is a secret in it.
    fn leaks(&self, text: &[u8]) -> bool;
}

impl Clean for crate::logs::redact::Redactor {
    fn text(&self, text: &str) -> String {
        self.text(text)
    }

    fn leaks(&self, text: &[u8]) -> bool {
        self.leaks(text)
    }
}

/// What the notebooks of a page may still take.
#[derive(Debug)]
pub struct Room {
    text: usize,
    pictures: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            text: room::CELLS,
            pictures: room::PICTURES,
        }
    }
}

/// An executed notebook.
#[derive(Debug, Serialize)]
pub struct Notebook {
    /// Its file in the bundle.
    pub file: String,
    /// Its cells, in their order.
    pub cells: Vec<Cell>,
    /// How many cells there was no room for.
    pub more: usize,
    /// How many cases passed.
    pub passed: usize,
    /// How many cases there are.
    pub cases: usize,
}

/// One cell.
#[derive(Debug, Serialize)]
pub struct Cell {
    /// `cell 3 of 7: Train`; empty for text.
    pub name: String,
    /// `passed`, `failed`, `skipped`, `not reached`; empty for what is no case.
    pub state: &'static str,
    /// `good`, `bad`, or neither.
    pub tone: &'static str,
    /// How long it ran.
    pub took: String,
    /// Its code, or its text.
    pub source: String,
    /// What it printed and showed.
    pub outputs: Vec<Output>,
}

/// One output of a cell.
#[derive(Debug, Serialize)]
pub enum Output {
    /// What was printed.
    Text(String),
    /// An error.
    Error(String),
    /// Markup, shown as it is written: its type and its text.
    Markup(&'static str, String),
    /// A picture: its type, and its bytes in base64.
    Picture(&'static str, String),
    /// What is in the bundle alone, and why.
    Elsewhere(String),
}

impl Cell {
    /// The begin of its text.
    pub fn head(&self) -> String {
        let line = self.source.lines().find(|line| !line.trim().is_empty());
        let line = line.unwrap_or_default().trim_start_matches(['#', ' ']);
        line.chars().take(80).collect()
    }

    /// Whether it failed.
    pub fn has_failed(&self) -> bool {
        self.state == "failed"
    }
}

impl Notebook {
    /// The name of its file.
    pub fn name(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or(&self.file)
    }

    /// Whether a case failed.
    pub fn has_failed(&self) -> bool {
        self.cells.iter().any(Cell::has_failed)
    }

    /// A notebook as far as there is room for it, the cells that failed before all others; none where there is no room.
    pub fn of(file: &str, notebook: &Value, clean: &dyn Clean, room: &mut Room) -> Option<Self> {
        let mut head = Writer { clean, room };
        // Its name stands in its title, at its end and in a command.
        if !head.takes(4 * room::MARKUP + 3 * room::weight(file)) {
            return None;
        }
        let cells = notebook["cells"].as_array().map_or(&[][..], Vec::as_slice);
        let cases = cases(notebook, "did not come to its end");
        let mut named = cases.iter();
        let mut wanted: Vec<(usize, &Value, Option<&Case>)> = cells
            .iter()
            .enumerate()
            .map(|(at, cell)| {
                let has_name = cell["metadata"][METADATA]["name"].is_string();
                (at, cell, if has_name { named.next() } else { None })
            })
            .filter(|(_, cell, _)| !plain(&cell["source"]).trim().is_empty())
            .collect();
        let has_failed = |case: Option<&Case>| {
            case.is_some_and(|it| matches!(it.outcome, Outcome::Failed { .. }))
        };
        wanted.sort_by_key(|(at, _, case)| (!has_failed(*case), *at));
        let count = wanted.len();
        let mut shown: Vec<(usize, Cell)> = Vec::new();
        for (at, cell, case) in wanted {
            let mut writer = Writer { clean, room };
            if !writer.takes(2 * room::MARKUP) {
                break;
            }
            shown.push((at, writer.cell(cell, case)));
        }
        shown.sort_by_key(|(at, _)| *at);
        let is_good = |case: &&Case| case.outcome == Outcome::Passed;
        Some(Self {
            file: file.to_owned(),
            more: count - shown.len(),
            cells: shown.into_iter().map(|(_, cell)| cell).collect(),
            passed: cases.iter().filter(is_good).count(),
            cases: cases.len(),
        })
    }
}

/// Writes cells as long as there is room.
struct Writer<'a> {
    clean: &'a dyn Clean,
    room: &'a mut Room,
}

impl Writer<'_> {
    fn cell(&mut self, cell: &Value, case: Option<&Case>) -> Cell {
        let (state, tone) = match case.map(|case| &case.outcome) {
            Some(Outcome::Passed) => ("passed", "good"),
            Some(Outcome::Failed { .. }) => ("failed", "bad"),
            Some(Outcome::Skipped { .. }) => ("skipped", ""),
            Some(Outcome::NotRun) => ("not reached", ""),
            Some(Outcome::Unknown { .. }) | None => ("", ""),
        };
        let mut outputs: Vec<Output> = Vec::new();
        for output in cell["outputs"].as_array().into_iter().flatten() {
            self.output(output, &mut outputs);
        }
        // An interrupted kernel leaves its error beside the outputs.
        if let Some(Case {
            outcome:
                Outcome::Failed {
                    kind,
                    message,
                    traceback,
                },
            ..
        }) = case
            && !outputs.iter().any(|it| matches!(it, Output::Error(_)))
        {
            let said = if traceback.is_empty() {
                format!("{kind}: {message}")
            } else {
                traceback.clone()
            };
            outputs.extend(self.text(&said).map(Output::Error));
        }
        let name = case.map_or("", |case| case.name.as_str());
        let name = self.text(name).unwrap_or_default();
        Cell {
            name: room::sentence(&name),
            state,
            tone,
            took: case
                .filter(|it| !it.time.is_zero())
                .map_or(String::new(), |it| humane(it.time)),
            source: self.text(&plain(&cell["source"])).unwrap_or_default(),
            outputs,
        }
    }

    fn output(&mut self, output: &Value, outputs: &mut Vec<Output>) {
        match output["output_type"].as_str() {
            Some("stream") => self.print(&plain(&output["text"]), outputs),
            Some("error") => {
                let lines = output["traceback"].as_array().into_iter().flatten();
                let lines: Vec<String> = lines.map(plain).collect();
                let said = if lines.is_empty() {
                    format!("{}: {}", plain(&output["ename"]), plain(&output["evalue"]))
                } else {
                    lines.join("\n")
                };
                outputs.extend(self.text(&said).map(Output::Error));
            }
            _ => self.shown(&output["data"], outputs),
        }
    }

    /// What a cell showed, which has one or more forms.
    fn shown(&mut self, data: &Value, outputs: &mut Vec<Output>) {
        let picture = PICTURES.iter().find(|(kind, _)| !data[kind].is_null());
        if let Some((kind, begin)) = picture {
            let picture = self.picture(kind, begin, &data[kind]);
            if matches!(picture, Output::Picture(..)) || self.takes(room::MARKUP) {
                outputs.push(picture);
            }
            return;
        }
        let text = TEXTS.iter().find(|kind| !data[kind].is_null());
        if let Some(kind) = text {
            let value = &data[kind];
            let said = if value.is_string() || value.is_array() {
                plain(value)
            } else {
                value.to_string()
            };
            self.print(&said, outputs);
        }
        for kind in MARKUP {
            if !data[kind].is_null() {
                let text = self.text(&plain(&data[kind]));
                outputs.extend(text.map(|text| Output::Markup(kind, text)));
            }
        }
    }

    fn picture(&mut self, kind: &'static str, begin: &[u8], data: &Value) -> Output {
        let mut text = plain(data);
        text.retain(|c| !c.is_ascii_whitespace());
        let Ok(bytes) = STANDARD.decode(&text) else {
            return Output::Elsewhere(format!("{kind}: it is not readable"));
        };
        if !bytes.starts_with(begin) {
            return Output::Elsewhere(format!("{kind}: it is none"));
        }
        let Some(left) = self.room.pictures.checked_sub(room::MARKUP + text.len()) else {
            let size = bytes.len().div_ceil(1024);
            return Output::Elsewhere(format!(
                "{kind}, {size} KiB: no room is left for it on this page"
            ));
        };
        if self.clean.leaks(text.as_bytes()) || self.clean.leaks(&bytes) {
            return Output::Elsewhere(format!("{kind}: left out, since a secret is in it"));
        }
        self.room.pictures = left;
        Output::Picture(kind, STANDARD.encode(bytes))
    }

    /// Adds what was printed to what was printed right before.
    fn print(&mut self, text: &str, outputs: &mut Vec<Output>) {
        if text.trim().is_empty() {
            return;
        }
        let Some(text) = self.text(text) else { return };
        match outputs.last_mut() {
            Some(Output::Text(before)) if before.ends_with('\n') => before.push_str(&text),
            _ => outputs.push(Output::Text(text)),
        }
    }

    /// Takes so many bytes, if they are there.
    fn takes(&mut self, bytes: usize) -> bool {
        let left = self.room.text.checked_sub(bytes);
        self.room.text = left.unwrap_or(self.room.text);
        left.is_some()
    }

    /// A text without secrets, as much of it as there is room for.
    fn text(&mut self, text: &str) -> Option<String> {
        let left = self.room.text.checked_sub(room::MARKUP)?;
        let text = room::both_ends(&self.clean.text(text), TEXT.min(left));
        self.room.text = left.saturating_sub(room::weight(&text));
        Some(text)
    }
}

#[cfg(test)]
mod tests;
