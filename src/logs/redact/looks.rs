//! What looks like a secret, whoever's it is: keys, tokens, credentials of a URL.

use std::{ops::Range, sync::LazyLock};

use aho_corasick::{AhoCorasick, packed};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use regex::bytes::Regex;

/// What a secret looks like: the whole match, or its first group where there is one.
struct Look {
    /// What every match holds; most text holds none of these, and is done with after one pass.
    anchors: &'static [&'static str],
    regex: Regex,
    /// Whether a match is one indeed.
    holds: fn(&[u8]) -> bool,
}

/// Parts of the names of secrets: see [`super::names`].
const NAMES: &[&str] = &[
    "pass",
    "Pass",
    "PASS",
    "pwd",
    "Pwd",
    "PWD",
    "ecret",
    "ECRET",
    "oken",
    "OKEN",
    "redential",
    "REDENTIAL",
    "_key",
    "-key",
    "Key",
    "_KEY",
    "-Key",
    "pikey",
    "APIKEY",
    "sskey",
    "ookie:",
    "uthoriz",
    "UTHORIZ",
    "erauth",
    "-u ",
    "--user",
];

/// What a text holds that has to be looked at.
#[derive(Debug, Default)]
pub(super) struct Anchors {
    looks: Vec<bool>,
    keys: bool,
    /// Whether it may hold marks.
    pub(super) marks: bool,
    /// Places of parts of names.
    pub(super) names: Vec<usize>,
}

static LOOKS: LazyLock<Vec<Look>> = LazyLock::new(|| {
    let always: fn(&[u8]) -> bool = |_| true;
    // `bearer authentication` is prose; a token has digits.
    let has_digit: fn(&[u8]) -> bool = |token| token.iter().any(u8::is_ascii_digit);
    let look = |anchors, regex: &str, holds| Look {
        anchors,
        regex: Regex::new(regex).expect("a constant expression"),
        holds,
    };
    vec![
        look(
            &["LS0tLS1CRUdJTi"],
            r"(?-u)LS0tLS1CRUdJTi[A-Za-z0-9+/]{40,}={0,2}",
            is_encoded_key,
        ),
        look(
            &[".eyJ"],
            r"(?-u)eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
            always,
        ),
        look(
            &["AKIA", "ASIA"],
            r"(?-u)\b(?:AKIA|ASIA)[A-Z2-7]{16}\b",
            always,
        ),
        look(
            &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
            r"(?-u)\bgh[pousr]_[A-Za-z0-9]{36,}",
            always,
        ),
        look(
            &["github_pat_"],
            r"(?-u)\bgithub_pat_[A-Za-z0-9_]{40,}",
            always,
        ),
        look(&["glpat-"], r"(?-u)\bglpat-[A-Za-z0-9_-]{20,}", always),
        look(
            &["xoxb-", "xoxp-", "xoxa-"],
            r"(?-u)\bxox[abp]-[A-Za-z0-9-]{20,}",
            always,
        ),
        look(&["hf_"], r"(?-u)\bhf_[A-Za-z0-9]{30,}", always),
        look(&["AIza"], r"(?-u)\bAIza[A-Za-z0-9_-]{35}\b", always),
        look(
            &["dckr_pat_"],
            r"(?-u)\bdckr_pat_[A-Za-z0-9_-]{20,}",
            always,
        ),
        look(
            &["earer", "EARER"],
            r"(?i-u)\bbearer\s+([A-Za-z0-9._~+/-]{20,}=*)",
            has_digit,
        ),
        look(
            &["uthoriz", "UTHORIZ"],
            r#"(?i-u)authorization\\*["']?\s*[:=]\s*\\*["']?basic\s+([A-Za-z0-9+/_-]{6,}=*)"#,
            always,
        ),
        look(&["://"], r"(?-u)://[^/\s:@<]*:([^/\s@<]{3,})@", always),
    ]
});

/// Owners of anchors that are no look's.
const NAME: usize = usize::MAX;
const KEY: usize = usize::MAX - 1;
const MARK: usize = usize::MAX - 2;

/// What of all this a text holds.
pub(super) fn anchors(text: &[u8]) -> Anchors {
    static SEARCH: LazyLock<(Search, Vec<Vec<usize>>)> = LazyLock::new(|| {
        let mut words: Vec<(&str, Vec<usize>)> = Vec::new();
        let looks = LOOKS
            .iter()
            .enumerate()
            .flat_map(|(at, look)| look.anchors.iter().map(move |anchor| (*anchor, at)));
        let others = NAMES
            .iter()
            .map(|name| (*name, NAME))
            .chain([("PRIVATE KEY-----", KEY), ("redacted len=", MARK)]);
        for (word, owner) in looks.chain(others) {
            match words.iter_mut().find(|(known, _)| *known == word) {
                Some((_, owners)) => owners.push(owner),
                None => words.push((word, vec![owner])),
            }
        }
        let (words, owners): (Vec<_>, Vec<_>) = words.into_iter().unzip();
        (Search::new(&words), owners)
    });
    let (search, owners) = &*SEARCH;
    let mut found = Anchors {
        looks: vec![false; LOOKS.len()],
        ..Anchors::default()
    };
    search.each(text, |word, at| {
        for owner in &owners[word] {
            match *owner {
                NAME => found.names.push(at),
                KEY => found.keys = true,
                MARK => found.marks = true,
                look => found.looks[look] = true,
            }
        }
    });
    found
}

