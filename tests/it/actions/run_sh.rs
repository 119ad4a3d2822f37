//! `actions/run.sh`: which binary it becomes, and what it says where there is none.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

mod between;
mod checkout;
mod fetch;

use checkout::{
    Checkout, TOOLS_BETWEEN, TOOLS_OF_A_RELEASE, VERSION, program, serve, stderr, stdout,
};

use crate::it::support::root;

#[test]
fn the_script_has_the_version_of_the_crate_and_checksums_only_of_a_release() {
    let script = fs::read_to_string(root().join("actions/run.sh")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let line = format!("version={version}");
    assert!(script.lines().any(|known| known == line), "{line}");

    let checksums = fs::read_to_string(root().join("actions/checksums.txt")).unwrap();
    let mut names: Vec<&str> = checksums
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(_, name)| name)
        .collect();
    names.sort_unstable();
    let released =
        ["aarch64", "x86_64"].map(|arch| format!("manifests-e2e-{version}-{arch}-linux"));
    if version.ends_with("-dev") {
        assert_eq!(checksums, "", "a commit between two releases has no binary");
    } else {
        assert_eq!(names, released);
    }
}

#[test]
fn the_binary_that_is_given_is_run_with_all_arguments_and_its_exit_code_kept() {
    let checkout = Checkout::of_release();
    let (mine, other) = (checkout.path("mine"), checkout.path("other"));
    checkout.executable(&mine, &program("mine"));
    checkout.executable(&other, &program("other"));

    let by_variable = checkout.run(&[("MANIFESTS_E2E_BINARY", &mine)]);
    let by_input = checkout.run(&[("MANIFESTS_E2E_BINARY", &other), ("INPUT_BINARY", &mine)]);

    for output in [by_variable, by_input] {
        assert_eq!(stdout(&output), "mine 3 teardown --scope a b\n");
        assert_eq!(output.status.code(), Some(7));
    }
}

#[test]
fn a_given_name_is_a_file_here_and_not_one_of_path() {
    let checkout = Checkout::of_release();
    let path = checkout.program("other", &program("of PATH"));
    fs::create_dir(checkout.path("work")).unwrap();
    checkout.executable(&checkout.path("work/other"), &program("mine"));

    let output = checkout.run_in(
        &checkout.path("work"),
        &[("INPUT_BINARY", Path::new("other")), ("PATH", &path)],
    );

    assert_eq!(stdout(&output), "mine 3 teardown --scope a b\n");
}

#[test]
fn a_given_binary_that_cannot_be_run_is_an_error_and_not_passed_over() {
    let checkout = Checkout::of_release();
    checkout.pin(&checkout.release(&program("released")));
    let binary = checkout.path("mine");
    fs::write(&binary, program("mine")).unwrap();
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o644)).unwrap();

    for variable in ["MANIFESTS_E2E_BINARY", "INPUT_BINARY"] {
        let output = checkout.run(&[(variable, &binary)]);

        assert_eq!(output.status.code(), Some(2));
        assert_eq!(stdout(&output), "");
        assert!(
            checkout
                .output("failure")
                .contains("not an executable file")
        );
    }
}

#[test]
fn another_system_is_refused_before_anything_is_fetched() {
    for (system, machine, says) in [
        ("Darwin", "arm64", "this one runs Darwin"),
        ("Darwin", "x86_64", "this one runs Darwin"),
        (
            "MINGW64_NT-10.0-20348",
            "x86_64",
            "this one runs MINGW64_NT",
        ),
        ("Linux", "armv7l", "this runner is armv7l"),
    ] {
        let checkout = Checkout::of_release();
        checkout.pin(&checkout.release(&program("released")));
        let uname = format!("#!/bin/sh\n[ \"$1\" = -s ] && echo {system} || echo {machine}\n");
        let path = checkout.program("uname", &uname);

        let output = checkout.run(&[("PATH", &path)]);

        assert_eq!(output.status.code(), Some(2), "{system}");
        assert_eq!(stdout(&output), "", "{system}");
        let failure = checkout.output("failure");
        assert!(failure.contains(says), "{failure}");
        assert!(stderr(&output).contains("hint: set `runs-on`"), "{system}");
        assert!(!checkout.path("cache").exists(), "{system}");
    }
}

