//! `run-mnist-notebook-job` with `run-on: runner`: a test as a process of this machine, against a server in this process.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use axum::{Json, Router, routing::get};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::it::support::{
    self,
    aws::{eventually, signal},
    step::outputs,
};

mod notebooks;
mod theirs;

/// A directory with tests, and a server that the stage finds.
struct Machine {
    dir: TempDir,
    _server: tokio::runtime::Runtime,
}

/// A stage that has ended.
struct Ended {
    code: i32,
    log: String,
    took: Duration,
    outputs: std::collections::BTreeMap<String, String>,
}

impl Machine {
    fn new() -> Self {
        let server = tokio::runtime::Runtime::new().unwrap();
        let version = json!({"major": "1", "minor": "35", "gitVersion": "v1.35.0", "gitCommit": "",
            "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "", "platform": ""});
        let router = Router::new().route("/version", get(|| async { Json(version) }));
        let listening = tokio::net::TcpListener::bind("127.0.0.1:0");
        let listener = server.block_on(listening).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        server.spawn(async move { axum::serve(listener, router).await });
        let dir = tempfile::tempdir().unwrap();
        let kubeconfig = json!({
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {}}],
        });
        fs::write(dir.path().join("kubeconfig"), kubeconfig.to_string()).unwrap();
        Self {
            dir,
            _server: server,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn start(&self, inputs: &[(&str, &str)]) -> Child {
        let log = fs::File::create(self.path("log")).unwrap();
        let _first = fs::remove_file(self.path("output"));
        Command::new(support::binary())
            .arg("run-mnist-notebook-job")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.dir.path())
            .env("RUNNER_TEMP", self.dir.path())
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_OUTPUT", self.path("output"))
            .env("INPUT_RUN_ON", "runner")
            .env("INPUT_KUBECONFIG", self.path("kubeconfig"))
            .envs(inputs.iter().copied())
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stderr(log.try_clone().unwrap())
            .stdout(log)
            .spawn()
            .unwrap()
    }

    fn run(&self, inputs: &[(&str, &str)]) -> Ended {
        let began = Instant::now();
        self.end(self.start(inputs), began)
    }

    fn end(&self, mut child: Child, began: Instant) -> Ended {
        Ended {
            code: child.wait().unwrap().code().unwrap_or(-1),
            log: self.text("log"),
            took: began.elapsed(),
            outputs: outputs(self.dir.path()),
        }
    }

    /// The processes that a test has noted in `pids`, once there are so many.
    fn noted(&self, count: usize) -> Vec<String> {
        eventually("the processes of the test", Duration::from_secs(30), || {
            let text = self.text("pids");
            let all: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            (text.ends_with('\n') && all.len() >= count).then_some(all)
        })
    }
}

impl Ended {
    #[track_caller]
    fn ends_with(&self, code: i32) {
        assert_eq!(self.code, code, "{}", self.log);
    }

    fn file(&self, output: &str) -> String {
        fs::read_to_string(&self.outputs[output]).unwrap()
    }
}

/// Whether a process is there, and not only waits to be buried.
fn lives(pid: &String) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    !state.is_empty() && !state.starts_with(['Z', 'X'])
}

/// Starts one process in the group of the test and one in a session of its own, which both heed no request to end.
const STARTS: &str =
    "trap '' TERM\nsleep 300 & one=$!\nsetsid sleep 300 & two=$!\necho $$ $one $two >pids\n";

