//! The program that runs a notebook, without a cluster: on this machine, with nbclient and a kernel, as in the pod.

mod cells;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use manifests_e2e::{
    inputs::Pairs,
    notebook::{
        junit::{Case, Outcome, cases},
        results::assembled,
        source::Source,
    },
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::it::support;

/// A notebook that runs, and what it leaves.
struct Running {
    dir: TempDir,
    child: Child,
}

/// What it left.
struct Ended {
    code: i32,
    log: String,
    last_word: String,
    notebook: Value,
    cases: Vec<Case>,
}

fn cell(source: &str) -> Value {
    json!({ "cell_type": "code", "metadata": {}, "outputs": [], "execution_count": null, "source": source })
}

fn tagged(source: &str, tag: &str) -> Value {
    let mut cell = cell(source);
    cell["metadata"]["tags"] = json!([tag]);
    cell
}

/// Python with nbclient, of the sandbox.
fn python() -> PathBuf {
    let cache = std::env::var_os("SANDBOX_CACHE").expect("the sandbox is up");
    Path::new(&cache).join("venv/bin/python")
}

impl Running {
    fn begin(metadata: &Value, cells: &[Value], env: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory can be made");
        let file = dir.path().join("x.ipynb");
        let notebook =
            json!({ "nbformat": 4, "nbformat_minor": 4, "metadata": metadata, "cells": cells });
        fs::write(&file, notebook.to_string()).expect("the disk has room");
        let source = Source::read(Some(&file), None, &Pairs::default()).expect("it can be a test");
        for part in ["in", "work"] {
            fs::create_dir(dir.path().join(part)).expect("the disk has room");
        }
        for (name, bytes) in &source.files {
            fs::write(dir.path().join("in").join(name), bytes).expect("the disk has room");
        }
        for name in ["driver.py", "cells.py"] {
            let from = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("src/notebook")
                .join(name);
            fs::copy(from, dir.path().join("in").join(name)).expect("the disk has room");
        }
        let log = fs::File::create(dir.path().join("log")).expect("the disk has room");
        let child = Command::new(python())
            .arg(dir.path().join("in/driver.py"))
            .current_dir(dir.path().join("work"))
            .env("MANIFESTS_E2E_INPUT", dir.path().join("in"))
            .env("MANIFESTS_E2E_WORK", dir.path().join("work"))
            .env("MANIFESTS_E2E_TERMINATION", dir.path().join("last-word"))
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stderr(log.try_clone().expect("a file can be shared"))
            .stdout(log)
            .spawn()
            .expect("the sandbox has Python with nbclient");
        Self { dir, child }
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.dir.path().join(name)).unwrap_or_default()
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&self.read(name)).into_owned()
    }

    /// Waits until its log has this.
    fn until(&self, text: &str) {
        support::aws::eventually("the log of the notebook", Duration::from_mins(1), || {
            self.text("log").contains(text).then_some(())
        });
    }

    fn end(mut self) -> Ended {
        let code = self
            .child
            .wait()
            .expect("it was started")
            .code()
            .unwrap_or(-1);
        let mut bytes = self.read("work/.manifests-e2e/executed.jsonl");
        bytes.extend(self.read("work/.manifests-e2e/running.json"));
        bytes.extend(b"\"end\"\n");
        let notebook = assembled(&bytes).unwrap_or_default();
        Ended {
            code,
            log: self.text("log"),
            last_word: self.text("last-word"),
            cases: cases(&notebook, "it did not end"),
            notebook,
        }
    }
}

impl Ended {
    fn of(cells: &[Value]) -> Self {
        Running::begin(&json!({}), cells, &[]).end()
    }

    /// How each case went, in a word.
    fn outcomes(&self) -> Vec<String> {
        let word = |case: &Case| match &case.outcome {
            Outcome::Passed => "passed".to_owned(),
            Outcome::Failed { kind, .. } => kind.clone(),
            other => format!("{other:?}"),
        };
        self.cases.iter().map(word).collect()
    }

    fn traceback(&self) -> &str {
        let failed = self.cases.iter().find_map(|case| match &case.outcome {
            Outcome::Failed { traceback, .. } => Some(traceback.as_str()),
            _ => None,
        });
        failed.unwrap_or_default()
    }

    #[track_caller]
    fn ends_with(&self, code: i32, outcomes: &[&str]) {
        assert_eq!(
            (self.code, self.outcomes()),
            (code, outcomes.iter().map(|it| (*it).to_owned()).collect()),
            "{}",
            self.log
        );
    }
}

#[test]
fn sandbox_a_kernel_that_dies_says_of_what() {
    let Some(_turn) = support::sandbox(support::Lane::Cluster) else {
        return;
    };
    for (source, how) in [
        (
            "import os, time\nprint('bye', flush=True)\ntime.sleep(1)\nos._exit(3)",
            "ended with exit code 3",
        ),
        (
            "import os, time\nprint('bye', flush=True)\ntime.sleep(1)\nos.kill(os.getpid(), 9)",
            "was killed by signal 9 (SIGKILL)",
        ),
    ] {
        // No cell is meant to end its kernel.
        let ended = Ended::of(&[tagged(source, "raises-exception"), cell("1")]);
        ended.ends_with(1, &["DeadKernelError", "NotRun"]);
        assert!(
            ended
                .last_word
                .ends_with(&format!("DeadKernelError: the kernel {how}")),
            "{}",
            ended.last_word
        );
        assert!(
            ended.cases[0].output.contains("bye"),
            "{:?}",
            ended.cases[0]
        );
    }
    let ended = Ended::of(&[cell("raise MemoryError")]);
    ended.ends_with(1, &["MemoryError"]);
    assert!(
        ended.last_word.ends_with(": MemoryError"),
        "{}",
        ended.last_word
    );
}

