//! Takes secrets out of everything that goes into a bundle: the known ones in each form that a writer gives them, what stands
//! under a secret's name, and what looks like a secret.
//!
//! Given literals by [`harvest`]; objects are scrubbed by [`structure`]. The salt of a run lives in memory alone, so the
//! marks of two bundles cannot be compared, and those of one can.

mod encoded;
mod forms;
pub mod harvest;
mod literals;
mod looks;
mod marker;
pub mod names;
mod seeds;
mod stretch;
pub mod structure;
mod unescape;

use std::{borrow::Cow, collections::BTreeSet, fmt, ops::Range, sync::LazyLock};

use regex::bytes::Regex;

pub use self::marker::Marker;
use self::{literals::Literals, names::Trust};

/// Encodings within encodings.
const DEPTH: usize = 3;

/// Finds secrets in bytes and replaces them.
pub struct Redactor {
    marker: Marker,
    literals: Literals,
    names: BTreeSet<String>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} literals)", self.literals.len())
    }
}

/// A part of a text that is a secret, and what stands for it.
struct Found {
    range: Range<usize>,
    mark: String,
}

impl Redactor {
    /// One that knows these secrets, in each form in which text may hold them.
    ///
    /// `names` are those of the cluster's objects. A value that is one of them is no secret for that: without names nothing
    /// could be found again.
    pub fn new(marker: Marker, secrets: &harvest::Secrets, names: BTreeSet<String>) -> Self {
        let literals = Literals::new(&marker, secrets, &names);
        Self {
            marker,
            literals,
            names,
        }
    }

    /// One that knows no literal: looks and names alone.
    pub fn blind() -> Self {
        Self::new(
            Marker::random(),
            &harvest::Secrets::default(),
            BTreeSet::new(),
        )
    }

    /// What stands for a value.
    pub fn mark(&self, value: &[u8]) -> String {
        self.marker.mark(value)
    }

    /// The names of the cluster's objects.
    pub fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// The bytes without secrets, and how many were replaced.
    pub fn bytes<'a>(&self, text: &'a [u8]) -> (Cow<'a, [u8]>, usize) {
        replaced(text, self.found(text, Trust::Look))
    }

    /// The bytes of a part of an object, where a name says what its value is.
    pub fn value<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        replaced(text, self.found(text, Trust::Name)).0
    }

    /// A text without secrets.
    pub fn text(&self, text: &str) -> String {
        let (clean, _) = self.bytes(text.as_bytes());
        String::from_utf8_lossy(&clean).into_owned()
    }

    /// A name of a file without secrets.
    pub fn file<'a>(&self, path: &'a str) -> Cow<'a, str> {
        let (clean, count) = self.bytes(path.as_bytes());
        if count == 0 {
            return Cow::Borrowed(path);
        }
        let clean = String::from_utf8_lossy(&clean);
        Cow::Owned(clean.replace(['<', '>'], "").replace(['=', ' '], "-"))
    }

    /// Whether a secret is still in there: the last look before a file goes into the bundle.
    pub fn leaks(&self, text: &[u8]) -> bool {
        !self.found(text, Trust::Look).is_empty()
    }

    /// Whether a known secret is in a text that was made of clean values; the keys between them are never rewritten.
    pub fn leaks_beside_keys(&self, text: &[u8]) -> bool {
        let marks = marks(text);
        let literals = self
            .literals
            .found(text, DEPTH, &|content| self.decoded_leaks(content, 1));
        literals
            .iter()
            .any(|(range, _)| !within(&marks, range) && !literals::is_key(text, range))
    }

    /// All secrets of a text, in order and apart.
    fn found(&self, text: &[u8], trust: Trust) -> Vec<Found> {
        let mut found = self.all(text, trust, DEPTH);
        found.sort_by_key(|found| (found.range.start, std::cmp::Reverse(found.range.end)));
        let mut apart: Vec<Found> = Vec::new();
        for next in found {
            match apart.last_mut() {
                Some(last) if next.range.start < last.range.end => {
                    last.range.end = last.range.end.max(next.range.end);
                }
                _ => apart.push(next),
            }
        }
        apart
    }

    fn all(&self, text: &[u8], trust: Trust, depth: usize) -> Vec<Found> {
        let anchors = looks::anchors(text);
        // What is marked already stays as it is.
        let marks = if anchors.marks {
            marks(text)
        } else {
            Vec::new()
        };
        let literals = self.literals.found(text, depth, &|content| {
            self.decoded_leaks(content, depth - 1)
        });
        let mut found: Vec<Found> = literals
            .into_iter()
            .map(|(range, mark)| Found {
                mark: mark.map_or_else(|| self.mark(&text[range.clone()]), str::to_owned),
                range,
            })
            .collect();
        let values = names::values_at(text, &anchors.names, trust, &self.names);
        found.extend(
            looks::found(text, &anchors)
                .into_iter()
                .chain(values)
                .map(|range| Found {
                    mark: self.mark(text[range.clone()].trim_ascii()),
                    range,
                }),
        );
        found.retain(|found| !within(&marks, &found.range));
        found
    }

    /// Whether what base64 decodes to holds a secret.
    fn decoded_leaks(&self, content: &[u8], depth: usize) -> bool {
        let anchors = looks::anchors(content);
        let inner = |content: &[u8]| self.decoded_leaks(content, depth - 1);
        !looks::found(content, &anchors).is_empty()
            || !self.literals.found(content, depth, &inner).is_empty()
    }
}

fn replaced(text: &[u8], found: Vec<Found>) -> (Cow<'_, [u8]>, usize) {
    if found.is_empty() {
        return (Cow::Borrowed(text), 0);
    }
    let (mut out, mut from, count) = (Vec::with_capacity(text.len()), 0, found.len());
    for Found { range, mark } in found {
        out.extend_from_slice(&text[from..range.start]);
        out.extend_from_slice(mark.as_bytes());
        from = range.end;
    }
    out.extend_from_slice(&text[from..]);
    (Cow::Owned(out), count)
}

/// The marks in a text.
fn marks(text: &[u8]) -> Vec<Range<usize>> {
    static MARK: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?-u)(?:<|&#60;|&lt;|\\u003c)redacted len=\d+ id=[0-9a-f]{8}(?:>|&#62;|&gt;|\\u003e)",
        )
        .expect("a constant expression")
    });
    MARK.find_iter(text).map(|mark| mark.range()).collect()
}

/// Whether a part lies within one of these.
fn within(marks: &[Range<usize>], part: &Range<usize>) -> bool {
    let at = marks.partition_point(|mark| mark.end <= part.start);
    marks
        .get(at)
        .is_some_and(|mark| mark.start <= part.start && part.end <= mark.end)
}

#[cfg(test)]
mod tests;