#[test]
fn a_test_gets_what_it_needs_and_no_credential() {
    let machine = Machine::new();
    fs::write(machine.path("beside"), "world").unwrap();
    let script = machine.write(
        "fails.sh",
        "echo \"hello $(cat beside)\"\nenv | sed 's/=.*//' | sort >names\nenv >all\necho \"$WHO\"\nexit 7\n",
    );
    let ended = machine.run(&[
        ("INPUT_SCRIPT", &script),
        ("INPUT_PARAMETERS", "WHO=me"),
        ("INPUT_JOB_KEY", "hush-1"),
        ("AWS_SECRET_ACCESS_KEY", "hush-2"),
        ("GITHUB_TOKEN", "hush-3"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "hush-4"),
        ("MY_PASSWORD", "hush-5"),
        ("LC_ALL", "C.UTF-8"),
        ("LC_TIME", "C"),
        ("https_proxy", ""),
        ("NO_PROXY", "*"),
        ("PYTHONPATH", "lib"),
    ]);
    ended.ends_with(1);
    assert_eq!(ended.outputs["failure"], "fails ended with code 7");
    assert_eq!(ended.outputs["verdict"], "failed");
    let junit = ended.file("junit");
    assert!(junit.contains("hello world\nme"), "{junit}");
    assert!(ended.log.contains("| hello world\n"), "{}", ended.log);
    let names = machine.text("names");
    let names: BTreeSet<&str> = names
        .lines()
        .filter(|name| !name.starts_with("MANIFESTS_E2E_"))
        .collect();
    // The last three are the shell's own.
    let wanted = [
        "HOME",
        "KUBECONFIG",
        "LC_ALL",
        "LC_TIME",
        "NO_PROXY",
        "PATH",
        "PYTHONPATH",
        "PYTHONUNBUFFERED",
        "WHO",
        "PWD",
        "SHLVL",
        "_",
        "OLDPWD",
    ];
    let others: Vec<_> = names.iter().filter(|name| !wanted.contains(name)).collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(
        wanted[..9].iter().all(|name| names.contains(name)),
        "{names:?}"
    );
    let all = machine.text("all");
    assert!(!all.contains("hush"), "{all}");
    let kubeconfig = machine.path("kubeconfig");
    assert!(all.contains(&format!("KUBECONFIG={}\n", kubeconfig.display())));
    let left: Vec<_> = fs::read_dir(machine.path("manifests-e2e"))
        .unwrap()
        .filter(|it| {
            it.as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with("test-")
        })
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_a_test_has_started_ends_with_it_and_does_not_keep_the_stage() {
    let machine = Machine::new();
    let script = machine.write("passes.sh", &format!("{STARTS}echo done\n"));
    let ended = machine.run(&[("INPUT_SCRIPT", &script)]);
    ended.ends_with(0);
    assert!(ended.took < Duration::from_secs(20), "{:?}", ended.took);
    let left: Vec<String> = machine.noted(3).into_iter().filter(lives).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(ended.file("junit").contains("failures=\"0\""));
}

#[test]
fn at_the_limit_the_whole_test_ends_and_what_it_said_is_kept() {
    let machine = Machine::new();
    let script = machine.write(
        "hangs.sh",
        &format!("{STARTS}echo begun\nwhile :; do sleep 1; done\n"),
    );
    let ended = machine.run(&[("INPUT_SCRIPT", &script), ("INPUT_TIMEOUT", "8s")]);
    ended.ends_with(124);
    assert!(ended.took < Duration::from_secs(12), "{:?}", ended.took);
    let left: Vec<String> = machine.noted(3).into_iter().filter(lives).collect();
    assert!(left.is_empty(), "{left:?}");
    let junit = ended.file("junit");
    assert!(
        junit.contains("type=\"NotDone\"") && junit.contains("begun"),
        "{junit}"
    );
}

#[test]
fn what_keeps_a_test_from_beginning_here_is_no_failure_of_it() {
    let machine = Machine::new();
    let script = machine.write("passes.sh", "echo done\n");
    let ended = machine.run(&[("INPUT_SCRIPT", &script), ("PATH", "/nowhere")]);
    ended.ends_with(3);
    assert_eq!(ended.outputs["verdict"], "error");
    let failure = &ended.outputs["failure"];
    assert!(failure.contains("could not begin: sh: "), "{failure}");
}

#[test]
fn a_stage_that_is_cancelled_ends_its_test() {
    let machine = Machine::new();
    let script = machine.write(
        "hangs.sh",
        &format!("{STARTS}wait\nwhile :; do sleep 1; done\n"),
    );
    let child = machine.start(&[("INPUT_SCRIPT", &script)]);
    let noted = machine.noted(3);
    assert!(noted.iter().all(lives));
    let began = Instant::now();
    signal(&child, Signal::TERM);
    let ended = machine.end(child, began);
    ended.ends_with(130);
    assert!(ended.took < Duration::from_secs(3), "{:?}", ended.took);
    let gone = || (!noted.iter().any(lives)).then_some(());
    eventually("the end of the test", Duration::from_secs(15), gone);
}

#[test]
fn a_stage_that_is_killed_ends_its_test_all_the_same() {
    let machine = Machine::new();
    let script = machine.write("hangs.sh", &format!("{STARTS}while :; do sleep 1; done\n"));
    let mut child = machine.start(&[("INPUT_SCRIPT", &script)]);
    let noted = machine.noted(3);
    assert!(noted.iter().all(lives));
    child.kill().unwrap();
    child.wait().unwrap();
    let gone = || (!noted.iter().any(lives)).then_some(());
    eventually("the end of the test", Duration::from_secs(15), gone);
}

#[test]
fn a_python_script_runs_where_it_lies_and_requirements_are_its_own() {
    let machine = Machine::new();
    machine.write("beside.py", "what = 'beside'\n");
    let wheel = wheel(machine.dir.path());
    let script = machine.write(
        "test.py",
        "import beside, demo, sys\nprint(beside.what, demo.what, sys.prefix != sys.base_prefix)\n",
    );
    let ended = machine.run(&[("INPUT_SCRIPT", &script), ("INPUT_REQUIREMENTS", &wheel)]);
    ended.ends_with(0);
    assert!(
        ended.log.contains("| beside of the wheel True\n"),
        "{}",
        ended.log
    );
    let own = Command::new("python3").args(["-c", "import demo"]).output();
    assert!(
        !own.unwrap().status.success(),
        "it is in the machine's own Python"
    );
    let absent = machine.run(&[("INPUT_SCRIPT", &script), ("INPUT_PYTHON", "python9")]);
    absent.ends_with(3);
    let failure = &absent.outputs["failure"];
    assert!(failure.contains("this machine has no python9"), "{failure}");
}

/// A package that pip installs without an index.
fn wheel(dir: &Path) -> String {
    let path = dir.join("demo-1.0-py3-none-any.whl");
    let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap());
    let record = "demo.py,,\ndemo-1.0.dist-info/METADATA,,\ndemo-1.0.dist-info/WHEEL,,\ndemo-1.0.dist-info/RECORD,,\n";
    for (name, text) in [
        ("demo.py", "what = 'of the wheel'\n"),
        (
            "demo-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
        ),
        (
            "demo-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        ),
        ("demo-1.0.dist-info/RECORD", record),
    ] {
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(name, options).unwrap();
        std::io::Write::write_all(&mut zip, text.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn an_input_of_the_other_place_is_refused() {
    let machine = Machine::new();
    let script = machine.write("passes.sh", "echo done\n");
    for (place, input, value) in [
        ("job", "python", "python3"),
        ("job", "forward", "svc/a :80"),
        ("runner", "pod-patch", "spec: {nodeName: a}"),
        ("runner", "service-account", "a"),
        ("runner", "forward", "svc/a"),
    ] {
        let variable = manifests_e2e::inputs::variable(input);
        let inputs = [
            ("INPUT_SCRIPT", script.as_str()),
            ("INPUT_RUN_ON", place),
            (&variable, value),
        ];
        let ended = machine.run(&inputs);
        ended.ends_with(2);
        assert!(ended.outputs["failure"].contains(input), "{}", ended.log);
    }
}
