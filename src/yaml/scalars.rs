//! What a scalar means by YAML 1.1, as kubectl's parser resolves it, and what JSON holds for it.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Number, Value};

use super::tags::Tag;

/// A scalar with its type.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// Larger than [`Self::Int`] has.
    Unsigned(u64),
    Float(f64),
    Text(Cow<'a, str>),
}

impl<'a> Scalar<'a> {
    /// What a scalar is that stands in a document without quotes (`plain`) or with them, and behind a tag or not.
    ///
    /// # Errors
    /// Why it is not what its tag says.
    pub(super) fn resolve(
        text: Cow<'a, str>,
        plain: bool,
        tag: Option<Tag>,
    ) -> Result<Self, String> {
        let no = |what: &str| Err(format!("`{text}` is no {what}, as its tag says"));
        match tag {
            None if plain => Ok(untagged(text)),
            None | Some(Tag::Str | Tag::NonSpecific | Tag::Merge | Tag::Other) => {
                Ok(Self::Text(text))
            }
            Some(Tag::Binary) => {
                let digits = text.replace(['\r', '\n'], "");
                match STANDARD.decode(digits) {
                    Ok(bytes) => Ok(Self::Text(
                        String::from_utf8_lossy(&bytes).into_owned().into(),
                    )),
                    Err(_) => no("base64"),
                }
            }
            Some(Tag::Bool) => match untagged(text.clone()) {
                it @ Self::Bool(_) => Ok(it),
                _ => no("boolean"),
            },
            Some(Tag::Int) => match untagged(text.clone()) {
                it @ (Self::Int(_) | Self::Unsigned(_)) => Ok(it),
                _ => no("whole number"),
            },
            Some(Tag::Float) => match untagged(text.clone()) {
                it @ Self::Float(_) => Ok(it),
                // As Go converts it.
                #[expect(clippy::cast_precision_loss)]
                Self::Int(number) => Ok(Self::Float(number as f64)),
                _ => no("number"),
            },
            Some(Tag::Null) => match untagged(text.clone()) {
                Self::Null => Ok(Self::Null),
                _ => no("null"),
            },
        }
    }

    /// What JSON holds for it.
    ///
    /// # Errors
    /// Why JSON has nothing for it.
    pub(super) fn value(self) -> Result<Value, String> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(it) => Value::Bool(it),
            Self::Int(number) => number.into(),
            #[expect(clippy::cast_precision_loss)]
            Self::Unsigned(number) => float(number as f64).into(),
            Self::Float(number) if number.is_finite() => float(number).into(),
            Self::Float(number) => {
                return Err(format!(
                    "{number} is no number of JSON: quote it if it is text"
                ));
            }
            Self::Text(text) => Value::String(text.into_owned()),
        })
    }

    /// The key of a JSON object for it.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn key(self) -> Result<Cow<'a, str>, String> {
        Ok(match self {
            Self::Text(text) => text,
            Self::Bool(true) => "true".into(),
            Self::Bool(false) => "false".into(),
            Self::Int(number) => number.to_string().into(),
            Self::Float(number) => float_key(number).into(),
            Self::Null => return Err("a key is empty or null: quote it if it is text".to_owned()),
            Self::Unsigned(number) => {
                return Err(format!("{number} is too large for a key: quote it"));
            }
        })
    }
}

/// A number as Kubernetes keeps it: whole if it can be, since Go writes 1.0 as 1.
pub(super) fn float(number: f64) -> Number {
    let whole = number.fract() == 0.0 && number.abs() < 1e19;
    // Its shortest digits count, as in Go, not those that the bits would have.
    let whole = whole.then(|| number.to_string().parse::<i64>().ok());
    match whole.flatten() {
        Some(whole) => whole.into(),
        None => Number::from_f64(number).expect("it is finite"),
    }
}

