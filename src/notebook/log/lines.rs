//! Lines of a stream of bytes, whatever they hold, and with bounded memory.
//!
//! A test prints what it likes: Latin-1, half a picture, gigabytes without a line end. None of it ends the log.

use std::io;

use futures::{AsyncBufRead, AsyncBufReadExt as _};

/// A longer line comes in pieces of this many bytes.
const LONGEST: usize = 16 << 10;

/// A line, or a piece of a long one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// What is no UTF-8 in it is replaced.
    pub(super) text: String,
    /// Whether the line begins with it.
    pub(super) begins: bool,
    /// Whether the stream ended before the line did.
    pub(super) is_cut_off: bool,
}

/// The lines of a stream.
pub(super) struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    /// Whether a piece of the present line was given already.
    within: bool,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(super) fn of(reader: R) -> Self {
        Self {
            reader,
            line: Vec::new(),
            within: false,
        }
    }

    /// The next line or piece; none at the end. Nothing is lost where this is given up and asked for again.
    pub(super) async fn next(&mut self) -> io::Result<Option<Piece>> {
        loop {
            let bytes = match self.reader.fill_buf().await {
                Ok([]) => return Ok(self.rest()),
                Ok(bytes) => &bytes[..bytes.len().min(LONGEST - self.line.len())],
                // What came before it is told first; the error comes again.
                Err(error) => return self.rest().map_or(Err(error), |piece| Ok(Some(piece))),
            };
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(bytes.len(), |end| end + 1);
            self.line.extend_from_slice(&bytes[..end.unwrap_or(taken)]);
            self.reader.consume_unpin(taken);
            if end.is_some() {
                let is_only_the_end = self.within && self.line.is_empty();
                let piece = self.give(self.line.len());
                self.within = false;
                if !is_only_the_end {
                    return Ok(Some(piece));
                }
            } else if self.line.len() == LONGEST {
                return Ok(Some(self.give(whole_letters(&self.line))));
            }
        }
    }

    /// What came after the last line end.
    fn rest(&mut self) -> Option<Piece> {
        let is_there = !self.line.is_empty();
        is_there.then(|| Piece {
            is_cut_off: true,
            ..self.give(self.line.len())
        })
    }

    fn give(&mut self, length: usize) -> Piece {
        let text = String::from_utf8_lossy(&self.line[..length]).into_owned();
        self.line.drain(..length);
        Piece {
            text,
            begins: !std::mem::replace(&mut self.within, true),
            is_cut_off: false,
        }
    }
}

/// The length of the bytes without a letter at their end that goes on in the next ones.
fn whole_letters(bytes: &[u8]) -> usize {
    let is_begin = |byte: &u8| byte & 0b1100_0000 != 0b1000_0000;
    let last = bytes.iter().rposition(is_begin).unwrap_or(0);
    match std::str::from_utf8(&bytes[last..]) {
        // It lacks its end, and it is not the whole piece.
        Err(error) if error.error_len().is_none() && last > 0 => last,
        _ => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;

    use super::*;

    async fn pieces(bytes: &[u8]) -> Vec<(String, bool, bool)> {
        let mut lines = Lines::of(Cursor::new(bytes));
        let mut all = Vec::new();
        while let Some(piece) = lines.next().await.unwrap() {
            all.push((piece.text, piece.begins, piece.is_cut_off));
        }
        all
    }

    #[tokio::test]
    async fn what_is_no_utf_8_is_a_line_and_not_the_end() {
        let found = pieces(b"a\n\xe9\n\nb").await;
        let whole = |text: &str| (text.to_owned(), true, false);
        let last = ("b".to_owned(), true, true);
        assert_eq!(found, [whole("a"), whole("\u{fffd}"), whole(""), last]);
    }

    #[tokio::test]
    async fn a_line_without_an_end_takes_no_more_memory_than_a_piece() {
        let found = pieces(&[b"x".repeat(3 * LONGEST), b"\ny\n".to_vec()].concat()).await;
        let lengths: Vec<_> = found.iter().map(|it| (it.0.len(), it.1)).collect();
        let piece = LONGEST;
        assert_eq!(
            lengths,
            [(piece, true), (piece, false), (piece, false), (1, true)]
        );
    }

    #[tokio::test]
    async fn a_letter_is_in_one_piece() {
        let text = format!("x{}\n", "ä€".repeat(LONGEST));
        let found = pieces(text.as_bytes()).await;
        let joined: String = found.iter().map(|it| it.0.as_str()).collect();
        assert!(found.len() > 2 && joined == text.trim_end());
    }
}
