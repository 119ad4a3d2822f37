//! What counts as failed, whatever wrote the report.

use super::*;

fn outcomes(xml: &str) -> Vec<(String, Outcome)> {
    let cases = cases(xml.as_bytes()).unwrap_or_else(|error| panic!("{xml}: {error}"));
    cases.into_iter().map(|it| (it.test, it.outcome)).collect()
}

fn refused(bytes: &[u8]) -> String {
    cases(bytes).unwrap_err().to_string()
}

#[test]
fn junit_errors_count_as_failures_and_skipped_cases_as_skipped() {
    let xml = r#"<testsuite name="s" failures="0">
        <testcase classname="c" name="good" time="0.1"/>
        <testcase name="bad"><failure message="no &lt;b&gt;">text</failure></testcase>
        <testcase name="worse"><error>line one &amp; two
            line three</error><failure message="later"/></testcase>
        <testcase name="left"><skipped/></testcase>
        <testcase name="torn"><skipped/><error/></testcase>
    </testsuite>"#;
    let found = cases(xml.as_bytes()).unwrap();
    let short: Vec<(&str, Outcome, &str)> = found
        .iter()
        .map(|it| (it.test.as_str(), it.outcome, it.message.as_str()))
        .collect();
    assert_eq!(
        short,
        [
            ("s › c › good", Outcome::Passed, ""),
            ("s › bad", Outcome::Failed, "no <b>"),
            ("s › worse", Outcome::Failed, "line one & two line three"),
            ("s › left", Outcome::Skipped, ""),
            ("s › torn", Outcome::Failed, ""),
        ]
    );
}

#[test]
fn junit_roots_and_nested_suites_count_alike() {
    let case = r#"<testcase name="n"><failure/></testcase>"#;
    for (xml, test) in [
        (
            format!("<testsuites><testsuite name='s'>{case}</testsuite></testsuites>"),
            "s › n",
        ),
        (format!("<testsuite name='s'>{case}</testsuite>"), "s › n"),
        (format!("<testsuites>{case}</testsuites>"), "n"),
        (
            format!(
                "<testsuites><testsuite name='a'><testsuite name='b'>{case}</testsuite></testsuite></testsuites>"
            ),
            "b › n",
        ),
        (
            format!(
                "\u{feff}<?xml version='1.0'?><!-- x --><testsuite xmlns='urn:x' name='n' timestamp='yesterday'>{case}</testsuite>"
            ),
            "n",
        ),
    ] {
        assert_eq!(
            outcomes(&xml),
            [(test.to_owned(), Outcome::Failed)],
            "{xml}"
        );
    }
}

#[test]
fn junit_reruns_that_passed_in_the_end_are_passes() {
    let xml = r#"<testsuite><testcase name="n"><flakyFailure message="once"/></testcase>
        <testcase name="m"><failure message="again"/><rerunFailure message="and again"/></testcase></testsuite>"#;
    assert_eq!(
        outcomes(xml),
        [
            ("n".to_owned(), Outcome::Passed),
            ("m".to_owned(), Outcome::Failed)
        ]
    );
}

#[test]
fn junit_suites_that_count_more_than_they_show_have_failed() {
    let xml = r#"<testsuites><testsuite name="s" errors="1"><testcase name="n"/></testsuite>
        <testsuite name="t" failures="7"><testcase name="m"><failure/></testcase></testsuite></testsuites>"#;
    assert_eq!(
        outcomes(xml),
        [
            ("s › n".to_owned(), Outcome::Passed),
            ("s › (suite)".to_owned(), Outcome::Failed),
            ("t › m".to_owned(), Outcome::Failed)
        ]
    );
}

#[test]
fn junit_without_cases_is_no_fault_and_what_is_no_junit_is_one() {
    assert_eq!(outcomes("<testsuites/>"), []);
    assert_eq!(refused(b""), "it is empty");
    assert_eq!(refused(b"<!-- -->"), "it is empty");
    assert_eq!(
        refused(b"<html><p/></html>"),
        "it is no JUnit: its root is `<html>`"
    );
    for torn in [
        "<testsuite><testcase name='n'>",
        "<testsuite><testcase name='n'></testsuite>",
        "<testsuite><testcase name='&nosuch;'/></testsuite>",
        "<testsuite><testcase name='n'/></testsuite",
    ] {
        assert!(refused(torn.as_bytes()).contains("near byte"), "{torn}");
    }
    let deep = "<testsuite>".repeat(100);
    assert!(refused(deep.as_bytes()).contains("more than 64 deep"));
}

#[test]
fn junit_with_a_bad_byte_is_spoiled_in_a_name_and_not_in_output() {
    let output =
        b"<testsuite><testcase name='n'><system-out>\xff\x00</system-out></testcase></testsuite>";
    assert_eq!(cases(output).unwrap().len(), 1);
    let named = b"<testsuite><testcase name='\xff'/></testsuite>";
    assert!(refused(named).contains("`name` cannot be read"));
    // An entity of a document type expands to nothing, however often.
    let bomb = r#"<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>"#;
    assert!(refused(bomb.as_bytes()).contains("`name` cannot be read"));
}
