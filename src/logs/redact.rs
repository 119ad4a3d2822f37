//! Takes secrets out of everything that goes into a bundle: known literals first, then what looks like a secret.
//!
//! Given literals by [`harvest`]; objects are scrubbed by [`structure`]. The salt of a run lives in memory alone, so the
//! marks of two bundles cannot be compared, and those of one can.

pub mod harvest;
pub mod structure;

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::LazyLock};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use regex::bytes::{Captures, Regex};
use sha2::{Digest as _, Sha256};

/// A literal shorter than this would garble text, and is no secret worth the name.
const SHORTEST: usize = 6;
/// A base64 piece shorter than this would be found by chance.
const SHORTEST_PIECE: usize = 8;

/// Stands in for values under a salt that nobody keeps.
#[derive(Clone)]
pub struct Marker([u8; 32]);

impl Marker {
    /// One for this run.
    pub fn random() -> Self {
        Self(rand::random())
    }

    /// What stands for a value: its length, and eight digits that are the same for the same value.
    pub fn mark(&self, value: &[u8]) -> String {
        format!("<redacted len={} id={}>", value.len(), self.id(value))
    }

    /// HMAC-SHA256 (RFC 2104), cut to four bytes.
    fn id(&self, value: &[u8]) -> String {
        let block = |byte: u8| {
            let mut block = [byte; 64];
            block
                .iter_mut()
                .zip(self.0)
                .for_each(|(pad, key)| *pad ^= key);
            block
        };
        let inner = Sha256::new()
            .chain_update(block(0x36))
            .chain_update(value)
            .finalize();
        let outer = Sha256::new()
            .chain_update(block(0x5c))
            .chain_update(inner)
            .finalize();
        hex::encode(&outer[..4])
    }
}

impl fmt::Debug for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Marker(***)")
    }
}

/// Finds secrets in bytes and replaces them.
pub struct Redactor {
    marker: Marker,
    literals: AhoCorasick,
    marks: Vec<String>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} literals)", self.marks.len())
    }
}

impl Redactor {
    /// One that knows these secrets, in each form in which text may hold them.
    ///
    /// Short ones and those that a name of an object holds (`spare`), and that are no secret for
    /// that, are left out: without names nothing could be found again.
    pub fn new(
        marker: Marker,
        secrets: &harvest::Secrets,
        spare: &std::collections::BTreeSet<String>,
    ) -> Self {
        let mut forms: BTreeMap<Vec<u8>, String> = BTreeMap::new();
        for secret in secrets.iter() {
            let in_a_name = std::str::from_utf8(secret)
                .is_ok_and(|secret| spare.iter().any(|name| name.contains(secret.trim())));
            if is_harmless(secret) || in_a_name {
                continue;
            }
            let mark = marker.mark(secret);
            for form in forms_of(secret) {
                forms.entry(form).or_insert_with(|| mark.clone());
            }
        }
        let (forms, marks): (Vec<_>, Vec<_>) = forms.into_iter().unzip();
        let literals = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(forms)
            .expect("the literals of one cluster fit an automaton");
        Self {
            marker,
            literals,
            marks,
        }
    }

    /// One that knows no literal: patterns alone.
    pub fn blind() -> Self {
        Self::new(
            Marker::random(),
            &harvest::Secrets::default(),
            &std::collections::BTreeSet::new(),
        )
    }

    /// What stands for a value.
    pub fn mark(&self, value: &[u8]) -> String {
        self.marker.mark(value)
    }

