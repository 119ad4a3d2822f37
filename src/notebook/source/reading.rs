//! Reads a notebook's file as Jupyter does: Python's JSON, which has words for what is no number.

use serde_json::Value;

/// What Python writes for numbers that JSON has not.
const NO_NUMBERS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];

/// The notebook; a `NaN` of its metadata or outputs becomes `null`.
///
/// # Errors
/// Why it is none, in words.
pub(super) fn notebook(bytes: &[u8]) -> Result<Value, String> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err("it is written in UTF-16: save it as UTF-8".to_owned());
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Err(error) = std::str::from_utf8(text) {
        return Err(format!(
            "byte {} is no UTF-8",
            error.valid_up_to() + bytes.len() - text.len()
        ));
    }
    serde_json::from_slice(text).or_else(|error| {
        // Only then: it costs a copy.
        serde_json::from_slice(&without_nan(text)).map_err(|_| {
            let error = error.to_string();
            if error.contains("hex escape") {
                format!(
                    "{error}: half of a character (a lone surrogate), which Jupyter refuses too"
                )
            } else {
                error
            }
        })
    })
}

/// The same with `null` for each word outside of strings that is no number of JSON's.
fn without_nan(text: &[u8]) -> Vec<u8> {
    let mut found = Vec::with_capacity(text.len());
    let (mut rest, mut within) = (text, false);
    while let Some((first, after)) = rest.split_first() {
        let word = NO_NUMBERS
            .iter()
            .find(|word| !within && rest.starts_with(word));
        if let Some(word) = word {
            found.extend_from_slice(b"null");
            rest = &rest[word.len()..];
            continue;
        }
        found.push(*first);
        rest = after;
        match first {
            b'"' => within = !within,
            b'\\' if within => {
                if let Some((escaped, after)) = rest.split_first() {
                    found.push(*escaped);
                    rest = after;
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_python_writes_and_json_has_not_is_read() {
        let text =
            br#"{"a": NaN, "b": [Infinity, -Infinity, -1], "c": "NaN \" Infinity", "d\\": NaN}"#;
        let read = notebook(text).unwrap();
        let wanted = json!({"a": null, "b": [null, null, -1], "c": "NaN \" Infinity", "d\\": null});
        assert_eq!(read, wanted);
        assert_eq!(notebook(b"\xef\xbb\xbf{}").unwrap(), json!({}));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (bytes, why) in [
            (&b"\xff\xfe{\0}\0"[..], "UTF-16"),
            (b"{\"a\": \"\xe9\"}", "byte 7 is no UTF-8"),
            (br#"{"a": "\ud83d"}"#, "surrogate"),
            (b"{\"a\": NaN,", "line 1 column"),
        ] {
            let error = notebook(bytes).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
