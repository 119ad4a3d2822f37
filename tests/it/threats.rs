//! The threat table: what is feared, what is done about it, and the tests that fail when it no longer is.
//!
//! `UPDATE=1 cargo test --test it threats` writes the table of SECURITY.md anew.

use std::{fmt::Write as _, fs, path::Path};

use crate::it::support::{proof, root};

/// One thing that is feared.
struct Threat {
    /// Who gets where.
    feared: &'static str,
    /// What stands in the way.
    defence: &'static str,
    /// `file::function` of each test that proves it.
    proofs: &'static [&'static str],
    /// What is not built here yet, and why; empty where all is.
    open: &'static str,
}

const THREATS: [Threat; 20] = [
    Threat {
        feared: "text of a pull request (title, branch, input) reaches a shell",
        defence: "actions pass inputs by `env:` alone; the binary reads the event's JSON itself, and quotes what goes to a host",
        proofs: &[
            "tests/it/layout.rs::inputs_reach_the_binary_by_env_alone",
            "tests/it/actions/untrusted.rs::text_of_a_pull_request_reaches_no_shell",
            "tests/it/actions/untrusted.rs::a_text_that_a_shell_does_run_would_be_seen",
            "src/github/commands.rs::what_a_cluster_says_is_no_command_to_the_runner",
        ],
        open: "",
    },
    Threat {
        feared: "code of a fork runs where our secrets are",
        defence: "under `pull_request_target` and `workflow_run` nothing of a fork runs, exit 2, unless `MANIFESTS_E2E_FORK_SHA` names its one whole commit, and that is what is checked out; under `issue_comment` on a pull request nothing runs in a workspace that was moved to another commit, unless it is that one",
        proofs: &[
            "tests/it/actions/untrusted.rs::code_of_a_fork_is_refused_where_our_secrets_are",
            "tests/it/actions/untrusted.rs::a_fork_is_opted_in_by_one_whole_commit_and_no_other",
            "tests/it/actions/untrusted.rs::a_comment_runs_what_the_workflow_is_of_or_the_commit_that_was_named",
            "tests/it/actions/untrusted.rs::an_event_that_cannot_be_read_is_refused",
        ],
        open: "",
    },
    Threat {
        feared: "a stranger's configuration decides what runs where our secrets are",
        defence: "under `pull_request_target` and `issue_comment` `plan` reads the base's, whatever is checked out, unless `MANIFESTS_E2E_FORK_SHA` names the head; titles and branches go into a file of JSON alone",
        proofs: &[
            "tests/it/plan/trust.rs::the_configuration_is_the_bases_where_the_event_has_secrets",
            "tests/it/plan/trust.rs::text_of_a_pull_request_is_data",
            "src/plan/subject/tests.rs::what_is_no_commit_and_no_repository_never_becomes_a_word_of_git",
        ],
        open: "",
    },
    Threat {
        feared: "a comment of a stranger runs something where our secrets are",
        defence: "`commands` hears only persons whom GitHub says may write, in comments that were just made; of a fork it gives no commit but the head that the comment names in full; its outputs are names that the workflow lists and a SHA of GitHub's; where GitHub does not say, nothing runs",
        proofs: &[
            "tests/it/commands.rs::strangers_are_not_heard",
            "tests/it/commands.rs::bots_edits_code_and_quotes_ask_for_nothing",
            "tests/it/commands.rs::of_a_fork_only_the_commit_that_was_read_runs",
            "tests/it/commands.rs::nothing_runs_where_github_does_not_say_who_may",
            "tests/it/commands.rs::text_of_a_comment_and_of_a_pull_request_gets_nowhere",
        ],
        open: "",
    },
    Threat {
        feared: "text of a pod or a pull request acts, or a secret is shown, where a result is published",
        defence: "on GitHub it stands in blocks of code that it cannot end, cut to what GitHub takes; what looks like a secret, and the secrets of the step's environment, go before anything is sent; a comment that somebody else wrote is never taken for ours; a page of `history` escapes every name, and its table has nothing that a terminal or a runner obeys",
        proofs: &[
            "src/publish/text.rs::text_of_anybody_never_leaves_its_block",
            "tests/it/publish/comment.rs::text_of_a_pod_is_no_markdown_and_names_nobody",
            "tests/it/publish/comment.rs::a_comment_that_is_not_ours_is_let_be",
            "tests/it/publish/commits.rs::text_of_a_pull_request_and_of_a_pod_is_data",
            "src/history/tests.rs::history_of_hostile_names_is_escaped_and_on_one_line",
        ],
        open: "",
    },
    Threat {
        feared: "a pod asks the instance's metadata service",
        defence: "IMDSv2 required, hop limit 1, no instance profile; the service is closed once the host is set up",
        proofs: &[
            "src/provider/ec2/launch/request/tests.rs::one_request_asks_for_everything_that_keeps_the_host_safe_and_mortal",
            "tests/it/provider/provision_ec2.rs::sandbox_a_host_answers_with_all_that_was_asked_for_and_is_gone_after_a_teardown_elsewhere",
        ],
        open: "",
    },
    Threat {
        feared: "a pod or the host gets at the runner's credentials",
        defence: "none is ever sent there; the tunnel's process has none in its environment",
        proofs: &[
            "tests/it/actions/secrets.rs::sandbox_no_credential_reaches_the_host_the_bundle_or_a_list_of_processes",
        ],
        open: "",
    },
    Threat {
        feared: "the instance is somebody else's (a machine in between)",
        defence: "its host key is made here and delivered by cloud-init before the first connection; another key ends the run for good; a reboot keeps it",
        proofs: &[
            "tests/it/host/ssh.rs::wrong_key_refused_silent_and_not_let_in_are_told_apart",
            "tests/it/host/faults.rs::sandbox_a_reboot_is_told_from_a_lost_connection_and_keeps_the_host_and_its_key",
        ],
        open: "",
    },
    Threat {
        feared: "port 22 or the API server is open to the world",
        defence: "a security group per job, open to the runner's address alone, also when that changes; ranges wider than /8 are refused, and an earlier attempt's address goes; the API server listens on the host's loopback",
        proofs: &[
            "src/provider/ec2/launch/spec.rs::what_cannot_be_is_refused_by_name",
            "src/provider/ec2/launch/network/tests.rs::an_adopted_group_lets_in_this_attempt_alone",
            "tests/it/provider/provision_ec2.rs::what_cannot_be_is_refused_before_any_request",
            "tests/it/host/faults.rs::sandbox_a_runner_with_a_new_address_is_let_in_and_the_old_one_no_longer",
            "src/kind/tests.rs::the_template_takes_workers_and_stays_on_the_loopback",
            "src/host/tunnel.rs::only_the_port_of_the_server_changes",
        ],
        open: "",
    },
    Threat {
        feared: "another process of the runner reads a key (list of processes, disk)",
        defence: "no secret is an argument; files are made 0600 under a name of their own and moved into place; no key pair in AWS; teardown deletes the key",
        proofs: &[
            "tests/it/actions/secrets.rs::what_is_kept_is_its_owners_alone_whatever_the_umask",
            "tests/it/actions/secrets.rs::sandbox_no_credential_reaches_the_host_the_bundle_or_a_list_of_processes",
        ],
        open: "",
    },
    Threat {
        feared: "a test that runs on the runner is given our credentials",
        defence: "it gets a list of variables that may pass, and none with a credential is among them",
        proofs: &["tests/it/notebook/runner.rs::a_test_gets_what_it_needs_and_no_credential"],
        open: "it runs as the runner's user, and can read what that user can: run there only what you would run in a step of your own",
    },
    Threat {
        feared: "a reader of logs or bundle finds a secret",
        defence: "Secrets' values are never collected; their literals go in every encoding of the tests' table, and so does what stands under a secret's name (`password`, `token`, `*_KEY`, …) in any object or log, and what looks like a secret (PEM, AKIA, JWT); names of references (`secretName`, `tokenPath`), numbers and names of objects stay; a file that keeps one is left out; where Secrets cannot be listed, the logs of containers that use them are left out; each line of a key and every token are masked",
        proofs: &[
            "src/logs/redact/tests.rs::a_secret_planted_anywhere_never_survives",
            "src/logs/redact/tests.rs::what_looks_like_a_secret_goes",
            "src/logs/redact/tests.rs::a_known_secret_goes_in_each_notation_and_keeps_one_mark",
            "src/logs/redact/tests/objects.rs::what_stands_under_a_secrets_name_is_masked_in_any_object_and_known_for_the_logs",
            "tests/it/logs/gather_logs/unlisted.rs::a_server_that_does_not_list_secrets_is_said_first_and_no_log_that_may_hold_one_is_taken",
            "src/github/commands.rs::each_line_of_a_key_is_masked_and_nothing_that_is_no_secret",
            "tests/it/logs/gather_logs.rs::sandbox_a_planted_secret_is_nowhere_and_every_log_is_there",
            "tests/it/actions/secrets.rs::sandbox_no_credential_reaches_the_host_the_bundle_or_a_list_of_processes",
            "tests/it/provider/sessions.rs::sandbox_a_session_that_ends_in_the_middle_of_a_launch_is_renewed_and_again_for_the_teardown",
        ],
        open: "",
    },
    Threat {
        feared: "a mirror serves another kind or kustomize",
        defence: "both only by the SHA-256 that is compiled in; node images by digest",
        proofs: &["src/tools/download.rs::only_the_pinned_bytes_are_kept"],
        open: "",
    },
    Threat {
        feared: "somebody serves another binary of ours",
        defence: "its SHA-256 is in the commit that the action is pinned to; a cached copy that was changed is fetched again, a fetched one that differs is deleted; another version's binary never runs. GitHub's machine builds a release a second time and publishes only equal bits, with an attestation of where they come from",
        proofs: &[
            "tests/it/actions/run_sh/fetch.rs::a_release_with_another_hash_is_deleted_and_never_run",
            "tests/it/actions/run_sh/fetch.rs::a_cached_binary_with_a_flipped_byte_is_fetched_again",
            "tests/it/actions/run_sh/between.rs::the_commit_after_a_release_never_runs_the_release_and_names_it",
            "tests/it/actions/release.rs::what_is_published_is_what_the_tagged_commit_has_the_checksums_of",
            "tests/it/actions/release.rs::a_build_is_the_same_in_another_directory_and_whatever_the_caller_sets",
        ],
        open: "only GitHub makes the attestation, when it publishes: no test here can see one",
    },
    Threat {
        feared: "a stolen role is used for more than this",
        defence: "least privilege by action: made only with our tag, changed and ended only with our tag; a session lasts an hour",
        proofs: &[
            "tests/it/iam.rs::each_action_may_send_its_calls_and_no_others",
            "tests/it/iam.rs::what_is_not_ours_can_be_neither_made_nor_changed",
            "tests/it/iam.rs::nothing_can_be_made_ours_afterwards",
        ],
        open: "",
    },
    Threat {
        feared: "a tag that somebody wrote leads `reap` astray, or an operator does",
        defence: "it ends nothing at first sight, nothing of another repository, nothing that a job in progress may use; dry run by default; its policy reaches only what carries our tag",
        proofs: &["tests/it/reap.rs::sandbox_what_is_foreign_kept_or_unclear_is_not_touched"],
        open: "",
    },
    Threat {
        feared: "an output of ours becomes two (`GITHUB_OUTPUT`)",
        defence: "a random delimiter for each value, no name with a line end; nothing is written to `GITHUB_ENV` or `GITHUB_PATH`, but for the path of its kubeconfig by `create-cluster`",
        proofs: &[
            "src/github/files.rs::no_value_makes_an_output_of_its_own",
            "src/github/files.rs::a_name_that_could_end_its_line_is_refused",
            "tests/it/threats.rs::nothing_is_written_where_a_later_step_takes_its_environment_from",
        ],
        open: "",
    },
    Threat {
        feared: "a crate or an action that we use is taken over",
        defence: "builds are locked, crates checked by cargo-deny, actions of others pinned by hash; a step that may hold secrets never builds: `actions/setup` does, and refuses where its environment has a secret",
        proofs: &[
            "tests/it/layout.rs::inputs_reach_the_binary_by_env_alone",
            "tests/it/layout/examples.rs::advisories_are_checked_each_day_by_the_version_that_checks_the_rest",
            "tests/it/actions/run_sh/between.rs::a_step_never_builds",
            "tests/it/actions/run_sh/between.rs::a_step_that_holds_a_secret_does_not_build",
            "tests/it/actions/run_sh/between.rs::the_setup_action_is_given_no_secret_and_no_expression",
        ],
        open: "a runner's own process has all secrets of its job, and on GitHub's machines a step can become root: build in a job of its own, as e2e.yml does",
    },
    Threat {
        feared: "a disk is read after its end",
        defence: "volumes are encrypted and end with their instance",
        proofs: &[
            "src/provider/ec2/launch/request/tests.rs::one_request_asks_for_everything_that_keeps_the_host_safe_and_mortal",
        ],
        open: "",
    },
    Threat {
        feared: "somebody runs up costs",
        defence: "a host ends itself at its ttl, whatever becomes of the runner; an extension has a hard cap; a second host of a job is refused",
        proofs: &[
            "tests/it/provider/end.rs::sandbox_a_host_without_runner_ends_by_itself_and_after_a_reboot_too",
        ],
        open: "how many run at a time is the workflow's `concurrency:` and the account's quota",
    },
];