    /// The bytes without secrets, and how many were replaced.
    pub fn bytes<'a>(&self, text: &'a [u8]) -> (Cow<'a, [u8]>, usize) {
        let mut count = 0;
        let mut out = self.replace_literals(text, &mut count);
        for pattern in candidates(text) {
            let replaced = pattern.regex.replace_all(&out, |found: &Captures<'_>| {
                let whole = &found[0];
                let secret = found.get(1).map_or(whole, |part| part.as_bytes());
                if !(pattern.holds)(secret) {
                    return whole.to_vec();
                }
                count += 1;
                let Some(part) = found.get(1) else {
                    return self.mark(secret).into_bytes();
                };
                let from = part.start() - found.get(0).map_or(0, |all| all.start());
                let mut kept = whole[..from].to_vec();
                kept.extend_from_slice(self.mark(secret).as_bytes());
                kept.extend_from_slice(&whole[from + secret.len()..]);
                kept
            });
            if let Cow::Owned(replaced) = replaced {
                out = Cow::Owned(replaced);
            }
        }
        (out, count)
    }

    /// A text without secrets.
    pub fn text(&self, text: &str) -> String {
        let (clean, _) = self.bytes(text.as_bytes());
        String::from_utf8_lossy(&clean).into_owned()
    }

    /// Whether a secret is still in there: the last look before a file goes into the bundle.
    pub fn leaks(&self, text: &[u8]) -> bool {
        // Marks say `redacted`, which may itself be somebody's password: they are looked past.
        MARK.split(text).any(|part| {
            self.literals.is_match(part)
                || candidates(part).any(|pattern| {
                    pattern.regex.captures_iter(part).any(|found| {
                        (pattern.holds)(found.get(1).map_or(&found[0], |part| part.as_bytes()))
                    })
                })
        })
    }

    fn replace_literals<'a>(&self, text: &'a [u8], count: &mut usize) -> Cow<'a, [u8]> {
        let mut out = Vec::new();
        let mut from = 0;
        // What is marked already stays as it is.
        let marks: Vec<_> = MARK.find_iter(text).map(|mark| mark.range()).collect();
        for found in self.literals.find_iter(text) {
            let at = marks.partition_point(|mark| mark.end <= found.start());
            if marks
                .get(at)
                .is_some_and(|mark| mark.start <= found.start() && found.end() <= mark.end)
            {
                continue;
            }
            out.extend_from_slice(&text[from..found.start()]);
            out.extend_from_slice(self.marks[found.pattern().as_usize()].as_bytes());
            from = found.end();
            *count += 1;
        }
        if from == 0 {
            return Cow::Borrowed(text);
        }
        out.extend_from_slice(&text[from..]);
        Cow::Owned(out)
    }
}

/// Too short to be a secret, or a word that every text has.
fn is_harmless(secret: &[u8]) -> bool {
    let text = String::from_utf8_lossy(secret);
    let text = text.trim();
    text.len() < SHORTEST
        || matches!(
            text.to_ascii_lowercase().as_str(),
            "enabled" | "disabled" | "default" | "unknown" | "localhost" | "redacted"
        )
        || text.chars().all(|c| c == text.chars().next().unwrap_or(c))
}

/// A secret as raw bytes, as base64 at each of the three alignments, URL-encoded, within JSON and HTML.
fn forms_of(secret: &[u8]) -> Vec<Vec<u8>> {
    let trimmed = secret.trim_ascii();
    let mut forms = vec![trimmed.to_vec()];
    for shift in 0..3 {
        // What surrounds the secret changes the digits at both ends: only those in between are its own.
        let mut shifted = vec![0; shift];
        shifted.extend_from_slice(trimmed);
        let encoded = STANDARD.encode(&shifted);
        let own = [0, 2, 3][shift]..shifted.len() * 8 / 6;
        let piece = &encoded[own];
        if piece.len() >= SHORTEST_PIECE {
            forms.push(piece.as_bytes().to_vec());
            forms.push(piece.replace('+', "-").replace('/', "_").into_bytes());
        }
    }
    if let Ok(text) = std::str::from_utf8(trimmed) {
        forms.push(percent_encoded(text).into_bytes());
        let json = serde_json::Value::from(text).to_string();
        forms.push(json.as_bytes()[1..json.len() - 1].to_vec());
        forms.push(html_escaped(text).into_bytes());
    }
    forms.sort();
    forms.dedup();
    forms
}

fn percent_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

