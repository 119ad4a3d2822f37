//! Long runs of base64: what they decode to is looked into, be it text, an archive of gzip, or base64 again.

use std::{io::Read as _, ops::Range};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// A shorter run is found by the forms of a secret alone.
const SHORTEST: usize = 40;
/// Bytes of an archive that are looked into.
const LARGEST: u64 = 16 * 1024 * 1024;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const ENGINE: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// The runs in whose content something is found by `finds`, as the parts of the lines that they take.
pub(super) fn runs(text: &[u8], mut finds: impl FnMut(&[u8]) -> bool) -> Vec<Vec<Range<usize>>> {
    let mut found = Vec::new();
    let (mut from, mut at) = (0, 0);
    while at < text.len() {
        if !is_digit(text[at]) {
            at += SHORTEST;
            continue;
        }
        // Each run that is long enough covers one of the places that are looked at.
        let first = run_around(text, at, from);
        (from, at) = (first.end, first.end + SHORTEST);
        if first.len() < SHORTEST || !is_mixed(&text[first.clone()]) {
            continue;
        }
        let parts = with_next_lines(text, first);
        let end = parts.last().map_or(at, |part| part.end);
        (from, at) = (end, end + SHORTEST - 1);
        let digits: Vec<u8> = parts
            .iter()
            .flat_map(|part| &text[part.clone()])
            .map(|byte| standard(*byte))
            .collect();
        if (0..4).any(|shift| content(&digits, shift).is_some_and(|content| finds(&content))) {
            found.push(parts);
        }
    }
    found
}

fn run_around(text: &[u8], at: usize, from: usize) -> Range<usize> {
    let start = text[from..at]
        .iter()
        .rposition(|byte| !is_digit(*byte))
        .map_or(from, |last| from + last + 1);
    let length = text[at..]
        .iter()
        .position(|byte| !is_digit(*byte))
        .unwrap_or(text.len() - at);
    start..at + length
}

/// The run and those that continue it, each being the last word of the next line.
fn with_next_lines(text: &[u8], first: Range<usize>) -> Vec<Range<usize>> {
    let mut parts = vec![first];
    loop {
        let last = &parts[parts.len() - 1];
        let Some(line) = text[last.end..]
            .strip_prefix(b"\n")
            .or_else(|| text[last.end..].strip_prefix(b"\r\n"))
        else {
            return parts;
        };
        let start = text.len() - line.len();
        let end = start
            + line
                .iter()
                .position(|byte| *byte == b'\n')
                .unwrap_or(line.len());
        let tail = text[start..end].trim_ascii_end();
        let end = start + tail.len();
        let word = tail
            .iter()
            .rposition(|byte| !is_digit(*byte) && *byte != b'=')
            .map_or(start, |at| start + at + 1);
        let digits = &text[word..end];
        let length = digits
            .iter()
            .position(|byte| *byte == b'=')
            .unwrap_or(digits.len());
        let begins = word == start || text[word - 1].is_ascii_whitespace();
        if length == 0 || !begins || word - start > 200 || length > last.len() {
            return parts;
        }
        parts.push(word..word + length);
        if length < digits.len() || length < SHORTEST {
            return parts;
        }
    }
}

/// What digits decode to from there on, if it is text or a compressed archive.
fn content(digits: &[u8], shift: usize) -> Option<Vec<u8>> {
    let digits = digits.get(shift..)?;
    let head = &digits[..digits.len().min(32) / 4 * 4];
    let head = ENGINE.decode(head).ok()?;
    if head.starts_with(&[0x1f, 0x8b]) {
        let bytes = ENGINE
            .decode(digits)
            .or_else(|_| ENGINE.decode(&digits[..digits.len() / 4 * 4]))
            .ok()?;
        let mut content = Vec::new();
        // What came before the end of a broken archive counts.
        drop(
            flate2::read::GzDecoder::new(&*bytes)
                .take(LARGEST)
                .read_to_end(&mut content),
        );
        return Some(content);
    }
    let printable = head
        .iter()
        .filter(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t' | 0 | 0x80..))
        .count();
    let text = head
        .iter()
        .filter(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t'))
        .count();
    if printable < head.len() || text * 2 < head.len() {
        return None;
    }
    ENGINE
        .decode(&digits[..digits.len() - usize::from(digits.len() % 4 == 1)])
        .ok()
}

/// Paths, digests and identifiers have letters of one case; so many digits of base64 never do.
fn is_mixed(run: &[u8]) -> bool {
    let head = &run[..SHORTEST];
    head.iter().any(u8::is_ascii_uppercase) && head.iter().any(u8::is_ascii_lowercase)
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

fn standard(byte: u8) -> u8 {
    match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn runs_are_followed_over_lines_and_decoded_at_each_alignment() {
        let secret = "the content with a secret in the middle of it, and some more of it behind";
        let encoded = STANDARD.encode(secret);
        let folded: Vec<_> = encoded
            .as_bytes()
            .chunks(60)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        for text in [
            format!("x {encoded} y"),
            format!("token abc/{encoded}"),
            format!("x {}\n", folded.join("\n")),
            folded
                .iter()
                .map(|line| format!("2026-08-22T10:00:00Z {line}\n"))
                .collect::<Vec<_>>()
                .concat(),
        ] {
            let found = runs(text.as_bytes(), |content| {
                memchr::memmem::find(content, b"a secret in").is_some()
            });
            assert_eq!(found.len(), 1, "{text}");
        }
        let prose = "some/path/that/is/quite/long/and/has/nothing/in/it and words ".repeat(50);
        let mut asked = 0;
        runs(prose.as_bytes(), |_| {
            asked += 1;
            false
        });
        assert!(asked < 20, "{asked}");
    }
}
