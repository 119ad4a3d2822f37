//! That a manifest means what kubectl takes it for: both read the same random files.

use std::{collections::BTreeMap, fmt::Write as _, path::Path, process::Command};

use manifests_e2e::yaml::{decode, documents};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;

const FILES: usize = 600;

const SCALARS: &[&str] = &[
    "a",
    "b c",
    "yes",
    "n",
    "Off",
    "~",
    "",
    "0644",
    "0o17",
    "0x1F",
    "-0b11",
    "1_000",
    "1.0",
    "1.50",
    "-7",
    "1e3",
    ".5",
    "5.",
    "08",
    "1:30",
    "2001-01-01",
    "9223372036854775808",
    "1e400",
    "0.000012",
    "+1",
    "0x",
    "=",
    "<<",
    "x:y",
    "a#b",
    "'q ''r'",
    "\"d\\te\\x41\\u00e9\"",
    "\"l1\n        l2\\\n        l3\"",
    "'l1\n\n        l2'",
    "p1\n        p2",
    "*s",
    "*m",
    "!!str 5",
    "!!int \"7\"",
    "!!float 1",
    "!other yes",
    "! 5",
    "!!binary aGk=",
    "{k: v, l: [1, y]}",
    "[x, {z: no}, [u: v]]",
    "{}",
    "[]",
    "[\n]",
    "{? a : b}",
    "é",
    "a: b",
    "- a",
    "@a",
    "[a",
    "\"\\q\"",
    "|\n        t1\n         t2\n\n        t3",
    "|+\n        t\n\n",
    "|2-\n          t",
    ">-\n        f1\n        f2\n\n        f3\n          f4",
    "a\t# c",
    "'x'#c",
    "a\u{85}",
    "\u{a0}",
];
const KEYS: &[&str] = &[
    "a", "b", "'c'", "\"d\"", "1", "0x10", "yes", "off", "1.5", "1e6", "2.5e-7", "? k\n ", "e f",
    "é", "[a]",
];

fn one_of<'a>(random: &mut StdRng, words: &[&'a str]) -> &'a str {
    words[random.random_range(0..words.len())]
}

/// A map of a few keys, indented so far.
fn map(random: &mut StdRng, text: &mut String, indent: usize, depth: usize) {
    let mut keys: Vec<&str> = KEYS.to_vec();
    for _ in 0..random.random_range(1..4) {
        // A repeated key is what kubectl reads otherwise.
        let key = keys.swap_remove(random.random_range(0..keys.len()));
        let _ = write!(text, "{:indent$}{key}:", "");
        value(random, text, indent, depth);
    }
    if random.random_bool(0.2) {
        let merged = one_of(random, &["*m", "[*m, {a: 7}]", "{new: on}", "1"]);
        let _ = writeln!(text, "{:indent$}<<: {merged}", "");
    }
}

fn value(random: &mut StdRng, text: &mut String, indent: usize, depth: usize) {
    match random.random_range(0..4) {
        0 if depth > 0 => {
            text.push_str(one_of(random, &[" &x\n", " !!map\n", "\n", " # c\n\n"]));
            map(random, text, indent + 2, depth - 1);
        }
        1 if depth > 0 => {
            text.push('\n');
            for _ in 0..random.random_range(1..3) {
                let _ = write!(text, "{:indent$}-", "");
                value(random, text, indent + 2, depth - 1);
            }
        }
        _ => {
            let _ = writeln!(text, " {}", one_of(random, SCALARS));
        }
    }
}

/// The bytes of a file with one or two objects of this number.
fn file(random: &mut StdRng, number: usize) -> Vec<u8> {
    let object = |random: &mut StdRng, part: &str| {
        let mut text = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: r{number:04}-{part}}}\nbase: &m {{a: 1, on: &s yes}}\nspec:\n"
        );
        map(random, &mut text, 2, 3);
        text
    };
    let mut text = object(random, "a");
    if random.random_bool(0.3) {
        let mark = one_of(
            random,
            &["---\n", "--- # c\n", "---\n# c\n---\n", "...\n---\n"],
        );
        let begin = one_of(random, &["", "---\n", "# c\n", "---\n---\n"]);
        text = format!("{begin}{text}{mark}{}", object(random, "b"));
    }
    if random.random_bool(0.2) {
        let pieces = [
            "\t", "'", "\"", ": ", "\n", "#", "{", "]", "- ", "\\", "&x ", "\u{2028}",
        ];
        let at = random.random_range(0..text.len());
        let at = text.floor_char_boundary(at);
        let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
        // What stands behind `---` costs kubectl the document before it, too.
        if !text[line..].starts_with("---") {
            text.insert_str(at, one_of(random, &pieces));
        }
    }
    match random.random_range(0..10) {
        0 => text.replace('\n', "\r\n").into_bytes(),
        1 => format!("\u{feff}{text}").into_bytes(),
        2 => {
            let units = std::iter::once(0xFEFF).chain(text.encode_utf16());
            units.flat_map(u16::to_le_bytes).collect()
        }
        3 => {
            let object = |part| {
                format!(
                    "{{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{{\"name\":\"r{number:04}-{part}\"}},\"x\":1.0}}"
                )
            };
            format!("{}\n{}", object("a"), object("b")).into_bytes()
        }
        _ => text.into_bytes(),
    }
}