/// The places in a text that look like a secret.
pub(super) fn found(text: &[u8], anchors: &Anchors) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    for (look, _) in LOOKS
        .iter()
        .zip(&anchors.looks)
        .filter(|(_, there)| **there)
    {
        for captures in look.regex.captures_iter(text) {
            let secret = captures
                .get(1)
                .unwrap_or_else(|| captures.get(0).expect("a match"));
            if (look.holds)(secret.as_bytes()) {
                places.push(secret.range());
            }
        }
    }
    if anchors.keys {
        places.extend(private_keys(text));
    }
    places
}

/// Private keys as PEM (RFC 7468), from the header to the end. A text that only names the header has no body.
fn private_keys(text: &[u8]) -> Vec<Range<usize>> {
    static HEADER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?-u)-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY-----")
            .expect("a constant expression")
    });
    HEADER
        .find_iter(text)
        .filter_map(|header| {
            let end = key_end(text, header.end())?;
            Some(header.start()..end)
        })
        .collect()
}

/// Where the body of a key ends: lines of base64, behind what a log or a program puts between them.
fn key_end(text: &[u8], from: usize) -> Option<usize> {
    let (mut at, mut end) = (from, None);
    loop {
        at = behind_separators(text, at);
        let rest = &text[at..];
        if rest.starts_with(b"-----END ") {
            let length = memchr::memmem::find(&rest[..rest.len().min(60)], b"KEY-----")
                .map_or(9, |at| at + 8);
            return end.map(|_| at + length);
        }
        let length = rest
            .iter()
            .position(|byte| byte.is_ascii_whitespace() || b"\\\"',".contains(byte))
            .unwrap_or(rest.len());
        let word = &rest[..length];
        let is_body = word
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte));
        let is_last = || text[behind_separators(text, at + length)..].starts_with(b"-----END ");
        let is_stamp = word.first().is_some_and(u8::is_ascii_digit) && word.contains(&b':');
        if is_body && (length >= 16 || length > 0 && is_last()) {
            (at, end) = (at + length, Some(at + length));
        } else if is_stamp || matches!(word, b"stdout" | b"stderr" | b"F" | b"P") {
            at += length;
        } else if word.starts_with(b"Proc-Type:") || word.starts_with(b"DEK-Info:") {
            at += rest
                .iter()
                .position(|byte| matches!(byte, b'\n' | b'\\'))
                .unwrap_or(rest.len());
        } else {
            return end;
        }
    }
}

/// Behind white space, quotes, and the ends of lines as a string of a program has them.
fn behind_separators(text: &[u8], mut at: usize) -> usize {
    while let Some(byte) = text.get(at) {
        let escaped = || {
            text[at..]
                .iter()
                .find(|byte| **byte != b'\\')
                .is_some_and(|byte| b"nrt\"'".contains(byte))
        };
        match byte {
            b'\\' if escaped() => {
                at += text[at..].iter().take_while(|byte| **byte == b'\\').count() + 1;
            }
            b' ' | b'\n' | b'\r' | b'\t' | b'"' | b'\'' | b',' => at += 1,
            _ => break,
        }
    }
    at
}

/// Looks for some words at once: by vector instructions where the machine has them.
enum Search {
    Packed(packed::Searcher),
    Automaton(AhoCorasick),
}

impl Search {
    fn new(words: &[&str]) -> Self {
        match packed::Searcher::new(words) {
            Some(packed) => Self::Packed(packed),
            None => Self::Automaton(AhoCorasick::new(words).expect("a constant set")),
        }
    }

    fn each(&self, text: &[u8], mut found: impl FnMut(usize, usize)) {
        match self {
            Self::Packed(packed) => packed
                .find_iter(text)
                .for_each(|word| found(word.pattern().as_usize(), word.start())),
            Self::Automaton(automaton) => automaton
                .find_iter(text)
                .for_each(|word| found(word.pattern().as_usize(), word.start())),
        }
    }
}

/// Whether base64 of PEM is that of a private key; certificates begin the same way.
fn is_encoded_key(encoded: &[u8]) -> bool {
    let head = &encoded[..encoded.len().min(48) / 4 * 4];
    STANDARD
        .decode(head)
        .is_ok_and(|head| String::from_utf8_lossy(&head).contains("PRIVATE KEY"))
}
