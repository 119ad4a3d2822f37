use std::fs;

use super::*;
use crate::diagnose::read;

const OBJECTS: &str = "
{apiVersion: v1, kind: Namespace, metadata: {name: web}}
---
{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: web}}
---
{apiVersion: v1, kind: Endpoints, metadata: {name: e, namespace: web}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a, namespace: web}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: b, namespace: web}}
---
{apiVersion: v1, kind: Node, metadata: {name: n1}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: 'system:node'}}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: oxen.a.example},
 spec: {group: a.example, names: {kind: Ox, plural: oxen}}}
---
{apiVersion: a.example/v1, kind: Ox, metadata: {name: o, namespace: web}}
";

/// A directory of files, and what is read of it.
fn files(files: &[(&str, &str)]) -> (tempfile::TempDir, Read) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = dir.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let read = read(&[dir.path().to_owned()]).unwrap();
    (dir, read)
}

#[test]
fn objects_and_logs_lie_where_must_gather_has_them() {
    let log = "cluster-state/kind-a/namespaces/web/v1/pod/p/c/previous.log";
    let objects = "cluster-state/kind-a/all.yaml";
    let (dir, read) = files(&[(objects, OBJECTS), (log, "one\ntwo\n")]);
    let output = dir.path().join("new/must-gather");
    let written = must_gather(&read, &output).unwrap();
    assert_eq!((written.objects, written.logs), (9, 1));
    for (file, holds) in [
        ("version", "manifests-e2e\n"),
        ("namespaces/web/web.yaml", "kind: Namespace"),
        ("namespaces/web/core/pods.yaml", "kind: PodList"),
        ("namespaces/web/pods/p/p.yaml", "kind: Pod"),
        ("namespaces/web/core/endpoints.yaml", "kind: EndpointsList"),
        (
            "namespaces/web/networking.k8s.io/networkpolicies.yaml",
            "name: b",
        ),
        ("namespaces/web/a.example/oxen.yaml", "kind: OxList"),
        ("namespaces/web/pods/p/c/c/logs/previous.log", "one\ntwo\n"),
        ("cluster-scoped-resources/core/nodes/n1.yaml", "kind: Node"),
        (
            "cluster-scoped-resources/rbac.authorization.k8s.io/clusterroles.yaml",
            "name: system:node",
        ),
        (
            "cluster-scoped-resources/apiextensions.k8s.io/customresourcedefinitions/oxen.a.example.yaml",
            "plural: oxen",
        ),
    ] {
        let text =
            fs::read_to_string(output.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(text.contains(holds), "{file}: {text}");
    }
    // It is read as what it is, and holds the same.
    let again = crate::diagnose::read(&[output]).unwrap();
    assert_eq!(again.snapshot.objects.len(), 9);
    assert_eq!(again.snapshot.logs.len(), 1);
}

#[test]
fn each_container_of_a_cluster_info_dump_has_its_log() {
    let dump = "==== START logs for container a of pod web/p ====\none\n==== END logs for container a of pod web/p ====\n\
                ==== START logs for container b of pod web/p ====\ntwo\nthree\n==== END logs for container b of pod web/p ====\n";
    let (dir, read) = files(&[("pods.yaml", OBJECTS), ("web/p/logs.txt", dump)]);
    let output = dir.path().join("out");
    assert_eq!(must_gather(&read, &output).unwrap().logs, 2);
    let log = output.join("namespaces/web/pods/p/b/b/logs/current.log");
    assert_eq!(fs::read_to_string(log).unwrap(), "two\nthree\n");
}

#[test]
fn what_cannot_be_written_leaves_nothing() {
    let (dir, read) = files(&[("a.yaml", OBJECTS)]);
    let before = fs::read_dir(dir.path()).unwrap().count();
    let taken = must_gather(&read, dir.path()).unwrap_err();
    assert!(taken.to_string().ends_with("is there already"), "{taken}");
    assert_eq!(taken.exit(), Exit::BadInput);

    let evil = "{apiVersion: v1, kind: Pod, metadata: {name: ../../../p, namespace: web}}";
    let (other, read) = files(&[("a.yaml", evil)]);
    let output = other.path().join("out");
    let refused = must_gather(&read, &output).unwrap_err();
    assert!(
        refused.to_string().contains("no name of an object"),
        "{refused}"
    );
    assert!(!output.exists());
    assert_eq!(fs::read_dir(other.path()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), before);
}
