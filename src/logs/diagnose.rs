//! What went wrong, told from a snapshot: causes in the order in which one would look at them, symptoms below them.
//!
//! Pure: no clock, no server. A rule looks at one kind of trouble and says what it needs to be so; what says the same is
//! folded into one finding, and a finding whose need has a finding of its own is put below that.

mod class;
mod finding;
mod index;
mod mentions;
mod rules;
mod tree;

use self::{index::Index, mentions::Mentions};
use super::snapshot::Snapshot;

pub use class::{Class, Origin};
pub use finding::{Evidence, Finding};

/// What rules look at.
struct Scene<'a> {
    index: Index<'a>,
    /// What logs tell of those who could not be reached.
    mentions: Mentions<'a>,
}

impl Scene<'_> {
    /// What an object says, as evidence.
    fn evidence(&self, object: &super::snapshot::Object, text: &str) -> Evidence {
        Evidence::of(&self.index.snapshot.context, object, text)
    }
}

/// The findings of a snapshot, the most telling first.
pub fn diagnose(snapshot: &Snapshot) -> Vec<Finding> {
    let index = Index::of(snapshot);
    let mentions = mentions::all(&index);
    let scene = Scene { index, mentions };
    tree::grow(rules::all(&scene))
}

/// A message on one line as evidence, which may be long.
fn whole(message: &str) -> String {
    const LONGEST: usize = 1200;
    let line = crate::report::one_line(message);
    match line.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests;