fn html_escaped(text: &str) -> String {
    text.replace('&', "&#38;")
        .replace('<', "&#60;")
        .replace('>', "&#62;")
        .replace('"', "&#34;")
        .replace('\'', "&#39;")
}

static MARK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?-u)(?:<|&#60;)redacted len=\d+ id=[0-9a-f]{8}(?:>|&#62;)")
        .expect("a constant expression")
});

/// What a secret looks like: the whole match, or its first group where there is one.
struct Pattern {
    /// What every match holds, in any case; most text holds none of these, and is done with after one pass.
    anchors: &'static [&'static str],
    regex: Regex,
    /// Whether a match is one indeed.
    holds: fn(&[u8]) -> bool,
}

impl Pattern {
    fn new(anchors: &'static [&'static str], regex: &str, holds: fn(&[u8]) -> bool) -> Self {
        Self {
            anchors,
            regex: Regex::new(regex).expect("a constant expression"),
            holds,
        }
    }
}

static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let always: fn(&[u8]) -> bool = |_| true;
    // `bearer authentication` is prose; a token has digits.
    let has_digit: fn(&[u8]) -> bool = |token| token.iter().any(u8::is_ascii_digit);
    vec![
        Pattern::new(
            &["private key-----"],
            r"(?s-u)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)",
            always,
        ),
        Pattern::new(
            &["ls0tls1crudjti"],
            r"(?-u)LS0tLS1CRUdJTi[A-Za-z0-9+/]{40,}={0,2}",
            is_encoded_key,
        ),
        Pattern::new(
            &[".eyj"],
            r"(?-u)eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
            always,
        ),
        Pattern::new(
            &["akia", "asia"],
            r"(?-u)\b(?:AKIA|ASIA)[A-Z2-7]{16}\b",
            always,
        ),
        Pattern::new(
            &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
            r"(?-u)\bgh[pousr]_[A-Za-z0-9]{36,}",
            always,
        ),
        Pattern::new(
            &["github_pat_"],
            r"(?-u)\bgithub_pat_[A-Za-z0-9_]{40,}",
            always,
        ),
        Pattern::new(
            &["bearer"],
            r"(?i-u)\bbearer\s+([A-Za-z0-9._~+/-]{20,}=*)",
            has_digit,
        ),
        Pattern::new(
            &["authorization"],
            r#"(?i-u)authorization["']?\s*[:=]\s*["']?basic\s+([A-Za-z0-9+/]{6,}=*)"#,
            always,
        ),
        Pattern::new(&["://"], r"(?-u)://[^/\s:@<]*:([^/\s@<]{3,})@", always),
    ]
});

/// The patterns that a text may match at all.
fn candidates(text: &[u8]) -> impl Iterator<Item = &'static Pattern> + use<> {
    static ANCHORS: LazyLock<(AhoCorasick, Vec<usize>)> = LazyLock::new(|| {
        let (owners, anchors): (Vec<_>, Vec<_>) = PATTERNS
            .iter()
            .enumerate()
            .flat_map(|(at, pattern)| pattern.anchors.iter().map(move |anchor| (at, *anchor)))
            .unzip();
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(anchors)
            .expect("a constant set");
        (automaton, owners)
    });
    let (automaton, owners) = &*ANCHORS;
    let mut found = vec![false; PATTERNS.len()];
    for anchor in automaton.find_overlapping_iter(text) {
        found[owners[anchor.pattern().as_usize()]] = true;
    }
    PATTERNS
        .iter()
        .zip(found)
        .filter_map(|(pattern, found)| found.then_some(pattern))
}

/// Whether base64 of PEM is that of a private key; certificates begin the same way.
fn is_encoded_key(encoded: &[u8]) -> bool {
    let head = &encoded[..encoded.len().min(48) / 4 * 4];
    STANDARD
        .decode(head)
        .is_ok_and(|head| String::from_utf8_lossy(&head).contains("PRIVATE KEY"))
}

#[cfg(test)]
mod tests;
