//! `publish` as a step runs it, against a GitHub that remembers.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

mod chain;
mod comment;
mod commits;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

use manifests_e2e::stages::Stage;
use serde_json::{Value, json};
use tempfile::TempDir;
use zip::{ZipWriter, write::SimpleFileOptions};

use super::support::{
    github::forge::Forge,
    step::{Step, outputs},
};

const HEAD: &str = "1234567890abcdef1234567890abcdef12345678";
/// Text that a shell, a runner, Markdown or a person would take for more than text.
const HOSTILE: &str = "$(touch pwned)`touch pwned`;touch pwned;#\"'\n::set-output name=state::success\n@everyone <img src=x> -->";

/// A job of run 42 that publishes.
struct Job {
    dir: TempDir,
    vars: Vec<(&'static str, String)>,
}

/// How it ended.
struct Published {
    code: Option<i32>,
    said: String,
    outputs: BTreeMap<String, String>,
    dir: TempDir,
}

impl Job {
    /// On the pull request 7.
    fn on(forge: &Forge) -> Self {
        let pull = json!({
            "number": 7, "title": HOSTILE, "user": {"login": HOSTILE},
            "head": {"sha": HEAD, "ref": HOSTILE}, "base": {"sha": "9".repeat(40), "ref": "main"},
        });
        let dir = TempDir::new().unwrap();
        let event = dir.path().join("event.json");
        fs::write(
            &event,
            json!({"action": "opened", "pull_request": pull}).to_string(),
        )
        .unwrap();
        let job = Self {
            dir,
            vars: Vec::new(),
        };
        let event = event.to_str().unwrap().to_owned();
        job.with("GITHUB_API_URL", &forge.url)
            .with("GITHUB_TOKEN", "token")
            .with("GITHUB_EVENT_NAME", "pull_request")
            .with("GITHUB_EVENT_PATH", event)
            .with("GITHUB_HEAD_REF", HOSTILE)
            .with("GITHUB_WORKFLOW", "e2e")
            .with("GITHUB_SHA", "8".repeat(40))
            .with("GITHUB_RUN_ATTEMPT", "1")
            .with("JOB_STATUS", "success")
            .with("INPUT_TIMEOUT", "18s")
            .run_of(42)
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.vars.push((name, value.into()));
        self
    }

    fn run_of(self, id: u64) -> Self {
        self.with("GITHUB_RUN_ID", id.to_string())
    }

    /// With stages that ended so in this job.
    fn after(self, stages: &[(&str, Option<u8>, &str)]) -> Self {
        let path = self.dir.path().join("manifests-e2e");
        fs::create_dir_all(&path).unwrap();
        let last = |name: &str| {
            let mut all = self.vars.iter().rev();
            all.find(|(known, _)| *known == name).unwrap().1.clone()
        };
        let run = last("GITHUB_RUN_ID");
        let attempt: u32 = last("GITHUB_RUN_ATTEMPT").parse().unwrap();
        let record = json!({
            "version": 1,
            "run": {
                "id": format!("7-{run}"), "job": "e2e-1", "attempt": attempt, "repository": "o/r",
                "url": format!("https://github.com/o/r/actions/runs/{run}"), "actor": null,
                "execution": {"job": "e2e"},
            },
            "stages": records(stages),
        });
        fs::write(path.join("record.json"), record.to_string()).unwrap();
        self
    }

    /// With what gather-logs has left.
    fn gathered(self, because: &Value) -> Self {
        let path = self.dir.path().join("manifests-e2e/gathered");
        fs::create_dir_all(&path).unwrap();
        bundle(&path, because, &[]);
        self
    }

    /// Another step of this job, and how it ended.
    fn step(&self, stage: Stage, more: &[(&str, &str)]) -> Option<i32> {
        let vars: Vec<(&str, &str)> = [self.vars().as_slice(), more].concat();
        Step::of(stage).run(self.dir.path(), &vars).status.code()
    }

    fn vars(&self) -> Vec<(&str, &str)> {
        let vars = self.vars.iter();
        vars.map(|(name, value)| (*name, value.as_str())).collect()
    }

    fn run(self) -> Published {
        let output = Step::of(Stage::Publish).run(self.dir.path(), &self.vars());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Published {
            code: output.status.code(),
            said: text(&output.stderr) + &text(&output.stdout),
            outputs: outputs(self.dir.path()),
            dir: self.dir,
        }
    }
}

impl Published {
    /// That it ended well, whatever GitHub did.
    fn passed(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.said);
        self
    }

    fn refused(&self, part: &str) {
        assert_eq!(self.code, Some(2), "{}", self.said);
        assert!(self.said.contains(part), "{part}: {}", self.said);
    }
}

fn records(stages: &[(&str, Option<u8>, &str)]) -> Vec<Value> {
    let one = |(stage, exit, cause): &(&str, Option<u8>, &str)| json!({"stage": stage, "started": "2026-11-29T10:00:00Z", "exit": exit, "cause": cause});
    stages.iter().map(one).collect()
}

/// A bundle as gather-logs leaves it.
fn bundle(directory: &Path, because: &Value, stages: &[(&str, Option<u8>, &str)]) -> PathBuf {
    let path = directory.join("e2e.zip");
    let mut zip = ZipWriter::new(File::create(&path).unwrap());
    let report = json!({"verdict": "failed", "because": because, "also_seen": []});
    let stages = json!({"stages": records(stages)});
    for (name, text) in [("report.json", report), ("artifacts/stages.json", stages)] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.to_string().as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    path
}

const DEPLOYED: (&str, Option<u8>, &str) = ("deploy-manifests", Some(0), "");
const FAILED: (&str, Option<u8>, &str) = (
    "deploy-manifests",
    Some(1),
    "Deployment sample/web is not ready",
);

fn crash() -> Value {
    json!([{"class": "CrashLoop", "affects": ["Deployment sample/web"], "cause": "exit code 1", "evidence": [], "below": []}])
}