#[test]
fn sandbox_a_cell_beyond_its_limit_shows_where_it_hangs() {
    let Some(_turn) = support::sandbox(support::Lane::Cluster) else {
        return;
    };
    let limit = [("MANIFESTS_E2E_CELL_TIMEOUT", "2")];
    let hangs = cell("import time\ndef wait():\n    time.sleep(600)\nwait()");
    let begin = |cells: &[Value]| Running::begin(&json!({}), cells, &limit).end();
    let ended = begin(&[cell("1"), hangs, cell("2")]);
    ended.ends_with(1, &["passed", "CellTimeout", "NotRun"]);
    assert!(
        ended.traceback().contains("time.sleep(600)"),
        "{}",
        ended.traceback()
    );
    assert!(
        ended.last_word.ends_with("CellTimeout: not done within 2s"),
        "{}",
        ended.last_word
    );
    // One that heeds no interrupt is quoted.
    let deaf = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(600)";
    let ended = begin(&[cell(deaf)]);
    ended.ends_with(1, &["CellTimeout"]);
    assert!(
        ended.traceback().contains("did not heed") && ended.traceback().contains("time.sleep(600)")
    );
}

#[test]
fn sandbox_of_a_flood_nothing_is_lost_in_silence() {
    let Some(_turn) = support::sandbox(support::Lane::Cluster) else {
        return;
    };
    let ended = Ended::of(&[
        // More messages than the kernel's end of the queue holds, and one stream of many pieces.
        cell("import sys\nfor i in range(10_000): print('o%d' % i, flush=True)\nprint('LAST')"),
        cell("for i in range(5000): print('o%d' % i); print('e%d' % i, file=sys.stderr)"),
        cell("print('begin'); print(('z' * 999 + '\\n') * 40_000); print('end')"),
        cell("for i in range(300): print('%d' % i * 100_000)"),
        cell("print('y' * 20_000_000, end='END\\n')"),
    ]);
    ended.ends_with(0, &["passed"; 5]);
    let [many, pairs, large, _, one_line] = ended.cases.as_slice() else {
        panic!("five cases")
    };
    let all: Vec<String> = (0..10_000).map(|i| format!("o{i}\n")).collect();
    let all = all.concat();
    assert!(many.output == all + "LAST\n", "{}", many.output.len());
    assert!(pairs.output.contains("o4999\n") && pairs.output.contains("e4999\n"));
    assert!(large.output.starts_with("begin\n") && large.output.ends_with("\nend\n"));
    assert!(
        large.output.len() < 18 << 20 && large.output.contains(" characters are left out here]\n")
    );
    assert!(ended.log.len() < 26 << 20 && ended.log.contains(" characters are not shown here]"));
    assert!(one_line.output.len() > 16 << 20 && one_line.output.ends_with("yEND\n"));
    let kept: usize = ended.cases.iter().map(|case| case.output.len()).sum();
    assert!(kept < 65 << 20, "{kept}");
}

#[test]
fn sandbox_a_notebook_of_another_language_is_not_run_as_python() {
    let Some(_turn) = support::sandbox(support::Lane::Cluster) else {
        return;
    };
    for (metadata, code) in [
        (
            json!({ "kernelspec": { "name": "ir" }, "language_info": { "name": "R" } }),
            3,
        ),
        (json!({ "kernelspec": { "name": "julia-1.10" } }), 3),
        (json!({ "language_info": { "name": "R" } }), 3),
        (
            json!({ "kernelspec": { "name": "my-env" }, "language_info": { "name": "python" } }),
            0,
        ),
        (json!({ "kernelspec": { "name": "conda-env-ml-py" } }), 0),
        (
            json!({ "kernelspec": { "name": null, "language": null } }),
            0,
        ),
    ] {
        let ended = Running::begin(&metadata, &[cell("x = 1")], &[]).end();
        assert_eq!(ended.code, code, "{metadata}: {}", ended.log);
        if code == 3 {
            assert!(
                ended
                    .last_word
                    .starts_with("cannot start: the image has no kernel"),
                "{}",
                ended.last_word
            );
        }
    }
}

#[test]
fn sandbox_what_runs_is_saved_when_it_is_stopped_and_a_full_disk_ends_no_test() {
    let Some(_turn) = support::sandbox(support::Lane::Cluster) else {
        return;
    };
    let running = Running::begin(
        &json!({}),
        &[cell("print('before')\nimport time\ntime.sleep(600)")],
        &[],
    );
    running.until("\nbefore\n");
    support::aws::signal(&running.child, rustix::process::Signal::TERM);
    let ended = running.end();
    ended.ends_with(143, &["NotDone"]);
    assert!(ended.cases[0].output.contains("before"));

    // What cannot be written: a directory is in its place.
    let spoil = "import os\nos.remove('.manifests-e2e/executed.jsonl'); os.mkdir('.manifests-e2e/executed.jsonl')";
    for (last, code, word) in [
        ("1", 3, "cannot save: "),
        ("1/0", 1, "cell 2 of 2: 1/0: ZeroDivisionError"),
    ] {
        let ended = Ended::of(&[cell(spoil), cell(last)]);
        assert_eq!(ended.code, code, "{}", ended.log);
        assert!(ended.last_word.starts_with(word), "{}", ended.last_word);
        assert_eq!(
            ended
                .log
                .matches("cannot save the executed notebook")
                .count(),
            1
        );
    }
}
