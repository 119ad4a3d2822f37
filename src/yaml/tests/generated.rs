//! What holds of any text and any value.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;

/// Values that JSON has, with numbers as Kubernetes keeps them.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1_000_000..1_000_000).prop_map(|it| Value::from(f64::from(it) + 0.5)),
        "[ -~é\n\t]{0,30}".prop_map(Value::from),
        prop_oneof![
            "yes", "n", "~", "0644", "1_0", "1e3", "<<", "- a", "a: b", "#c", "|", "'", "\\.inf"
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[ -~é]{0,12}", inner, 0..5)
                .prop_map(|map| Value::Object(Map::from_iter(map))),
        ]
    })
}

/// Pieces that the grammar gives a meaning.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a", "b: ", "c:", "- ", "? ", ": ", "\n", "\n", "\n  ", "\n    ", " ", "\t", "'", "\"",
        "[", "]", "{", "}", ",", "#", "&x ", "*x", "!!str ", "! ", "|\n", ">-\n", "|2", "<<: ",
        "\\n", "\u{85}", "é", "---\n", "...\n", "\r\n", "1", "yes", "~", "%", "@", "\u{feff}",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(value in values()) {
        let yaml = write(&value);
        let found = all(&yaml);
        prop_assert_eq!(found.first().unwrap_or(&Value::Null), &value, "{}", yaml);
        // Those who read by YAML 1.2 take it for the same.
        let other: Value = serde_yaml::from_str(&yaml).unwrap();
        prop_assert_eq!(&other, &value, "{}", yaml);
        let json = Value::from_iter([("x", value)]);
        prop_assert_eq!(all(&json.to_string()), vec![json.clone()]);
        prop_assert_eq!(all(&format!("# c\n{json:#}")), vec![json]);
    }

    #[test]
    fn any_text_is_read_or_refused_in_one_of_its_lines(text in pieces()) {
        let lines = text.lines().count().max(1) + 1;
        for document in documents(&text) {
            if let Err(faults) = document.read() {
                prop_assert!(!faults.is_empty());
                prop_assert!(faults.iter().all(|it| (1..=lines + text.matches(['\r', '\u{85}']).count()).contains(&it.line)), "{:?}", faults);
            }
        }
    }
}
