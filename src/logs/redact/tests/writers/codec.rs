//! Encodings and their readers, written out.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::format_push_string,
    clippy::needless_pass_by_value,
    reason = "bits are cut on purpose, and speed is nothing here"
)]

use std::io::{Read as _, Write as _};

/// A secret within a text of some lines.
pub(super) fn long(text: &str) -> String {
    format!(
        "first line of a document of some length that has a secret\npassword: {text}\nand some more of it at its end, to be sure\n"
    )
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn base64(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let at = bits >> (18 - 6 * digit) & 63;
            out.push(if digit as usize <= chunk.len() {
                DIGITS[at as usize]
            } else {
                b'='
            });
        }
    }
    out
}

pub(super) fn url(digits: &[u8]) -> Vec<u8> {
    digits
        .iter()
        .map(|digit| match digit {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        })
        .collect()
}

pub(super) fn folded(digits: &[u8], width: usize) -> Vec<u8> {
    digits.chunks(width).collect::<Vec<_>>().join(&b'\n')
}

/// What each run of digits decodes to, at each alignment, with lines joined and apart.
pub(super) fn base64_runs(text: &[u8]) -> Vec<Vec<u8>> {
    let joined: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'\n').collect();
    let mut read = Vec::new();
    for text in [text, &joined] {
        for run in text.split(|byte| !byte.is_ascii_alphanumeric() && !b"+/-_".contains(byte)) {
            for shift in 0..4.min(run.len()) {
                let (mut bits, mut count, mut out) = (0_u32, 0, Vec::new());
                for digit in &run[shift..] {
                    let digit = match digit {
                        b'-' => b'+',
                        b'_' => b'/',
                        other => *other,
                    };
                    bits =
                        bits << 6 | DIGITS.iter().position(|known| *known == digit).unwrap() as u32;
                    count += 6;
                    if count >= 8 {
                        count -= 8;
                        out.push((bits >> count) as u8);
                        bits &= (1 << count) - 1;
                    }
                }
                read.push(out);
            }
        }
    }
    read
}

pub(super) fn hex(text: &str, upper: bool) -> Vec<u8> {
    let digit = |byte: u8| {
        if upper {
            format!("{byte:02X}")
        } else {
            format!("{byte:02x}")
        }
    };
    text.bytes().map(digit).collect::<String>().into_bytes()
}

pub(super) fn hex_runs(text: &[u8]) -> Vec<Vec<u8>> {
    let value = |digit: u8| (digit as char).to_digit(16).unwrap() as u8;
    text.split(|byte| !byte.is_ascii_hexdigit())
        .flat_map(|run| [run, run.get(1..).unwrap_or_default()])
        .map(|run| {
            run.chunks_exact(2)
                .map(|pair| value(pair[0]) << 4 | value(pair[1]))
                .collect()
        })
        .collect()
}

pub(super) fn gzip(text: &str) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

pub(super) fn gunzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(bytes)
        .read_to_end(&mut out)
        .ok()?;
    Some(out)
}

pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

pub(super) fn utf16_read(bytes: &[u8]) -> Vec<Vec<u8>> {
    (0..2.min(bytes.len()))
        .map(|shift| {
            let units: Vec<u16> = bytes[shift..]
                .chunks_exact(2)
                .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
                .collect();
            String::from_utf16_lossy(&units).into_bytes()
        })
        .collect()
}

/// JSON as writers write it that escape more than they have to.
pub(super) fn json(text: &str, more: &str, ascii: bool) -> Vec<u8> {
    let mut out = String::from("{\"p\":\"");
    for c in text.chars() {
        match c {
            c if more.contains(c) => out.push_str(&format!("\\u{:04x}", c as u32)),
            '"' | '\\' => out.extend(['\\', c]),
            c if ascii && !c.is_ascii() => {
                let mut units = [0; 2];
                c.encode_utf16(&mut units)
                    .iter()
                    .for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
            }
            c => out.push(c),
        }
    }
    out.push_str("\"}");
    out.into_bytes()
}

/// The strings of JSON in a text.
pub(super) fn json_read(text: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(text);
    let starts = text.match_indices('"').map(|(at, _)| at);
    starts
        .filter_map(|at| {
            serde_json::Deserializer::from_str(&text[at..])
                .into_iter::<String>()
                .next()?
                .ok()
        })
        .map(String::into_bytes)
        .collect()
}

/// Escapes all that is not plain.
pub(super) fn escaped(text: &str, escape: impl Fn(u8) -> String) -> Vec<u8> {
    let one = |byte: u8| match byte {
        b'\'' | b'"' | b'\\' => format!("\\{}", byte as char),
        b' '..=b'~' => (byte as char).to_string(),
        _ => escape(byte),
    };
    text.bytes().map(one).collect::<String>().into_bytes()
}

pub(super) fn backslash_read(text: &[u8]) -> Vec<Vec<u8>> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let digits = |from: usize, length: usize, radix| {
            let digits = std::str::from_utf8(text.get(from..from + length)?).ok()?;
            u8::from_str_radix(digits, radix).ok()
        };
        let (byte, length) = match (text[at], text.get(at + 1)) {
            (b'\\', Some(b'x')) if digits(at + 2, 2, 16).is_some() => {
                (digits(at + 2, 2, 16).unwrap(), 4)
            }
            (b'\\', Some(b'0'..=b'3')) if digits(at + 1, 3, 8).is_some() => {
                (digits(at + 1, 3, 8).unwrap(), 4)
            }
            (b'\\', Some(other)) => (*other, 2),
            (other, _) => (other, 1),
        };
        out.push(byte);
        at += length;
    }
    vec![out]
}

pub(super) fn entities(text: &str, entity: impl Fn(char) -> &'static str) -> Vec<u8> {
    text.chars()
        .map(|c| match entity(c) {
            "" => c.to_string(),
            entity => entity.to_owned(),
        })
        .collect::<String>()
        .into_bytes()
}

pub(super) fn entities_read(text: &[u8]) -> Vec<Vec<u8>> {
    let mut text = text.to_vec();
    let all = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#x27;", "'"),
        ("&#39;", "'"),
        ("&#34;", "\""),
        ("&#43;", "+"),
        ("&amp;", "&"),
    ];
    for (entity, meant) in all {
        text = replaced(text, entity, meant);
    }
    vec![text]
}

pub(super) fn percent(text: &str, kept: &str, upper: bool) -> Vec<u8> {
    let one = |byte: u8| {
        let c = byte as char;
        if c.is_ascii_alphanumeric() || c.is_ascii() && kept.contains(c) {
            c.to_string()
        } else if upper {
            format!("%{byte:02X}")
        } else {
            format!("%{byte:02x}")
        }
    };
    text.bytes().map(one).collect::<String>().into_bytes()
}

pub(super) fn percent_read(text: &[u8]) -> Vec<Vec<u8>> {
    vec![percent_encoding::percent_decode(text).collect()]
}

pub(super) fn replaced(text: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_slice();
    while let Some(at) = memchr::memmem::find(rest, from.as_bytes()) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to.as_bytes());
        rest = &rest[at + from.len()..];
    }
    out.extend_from_slice(rest);
    out
}
