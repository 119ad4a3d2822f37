//! What files hold, judged.

use std::io::Write as _;

use super::*;

const SET: &str = "
{apiVersion: v1, kind: List, items: [
  {apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: 'n'}},
  {apiVersion: apps/v1, kind: Deployment, metadata: {name: d, namespace: 'n', uid: u, generation: 1}, spec: {replicas: 1},
   status: {observedGeneration: 1, replicas: 1, updatedReplicas: 1}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: 'n', uid: p, ownerReferences: [{controller: true, uid: r}]}
spec: {containers: [{name: c}]}
status:
  phase: Pending
  containerStatuses: [{name: c, image: 'gone:1', state: {waiting: {reason: ImagePullBackOff, message: 'not found'}}}]
---
{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: r, namespace: 'n', uid: r, ownerReferences: [{controller: true, uid: u}]},
 spec: {replicas: 1}, status: {readyReplicas: 0}}
---
{apiVersion: a.example/v1, kind: Widget, metadata: {name: w, namespace: 'n'}}
---
{apiVersion: a.example/v1, kind: Gadget, status: {phase: Failed}}
---
{apiVersion: b.example/v1, kind: Silent, metadata: {name: s, namespace: 'n'}}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: silents.b.example},
 spec: {group: b.example, names: {kind: Silent, plural: silents}, versions: [{name: v1}]},
 status: {conditions: [{type: Established, status: 'True'}, {type: NamesAccepted, status: 'True'}]}}
---
{apiVersion: batch/v1, kind: Job, metadata: {name: j, namespace: 'n'}, spec: {suspend: true}}
---
no: object
";

fn judged(found: &[Found], rules: &str) -> Vec<(String, &'static str, String)> {
    let all = judge(found, &rules.parse().unwrap()).into_iter();
    all.map(|it| (it.object, it.state.state(), it.why))
        .collect()
}

#[test]
fn each_object_of_a_file_is_judged_in_view_of_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("all.yaml");
    std::fs::write(&file, SET).unwrap();
    let found = read(std::slice::from_ref(&file)).unwrap();
    let all = judged(&found, "");
    let expected = [
        ("ConfigMap n/c", "ready", ""),
        (
            "Deployment n/d",
            "waiting",
            "0 of 1 ready: pod p: image gone:1 cannot be pulled: not found",
        ),
        (
            "Pod n/p",
            "waiting",
            "image gone:1 cannot be pulled: not found",
        ),
        (
            "ReplicaSet n/r",
            "waiting",
            "0 of 1 ready: pod p: image gone:1 cannot be pulled: not found",
        ),
        (
            "Widget n/w",
            "waiting",
            "no controller has written a status yet",
        ),
        ("Gadget", "failed", "phase: Failed"),
        ("Silent n/s", "ready", ""),
        ("CustomResourceDefinition silents.b.example", "ready", ""),
        ("Job n/j", "suspended", "spec.suspend is true"),
    ];
    for ((object, state, why), expected) in all.iter().zip(expected) {
        // How long it has been so depends on the day.
        let state = if *state == "stuck" { "waiting" } else { state };
        assert_eq!((object.as_str(), state, why.as_str()), expected);
    }
    assert_eq!(all.len(), expected.len());
    let all = judged(
        &found,
        "widgets.a.example accepted\ngadgets.a.example jsonpath={.status.phase}=Failed",
    );
    assert_eq!((all[4].1, all[5].1), ("ready", "ready"));
}

#[test]
fn a_bundle_is_read_as_the_directory_that_it_unpacks_to() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree/cluster-state/kind/namespaces/n");
    std::fs::create_dir_all(&tree).unwrap();
    let object = "{apiVersion: a.example/v1, kind: Widget, metadata: {name: w, namespace: 'n'}, status: {phase: Running}}";
    std::fs::write(tree.join("w.yaml"), object).unwrap();
    std::fs::write(tree.join("w.log"), "kind: nothing").unwrap();
    let bundle = dir.path().join("bundle.zip");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&bundle).unwrap());
    for (name, text) in [
        ("cluster-state/kind/w.yaml", object),
        ("report.json", "{\"a\": 1}"),
        ("x.log", "kind"),
    ] {
        zip.start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    let found = read(&[dir.path().join("tree"), bundle]).unwrap();
    let expected = ("Widget n/w".to_owned(), "ready", String::new());
    assert_eq!(judged(&found, ""), [expected.clone(), expected]);
    assert!(
        found[1].source.starts_with("cluster-state/kind/w.yaml"),
        "{}",
        found[1].source
    );
}

#[test]
fn what_holds_no_object_is_bad_input() {
    use crate::report::{Exit, Explain as _};
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let file = dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    for (path, said) in [
        (dir.path().join("nowhere"), "cannot read"),
        (file("a.yaml", "a: b"), "holds no Kubernetes object"),
        (file("b.yaml", "a: [b"), "not YAML"),
    ] {
        let error = read(&[path]).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        assert_eq!(error.exit(), Exit::BadInput);
    }
}

#[test]
fn the_table_begins_with_what_is_not_ready_and_counts_the_rest() {
    let id =
        |name: &str| identity(&serde_json::json!({"kind": "Widget", "metadata": {"name": name}}));
    let mut all: Vec<ObjectStatus> = (0..30)
        .map(|at| ObjectStatus::of(&id(&format!("w{at}")), "f", Verdict::Ready))
        .collect();
    all.push(ObjectStatus::of(
        &id("x"),
        "f",
        Verdict::Waiting("0 of 1 ready".into()),
    ));
    assert_eq!(
        table(&all),
        "OBJECT    STATE      WHY\nWidget x  waiting    0 of 1 ready\n31 objects: 30 ready, 1 waiting\n"
    );
}
