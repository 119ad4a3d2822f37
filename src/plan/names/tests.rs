use proptest::prelude::*;

use super::*;
use crate::plan::subject::{Beside, Payload, of};

fn subject(event: &str, value: serde_json::Value) -> Subject {
    let payload: Payload = serde_json::from_value(value).unwrap();
    let beside = Beside {
        repository: Some("kubeflow/katib"),
        ..Beside::default()
    };
    of(event, &payload, beside).unwrap()
}

fn presubmit(number: u64) -> Subject {
    let end = |name: &str, digit: &str| serde_json::json!({"ref": name, "sha": digit.repeat(40)});
    let pull =
        serde_json::json!({"number": number, "base": end("master", "a"), "head": end("x", "b")});
    subject("pull_request", serde_json::json!({"pull_request": pull}))
}

#[test]
fn a_run_is_called_as_by_prow() {
    let name = run_name(
        "kubeflow-katib-presubmit",
        "e2e",
        &presubmit(1557),
        Some("987654"),
        "1",
    );
    let salt = short_hash("1")[..4].to_owned();
    assert_eq!(
        name,
        format!("kubeflow-katib-presubmit-e2e-1557-bbbbbbb-7654-{salt}")
    );
    let push = serde_json::json!({"ref": "refs/heads/master", "before": "a".repeat(40), "after": "c".repeat(40)});
    let name = run_name("j", "e2e", &subject("push", push), Some("7"), "1");
    assert_eq!(name, format!("j-e2e-ccccccc-7-{salt}"));
    let name = run_name(
        "j",
        "e2e",
        &subject("schedule", serde_json::json!({})),
        None,
        "1",
    );
    assert_eq!(name, format!("j-e2e-{salt}"));
}

#[test]
fn a_value_of_a_label_is_one() {
    assert_eq!(label("shared_ui.Tests-1"), "shared_ui.Tests-1");
    assert_eq!(label("a b/c"), "a-b-c");
    assert_eq!(label("-_x_-"), "x");
    assert_eq!(label("é"), "");
    assert_eq!(label(&format!("{}-tail", "a".repeat(62))), "a".repeat(62));
}

proptest! {
    #[test]
    fn a_name_is_a_label_however_long_its_parts_are(
        job in "[A-Za-z0-9._-]{1,90}", workflow in ".{0,90}", other in ".{0,90}", number in 1..u64::MAX,
        build in proptest::option::of("[0-9]{1,20}"), salt in ".{0,9}",
    ) {
        let subject = presubmit(number);
        let name = run_name(&job, &workflow, &subject, build.as_deref(), &salt);
        prop_assert!(name.len() <= 63, "{name}");
        prop_assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name}");
        prop_assert!(!name.starts_with('-') && !name.ends_with('-'), "{name}");
        prop_assert_eq!(label(&name), name.clone());
        if workflow != other {
            prop_assert_ne!(&name, &run_name(&job, &other, &subject, build.as_deref(), &salt));
        }
        let value = label(&workflow);
        let is_end = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
        prop_assert!(value.len() <= 63 && is_end(value.chars().next()) && is_end(value.chars().last()));
    }
}
