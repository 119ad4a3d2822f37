//! git as a program, in the clone that the job has, if it has one. Nothing is written, and nothing of the work tree is looked at.

use std::{collections::BTreeSet, path::Path, process::Stdio};

use tokio::process::Command;

use crate::{inputs::Environment, limits::Deadline, report::one_line};

/// A clone.
#[derive(Debug)]
pub struct Git {
    dir: std::path::PathBuf,
    env: Vec<(String, String)>,
}

impl Git {
    /// The clone that this directory is in; it need not be one.
    pub fn new(dir: &Path, env: &Environment) -> Self {
        let env = env.for_git();
        Self {
            dir: dir.to_owned(),
            env: env
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    /// What git prints; an error with what it says.
    async fn run(&self, words: &[&str], deadline: Deadline) -> Result<Vec<u8>, String> {
        let mut command = Command::new("git");
        command
            // A container's user seldom owns what the runner has checked out.
            .args(["-c", "safe.directory=*", "--no-pager"])
            .args(words)
            .current_dir(&self.dir)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            // What a clone has left out it would fetch by programs that its own settings name; the API has it, too.
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let ran = deadline.bound(command.output()).await;
        let output = ran
            .map_err(|passed| format!("git: {passed}"))?
            .map_err(|error| format!("git: {error}"))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = one_line(said.lines().next().unwrap_or_default());
        Err(if said.is_empty() {
            format!("git {}: {}", words[0], output.status)
        } else {
            format!("git {}: {said}", words[0])
        })
    }

    async fn word(&self, words: &[&str], deadline: Deadline) -> Result<String, String> {
        let out = self.run(words, deadline).await?;
        Ok(String::from_utf8_lossy(&out).trim().to_owned())
    }

    /// The commit that is checked out.
    pub async fn head(&self, deadline: Deadline) -> Option<String> {
        let head = ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"];
        self.word(&head, deadline).await.ok()
    }

    /// The commit that a branch of the remote is at.
    ///
    /// # Errors
    /// A text, where it is not there.
    pub async fn branch(&self, name: &str, deadline: Deadline) -> Result<String, String> {
        let revision = format!("refs/remotes/origin/{name}^{{commit}}");
        let found = self
            .word(&["rev-parse", "--verify", "--quiet", &revision], deadline)
            .await;
        found.map_err(|_| format!("this clone has no branch origin/{}", name.escape_debug()))
    }

    async fn has(&self, commit: &str, deadline: Deadline) -> Result<(), String> {
        let object = format!("{commit}^{{commit}}");
        let found = self.run(&["cat-file", "-e", &object], deadline).await;
        found.map(drop).map_err(|said| {
            if said.contains("Not a valid object name") {
                format!("this clone has no commit {commit}")
            } else {
                said
            }
        })
    }

    /// Where two commits parted.
    ///
    /// # Errors
    /// A text; always in a shallow clone, which may know of an older commit than the last that both have.
    pub async fn parted(
        &self,
        base: &str,
        head: &str,
        deadline: Deadline,
    ) -> Result<String, String> {
        let shallow = self
            .word(&["rev-parse", "--is-shallow-repository"], deadline)
            .await?;
        if shallow != "false" {
            return Err("this clone is shallow".to_owned());
        }
        self.has(base, deadline).await?;
        self.has(head, deadline).await?;
        let found = self.word(&["merge-base", base, head], deadline).await;
        found.map_err(|_| format!("{base} and {head} have no commit in common"))
    }

    /// The files in which two commits differ; of one that was moved both names.
    ///
    /// # Errors
    /// A text, where one of the two is not there.
    pub async fn between(
        &self,
        before: &str,
        after: &str,
        deadline: Deadline,
    ) -> Result<BTreeSet<String>, String> {
        self.has(before, deadline).await?;
        self.has(after, deadline).await?;
        let words = [
            "diff-tree",
            "-r",
            "-z",
            "--name-only",
            "--no-renames",
            before,
            after,
            "--",
        ];
        let out = self.run(&words, deadline).await?;
        let names = out.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        Ok(names
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect())
    }

    /// A file as a commit has it; `None` where the commit has none of that name.
    ///
    /// # Errors
    /// A text, where the commit is not there.
    pub async fn file(
        &self,
        commit: &str,
        path: &str,
        deadline: Deadline,
    ) -> Result<Option<Vec<u8>>, String> {
        self.has(commit, deadline).await?;
        // Literal: the path is no pattern.
        let list = [
            "--literal-pathspecs",
            "ls-tree",
            "-z",
            "--full-tree",
            commit,
            "--",
            path,
        ];
        if self.run(&list, deadline).await?.is_empty() {
            return Ok(None);
        }
        let object = format!("{commit}:{path}");
        self.run(&["cat-file", "blob", &object], deadline)
            .await
            .map(Some)
    }
}
