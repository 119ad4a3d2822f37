//! `actions/run.sh`: which binary it becomes, and what it says where there is none.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use sha2::{Digest, Sha256};

/// A checkout of the action alone, the place its releases come from, and a runner's tool cache.
struct Checkout {
    root: tempfile::TempDir,
}

impl Checkout {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(root.path().join("actions")).expect("it is new");
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("actions/run.sh");
        fs::copy(ours, root.path().join("actions/run.sh")).expect("run.sh is here");
        let checkout = Self { root };
        checkout.pin("");
        checkout
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn asset() -> String {
        let version = env!("CARGO_PKG_VERSION");
        format!("manifests-e2e-{version}-{}-linux", std::env::consts::ARCH)
    }

    /// Publishes a program as the release asset and returns its line for `checksums.txt`.
    fn release(&self, program: &str) -> String {
        let folder = self.path(&format!("releases/v{}", env!("CARGO_PKG_VERSION")));
        fs::create_dir_all(&folder).expect("a folder of ours");
        fs::write(folder.join(Self::asset()), program).expect("a folder of ours");
        let sum = hex::encode(Sha256::digest(program));
        format!("{sum}  {}\n", Self::asset())
    }

    fn pin(&self, checksums: &str) {
        fs::write(self.path("actions/checksums.txt"), checksums).expect("a folder of ours");
    }

