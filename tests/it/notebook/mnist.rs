//! `run-mnist-notebook-job` against a real cluster, as a workflow runs it: inputs by `INPUT_*`, outputs in a file.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::it::support::{self, step::outputs};

/// One run of the stage, and what it left.
struct Run {
    state: TempDir,
    code: i32,
    log: String,
    took: Duration,
}

impl Run {
    fn of(inputs: &[(&str, &str)]) -> Self {
        Self::against(support::cluster(), inputs)
    }

    fn against(kubeconfig: &Path, inputs: &[(&str, &str)]) -> Self {
        let state = tempfile::tempdir().expect("a directory can be made");
        let began = Instant::now();
        let image = std::env::var("INPUT_IMAGE").unwrap_or_else(|_| "sandbox/notebook".to_owned());
        let output = Command::new(support::binary())
            .arg("run-mnist-notebook-job")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("RUNNER_TEMP", state.path())
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_OUTPUT", state.path().join("output"))
            .env("GITHUB_STEP_SUMMARY", state.path().join("summary"))
            .env("INPUT_KUBECONFIG", kubeconfig)
            .env("INPUT_NAMESPACE", "test-notebook")
            .env("INPUT_IMAGE", image)
            .envs(inputs.iter().copied())
            .output()
            .expect("the binary can be started");
        Self {
            code: output.status.code().unwrap_or(-1),
            log: format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ),
            took: began.elapsed(),
            state,
        }
    }

    /// An output of the step, empty where it was not set.
    fn output(&self, name: &str) -> String {
        let mut outputs = outputs(self.state.path());
        outputs.remove(name).unwrap_or_default()
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.state.path().join(name)).unwrap_or_default()
    }

    fn junit(&self) -> String {
        fs::read_to_string(self.output("junit")).expect("there is a report")
    }

    /// The executed notebook's code cells as status and output types.
    fn executed(&self) -> Vec<(String, String)> {
        let text =
            fs::read_to_string(self.output("executed-notebook")).expect("there is a notebook");
        let notebook: Value = serde_json::from_str(&text).expect("it is JSON");
        let cells = notebook["cells"].as_array().expect("it has cells").iter();
        cells
            .filter(|cell| cell["cell_type"] == "code")
            .map(|cell| {
                let status = cell["metadata"]["papermill"]["status"].as_str();
                (
                    status.unwrap_or_default().to_owned(),
                    cell["outputs"].to_string(),
                )
            })
            .collect()
    }

    #[track_caller]
    fn ends_with(&self, code: i32) {
        assert_eq!(self.code, code, "{}", self.log);
    }
}

fn fixture(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/notebooks", name]
        .iter()
        .collect();
    path.to_str()
        .expect("the clone is at a UTF-8 path")
        .to_owned()
}

#[test]
fn what_can_be_no_test_is_refused_before_the_cluster_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = dir.path().join("no-such-kubeconfig");
    for (input, value, cause) in [
        (
            "INPUT_NOTEBOOK",
            fixture("empty.ipynb"),
            "has no code to run",
        ),
        (
            "INPUT_NOTEBOOK",
            fixture("not-a-notebook.ipynb"),
            "is no notebook",
        ),
        ("INPUT_NOTEBOOK", fixture("missing.ipynb"), "cannot read"),
        (
            "INPUT_SCRIPT",
            fixture("empty.ipynb"),
            "neither a Python nor a shell file",
        ),
        (
            "INPUT_PARAMETERS",
            "for=1".to_owned(),
            "Python keeps this word",
        ),
        ("INPUT_TIMEOUT", "45".to_owned(), "has no unit"),
        (
            "INPUT_POD_PATCH",
            "spec: {nodeSelecter: {gpu: a}}".to_owned(),
            "a pod has no `spec.nodeSelecter`",
        ),
    ] {
        let run = Run::against(&nowhere, &[(input, &value)]);
        run.ends_with(2);
        assert!(run.output("failure").contains(cause), "{}", run.log);
    }
}

#[test]
fn sandbox_the_default_notebook_passes_and_is_brought_back() {
    let Some(_turn) = support::sandbox(support::Lane::Cluster) else {
        return;
    };
    let run = Run::of(&[("INPUT_PARAMETERS", "epochs=20\nminimum_accuracy=0.9")]);
    run.ends_with(0);
    assert_eq!(run.output("verdict"), "passed");
    let cells = run.executed();
    assert!(
        cells.iter().all(|(status, _)| status == "completed"),
        "{cells:?}"
    );
    assert!(
        cells.iter().any(|(_, out)| out.contains("epoch 20 of 20")),
        "the parameter was not taken: {cells:?}"
    );
    // Nine tenths, in the log of the run itself, while it ran.
    assert!(
        run.log.contains("| accuracy ") && run.log.contains("wanted 0.9\n"),
        "{}",
        run.log
    );
    let junit = run.junit();
    assert!(
        junit.contains("failures=\"0\"") && junit.contains("name=\"parameters\""),
        "{junit}"
    );
    assert!(
        run.file("summary").contains("| ✅ | cell 2 of"),
        "{}",
        run.file("summary")
    );
}

