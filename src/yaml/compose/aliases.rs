//! What anchors stand for, and how much of a document aliases may make.

use std::collections::HashMap;

use super::Node;

/// What an anchor stands for.
#[derive(Clone, Debug)]
pub(super) struct Anchored {
    pub(super) node: Node,
    /// How many lists and maps are within each other.
    pub(super) height: usize,
}

/// The anchors of a document, and how many values were read and how many of them aliases made.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    /// Without a value while what it stands for is still being read.
    known: HashMap<String, Option<(Anchored, usize)>>,
    values: usize,
    copies: usize,
}

impl Aliases {
    /// Counts a value.
    pub(super) fn count(&mut self) {
        self.values += 1;
    }

    /// What is read now belongs to this anchor.
    pub(super) fn begin(&mut self, name: Option<&str>) -> usize {
        if let Some(name) = name {
            self.known.insert(name.to_owned(), None);
        }
        self.values
    }

    /// That was it; `before` is what [`Self::begin`] gave.
    pub(super) fn end(&mut self, name: String, before: usize, node: &Node, height: usize) {
        let node = node.clone();
        let size = self.values - before + 1;
        self.known
            .insert(name, Some((Anchored { node, height }, size)));
    }

    /// What an alias stands for.
    pub(super) fn expand(&mut self, name: &str) -> Result<Anchored, String> {
        let (anchored, size) = match self.known.get(name) {
            Some(Some(known)) => known,
            Some(None) => return Err(format!("`*{name}` stands within what it stands for")),
            None => {
                return Err(format!(
                    "no `&{name}` stands before `*{name}`; quote a text that begins with `*`"
                ));
            }
        };
        self.values += size;
        self.copies += size;
        if self.copies > 100 && self.values > 1000 && self.share() > allowed_share(self.values) {
            return Err("too much of the document is made by aliases".to_owned());
        }
        Ok(anchored.clone())
    }

    #[expect(clippy::cast_precision_loss)]
    fn share(&self) -> f64 {
        self.copies as f64 / self.values as f64
    }
}

/// Which share of so many values aliases may make, as in kubectl's parser: a small document may be made of them, a large one
/// is a bomb.
#[expect(clippy::cast_precision_loss)]
fn allowed_share(values: usize) -> f64 {
    const SMALL: f64 = 400_000.0;
    const LARGE: f64 = 4_000_000.0;
    let within = ((values as f64 - SMALL) / (LARGE - SMALL)).clamp(0.0, 1.0);
    0.99 - 0.89 * within
}
