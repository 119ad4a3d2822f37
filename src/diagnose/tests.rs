//! What files hold, diagnosed.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use super::*;

/// A pod of its own that ended with code 1 and is started again.
fn crashing() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"}, "spec": {"containers": [{"name": "c"}]},
        "status": {"phase": "Running", "containerStatuses": [{"name": "c", "ready": false, "restartCount": 3,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1}}}]}})
}

/// A directory with these files.
fn files(files: &[(&str, String)]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let paths = vec![dir.path().to_owned()];
    (dir, paths)
}

fn sentences(paths: &[PathBuf]) -> Vec<String> {
    let causes = Diagnosis::of(&read(paths).unwrap()).causes;
    causes.into_iter().map(|it| it.sentence).collect()
}

#[test]
fn the_log_of_a_crash_is_found_in_each_layout() {
    let pod = || crashing().to_string();
    let mut plain = crashing();
    plain
        .as_object_mut()
        .unwrap()
        .retain(|key, _| key != "kind" && key != "apiVersion");
    let list = json!({"kind": "PodList", "apiVersion": "v1", "items": [plain]}).to_string();
    let log = || "2026-01-01T00:00:00Z error: no table\n".to_owned();
    let dump = "==== START logs for container c of pod n/p ====\nerror: no table\n==== END logs for container c of pod n/p ====\n";
    let layouts: [[(&str, String); 2]; 4] = [
        [
            ("cluster-state/x/namespaces/n/v1/pod/p.yaml", pod()),
            (
                "cluster-state/x/namespaces/n/v1/pod/p/c/previous.log",
                log(),
            ),
        ],
        [
            ("namespaces/n/core/pods.yaml", list.clone()),
            ("namespaces/n/pods/p/c/c/logs/previous.log", log()),
        ],
        [
            ("cluster-resources/pods/n.json", list.clone()),
            ("cluster-resources/pods/logs/n/p/c-previous.log", log()),
        ],
        [("n/pods.json", list), ("n/p/logs.txt", dump.to_owned())],
    ];
    for layout in layouts {
        let (_dir, paths) = files(&layout);
        let expected = "container c ended 4 times, last with exit code 1: error: no table";
        assert_eq!(sentences(&paths), [expected], "{}", layout[0].0);
    }
}

#[test]
fn what_was_sent_is_no_object_of_the_cluster_and_broken_yaml_is_left_out() {
    let (_dir, paths) = files(&[
        ("artifacts/rendered.yaml", crashing().to_string()),
        ("artifacts/broken.yaml", "a: [b".to_owned()),
        (
            "cluster-state/x/cluster/v1/namespace/n.yaml",
            "{apiVersion: v1, kind: Namespace, metadata: {name: 'n'}, status: {phase: Active}}"
                .to_owned(),
        ),
    ]);
    assert_eq!(read(&paths).unwrap().found.len(), 1);
    assert_eq!(sentences(&paths), Vec::<String>::new());
}

#[test]
fn what_has_no_known_cause_is_named_and_not_explained() {
    let text =
        "{apiVersion: a.example/v1, kind: Widget, metadata: {name: w}, status: {phase: Failed}}";
    let (_dir, paths) = files(&[("w.yaml", text.to_owned())]);
    let diagnosis = Diagnosis::of(&read(&paths).unwrap());
    assert!(!diagnosis.is_healthy() && diagnosis.causes.is_empty());
    assert!(
        diagnosis
            .text()
            .starts_with("no cause found; not as they should be:\n- Widget w: ")
    );
}

#[test]
fn the_json_has_its_documented_shape() {
    let (_dir, paths) = files(&[("p.json", crashing().to_string())]);
    let json = serde_json::to_value(Diagnosis::of(&read(&paths).unwrap())).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["healthy"], false);
    let cause = &json["causes"][0];
    assert_eq!(cause["class"], "CrashLoop");
    assert_eq!(cause["object"], "Pod n/p");
    assert_eq!(cause["affects"], json!(["Pod n/p"]));
    assert_eq!(cause["verdict"], "test");
    assert_eq!(cause["below"], json!([]));
    assert!(cause["remedy"].is_string());
}

#[test]
fn a_bundle_beside_another_path_leaves_both() {
    let bundle = "cluster-state/x/namespaces/n/v1/pod/p.yaml";
    let (_dir, mut paths) = files(&[(bundle, crashing().to_string())]);
    let mut other = crashing();
    other["metadata"]["name"] = "other".into();
    let (_other, more) = files(&[("p.yaml", other.to_string())]);
    paths.extend(more);
    assert_eq!(read(&paths).unwrap().found.len(), 2);
}

#[test]
fn evidence_has_its_file_and_its_line() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: 'n'}\nstatus:\n  phase: Failed\n  reason: Evicted\n  message: The node was low on resource\n";
    let log = "namespaces/n/v1/pod/q/c/current.log";
    let mut crashing = crashing();
    crashing["metadata"]["name"] = "q".into();
    let (dir, paths) = files(&[
        ("a/p.yaml", pod.to_owned()),
        ("namespaces/n/v1/pod/q.yaml", crashing.to_string()),
        (log, "fine\nerror: no table\n".to_owned()),
    ]);
    let diagnosis = Diagnosis::of(&read(&paths).unwrap());
    let places: Vec<(String, Option<usize>)> = diagnosis
        .causes
        .iter()
        .flat_map(|it| &it.evidence)
        .map(|it| (it.path.clone().unwrap(), it.line))
        .collect();
    let at = |file: &str| dir.path().join(file).display().to_string();
    assert!(places.contains(&(at("a/p.yaml"), Some(7))), "{places:?}");
    assert!(places.contains(&(at(log), Some(2))), "{places:?}");
}

#[test]
fn symptoms_are_indented_below_their_cause() {
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "one"},
        "status": {"conditions": [{"type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status."}]}});
    let mut waits = crashing();
    waits["spec"]["nodeName"] = "one".into();
    waits["status"]["containerStatuses"][0]["state"] =
        json!({"waiting": {"reason": "PostStartHookError"}});
    let (_dir, paths) = files(&[("n.json", node.to_string()), ("p.json", waits.to_string())]);
    let diagnosis = Diagnosis::of(&read(&paths).unwrap());
    let text = diagnosis.text();
    assert!(text.starts_with("1. Node one: kubelet down: "), "{text}");
    assert!(text.contains("\n   └ Pod n/p: container waits: "), "{text}");
    let json = serde_json::to_value(&diagnosis).unwrap();
    assert_eq!(json["causes"][0]["below"][0]["class"], "ContainerWaiting");
}

#[test]
fn the_oddest_objects_are_those_with_most_warnings() {
    let widget = |name: &str| json!({"apiVersion": "a.example/v1", "kind": "Widget", "metadata": {"name": name, "namespace": "n"}, "status": {"phase": "Failed"}});
    let warning = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "n"}, "type": "Warning", "reason": "Odd",
        "message": "m", "count": 9, "involvedObject": {"kind": "Widget", "namespace": "n", "name": "z"}});
    let all = json!({"apiVersion": "v1", "kind": "List", "items": [widget("a"), widget("b"), widget("c"), widget("z"), warning]});
    let (_dir, paths) = files(&[("all.json", all.to_string())]);
    let odd = Diagnosis::of(&read(&paths).unwrap()).odd;
    let odd: Vec<&str> = odd.iter().map(|it| it.object.as_str()).collect();
    assert_eq!(odd, ["Widget n/z", "Widget n/a", "Widget n/b"]);
}