/// What we read of a file, by name, until it cannot be read further, as kubectl does.
fn ours(bytes: Vec<u8>) -> (BTreeMap<String, Value>, Option<String>) {
    let mut found = BTreeMap::new();
    let text = match decode(bytes) {
        Ok(text) => text,
        Err(fault) => return (found, Some(fault.to_string())),
    };
    for document in documents(&text) {
        match document.read() {
            Ok(value) => {
                found.extend(name(&value).map(|name| (name, value)));
            }
            Err(faults) => return (found, Some(faults[0].to_string())),
        }
    }
    (found, None)
}

/// What kubectl reads of the files of a directory, by name, and what it says of the others. `--local` asks no server.
fn kubectls(directory: &Path) -> Option<(BTreeMap<String, Value>, String)> {
    let run = Command::new("kubectl")
        .args(["annotate", "--local", "-o", "json", "read=yes", "-f"])
        .arg(directory)
        .env("KUBECONFIG", "/dev/null")
        .output();
    let output = match run {
        Ok(output) => output,
        Err(error) => {
            assert!(std::env::var("CI").is_err(), "CI needs kubectl: {error}");
            return None;
        }
    };
    let printed = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    let named = printed.filter_map(|it| {
        let mut value = it.expect("kubectl prints JSON");
        value["metadata"].as_object_mut()?.remove("annotations");
        Some((name(&value)?, value))
    });
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Some((named.collect(), said))
}

/// The name of an object that the test has made, unless a random change has made another of it.
fn name(value: &Value) -> Option<String> {
    let is_ours = value["kind"] == "ConfigMap" && value["apiVersion"] == "v1";
    let name = value["metadata"]["name"].as_str()?;
    is_ours.then(|| name.to_owned())
}

#[test]
fn random_documents_mean_what_kubectl_takes_them_for() {
    let seed: u64 = std::env::var("SEED").map_or_else(|_| rand::random(), |it| it.parse().unwrap());
    let mut random = StdRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for number in 0..FILES {
        let bytes = file(&mut random, number);
        std::fs::write(dir.path().join(format!("{number:04}.yaml")), &bytes).unwrap();
        files.push(bytes);
    }
    let Some((mut theirs, said)) = kubectls(dir.path()) else {
        eprintln!("SKIPPED: needs kubectl");
        return;
    };
    assert!(theirs.len() > FILES / 3, "{said}");
    let mut refused = 0;
    for (number, bytes) in files.into_iter().enumerate() {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let (found, fault) = ours(bytes);
        refused += usize::from(fault.is_some());
        for (name, value) in found {
            let their = theirs.remove(&name).map(|it| numbers(&it));
            assert_eq!(
                their,
                Some(numbers(&value)),
                "seed {seed}, {number}:\n{shown}\n{said}"
            );
        }
        // Where we refuse what kubectl reads, we do so because it would lose something, or since libyaml has become stricter than
        // Go's port of it: a tag has no brackets there.
        let loses = [
            "is there already",
            "behind the end of the document",
            "(while scanning a tag)",
            "(while parsing a tag)",
        ];
        if !fault
            .as_ref()
            .is_some_and(|fault| loses.iter().any(|it| fault.contains(it)))
        {
            let own = format!("r{number:04}-");
            let more = theirs.keys().find(|it| it.starts_with(&own));
            assert_eq!(
                more, None,
                "seed {seed}, {number}: we say {fault:?}:\n{shown}"
            );
        }
    }
    assert!(refused > FILES / 20, "{refused} files were wrong");
}

/// The same with each number as 64 bits hold it.
fn numbers(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().into(),
        Value::Array(items) => items.iter().map(numbers).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), numbers(value)))
            .collect(),
        other => other.clone(),
    }
}
