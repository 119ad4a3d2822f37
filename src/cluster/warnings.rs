//! What an API server warns of beside an answer: an API that is deprecated, a pod that a standard would forbid.
//!
//! RFC 9110 has dropped the header, RFC 7234 §5.5 has its form: `299 - "text"`. Kubernetes sends code 299, a line each.

use http::{HeaderMap, header};

/// The warnings of an answer, in their order.
pub(super) fn of(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(header::WARNING).iter();
    let lines = lines.filter_map(|line| line.to_str().ok());
    lines.flat_map(texts).collect()
}

/// The quoted texts of one line: the first of each warning, which may be followed by a date.
fn texts(line: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = line.trim_start();
    while let Some(warning) = rest.strip_prefix("299 ") {
        let Some((_, quoted)) = warning.split_once('"') else {
            break;
        };
        let (text, after) = unquoted(quoted);
        texts.push(text);
        // A date has a comma as well: the next warning begins with its code.
        rest = after.find("299 ").map_or("", |at| &after[at..]);
    }
    texts
}

/// A quoted text without its marks, and what comes after it.
fn unquoted(quoted: &str) -> (String, &str) {
    let mut text = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (text, &quoted[at + 1..]),
            '\\' => text.extend(chars.next().map(|(_, char)| char)),
            _ => text.push(char),
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_what_is_in_its_quotes() {
        let mut headers = HeaderMap::new();
        for line in [
            r#"299 - "policy/v1beta1 PodSecurityPolicy is deprecated in v1.21+, unavailable in v1.25+""#,
            r#"299 - "would violate PodSecurity \"restricted:latest\": a, b" "Sat, 29 Nov 2026 00:00:00 GMT", 299 - "c""#,
            r#"199 - "of somebody else""#,
            "299 - no quotes",
        ] {
            headers.append(header::WARNING, line.parse().unwrap());
        }
        assert_eq!(
            of(&headers),
            [
                "policy/v1beta1 PodSecurityPolicy is deprecated in v1.21+, unavailable in v1.25+",
                "would violate PodSecurity \"restricted:latest\": a, b",
                "c",
            ]
        );
    }
}
