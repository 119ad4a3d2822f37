//! YAML as `kubectl apply -f` reads it, of which each kind of text has one meaning wherever it is read: manifests, what
//! kustomize prints, KinD's configuration, the inputs of a file.
//!
//! Given text; gives values of JSON, or what is wrong and in which line. Differs from kubectl where kubectl drops something: a
//! repeated key, and what follows the end of a document.

use std::fmt;

use serde_json::Value;

mod compose;
mod documents;
mod events;
mod json;
mod scalars;
mod tags;
mod write;

pub use documents::{Document, decode, documents, with_marks};
pub use write::write;

/// So many lists and maps within each other are read as JSON again.
pub const DEEPEST: usize = 127;

/// Something that is wrong in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "line {}: {}", self.line, self.reason)
    }
}

impl Fault {
    fn new(line: usize, reason: impl Into<String>) -> Self {
        Self {
            line,
            reason: reason.into(),
        }
    }

    fn too_deep(line: usize) -> Self {
        Self::new(
            line,
            format!("lists and maps are nested more than {DEEPEST} deep"),
        )
    }
}

/// What a text holds that is to have one document.
///
/// # Errors
/// What is wrong with it, and in which line.
pub fn one(text: &str) -> Result<Value, Fault> {
    let documents = documents(text);
    match documents.as_slice() {
        [] => Ok(Value::Null),
        [document] => document
            .read()
            .map_err(|faults| faults.into_iter().next().expect("a refusal has a reason")),
        [_, second, ..] => Err(second.begins("a second document begins here: one is expected")),
    }
}

#[cfg(test)]
mod tests;