#[test]
fn sandbox_the_cell_that_raises_is_named_and_its_traceback_kept() {
    let Some(_turn) = support::sandbox(support::Lane::Cluster) else {
        return;
    };
    let run = Run::of(&[("INPUT_NOTEBOOK", &fixture("third-cell-raises.ipynb"))]);
    run.ends_with(1);
    let cause =
        "cell 3 of 4: print(\"about to divide\", flush=True): ZeroDivisionError: division by zero";
    assert_eq!(run.output("failure"), cause);
    assert_eq!(run.output("verdict"), "failed");
    let statuses: Vec<String> = run
        .executed()
        .into_iter()
        .map(|(status, _)| status)
        .collect();
    assert_eq!(statuses, ["completed", "completed", "failed", "pending"]);
    assert!(run.executed()[2].1.contains("ZeroDivisionError"));
    let junit = run.junit();
    assert!(
        junit.contains("tests=\"4\" skipped=\"1\" failures=\"1\""),
        "{junit}"
    );
    assert!(junit.contains("type=\"ZeroDivisionError\""), "{junit}");
    assert!(
        run.file("summary").contains("❌"),
        "{}",
        run.file("summary")
    );
}

#[test]
fn sandbox_at_the_limit_what_was_saved_is_fetched() {
    let Some(_turn) = support::sandbox(support::Lane::Cluster) else {
        return;
    };
    let notebook = fixture("never-ends.ipynb");
    let limit = support::within(Duration::from_secs(30));
    let timeout = format!("{}s", limit.as_secs());
    let run = Run::of(&[("INPUT_NOTEBOOK", &notebook), ("INPUT_TIMEOUT", &timeout)]);
    run.ends_with(124);
    let end = limit + support::within(Duration::from_secs(5));
    assert!(run.took < end, "{:?}", run.took);
    assert!(
        run.output("failure").contains(": cell 2 of 2"),
        "{}",
        run.log
    );
    let cells = run.executed();
    assert!(cells[0].1.contains("saved before the limit"), "{cells:?}");
    assert_eq!(cells[1].0, "running");
    assert!(run.junit().contains("type=\"NotDone\""), "{}", run.junit());
}

#[test]
fn sandbox_a_script_is_one_case_and_its_code_decides() {
    let Some(_turn) = support::sandbox(support::Lane::Cluster) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let script = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap().to_owned();
        Run::of(&[("INPUT_SCRIPT", &path), ("INPUT_PARAMETERS", "WHO=world")])
    };
    let shell = script(
        "fails.sh",
        "printf '\\351\\n'\necho \"hello $WHO\"\necho '::error::mine'\ntouch there && exit 7\n",
    );
    shell.ends_with(1);
    assert_eq!(shell.output("failure"), "fails ended with code 7");
    assert!(shell.junit().contains("hello world"), "{}", shell.junit());
    assert!(
        !shell
            .log
            .lines()
            .any(|line| line.trim_start().starts_with("::error::mine")),
        "{}",
        shell.log
    );
    let python = script(
        "passes.py",
        "import os\nprint('hello', os.environ['WHO'])\n",
    );
    python.ends_with(0);
    assert!(python.log.contains("| hello world"), "{}", python.log);
    assert!(
        python
            .junit()
            .contains("tests=\"1\" skipped=\"0\" failures=\"0\""),
        "{}",
        python.junit()
    );
}

#[test]
fn sandbox_what_keeps_a_test_from_beginning_is_no_failure_of_it() {
    let Some(_turn) = support::sandbox(support::Lane::Cluster) else {
        return;
    };
    let image = Run::of(&[("INPUT_IMAGE", "sandbox/no-such-image:1")]);
    image.ends_with(3);
    assert!(
        image.output("failure").contains("cannot pull image"),
        "{}",
        image.log
    );
    assert!(
        image.output("failure").contains("sandbox/no-such-image:1"),
        "{}",
        image.log
    );
    assert!(
        image.took < support::within(Duration::from_secs(90)),
        "{:?}",
        image.took
    );
    let account = Run::of(&[("INPUT_SERVICE_ACCOUNT", "nobody")]);
    account.ends_with(2);
    assert!(
        account
            .output("failure")
            .contains("no service account nobody"),
        "{}",
        account.log
    );
    let requirement = Run::of(&[("INPUT_REQUIREMENTS", "./no-such-package")]);
    requirement.ends_with(3);
    assert!(
        requirement
            .output("failure")
            .contains("pip could not install"),
        "{}",
        requirement.log
    );
}

#[test]
fn sandbox_the_pod_is_patched_and_a_kernel_without_memory_says_so() {
    let Some(_turn) = support::sandbox(support::Lane::Cluster) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let notebook = dir.path().join("memory.ipynb");
    let cells = ["import os\nassert os.environ['WHO'] == 'patched'", "x = bytearray(2 << 30)"].map(|source| {
        serde_json::json!({ "cell_type": "code", "metadata": {}, "outputs": [], "execution_count": null, "source": source })
    });
    let text =
        serde_json::json!({ "nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells });
    fs::write(&notebook, text.to_string()).unwrap();
    let patch = "\
spec:
  containers:
  - name: test
    resources: {limits: {memory: 400Mi}}
    env: [{name: WHO, value: patched}]
";
    let run = Run::of(&[
        ("INPUT_NOTEBOOK", notebook.to_str().unwrap()),
        ("INPUT_POD_PATCH", patch),
    ]);
    run.ends_with(1);
    // The kernel alone is killed, or the whole container: the kubelet decides.
    let failure = run.output("failure");
    assert!(
        failure.starts_with("cell 2 of 2") && failure.contains("OOMKilled"),
        "{failure}"
    );
}
