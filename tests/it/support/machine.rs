//! A machine with a stand-in for Docker, where a process can be killed right after any change that it makes.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use tempfile::TempDir;

use super::{
    aws::{Job, Step},
    github::{GitHub, TOKEN},
};

/// What has `reap` do more than report.
pub(crate) const REAL: &str = "--dry-run=false";

/// A machine of its own: a Docker that keeps nodes and volumes as files, a kind that makes two nodes, and GitHub's word.
pub(crate) struct Machine {
    dir: TempDir,
    pub(crate) github: GitHub,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let machine = Self {
            dir: tempfile::tempdir().unwrap(),
            github: GitHub::start(),
        };
        for part in ["bin", "tools", "containers", "volumes"] {
            fs::create_dir(machine.path(part)).unwrap();
        }
        machine.program("docker", include_str!("machine/docker.sh"));
        // The kind of `tools-dir` has to be a program of this machine: a shell, which finds these two on PATH.
        fs::copy("/bin/bash", machine.path("tools/kind")).unwrap();
        machine.program("create", "docker create $3; docker create $3\n");
        machine.program("get", "echo there is no API server >&2; exit 1\n");
        machine
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn program(&self, name: &str, text: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn with(&self, job: Job) -> Job {
        let path = std::env::var("PATH").unwrap();
        job.with("PATH", &format!("{}:{path}", self.path("bin").display()))
            .with("GITHUB_REPOSITORY", "reap/local")
            .with("GITHUB_API_URL", &self.github.url)
            .with("GITHUB_TOKEN", TOKEN)
    }

    /// A job that has this machine as its host.
    pub(crate) fn job(&self) -> Job {
        let job = self.with(Job::new());
        job.step(&["provision-ec2", "--provider=local"]).exits(0);
        job
    }

    pub(crate) fn janitor(&self) -> Job {
        self.with(Job::of("1", "janitor"))
    }

    pub(crate) fn reap(&self, words: &[&str]) -> Step {
        let words = [&["reap", "--provider=local"], words].concat();
        self.janitor().step(&words)
    }

    pub(crate) fn install(&self) -> [String; 2] {
        let tools = format!("--tools-dir={}", self.path("tools").display());
        ["install-kind".to_owned(), tools]
    }

    /// A cluster of which only the API server is missing.
    pub(crate) fn installs(&self, job: &Job) {
        let words = self.install();
        let step = job.step(&words.each_ref().map(String::as_str));
        step.exits(3).says("there is no API server");
        assert_eq!(self.left().len(), 3, "{:?}", self.left());
    }

    /// Runs a step that is killed right after its `n`th change; whether it was.
    pub(crate) fn is_killed_after(&self, n: usize, job: &Job, words: &[&str]) -> bool {
        drop(fs::remove_file(self.path("changes")));
        fs::write(self.path("die-after"), n.to_string()).unwrap();
        let mut child = job.start(words);
        fs::write(self.path("pid"), child.id().to_string()).unwrap();
        let killed = child.wait().unwrap().code().is_none();
        fs::remove_file(self.path("die-after")).unwrap();
        fs::remove_file(self.path("pid")).unwrap();
        killed
    }

    /// Nodes, and volumes with what they are labelled with.
    pub(crate) fn left(&self) -> BTreeMap<String, String> {
        let parts = ["containers", "volumes"].into_iter();
        let files = parts.flat_map(|part| fs::read_dir(self.path(part)).unwrap());
        files
            .map(|file| {
                let file = file.unwrap();
                let name = file.file_name().to_str().unwrap().to_owned();
                (name, fs::read_to_string(file.path()).unwrap_or_default())
            })
            .collect()
    }

    /// Sets a label of the one volume that has it.
    pub(crate) fn relabel(&self, label: &str, value: &str) {
        let head = format!("\"{label}\":\"");
        let left = self.left();
        let (name, text) = left.iter().find(|(_, text)| text.contains(&head)).unwrap();
        let (before, rest) = text.split_once(&head).unwrap();
        let (_, after) = rest.split_once('"').unwrap();
        let text = format!("{before}{head}{value}\"{after}");
        fs::write(self.path("volumes").join(name), text).unwrap();
    }

    pub(crate) fn has_mark(&self) -> bool {
        self.left().keys().any(|it| it.ends_with(".reap-candidate"))
    }

    /// As if the mark had been made years ago.
    pub(crate) fn ages(&self) {
        self.relabel("manifests-e2e/reap-candidate", "2020-01-01T00:00:00Z");
    }

    /// Passes as on a schedule until one is green: none of them ends what it has not marked before.
    pub(crate) fn is_reaped(&self, how: &str) {
        for _ in 0..3 {
            let marked = self.has_mark();
            if marked {
                self.ages();
            }
            let before = self.left();
            let step = self.reap(&[REAL]);
            let after = self.left();
            if step.code == Some(0) {
                assert_eq!(after, BTreeMap::new(), "{how}: {}", step.said);
                return;
            }
            let step = step.exits(4);
            let kept = before.keys().all(|it| after.contains_key(it));
            assert!(marked || kept, "{how}: {}", step.said);
        }
        panic!("{how}: still there: {:?}", self.left());
    }
}
