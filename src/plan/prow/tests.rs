use serde_json::json;

use super::*;
use crate::plan::subject::{Beside, Payload, of};

fn subject(event: &str, value: Value) -> Subject {
    let payload: Payload = serde_json::from_value(value).unwrap();
    let sha = "d".repeat(40);
    let beside = Beside {
        repository: Some("kubeflow/katib"),
        sha: Some(&sha),
        ..Beside::default()
    };
    of(event, &payload, beside).unwrap()
}

fn presubmit() -> Subject {
    let pull = json!({
        "number": 7, "title": "a \"title\"\n$(x)", "user": {"login": "me"},
        "base": {"ref": "master", "sha": "a".repeat(40)}, "head": {"ref": "fix;x", "sha": "b".repeat(40)},
    });
    subject("pull_request", json!({"pull_request": pull}))
}

fn build() -> Build {
    Build {
        id: Some("42-1".to_owned()),
        number: Some("562".to_owned()),
        prow_job: Some("9-42-1".to_owned()),
        artifacts: "/tmp/artifacts".to_owned(),
        job_name: "kubeflow-katib-presubmit".to_owned(),
    }
}

#[test]
fn a_presubmit_has_the_variables_of_prow() {
    let variables = Variables::of(&presubmit(), &build());
    let (a, b) = ("a".repeat(40), "b".repeat(40));
    assert_eq!(
        variables.passed(),
        format!(
            "BUILD_ID=42-1,BUILD_NUMBER=562,JOB_NAME=kubeflow-katib-presubmit,JOB_TYPE=presubmit,PULL_BASE_SHA={a},PULL_NUMBER=7,\
             PULL_PULL_SHA={b},REPO_NAME=katib,REPO_OWNER=kubeflow"
        )
    );
    let refs = format!("master:{a},7:{b}");
    for (name, value) in [
        ("PULL_REFS", refs.as_str()),
        ("PULL_BASE_REF", "master"),
        ("PULL_HEAD_REF", "fix;x"),
        ("PULL_TITLE", "a \"title\"\n$(x)"),
        ("PROW_JOB_ID", "9-42-1"),
        ("CI", "true"),
        ("ARTIFACTS", "/tmp/artifacts"),
    ] {
        assert_eq!(variables.get(name), Some(value), "{name}");
    }
    let spec: Value = serde_json::from_str(variables.get("JOB_SPEC").unwrap()).unwrap();
    let refs = json!({
        "org": "kubeflow", "repo": "katib", "base_ref": "master", "base_sha": a,
        "pulls": [{"number": 7, "author": "me", "sha": b, "title": "a \"title\"\n$(x)", "head_ref": "fix;x"}],
    });
    let whole = json!({
        "type": "presubmit", "job": "kubeflow-katib-presubmit", "buildid": "42-1", "prowjobid": "9-42-1", "refs": refs,
    });
    assert_eq!(spec, whole);
}

#[test]
fn a_variable_without_a_value_is_notset_where_the_documents_say_so() {
    let periodic = subject("schedule", json!({}));
    let variables = Variables::of(
        &periodic,
        &Build {
            id: None,
            number: None,
            ..build()
        },
    );
    let with_defaults = json!(variables.with_defaults());
    let expected = json!({
        "BUILD_ID": "notset", "BUILD_NUMBER": "notset", "JOB_NAME": "kubeflow-katib-presubmit", "JOB_TYPE": "periodic",
        "PULL_NUMBER": "notset", "REPO_NAME": "katib", "REPO_OWNER": "kubeflow",
    });
    assert_eq!(with_defaults, expected);
    let passed =
        "JOB_NAME=kubeflow-katib-presubmit,JOB_TYPE=periodic,REPO_NAME=katib,REPO_OWNER=kubeflow";
    assert_eq!(variables.passed(), passed, "what is not set is left out");
    let spec: Value = serde_json::from_str(variables.get("JOB_SPEC").unwrap()).unwrap();
    assert_eq!(
        spec["extra_refs"],
        json!([{"org": "kubeflow", "repo": "katib"}])
    );
}

#[test]
fn a_merge_queue_has_the_refs_that_make_its_commit() {
    let group = json!({
        "head_sha": "c".repeat(40), "base_sha": "a".repeat(40), "base_ref": "refs/heads/main",
        "head_ref": "refs/heads/gh-readonly-queue/main/pr-104-abc",
    });
    let variables = Variables::of(
        &subject("merge_group", json!({"merge_group": group})),
        &build(),
    );
    let refs = format!("main:{},104:{}", "a".repeat(40), "c".repeat(40));
    assert_eq!(variables.get("PULL_REFS"), Some(refs.as_str()));
    assert_eq!(
        (variables.get("PULL_NUMBER"), variables.get("JOB_TYPE")),
        (None, Some("batch"))
    );
}

#[test]
fn a_release_is_named_by_day_and_commit_and_sets_only_what_is_not_set() {
    let day = jiff::civil::date(2026, 11, 29);
    let commit = "0123456789".repeat(4);
    let mut periodic = Variables::of(
        &subject("schedule", json!({})),
        &Build {
            number: None,
            ..build()
        },
    );
    periodic.release(Some(&commit), day, "9f3c");
    assert_eq!(periodic.get("VERSION_TAG"), Some("v20261129-01234567"));
    assert_eq!(periodic.get("PULL_BASE_SHA"), Some("01234567"));
    assert_eq!(periodic.get("BUILD_NUMBER"), Some("9f3c"));
    let push = json!({"ref": "refs/heads/master", "before": "a".repeat(40), "after": commit});
    let mut postsubmit = Variables::of(&subject("push", push), &build());
    postsubmit.release(Some(&commit), day, "9f3c");
    assert_eq!(postsubmit.get("PULL_BASE_SHA"), Some(commit.as_str()));
    assert_eq!(postsubmit.get("BUILD_NUMBER"), Some("562"));
    assert_eq!(postsubmit.get("VERSION_TAG"), Some("v20261129-01234567"));
}
