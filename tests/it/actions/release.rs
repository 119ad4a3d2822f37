//! `e2e/release` and `e2e/release-build`: what a release commits and tags, and that a build is the same anywhere.

#![expect(clippy::unwrap_used, reason = "what does not hold here fails the test")]

mod ends;
mod pages;

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::it::support::root;

/// A binary of the kind that this machine runs, in no time; the real build has a test of its own below.
const BUILD: &str = r#"#!/bin/bash
set -eu
cd "$(dirname "$0")/.."
archs='aarch64 x86_64'
[ "$1" != --any ] || { shift && archs=$(uname -m); }
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
mkdir -p "$1"
for arch in $archs; do
  printf '#!/bin/sh\n# %s\necho binary of %s\n' "$arch" "$version" >"$1/manifests-e2e-$version-$arch-linux"
  chmod 755 "$1/manifests-e2e-$version-$arch-linux"
done
(cd "$1" && sha256sum manifests-e2e-*-linux >SHA256SUMS)
"#;

const OLD: &str = "0000000000000000000000000000000000000000";

/// A clone with all that a release changes.
struct Clone {
    dir: tempfile::TempDir,
}

impl Clone {
    fn new() -> Self {
        let clone = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let manifest = "[package]\nname = \"manifests-e2e\"\nversion = \"0.1.1-dev\"\nedition = \"2024\"\n\n[dependencies]\n";
        clone.write("Cargo.toml", manifest);
        clone.write(
            "Cargo.lock",
            "version = 4\n\n[[package]]\nname = \"manifests-e2e\"\nversion = \"0.1.1-dev\"\n",
        );
        clone.write("src/main.rs", "fn main() { println!(\"hello\"); }\n");
        clone.write(
            "CHANGELOG.md",
            "# Changelog\n\n## Unreleased\n\n- New.\n\n## 0.1.0 - 2026-01-01\n\n- Old.\n",
        );
        clone.write("README.md", &format!("- uses: kubeflow/manifests-e2e@{OLD} # v0.1.0\nand `kubeflow/manifests-e2e/actions/reap@{OLD}`, as kubeflow/other@{OLD}\n"));
        clone.write(
            "examples/fork.yml",
            "      - uses: kubeflow/manifests-e2e/actions/provision-ec2@v0.1.0 # v0.1.0\n",
        );
        clone.write("docs/none.md", "nothing to pin\n");
        clone.write("actions/checksums.txt", "");
        let script = fs::read_to_string(root().join("actions/run.sh")).unwrap();
        let version = script
            .lines()
            .find(|line| line.starts_with("version="))
            .unwrap();
        clone.write(
            "actions/run.sh",
            &script.replace(version, "version=0.1.1-dev"),
        );
        for name in ["e2e/release", "e2e/release-tools.txt"] {
            clone.write(name, &fs::read_to_string(root().join(name)).unwrap());
        }
        clone.write("e2e/release-build", BUILD);
        for script in ["e2e/release", "e2e/release-build"] {
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(clone.path(script), mode).unwrap();
        }
        clone.git(&["init", "--quiet", "--initial-branch", "main"]);
        clone.git(&["add", "--all"]);
        clone.git(&["commit", "--quiet", "--message", "Begin"]);
        clone
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("clone").join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, program: &str, words: &[&str]) -> Output {
        self.prepared(program, words).output().unwrap()
    }

