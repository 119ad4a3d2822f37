//! Walls: which room names which, and which names AWS or kube.
//!
//! Whoever needs a new line here asks first whether the code belongs into another room.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::root;

/// What a room of the cluster's side may name beside itself, and whether kube is among it.
const CLUSTERS_SIDE: [(&str, &[&str], bool); 12] = [
    ("api", &[], false),
    ("yaml", &[], false),
    (
        "set",
        &[
            "api",
            "http_client",
            "inputs",
            "limits",
            "report",
            "wait",
            "yaml",
        ],
        false,
    ),
    (
        "registry",
        &["http_client", "limits", "report", "set"],
        false,
    ),
    (
        "cluster",
        &[
            "api", "host", "inputs", "limits", "record", "report", "wait",
        ],
        true,
    ),
    ("pod", &["api", "report"], false),
    ("ready", &["api", "cluster", "pod", "report"], false),
    (
        "status",
        &["api", "cluster", "ready", "report", "set", "yaml"],
        false,
    ),
    ("diagnose", &["logs", "ready", "status"], false),
    ("convert", &["diagnose", "logs", "report", "status"], false),
    (
        "deploy",
        &[
            "api", "cluster", "limits", "pod", "progress", "ready", "registry", "report", "set",
            "wait", "yaml",
        ],
        true,
    ),
    ("kind", &["host", "limits", "report", "wait", "yaml"], true),
];

/// What a room of the host's side may name beside itself.
const HOSTS_SIDE: [(&str, &[&str]); 11] = [
    ("http_client", &[]),
    (
        "host",
        &["cli", "inputs", "limits", "record", "report", "wait"],
    ),
    (
        "tools",
        &[
            "cli",
            "host",
            "http_client",
            "inputs",
            "limits",
            "record",
            "report",
        ],
    ),
    (
        "provider",
        &[
            "cli",
            "github",
            "host",
            "http_client",
            "inputs",
            "limits",
            "record",
            "report",
            "run",
            "wait",
        ],
    ),
    ("reap", &["github", "limits", "provider", "report", "run"]),
    (
        "plan",
        &["github", "inputs", "limits", "report", "run", "yaml"],
    ),
    (
        "publish",
        &[
            "github", "inputs", "limits", "logs", "record", "report", "run", "stages", "status",
            "wait", "yaml",
        ],
    ),
    ("commands", &["github", "inputs", "limits", "report"]),
    (
        "history",
        &["inputs", "limits", "logs", "provider", "report"],
    ),
    ("iam", &["cli", "inputs", "logs", "report", "run", "stages"]),
    (
        "doctor",
        &[
            "cli",
            "github",
            "host",
            "http_client",
            "iam",
            "inputs",
            "limits",
            "logs",
            "provider",
            "record",
            "report",
            "run",
            "stages",
            "tools",
        ],
    ),
];

/// What a part of `provider/ec2` may not name: who has access knows nothing of launch and end, and an end has to work
/// without anything of the launch.
const EC2: [(&str, &[&str]); 7] = [
    ("access", &["launch", "end"]),
    ("end", &["launch"]),
    ("class", &["access", "launch", "end"]),
    ("quota", &["access", "launch", "end"]),
    ("price", &["access", "launch", "end"]),
    ("errors", &["launch", "end"]),
    ("launch", &[]),
];

/// Who may name AWS's crates.
const AWS: [&str; 3] = ["src/provider/ec2", "src/doctor/ec2", "src/logs/s3"];

