use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::*;

/// Pairs of pattern and name on standard input, on standard output a verdict for each.
const PYTHON: &str = "
import fnmatch, json, sys, warnings
warnings.simplefilter('ignore')
json.dump([fnmatch.fnmatch(name, pattern) for pattern, name in json.load(sys.stdin)], sys.stdout)
";

/// What Python says to each pair; `None` where there is no Python, which CI has.
fn python(pairs: &[(String, String)]) -> Option<Vec<bool>> {
    let started = Command::new("python3")
        .args(["-c", PYTHON])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => {
            assert!(std::env::var("CI").is_err(), "CI needs python3: {error}");
            eprintln!("SKIPPED: needs python3: {error}");
            return None;
        }
    };
    let mut input = child.stdin.take().unwrap();
    let text = serde_json::to_vec(pairs).unwrap();
    let writer = std::thread::spawn(move || input.write_all(&text));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn compare(pairs: &[(String, String)]) -> usize {
    let Some(expected) = python(pairs) else {
        return usize::MAX;
    };
    assert_eq!(expected.len(), pairs.len());
    for ((pattern, name), expected) in pairs.iter().zip(&expected) {
        let found = Pattern::new(pattern).matches(name);
        assert_eq!(found, *expected, "{pattern:?} with {name:?}");
    }
    expected.iter().filter(|matched| **matched).count()
}

#[test]
fn random_patterns_match_as_in_python() {
    // Few letters, so that much matches; all that means something in a pattern, a class or a regular expression.
    const LETTERS: [char; 24] = [
        'a', 'b', 'c', 'z', 'A', '/', '.', '*', '*', '?', '[', '[', ']', ']', '!', '-', '-', '^',
        '\\', '\n', '&', '~', '|', 'é',
    ];
    let seed = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    let mut text = |longest: usize, letters: &[char]| -> String {
        let length = random.random_range(0..=longest);
        (0..length)
            .map(|_| letters[random.random_range(0..letters.len())])
            .collect()
    };
    let mut pairs = Vec::new();
    for _ in 0..30_000 {
        let pattern = text(10, &LETTERS);
        for _ in 0..2 {
            pairs.push((pattern.clone(), text(5, &LETTERS)));
        }
        // A class alone, against each letter: most of what can go wrong is in there.
        let class = format!("[{}]", text(7, &LETTERS[..]));
        pairs.push((class, text(1, &LETTERS)));
    }
    let matched = compare(&pairs);
    assert!(matched > 1000, "seed {seed}: {matched} of them matched");
}

#[test]
fn classes_of_few_letters_match_as_in_python() {
    // All of them up to five letters, against all letters: no chance leaves a rare one out.
    const LETTERS: [&str; 6] = ["a", "c", "-", "!", "]", "^"];
    let mut insides = vec![String::new()];
    let mut all = insides.clone();
    for _ in 0..5 {
        insides = insides
            .iter()
            .flat_map(|inside| LETTERS.map(|letter| format!("{inside}{letter}")))
            .collect();
        all.extend(insides.iter().cloned());
    }
    let mut pairs = Vec::new();
    for inside in all {
        for name in ["a", "b", "c", "-", "!", "]", "^", "", "a]"] {
            pairs.push((format!("[{inside}]"), name.to_owned()));
        }
    }
    assert!(compare(&pairs) > 10_000);
}

#[test]
fn a_star_crosses_directories_and_lines() {
    for (pattern, name, expected) in [
        ("pkg/*", "pkg/a/b/c.go", true),
        ("pkg/*.go", "pkg/a/b/c.go", true),
        ("*", "a\nb", true),
        ("pkg", "pkg/a", false),
        ("scripts/", "scripts/a", false),
        ("PKG/*", "pkg/a", false),
        ("**/x", "a/x", true),
        ("{a,b}", "a", false),
        ("[ab", "[ab", true),
        ("[!x]/*", "y/a", true),
        ("", "", true),
        ("", "a", false),
    ] {
        let found = Pattern::new(pattern).matches(name);
        assert_eq!(found, expected, "{pattern:?} with {name:?}");
    }
}

#[test]
fn many_stars_take_no_time() {
    let pattern = Pattern::new(&"*a".repeat(60));
    let name = format!("{}b", "a".repeat(20_000));
    assert!(!pattern.matches(&name));
}
