//! A commit between two releases: no binary but one that is given, or that `actions/setup` has built of it.

use std::{fs, path::Path};

use serde_yaml::Value;

use super::{Checkout, program, stderr, stdout};
use crate::it::support::root;

/// A cargo that notes its environment and builds where its settings say.
const CARGO: &str = r#"#!/bin/bash
env >"$HOME/environment"
place=$HOME/target/x86_64-unknown-linux-musl/debug
mkdir -p "$place"
printf '#!/bin/sh\necho built "$#" "$@"\nexit 7\n' >"$place/manifests-e2e"
chmod 755 "$place/manifests-e2e"
echo '{"reason":"compiler-artifact","target":{"kind":["custom-build"]},"executable":null,"fresh":true}'
echo '{"reason":"compiler-artifact","target":{"kind":["bin"]},"executable":"'"$place"'/manifests-e2e","fresh":false}'
echo '{"reason":"build-finished","success":true}'
"#;

#[test]
fn the_commit_after_a_release_never_runs_the_release_and_names_it() {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let checkout = Checkout::between_releases(&format!("v1.2.3 {commit}"));
    // The release is published, pinned and cached.
    checkout.pin(&checkout.release(&program("released")));
    checkout.executable(&checkout.cached(), &program("released"));

    let output = checkout.run(&[]);

    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "");
    assert!(
        checkout
            .output("failure")
            .contains("between two releases (1.2.4-dev)")
    );
    let said = stderr(&output);
    let pin =
        format!("hint: pin the last release, v1.2.3: kubeflow/manifests-e2e@{commit}. Or build it");
    assert!(said.contains(&pin), "{said}");
    assert!(
        said.contains("actions/setup") && said.contains("`binary`"),
        "{said}"
    );
}

#[test]
fn before_the_first_release_none_is_named() {
    let checkout = Checkout::between_releases("");

    let output = checkout.run(&[]);

    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("hint: build it in an earlier step"));
    assert!(!stderr(&output).contains("last release"));
}

#[test]
fn a_step_never_builds() {
    let checkout = Checkout::between_releases("");
    let path = checkout.program("cargo", CARGO);

    let output = checkout.run(&[("PATH", &path)]);

    assert_eq!(output.status.code(), Some(2));
    assert!(!checkout.path("environment").exists(), "cargo was called");
}

#[test]
fn what_setup_has_built_is_run_by_later_steps_until_the_checkout_changes() {
    let checkout = Checkout::between_releases("");
    let path = checkout.program("cargo", CARGO);

    let find = checkout.call(&["--find"], &[("PATH", &path)]);
    let build = checkout.call(&["--build"], &[("PATH", &path)]);
    let step = checkout.run(&[]);

    assert_eq!(
        (find.status.code(), build.status.code()),
        (Some(0), Some(0)),
        "{}",
        stderr(&build)
    );
    assert_eq!(stdout(&step), "built 3 teardown --scope a b\n");
    assert_eq!(step.status.code(), Some(7));
    let binary = checkout.output("binary");
    assert!(
        binary.starts_with(checkout.path("temporary").to_str().unwrap()),
        "{binary}"
    );
    assert_eq!(
        Path::new(&binary).parent().unwrap().to_str(),
        Some(checkout.output("directory").as_str())
    );
    let key = checkout.output("key");
    assert!(key.starts_with("manifests-e2e-") && key.len() > 50, "{key}");

    fs::write(checkout.path("src/main.rs"), "fn main() { todo!() }").unwrap();
    assert_eq!(checkout.run(&[]).status.code(), Some(2));
    checkout.call(&["--find"], &[]);
    assert_ne!(checkout.output("key"), key);
}

#[test]
fn a_build_that_the_cache_had_is_not_made_again() {
    let checkout = Checkout::between_releases("");
    let path = checkout.program("cargo", CARGO);
    checkout.call(&["--find"], &[]);
    checkout.executable(Path::new(&checkout.output("binary")), &program("cached"));

    let build = checkout.call(&["--build"], &[("PATH", &path)]);

    assert_eq!(build.status.code(), Some(0));
    assert!(!checkout.path("environment").exists(), "cargo was called");
    assert_eq!(
        stdout(&checkout.run(&[])),
        "cached 3 teardown --scope a b\n"
    );
}

#[test]
fn a_step_that_holds_a_secret_does_not_build() {
    for secret in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "ACTIONS_RUNTIME_TOKEN",
        "GITHUB_TOKEN",
        "GH_TOKEN",
        "CARGO_REGISTRIES_OTHER_TOKEN",
        "DOCKER_PASSWORD",
        "GITHUB_PAT",
        "SSH_KEY",
        "NPM_AUTH",
        "KUBECONFIG_DATA",
    ] {
        let checkout = Checkout::between_releases("");
        let path = checkout.program("cargo", CARGO);

        let build = checkout.call(
            &["--build"],
            &[("PATH", &path), (secret, Path::new("canary"))],
        );

        assert_eq!(build.status.code(), Some(2), "{secret}");
        assert!(!checkout.path("environment").exists(), "cargo was called");
        assert!(checkout.output("failure").contains(secret), "{secret}");
        assert!(!stderr(&build).contains("canary"), "{secret}");
    }
}

#[test]
fn a_build_that_fails_is_reported_with_what_cargo_says() {
    let checkout = Checkout::between_releases("");
    let path = checkout.program(
        "cargo",
        "#!/bin/sh\necho 'error: it does not compile' >&2\nexit 101\n",
    );

    let output = checkout.call(&["--build"], &[("PATH", &path)]);

    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("error: it does not compile"));
    assert_eq!(
        checkout.output("failure"),
        "the build of manifests-e2e failed"
    );
    assert_eq!(checkout.run(&[]).status.code(), Some(2));
}

#[test]
fn on_a_released_commit_setup_fetches_the_release_and_caches_nothing() {
    let checkout = Checkout::of_release();
    checkout.pin(&checkout.release(&program("released")));

    let find = checkout.call(&["--find"], &[]);

    assert_eq!(find.status.code(), Some(0), "{}", stderr(&find));
    assert_eq!(Path::new(&checkout.output("binary")), checkout.cached());
    assert!(checkout.cached().is_file());
    assert_eq!(checkout.output("key"), "");
}

#[test]
fn the_setup_action_is_given_no_secret_and_no_expression() {
    let text = fs::read_to_string(root().join("actions/setup/action.yml")).unwrap();
    let action: Value = serde_yaml::from_str(&text).unwrap();
    let steps = action["runs"]["steps"].as_sequence().unwrap();
    for step in steps {
        let run = step["run"].as_str().unwrap_or_default();
        let uses = step["uses"].as_str().unwrap_or_default();
        let ours =
            run.starts_with("exec \"$GITHUB_ACTION_PATH/../run.sh\" --") && !run.contains("${{");
        let pinned = uses.split('@').nth(1).is_some_and(|hash| hash.len() == 40);
        assert!(ours || pinned, "{step:?}");
        let env = step["env"].as_mapping().map_or(0, serde_yaml::Mapping::len);
        assert_eq!(env, usize::from(run.ends_with("--find")), "{step:?}");
    }
}
