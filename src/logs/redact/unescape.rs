//! Takes escapes back, so that a secret is found however a writer escaped it: the strings of JSON, Go, Python, C and a shell,
//! percent-encoding, the entities of XML and HTML, doubled quotes, and one of these within another.
//!
//! Only the surroundings of escapes are looked at; most text has none.

mod entities;
mod view;

use std::{collections::HashSet, ops::Range};

pub(super) use view::View;

/// Text on both sides of an escape that a secret may take.
const MARGIN: usize = 1024;
/// Longest piece that is looked at at once.
const PIECE: usize = 128 * 1024;
/// Escapes within escapes.
const DEPTH: usize = 3;
/// Readings of one piece.
const READINGS: usize = 12;

/// The kinds of escapes, as bits.
const BACKSLASH: u8 = 1;
const PERCENT: u8 = 2;
const ENTITY: u8 = 4;
const SINGLE: u8 = 8;
const DOUBLE: u8 = 32;
const DOLLAR: u8 = 64;
/// What is doubled, each by other writers.
const QUOTES: [(u8, u8); 3] = [(SINGLE, b'\''), (DOUBLE, b'"'), (DOLLAR, b'$')];
/// A byte above 127 as a character of Latin-1 rather than a byte of UTF-8.
const LATIN: u8 = 16;

/// Which bytes a secret has: an escape of any other byte hides nothing.
#[derive(Clone, Debug)]
pub(super) struct Alphabet {
    bytes: [bool; 256],
}

impl Alphabet {
    pub(super) fn of<'a>(forms: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut bytes = [false; 256];
        for byte in forms.flatten() {
            bytes[usize::from(*byte)] = true;
        }
        Self { bytes }
    }

    fn has(&self, byte: u8) -> bool {
        self.bytes[usize::from(byte)]
    }

    /// A byte above 127 may be written as a character that takes two.
    fn may_mean(&self, byte: u8) -> bool {
        self.has(byte) || byte >= 0x80 && self.bytes[0x80..].contains(&true)
    }

    fn has_quotes(&self) -> bool {
        QUOTES.iter().any(|(_, quote)| self.has(*quote))
    }
}

/// Calls `each` with what escaped parts of the text mean.
pub(super) fn views(text: &[u8], alphabet: &Alphabet, mut each: impl FnMut(&View)) {
    for piece in pieces(text, alphabet) {
        readings(&View::of(text, piece), alphabet, &mut each);
    }
}

/// The surroundings of all escapes that may hide a byte of a secret.
fn pieces(text: &[u8], alphabet: &Alphabet) -> Vec<Range<usize>> {
    let mut skip = 0;
    let mut escapes: Vec<usize> = memchr::memchr3_iter(b'\\', b'%', b'&', text)
        .filter(|at| {
            let at = *at;
            if at < skip {
                return false;
            }
            let Some((meant, length)) = escape(&text[at..], BACKSLASH | PERCENT | ENTITY) else {
                return false;
            };
            skip = at + length;
            // An escaped escape, or the end of a line within a long word.
            let again = meant
                .first()
                .is_some_and(|byte| matches!(byte, b'\\' | b'%' | b'&'));
            let folds = meant == b"\n" && breaks_a_word(text, at, length);
            again
                || folds
                || meant
                    .iter()
                    .any(|byte| *byte != b'\n' && alphabet.may_mean(*byte))
        })
        .collect();
    if alphabet.has_quotes() {
        escapes.extend(memchr::memchr3_iter(b'\'', b'"', b'$', text).filter(|at| {
            escape(&text[*at..], SINGLE | DOUBLE | DOLLAR)
                .is_some_and(|(meant, _)| meant.iter().all(|byte| alphabet.has(*byte)))
        }));
        escapes.sort_unstable();
    }
    let mut pieces: Vec<Range<usize>> = Vec::new();
    for at in escapes {
        let (from, to) = (at.saturating_sub(MARGIN), text.len().min(at + MARGIN));
        match pieces.last_mut() {
            Some(last) if from <= last.end && to - last.start <= PIECE => last.end = to,
            _ => pieces.push(from..to),
        }
    }
    pieces
}

/// Whether letters stand on both sides of an escaped end of a line.
fn breaks_a_word(text: &[u8], at: usize, length: usize) -> bool {
    let before = text[..at].strip_suffix(b"\\r").unwrap_or(&text[..at]);
    let word = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+/=_-".contains(byte))
    };
    word(before.last()) && word(text.get(at + length))
}

