//! How programs write a secret, each with a reader that shares no code with what is tested.

mod codec;

use self::codec::{
    backslash_read, base64, base64_runs, entities, entities_read, escaped, folded, gunzip, gzip,
    hex, hex_runs, json, json_read, long, percent, percent_read, replaced, url, utf16, utf16_read,
};

/// A notation: how it is written, and all that somebody may read out of a text in it.
pub(super) struct Notation {
    pub(super) name: &'static str,
    pub(super) write: fn(&str) -> Vec<u8>,
    pub(super) read: fn(&[u8]) -> Vec<Vec<u8>>,
}

pub(super) const NOTATIONS: &[Notation] = &[
    Notation {
        name: "raw",
        write: |text| text.into(),
        read: |text| vec![text.to_vec()],
    },
    Notation {
        name: "base64",
        write: |text| base64(text.as_bytes()),
        read: base64_runs,
    },
    Notation {
        name: "base64url",
        write: |text| url(&base64(text.as_bytes())),
        read: base64_runs,
    },
    Notation {
        name: "base64 at 76",
        write: |text| folded(&base64(long(text).as_bytes()), 76),
        read: base64_runs,
    },
    Notation {
        name: "base64 at 64",
        write: |text| folded(&base64(long(text).as_bytes()), 64),
        read: base64_runs,
    },
    Notation {
        name: "base64 twice",
        write: |text| base64(&base64(text.as_bytes())),
        read: |text| {
            base64_runs(text)
                .iter()
                .flat_map(|once| base64_runs(once))
                .collect()
        },
    },
    Notation {
        name: "basic",
        write: |text| {
            [
                b"Authorization: Basic ".to_vec(),
                base64(format!("user:{text}").as_bytes()),
            ]
            .concat()
        },
        read: base64_runs,
    },
    Notation {
        name: "hex",
        write: |text| hex(text, false),
        read: hex_runs,
    },
    Notation {
        name: "HEX",
        write: |text| hex(text, true),
        read: hex_runs,
    },
    Notation {
        name: "gzip in base64",
        write: |text| base64(&gzip(&long(text))),
        read: |text| {
            base64_runs(text)
                .iter()
                .filter_map(|packed| gunzip(packed))
                .collect()
        },
    },
    Notation {
        name: "gzip in base64 twice",
        write: |text| base64(&base64(&gzip(&long(text)))),
        read: |text| {
            base64_runs(text)
                .iter()
                .flat_map(|once| base64_runs(once))
                .filter_map(|packed| gunzip(&packed))
                .collect()
        },
    },
    Notation {
        name: "utf-16",
        write: utf16,
        read: utf16_read,
    },
    Notation {
        name: "utf-16 in base64",
        write: |text| base64(&utf16(text)),
        read: |text| {
            base64_runs(text)
                .iter()
                .flat_map(|wide| utf16_read(wide))
                .collect()
        },
    },
    Notation {
        name: "serde",
        write: |text| serde_json::to_vec(text).unwrap(),
        read: json_read,
    },
    Notation {
        name: "json of Go",
        write: |text| json(text, "<>&", false),
        read: json_read,
    },
    Notation {
        name: "json of Python",
        write: |text| json(text, "", true),
        read: json_read,
    },
    Notation {
        name: "json of PHP",
        write: |text| replaced(json(text, "", true), "/", "\\/"),
        read: json_read,
    },
    Notation {
        name: "json of .NET",
        write: |text| json(text, "<>&'\"+`", true),
        read: json_read,
    },
    Notation {
        name: "json in json",
        write: |text| {
            serde_json::to_vec(&String::from_utf8(json(text, "<>&", true)).unwrap()).unwrap()
        },
        read: |text| {
            json_read(text)
                .iter()
                .flat_map(|inner| json_read(inner))
                .collect()
        },
    },
    Notation {
        name: "bytes of Python",
        write: |text| escaped(text, |byte| format!("\\x{byte:02x}")),
        read: backslash_read,
    },
    Notation {
        name: "octal",
        write: |text| escaped(text, |byte| format!("\\{byte:03o}")),
        read: backslash_read,
    },
    Notation {
        name: "%q of Go",
        write: |text| format!("{text:?}").into_bytes(),
        read: backslash_read,
    },
    Notation {
        name: "xml",
        write: |text| {
            entities(text, |c| match c {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                '\'' => "&apos;",
                _ => "",
            })
        },
        read: entities_read,
    },
    Notation {
        name: "html of Python",
        write: |text| {
            entities(text, |c| match c {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                '\'' => "&#x27;",
                _ => "",
            })
        },
        read: entities_read,
    },
    Notation {
        name: "html of Go",
        write: |text| {
            entities(text, |c| match c {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&#34;",
                '\'' => "&#39;",
                '+' => "&#43;",
                _ => "",
            })
        },
        read: entities_read,
    },
    Notation {
        name: "percent",
        write: |text| percent(text, "-._~", true),
        read: percent_read,
    },
    Notation {
        name: "percent of a path",
        write: |text| percent(text, "-._~/", true),
        read: percent_read,
    },
    Notation {
        name: "percent in lower case",
        write: |text| percent(text, "-._~", false),
        read: percent_read,
    },
    Notation {
        name: "form",
        write: |text| replaced(percent(text, "-._* ", true), " ", "+"),
        read: |text| percent_read(&replaced(text.to_vec(), "+", " ")),
    },
    Notation {
        name: "percent twice",
        write: |text| {
            percent(
                &String::from_utf8(percent(text, "", true)).unwrap(),
                "",
                true,
            )
        },
        read: |text| {
            percent_read(text)
                .iter()
                .flat_map(|once| percent_read(once))
                .collect()
        },
    },
    Notation {
        name: "yaml in single quotes",
        write: |text| format!("p: '{}'", text.replace('\'', "''")).into_bytes(),
        read: |text| vec![replaced(text.to_vec(), "''", "'")],
    },
    Notation {
        name: "shell",
        write: |text| format!("'{}'", text.replace('\'', r"'\''")).into_bytes(),
        read: |text| vec![replaced(text.to_vec(), r"'\''", "'")],
    },
    Notation {
        name: "shell of Python",
        write: |text| format!("'{}'", text.replace('\'', r#"'"'"'"#)).into_bytes(),
        read: |text| vec![replaced(text.to_vec(), r#"'"'"'"#, "'")],
    },
    Notation {
        name: "shell with backslashes",
        write: |text| {
            text.chars()
                .flat_map(|c| {
                    if c.is_ascii_punctuation() || c == ' ' {
                        vec!['\\', c]
                    } else {
                        vec![c]
                    }
                })
                .collect::<String>()
                .into_bytes()
        },
        read: |text| {
            let mut out = Vec::new();
            let mut bytes = text.iter();
            while let Some(byte) = bytes.next() {
                out.extend(if *byte == b'\\' {
                    bytes.next()
                } else {
                    Some(byte)
                });
            }
            vec![out]
        },
    },
    Notation {
        name: "csv",
        write: |text| format!("\"{}\"", text.replace('"', "\"\"")).into_bytes(),
        read: |text| vec![replaced(text.to_vec(), "\"\"", "\"")],
    },
];
