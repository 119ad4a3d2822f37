//! How much of the page each part may take: the page has at most [`PAGE`] bytes, whatever the cluster.
//!
//! Each part cuts its own texts short, and keeps the rows that fit. The sum of all parts is below the limit.

use serde::Serialize;
use serde_json::Value;

/// Bytes that the page may have.
#[cfg(test)]
pub(super) const PAGE: usize = 2_000_000;

/// Bytes of a part that is a table.
pub(super) const TABLE: usize = 40_000;

/// Bytes of the findings.
pub(super) const FINDINGS: usize = 90_000;

/// Bytes of the pods' descriptions.
pub(super) const PODS: usize = 180_000;

/// Bytes of what notebooks have as text.
pub(super) const CELLS: usize = 200_000;

/// Bytes of the pictures of notebooks, as the page has them.
pub(super) const PICTURES: usize = 900_000;

/// Bytes of a sentence: a cause, a message.
const SENTENCE: usize = 600;

/// Bytes of tags around a row.
pub(super) const MARKUP: usize = 500;

/// The bytes of a text on the page: each character that HTML has a meaning for takes five.
pub(super) fn weight(text: &str) -> usize {
    let special = text.bytes().filter(|byte| b"<>&\"'".contains(byte));
    text.len() + 4 * special.count()
}

/// The first rows that fit, and how many do not.
pub(super) fn fit<T: Serialize>(
    rows: impl ExactSizeIterator<Item = T>,
    most: usize,
) -> (Vec<T>, usize) {
    let all = rows.len();
    let mut left = most;
    let fits = |row: &T| {
        let value = serde_json::to_value(row).unwrap_or_default();
        let rest = left.checked_sub(MARKUP + texts(&value));
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    let kept: Vec<T> = rows.take_while(fits).collect();
    let more = all - kept.len();
    (kept, more)
}

/// The bytes of all texts of a row.
fn texts(value: &Value) -> usize {
    match value {
        Value::String(text) => weight(text),
        Value::Array(items) => items.iter().map(|item| 60 + texts(item)).sum(),
        Value::Object(map) => map.values().map(texts).sum(),
        _ => 20,
    }
}

/// A sentence, cut short where it is too long for a page.
pub(super) fn sentence(text: &str) -> String {
    short(text, SENTENCE)
}

/// The begin of a text, at most so many bytes.
pub(super) fn short(text: &str, most: usize) -> String {
    match begin(text.chars(), most) {
        all if all == text.len() => text.to_owned(),
        some => format!("{}…", &text[..some]),
    }
}

/// How many bytes the letters have that fit.
fn begin(letters: impl Iterator<Item = char>, most: usize) -> usize {
    let mut left = most;
    let mut bytes = 0;
    for letter in letters {
        let mut buffer = [0; 4];
        let Some(rest) = left.checked_sub(weight(letter.encode_utf8(&mut buffer))) else {
            break;
        };
        left = rest;
        bytes += letter.len_utf8();
    }
    bytes
}

/// The begin and the end of a text that has no room for all of it.
pub(super) fn both_ends(text: &str, most: usize) -> String {
    if weight(text) <= most {
        return text.to_owned();
    }
    let half = most.saturating_sub(80) / 2;
    let end = text.len() - begin(text.chars().rev(), half);
    let begin = begin(text.chars(), half);
    let (begin, end) = (&text[..begin], &text[end.max(begin)..]);
    let left_out = text.len() - begin.len() - end.len();
    format!("{begin}\n[{left_out} bytes are left out here]\n{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_kept_while_they_fit() {
        let rows = vec!["<".repeat(300); 4];
        let (kept, more) = fit(rows.into_iter(), 2 * (MARKUP + 1500));
        assert_eq!((kept.len(), more), (2, 2));
    }

    #[test]
    fn a_long_text_keeps_both_ends_within_its_room() {
        let text = format!("first{}last", "<ä>".repeat(9000));
        let cut = both_ends(&text, 2000);
        assert!(cut.starts_with("first") && cut.ends_with("last"));
        assert!(cut.contains("bytes are left out here"));
        assert!(weight(&cut) <= 2000, "{}", weight(&cut));
        assert_eq!(both_ends("short", 2000), "short");
    }
}
