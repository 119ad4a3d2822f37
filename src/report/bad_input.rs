//! An input that cannot be.

use crate::report::{Exit, Explain};

/// An input that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{input}: {reason}")]
pub struct BadInput {
    /// The input by its name.
    pub input: &'static str,
    /// What is wrong with it.
    pub reason: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Explain for BadInput {
    fn exit(&self) -> Exit {
        Exit::BadInput
    }

    fn hint(&self) -> Option<String> {
        self.remedy.clone()
    }
}