/// What a piece may mean: each kind of escape taken back alone, all at once, and again what is escaped twice.
fn readings(piece: &View, alphabet: &Alphabet, each: &mut impl FnMut(&View)) {
    let mut seen: HashSet<Vec<u8>> = HashSet::new();
    let mut level = vec![piece.clone()];
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for view in level {
            for kinds in kinds(&view.bytes, alphabet) {
                let Some(read) = view.unescaped(|rest| escape(rest, kinds), introduces(kinds))
                else {
                    continue;
                };
                if seen.len() < READINGS && seen.insert(read.bytes.clone()) {
                    each(&read);
                    next.push(read);
                }
            }
        }
        level = next;
    }
}

/// The kinds of escapes to take back together.
fn kinds(bytes: &[u8], alphabet: &Alphabet) -> Vec<u8> {
    let has = |byte: u8| memchr::memchr(byte, bytes).is_some();
    let mut single = Vec::new();
    for (kind, there) in [
        (BACKSLASH, has(b'\\')),
        (PERCENT, has(b'%')),
        (ENTITY, has(b'&')),
    ] {
        if there {
            single.push(kind);
        }
    }
    let mut kinds = single.clone();
    if single.len() > 1 {
        kinds.insert(0, single.iter().sum());
    }
    // `\xe4` and `%E4` are a byte of UTF-8 to some writers and a character to others.
    let high =
        |pair: &[u8; 2]| matches!(pair, [b'x' | b'%', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F']);
    if single.iter().any(|kind| *kind != ENTITY) && bytes.array_windows().any(high) {
        kinds.push(single.iter().sum::<u8>() | LATIN);
    }
    let doubled = QUOTES
        .iter()
        .filter(|(_, quote)| alphabet.has(*quote) && has(*quote));
    kinds.extend(doubled.map(|(kind, _)| kind));
    kinds
}

/// Whether an escape of these kinds may begin with a byte.
fn introduces(kinds: u8) -> impl Fn(u8) -> bool {
    move |byte| match byte {
        b'\\' => kinds & BACKSLASH != 0,
        b'%' => kinds & PERCENT != 0,
        b'&' => kinds & ENTITY != 0,
        b'\'' => kinds & SINGLE != 0,
        b'"' => kinds & DOUBLE != 0,
        b'$' => kinds & DOLLAR != 0,
        _ => false,
    }
}

/// What an escape at the beginning of `rest` means, and its length.
fn escape(rest: &[u8], kinds: u8) -> Option<(Vec<u8>, usize)> {
    match rest {
        [b'\\', ..] if kinds & BACKSLASH != 0 => backslash(rest, kinds & LATIN != 0),
        [b'%', b'u', hex @ ..] if kinds & PERCENT != 0 => {
            Some((utf8(number(hex.get(..4)?, 16)?)?, 6))
        }
        [b'%', hex @ ..] if kinds & PERCENT != 0 => {
            Some((byte(number(hex.get(..2)?, 16)?, kinds & LATIN != 0)?, 3))
        }
        [b'&', ..] if kinds & ENTITY != 0 => entities::entity(rest),
        [b'\'', ..] if kinds & SINGLE != 0 => {
            const WRITTEN: [&[u8]; 3] = [br"'\''", b"'\"'\"'", b"''"];
            let written = WRITTEN.iter().find(|written| rest.starts_with(written))?;
            Some((vec![b'\''], written.len()))
        }
        [b'"', b'"', ..] if kinds & DOUBLE != 0 => Some((vec![b'"'], 2)),
        [b'$', b'$', ..] if kinds & DOLLAR != 0 => Some((vec![b'$'], 2)),
        _ => None,
    }
}

fn backslash(rest: &[u8], latin: bool) -> Option<(Vec<u8>, usize)> {
    let plain = |byte: u8| Some((vec![byte], 2));
    let braced = |from: usize| {
        let end = from
            + rest
                .iter()
                .skip(from)
                .take(9)
                .position(|byte| *byte == b'}')?;
        Some((utf8(number(rest.get(from..end)?, 16)?)?, end + 1))
    };
    match *rest.get(1)? {
        b'n' => plain(b'\n'),
        b't' => plain(b'\t'),
        b'r' => plain(b'\r'),
        b'b' => plain(8),
        b'f' => plain(12),
        b'a' => plain(7),
        b'v' => plain(11),
        b'x' | b'u' if rest.get(2) == Some(&b'{') => braced(3),
        b'x' => Some((byte(number(rest.get(2..4)?, 16)?, latin)?, 4)),
        b'u' => {
            let first = number(rest.get(2..6)?, 16)?;
            let second = match rest.get(6..12) {
                Some([b'\\', b'u', digits @ ..]) => number(digits, 16),
                _ => None,
            };
            match second {
                // The two halves of a character beyond the first 65,536.
                Some(second @ 0xdc00..0xe000) if (0xd800..0xdc00).contains(&first) => Some((
                    utf8(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))?,
                    12,
                )),
                _ => Some((utf8(first)?, 6)),
            }
        }
        b'U' => Some((utf8(number(rest.get(2..10)?, 16)?)?, 10)),
        b'0'..=b'3' => match rest.get(1..4).and_then(|digits| number(digits, 8)) {
            Some(code) => Some((byte(code, latin)?, 4)),
            None => (rest[1] == b'0').then(|| (vec![0], 2)),
        },
        other if other.is_ascii_punctuation() || other == b' ' => plain(other),
        _ => None,
    }
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let digits = std::str::from_utf8(digits)
        .ok()
        .filter(|digits| !digits.starts_with('+'))?;
    u32::from_str_radix(digits, radix).ok()
}

fn byte(code: u32, latin: bool) -> Option<Vec<u8>> {
    if latin {
        utf8(code)
    } else {
        Some(vec![u8::try_from(code).ok()?])
    }
}

fn utf8(code: u32) -> Option<Vec<u8>> {
    Some(char::from_u32(code)?.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str, wanted: &str) -> bool {
        let alphabet = Alphabet::of([wanted.as_bytes()].into_iter());
        let mut found = false;
        views(text.as_bytes(), &alphabet, |view| {
            if let Some(at) = memchr::memmem::find(&view.bytes, wanted.as_bytes()) {
                found = true;
                let place = view.place(at..at + wanted.len());
                assert!(place.end <= text.len(), "{text}");
            }
        });
        found
    }

    #[test]
    fn escapes_are_read_as_each_writer_means_them() {
        for (written, meant) in [
            (r"pa\u003css\u0026w\u00f6rd\/42", "pa<ss&wörd/42"),
            (r"pa<ss&w\xc3\xb6rd/42", "pa<ss&wörd/42"),
            (r"pa<ss&w\xf6rd/42", "pa<ss&wörd/42"),
            (r"pa<ss&w\303\266rd/42", "pa<ss&wörd/42"),
            (r"pa<ss&w\u{f6}rd/42", "pa<ss&wörd/42"),
            (r"pa<ss&w\U000000f6rd/42", "pa<ss&wörd/42"),
            ("pa%3css%26w%c3%b6rd%2f42", "pa<ss&wörd/42"),
            ("pa%253Css%2526w%25C3%25B6rd%252F42", "pa<ss&wörd/42"),
            ("pa%3Css%26w%F6rd/42", "pa<ss&wörd/42"),
            ("pa%3Css%26w%u00F6rd/42", "pa<ss&wörd/42"),
            ("pa&lt;ss&amp;w&ouml;rd/42", "pa<ss&wörd/42"),
            ("pa&#60;ss&#x26;w&#246;rd&#x2F;42", "pa<ss&wörd/42"),
            ("pa&amp;lt;ss&amp;amp;wörd/42", "pa<ss&wörd/42"),
            (r#"{\"p\":\"pa\\u003css\\u0026wörd/42\"}"#, "pa<ss&wörd/42"),
            (r"\ud83d\ude00-smile", "😀-smile"),
            (r"pa\<ss\&word", "pa<ss&word"),
            (r"it'\''s-one", "it's-one"),
            (r#"it'"'"'s-one"#, "it's-one"),
            ("it''s-one", "it's-one"),
            (r#"say ""no"" now"#, r#"say "no" now"#),
            ("a$$b-secret", "a$b-secret"),
            (r"a\\b\x41-c", r"a\bA-c"),
        ] {
            assert!(reads(written, meant), "{written}");
        }
        assert!(!reads("100% of &co; and \\d", "other"));
    }

    #[test]
    fn the_place_of_what_was_escaped_is_the_whole_escape() {
        let text = "before pa&lt;ss after";
        let alphabet = Alphabet::of([b"pa<ss".as_slice()].into_iter());
        let mut places = Vec::new();
        views(text.as_bytes(), &alphabet, |view| {
            let at = memchr::memmem::find(&view.bytes, b"pa<ss").unwrap();
            places.push(&text[view.place(at..at + 5)]);
            places.push(&text[view.place(at + 2..at + 3)]);
        });
        assert_eq!(places, ["pa&lt;ss", "&lt;"]);
    }
}
