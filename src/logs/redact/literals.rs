//! The known secrets of a run, and where text holds them.

use std::{collections::BTreeSet, ops::Range};

use super::{
    Marker, encoded,
    forms::{self, Digits, Form},
    harvest::Secrets,
    seeds::{SEED, Seeds},
    stretch::stretch,
    unescape::{self, Alphabet},
};

/// A value of letters alone that is shorter is a word, which text has in other meanings too.
const WORD: usize = 12;

/// How sure it is that text which holds a value holds the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strength {
    /// Nobody writes it by chance.
    Sure,
    /// A long word, which may be a key of a document.
    Name,
    /// A word: it counts where a value stands.
    Word,
}

struct Literal {
    mark: String,
    strength: Strength,
}

/// The known secrets.
pub(super) struct Literals {
    known: Vec<Literal>,
    forms: Vec<Form>,
    seeds: Seeds,
    alphabet: Alphabet,
}

/// A part of a text and its mark; none for encoded text in which something was found.
pub(super) type Part<'a> = (Range<usize>, Option<&'a str>);

impl Literals {
    pub(super) fn new(marker: &Marker, secrets: &Secrets, names: &BTreeSet<String>) -> Self {
        let parts: BTreeSet<&str> = names
            .iter()
            .flat_map(|name| name.split(['-', '.']))
            .collect();
        let (mut literals, mut all) = (Vec::new(), Vec::new());
        for secret in secrets.iter() {
            let secret = secret.trim_ascii();
            let Some(strength) = strength(secret, names, &parts) else {
                continue;
            };
            all.extend(forms::of(secret, literals.len()));
            literals.push(Literal {
                mark: marker.mark(secret),
                strength,
            });
        }
        for line in secrets.lines() {
            all.push(Form {
                bytes: line.to_vec(),
                digits: Digits::Plain,
                secret: literals.len(),
            });
            literals.push(Literal {
                mark: marker.mark(line),
                strength: Strength::Sure,
            });
        }
        Self {
            seeds: Seeds::new(all.iter().map(|form| form.bytes.as_slice())),
            alphabet: Alphabet::of(all.iter().map(|form| form.bytes.as_slice())),
            known: literals,
            forms: all,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Where a text holds them: as they are, encoded, escaped. `decoded` says of the content of base64 whether it holds one.
    pub(super) fn found(
        &self,
        text: &[u8],
        depth: usize,
        decoded: &dyn Fn(&[u8]) -> bool,
    ) -> Vec<Part<'_>> {
        let mut found = Vec::new();
        self.plain(text, depth, decoded, &mut |range, mark| {
            found.push((range, mark));
        });
        if self.known.is_empty() {
            return found;
        }
        unescape::views(text, &self.alphabet, |view| {
            self.plain(&view.bytes, depth, decoded, &mut |range, mark| {
                found.push((view.place(range), mark));
            });
        });
        found
    }

    fn plain<'a>(
        &'a self,
        text: &[u8],
        depth: usize,
        decoded: &dyn Fn(&[u8]) -> bool,
        take: &mut dyn FnMut(Range<usize>, Option<&'a str>),
    ) {
        self.seeds.scan(text, |at, places| {
            for place in places {
                let form = &self.forms[place.string as usize];
                let seed = place.at as usize;
                if !begins_alike(&text[at..], &form.bytes[seed..], form.digits) {
                    continue;
                }
                let Some(mut parts) = stretch(text, at, &form.bytes, seed, form.digits) else {
                    continue;
                };
                let literal = &self.known[form.secret];
                if !stands(text, &parts, literal.strength, form.digits) {
                    continue;
                }
                if form.digits == Digits::Base64 {
                    widen(text, &mut parts);
                }
                for part in parts {
                    take(part, Some(&literal.mark));
                }
            }
        });
        if depth > 0 {
            for part in encoded::runs(text, decoded).into_iter().flatten() {
                take(part, None);
            }
        }
    }
}

/// The cheap part of the comparison.
fn begins_alike(text: &[u8], form: &[u8], digits: Digits) -> bool {
    let (text, form) = (&text[..SEED.min(text.len())], &form[..SEED]);
    text == form || digits == Digits::Hex && text.eq_ignore_ascii_case(form)
}

/// How a value counts; `None` for one that is no secret, or too short or common to be taken out of text.
fn strength(secret: &[u8], names: &BTreeSet<String>, parts: &BTreeSet<&str>) -> Option<Strength> {
    if secret.len() < SEED {
        return None;
    }
    let Ok(text) = std::str::from_utf8(secret) else {
        return Some(Strength::Sure);
    };
    let lower = text.to_ascii_lowercase();
    let common = matches!(
        lower.as_str(),
        "enabled" | "disabled" | "default" | "unknown" | "localhost" | "redacted"
    );
    let number = text.len() < 8 && text.parse::<f64>().is_ok();
    let same = text.chars().all(|c| text.starts_with(c));
    if common || number || same || names.contains(text) {
        return None;
    }
    let is_word = text
        .chars()
        .all(|c| c.is_ascii_alphabetic() || matches!(c, '-' | '_' | '.' | '/'));
    if !is_word {
        return Some(Strength::Sure);
    }
    if text.len() >= WORD {
        return Some(Strength::Name);
    }
    (!parts.contains(text)).then_some(Strength::Word)
}

/// Whether what was found is the secret rather than the same letters in another meaning.
fn stands(text: &[u8], parts: &[Range<usize>], strength: Strength, digits: Digits) -> bool {
    let (Some(first), Some(last), Digits::Plain) = (parts.first(), parts.last(), digits) else {
        return true;
    };
    let range = first.start..last.end;
    match strength {
        Strength::Sure => true,
        Strength::Name => !is_key(text, &range),
        Strength::Word => is_value(text, &range),
    }
}

/// Whether a part of a text is, or is in, the key of a document: of YAML, JSON or properties.
pub(super) fn is_key(text: &[u8], part: &Range<usize>) -> bool {
    let of_key = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./".contains(byte);
    let after = &text[part.end..];
    let after = &after[after
        .iter()
        .position(|byte| !of_key(byte))
        .unwrap_or(after.len())..];
    let ends = match after {
        [b'"' | b'\'', b':', ..] => true,
        [b':' | b'=', rest @ ..] => rest
            .first()
            .is_none_or(|byte| byte.is_ascii_whitespace() || b"\"'{[<".contains(byte)),
        _ => false,
    };
    let before = &text[..part.start];
    let before = &before[..before
        .iter()
        .rposition(|byte| !of_key(byte))
        .map_or(0, |at| at + 1)];
    let before = before
        .strip_suffix(b"\"")
        .or_else(|| before.strip_suffix(b"'"))
        .unwrap_or(before);
    let begins = matches!(
        before.trim_ascii_end().last(),
        None | Some(b'{' | b',' | b'-')
    ) || before
        .iter()
        .rev()
        .find(|byte| !matches!(byte, b' ' | b'\t'))
        .is_none_or(|byte| *byte == b'\n');
    ends && begins
}

/// Whether a part of a text stands where a value stands: behind `=`, `:` or a quote, and up to its end.
fn is_value(text: &[u8], part: &Range<usize>) -> bool {
    let before = &text[..part.start];
    let begins = match before {
        [] => part.end == text.len(),
        [.., b'=' | b'"' | b'\'' | b'`' | b':'] => true,
        [.., b' '] => before
            .trim_ascii_end()
            .last()
            .is_some_and(|byte| b":=".contains(byte)),
        _ => false,
    };
    let ends = match &text[part.end..] {
        [] => true,
        [quote @ (b'"' | b'\'' | b'`'), rest @ ..] => {
            before.last() == Some(quote) && rest.first() != Some(&b':')
        }
        [next, ..] => next.is_ascii_whitespace() || b",;&)}]@".contains(next),
    };
    begins && ends && !is_key(text, part)
}

/// Takes the digits that a secret shares with what surrounds it, and the filling.
fn widen(text: &[u8], parts: &mut [Range<usize>]) {
    let digit = |at: Option<usize>| {
        at.and_then(|at| text.get(at))
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte))
    };
    if let Some(first) = parts.first_mut()
        && digit(first.start.checked_sub(1))
    {
        first.start -= 1;
    }
    if let Some(last) = parts.last_mut() {
        last.end += usize::from(digit(Some(last.end)));
        last.end += text[last.end..]
            .iter()
            .take(2)
            .take_while(|byte| **byte == b'=')
            .count();
    }
}
