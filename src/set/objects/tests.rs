use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::yaml::DEEPEST;

fn ids(text: &str) -> Vec<String> {
    let objects = read("x", text).unwrap();
    objects.iter().map(|o| o.id.to_string()).collect()
}

#[test]
fn lists_are_opened_and_empty_documents_skipped() {
    let text = "---\n# nothing\n---\napiVersion: v1\nkind: List\nitems:\n\
                - {apiVersion: v1, kind: Namespace, metadata: {name: a}}\n\
                - {apiVersion: apps/v1, kind: Deployment, metadata: {name: b, namespace: a}}\n---\n";
    assert_eq!(ids(text), ["Namespace a", "Deployment a/b"]);
}

#[test]
fn a_list_has_no_name_and_says_the_kind_of_its_items_once() {
    let text = "{apiVersion: v1, kind: ConfigMapList, items: [{metadata: {name: a, namespace: ns}}]}\n---\n\
                {apiVersion: x.example/v1, kind: AllowList, metadata: {name: b}, items: []}\n---\n\
                {apiVersion: x.example/v1, kind: AllowList, metadata: {name: c}, \
                items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: inner}}]}";
    assert_eq!(ids(text), ["ConfigMap ns/a", "AllowList b", "AllowList c"]);
}

/// A value of each kind that YAML 1.1 and 1.2 read in other ways, with or without an octal number beside.
#[test]
fn a_document_means_what_kubectl_takes_it_for() {
    for beside in ["", "mode: 0440\n", "# mode: 0440\n"] {
        let text = format!(
            "apiVersion: v1\nkind: X\nmetadata: {{name: a, labels: &l {{app: x}}, annotations: {{<<: *l, more: '1'}}}}\n\
             {beside}sail: yes\nsize: 1_000\ntext: '0440'\n"
        );
        let value = read("x", &text).unwrap()[0].value();
        assert_eq!(
            value["metadata"]["annotations"],
            json!({"app": "x", "more": "1"})
        );
        assert_eq!(value["sail"], true);
        assert_eq!(value["size"], 1000);
        assert_eq!(value["text"], "0440");
    }
}

#[test]
fn a_repeated_key_is_refused_wherever_it_stands() {
    for beside in ["", "mode: 0440\n"] {
        let text = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: twice\n  namespace: default\n\
             data: {{url: https://right.example}}\n{beside}data: {{other: x}}\n"
        );
        let error = read("cm.yaml", &text).unwrap_err().to_string();
        let line = 7 + beside.lines().count();
        assert_eq!(
            error,
            format!(
                "cm.yaml:{line} (ConfigMap default/twice): not YAML: the key `data` is there already, in line 6"
            )
        );
    }
}

#[test]
fn a_name_that_yaml_takes_for_a_boolean_is_no_name() {
    for (name, namespace, field) in [
        ("n", "a", "name"),
        ("a", "n", "namespace"),
        ("a", "1", "namespace"),
    ] {
        let text = format!(
            "{{apiVersion: v1, kind: A, metadata: {{name: {name}, namespace: {namespace}}}}}"
        );
        let error = read("x", &text).unwrap_err().to_string();
        assert!(
            error.contains(&format!("its metadata.{field} is ")),
            "{error}"
        );
        assert!(error.ends_with("which is not text: quote it"), "{error}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let text = "kind: A\n---\na: [b\n---\napiVersion: v1\nkind: A\nmetadata: {name: on}\n---\na: 1\na: 2\na: 3\n";
    let error = read("x", text).unwrap_err();
    assert_eq!(
        error.to_string(),
        "x, document 1: not a Kubernetes object: it has no apiVersion, and 4 more"
    );
    assert_eq!(
        error.details()[1..],
        [
            "x:3: not YAML: did not find expected ',' or ']' (while parsing a flow sequence that begins here)",
            "x, document 3: its metadata.name is true, which is not text: quote it",
            "x:10: not YAML: the key `a` is there already, in line 9",
            "x:11: not YAML: the key `a` is there already, in line 9",
        ]
    );
}

#[test]
fn what_is_no_object_is_named() {
    for (text, said) in [
        (
            "{kind: Pod, apiVersion: v1, metadata: {generateName: a-}}",
            "x, document 1: it has `generateName` and no `name`",
        ),
        (
            "kind: X\n",
            "x, document 1: not a Kubernetes object: it has no apiVersion",
        ),
        ("a: b\n", "it has no kind"),
        (
            "apiVersion: v1\nkind: X\nmetadata: {}\n",
            "it has no metadata.name",
        ),
        (
            "apiVersion: v1\nkind: X\nmetadata: {name: a}\n---\na: [b\n",
            "x:5: not YAML",
        ),
        ("just text\n", "it has no kind"),
    ] {
        let error = read("x", text).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn an_object_moves_between_namespaces() {
    let text = "{apiVersion: v1, kind: A, metadata: {name: b, namespace: c}}";
    let mut object = read("x", text).unwrap().remove(0);
    object.settle(None);
    assert_eq!(object.value()["metadata"], serde_json::json!({"name": "b"}));
    object.settle(Some("d"));
    assert_eq!(object.value()["metadata"]["namespace"], "d");
    assert_eq!(object.id.to_string(), "A d/b");
}

#[test]
fn of_two_faults_the_first_is_told() {
    let fine = "{apiVersion: v1, kind: A, metadata: {name: a}}\n---\n".repeat(300);
    let text = format!("{fine}a: [b\n---\n{fine}kind: A\n---\n{fine}");
    let error = read("x", &text).unwrap_err().to_string();
    assert_eq!(
        error,
        "x:601: not YAML: did not find expected ',' or ']' (while parsing a flow sequence that begins here), and 1 more"
    );
}

#[test]
fn what_is_nested_too_deep_is_named_and_all_else_is_read_again() {
    let nested = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!("{{apiVersion: v1, kind: A, metadata: {{name: a}}, spec: {open}{close}}}")
    };
    let most = read("x", &nested(DEEPEST - 1)).unwrap();
    assert!(most[0].value()["spec"].is_array());
    let error = read("x", &nested(DEEPEST)).unwrap_err().to_string();
    assert_eq!(
        error,
        "x:1: not YAML: lists and maps are nested more than 127 deep"
    );
}

proptest! {
    #[test]
    fn documents_come_apart_as_they_were_put_together(
        values in prop::collection::vec(("[a-z]{1,8}", "(?s).{0,60}"), 1..6)
    ) {
        let mut text = String::new();
        for (name, data) in &values {
            let value = serde_json::json!({"apiVersion": "v1", "kind": "A", "metadata": {"name": name}, "data": data});
            text.push_str("---\n");
            text.push_str(&yaml::write(&value));
        }
        let objects = read("x", &text).unwrap();
        let again: Vec<_> = objects.iter().map(|o| {
            let value = o.value();
            (o.id.name.clone(), value["data"].as_str().unwrap().to_owned())
        }).collect();
        prop_assert_eq!(again, values);
    }
}