    /// Runs it with no cargo in reach and nothing in the environment but what is given.
    fn run(&self, env: &[(&str, &Path)]) -> Output {
        let releases = format!("file://{}", self.path("releases").display());
        // Not by itself: a file that another test's new process still has open for writing cannot be.
        Command::new("bash")
            .arg(self.path("actions/run.sh"))
            .args(["teardown", "--scope", "a b"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.root.path())
            .env("RUNNER_TOOL_CACHE", self.path("cache"))
            .env("GITHUB_OUTPUT", self.path("output"))
            .env("MANIFESTS_E2E_RELEASES", releases)
            .envs(env.iter().copied())
            .output()
            .expect("bash is there")
    }

    /// Puts a program in cargo's place; gives the PATH that finds it.
    fn cargo(&self, program: &str) -> PathBuf {
        fs::write(self.path("Cargo.toml"), "").expect("a folder of ours");
        let bin = self.path("bin");
        fs::create_dir_all(&bin).expect("a folder of ours");
        let cargo = bin.join("cargo");
        fs::write(&cargo, program).expect("a folder of ours");
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("it is ours");
        PathBuf::from(format!("{}:/usr/bin:/bin", bin.display()))
    }

    /// The output `failure` of the step.
    fn failure(&self) -> String {
        let output = fs::read_to_string(self.path("output")).unwrap_or_default();
        let line = output.trim_end().strip_prefix("failure=");
        line.unwrap_or_default().to_owned()
    }
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("the programs print ASCII")
}

fn program(text: &str) -> String {
    format!("#!/bin/sh\necho {text} \"$#\" \"$@\"\nexit 7\n")
}

#[test]
fn the_named_binary_is_run_with_all_arguments_and_its_exit_code_kept() {
    let checkout = Checkout::new();
    let binary = checkout.path("mine");
    fs::write(&binary, program("mine")).unwrap();
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();

    let output = checkout.run(&[("MANIFESTS_E2E_BINARY", &binary)]);

    assert_eq!(stdout(&output), "mine 3 teardown --scope a b\n");
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn a_named_binary_that_cannot_be_run_is_an_error_and_not_passed_over() {
    let checkout = Checkout::new();
    checkout.pin(&checkout.release(&program("released")));
    let binary = checkout.path("mine");
    fs::write(&binary, program("mine")).unwrap();

    let output = checkout.run(&[("MANIFESTS_E2E_BINARY", &binary)]);

    assert_eq!(output.status.code(), Some(3));
    assert_eq!(stdout(&output), "");
    assert!(checkout.failure().contains("not an executable file"));
}

#[test]
fn a_release_is_fetched_once_and_verified() {
    let checkout = Checkout::new();
    checkout.pin(&checkout.release(&program("released")));

    let first = checkout.run(&[]);
    fs::remove_dir_all(checkout.path("releases")).unwrap();
    let second = checkout.run(&[]);

    assert_eq!(stdout(&first), "released 3 teardown --scope a b\n");
    assert_eq!(stdout(&second), stdout(&first));
    assert_eq!(second.status.code(), Some(7));
}

#[test]
fn a_release_with_another_hash_is_deleted_and_never_run() {
    let checkout = Checkout::new();
    checkout.pin(&checkout.release(&program("released")));
    checkout.release(&program("another"));

    let output = checkout.run(&[]);

    assert_eq!(output.status.code(), Some(3));
    assert_eq!(stdout(&output), "");
    assert!(
        checkout
            .failure()
            .ends_with("is not what actions/checksums.txt says")
    );
    let folder = format!(
        "cache/manifests-e2e/{}/{}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH
    );
    assert_eq!(fs::read_dir(checkout.path(&folder)).unwrap().count(), 0);
}

#[test]
fn a_cached_binary_that_was_changed_is_fetched_again() {
    let checkout = Checkout::new();
    checkout.pin(&checkout.release(&program("released")));
    checkout.run(&[]);
    let folder = format!(
        "cache/manifests-e2e/{}/{}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH
    );
    fs::write(
        checkout.path(&folder).join("manifests-e2e"),
        program("changed"),
    )
    .unwrap();

    let output = checkout.run(&[]);

    assert_eq!(stdout(&output), "released 3 teardown --scope a b\n");
}

#[test]
fn without_a_release_and_without_cargo_the_remedy_is_named() {
    let checkout = Checkout::new();

    let output = checkout.run(&[]);

    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("hint: use a released tag of the action"),
        "{said}"
    );
    assert!(checkout.failure().contains("there is no manifests-e2e"));
}

#[test]
fn on_a_runner_the_error_is_an_annotation() {
    let checkout = Checkout::new();

    let output = checkout.run(&[("GITHUB_ACTIONS", Path::new("true"))]);

    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.starts_with("::error title=manifests-e2e::there is no"),
        "{said}"
    );
}

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
fn a_build_is_handed_no_secret_of_the_step_and_all_that_it_needs() {
    let checkout = Checkout::new();
    let path = checkout.cargo(CARGO);
    let given = |name: &'static str, value: &'static str| (name, Path::new(value));

    let output = checkout.run(&[
        ("PATH", &path),
        given("AWS_SECRET_ACCESS_KEY", "canary"),
        given("AWS_SESSION_TOKEN", "canary"),
        given("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "canary"),
        given("ACTIONS_RUNTIME_TOKEN", "canary"),
        given("GITHUB_TOKEN", "canary"),
        given("GH_TOKEN", "canary"),
        given("CARGO_REGISTRIES_OTHER_TOKEN", "canary"),
        given("INPUT_ANYTHING", "canary"),
        given("CARGO_BUILD_TARGET", "x86_64-unknown-linux-musl"),
        given("CARGO_HOME", "/cargo"),
        given("https_proxy", "http://proxy.example:3128"),
        given("SSL_CERT_FILE", "/etc/ssl/own.pem"),
    ]);

    assert_eq!(stdout(&output), "built 3 teardown --scope a b\n");
    assert_eq!(output.status.code(), Some(7));
    let environment = fs::read_to_string(checkout.path("environment")).unwrap();
    assert!(!environment.contains("canary"), "{environment}");
    assert!(!environment.contains("CARGO_BUILD_TARGET"), "{environment}");
    for needed in [
        "CARGO_HOME=/cargo",
        "https_proxy=http://proxy.example:3128",
        "SSL_CERT_FILE=/etc/ssl/own.pem",
    ] {
        assert!(environment.lines().any(|line| line == needed), "{needed}");
    }
}

#[test]
fn a_build_that_fails_is_told_with_what_cargo_says() {
    let checkout = Checkout::new();
    let path = checkout.cargo("#!/bin/sh\necho 'error: it does not compile' >&2\nexit 101\n");

    let output = checkout.run(&[("PATH", &path)]);

    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("error: it does not compile"), "{said}");
    assert_eq!(checkout.failure(), "the build of manifests-e2e failed");
}
