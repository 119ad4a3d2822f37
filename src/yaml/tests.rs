//! What the rules of `kubectl apply -f` are, and where a fault is seen.

use serde_json::{Value, json};

use super::*;

mod generated;

fn all(text: &str) -> Vec<Value> {
    let documents = documents(text);
    documents.iter().map(|it| it.read().unwrap()).collect()
}

fn faults(text: &str) -> Vec<String> {
    let documents = documents(text);
    let faults = documents.iter().filter_map(|it| it.read().err());
    faults.flatten().map(|fault| fault.to_string()).collect()
}

#[test]
fn a_line_that_begins_with_three_dashes_parts_documents() {
    for (text, expected) in [
        (
            "---\na: 1\n---\nb: 2\n",
            vec![json!({"a": 1}), json!({"b": 2})],
        ),
        (
            "a: 1\n--- # c\nb: 2",
            vec![json!({"a": 1}), json!({"b": 2})],
        ),
        (
            "a: 1\r\n---\r\nb: 2\r\n",
            vec![json!({"a": 1}), json!({"b": 2})],
        ),
        (
            "a: 1\n---\t\n# nothing\n\n---\n---\nb: 2\n",
            vec![json!({"a": 1}), json!({"b": 2})],
        ),
        (
            "a: 1\n...\n---\nb: 2\n...\n",
            vec![json!({"a": 1}), json!({"b": 2})],
        ),
        ("a: |\n  x\n  ---\n  y\n", vec![json!({"a": "x\n---\ny\n"})]),
        ("# nothing\n", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(all(text), expected, "{text}");
    }
}

#[test]
fn what_kubectl_would_drop_or_refuses_between_documents_is_refused() {
    for (text, expected) in [
        (
            "a: 1\n--- b\nc: 2\n",
            "line 2: more than a comment stands behind `---`",
        ),
        (
            "a: 'x\n\n---y'\n",
            "line 3: more than a comment stands behind `---`",
        ),
        (
            "a: 1\n...\nb: 2\n",
            "line 3: more stands behind the end of the document",
        ),
        (
            "- a\n...\n- b\n",
            "line 3: more stands behind the end of the document",
        ),
        (
            "[a]\n[b]\n",
            "line 2: more stands behind the end of the document",
        ),
        (
            "%YAML 1.1\n---\na: 1\n",
            "line 1: kubectl takes no directive",
        ),
        (
            "a: 1\n---\n\u{feff}b: 2\n",
            "line 3: a byte order mark stands within the text",
        ),
        (
            "a: 1\nb: x\u{7}y\n",
            "line 2: the character U+0007 is not allowed",
        ),
        (
            "a: x\u{ffff}\n",
            "line 1: the character U+FFFF is not allowed",
        ),
    ] {
        let faults = faults(text);
        let found = faults.iter().any(|it| it.starts_with(expected));
        assert!(found, "{text}: {faults:?}");
    }
}

#[test]
fn objects_of_json_may_follow_each_other() {
    let two = vec![json!({"a": 1}), json!({"b": "/😀"})];
    for text in [
        "{\"a\": 1}{\"b\": \"\\/\\ud83d\\ude00\"}",
        "{\"a\": 1.0}\n{\"b\": \"/😀\"}\n",
        "{\"a\": 1}\n---\n{\"b\": \"/😀\"}\n",
        "{\"a\": 1}\n---\nb: /😀\n",
        " {a: 1}\n---\n{b: /😀}\n",
    ] {
        assert_eq!(all(text), two, "{text}");
    }
    let rest = with_marks("{\"a\": 1}{\"b\": \"\\/\\ud83d\\ude00\"}".to_owned());
    assert_eq!(all(&format!("x: y\n---\n{rest}"))[1..], two);
    let second = faults("\n{\"a\": [\n1]}\n\n{\"b\": 1,\n\"b\": 2}");
    assert_eq!(second, ["line 6: the key `b` is there already"]);
    let three = faults("{\"a\": 1}\n{\"b\": 2}\n{\"c\": [}\n");
    assert!(three[0].starts_with("line 3: no JSON"), "{three:?}");
}

#[test]
fn a_repeated_key_is_refused_with_both_lines() {
    for (text, expected) in [
        (
            "a: 1\nb: 2\na: 3\n",
            vec!["line 3: the key `a` is there already, in line 1"],
        ),
        (
            "x:\n  - {a: 1, 'a': 1}\n",
            vec!["line 2: the key `a` is there already, in line 2"],
        ),
        (
            "1: a\n\"1\": b\n",
            vec!["line 2: the key `1` is there already, in line 1"],
        ),
        (
            "on: a\n'true': b\n",
            vec!["line 2: the key `true` is there already, in line 1"],
        ),
        (
            "a: {b: 1,\n    b: 2}\nc:\n  d: 1\n  e: 2\n  d: 3\n",
            vec![
                "line 2: the key `b` is there already, in line 1",
                "line 6: the key `d` is there already, in line 4",
            ],
        ),
        (
            "x: &x {a: 1}\ny:\n  <<: *x\n  a: 2\n  a: 3\n",
            vec!["line 5: the key `a` is there already, in line 4"],
        ),
        (
            "{\"a\": {\"b\": 1,\n \"b\": 2}}",
            vec!["line 2: the key `b` is there already"],
        ),
    ] {
        assert_eq!(faults(text), expected, "{text}");
    }
}

#[test]
fn keys_are_merged_as_by_kubectl() {
    let base = "- &a {x: 1, w: 2}\n- &b {w: 3, z: 4}\n";
    for (map, expected) in [
        ("- <<: *a\n  w: 5\n", json!({"x": 1, "w": 5})),
        ("- <<: [*a, *b]\n", json!({"x": 1, "w": 2, "z": 4})),
        ("- <<: *a\n  <<: *b\n", json!({"x": 1, "w": 3, "z": 4})),
        ("- {<<: {x: 7}}\n", json!({"x": 7})),
        // Whoever writes `<<` last means it, says kubectl.
        ("- w: 5\n  <<: *a\n", json!({"x": 1, "w": 2})),
        ("- '<<': *a\n", json!({"<<": {"x": 1, "w": 2}})),
        ("- !!merge <<: *a\n", json!({"x": 1, "w": 2})),
    ] {
        assert_eq!(all(&format!("{base}{map}"))[0][2], expected, "{map}");
    }
    for map in [
        "- <<: 1\n",
        "- <<:\n",
        "- l: &l [*a]\n  <<: *l\n",
        "- <<: [1]\n",
    ] {
        let faults = faults(&format!("{base}{map}"));
        assert!(faults[0].contains("`<<` needs a map"), "{map}: {faults:?}");
    }
}

#[test]
fn an_alias_stands_for_what_its_anchor_did() {
    assert_eq!(
        all("a: &x yes\n*x : *x\n")[0],
        json!({"a": true, "true": true})
    );
    assert_eq!(all("a: &x 1\nb: &x 2\nc: *x\n")[0]["c"], 2);
    assert_eq!(all("a: &x\nb: *x\n")[0]["b"], Value::Null);
    assert!(faults("a: *x\n")[0].starts_with("line 1: no `&x` stands before"));
    assert!(faults("a: &x [*x]\n")[0].contains("stands within what it stands for"));
}

#[test]
fn a_bomb_of_aliases_is_refused() {
    let level = |at: u8| {
        let (name, of) = (char::from(b'a' + at), char::from(b'a' + at - 1));
        let nine = vec![format!("*{of}"); 9].join(", ");
        format!("{name}: &{name} [{nine}]\n")
    };
    let bomb: String = std::iter::once("a: &a [1, 2]\n".to_owned())
        .chain((1..9).map(level))
        .collect();
    let faults = faults(&bomb);
    assert!(
        faults[0].ends_with("too much of the document is made by aliases"),
        "{faults:?}"
    );
}

#[test]
fn aliases_do_not_go_deeper_than_what_is_written() {
    let nested = format!("a: &a {}1{}\n", "[".repeat(100), "]".repeat(100));
    assert!(faults(&nested).is_empty());
    let deeper = format!("{nested}b: {}*a{}\n", "[".repeat(27), "]".repeat(27));
    assert!(faults(&deeper)[0].contains("nested more than 127 deep"));
}

#[test]
fn what_kubectl_reads_but_yaml_1_2_does_not_is_read() {
    for (text, expected) in [
        ("a: [\nb,\nc\n]\n", json!({"a": ["b", "c"]})),
        ("a: {\nb: c\n}\n", json!({"a": {"b": "c"}})),
        ("a:\tb\n", json!({"a": "b"})),
        ("a: 'x\ny'\n", json!({"a": "x y"})),
        ("a: 'x'#c\n", json!({"a": "x"})),
        ("a: |#c\n  x\n", json!({"a": "x\n"})),
        ("a: [b,# c\n d]\n", json!({"a": ["b", "d"]})),
        ("a: x\u{85} y\n", json!({"a": "x y"})),
        ("a: x\u{2028} y\n", json!({"a": "x\u{2028}y"})),
        ("a: |\n  x\u{85}  y\n", json!({"a": "x\ny\n"})),
        ("[?a]\n", json!([{"a": null}])),
        ("a: |\n  x", json!({"a": "x\n"})),
    ] {
        assert_eq!(all(text), [expected], "{text}");
    }
}

#[test]
fn what_kubectl_does_not_read_is_refused_in_its_line() {
    for (text, expected) in [
        ("a: b\nc\nd: e\n", "line 2: could not find expected ':'"),
        (
            "a:\n\tb: c\n",
            "line 2: found character that cannot start any token: indent with spaces, not with tabs",
        ),
        (
            "a: b: c\n",
            "line 1: mapping values are not allowed in this context",
        ),
        (
            "a:\n  - b\n - c\n",
            "line 3: did not find expected key (while parsing a block mapping that begins in line 1)",
        ),
        (
            "a: [b\nc: d\n",
            "line 2: did not find expected ',' or ']' (while parsing a flow sequence that begins in line 1)",
        ),
        (
            "a: 'x\nb: c\n",
            "line 1: found unexpected end of stream (while scanning a quoted scalar that begins here)",
        ),
        (
            "a: \"\\q\"\n",
            "line 1: found unknown escape character (while parsing a quoted scalar)",
        ),
        (
            "a: @b\n",
            "line 1: found character that cannot start any token: quote the text",
        ),
        (
            "a: *\n",
            "line 1: did not find expected alphabetic or numeric character (while scanning an alias)",
        ),
        (
            "a: !x!y z\n",
            "line 1: found undefined tag handle (while parsing a node)",
        ),
        (
            "a: .inf\n",
            "line 1: inf is no number of JSON: quote it if it is text",
        ),
        ("[a]: b\n", "line 1: a list or a map cannot be a key"),
        (
            "~: b\n",
            "line 1: a key is empty or null: quote it if it is text",
        ),
    ] {
        let faults = faults(text);
        assert_eq!(faults, [expected], "{text}");
    }
}

#[test]
fn a_document_that_cannot_be_read_says_which_object_it_seems_to_be() {
    for (text, object) in [
        (
            "kind: A\nmetadata:\n  labels:\n    name: b\n  name: a\n  namespace: m\ndata: [\n",
            Some("A m/a"),
        ),
        ("kind: A\nmetadata: {name: a}\nx: 1\nx: 2\n", Some("A a")),
        ("kind: A\nmetadata: {name: a}\nx: [\n", None),
        (
            "{\"kind\": \"A\", \"metadata\": {\"name\": \"a\"}, \"x\": 1, \"x\": 2}",
            Some("A a"),
        ),
    ] {
        let documents = documents(text);
        assert!(documents[0].read().is_err(), "{text}");
        assert_eq!(documents[0].object().as_deref(), object, "{text}");
    }
}

#[test]
fn a_file_is_utf_8_or_has_a_mark_that_says_utf_16() {
    let text = "a: é😀\n";
    let wide = |mark: [u8; 2], unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
        mark.into_iter()
            .chain(text.encode_utf16().flat_map(unit))
            .collect()
    };
    for bytes in [
        text.as_bytes().to_vec(),
        format!("\u{feff}{text}").into_bytes(),
        wide([0xFF, 0xFE], u16::to_le_bytes),
        wide([0xFE, 0xFF], u16::to_be_bytes),
    ] {
        assert_eq!(decode(bytes).unwrap(), text);
    }
    assert_eq!(decode(b"a: 1\nb: \xE9\n".to_vec()).unwrap_err().line, 2);
    assert!(decode(b"\xFF\xFEa".to_vec()).is_err());
    let unmarked: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let unmarked =
        decode(unmarked).map_or_else(|fault| vec![fault.to_string()], |text| faults(&text));
    assert_eq!(unmarked.len(), 1);
}

#[test]
fn one_document_is_one() {
    assert_eq!(one("---\na: 1\n---\n").unwrap(), json!({"a": 1}));
    assert_eq!(one("# nothing\n").unwrap(), Value::Null);
    assert_eq!(one("a: 1\n---\nb: 2\n").unwrap_err().line, 3);
    assert_eq!(one("a: 1\na: 2\n").unwrap_err().line, 2);
}