#[test]
fn a_room_names_only_what_its_walls_let_through() {
    let clusters = CLUSTERS_SIDE.map(|(room, allowed, _)| (room, allowed));
    for (room, allowed) in clusters.into_iter().chain(HOSTS_SIDE) {
        for file in sources(&format!("src/{room}")) {
            for other in named(&read(&file), "crate::") {
                assert!(
                    other == room || allowed.contains(&other.as_str()),
                    "{}: {room} names {other}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn kube_is_named_by_few_rooms() {
    for (room, _, kube) in CLUSTERS_SIDE {
        for file in sources(&format!("src/{room}")) {
            let text = read(&file);
            let names_kube = words(&text)
                .any(|word| word.starts_with("kube::") || word.starts_with("k8s_openapi"));
            assert!(kube || !names_kube, "{}: {room} names kube", file.display());
        }
    }
}

#[test]
fn aws_is_named_by_three_places() {
    let mut allowed = 0;
    for file in sources("src") {
        let path = file
            .strip_prefix(root())
            .expect("it is below")
            .display()
            .to_string();
        if AWS.iter().any(|place| {
            path.strip_prefix(place)
                .is_some_and(|rest| rest.starts_with(['/', '.']))
        }) {
            allowed += 1;
            continue;
        }
        let text = read(&file);
        let named = words(&text).find(|word| word.starts_with("aws_") && word.contains("::"));
        assert_eq!(named, None, "{path}");
    }
    assert!(allowed > 20, "the places are where they are looked for");
}

#[test]
fn the_parts_of_ec2_name_only_what_their_walls_let_through() {
    for (part, forbidden) in EC2 {
        let sources = sources(&format!("src/provider/ec2/{part}"));
        assert!(sources[0].is_file(), "there is no part {part}");
        for file in sources {
            // As far up as the parts of `ec2` are siblings.
            let depth = file.components().count() - root().components().count() - 3;
            for way in ["ec2::".to_owned(), "super::".repeat(depth)] {
                for other in named(&read(&file), &way) {
                    assert!(
                        !forbidden.contains(&other.as_str()),
                        "{}: {part} names {other}",
                        file.display()
                    );
                }
            }
        }
    }
}

#[test]
fn a_file_has_one_job_and_its_tests_stand_below_it() {
    for file in sources("src").into_iter().chain(sources("tests")) {
        let text = read(&file);
        let lines = text.lines().count();
        assert!(lines <= 400, "{}: {lines} lines", file.display());
        let name = file.file_stem().and_then(|it| it.to_str());
        let is_below = name.is_some_and(|it| !it.ends_with("_tests"));
        assert!(is_below, "{} is to be x/tests.rs", file.display());
    }
}

#[test]
fn a_path_is_seen_however_it_is_written() {
    let text =
        "use crate::a::b;\npub use crate::{c::{d, e}, f, g::h as i};\nfn x() { crate::j::k(); }";
    assert_eq!(named(text, "crate::"), ["a", "c", "f", "g", "j"]);
    let text = "use aws_sdk_ec2::x;\nuse crate::{provider::{Resource, ec2::{a::b, c}}, wait};";
    assert_eq!(named(text, "ec2::"), ["a", "c"]);
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The words of a text, a path is one.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
}

/// The files of a room: `<room>.rs` and what is below `<room>/`.
fn sources(room: &str) -> Vec<PathBuf> {
    let mut files = vec![root().join(format!("{room}.rs"))];
    files.retain(|file| file.is_file());
    let mut directories = vec![root().join(room)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten() {
            let path = entry.expect("a directory can be read").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty(), "there is no room {room}");
    files
}

/// What a file names by this way to it: `a` of `crate::a::b` and of `crate::{a::b, c}`.
fn named(text: &str, way: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        let text = text.trim_start();
        let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_'));
        text[..end.unwrap_or(text.len())].to_owned()
    };
    let mut rooms = Vec::new();
    for (at, _) in text.match_indices(way) {
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &text[at + way.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            rooms.push(word(rest));
            continue;
        };
        let mut depth = 0_usize;
        let mut starts = vec![0];
        for (at, c) in group.char_indices() {
            match c {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => starts.push(at + 1),
                _ => {}
            }
        }
        rooms.extend(starts.into_iter().map(|at| word(&group[at..])));
    }
    rooms.retain(|room| !room.is_empty());
    rooms
}
