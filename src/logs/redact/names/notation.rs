//! How a value stands under its name: `name: value`, `name=value`, `--name value`, in any quotes.

use std::ops::Range;

use super::Trust;

/// A longer word is no name.
const LONGEST_NAME: usize = 120;
/// A longer value is a document.
const LONGEST_VALUE: usize = 4096;

/// The whole name that has a part at a place.
pub(super) fn name_at(text: &[u8], place: usize) -> Range<usize> {
    let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./-".contains(byte);
    let floor = place.saturating_sub(LONGEST_NAME);
    let start = text[floor..place]
        .iter()
        .rposition(|byte| !of_name(byte))
        .map_or(floor, |at| floor + at + 1);
    let rest = &text[place..text.len().min(place + LONGEST_NAME)];
    start
        ..place
            + rest
                .iter()
                .position(|byte| !of_name(byte))
                .unwrap_or(rest.len())
}

/// `name: value`, `name=value`, `"name": "value"`; behind a scheme too (`Authorization: Bearer value`).
pub(super) fn assigned(text: &[u8], name: &Range<usize>) -> Option<Range<usize>> {
    let at = behind(text, name.end, b"\\");
    let at = at + usize::from(matches!(text.get(at), Some(b'"' | b'\'')));
    let at = behind(text, at + usize::from(text.get(at) == Some(&b']')), b" \t");
    let signs = [b"=>".as_slice(), b":=", b"==", b":", b"="];
    let sign = signs.iter().find(|sign| text[at..].starts_with(sign))?;
    value_at(text, behind(text, at + sign.len(), b" \t"))
}

/// `--name value`, and the same as words of a list.
pub(super) fn option(text: &[u8], name: &Range<usize>) -> Option<Range<usize>> {
    let is_option = text[name.start] == b'-'
        && (name.start == 0 || b" \t\n\"'[,".contains(&text[name.start - 1]));
    if !is_option {
        return None;
    }
    let at = name.end + usize::from(matches!(text.get(name.end), Some(b'"' | b'\'')));
    let next = match text.get(at)? {
        b',' => behind(text, at + 1, b" \t\n"),
        b' ' | b'\t' => behind(text, at, b" \t"),
        _ => return None,
    };
    // The next option is no value.
    let bare = behind(text, next, b"\"'");
    (text.get(bare) != Some(&b'-'))
        .then(|| value_at(text, next))
        .flatten()
}

/// A line that is a name and its value: the value may hold anything but a space.
pub(super) fn whole_line(text: &[u8], name: &Range<usize>, trust: Trust) -> Option<Range<usize>> {
    if trust == Trust::Look {
        return None;
    }
    let floor = name.start.saturating_sub(LONGEST_NAME);
    let line = memchr::memrchr(b'\n', &text[floor..name.start]).map_or(floor, |at| floor + at + 1);
    let before = text[line..name.start].trim_ascii();
    let begins = matches!(
        before,
        b"" | b"-" | b"export" | b"\"" | b"'" | b"- \"" | b"- '"
    );
    let end = memchr::memchr(b'\n', &text[name.end..]).map_or(text.len(), |at| name.end + at);
    let mut at = name.end + usize::from(matches!(text.get(name.end), Some(b'"' | b'\'')));
    let separator = at;
    at = behind(text, at, b" \t");
    if matches!(text.get(at), Some(b':' | b'=')) {
        at = behind(text, at + 1, b" \t");
    }
    let value = at.min(end)..end;
    let value = value.start..value.start + text[value].trim_ascii_end().len();
    let is_word = !value.is_empty() && !text[value.clone()].iter().any(u8::is_ascii_whitespace);
    let quoted = matches!(text.get(value.start), Some(b'"' | b'\''));
    (begins && is_word && !quoted && value.start > separator && value.len() < LONGEST_VALUE)
        .then_some(value)
}

/// `curl -u user:password`, `sshpass -p password`.
pub(super) fn after_user(text: &[u8], place: usize) -> Option<Range<usize>> {
    let rest = &text[place..];
    let (skip, has_user) = if rest.starts_with(b"-u ") {
        (3, true)
    } else if rest.starts_with(b"--user ") || rest.starts_with(b"--user=") {
        (7, true)
    } else if rest.starts_with(b"pass -p ") && text[..place].ends_with(b"ssh") {
        (8, false)
    } else {
        return None;
    };
    let word = value_at(text, place + skip)?;
    let shown = &text[word.clone()];
    let from = if has_user {
        memchr::memchr(b':', shown)? + 1
    } else {
        0
    };
    let secret = &shown[from..];
    let plain = secret.len() >= 4
        && !secret.starts_with(b"$")
        && !secret.starts_with(b"//")
        && !secret.starts_with(b"<");
    plain.then_some(word.start + from..word.end)
}

/// The value that begins there: quoted, within a quoted text, or bare.
fn value_at(text: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = &text[at..text.len().min(at + LONGEST_VALUE)];
    for scheme in [
        b"bearer".as_slice(),
        b"basic",
        b"token",
        b"digest",
        b"apikey",
    ] {
        let is_scheme = rest
            .get(..scheme.len())
            .is_some_and(|word| word.eq_ignore_ascii_case(scheme));
        if is_scheme
            && rest
                .get(scheme.len())
                .is_some_and(|byte| matches!(byte, b' ' | b'\t'))
        {
            return value_at(text, behind(text, at + scheme.len(), b" \t"));
        }
    }
    let slashes = rest.iter().take_while(|byte| **byte == b'\\').count();
    let (from, length) = match rest.get(slashes)? {
        b'"' | b'\'' if slashes > 0 => {
            let from = slashes + 1;
            (
                from,
                rest[from..]
                    .iter()
                    .position(|byte| b"\\\"\n".contains(byte))?,
            )
        }
        quote @ (b'"' | b'\'') => {
            let mut escaped = false;
            let end = rest[1..].iter().position(|byte| {
                let ends = !escaped && (byte == quote || *byte == b'\n');
                escaped = *byte == b'\\' && !escaped && *quote == b'"';
                ends
            });
            (1, end.unwrap_or(rest.len() - 1))
        }
        _ => {
            let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"',;&\\".contains(byte);
            (0, rest.iter().position(ends).unwrap_or(rest.len()))
        }
    };
    (length > 0).then_some(at + from..at + from + length)
}

fn behind(text: &[u8], at: usize, skipped: &[u8]) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest
        .iter()
        .position(|byte| !skipped.contains(byte))
        .unwrap_or(rest.len())
}

/// A value without the brackets and the full stop behind it.
pub(super) fn trimmed(text: &[u8], mut range: Range<usize>) -> Range<usize> {
    let quoted = matches!(text.get(range.end), Some(b'"' | b'\'' | b'\\'));
    while !quoted
        && range.len() > 1
        && matches!(text[range.end - 1], b')' | b'}' | b']' | b'.' | b':')
    {
        range.end -= 1;
    }
    range
}