#[test]
fn each_threat_names_a_test_that_is_there() {
    for threat in &THREATS {
        assert!(!threat.proofs.is_empty(), "{}: no proof", threat.feared);
        for name in threat.proofs {
            let there = proof(name).and_then(|()| {
                // A file alone is no proof of anything here.
                name.contains("::")
                    .then_some(())
                    .ok_or_else(|| "it names no test".to_owned())
            });
            assert_eq!(there, Ok(()), "{}: {name}", threat.feared);
        }
    }
}

#[test]
fn nothing_is_written_where_a_later_step_takes_its_environment_from() {
    fn search(dir: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(dir).expect("a directory of ours").flatten() {
            let path = entry.path();
            if path.is_dir() {
                search(&path, found);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap_or_default();
            let names = ["GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE"];
            // One line of one action: the path of the kubeconfig that it made.
            let text = text.replace(
                r#"printf 'KUBECONFIG=%s\n' "$CLUSTER_KUBECONFIG" >>"$GITHUB_ENV""#,
                "",
            );
            if names.iter().any(|name| text.contains(name)) {
                found.push(path.display().to_string());
            }
        }
    }
    let mut found = Vec::new();
    search(&root().join("src"), &mut found);
    search(&root().join("actions"), &mut found);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn security_md_has_the_table() {
    let (begin, end) = ("<!-- begin threats -->\n", "<!-- end threats -->");
    let path = root().join("SECURITY.md");
    let text = fs::read_to_string(&path).expect("SECURITY.md is there");
    let from = text.find(begin).expect("it has a place for the table") + begin.len();
    let to = from + text[from..].find(end).expect("the place has an end");
    let mut table = "| threat | defence | proof |\n|---|---|---|\n".to_owned();
    for threat in &THREATS {
        let proofs: Vec<String> = threat
            .proofs
            .iter()
            .filter_map(|proof| proof.split_once("::"))
            .map(|(file, name)| format!("[{}]({file})", name.replace('_', " ")))
            .collect();
        let open = if threat.open.is_empty() {
            String::new()
        } else {
            format!(" Open: {}.", threat.open)
        };
        writeln!(
            table,
            "| {} | {}.{open} | {} |",
            threat.feared,
            threat.defence,
            proofs.join("; ")
        )
        .expect("a String takes everything");
    }
    let fresh = format!("{}{table}{}", &text[..from], &text[to..]);
    if std::env::var("UPDATE").is_ok() {
        fs::write(&path, &fresh).expect("SECURITY.md can be written");
    } else {
        assert!(
            fresh == text,
            "SECURITY.md is stale: UPDATE=1 cargo test --test it threats"
        );
    }
}
