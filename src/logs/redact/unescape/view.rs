//! A piece of text as it reads without escapes, and where each byte of it stands in the text.

use std::ops::Range;

/// What a piece of text means.
#[derive(Clone, Debug)]
pub(in super::super) struct View {
    /// How it reads.
    pub(in super::super) bytes: Vec<u8>,
    /// Stretches of it, in order: where each begins here and in the text, and how long it is in both.
    stretches: Vec<Stretch>,
}

#[derive(Clone, Copy, Debug)]
struct Stretch {
    here: usize,
    there: usize,
    length: usize,
    /// Another length than `length` for an escape, whose bytes stand for all of it.
    written: usize,
}

impl View {
    /// A piece as it is.
    pub(super) fn of(text: &[u8], piece: Range<usize>) -> Self {
        let length = piece.len();
        let whole = Stretch {
            here: 0,
            there: piece.start,
            length,
            written: length,
        };
        Self {
            bytes: text[piece].to_vec(),
            stretches: vec![whole],
        }
    }

    /// Where in the text a part of it stands; an escape as a whole.
    pub(in super::super) fn place(&self, part: Range<usize>) -> Range<usize> {
        self.edge(part.start, true)..self.edge(part.end.max(part.start + 1) - 1, false)
    }

    /// Where the byte at `at` begins, or ends, in the text.
    fn edge(&self, at: usize, begin: bool) -> usize {
        let after = self.stretches.partition_point(|stretch| stretch.here <= at);
        let stretch = self.stretches[after.saturating_sub(1)];
        match (stretch.length == stretch.written, begin) {
            (true, true) => stretch.there + (at - stretch.here),
            (true, false) => stretch.there + (at - stretch.here) + 1,
            (false, true) => stretch.there,
            (false, false) => stretch.there + stretch.written,
        }
    }

    /// It with its escapes taken back; `None` where it has none.
    pub(super) fn unescaped(
        &self,
        escape: impl Fn(&[u8]) -> Option<(Vec<u8>, usize)>,
        introduces: impl Fn(u8) -> bool,
    ) -> Option<Self> {
        let mut read = Self {
            bytes: Vec::with_capacity(self.bytes.len()),
            stretches: Vec::new(),
        };
        let (mut at, mut from, mut any) = (0, 0, false);
        while at < self.bytes.len() {
            let found = introduces(self.bytes[at])
                .then(|| escape(&self.bytes[at..]))
                .flatten();
            let Some((meant, length)) = found else {
                at += 1;
                continue;
            };
            any = true;
            self.copy(from..at, &mut read);
            let place = self.place(at..at + length);
            read.stretches.push(Stretch {
                here: read.bytes.len(),
                there: place.start,
                length: meant.len(),
                written: place.len(),
            });
            read.bytes.extend_from_slice(&meant);
            at += length;
            from = at;
        }
        self.copy(from..self.bytes.len(), &mut read);
        any.then_some(read)
    }

    /// Appends a part as it is.
    fn copy(&self, part: Range<usize>, read: &mut Self) {
        let mut at = part.start;
        let first = self.stretches.partition_point(|stretch| stretch.here <= at);
        for (number, stretch) in self
            .stretches
            .iter()
            .enumerate()
            .skip(first.saturating_sub(1))
        {
            let end = self
                .stretches
                .get(number + 1)
                .map_or(self.bytes.len(), |next| next.here);
            let end = end.min(part.end);
            if at >= part.end {
                break;
            }
            if at < end {
                let is_plain = stretch.length == stretch.written;
                let length = end - at;
                read.stretches.push(Stretch {
                    here: read.bytes.len(),
                    there: if is_plain {
                        stretch.there + (at - stretch.here)
                    } else {
                        stretch.there
                    },
                    length,
                    written: if is_plain { length } else { stretch.written },
                });
                read.bytes.extend_from_slice(&self.bytes[at..end]);
                at = end;
            }
        }
    }
}
