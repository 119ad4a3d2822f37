use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::prelude::*;

use super::{harvest::Secrets, *};

mod objects;
mod speed;
mod writers;

use writers::NOTATIONS;

const SECRET: &str = "s3cr3t-Pa/ss+w\"ord&1";

fn knowing(secrets: &[&str]) -> Redactor {
    let mut known = Secrets::default();
    for secret in secrets {
        known.add(secret.as_bytes());
    }
    Redactor::new(
        Marker::random(),
        &known,
        BTreeSet::from(["minio-service".to_owned()]),
    )
}

fn holds(text: &[u8], secret: &str) -> bool {
    memchr::memmem::find(text, secret.as_bytes()).is_some()
}

/// The notations in which somebody could still read the secret out of a text.
fn readable(text: &[u8], secret: &str) -> Vec<&'static str> {
    NOTATIONS
        .iter()
        .filter(|notation| (notation.read)(text).iter().any(|read| holds(read, secret)))
        .map(|notation| notation.name)
        .collect()
}

#[test]
fn a_known_secret_goes_in_each_notation_and_keeps_one_mark() {
    for secret in [
        SECRET,
        "pa<ss&w\u{f6}rd/42",
        "it's \"one\" $more",
        "plain-otter-77",
        "\u{1f600}-smile+1",
    ] {
        let redactor = knowing(&[secret]);
        for notation in NOTATIONS {
            let written = (notation.write)(secret);
            assert!(
                !readable(&written, secret).is_empty(),
                "{}: the reader reads what was written",
                notation.name
            );
            for (before, after) in [
                ("before ", " after"),
                ("x=", "\n"),
                ("2026-08-22T10:00:00Z stdout F ", "\n"),
            ] {
                let text = [before.as_bytes(), &written, after.as_bytes()].concat();
                let (clean, count) = redactor.bytes(&text);
                let shown = String::from_utf8_lossy(&clean);
                assert!(
                    count > 0 && readable(&clean, secret).is_empty(),
                    "{secret} as {}: {shown}",
                    notation.name
                );
                assert!(shown.starts_with(before), "{}: {shown}", notation.name);
                assert!(!redactor.leaks(&clean), "{}: {shown}", notation.name);
                assert_eq!(
                    redactor.bytes(&clean).1,
                    0,
                    "marks are not marked again: {shown}"
                );
            }
        }
    }
    let redactor = knowing(&[SECRET]);
    let mark = redactor.mark(SECRET.as_bytes());
    let clean = redactor.text(&format!(
        "{SECRET} {}",
        STANDARD.encode(format!("user:{SECRET}"))
    ));
    assert_eq!(clean.matches(&mark).count(), 2, "{clean}");
}

#[test]
fn each_encoder_has_a_reader_of_its_own() {
    let read = |name: &str| NOTATIONS.iter().any(|notation| notation.name == name);
    for encoder in forms::ENCODERS {
        let made_of = ["raw", "form", "base64", "base64 twice", "hex", "utf-16"];
        assert!(
            read(encoder.name) || encoder.name.starts_with("base64 of "),
            "{}",
            encoder.name
        );
        assert!(
            encoder
                .name
                .split(" of ")
                .all(|part| made_of.contains(&part)),
            "{}",
            encoder.name
        );
    }
}

#[test]
fn a_secret_that_is_folded_goes_with_all_its_lines() {
    let secret = "kqzvbnwxjtrmplsdfghcyaeiouQWERTYZXCVBNMLKJHGFDSAPOIUqpwoeirutyalskdjfhgzmxncbvKWTPBHDLSNVRG";
    let redactor = knowing(&[secret]);
    for width in [20, 40, 76] {
        for (what, long) in [
            ("raw", secret.to_owned()),
            ("base64", STANDARD.encode(secret)),
            ("hex", hex::encode(secret)),
        ] {
            for prefix in ["", "2026-08-22T10:00:00.123456789Z ", "      "] {
                let lines: Vec<_> = long
                    .as_bytes()
                    .chunks(width)
                    .map(|line| std::str::from_utf8(line).unwrap())
                    .collect();
                let text: String = lines
                    .iter()
                    .map(|line| format!("{prefix}{line}\n"))
                    .collect::<Vec<_>>()
                    .concat();
                let clean = redactor.text(&format!("{prefix}one\n{text}{prefix}two\n"));
                let left: Vec<_> = lines
                    .iter()
                    .filter(|line| line.len() > 4 && clean.contains(**line))
                    .collect();
                assert!(left.is_empty(), "{what} at {width}: {clean}");
                assert_eq!(clean.lines().count(), lines.len() + 2, "{clean}");
            }
        }
    }
}