/// As Go's `%g` writes the nearest number of 32 bits, which is how kubectl makes a key of it.
fn float_key(number: f64) -> String {
    #[expect(clippy::cast_possible_truncation)]
    let number = number as f32;
    if number.is_nan() {
        return ".nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').expect("it has an exponent");
    let exponent: i32 = exponent.parse().expect("it is a number");
    if (-4..6).contains(&exponent) {
        return number.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// Whether a scalar without quotes is text.
pub(super) fn is_text(text: &str) -> bool {
    matches!(untagged(text.into()), Scalar::Text(_))
}

fn untagged(text: Cow<str>) -> Scalar {
    let known = match text.as_bytes().first() {
        None => Some(Scalar::Null),
        Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~') => {
            word(&text)
        }
        Some(b'.') => match &*text {
            ".inf" | ".Inf" | ".INF" => Some(Scalar::Float(f64::INFINITY)),
            ".nan" | ".NaN" | ".NAN" => Some(Scalar::Float(f64::NAN)),
            _ => fraction(&text).map(Scalar::Float),
        },
        Some(b'+' | b'-' | b'0'..=b'9') => match &*text {
            "+.inf" | "+.Inf" | "+.INF" => Some(Scalar::Float(f64::INFINITY)),
            "-.inf" | "-.Inf" | "-.INF" => Some(Scalar::Float(f64::NEG_INFINITY)),
            _ if text.contains('_') => number(&text.replace('_', "")),
            _ => number(&text),
        },
        Some(_) => None,
    };
    known.unwrap_or(Scalar::Text(text))
}

fn word(text: &str) -> Option<Scalar<'static>> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        _ => return None,
    })
}

/// A number that begins with a digit or a sign.
fn number(text: &str) -> Option<Scalar<'static>> {
    if let Some(whole) = whole(text) {
        return Some(whole);
    }
    if is_decimal(text) {
        return text
            .parse()
            .ok()
            .filter(|it: &f64| it.is_finite())
            .map(Scalar::Float);
    }
    // What Go's parser takes beside.
    let binary = text.strip_prefix("0b")?;
    i64::from_str_radix(binary, 2).ok().map(Scalar::Int)
}

/// A whole number: decimal, `0x`, `0o`, `0b`, or octal behind a 0.
fn whole(text: &str) -> Option<Scalar<'static>> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let negative = text.starts_with('-');
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', _, ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.bytes().next()?.is_ascii_hexdigit() {
        return None;
    }
    let size = u64::from_str_radix(digits, base).ok()?;
    let number = i128::from(size) * if negative { -1 } else { 1 };
    let signed = text.starts_with(['+', '-']);
    match i64::try_from(number) {
        Ok(number) => Some(Scalar::Int(number)),
        Err(_) if !signed => Some(Scalar::Unsigned(size)),
        Err(_) => None,
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_decimal(text: &str) -> bool {
    let digits = |text: &str| {
        text.bytes()
            .position(|it| !it.is_ascii_digit())
            .unwrap_or(text.len())
    };
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let before = digits(text);
    let mut rest = &text[before..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let after = digits(fraction);
        if before + after == 0 {
            return false;
        }
        rest = &fraction[after..];
    } else if before == 0 {
        return false;
    }
    match rest.strip_prefix(['e', 'E']) {
        Some(exponent) => {
            let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !exponent.is_empty() && digits(exponent) == exponent.len()
        }
        None => rest.is_empty(),
    }
}

/// A number that begins with a `.`, in which a `_` may stand between digits.
fn fraction(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| {
        let byte = at.and_then(|at| bytes.get(at));
        byte.is_some_and(u8::is_ascii_digit)
    };
    let between =
        |(at, byte): (usize, &u8)| *byte != b'_' || digit(at.checked_sub(1)) && digit(Some(at + 1));
    let plain = text.replace('_', "");
    if !bytes.iter().enumerate().all(between) || !is_decimal(&plain) {
        return None;
    }
    plain.parse().ok().filter(|it: &f64| it.is_finite())
}

#[cfg(test)]
mod tests;
