use proptest::prelude::*;

use super::*;

/// What a step of job `chain` in a called workflow shows: its matrix is null, whatever the caller's is.
fn called(vars: &[(&str, &str)]) -> Execution {
    let usual = [("GITHUB_JOB", "chain"), ("MATRIX", "null")];
    Execution::of(&Environment::of(usual.iter().chain(vars).copied()), None)
}

fn check_run(id: &str) -> Execution {
    called(&[("JOB_CHECK_RUN_ID", id)])
}

fn tracking(id: &str) -> Execution {
    called(&[("RUNNER_TRACKING_ID", id)])
}

/// A step of that job in a matrix, with a `job-key` where it is not empty.
fn leg(job: &str, matrix: &str, key: &str) -> Execution {
    let vars = [
        ("GITHUB_JOB", job),
        ("MATRIX", matrix),
        ("JOB_CHECK_RUN_ID", "1"),
    ];
    Execution::of(&Environment::of(vars), Some(key))
}

#[test]
fn legs_of_a_called_workflow_have_names_of_their_own() {
    for [one, other] in [
        [check_run("1"), check_run("2")],
        [tracking("github_a"), tracking("github_b")],
    ] {
        assert_eq!(one.job_name(), one.clone().job_name());
        assert_ne!(one.job_name(), other.job_name());
        assert!(one.job_name().starts_with("chain-"), "{}", one.job_name());
    }
}

#[test]
fn the_check_run_decides_where_both_ids_are_there() {
    let both = called(&[
        ("JOB_CHECK_RUN_ID", "1"),
        ("RUNNER_TRACKING_ID", "github_a"),
    ]);
    assert_eq!(both.job_name(), check_run("1").job_name());
}

#[test]
fn what_no_runner_has_made_is_no_id() {
    for value in ["", "0", "github_", "mine"] {
        let shown = tracking(value);
        assert_eq!(shown.tracking, None, "{value}");
        assert_ne!(shown.job_name(), shown.job_name(), "random: {value}");
    }
    for value in ["", "null", "5.17E+10"] {
        assert_eq!(check_run(value).check_run, None, "{value}");
    }
}

#[test]
fn ids_under_act_are_those_of_another_job() {
    let ids = [
        ("JOB_CHECK_RUN_ID", "1"),
        ("RUNNER_TRACKING_ID", "github_a"),
    ];
    let under_act = called(&[&ids[..], &[("ACT", "true")]].concat());
    assert_eq!((&under_act.check_run, &under_act.tracking), (&None, &None));
    assert_ne!(under_act.job_name(), under_act.job_name());
}

#[test]
fn legs_of_a_matrix_can_be_told_by_name_and_layout_does_not_matter() {
    let name = |matrix| leg("e2e", matrix, "").job_name();
    assert_ne!(name(r#"{"k8s":"1.33"}"#), name(r#"{"k8s":"1.34"}"#));
    assert_eq!(name(r#"{"k8s":"1.33"}"#), name("{\n  \"k8s\": \"1.33\"\n}"));
    let parts = name(r#"{"k8s":"1.33"}"#).split('-').count();
    assert_eq!((parts, name("{}").split('-').count()), (3, 2));
}

#[test]
fn a_key_stands_for_the_job_and_nothing_in_its_name_is_random() {
    let (chain, second) = (
        leg("chain", "null", "k8s-1-34"),
        leg("teardown", "", "k8s-1-34"),
    );
    assert_eq!(chain.job_name(), "k8s-1-34");
    assert_eq!(second.job_name(), "k8s-1-34");
    // The same key in all legs of a matrix names a job in each.
    let name = |matrix| leg("chain", matrix, "k").job_name();
    assert_ne!(name(r#"{"k8s":"1.33"}"#), name(r#"{"k8s":"1.34"}"#));
    assert_eq!(leg("chain", "", " ").key, None, "an empty key is absent");
}

#[test]
fn the_name_of_a_job_is_a_key_that_finds_it() {
    let job = leg("chain", r#"{"k8s":"1.33"}"#, "").job_name();
    assert_eq!(leg("other", "null", &job).job_name(), job);
}

#[test]
fn only_what_both_steps_show_tells_two_executions_apart() {
    let (one, other) = (check_run("1"), check_run("2"));
    assert!(one.continues(&one) && !other.continues(&one));
    assert!(!tracking("github_b").continues(&tracking("github_a")));
    // One shows what the other does not: the record decides.
    assert!(tracking("github_a").continues(&one) && called(&[]).continues(&one));
    // Unless it is of another job of the workflow, which can be seen.
    let elsewhere = Execution::of(&Environment::of([("GITHUB_JOB", "other")]), None);
    assert!(!elsewhere.continues(&one));
}

#[test]
fn a_step_of_the_callers_own_is_known_by_what_the_runner_sets() {
    let vars = [("GITHUB_JOB", "e2e"), ("RUNNER_TRACKING_ID", "github_a")];
    let own = Execution::of(&Environment::of(vars), None);
    let mut recorded = leg("e2e", r#"{"k8s":"1.33"}"#, "");
    recorded.learn(&own);
    assert_eq!(recorded.tracking.as_deref(), Some("github_a"));
    assert!(own.continues(&recorded));
}

proptest! {
    #[test]
    fn a_job_name_is_a_dns_label(job in ".{0,90}", matrix in ".{0,9}", key in ".{0,90}") {
        let name = leg(&job, &matrix, &key).job_name();
        prop_assert!(!name.is_empty() && name.len() <= MAX_JOB, "{name}");
        prop_assert_eq!(resource_name(&[&name], MAX_JOB), name);
    }
}