    fn prepared(&self, program: &str, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(words).current_dir(self.path(""));
        for name in [
            "GIT_DIR",
            "GIT_WORK_TREE",
            "GIT_INDEX_FILE",
            "GITHUB_REF_NAME",
        ] {
            command.env_remove(name);
        }
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "A Person");
            command.env(format!("GIT_{role}_EMAIL"), "person@example.com");
        }
        command
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("TMPDIR", self.dir.path());
        command
    }

    fn git(&self, words: &[&str]) -> String {
        let output = self.command("git", words);
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    fn release(&self, words: &[&str]) -> Output {
        self.command("e2e/release", words)
    }

    /// A file as a commit has it.
    fn at(&self, commit: &str, file: &str) -> String {
        self.git(&["show", &format!("{commit}:{file}")])
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[test]
fn a_release_is_a_tagged_commit_with_checksums_and_the_next_commit_names_it() {
    let clone = Clone::new();

    let output = clone.release(&["0.2.0"]);

    assert!(output.status.success(), "{}", said(&output));
    let subjects = clone.git(&["log", "--format=%s"]);
    assert_eq!(subjects, "Begin 0.2.1-dev\nRelease 0.2.0\nBegin");
    let release = clone.git(&["rev-parse", "v0.2.0^{commit}"]);
    assert_eq!(release, clone.git(&["rev-parse", "HEAD~1"]));
    assert!(
        clone
            .git(&["log", "-1", "--format=%b"])
            .starts_with("Signed-off-by: A Person")
    );

    let checksums = clone.at("v0.2.0", "actions/checksums.txt");
    let names: Vec<&str> = checksums
        .lines()
        .map(|line| line.split_once("  ").unwrap().1)
        .collect();
    assert_eq!(
        names,
        [
            "manifests-e2e-0.2.0-aarch64-linux",
            "manifests-e2e-0.2.0-x86_64-linux"
        ]
    );
    for (commit, version) in [("v0.2.0", "0.2.0"), ("HEAD", "0.2.1-dev")] {
        assert!(
            clone
                .at(commit, "Cargo.toml")
                .contains(&format!("\nversion = \"{version}\"\n"))
        );
        assert!(
            clone
                .at(commit, "Cargo.lock")
                .ends_with(&format!("\nversion = \"{version}\""))
        );
        assert!(
            clone
                .at(commit, "actions/run.sh")
                .contains(&format!("\nversion={version}\n"))
        );
    }
    let log = clone.at("v0.2.0", "CHANGELOG.md");
    assert!(
        log.starts_with("# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2"),
        "{log}"
    );
    assert!(
        log.contains("\n\n- New.\n\n## 0.1.0 - 2026-01-01\n"),
        "{log}"
    );

    assert_eq!(clone.at("HEAD", "actions/checksums.txt"), "");
    let line = format!("\nlast_release='v0.2.0 {release}'\n");
    assert!(clone.at("HEAD", "actions/run.sh").contains(&line));
    assert_eq!(
        clone.at("HEAD", "README.md"),
        format!(
            "- uses: kubeflow/manifests-e2e@{release} # v0.2.0\nand `kubeflow/manifests-e2e/actions/reap@{release}`, as kubeflow/other@{OLD}"
        )
    );
    assert_eq!(
        clone.at("HEAD", "examples/fork.yml"),
        format!("      - uses: kubeflow/manifests-e2e/actions/provision-ec2@{release} # v0.2.0")
    );
    assert_eq!(clone.git(&["status", "--porcelain"]), "");
    assert_eq!(clone.git(&["worktree", "list"]).lines().count(), 1);
    assert!(said(&output).contains("git push --atomic origin main v0.2.0"));
}

#[test]
fn what_is_published_is_what_the_tagged_commit_has_the_checksums_of() {
    let clone = Clone::new();
    assert!(clone.release(&["0.2.0"]).status.success());
    let dist = clone.dir.path().join("dist");
    let dist = dist.to_str().unwrap();
    clone.git(&["checkout", "--quiet", "v0.2.0"]);
    assert!(clone.command("e2e/release-build", &[dist]).status.success());

    let same = clone.release(&["--verify", dist]);
    assert!(same.status.success(), "{}", said(&same));
    // Nothing goes along that has no checksum.
    let script = Path::new(dist).join("install.sh");
    fs::write(&script, "").unwrap();
    let more = clone.release(&["--verify", dist]);
    fs::remove_file(&script).unwrap();
    let sums = Path::new(dist).join("SHA256SUMS");
    let kept = fs::read(&sums).unwrap();
    fs::write(&sums, "other\n").unwrap();
    let unlike = clone.release(&["--verify", dist]);
    fs::write(&sums, kept).unwrap();
    let binary = Path::new(dist).join("manifests-e2e-0.2.0-x86_64-linux");
    fs::write(&binary, "another").unwrap();
    let other = clone.release(&["--verify", dist]);
    fs::remove_file(&binary).unwrap();
    let less = clone.release(&["--verify", dist]);
    clone.git(&["checkout", "--quiet", "main"]);
    let later = clone.release(&["--verify", dist]);

    for (output, why) in [
        (more, "has more than a release: ./install.sh"),
        (unlike, "SHA256SUMS is not actions/checksums.txt"),
        (other, "not the binaries of this commit"),
        (less, "not the binaries of this commit"),
        (later, "this is no release commit"),
    ] {
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains(why), "{}", said(&output));
    }
}

#[test]
fn a_dry_run_compares_two_builds_and_leaves_nothing() {
    let clone = Clone::new();
    let before = clone.git(&["rev-parse", "HEAD"]);

    let output = clone.release(&["--dry-run"]);

    let said = said(&output);
    assert!(output.status.success(), "{said}");
    for part in [
        "the same as actions/checksums.txt",
        "runs --version: binary of 0.1.1",
        "Begin 0.1.2-dev",
        "examples/fork.yml",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(clone.git(&["rev-parse", "HEAD"]), before);
    assert_eq!(clone.git(&["tag"]), "");
    assert_eq!(clone.git(&["status", "--porcelain"]), "");
    assert_eq!(fs::read_dir(clone.dir.path()).unwrap().count(), 1);

    // Two builds that differ are what it is for.
    let differs = BUILD.replace("\"$arch\" \"$version\"", "\"$arch $PWD\" \"$version\"");
    assert_ne!(differs, BUILD);
    clone.write("e2e/release-build", &differs);
    clone.git(&["commit", "--quiet", "--all", "--message", "Differ"]);
    let output = clone.release(&["--dry-run"]);
    assert_eq!(output.status.code(), Some(2));
    let why = "not the binaries of this commit";
    assert!(self::said(&output).contains(why), "{}", self::said(&output));
}

#[test]
fn what_is_no_release_is_refused_and_changes_nothing() {
    let clone = Clone::new();
    let refused = |words: &[&str], why: &str| {
        let before = clone.git(&["rev-parse", "HEAD"]);
        let output = clone.release(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(said(&output).contains(why), "{words:?}: {}", said(&output));
        assert_eq!(clone.git(&["rev-parse", "HEAD"]), before);
    };
    refused(&[], "which version?");
    refused(&["1.2"], "is no version");
    refused(&["0.2.0-dev"], "is no version");
    refused(&["1.99999999999999999999.0"], "is no version");
    refused(&["0.1.0"], "is older than 0.1.1-dev");
    clone.git(&["tag", "v0.1.1"]);
    refused(&["0.1.1"], "there is a tag v0.1.1");
    clone.write("README.md", "changed");
    refused(&["0.2.0"], "changes that are not committed");
    clone.git(&["checkout", "--quiet", "."]);
    clone.write(
        "CHANGELOG.md",
        "# Changelog\n\n## Unreleased\n\n## 0.1.0 - 2026-01-01\n\n- Old.\n",
    );
    clone.git(&["commit", "--quiet", "--all", "--message", "Nothing new"]);
    refused(&["0.2.0"], "nothing under Unreleased");
}

#[test]
fn a_build_is_the_same_in_another_directory_and_whatever_the_caller_sets() {
    let clone = Clone::new();
    let build = fs::read_to_string(root().join("e2e/release-build")).unwrap();
    clone.write("e2e/release-build", &build);
    let toolchain = fs::read_to_string(root().join("rust-toolchain.toml")).unwrap();
    clone.write("rust-toolchain.toml", &toolchain);
    let other = clone.dir.path().join("another/directory");
    clone.git(&["clone", "--quiet", ".", other.to_str().unwrap()]);
    for file in ["e2e/release-build", "rust-toolchain.toml"] {
        fs::copy(clone.path(file), other.join(file)).unwrap();
    }
    // Without Python there is no Zig, and without rustup no other target: this machine's own is what is left.
    let bin = clone.dir.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let cargo = |name: &str| {
        std::env::split_paths(&path)
            .map(|dir| dir.join(name))
            .find(|file| file.is_file())
    };
    for name in ["cargo", "rustc"] {
        symlink(cargo(name).expect("this runs under cargo"), bin.join(name)).unwrap();
    }
    for name in "bash env cat cc ld as chmod cp date dirname grep head mkdir mktemp mv readlink rm sed sha256sum uname".split(' ') {
        symlink(cargo(name).unwrap_or_else(|| panic!("{name}")), bin.join(name)).unwrap();
    }
    let run = |dir: &Path, words: &[&str]| {
        Command::new(dir.join("e2e/release-build"))
            .args(words)
            .current_dir(clone.dir.path())
            .env("PATH", &bin)
            .env("TMPDIR", clone.dir.path())
            .env("XDG_CACHE_HOME", clone.dir.path().join("cache"))
            // An empty one, so that nothing can be installed from it.
            .env("CARGO_HOME", clone.dir.path().join("cargo"))
            .env("CARGO_NET_OFFLINE", "true")
            .env("RUSTFLAGS", if dir == other { "-Copt-level=0" } else { "" })
            .output()
            .unwrap()
    };

    let (first, second) = (
        run(&clone.path(""), &["--any", "one"]),
        run(&other, &["--any", "two"]),
    );

    for output in [&first, &second] {
        assert!(output.status.success(), "{}", said(output));
        assert!(said(output).contains("no release"), "{}", said(output));
    }
    assert_eq!(
        String::from_utf8_lossy(&first.stdout),
        String::from_utf8_lossy(&second.stdout)
    );
    let sums = fs::read_to_string(clone.dir.path().join("one/SHA256SUMS")).unwrap();
    assert!(
        sums.contains(&format!(
            "manifests-e2e-0.1.1-dev-{}-linux",
            std::env::consts::ARCH
        )),
        "{sums}"
    );
    let whole = run(&clone.path(""), &["three"]);
    assert_eq!(whole.status.code(), Some(3), "{}", said(&whole));
}
