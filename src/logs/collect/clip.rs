//! Text of which the middle may be missing: its head, its tail, and the lines between them that tell of errors.

use std::{collections::VecDeque, io::Read, sync::LazyLock};

use aho_corasick::AhoCorasick;

/// Lines of errors out of the middle are kept up to here.
const ERRORS: usize = 256 * 1024;
/// Lines around one of them.
const AROUND: usize = 2;
/// A cut looks for the end of a line this far.
const LINE: usize = 64 * 1024;
/// Within a longer line it looks for the end of a word this far.
const WORD: usize = 1024;

/// Text of which the middle may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clipped {
    /// What is there, with a line that says what is not.
    pub bytes: Vec<u8>,
    /// Bytes left out.
    pub left_out: u64,
}

impl Clipped {
    /// A text that is whole.
    pub fn whole(text: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: text.into(),
            left_out: 0,
        }
    }

    /// The same, shorter.
    #[must_use]
    pub fn within(self, head: usize, tail: usize) -> Self {
        let mut clip = Clip::new(head, tail);
        clip.push(&self.bytes);
        let shorter = clip.finish();
        Self {
            left_out: shorter.left_out + self.left_out,
            ..shorter
        }
    }
}

/// Takes text as it comes and keeps whole lines of its head and its tail.
#[derive(Debug)]
pub struct Clip {
    head_limit: usize,
    tail_limit: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    left_out: u64,
    errors: Errors,
}

impl Clip {
    /// One that keeps so many bytes of both ends.
    pub fn new(head_limit: usize, tail_limit: usize) -> Self {
        Self {
            head_limit,
            tail_limit,
            head: Vec::new(),
            tail: VecDeque::new(),
            left_out: 0,
            errors: Errors::default(),
        }
    }

    /// Takes the next piece.
    pub fn push(&mut self, bytes: &[u8]) {
        let room = self.head_limit - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        self.tail.extend(rest);
        let over = self.tail.len().saturating_sub(self.tail_limit);
        if over > 0 {
            let passing: Vec<u8> = self.tail.drain(..over).collect();
            self.errors.push(&passing);
            self.left_out += over as u64;
        }
    }

    /// Whether nothing came yet.
    pub fn is_empty(&self) -> bool {
        self.head.is_empty()
    }

    /// What was kept. Where something is left out, the cut is at the end of a line, or of a word of a line without end: half a
    /// word may be half a secret, which nobody would know again.
    pub fn finish(mut self) -> Clipped {
        let mut bytes = self.head;
        let tail = self.tail.make_contiguous();
        let mut from = 0;
        let mut left_out = self.left_out;
        if left_out > 0 {
            let end = end_of_line(&bytes);
            from = begin_of_line(tail);
            left_out += (bytes.len() - end + from) as u64;
            bytes.truncate(end);
            if bytes.last().is_some_and(|last| *last != b'\n') {
                bytes.push(b'\n');
            }
            let errors = self.errors.kept;
            // The lines of errors are not left out.
            left_out -= errors
                .len()
                .min(usize::try_from(left_out).unwrap_or(usize::MAX))
                as u64;
            if errors.is_empty() {
                bytes.extend_from_slice(format!("[… {left_out} bytes left out …]\n").as_bytes());
            } else {
                bytes.extend_from_slice(
                    format!("[… {left_out} bytes left out; what tells of errors in them: …]\n")
                        .as_bytes(),
                );
                bytes.extend_from_slice(&errors);
                bytes.extend_from_slice("[… and the end: …]\n".as_bytes());
            }
        }
        bytes.extend_from_slice(&tail[from..]);
        Clipped { bytes, left_out }
    }
}

/// Reads all of a text.
///
/// # Errors
/// As the reader; what came before is lost.
pub fn read(mut text: impl Read, head: usize, tail: usize) -> std::io::Result<Clipped> {
    let mut clip = Clip::new(head, tail);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match text.read(&mut buffer)? {
            0 => return Ok(clip.finish()),
            read => clip.push(&buffer[..read]),
        }
    }
}

fn separates(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b',' | b';')
}

fn end_of_line(head: &[u8]) -> usize {
    let near = |length: usize| &head[head.len().saturating_sub(length)..];
    let line = near(LINE)
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map(|at| head.len() - near(LINE).len() + at + 1);
    let word = || {
        near(WORD)
            .iter()
            .rposition(|byte| separates(*byte))
            .map(|at| head.len() - near(WORD).len() + at + 1)
    };
    line.or_else(word)
        .unwrap_or(head.len().saturating_sub(WORD))
}

