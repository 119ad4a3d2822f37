//! Broken clusters as they were recorded (`e2e/corpus`), and the causes that their cases name.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::it::support::{binary, root};

/// `CLASS KIND NAME`, in the order in which the case names them.
fn named(case: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(case).expect("a case can be read");
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("# cause: "));
    lines.map(str::to_owned).collect()
}

/// The same of what is found.
fn found(bundle: &Path) -> Vec<String> {
    let output = Command::new(binary())
        .args(["diagnose", "--json"])
        .arg(bundle)
        .output()
        .expect("the program can be run");
    let said: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let causes = said["causes"].as_array().expect("causes are a list");
    let told = causes.iter().map(|cause| {
        let (kind, path) = cause["object"]
            .as_str()
            .and_then(|object| object.split_once(' '))
            .expect("an object is a kind and a name");
        let name = path.rsplit('/').next().unwrap_or(path);
        format!(
            "{} {kind} {name}",
            cause["class"].as_str().expect("a class is a word")
        )
    });
    told.collect()
}

/// The same bundle in the layout of must-gather.
fn converted(bundle: &Path, below: &Path) -> PathBuf {
    let output = below.join(bundle.file_stem().expect("it has a name"));
    let written = Command::new(binary())
        .args(["convert", "--to=must-gather"])
        .args([Path::new("--output"), &output, bundle])
        .output()
        .expect("the program can be run");
    assert!(written.status.success(), "{written:?}");
    output
}

#[test]
fn the_causes_of_recorded_clusters_are_found_in_each_layout_and_no_others() {
    let mut wrong = Vec::new();
    let mut cases = 0;
    let mut with_two = 0;
    let below = tempfile::tempdir().expect("a directory can be made");
    let corpus = std::fs::read_dir(root().join("tests/corpus")).expect("the corpus is there");
    for entry in corpus {
        let case = entry.expect("it can be listed").path();
        if case.extension().is_none_or(|end| end != "yaml") {
            continue;
        }
        let name = case
            .file_stem()
            .expect("it has a name")
            .to_string_lossy()
            .into_owned();
        let (named, found) = (named(&case), found(&case.with_extension("zip")));
        cases += 1;
        with_two += usize::from(name.starts_with("two-"));
        let set = |all: &[String]| all.iter().cloned().collect::<BTreeSet<_>>();
        let again = self::found(&converted(&case.with_extension("zip"), below.path()));
        if found != again {
            wrong.push(format!("{name}: {found:?}, as must-gather {again:?}"));
        }
        if named.first() != found.first() || set(&named) != set(&found) {
            wrong.push(format!("{name}: {named:?}, found {found:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {cases}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(
        cases >= 25 && with_two >= 10,
        "{cases} cases, {with_two} of them with two faults or more"
    );
}
