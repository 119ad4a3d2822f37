use serde_json::{Value, json};

use super::*;

fn plain(text: &str) -> Scalar<'_> {
    Scalar::resolve(text.into(), true, None).unwrap()
}

/// Each line of what kubectl makes of a scalar without quotes: what it is, then the scalars.
const MEANINGS: &[(&str, &[&str])] = &[
    ("null", &["", "~", "null", "Null", "NULL"]),
    (
        "true",
        &[
            "y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE",
        ],
    ),
    (
        "false",
        &[
            "n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE",
        ],
    ),
    ("0", &["0", "-0", "00", "-0.0", "1e-400"]),
    (
        "420",
        &["0644", "0o644", "0O644", "0x1A4", "420", "+420", "4_2_0_"],
    ),
    ("-31", &["-31", "-0x1f", "-037", "-0b11111", "0b-11111"]),
    ("8", &["8", "08", "8.", "8.0", "0.8e1", "0b1000"]),
    ("1000", &["1000", "1_000", "1e3", "1.e3", "1E+3"]),
    ("0.5", &[".5", "+.5", "0.5", ".5_0", "5e-1"]),
    ("10.5", &["1_0.5", "10.50"]),
    ("9223372036854775807", &["9223372036854775807"]),
    ("-9223372036854775808", &["-9223372036854775808"]),
    (
        "18446744073709552000.0",
        &[
            "18446744073709551615",
            "18446744073709551616",
            "0xFFFFFFFFFFFFFFFF",
        ],
    ),
    ("1234567890123456800", &["1.2345678901234567e18"]),
    ("1e20", &["100000000000000000000"]),
];

const TEXTS: &[&str] = &[
    "yEs",
    "tRUE",
    "nULL",
    "0b2",
    "0x",
    "0o",
    "_1",
    "._5",
    "1e",
    "1e400",
    ".",
    "..",
    "+",
    "1.2.3",
    "1:30",
    "190:20:30.15",
    "2001-01-01",
    "2001-01-01T00:00:00Z",
    "0x1FFFFFFFFFFFFFFFF",
    "100m",
    "1Gi",
    "=",
    "<<",
    "a",
    "é",
    ".5e",
    "1.5.",
    "1-2",
];

#[test]
fn a_scalar_without_quotes_is_what_kubectl_takes_it_for() {
    for (meaning, scalars) in MEANINGS {
        let meaning: Value = serde_json::from_str(meaning).unwrap();
        for scalar in *scalars {
            assert_eq!(plain(scalar).value().unwrap(), meaning, "{scalar}");
        }
    }
    for text in TEXTS {
        assert_eq!(plain(text).value().unwrap(), json!(text));
    }
}

#[test]
fn a_scalar_in_quotes_is_text() {
    for (_, scalars) in MEANINGS {
        for scalar in *scalars {
            let quoted = Scalar::resolve((*scalar).into(), false, None).unwrap();
            assert_eq!(quoted.value().unwrap(), json!(scalar));
        }
    }
}

#[test]
fn what_json_has_no_number_for_is_refused() {
    for scalar in [".inf", "+.Inf", "-.INF", ".nan", ".NaN"] {
        let reason = plain(scalar).value().unwrap_err();
        assert!(reason.contains("quote it"), "{reason}");
    }
}

#[test]
fn a_key_is_the_text_that_kubectl_makes_of_it() {
    for (scalar, key) in [
        ("a", "a"),
        ("on", "true"),
        ("NO", "false"),
        ("0644", "420"),
        ("1.5", "1.5"),
        ("1e3", "1000"),
        ("100000", "100000"),
        ("1e6", "1e+06"),
        ("123456789.25", "1.2345679e+08"),
        ("2.5e-7", "2.5e-07"),
        ("0.0001", "0.0001"),
        ("0.00001", "1e-05"),
        ("-0.0", "-0"),
        (".Inf", ".inf"),
        ("-.inf", "-.inf"),
        (".nan", ".nan"),
        ("2001-01-01", "2001-01-01"),
    ] {
        assert_eq!(plain(scalar).key().unwrap(), key, "{scalar}");
    }
    for scalar in ["~", "", "18446744073709551615"] {
        assert!(plain(scalar).key().is_err(), "{scalar}");
    }
}

#[test]
fn a_tag_decides_or_is_contradicted() {
    for (tag, text, meaning) in [
        (Tag::Str, "yes", json!("yes")),
        (Tag::Str, "", json!("")),
        (Tag::Int, "0644", json!(420)),
        (Tag::Float, "1", json!(1)),
        (Tag::Bool, "off", json!(false)),
        (Tag::Null, "~", json!(null)),
        (Tag::Binary, "aGVs\nbG8=", json!("hello")),
        (Tag::Other, "yes", json!("yes")),
        (Tag::NonSpecific, "1", json!("1")),
    ] {
        let scalar = Scalar::resolve(text.into(), true, Some(tag)).unwrap();
        assert_eq!(scalar.value().unwrap(), meaning, "{tag:?} {text}");
    }
    for (tag, text) in [
        (Tag::Int, "a"),
        (Tag::Int, ""),
        (Tag::Int, "1.5"),
        (Tag::Float, "yes"),
        (Tag::Bool, "1"),
        (Tag::Null, "0"),
        (Tag::Binary, "?"),
    ] {
        let reason = Scalar::resolve(text.into(), true, Some(tag)).unwrap_err();
        assert!(reason.contains("as its tag says"), "{reason}");
    }
}
