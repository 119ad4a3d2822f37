//! What the tests of `provision-ec2` and `teardown` share: the binary as a step of one job, and the sandbox's cloud.
//!
//! The cloud is shared: a test has a run of its own and looks only at what carries its tag.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

mod client;

use std::{
    ffi::OsStr,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use self::client::{cloud, volume, volume_of};
use crate::it::support::{binary, within};

/// A job: its environment and its state directory.
pub(crate) struct Job {
    pub(crate) run: String,
    name: &'static str,
    temp: TempDir,
    extra: Vec<(String, String)>,
}

impl Job {
    /// A job of a run that nobody else has.
    pub(crate) fn new() -> Self {
        Self::of(&format!("{}", rand::random::<u32>()), "e2e")
    }

    /// A job of that run with an empty state directory. Two of one run and name are one execution of a job, whose record
    /// was lost in between: a runner gives all its steps one id. Two names are two executions.
    pub(crate) fn of(run: &str, name: &'static str) -> Self {
        Self {
            run: run.to_owned(),
            name,
            temp: tempfile::tempdir().unwrap(),
            extra: Vec::new(),
        }
    }

    /// With one more variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.extra.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Its teardown is clean, and nothing of it is left.
    pub(crate) fn ends_clean(&self) {
        self.step(&["teardown"]).exits(0);
        assert_eq!(left(&self.tag()), Vec::<String>::new());
    }

    /// The run as its tags have it.
    pub(crate) fn tag(&self) -> String {
        format!("7-{}", self.run)
    }

    /// A file of the runner's temporary directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    /// The record as it is on disk now.
    pub(crate) fn record(&self) -> Value {
        let text = std::fs::read(self.path("manifests-e2e/record.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    fn command(&self, words: &[&str]) -> Command {
        self.command_of(binary(), words)
    }

    fn command_of(&self, program: impl AsRef<OsStr>, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        let own =
            |name: &str| name == "PATH" || name == "INPUT_SSH_CIDR" || name.starts_with("AWS_");
        command
            .args(words)
            .env_clear()
            .envs(std::env::vars().filter(|(name, _)| own(name)))
            .env("HOME", self.temp.path())
            .env("RUNNER_TEMP", self.temp.path())
            .env("GITHUB_REPOSITORY", "o/r")
            .env("GITHUB_REPOSITORY_ID", "7")
            .env("GITHUB_RUN_ID", &self.run)
            .env("GITHUB_JOB", self.name)
            .env(
                "RUNNER_TRACKING_ID",
                format!("github_{}-{}", self.run, self.name),
            )
            .env("GITHUB_OUTPUT", self.path("output"))
            .env("GITHUB_STEP_SUMMARY", self.path("summary"))
            .envs(self.extra.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn step(&self, words: &[&str]) -> Step {
        Step::of(self.command(words))
    }

    /// As [`Self::step`], where a file is everybody's unless something is done about it.
    pub(crate) fn loosely(&self, words: &[&str]) -> Step {
        let program = binary();
        let program = program.to_str().unwrap();
        let words = [&["-c", "umask 000; exec \"$0\" \"$@\"", program], words].concat();
        Step::of(self.command_of("bash", &words))
    }

    /// A program of the caller's own choice, as a shell would run it beside the job.
    pub(crate) fn shell(&self, line: &str) -> Output {
        Command::new("bash")
            .args(["-c", line])
            .current_dir(self.temp.path())
            .output()
            .unwrap()
    }

    /// Starts the binary.
    pub(crate) fn start(&self, words: &[&str]) -> Child {
        let mut command = self.command(words);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Starts the binary; what it says is in the file `said`.
    pub(crate) fn start_aloud(&self, words: &[&str]) -> Child {
        let mut command = self.command(words);
        let said = std::fs::File::create(self.path("said")).unwrap();
        command.stdout(Stdio::null()).stderr(said);
        command.spawn().unwrap()
    }

    /// What the step of [`Self::start_aloud`] has said.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.path("said")).unwrap_or_default()
    }

    /// A record of this job in which `provision-ec2` has launched in us-east-1, with more about the launch and its steps.
    pub(crate) fn has_launched(&self, launch: &Value, steps: &Value) {
        let mut record = json!({
            "version": 1,
            "run": {"id": self.tag(), "job": self.name, "attempt": 1, "repository": "o/r", "url": null, "actor": null},
            "launch": {"provider": "ec2", "region": "us-east-1"},
            "steps": steps,
            "stages": [{"stage": "provision-ec2", "started": "2026-11-21T12:00:00Z"}],
        });
        let more = launch.as_object().cloned().unwrap_or_default();
        record["launch"].as_object_mut().unwrap().extend(more);
        let state = self.path("manifests-e2e");
        std::fs::create_dir(&state).unwrap();
        std::fs::write(state.join("record.json"), record.to_string()).unwrap();
    }

    /// An output of the steps so far.
    pub(crate) fn output(&self, name: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.path("output")).ok()?;
        let (_, rest) = text.rsplit_once(&format!("{name}<<"))?;
        rest.lines().nth(1).map(str::to_owned)
    }

    /// The job summary.
    pub(crate) fn summary(&self) -> String {
        std::fs::read_to_string(self.path("summary")).unwrap_or_default()
    }
}

/// How a step ended.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) code: Option<i32>,
    /// On both streams, without what a runner is told to mask.
    pub(crate) said: String,
    /// Commands to the runner, among others.
    pub(crate) printed: String,
}

impl Step {
    fn of(mut command: Command) -> Self {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap();
        let printed = String::from_utf8_lossy(&stdout).into_owned();
        let said = String::from_utf8_lossy(&stderr).into_owned();
        let shown = printed
            .lines()
            .filter(|line| !line.starts_with("::add-mask::"));
        Self {
            code: status.code(),
            said: shown.fold(said, |said, line| said + line + "\n"),
            printed,
        }
    }

    /// Asserts the exit code, and shows what was said where it is another.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.said);
        self
    }

    /// Asserts that a text was said.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.said.contains(text),
            "`{text}` is not in:\n{}",
            self.said
        );
        self
    }
}

