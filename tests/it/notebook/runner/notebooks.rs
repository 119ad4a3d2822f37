//! Notebooks on this machine, in a Python that has nbclient: that of the sandbox.

use super::{Child, Command, Duration, Instant, Machine, Path, Value, eventually, json, lives};
use crate::it::support::{self, Lane};

fn python() -> String {
    let cache = std::env::var_os("SANDBOX_CACHE").expect("the sandbox is up");
    let python = Path::new(&cache).join("venv/bin/python");
    python.to_str().unwrap().to_owned()
}

pub(super) fn notebook(cells: &[&str]) -> String {
    let cell = |source: &&str| json!({ "cell_type": "code", "metadata": {}, "outputs": [], "execution_count": null, "source": source });
    let cells: Vec<Value> = cells.iter().map(cell).collect();
    json!({ "nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells }).to_string()
}

/// The status of each cell.
fn statuses(executed: &str) -> Vec<String> {
    let notebook: Value = serde_json::from_str(executed).unwrap();
    let cells = notebook["cells"].as_array().unwrap().iter();
    let status = |cell: &Value| {
        cell["metadata"]["papermill"]["status"]
            .as_str()
            .map(str::to_owned)
    };
    cells.filter_map(status).collect()
}

#[test]
fn sandbox_a_notebook_here_has_its_cases_its_results_and_what_lies_beside_it() {
    let Some(_turn) = support::sandbox(Lane::Cluster) else {
        return;
    };
    let machine = Machine::new();
    machine.write("beside.txt", "found");
    let file = machine.write(
        "n.ipynb",
        &notebook(&["print(open('beside.txt').read(), size)", "1/0", "1"]),
    );
    let ended = machine.run(&[
        ("INPUT_NOTEBOOK", &file),
        ("INPUT_PYTHON", &python()),
        ("INPUT_PARAMETERS", "size=3"),
    ]);
    ended.ends_with(1);
    assert_eq!(
        ended.outputs["failure"],
        "cell 2 of 3: 1/0: ZeroDivisionError: division by zero"
    );
    assert!(ended.log.contains("| found 3\n"), "{}", ended.log);
    let executed = ended.file("executed-notebook");
    assert_eq!(
        statuses(&executed),
        ["completed", "completed", "failed", "pending"]
    );
    let junit = ended.file("junit");
    assert!(
        junit.contains("tests=\"4\" skipped=\"1\" failures=\"1\""),
        "{junit}"
    );
}

#[test]
fn sandbox_a_python_without_nbclient_is_told_what_it_lacks() {
    let Some(_turn) = support::sandbox(Lane::Cluster) else {
        return;
    };
    let machine = Machine::new();
    let file = machine.write("n.ipynb", &notebook(&["1"]));
    let bare = machine.path("bare");
    let made = Command::new("python3")
        .args(["-m", "venv", "--without-pip"])
        .arg(&bare)
        .status();
    assert!(made.unwrap().success());
    let bare = bare.join("bin/python");
    let ended = machine.run(&[
        ("INPUT_NOTEBOOK", &file),
        ("INPUT_PYTHON", bare.to_str().unwrap()),
    ]);
    ended.ends_with(3);
    let failure = &ended.outputs["failure"];
    assert!(
        failure.contains("this machine cannot run notebooks"),
        "{failure}"
    );
    assert!(ended.log.contains("set `python`"), "{}", ended.log);
}

#[test]
fn sandbox_at_the_limit_what_a_notebook_here_has_saved_is_kept_and_its_kernel_ends() {
    let Some(_turn) = support::sandbox(Lane::Cluster) else {
        return;
    };
    let machine = Machine::new();
    let file = machine.write("n.ipynb", &notebook(&[HANGS]));
    let limit = format!("{}s", support::within(Duration::from_secs(25)).as_secs());
    let ended = machine.run(&[
        ("INPUT_NOTEBOOK", &file),
        ("INPUT_PYTHON", &python()),
        ("INPUT_TIMEOUT", &limit),
    ]);
    ended.ends_with(124);
    assert!(
        ended.outputs["failure"].contains(": cell 1 of 1"),
        "{}",
        ended.log
    );
    let executed = ended.file("executed-notebook");
    assert_eq!(statuses(&executed), ["running"]);
    assert!(executed.contains("saved before"), "{executed}");
    let left: Vec<String> = machine.noted(1).into_iter().filter(lives).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// It notes its kernel, which is in a session of its own and heeds no request to end.
const HANGS: &str = "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('saved before')\n\
    print(os.getpid(), file=open('pids', 'w'))\nwhile True:\n    time.sleep(1)";

#[test]
fn sandbox_a_kernel_here_ends_with_a_stage_that_is_killed() {
    let Some(_turn) = support::sandbox(Lane::Cluster) else {
        return;
    };
    let machine = Machine::new();
    let file = machine.write("n.ipynb", &notebook(&[HANGS]));
    let mut child: Child = machine.start(&[("INPUT_NOTEBOOK", &file), ("INPUT_PYTHON", &python())]);
    let kernel = machine.noted(1);
    assert!(kernel.iter().all(lives));
    let began = Instant::now();
    child.kill().unwrap();
    child.wait().unwrap();
    let gone = || (!kernel.iter().any(lives)).then_some(());
    eventually("the end of the kernel", Duration::from_secs(15), gone);
    assert!(began.elapsed() < support::within(Duration::from_secs(15)));
}
