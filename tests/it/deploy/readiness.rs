//! Whether a custom resource is ready: what a deployment makes of it, and `status` of a cluster, of files, and of nothing.

#![expect(clippy::unwrap_used, reason = "what does not hold here fails the test")]

use std::{
    process::{Command, Output},
    time::Duration,
};

use serde_json::{Value, json};

use crate::it::{
    deploy::manifests::{manifests, on_cluster, said},
    support::{
        Lane, binary, cluster, sandbox,
        sets::{Set, definition},
        timeout,
    },
};

fn status(words: &[&str]) -> Output {
    let mut command = Command::new(binary());
    let home = tempfile::tempdir().unwrap();
    command
        .arg("status")
        .args(words)
        .env("RUNNER_TEMP", home.path());
    command.env_remove("GITHUB_ACTIONS").output().unwrap()
}

/// The answer in JSON: object, state and why of each.
fn answer(output: &Output) -> Vec<(String, String, String)> {
    let text = String::from_utf8_lossy(&output.stdout);
    let all: Vec<Value> = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{output:?}"));
    let part = |it: &Value, key: &str| it[key].as_str().unwrap().to_owned();
    let one = |it: &Value| (part(it, "object"), part(it, "state"), part(it, "why"));
    all.iter().map(one).collect()
}

#[test]
fn status_tells_by_its_exit_code_whether_all_is_ready() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let ready = file(
        "ready.yaml",
        "{apiVersion: a.example/v1, kind: Widget, metadata: {name: w}, status: {phase: Running}}",
    );
    let broken = file(
        "broken.yaml",
        "{apiVersion: a.example/v1, kind: Widget, metadata: {name: x}, status: {phase: Failed}}",
    );
    let empty = file("empty.yaml", "a: b");
    for (paths, code) in [
        (vec![&ready], 0),
        (vec![&ready, &broken], 1),
        (vec![&empty], 2),
        (vec![], 2),
    ] {
        let words: Vec<&str> = paths.iter().map(|path| path.as_str()).collect();
        let output = status(&words);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {output:?}");
    }
    let output = status(&["--json", &ready, &broken]);
    let expected = [
        ("Widget w", "ready", ""),
        ("Widget x", "failed", "phase: Failed"),
    ];
    let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
    assert_eq!(answer(&output), expected);
    let output = status(&["--ready-when=widgets.a.example Ready", &ready]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_a_custom_resource_that_never_gets_ready_is_named_and_status_agrees() {
    let Some(_turn) = sandbox(Lane::Cluster) else {
        return;
    };
    let name = "set-readiness";
    let group = format!("{name}.example");
    let mut widgets = definition(&group, "Widget", "widgets");
    widgets["spec"]["versions"][0]["subresources"] = json!({"status": {}});
    let widget = json!({"apiVersion": format!("{group}/v1"), "kind": "Widget", "metadata": {"name": "w", "namespace": name}});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let objects = vec![widgets, widget, namespace];
    let texts: Vec<String> = objects.iter().map(Value::to_string).collect();
    let (dir, argument) = manifests(&texts.join("\n---\n"));
    // It ends with what it has made.
    let _set = Set::new(name, objects);
    let state = tempfile::tempdir().unwrap();
    let rule = format!("--ready-when=widgets.{group} condition=Ready");
    let timeout = timeout(Duration::from_secs(6));
    let (output, _) = on_cluster(state.path(), &[&argument, &rule, &timeout]);
    assert_eq!(output.status.code(), Some(124), "{}", said(&output));
    let line = format!("Widget {name}/w: no controller has written a status yet");
    assert!(said(&output).contains(&line), "{}", said(&output));

    let report = |status: &str| {
        let patch = json!({"status": {"conditions": [{"type": "Ready", "status": status, "reason": "R",
            "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
        let mut kubectl = Command::new("kubectl");
        kubectl.env("KUBECONFIG", cluster());
        kubectl.args([
            "-n",
            name,
            "patch",
            &format!("widgets.{group}"),
            "w",
            "--subresource=status",
            "--type=merge",
            "-p",
        ]);
        assert!(kubectl.arg(patch.to_string()).status().unwrap().success());
    };
    let file = dir.path().join("objects.yaml").display().to_string();
    let kubeconfig = format!("--kubeconfig={}", cluster().display());
    let of_widget = |output: &Output| {
        let mut all = answer(output).into_iter();
        let (_, state, why) = all
            .find(|(object, ..)| object.starts_with("Widget "))
            .unwrap();
        (state, why)
    };
    report("False");
    let output = status(&["--json", &kubeconfig, &file]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let expected = ("waiting".to_owned(), "Ready is False: R: m".to_owned());
    assert_eq!(of_widget(&output), expected);
    report("True");
    let output = status(&["--json", "--watch", "--timeout=20s", &kubeconfig, &file]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    // Nothing was changed in the set: it is only looked at.
    let (output, _) = on_cluster(state.path(), &[&argument]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}
