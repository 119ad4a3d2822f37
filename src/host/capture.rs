//! What a command prints: kept for the caller, and shown line by line where that was asked for.

use std::process::ExitStatus;

use super::Output;

/// What is kept of a streamed command.
const KEPT_STREAMED: usize = 64 << 10;
/// What is kept of any other: more is a mistake of ours.
const KEPT: usize = 32 << 20;

/// Which of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutputStream {
    Stdout,
    Stderr,
}

/// Both streams of one command.
#[derive(Debug)]
pub(super) struct Capture {
    streamed: bool,
    kept: [Vec<u8>; 2],
    line: [Vec<u8>; 2],
}

impl Capture {
    pub(super) fn new(streamed: bool) -> Self {
        Self {
            streamed,
            kept: Default::default(),
            line: Default::default(),
        }
    }

    pub(super) fn push(&mut self, which: OutputStream, bytes: &[u8]) {
        let at = which as usize;
        let kept = &mut self.kept[at];
        kept.extend_from_slice(bytes);
        let most = if self.streamed { KEPT_STREAMED } else { KEPT };
        if kept.len() > most * 2 {
            kept.drain(..kept.len() - most);
        }
        if self.streamed {
            for part in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
                self.line[at].extend_from_slice(part);
                if part.ends_with(b"\n") || part.ends_with(b"\r") {
                    show(&self.line[at]);
                    self.line[at].clear();
                }
            }
        }
    }

    pub(super) fn finish(self, status: i32) -> Output {
        self.line.iter().for_each(|line| show(line));
        let most = if self.streamed { KEPT_STREAMED } else { KEPT };
        let [stdout, stderr] = self.kept.map(|bytes| {
            String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(most)..]).into_owned()
        });
        Output {
            status,
            stdout,
            stderr,
        }
    }
}

/// A line of somebody else's program. The bar keeps a runner from taking it for one of its commands.
fn show(line: &[u8]) {
    let text = String::from_utf8_lossy(line);
    let text = text.trim();
    if !text.is_empty() {
        tracing::info!("| {}", text.replace("##[", "## ["));
    }
}

/// Exit code as a shell gives it.
pub(super) fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(255)
}

/// A text as one word of a shell.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_end_of_what_is_streamed() {
        let mut capture = Capture::new(true);
        for n in 0..40_000 {
            capture.push(OutputStream::Stdout, format!("line {n}\n").as_bytes());
        }
        let output = capture.finish(3);
        assert!(output.stdout.len() <= KEPT_STREAMED && output.stdout.ends_with("line 39999\n"));
        assert_eq!(output.status, 3);
    }

    #[test]
    fn a_quote_survives_quoting() {
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
