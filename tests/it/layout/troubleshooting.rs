//! Each message that the page on troubleshooting explains is one that the program says.

use std::fs;

use regex::Regex;

use super::root;

/// All of the source as one text in which what a message fills in is `…`.
fn source() -> String {
    let mut text = String::new();
    let mut all = vec![root().join("src")];
    while let Some(path) = all.pop() {
        if path.is_dir() {
            all.extend(
                fs::read_dir(&path)
                    .expect("it can be listed")
                    .map(|one| one.expect("it is there").path()),
            );
        } else if path.extension().is_some_and(|end| end == "rs") {
            text += &fs::read_to_string(&path).expect("it is text");
        }
    }
    let broken = Regex::new(r"\\\n\s*").expect("the pattern is fixed");
    let filled = Regex::new(r"`?\{[^{}]*\}`?").expect("the pattern is fixed");
    filled
        .replace_all(&broken.replace_all(&text, ""), "…")
        .into_owned()
}

#[test]
fn each_message_on_the_page_is_one_of_ours() {
    let page =
        fs::read_to_string(root().join("docs/troubleshooting.md")).expect("the page is there");
    let source = source();
    let headings = page
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    let headings: Vec<&str> = headings.collect();
    let gone: Vec<&&str> = headings
        .iter()
        .filter(|heading| !source.contains(**heading))
        .collect();
    assert!(gone.is_empty(), "nothing in src says: {gone:#?}");
    assert!(headings.len() >= 25, "{headings:?}");
}
