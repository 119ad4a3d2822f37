//! What a stage gives: its outputs, and which failure counts where there are two.

use crate::{
    record::RecordError,
    report::{Failure, with_causes},
};

/// The outputs of a stage by name; each is one of [`Stage::outputs`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs(pub Vec<(&'static str, String)>);

impl Outputs {
    /// Adds one.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// One by name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What a stage found and what it wrote of it. A failure of its own is told before one of the disk, which explains less;
/// what passed and could not be written is no pass.
pub(super) fn own_first<T, W>(
    result: Result<T, Failure>,
    written: Result<W, RecordError>,
) -> Result<(T, W), Failure> {
    if let (Err(_), Err(error)) = (&result, &written) {
        tracing::warn!("{}", with_causes(error));
    }
    Ok((result?, written?))
}
