//! The forms in which text holds a secret that is not escaped but encoded: base64, hexadecimal digits, UTF-16.
//!
//! Escapes (JSON, percent, entities, quotes) are not listed here: [`super::unescape`] takes them back, since each writer
//! escapes other characters.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::seeds::SEED;

/// Longer secrets are looked for as they are and in base64 alone.
const LONG: usize = 512;

/// How the bytes of a form compare with those of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digits {
    /// Byte for byte.
    Plain,
    /// Base64: what surrounds the form shares a digit with it at both ends.
    Base64,
    /// Hexadecimal, of either case.
    Hex,
}

/// One way to encode.
pub(super) struct Encoder {
    /// What it is called.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "a test has a reader of its own for each")
    )]
    pub(super) name: &'static str,
    digits: Digits,
    /// Whether it is tried for long secrets too.
    always: bool,
    encode: fn(&[u8]) -> Vec<Vec<u8>>,
}

/// All of them.
pub(super) const ENCODERS: &[Encoder] = &[
    Encoder {
        name: "raw",
        digits: Digits::Plain,
        always: true,
        encode: |secret| vec![secret.to_vec()],
    },
    Encoder {
        name: "form",
        digits: Digits::Plain,
        always: false,
        encode: plus_for_space,
    },
    Encoder {
        name: "base64",
        digits: Digits::Base64,
        always: true,
        encode: base64,
    },
    Encoder {
        name: "base64 twice",
        digits: Digits::Base64,
        always: false,
        encode: |secret| {
            base64(secret)
                .iter()
                .flat_map(|inner| base64(inner))
                .collect()
        },
    },
    Encoder {
        name: "hex",
        digits: Digits::Hex,
        always: false,
        encode: |secret| vec![hex::encode(secret).into_bytes()],
    },
    Encoder {
        name: "base64 of hex",
        digits: Digits::Base64,
        always: false,
        encode: |secret| {
            [hex::encode(secret), hex::encode_upper(secret)]
                .iter()
                .flat_map(|hex| base64(hex.as_bytes()))
                .collect()
        },
    },
    Encoder {
        name: "utf-16",
        digits: Digits::Plain,
        always: false,
        encode: utf16,
    },
    Encoder {
        name: "base64 of utf-16",
        digits: Digits::Base64,
        always: false,
        encode: |secret| utf16(secret).iter().flat_map(|wide| base64(wide)).collect(),
    },
];

/// A form of a secret.
#[derive(Debug)]
pub(super) struct Form {
    /// What text holds.
    pub(super) bytes: Vec<u8>,
    /// How it is compared.
    pub(super) digits: Digits,
    /// Number of the secret.
    pub(super) secret: usize,
}

/// All forms of a secret that are long enough to be found.
pub(super) fn of(secret: &[u8], number: usize) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    for encoder in ENCODERS {
        if secret.len() > LONG && !encoder.always {
            continue;
        }
        for bytes in (encoder.encode)(secret) {
            if bytes.len() >= SEED && !forms.iter().any(|form| form.bytes == bytes) {
                forms.push(Form {
                    bytes,
                    digits: encoder.digits,
                    secret: number,
                });
            }
        }
    }
    forms
}

/// The digits that are the secret's own at each of the three alignments, in both alphabets.
fn base64(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    for shift in 0..3 {
        // What surrounds the secret changes the digits at both ends: only those in between are its own.
        let mut shifted = vec![0; shift];
        shifted.extend_from_slice(secret);
        let own = [0, 2, 3][shift]..shifted.len() * 8 / 6;
        let piece = STANDARD.encode(&shifted)[own].to_owned();
        let url = piece.replace('+', "-").replace('/', "_");
        if url != piece {
            pieces.push(url.into_bytes());
        }
        pieces.push(piece.into_bytes());
    }
    pieces
}

fn plus_for_space(secret: &[u8]) -> Vec<Vec<u8>> {
    let plus: Vec<u8> = secret
        .iter()
        .map(|byte| if *byte == b' ' { b'+' } else { *byte })
        .collect();
    vec![plus]
}

fn utf16(secret: &[u8]) -> Vec<Vec<u8>> {
    let Ok(text) = std::str::from_utf8(secret) else {
        return Vec::new();
    };
    let little = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    vec![little, big]
}
