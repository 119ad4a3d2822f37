//! Faults once the chain has come to something: its logs, its results, the janitor.

use super::{Row, row};

pub(super) static ROWS: [Row; 6] = [
    row(
        "a part of the logs cannot be had",
        "a bundle of the rest that says what is missing",
        &[
            "tests/it/logs/gather_logs.rs::a_server_that_hangs_costs_its_answers_and_not_the_bundle",
            "tests/it/logs/gather_logs.rs::a_dead_server_or_no_cluster_at_all_still_gives_a_bundle",
            "src/logs/collect/tests.rs::a_failing_or_hanging_kind_is_a_gap_and_the_rest_is_there",
        ],
        "",
    ),
    row(
        "the API server hangs while a test runs",
        "asked again after 10 s, lost after 90 s; at the limit the results are kept before the Job is deleted",
        &[
            "src/notebook/follow/tests.rs::an_answer_that_is_lost_is_asked_for_again",
            "src/notebook/follow/tests.rs::a_server_that_hangs_is_silent_and_not_waited_for_until_the_limit",
            "src/notebook/place/tests.rs::a_server_that_hangs_before_the_test_is_named_with_what_was_asked_of_it",
        ],
        "",
    ),
    row(
        "what is found cannot be written: results, bundle",
        "no failure is replaced, no pass is made, and a bundle changes no verdict of the chain",
        &[
            "src/stages/tests.rs::a_full_disk_replaces_no_failure_and_makes_no_pass",
            "src/stages/run.rs::logs_that_cannot_be_gathered_change_no_verdict_and_what_is_left_behind_does",
        ],
        "",
    ),
    row(
        "the runner's address changes",
        "port 22 is opened to the new one and closed to the old",
        &[
            "tests/it/host/faults.rs::sandbox_a_runner_with_a_new_address_is_let_in_and_the_old_one_no_longer",
        ],
        "",
    ),
    row(
        "GitHub's API answers 403 or 429",
        "nothing is taken for over; no verdict depends on it",
        &["tests/it/reap.rs::sandbox_what_is_foreign_kept_or_unclear_is_not_touched"],
        "",
    ),
    row(
        "reap meets a run that goes on",
        "marked, looked at again, and let be",
        &[
            "tests/it/reap.rs::sandbox_a_run_that_goes_on_after_all_loses_its_mark",
            "src/reap/tests.rs::nothing_ends_that_was_not_marked_or_whose_run_is_in_progress",
        ],
        "",
    ),
];
