//! A checkout of the action, the place its releases come from, and a runner's directories.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Arc, Mutex},
    thread,
};

use sha2::{Digest, Sha256};

use crate::it::support::root;

/// The release that a [`Checkout::of_release`] is.
pub(super) const VERSION: &str = "1.2.3";
/// What a release needs: `bash` and `env` are not called by the script itself.
pub(super) const TOOLS_OF_A_RELEASE: [&str; 9] = [
    "uname",
    "sha256sum",
    "curl",
    "sleep",
    "mkdir",
    "mktemp",
    "chmod",
    "mv",
    "rm",
];
/// What a commit between two releases needs, beside `uname` and `sha256sum`.
pub(super) const TOOLS_BETWEEN: [&str; 3] = ["find", "sort", "xargs"];

pub(super) struct Checkout {
    root: tempfile::TempDir,
}

impl Checkout {
    /// A released commit whose checksums are still to be pinned.
    pub(super) fn of_release() -> Self {
        Self::with(VERSION, "")
    }

    /// A commit between two releases.
    pub(super) fn between_releases(last: &str) -> Self {
        Self::with("1.2.4-dev", last)
    }

    fn with(version: &str, last: &str) -> Self {
        let checkout = Self {
            root: tempfile::tempdir().expect("a temporary directory"),
        };
        fs::create_dir_all(checkout.path("actions")).expect("it is new");
        let script = fs::read_to_string(root().join("actions/run.sh")).expect("run.sh is here");
        let set = |line: &str| match line {
            line if line.starts_with("version=") => format!("version={version}"),
            line if line.starts_with("last_release=") => format!("last_release='{last}'"),
            line => line.to_owned(),
        };
        let script: Vec<String> = script.lines().map(set).collect();
        fs::write(checkout.path("actions/run.sh"), script.join("\n")).expect("it is new");
        for folder in ["src", "temporary"] {
            fs::create_dir(checkout.path(folder)).expect("it is new");
        }
        fs::write(checkout.path("src/main.rs"), "fn main() {}").expect("it is new");
        checkout.pin("");
        checkout
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(super) fn asset() -> String {
        format!("manifests-e2e-{VERSION}-{}-linux", std::env::consts::ARCH)
    }

    /// Where the runner's tool cache has the binary.
    pub(super) fn cached(&self) -> PathBuf {
        let arch = std::env::consts::ARCH;
        self.path(&format!(
            "cache/manifests-e2e/{VERSION}/{arch}/manifests-e2e"
        ))
    }

    /// Publishes a program as the release asset and returns its line for `checksums.txt`.
    pub(super) fn release(&self, program: &str) -> String {
        let folder = self.path(&format!("releases/v{VERSION}"));
        fs::create_dir_all(&folder).expect("a folder of ours");
        fs::write(folder.join(Self::asset()), program).expect("a folder of ours");
        line(program)
    }

    pub(super) fn pin(&self, checksums: &str) {
        fs::write(self.path("actions/checksums.txt"), checksums).expect("a folder of ours");
    }

    /// Runs it as a step of `teardown`, with nothing in the environment but what is given.
    pub(super) fn run(&self, env: &[(&str, &Path)]) -> Output {
        self.call(&["teardown", "--scope", "a b"], env)
    }

    /// The same, in another directory than this process's.
    pub(super) fn run_in(&self, dir: &Path, env: &[(&str, &Path)]) -> Output {
        self.called(&["teardown", "--scope", "a b"], env)
            .current_dir(dir)
            .output()
            .expect("bash is there")
    }

    pub(super) fn call(&self, words: &[&str], env: &[(&str, &Path)]) -> Output {
        self.called(words, env).output().expect("bash is there")
    }

    fn called(&self, words: &[&str], env: &[(&str, &Path)]) -> Command {
        let releases = format!("file://{}", self.path("releases").display());
        // Not the script itself: a file that another test's new process still has open for writing cannot be run.
        let mut command = Command::new("/bin/bash");
        command
            .arg(self.path("actions/run.sh"))
            .args(words)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.root.path())
            .env("RUNNER_TOOL_CACHE", self.path("cache"))
            .env("RUNNER_TEMP", self.path("temporary"))
            .env("GITHUB_OUTPUT", self.path("output"))
            .env("MANIFESTS_E2E_RELEASES", releases)
            .envs(env.iter().copied());
        command
    }

    /// A program under a name; gives the PATH that finds it first.
    pub(super) fn program(&self, name: &str, text: &str) -> PathBuf {
        let file = self.path("bin").join(name);
        self.executable(&file, text);
        PathBuf::from(format!("{}:/usr/bin:/bin", self.path("bin").display()))
    }

    pub(super) fn executable(&self, file: &Path, text: &str) {
        assert!(file.starts_with(self.root.path()));
        fs::create_dir_all(file.parent().expect("it is below the root")).expect("it is ours");
        fs::write(file, text).expect("a folder of ours");
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }

    /// A PATH that has these tools of this machine and no other.
    pub(super) fn only<'a>(&self, tools: impl IntoIterator<Item = &'a str>) -> PathBuf {
        let bin = self.path("only");
        if bin.exists() {
            fs::remove_dir_all(&bin).expect("it is ours");
        }
        fs::create_dir(&bin).expect("it is ours");
        for tool in tools {
            let places = ["/usr/bin", "/bin"].map(|dir| Path::new(dir).join(tool));
            let there = places.iter().find(|file| file.exists());
            let there = there.unwrap_or_else(|| panic!("{tool} is not on this machine"));
            symlink(there, bin.join(tool)).expect("it is ours");
        }
        bin
    }

    /// An output of the step; the last of its name counts.
    pub(super) fn output(&self, name: &str) -> String {
        let output = fs::read_to_string(self.path("output")).unwrap_or_default();
        let mut values = output.lines().filter_map(|line| line.split_once('='));
        let value = values.rfind(|(key, _)| *key == name);
        value.map_or_else(String::new, |(_, value)| value.to_owned())
    }
}

/// The line of `checksums.txt` for a program.
pub(super) fn line(program: &str) -> String {
    format!(
        "{}  {}\n",
        hex::encode(Sha256::digest(program)),
        Checkout::asset()
    )
}

pub(super) fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("the programs print ASCII")
}

pub(super) fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("the script prints UTF-8")
}

/// A program that says its name and its arguments, and ends with 7.
pub(super) fn program(text: &str) -> String {
    format!("#!/bin/sh\necho {text} \"$#\" \"$@\"\nexit 7\n")
}

/// Answers each GET with what `answer` has for its target (code and body), and notes the targets.
pub(super) fn serve(
    answer: impl Fn(&str) -> (u16, String) + Send + 'static,
) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head);
            let target = head.split(' ').nth(1).unwrap_or_default();
            noted
                .lock()
                .expect("nobody panics with it")
                .push(target.to_owned());
            let (code, body) = answer(target);
            let length = body.len();
            let reply = format!(
                "HTTP/1.1 {code} -\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            // Who asks may have gone.
            drop(stream.write_all(reply.as_bytes()));
        }
    });
    (address, asked)
}