fn begin_of_line(tail: &[u8]) -> usize {
    let near = |length: usize| &tail[..tail.len().min(length)];
    let line = near(LINE)
        .iter()
        .position(|byte| *byte == b'\n')
        .map(|at| at + 1);
    let word = || {
        near(WORD)
            .iter()
            .position(|byte| separates(*byte))
            .map(|at| at + 1)
    };
    line.or_else(word).unwrap_or(near(WORD).len())
}

/// Lines that tell of errors, with those around them.
#[derive(Debug, Default)]
struct Errors {
    kept: Vec<u8>,
    line: Vec<u8>,
    /// The end of the line that the head was cut in has passed.
    begun: bool,
    before: VecDeque<Vec<u8>>,
    after: usize,
}

impl Errors {
    fn push(&mut self, passing: &[u8]) {
        for part in passing.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + part.len() <= LINE {
                self.line.extend_from_slice(part);
            }
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                if std::mem::replace(&mut self.begun, true) && line.ends_with(b"\n") {
                    self.take(line);
                }
            }
        }
    }

    fn take(&mut self, line: Vec<u8>) {
        if self.kept.len() + line.len() > ERRORS {
            return;
        }
        if tells_of_an_error(&line) {
            self.before
                .drain(..)
                .for_each(|line| self.kept.extend(line));
            self.kept.extend(line);
            self.after = AROUND;
        } else if self.after > 0 {
            self.kept.extend(line);
            self.after -= 1;
        } else {
            self.before.push_back(line);
            if self.before.len() > AROUND {
                self.before.pop_front();
            }
        }
    }
}

fn tells_of_an_error(line: &[u8]) -> bool {
    static WORDS: LazyLock<AhoCorasick> = LazyLock::new(|| {
        AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build([
                "error",
                "panic",
                "fatal",
                "traceback",
                "exception",
                "out of memory",
            ])
            .expect("a constant set")
    });
    WORDS.is_match(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_keeps_whole_lines_of_both_ends() {
        let mut clip = Clip::new(25, 25);
        for line in 0..100 {
            clip.push(format!("line {line:04}\n").as_bytes());
        }
        let clipped = clip.finish();
        let text = String::from_utf8(clipped.bytes).unwrap();
        assert_eq!(
            text,
            "line 0000\nline 0001\n[… 960 bytes left out …]\nline 0098\nline 0099\n"
        );
        assert_eq!(clipped.left_out, 960);
        let mut short = Clip::new(25, 25);
        short.push(b"all of it");
        assert_eq!(short.finish().bytes, b"all of it");
    }

    #[test]
    fn lines_of_errors_are_kept_out_of_the_middle() {
        let mut clip = Clip::new(25, 25);
        for line in 0..100 {
            let word = if line == 50 {
                "Error: no table"
            } else {
                "line"
            };
            clip.push(format!("{word} {line:04}\n").as_bytes());
        }
        let text = String::from_utf8(clip.finish().bytes).unwrap();
        assert!(text.contains("line 0048\nline 0049\nError: no table 0050\nline 0051\nline 0052\n[… and the end: …]\nline 0098\n"), "{text}");
        assert!(!text.contains("0047") && !text.contains("0053"), "{text}");
    }

    #[test]
    fn a_line_without_end_keeps_both_its_ends() {
        let mut clip = Clip::new(4096, 8192);
        clip.push(b"{\"begin\": 1, ");
        for number in 0..2000 {
            clip.push(format!("\"number\": {number}, ").as_bytes());
        }
        clip.push(b"\"cause\": \"it crashed\"}");
        let text = String::from_utf8(clip.finish().bytes).unwrap();
        assert!(
            text.starts_with("{\"begin\": 1, ") && text.ends_with("\"cause\": \"it crashed\"}"),
            "{text}"
        );
        let (head, tail) = text.split_once("\n[… ").unwrap();
        assert!(
            head.ends_with(' ') && tail.split_once("…]\n").unwrap().1.starts_with(['"', '1']),
            "cut at words: {head}"
        );
        let mut blank = Clip::new(4096, 8192);
        blank.push(&vec![b'x'; 100_000]);
        assert!(blank.finish().bytes.len() > 4096);
    }
}
