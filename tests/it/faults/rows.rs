//! What goes wrong where such chains run, what is to come of it, and the tests that show it: one row each.
//!
//! `e2e/faults` stands for its walks through all of the chain.

mod end;

/// A fault and what is to come of it.
pub(super) struct Row {
    pub(super) fault: &'static str,
    pub(super) expected: &'static str,
    /// Tests as `path::function`; a script by its path.
    pub(super) tests: &'static [&'static str],
    /// What no test here shows, and why not.
    pub(super) unproven: &'static str,
}

const fn row(
    fault: &'static str,
    expected: &'static str,
    tests: &'static [&'static str],
    unproven: &'static str,
) -> Row {
    Row {
        fault,
        expected,
        tests,
        unproven,
    }
}

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static Row> {
    ROWS.iter().chain(&end::ROWS)
}

static ROWS: [Row; 32] = [
    row(
        "RequestLimitExceeded, Throttling, 5xx",
        "asked again with backoff until the deadline, then exit 3",
        &[
            "tests/it/faults.rs::sandbox_an_api_in_trouble_is_asked_again_and_named_in_the_end",
            "tests/it/faults.rs::sandbox_an_api_that_is_frozen_for_more_than_a_minute_costs_a_launch_that_minute",
            "tests/it/provider/capacity.rs::sandbox_a_throttled_launch_is_asked_for_again_under_one_token",
            "tests/it/provider/capacity.rs::sandbox_throttled_to_the_end_is_a_fault_of_the_infrastructure",
            "src/provider/ec2/end/destroy/tests.rs::looks_that_fail_for_minutes_end_no_teardown_that_has_more",
            "src/provider/ec2/class.rs::each_code_has_its_class",
            "e2e/faults",
        ],
        "",
    ),
    row(
        "no capacity; a quota used up",
        "the next zone, type and market, in rounds, then a list of all; a quota ends it at once and is named",
        &[
            "tests/it/provider/provision_ec2.rs::sandbox_no_capacity_means_the_next_candidate_and_in_the_end_a_list_of_all",
            "tests/it/provider/capacity.rs::sandbox_each_lack_of_capacity_leads_to_the_next_candidate",
            "tests/it/provider/capacity.rs::sandbox_all_are_asked_again_in_another_round",
            "tests/it/provider/capacity.rs::sandbox_spot_that_may_not_be_had_is_bought_on_demand",
            "tests/it/provider/capacity.rs::sandbox_what_no_other_candidate_helps_ends_at_once_with_its_remedy",
            "src/provider/ec2/launch/plan/tests.rs::a_refusal_decides_what_is_asked_for_next",
        ],
        "",
    ),
    row(
        "RunInstances was carried out and its answer lost",
        "the same client token is sent again: one instance",
        &[
            "tests/it/provider/provision_ec2.rs::sandbox_an_answer_that_was_lost_is_one_instance_all_the_same",
            "src/provider/ec2/launch/request/tests.rs::each_candidate_has_a_token_of_its_own_and_the_open_one_comes_first",
            "tests/it/provider/idempotence.rs::sandbox_a_launch_whose_answer_was_not_heard_is_taken_over_by_the_next",
            "tests/it/provider/idempotence.rs::sandbox_a_token_that_was_used_for_other_inputs_leads_to_what_was_launched",
            "tests/it/provider/idempotence.rs::sandbox_the_token_of_an_instance_that_is_no_more_is_not_used_again",
        ],
        "",
    ),
    row(
        "what was just made is not known everywhere",
        "asked again for a minute",
        &["tests/it/faults.rs::sandbox_what_was_just_made_may_be_unknown_for_a_while"],
        "",
    ),
    row(
        "the instance ends while it boots",
        "said at once, with EC2's reason; one replacement",
        &[
            "tests/it/provider/capacity.rs::sandbox_a_launch_that_dies_at_once_is_replaced_once_and_its_reason_told",
        ],
        "",
    ),
    row(
        "sshd comes late, refuses, answers as somebody else",
        "tried again until the deadline, but never after a wrong host key",
        &["tests/it/host/ssh.rs::wrong_key_refused_silent_and_not_let_in_are_told_apart"],
        "",
    ),
    row(
        "SSH is reset in the middle of a command",
        "the command goes on, is followed from where it was, and runs once",
        &[
            "tests/it/host/ssh.rs::a_detached_command_goes_on_when_the_wire_is_cut_and_runs_once",
            "tests/it/host/faults.rs::sandbox_ninety_seconds_without_a_network_cost_a_stage_nothing_but_time",
        ],
        "",
    ),
    row(
        "the host reboots",
        "it keeps its host key and its end; what it cut short is said to be so, and is no failure of a test",
        &[
            "tests/it/provider/end.rs::sandbox_a_host_without_runner_ends_by_itself_and_after_a_reboot_too",
            "tests/it/host/faults.rs::sandbox_a_reboot_is_told_from_a_lost_connection_and_keeps_the_host_and_its_key",
            "tests/it/host/ssh.rs::a_detached_command_whose_host_was_booted_anew_is_said_to_be_cut_short",
            "src/notebook/follow/tests.rs::a_server_that_has_just_started_may_refuse_for_a_while_what_it_allowed_before",
            "src/notebook/state/tests.rs::a_pod_that_was_stopped_is_lost_and_no_failed_test",
        ],
        "",
    ),
    row(
        "memory or disk runs out",
        "looked at beforehand; the cause names container, pod or node",
        &[
            "src/logs/diagnose/tests.rs::each_clear_case_is_told",
            "src/ready/tests.rs::what_can_never_be_has_failed",
            "src/logs/bundle/tests.rs::a_directory_that_cannot_be_written_is_said",
            "tests/it/actions/full_disk.rs::outputs_that_cannot_be_set_are_no_pass_and_the_file_is_named",
            "tests/it/actions/full_disk.rs::sandbox_a_bundle_that_finds_no_room_is_said_in_words_of_our_own",
            "tests/it/actions/full_disk.rs::sandbox_a_launch_whose_record_finds_no_room_is_ended",
        ],
        "",
    ),
    row(
        "the API server answers 429, 503 or nothing; a watch ends",
        "left alone for as long as it asks, then asked again; lost after two minutes",
        &[
            "tests/it/deploy/faults.rs::sandbox_a_server_in_trouble_costs_no_more_than_the_time_it_takes",
            "tests/it/deploy/faults.rs::sandbox_a_server_that_dies_when_all_was_sent_is_named_at_the_limit",
            "src/deploy/tests.rs::a_server_that_wants_to_be_left_alone_is",
        ],
        "",
    ),
    row(
        "a webhook that cannot be asked, a kind that is not served yet",
        "waited for; a webhook that says no ends it, as do one that calls nobody and an object that fits no definition",
        &[
            "tests/it/deploy/sets.rs::sandbox_webhooks_that_come_late_or_with_a_bad_certificate_are_waited_for",
            "src/cluster/errors/tests.rs::a_refusal_means_what_the_table_says",
            "src/deploy/tests/patience.rs::a_webhook_that_calls_nobody_ends_it_after_a_minute",
            "src/deploy/tests/patience.rs::an_object_that_does_not_fit_its_definition_is_given_up_after_a_minute",
        ],
        "",
    ),
    row(
        "an object, a namespace or a definition that an earlier job is still deleting",
        "sent again when it is gone; one that stays is named with its finalizers",
        &[
            "tests/it/deploy/leaving.rs::sandbox_what_an_earlier_set_left_is_waited_for_or_named",
            "src/deploy/tests/leaving.rs::an_object_that_does_not_go_ends_it_and_is_named_with_its_finalizers",
            "src/deploy/tests/leaving.rs::an_object_that_was_there_before_is_no_verdict",
        ],
        "",
    ),
    row(
        "an image that is not there, a crash loop, a pod that fits nowhere",
        "it ends early, with the events",
        &[
            "tests/it/deploy/sets.rs::sandbox_what_cannot_come_is_named_with_all_that_waits_for_it",
            "src/deploy/tests.rs::it_ends_once_what_blocks_will_hardly_come",
        ],
        "",
    ),
    row(
        "a registry limits pulls (429)",
        "image and limit are named; mirrors help",
        &[
            "src/logs/diagnose/tests.rs::each_clear_case_is_told",
            "src/kind/tests.rs::mirrors_are_told_per_registry",
        ],
        "",
    ),
    row(
        "the Job fails, its time is over, its pod is deleted",
        "seen at once; the exit code is kept",
        &[
            "tests/it/notebook/mnist.rs::sandbox_the_cell_that_raises_is_named_and_its_traceback_kept",
            "tests/it/notebook/mnist.rs::sandbox_at_the_limit_what_was_saved_is_fetched",
            "tests/it/notebook/mnist.rs::sandbox_a_script_is_one_case_and_its_code_decides",
            "src/notebook/state/tests.rs::a_pod_or_job_that_is_gone_is_lost",
        ],
        "",
    ),
    row(
        "SIGINT, SIGTERM",
        "state within a second, the launch ended within five, exit 130; a second signal exits at once",
        &[
            "tests/it/provider/end.rs::sandbox_a_signal_ends_a_launch_within_seconds_and_a_second_one_the_process_at_once",
            "src/cancel.rs::the_ending_is_not_cancelled",
            "tests/it/provider/signals.rs::the_first_signal_to_a_teardown_ends_what_is_known_at_once_and_the_teardown_goes_on",
            "tests/it/provider/signals.rs::a_signal_to_gather_logs_leaves_a_bundle",
            "tests/it/layout.rs::what_collects_and_ends_runs_in_a_job_that_was_cancelled",
            "e2e/faults",
        ],
        "",
    ),
    row(
        "a test on the runner hangs, leaves daemons, or is left by a stage that is cancelled or killed",
        "whatever it has started ends with it",
        &[
            "tests/it/notebook/runner.rs::what_a_test_has_started_ends_with_it_and_does_not_keep_the_stage",
            "tests/it/notebook/runner.rs::at_the_limit_the_whole_test_ends_and_what_it_said_is_kept",
            "tests/it/notebook/runner.rs::a_stage_that_is_cancelled_ends_its_test",
            "tests/it/notebook/runner.rs::a_stage_that_is_killed_ends_its_test_all_the_same",
            "tests/it/notebook/runner/notebooks.rs::sandbox_a_kernel_here_ends_with_a_stage_that_is_killed",
        ],
        "",
    ),
    row(
        "SIGKILL, a lost runner",
        "teardown elsewhere, the host's own timer, reap",
        &[
            "e2e/faults",
            "tests/it/provider/teardown.rs::sandbox_a_launch_that_was_killed_is_found_from_an_empty_directory",
            "tests/it/provider/end.rs::sandbox_a_host_without_runner_ends_by_itself_and_after_a_reboot_too",
            "tests/it/reap.rs::sandbox_a_host_whose_runner_was_lost_is_marked_then_ended",
            "tests/it/reap/local.rs::a_process_that_is_killed_after_any_change_leaves_what_reap_finds",
        ],
        "",
    ),
    row(
        "nothing passes between runner and AWS",
        "tried again; no silence is a proof; the host ends by itself",
        &[
            "tests/it/provider/teardown.rs::sandbox_an_answer_that_cannot_be_trusted_is_no_proof",
            "tests/it/provider/end.rs::sandbox_a_host_without_runner_ends_by_itself_and_after_a_reboot_too",
        ],
        "",
    ),
    row(
        "credentials end before the run does",
        "the time left is looked at; a session of OIDC is minted anew",
        &[
            "tests/it/provider/sessions.rs::credentials_that_end_too_early_are_refused_before_any_request",
            "tests/it/provider/sessions.rs::sandbox_a_session_that_ends_in_the_middle_of_a_launch_is_renewed_and_again_for_the_teardown",
            "tests/it/provider/sessions.rs::sandbox_without_renewal_such_a_session_would_end_the_launch",
        ],
        "",
    ),
    row(
        "the endpoint of id tokens answers 5xx",
        "asked again; until then the session there is, or what the environment has, serves",
        &[
            "tests/it/provider/sessions.rs::sandbox_a_token_endpoint_in_trouble_is_waited_for_and_else_what_there_was_serves",
            "src/provider/ec2/access/session/role.rs::a_session_that_is_not_renewed_serves_to_its_end_and_then_what_was_found",
        ],
        "",
    ),
    row(
        "a clock that is off",
        "ages are told by AWS's clock; what lies in the future is never reaped",
        &[
            "tests/it/reap.rs::sandbox_a_clock_that_is_hours_off_ends_nothing",
            "src/reap/tests.rs::what_is_in_use_or_not_ours_stays",
            "e2e/faults",
        ],
        "",
    ),
    row(
        "the record is missing, broken or of another version",
        "a broken one is kept aside; what there is, is found by tags",
        &[
            "tests/it/faults.rs::sandbox_a_record_that_is_broken_old_or_ahead_hides_nothing",
            "src/record/tests.rs::a_broken_or_foreign_record_is_kept_aside",
        ],
        "",
    ),
    row(
        "an intent is written and its deed never done",
        "harmless: teardown looks, for a launch as long as EC2 may take to list it",
        &[
            "src/provider/ec2/end/destroy/tests.rs::a_launch_that_never_was_is_looked_for_as_long_as_ec2_may_take_and_no_longer",
            "tests/it/provider/signals.rs::a_teardown_that_could_not_look_long_enough_for_a_launch_keeps_it_in_mind",
            "tests/it/faults.rs::sandbox_a_record_that_is_broken_old_or_ahead_hides_nothing",
            "e2e/faults",
        ],
        "",
    ),
    row(
        "teardown twice, or two at once",
        "both clean",
        &[
            "tests/it/provider/end.rs::sandbox_teardowns_at_the_same_time_are_both_clean",
            "tests/it/provider/provision_ec2.rs::sandbox_a_host_answers_with_all_that_was_asked_for_and_is_gone_after_a_teardown_elsewhere",
        ],
        "",
    ),
    row(
        "teardown while the launch is on its way",
        "by the record, or by its group, looked for as long as EC2 may take to list it",
        &[
            "tests/it/provider/teardown.rs::sandbox_a_launch_that_shows_up_late_is_ended_by_its_record_and_by_its_group",
            "src/provider/ec2/end/destroy/tests.rs::an_instance_that_is_listed_late_is_ended_though_only_its_group_was_found",
            "src/provider/ec2/end/destroy/tests.rs::an_instance_of_the_record_that_is_listed_late_is_ended",
            "tests/it/provider/idempotence.rs::sandbox_a_teardown_while_the_instance_is_pending_ends_it_and_the_launch",
        ],
        "",
    ),
    row(
        "a security group that is in use",
        "asked again until the deadline, then exit 4, and reap",
        &["tests/it/faults.rs::sandbox_a_group_in_use_is_asked_again_and_in_the_end_told"],
        "",
    ),
    row(
        "what may not be ended or seen: termination protection, a missing permission",
        "exit 4 with its id, or 3; all else is ended",
        &[
            "tests/it/faults.rs::sandbox_what_may_not_be_ended_is_told_by_its_id",
            "tests/it/faults.rs::sandbox_what_may_be_seen_is_ended_though_others_may_not",
        ],
        "",
    ),
    row(
        "the run is run again",
        "the attempt is a tag; what the earlier one left is reaped",
        &[
            "src/reap/tests.rs::an_earlier_attempt_is_over_but_the_group_that_a_later_one_uses_is_not",
            "src/record/whose/tests.rs::a_later_attempt_is_another_job",
        ],
        "",
    ),
    row(
        "siblings of a matrix, or of a reusable workflow that a matrix calls",
        "each has tags and names of its own; a second job of one finds that one alone",
        &[
            "src/run/execution/tests.rs::legs_of_a_matrix_can_be_told_by_name_and_layout_does_not_matter",
            "src/run/execution/tests.rs::legs_of_a_called_workflow_have_names_of_their_own",
            "tests/it/provider/teardown.rs::sandbox_scope_job_leaves_siblings_alone_and_never_reports_about_the_wrong_job",
            "tests/it/provider/teardown.rs::sandbox_the_second_job_of_each_leg_ends_what_is_left_of_its_own_leg_alone",
        ],
        "",
    ),
    row(
        "a step cannot tell which job it is of (a container, a cleared variable, act)",
        "the record decides; another job on the same runner begins its own",
        &[
            "src/record/whose/tests.rs::a_step_without_the_id_is_a_step_of_the_recorded_job",
            "src/record/whose/tests.rs::a_container_job_is_known_by_its_check_run_and_else_by_its_record",
            "src/record/whose/tests.rs::the_next_leg_on_the_same_runner_begins_a_record_of_its_own",
            "src/record/whose/tests.rs::two_act_runs_at_once_are_two_jobs",
        ],
        "",
    ),
    row(
        "an artifact that is huge, or whose names no upload takes",
        "cut to whole lines, renamed, what is missing listed; a failed copy changes no verdict",
        &[
            "src/logs/layout.rs::any_path_can_be_unpacked_and_stays_inside",
            "src/logs/collect/clip.rs::a_long_log_keeps_whole_lines_of_both_ends",
            "src/logs/bundle/tests.rs::files_are_clean_and_the_manifest_tells_what_is_there_and_what_is_not",
            "tests/it/logs/gather_logs/bucket.rs::sandbox_a_copy_goes_to_s3",
        ],
        "",
    ),
];
