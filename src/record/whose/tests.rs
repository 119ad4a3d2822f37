use std::path::Path;

use serde_json::Value;

use crate::{inputs::Environment, record::Store};

const TRACKED: (&str, &str) = ("RUNNER_TRACKING_ID", "github_a");
const CHECKED: (&str, &str) = ("JOB_CHECK_RUN_ID", "1");

/// A step of job `chain` of run 42 with that `RUNNER_TEMP` and `job-key`, as far as its record.
fn step_with(temp: &Path, key: &str, vars: &[(&str, &str)]) -> Store {
    let temp = temp.to_str().unwrap();
    let usual = [
        ("RUNNER_TEMP", temp),
        ("GITHUB_RUN_ID", "42"),
        ("GITHUB_JOB", "chain"),
        ("MATRIX", "null"),
    ];
    let mut env = Environment::of(usual);
    for (name, value) in vars {
        env.set(name, value);
    }
    let mut store = Store::open(&env, Some(key)).unwrap();
    store.update(|_| {}).unwrap();
    store
}

fn step(temp: &Path, vars: &[(&str, &str)]) -> Store {
    step_with(temp, "", vars)
}

/// The jobs of the steps of one job with these variables.
fn jobs(steps: &[&[(&str, &str)]]) -> Vec<String> {
    let temp = tempfile::tempdir().unwrap();
    let steps = steps.iter().map(|vars| step(temp.path(), vars));
    steps.map(|store| store.run().job.clone()).collect()
}

#[track_caller]
fn one_job(steps: &[&[(&str, &str)]]) {
    let jobs = jobs(steps);
    assert!(jobs.iter().all(|job| *job == jobs[0]), "{jobs:?}");
}

#[test]
fn a_step_without_the_id_is_a_step_of_the_recorded_job() {
    one_job(&[&[TRACKED], &[("RUNNER_TRACKING_ID", "0")], &[]]);
    one_job(&[&[("RUNNER_TRACKING_ID", "0")], &[TRACKED], &[]]);
    one_job(&[&[CHECKED, TRACKED], &[TRACKED], &[CHECKED]]);
}

#[test]
fn a_container_job_is_known_by_its_check_run_and_else_by_its_record() {
    one_job(&[&[CHECKED], &[], &[CHECKED]]);
    one_job(&[&[], &[]]);
}

#[test]
fn the_next_leg_on_the_same_runner_begins_a_record_of_its_own() {
    for id in ["JOB_CHECK_RUN_ID", "RUNNER_TRACKING_ID"] {
        let (one, other) = (
            [(id, "github_1"), CHECKED],
            [(id, "github_2"), ("JOB_CHECK_RUN_ID", "2")],
        );
        let jobs = jobs(&[&one[..], &other[..]]);
        assert_ne!(jobs[0], jobs[1], "{id}");
    }
}

#[test]
fn what_a_later_step_shows_tells_the_next_leg_apart() {
    let jobs = jobs(&[&[], &[TRACKED], &[("RUNNER_TRACKING_ID", "github_b")]]);
    assert_eq!(jobs[0], jobs[1]);
    assert_ne!(jobs[1], jobs[2]);
}

#[test]
fn legs_of_a_called_workflow_on_two_runners_are_two_jobs() {
    assert_ne!(jobs(&[&[CHECKED]]), jobs(&[&[("JOB_CHECK_RUN_ID", "2")]]));
    assert_eq!(
        jobs(&[&[CHECKED]]),
        jobs(&[&[CHECKED]]),
        "with its record lost it is the same job"
    );
}

#[test]
fn a_later_attempt_is_another_job() {
    let temp = tempfile::tempdir().unwrap();
    let first = step(temp.path(), &[TRACKED]);
    let second = step(temp.path(), &[("GITHUB_RUN_ATTEMPT", "2")]);
    assert!(!second.found());
    assert_ne!(first.run().job, second.run().job);
}

#[test]
fn two_act_runs_at_once_are_two_jobs() {
    // act gives every run the number 1; ids that are set are those of the job around it.
    let inside = [("GITHUB_RUN_ID", "1"), ("ACT", "true"), CHECKED, TRACKED];
    let (one, other) = (jobs(&[&inside, &inside]), jobs(&[&inside, &inside]));
    assert_eq!((&one[0], &other[0]), (&one[1], &other[1]));
    assert_ne!(one, other);
}

#[test]
fn a_second_job_with_the_key_is_the_same_job() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let chain = step_with(first.path(), "k8s-1-34", &[CHECKED]);
    let teardown = [("GITHUB_JOB", "teardown"), ("JOB_CHECK_RUN_ID", "2")];
    let teardown = step_with(second.path(), "k8s-1-34", &teardown);
    assert_eq!(teardown.run().job, chain.run().job);
    // A step without the key is part of the job that has one.
    assert_eq!(step(first.path(), &[CHECKED]).run().job, "k8s-1-34");
    // The job of another key, on the same runner, is not.
    let other = step_with(first.path(), "k8s-1-35", &[("JOB_CHECK_RUN_ID", "3")]);
    assert_eq!(
        (other.found(), other.run().job.as_str()),
        (false, "k8s-1-35")
    );
}

#[test]
fn a_key_that_comes_late_names_the_job_only_until_it_has_created_something() {
    let temp = tempfile::tempdir().unwrap();
    let mut store = step(temp.path(), &[CHECKED]);
    let unnamed = store.run().job.clone();
    assert_eq!(step_with(temp.path(), "k", &[CHECKED]).run().job, "k");

    let temp = tempfile::tempdir().unwrap();
    store = step(temp.path(), &[CHECKED]);
    store.intend("RunInstances", Value::from(1)).unwrap();
    let late = step_with(temp.path(), "k", &[CHECKED]);
    assert_eq!((late.found(), &late.run().job), (true, &unnamed));
}

#[test]
fn on_a_laptop_the_job_is_random_unless_a_key_names_it_and_the_record_decides() {
    let laptop = [("GITHUB_RUN_ID", ""), ("GITHUB_JOB", ""), ("MATRIX", "")];
    let temp = tempfile::tempdir().unwrap();
    let mut first = step(temp.path(), &laptop);
    first.intend("RunInstances", Value::from(1)).unwrap();
    let again = step_with(temp.path(), "k", &laptop);
    assert_eq!((again.found(), again.run()), (true, first.run()));

    let temp = tempfile::tempdir().unwrap();
    let named = step_with(temp.path(), "k", &laptop);
    assert_eq!(named.run().job, "k");
    assert_eq!(step_with(temp.path(), "other", &laptop).run(), named.run());
}
