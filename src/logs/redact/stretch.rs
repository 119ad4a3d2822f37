//! Compares a secret with text that may break it into lines: base64 at 76 digits, `fold`, a log's timestamp before each
//! line.

use std::ops::Range;

use super::forms::Digits;

/// So many bytes have to agree behind a line's beginning for it to be taken for the next part.
const JOINT: usize = 8;
/// What may stand before a part: a timestamp, a stream, an indentation.
const PREFIX: usize = 200;
/// A part of a secret that text begins or ends with is taken for it from this length on.
const CUT: usize = 12;

/// The parts of `text` that are the whole form, byte `at` of it being byte `seed` of the form.
pub(super) fn stretch(
    text: &[u8],
    at: usize,
    form: &[u8],
    seed: usize,
    digits: Digits,
) -> Option<Vec<Range<usize>>> {
    let same = same(digits);
    let back = backward(text, at, &form[..seed], same)?;
    let ahead = forward(text, at, &form[seed..], same)?;
    let (mut parts, cut) = (back.parts, back.cut || ahead.cut);
    if cut && (back.length + ahead.length < CUT || parts.len() + ahead.parts.len() < 3) {
        return None;
    }
    parts.reverse();
    let mut ahead = ahead.parts.into_iter();
    // Both begin at the seed.
    if let (Some(last), Some(first)) = (parts.last_mut(), ahead.next()) {
        last.end = first.end;
    }
    parts.extend(ahead);
    Some(parts)
}

fn same(digits: Digits) -> fn(&[u8], &[u8]) -> bool {
    match digits {
        Digits::Hex => <[u8]>::eq_ignore_ascii_case,
        Digits::Plain | Digits::Base64 => |a, b| a == b,
    }
}

struct Walk {
    parts: Vec<Range<usize>>,
    length: usize,
    /// The text ended before the form did.
    cut: bool,
}

fn forward(text: &[u8], at: usize, form: &[u8], same: fn(&[u8], &[u8]) -> bool) -> Option<Walk> {
    let (mut parts, mut from) = (Vec::new(), at);
    let (mut i, mut j) = (at, 0);
    loop {
        while j < form.len() && i < text.len() && same(&text[i..=i], &form[j..=j]) {
            (i, j) = (i + 1, j + 1);
        }
        let cut = i == text.len();
        if j == form.len() || cut {
            parts.push(from..i);
            return Some(Walk {
                parts,
                length: j,
                cut: j < form.len(),
            });
        }
        let line = if i > 0 && text[i - 1] == b'\n' {
            i
        } else {
            next_line(text, i)?
        };
        if form[j] == b'\n' {
            j += 1;
        }
        let rest = &form[j..];
        let joint = &rest[..rest.len().min(JOINT)];
        let next = beginnings(text, line).find(|at| {
            text.get(*at..*at + joint.len())
                .is_some_and(|there| same(there, joint))
        });
        let Some(next) = next else {
            let ends = line == text.len();
            parts.push(from..i);
            return ends.then_some(Walk {
                parts,
                length: j,
                cut: true,
            });
        };
        parts.push(from..i);
        (from, i) = (next, next);
    }
}

fn backward(text: &[u8], at: usize, form: &[u8], same: fn(&[u8], &[u8]) -> bool) -> Option<Walk> {
    let (mut parts, mut to) = (Vec::new(), at);
    let (mut i, mut j) = (at, form.len());
    loop {
        while j > 0 && i > 0 && same(&text[i - 1..i], &form[j - 1..j]) {
            (i, j) = (i - 1, j - 1);
        }
        let length = form.len() - j;
        if j == 0 {
            parts.push(i..to);
            return Some(Walk {
                parts,
                length,
                cut: false,
            });
        }
        if i > 0 && !begins_part(text[i - 1]) {
            return None;
        }
        let before = &text[i.saturating_sub(PREFIX)..i];
        let line = match before.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => i - before.len() + end,
            None if before.len() == i => {
                parts.push(i..to);
                return Some(Walk {
                    parts,
                    length,
                    cut: true,
                });
            }
            None => return None,
        };
        let joint = &form[j.saturating_sub(JOINT)..j];
        let bare = joint.strip_suffix(b"\n").unwrap_or(joint);
        let mut ends = (line.saturating_sub(4)..=line)
            .rev()
            .take_while(|end| text[*end..line].iter().all(|byte| ends_part(*byte)));
        let end = ends.find(|end| {
            end.checked_sub(bare.len())
                .is_some_and(|from| same(&text[from..*end], bare))
        })?;
        parts.push(i..to);
        j -= joint.len() - bare.len();
        (to, i) = (end, end);
    }
}

/// The line after the one that a part ends at `at`, if nothing but its end is left of it.
fn next_line(text: &[u8], at: usize) -> Option<usize> {
    let rest = &text[at..text.len().min(at + 5)];
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    rest[..end]
        .iter()
        .all(|byte| ends_part(*byte))
        .then_some(at + end + 1)
}

/// Where the next part may begin in a line: at its beginning, or behind what a logger puts before it.
fn beginnings(text: &[u8], line: usize) -> impl Iterator<Item = usize> {
    let rest = &text[line..text.len().min(line + PREFIX)];
    let length = rest
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(rest.len());
    (0..length)
        .filter(|at| *at == 0 || begins_part(rest[*at - 1]))
        .map(move |at| line + at)
}

fn begins_part(before: u8) -> bool {
    before.is_ascii_whitespace() || matches!(before, b'"' | b'\'' | b'>' | b'|' | b'#' | b':')
}

fn ends_part(after: u8) -> bool {
    matches!(
        after,
        b'\r' | b'\\' | b'"' | b'\'' | b',' | b'+' | b' ' | b'\t'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"kqzvbnwxjtrmplsdfghcyaeiouQWERTYZXCVBNMLKJHG";

    fn found(text: &str) -> Option<Vec<&str>> {
        let seed = 20;
        let at = text.find(std::str::from_utf8(&SECRET[seed..seed + 6]).unwrap())?;
        let parts = stretch(text.as_bytes(), at, SECRET, seed, Digits::Plain)?;
        Some(parts.into_iter().map(|part| &text[part]).collect())
    }

    #[test]
    fn a_secret_is_followed_over_the_ends_of_lines() {
        let whole = std::str::from_utf8(SECRET).unwrap();
        assert_eq!(found(&format!("a {whole} b")), Some(vec![whole]));
        let (one, rest) = whole.split_at(17);
        let (two, three) = rest.split_at(17);
        let parts = Some(vec![one, two, three]);
        for (before, end) in [
            ("", "\n"),
            ("  ", "\r\n"),
            ("2026-08-22T10:00:00.5Z stdout F ", "\n"),
            ("Nov 29 10:00:00 node kubelet[7]: ", "\n"),
            ("    \"", "\"\n"),
            ("'", "' \\\n"),
        ] {
            let text =
                format!("{before}x\n{before}{one}{end}{before}{two}{end}{before}{three}{end}y");
            assert_eq!(found(&text), parts, "{text}");
        }
        assert_eq!(
            found(&format!("{two}\n{three}")),
            Some(vec![two, three]),
            "its first line is cut off"
        );
        assert_eq!(found(&format!("{one}\n{two}\nother words")), None);
        assert_eq!(found(&format!("{one} {two}{three}")), None);
    }
}