/// Does something with each, four at a time as the sandbox's two cores bear it; fails where one of them does.
pub(crate) fn at_once<T: Send>(all: impl IntoIterator<Item = T>, each: impl Fn(T) + Sync) {
    let queue: Mutex<Vec<T>> = Mutex::new(all.into_iter().collect());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
                while let Some(one) = next() {
                    each(one);
                }
            });
        }
    });
}

/// Looks until something is there, for a minute.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a test outside of tokio")]
pub(crate) fn eventually<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let (started, limit) = (Instant::now(), within(limit));
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Instances of a run that are not terminated.
pub(crate) fn living(tag: &str) -> Vec<Value> {
    let filters = json!([{"Name": "tag:manifests-e2e/run", "Values": [tag]}]);
    let answer = cloud("describe_instances", json!({"Filters": filters}));
    let reservations = answer["Reservations"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    reservations
        .iter()
        .flat_map(|reservation| {
            reservation["Instances"]
                .as_array()
                .cloned()
                .unwrap_or_default()
        })
        .filter(|instance| instance["State"]["Name"] != "terminated")
        .collect()
}

/// A tag of an instance, a group, a volume or an interface.
pub(crate) fn tag_of(id: &str, name: &str) -> Option<String> {
    let filters = json!([{"Name": "resource-id", "Values": [id]}]);
    let answer = cloud("describe_tags", json!({"Filters": filters}));
    let tags = answer["Tags"].as_array().cloned().unwrap_or_default();
    let key = format!("manifests-e2e/{name}");
    let tag = tags.iter().find(|tag| tag["Key"] == key.as_str())?;
    tag["Value"].as_str().map(str::to_owned)
}

/// Everything that carries the tag of a run, in a few words each.
pub(crate) fn left(tag: &str) -> Vec<String> {
    let filters = json!({"Filters": [{"Name": "tag:manifests-e2e/run", "Values": [tag]}]});
    let mut left: Vec<String> = living(tag)
        .iter()
        .map(|one| one["InstanceId"].to_string())
        .collect();
    for (call, list, id) in [
        ("describe_security_groups", "SecurityGroups", "GroupId"),
        ("describe_volumes", "Volumes", "VolumeId"),
        (
            "describe_network_interfaces",
            "NetworkInterfaces",
            "NetworkInterfaceId",
        ),
    ] {
        let answer = cloud(call, filters.clone());
        let found = answer[list].as_array().cloned().unwrap_or_default();
        left.extend(found.iter().map(|one| one[id].to_string()));
    }
    left
}

/// Sets a fault for the requests of one run, beside those that others have set.
pub(crate) fn fault(mut fault: Value, tag: &str) {
    fault["match"]["TagSpecification.1.Tag.1.Value"] = json!(tag);
    fault_of(fault);
}

/// Sets a fault whose `match` names what nobody else asks for.
pub(crate) fn fault_of(fault: Value) {
    // Two who read and write the list at once would lose a fault, and pass without it.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let url = format!(
        "{}/sandbox/faults",
        std::env::var("AWS_ENDPOINT_URL").unwrap()
    );
    let set: Vec<Value> =
        serde_json::from_slice(&curl(&["-X", "POST", &url, "-d", &fault.to_string()])).unwrap();
    let action = Some(fault).map(|mut fault| fault["action"].take());
    assert_eq!(
        set.last().map(|last| last["action"].clone()),
        action,
        "the cloud runs older code: `down cloud`, then `up`"
    );
}

/// Lets an access key do what a policy says, and nothing else.
pub(crate) fn permit(key: &str, policy: &Value) {
    let url = format!(
        "{}/sandbox/policies",
        std::env::var("AWS_ENDPOINT_URL").unwrap()
    );
    let policies = json!({key: policy}).to_string();
    curl(&["-X", "PUT", &url, "-d", &policies]);
}

fn curl(words: &[&str]) -> Vec<u8> {
    let output = Command::new("curl")
        .arg("-fsS")
        .args(words)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Sends a signal.
pub(crate) fn signal(child: &Child, signal: rustix::process::Signal) {
    let id = i32::try_from(child.id()).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(id).unwrap(), signal).unwrap();
}

/// Every request that the cloud has seen, as JSON.
pub(crate) fn calls() -> String {
    let url = format!(
        "{}/sandbox/calls",
        std::env::var("AWS_ENDPOINT_URL").unwrap()
    );
    String::from_utf8(curl(&[&url])).unwrap()
}

/// A job that makes clusters as the sandbox can.
pub(crate) fn with_sandbox(job: Job) -> Job {
    ["INPUT_NODE_IMAGE", "INPUT_REGISTRY_MIRRORS"]
        .into_iter()
        .fold(job, |job, name| {
            job.with(name, &std::env::var(name).unwrap_or_default())
        })
        .with("INPUT_TOOLS_DIR", &tools())
}

/// Where the sandbox's own kind is.
fn tools() -> String {
    let path = std::env::var_os("PATH").unwrap();
    let mut dirs = std::env::split_paths(&path);
    let dir = dirs.find(|dir| dir.join("kind").exists()).unwrap();
    dir.to_str().unwrap().to_owned()
}
