use serde_json::json;

use super::*;

fn all(text: &str) -> Result<Value, String> {
    of(text).map(|all| json!(all))
}

#[test]
fn every_combination_is_made_but_those_that_are_excluded() {
    let text = "kubernetes: ['1.34', '1.35']\nmanifests: [v1.10.2, master]\nexclude: [{kubernetes: '1.34', manifests: master}]\n";
    let expected = json!([
        {"kubernetes": "1.34", "manifests": "v1.10.2"},
        {"kubernetes": "1.35", "manifests": "v1.10.2"},
        {"kubernetes": "1.35", "manifests": "master"},
    ]);
    let mut found = all(text).unwrap();
    let key = |one: &Value| one.to_string();
    let mut expected = expected;
    found.as_array_mut().unwrap().sort_by_key(key);
    expected.as_array_mut().unwrap().sort_by_key(key);
    assert_eq!(found, expected);
    let none = combinations("x", None).unwrap();
    assert_eq!(
        none,
        [Combination::new()],
        "no file is one job for each workflow"
    );
}

#[test]
fn a_version_that_would_be_another_is_refused() {
    for (text, said) in [
        (
            "kubernetes: [1.30]",
            "1.3 of `kubernetes` is a number: put each version into quotes",
        ),
        (
            "kubernetes: []",
            "`kubernetes` is an empty list: nothing would run",
        ),
        ("kubernetes: '1.35'", "`kubernetes` is no list"),
        ("kubernetes: ['1', '1']", "`kubernetes` has \"1\" twice"),
        (
            "params: ['1']",
            "`params` is a field of each job, and cannot be a version",
        ),
        (
            "labels: ['1']",
            "`labels` is a field of each job, and cannot be a version",
        ),
        (
            "a b: ['1']",
            "`a b` is no name of a version: letters, digits, - and _",
        ),
        ("exclude: []", "it names no versions"),
        ("[]", "it is no mapping of names to lists of versions"),
        (
            "a: ['1']\nexclude: [{b: '1'}]",
            "`exclude` names `b`, of which there are no versions",
        ),
        (
            "a: ['1']\nexclude: [{a: '2'}]",
            "{\"a\":\"2\"} in `exclude` excludes nothing",
        ),
        (
            "a: ['1']\nexclude: [{a: '1'}]",
            "it excludes all that it names",
        ),
    ] {
        assert_eq!(all(text).unwrap_err(), said, "{text}");
    }
}
