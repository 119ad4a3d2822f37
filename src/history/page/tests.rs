//! What the page costs, and what it shows where there is little.

use super::*;
use crate::history::tests::Tree;

/// A page about a job of so many builds and tests, every other of which differs from its neighbours.
async fn page_of(builds: usize, tests: usize) -> String {
    let tree = Tree::new();
    for build in 0..builds {
        let cases: String = (0..tests)
            .map(|test| ['P', 'F', 'P', 'S', 'P'][(build * 7 + test * 3) % 5])
            .collect();
        let path = format!("logs/job/{}", build + 1);
        let commit = ['a', 'b', 'c', 'd'][build / 2 % 4];
        let minute = i64::try_from(build * 400).unwrap();
        tree.build(&path, minute, commit, "FAILURE", &cases);
        tree.put(&format!("{path}/artifacts/report.html"), "");
    }
    let history = tree.read(&[], 500).await.unwrap();
    page(&history, &history.jobs, Some("logs/job"))
}

#[tokio::test]
async fn page_of_a_hundred_builds_and_two_hundred_tests_has_less_than_a_megabyte() {
    let page = page_of(100, 200).await;
    assert!(page.len() < 1 << 20, "{}", page.len());
    assert!(page.contains("href=\"100/artifacts/report.html\""));
    assert!(!page.contains("more tests, of which"), "all are drawn");
}

#[tokio::test]
async fn page_draws_no_more_cells_than_it_may_and_says_what_is_left_out() {
    let page = page_of(3, 250).await;
    assert!(page.contains("50 more tests, of which"), "{}", page.len());
}

#[tokio::test]
async fn page_of_one_build_is_whole() {
    let page = page_of(1, 1).await;
    assert!(page.contains("1 build: 1 failed"), "{page}");
    assert!(page.contains("<strong>–</strong> flake rate"), "{page}");
    assert!(!page.contains("NaN"));
}