#[test]
fn a_tool_that_is_missing_is_named_and_is_no_sign_of_tampering() {
    for missing in TOOLS_OF_A_RELEASE {
        let checkout = Checkout::of_release();
        checkout.pin(&checkout.release(&program("released")));
        let tools = TOOLS_OF_A_RELEASE
            .into_iter()
            .filter(|tool| *tool != missing);
        let path = checkout.only(tools);

        let output = checkout.run(&[("PATH", &path)]);

        assert_eq!(output.status.code(), Some(3), "{missing}");
        assert_eq!(stdout(&output), "", "{missing}");
        let failure = checkout.output("failure");
        assert!(failure.contains(&format!("has no {missing},")), "{failure}");
        assert!(!stderr(&output).contains("checksums"), "{missing}");
    }
    for missing in TOOLS_BETWEEN.into_iter().chain(["sha256sum"]) {
        let checkout = Checkout::between_releases("");
        let tools = ["uname", "sha256sum"].into_iter().chain(TOOLS_BETWEEN);
        let path = checkout.only(tools.filter(|tool| *tool != missing));

        let output = checkout.run(&[("PATH", &path)]);

        assert_eq!(output.status.code(), Some(3), "{missing}");
        let failure = checkout.output("failure");
        assert!(failure.contains(&format!("has no {missing},")), "{failure}");
    }
}

#[test]
fn the_tools_that_are_said_to_be_needed_are_enough() {
    let checkout = Checkout::of_release();
    checkout.pin(&checkout.release("#!/bin/sh\necho released\n"));
    let path = checkout.only(TOOLS_OF_A_RELEASE);
    assert_eq!(stdout(&checkout.run(&[("PATH", &path)])), "released\n");

    // What is cached has only to be verified.
    let path = checkout.only(["uname", "sha256sum"]);
    assert_eq!(stdout(&checkout.run(&[("PATH", &path)])), "released\n");
}

#[test]
fn a_sha256sum_that_does_not_work_is_no_sign_of_tampering() {
    let checkout = Checkout::of_release();
    checkout.pin(&checkout.release(&program("released")));
    checkout.run(&[]);
    let path = checkout.program(
        "sha256sum",
        "#!/bin/sh\necho 'cannot allocate' >&2\nexit 1\n",
    );

    let output = checkout.run(&[("PATH", &path)]);

    assert_eq!(output.status.code(), Some(3));
    assert_eq!(stdout(&output), "");
    let failure = checkout.output("failure");
    assert!(failure.starts_with("sha256sum cannot read"), "{failure}");
    assert!(stderr(&output).contains("cannot allocate"));
    assert!(checkout.cached().exists());
}

#[test]
fn on_a_runner_the_error_is_an_annotation() {
    let checkout = Checkout::between_releases("");

    let output = checkout.run(&[("GITHUB_ACTIONS", Path::new("true"))]);

    let said = stderr(&output);
    assert!(
        said.starts_with("::error title=manifests-e2e::this commit is between two releases"),
        "{said}"
    );
}

#[test]
fn a_root_action_without_binary_has_begun_nothing() {
    let checkout = Checkout::between_releases("");

    checkout.call(&["teardown"], &[]);
    assert_eq!(checkout.output("begun"), "");
    checkout.call(&["run", "--until", "test"], &[]);

    assert_eq!(checkout.output("begun"), "false");
}

/// Start-up adds one hash of the binary: a fork of each tool more would be seen here first.
#[test]
fn a_cached_release_is_found_with_two_tools_alone() {
    let checkout = Checkout::of_release();
    checkout.pin(&checkout.release(&program("released")));
    checkout.run(&[]);
    let log = checkout.path("calls");
    for tool in ["uname", "sha256sum"] {
        let wrapped = format!(
            "#!/bin/sh\necho {tool} >>{}\nexec /usr/bin/{tool} \"$@\"\n",
            log.display()
        );
        checkout.program(tool, &wrapped);
    }
    let path = checkout.path("bin");

    let output = checkout.run(&[("PATH", &path)]);

    assert_eq!(stdout(&output), "released 3 teardown --scope a b\n");
    let calls = fs::read_to_string(log).unwrap();
    assert_eq!(
        calls.lines().collect::<Vec<_>>(),
        ["uname", "uname", "sha256sum"]
    );
}
