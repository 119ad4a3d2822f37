//! What is kept of a container's log: its end, and before it the lines that speak of trouble, each kind of line once.

use std::{
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::LazyLock,
};

use aho_corasick::AhoCorasick;
use jiff::Timestamp;

/// Lines of the end that are kept.
const TAIL: usize = 40;

/// Kinds of lines before it that are kept.
const TROUBLES: usize = 60;

/// Characters of a line that are kept.
const LONGEST: usize = 400;

/// Bytes of a line by which one is known again.
const KNOWN_BY: usize = 240;

/// Words of a line that speaks of trouble.
const WORDS: [&str; 34] = [
    "error",
    "fail",
    "fatal",
    "panic",
    "exception",
    "traceback",
    "refused",
    "denied",
    "forbidden",
    "unauthorized",
    "timeout",
    "timed out",
    "deadline",
    "no such",
    "cannot",
    "can't",
    "unable",
    "not found",
    "notfound",
    "unavailable",
    "unreachable",
    "unknown",
    "could not",
    "no route",
    "read-only",
    "readonly",
    "too many",
    "no space",
    "in use",
    "enospc",
    "x509",
    "invalid",
    "killed",
    "reset by peer",
];

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which, from 1; 0 where that is not known.
    pub number: usize,
    /// The number of the last line that says the same.
    pub last: usize,
    /// How many lines say the same.
    pub times: usize,
    /// What it says, without the time that the container runtime put before it.
    pub text: String,
}

/// What is kept of one log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The file that holds all of it.
    pub file: String,
    /// The lines that are kept, in their order.
    pub lines: Vec<Line>,
    /// How many of these are the end of the log.
    pub end: usize,
    /// How many lines the log has.
    pub total: usize,
}

impl Log {
    /// Reads a log line by line.
    pub fn of<'a>(file: &str, lines: impl Iterator<Item = &'a str>) -> Self {
        let mut troubles: Vec<Line> = Vec::new();
        let mut known: HashMap<u64, usize> = HashMap::new();
        let mut end: VecDeque<(usize, &str)> = VecDeque::new();
        let mut total = 0;
        for line in lines {
            total += 1;
            // The kubelet says so in place of a log that it does not have.
            let is_none = line.contains("unable to retrieve container logs for ");
            if line.trim().is_empty() || is_none {
                continue;
            }
            if end.len() == TAIL {
                end.pop_front();
            }
            end.push_back((total, line));
            if !speaks_of_trouble(line) {
                continue;
            }
            let key = key(line);
            match known.get(&key) {
                Some(at) => {
                    let same: &mut Line = &mut troubles[*at];
                    same.times += 1;
                    same.last = total;
                }
                None if troubles.len() < TROUBLES => {
                    known.insert(key, troubles.len());
                    troubles.push(Self::line(total, line));
                }
                None => {}
            }
        }
        let first = end.front().map_or(usize::MAX, |(number, _)| *number);
        let (before, within): (Vec<Line>, Vec<Line>) =
            troubles.into_iter().partition(|it| it.number < first);
        let mut lines = before;
        let length = end.len();
        lines.extend(end.into_iter().map(|(number, line)| {
            let counted = within.iter().find(|it| it.number == number);
            counted.cloned().unwrap_or_else(|| Self::line(number, line))
        }));
        Self {
            file: file.to_owned(),
            lines,
            end: length,
            total,
        }
    }

    /// The lines of its end.
    pub fn tail(&self) -> &[Line] {
        &self.lines[self.lines.len() - self.end..]
    }

    /// The lines that speak of trouble.
    pub fn troubles(&self) -> impl DoubleEndedIterator<Item = &Line> {
        self.lines.iter().filter(|it| speaks_of_trouble(&it.text))
    }

    /// Whether a line was still written when the log ended.
    pub fn is_late(&self, line: &Line) -> bool {
        line.last + self.total / 5 >= self.total
    }

    /// The same with other words, which may be fewer lines.
    pub fn reworded(mut self, reword: impl Fn(&str) -> String) -> Self {
        let whole: Vec<&str> = self.lines.iter().map(|it| it.text.as_str()).collect();
        let reworded = reword(&whole.join("\n"));
        let texts: Vec<&str> = reworded.lines().collect();
        if texts.len() == self.lines.len() {
            for (line, text) in self.lines.iter_mut().zip(texts) {
                text.clone_into(&mut line.text);
            }
        } else {
            let unnumbered = |text: &&str| Line {
                number: 0,
                last: self.total,
                times: 1,
                text: (*text).to_owned(),
            };
            self.lines = texts.iter().map(unnumbered).collect();
            self.end = self.lines.len().min(TAIL);
        }
        for line in &mut self.lines {
            cut(&mut line.text);
        }
        self
    }

    /// The same as a part of a file that begins after so many lines.
    pub fn after(mut self, lines: usize) -> Self {
        for line in &mut self.lines {
            line.number += lines;
            line.last += lines;
        }
        self.total += lines;
        self
    }

    fn line(number: usize, line: &str) -> Line {
        let rest = line.split_once(' ').filter(|(time, _)| {
            time.as_bytes().first().is_some_and(u8::is_ascii_digit)
                && time.parse::<Timestamp>().is_ok()
        });
        Line {
            number,
            last: number,
            times: 1,
            text: rest.map_or(line, |(_, rest)| rest).to_owned(),
        }
    }
}

/// Cuts a line to the length that is shown.
fn cut(text: &mut String) {
    if let Some((at, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(at);
    }
}

/// Whether a line speaks of trouble.
fn speaks_of_trouble(line: &str) -> bool {
    static FINDER: LazyLock<AhoCorasick> = LazyLock::new(|| {
        AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(WORDS)
            .expect("the words are few")
    });
    FINDER.is_match(line)
}

/// What a line has in common with those that say the same: all but numbers, which the digits of identifiers are as well.
fn key(line: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    for byte in line.bytes().take(KNOWN_BY) {
        if !byte.is_ascii_hexdigit() && byte != b'-' {
            byte.hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests;
