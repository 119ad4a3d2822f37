//! What the pages say before the first release, and no longer with it.

use std::fs;

use super::{Clone, said};
use crate::it::{
    layout::examples::{pages, stale_after_a_release},
    support::root,
};

#[test]
fn no_page_says_that_there_is_no_release_once_there_is_one() {
    let clone = Clone::new();
    let names: Vec<String> = pages()
        .iter()
        .map(|page| page.strip_prefix(root()).unwrap().display().to_string())
        .collect();
    for page in &names {
        clone.write(page, &fs::read_to_string(root().join(page)).unwrap());
    }
    clone.git(&["add", "--all"]);
    // Nothing is left to commit once there are no such marks.
    clone.git(&["commit", "--quiet", "--allow-empty", "--message", "Pages"]);

    let output = clone.release(&["0.2.0"]);

    assert!(output.status.success(), "{}", said(&output));
    for page in &names {
        let released = clone.at("v0.2.0", page);
        let stale = stale_after_a_release(&released);
        assert_eq!(stale, Vec::<&str>::new(), "{page} of the release");
        assert!(!released.contains("unreleased -->"), "{page}");
        let next = clone.at("HEAD", page);
        assert!(!next.contains("zeros -->"), "{page}");
        assert!(!next.contains("@0000"), "{page} after the release");
    }
    assert!(
        clone
            .at("v0.2.0", "README.md")
            .contains("](docs/first-real-run.md)"),
        "what is around the marks stays"
    );
}

#[test]
fn marks_that_are_not_in_pairs_end_a_release() {
    let clone = Clone::new();
    clone.write("docs/none.md", "<!-- unreleased -->No end.\n");
    clone.git(&["commit", "--quiet", "--all", "--message", "Forget"]);

    let output = clone.release(&["0.2.0"]);

    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let why = "the marks `unreleased` are not in pairs";
    assert!(said(&output).contains(why), "{}", said(&output));
    assert_eq!(clone.git(&["tag"]), "");
}