#[test]
fn words_are_masked_where_a_value_stands_and_keys_never() {
    let redactor = knowing(&["metadata", "creationTimestamp", "details"]);
    for text in [
        "metadata:\n  creationTimestamp: x\n",
        "<details><summary>",
        "the metadata of it",
        "{\"creationTimestamp\":\"x\"}",
    ] {
        assert_eq!(redactor.text(text), text);
    }
    for (text, secret) in [
        ("password=metadata ", "metadata"),
        ("p: \"details\"", "details"),
        ("it is creationTimestamp now", "creationTimestamp"),
    ] {
        assert!(
            !redactor.text(text).contains(secret),
            "{}",
            redactor.text(text)
        );
    }
}

#[test]
fn a_password_that_is_part_of_a_name_is_masked() {
    let redactor = knowing(&["minio-serv"]);
    assert!(
        !redactor
            .text("login with p=minio-serv ok")
            .contains("=minio-serv")
    );
}

#[test]
fn a_text_that_names_a_key_loses_nothing_behind_it() {
    let redactor = knowing(&[]);
    let text =
        "error: no -----BEGIN RSA PRIVATE KEY----- block found\nand the evidence\nat the end\n";
    assert_eq!(redactor.text(text), text);
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n".repeat(3);
    for text in [
        format!("a\n-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----\nb"),
        format!("a\n-----BEGIN PRIVATE KEY-----\n{body}b is not there"),
        format!(
            "a \"-----BEGIN PRIVATE KEY-----\\n{}-----END PRIVATE KEY-----\\n\" b",
            body.replace('\n', "\\n")
        ),
        format!(
            "a\n{}b",
            format!("-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----")
                .lines()
                .map(|line| format!("2026-08-22T10:00:00Z stdout F {line}\n"))
                .collect::<Vec<_>>()
                .concat()
        ),
    ] {
        let clean = redactor.text(&text);
        assert!(
            !clean.contains("MIIEvQ") && clean.contains('a') && clean.contains('b'),
            "{clean}"
        );
    }
}

#[test]
fn short_values_and_names_of_objects_stay() {
    let redactor = knowing(&["minio", "true", "minio-service", "service", "xxxxxxxx"]);
    let text = "minio at minio-service true xxxxxxxx";
    assert_eq!(redactor.text(text), text);
}

#[test]
fn a_password_that_reads_like_a_mark_drops_no_file() {
    let redactor = knowing(&["redacted len=7"]);
    let clean = redactor.text("a redacted len=7 b");
    assert!(!redactor.leaks(clean.as_bytes()), "{clean}");
}

#[test]
fn what_looks_like_a_secret_goes() {
    let jwt = "eyJhbGciOiJSUzI1NiJ9xx.eyJpc3MiOiJrdWJlcm5ldGVz.c2lnbmF0dXJlLW9mLWl0";
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----";
    let encoded = STANDARD.encode(format!("{key}{key}"));
    for secret in [
        jwt,
        key,
        &encoded,
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    ] {
        let clean = knowing(&[]).text(&format!("before {secret} after"));
        assert!(
            !clean.contains(secret)
                && clean.starts_with("before <redacted")
                && clean.ends_with("> after"),
            "{clean}"
        );
    }
    for (text, expected) in [
        (
            "Authorization: Bearer abcdefghij0123456789xyz",
            "Authorization: Bearer <redacted",
        ),
        (
            "authorization=Basic dXNlcjpwYXNz",
            "authorization=Basic <redacted",
        ),
        ("postgres://me:hunter2@db/x", "postgres://me:<redacted"),
    ] {
        let clean = knowing(&[]).text(text);
        assert!(clean.starts_with(expected), "{clean}");
    }
    for innocent in [
        "bearer authentication-is-required-here",
        "https://example.org:8443/a@b",
        "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSURCekNDQWUrZ0F3SUJBZ0lJ",
    ] {
        assert_eq!(knowing(&[]).text(innocent), innocent);
    }
}

proptest! {
    #[test]
    fn a_secret_planted_anywhere_never_survives(
        secret in "[ -~]{8,40}|[a-z]{3}[ -~äöß€]{6,20}", before in "(?s).{0,60}", after in "(?s).{0,60}", notation in 0..NOTATIONS.len(),
    ) {
        let secret = secret.trim();
        prop_assume!(secret.len() >= 8 && secret.bytes().any(|byte| byte.is_ascii_digit()) && secret.parse::<f64>().is_err());
        prop_assume!(!before.contains(secret) && !after.contains(secret));
        let redactor = knowing(&[secret]);
        let notation = &NOTATIONS[notation];
        let text = [before.as_bytes(), b" ", &(notation.write)(secret), b" ", after.as_bytes()].concat();
        let (clean, _) = redactor.bytes(&text);
        prop_assert!(!holds(&clean, secret), "{}", String::from_utf8_lossy(&clean));
        let read = (notation.read)(&clean).iter().any(|read| holds(read, secret));
        prop_assert!(!read, "{secret} as {}: {}", notation.name, String::from_utf8_lossy(&clean));
        prop_assert!(!redactor.leaks(&clean), "{}", String::from_utf8_lossy(&clean));
    }
}
