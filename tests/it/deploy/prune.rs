//! What left the set goes, as far as it was asked to, and only what is ours.

use std::{process::Command, time::Duration};

use crate::it::{
    deploy::redeploy::{SECOND, Set, exists, kubectl},
    support::{Lane, sandbox, timeout},
};

#[test]
fn sandbox_what_left_the_set_goes_as_far_as_was_asked() {
    let Some(_turn) = sandbox(Lane::Cluster) else {
        return;
    };
    // Where an earlier run of this test ended midway.
    let free =
        || kubectl("-n pruned patch configmap stays -p {\"metadata\":{\"finalizers\":null}}");
    free();
    let set = Set::new("pruned");
    let (code, lines, _) = set.deploy(SECOND, &[]);
    assert_eq!(code, Some(0), "{lines}");
    // This one is somebody else's by now.
    let path = "-n pruned patch configmap c --type=json -p [{\"op\":\"replace\",\"path\":\"/metadata/managedFields\",\"value\":[{}]}]";
    kubectl(path).unwrap();
    kubectl("-n pruned annotate configmap a helm.sh/resource-policy=keep").unwrap();
    let third = "{apiVersion: v1, kind: ConfigMap, metadata: {name: only, namespace: NAME}}";

    // What left the set stays until it is asked to go.
    let (code, lines, _) = set.deploy(third, &[]);
    assert_eq!(code, Some(0), "{lines}");
    assert!(
        lines.contains("8 objects of earlier deploys are not in the set"),
        "{lines}"
    );
    assert!(exists("-n pruned secret s"));

    let (code, lines, _) = set.deploy(third, &["--prune"]);
    assert_eq!(code, Some(0), "{lines}");
    assert!(!exists("-n pruned secret s") && !exists("-n pruned trees oak"));
    assert!(!exists("-n pruned-two configmap within"));
    assert!(exists("namespace pruned-two") && exists("crd trees.pruned.example"));
    assert!(exists("-n pruned configmap a") && exists("-n pruned configmap c"));
    assert!(
        lines.contains("ConfigMap pruned/c left the set, but is not ours any more"),
        "{lines}"
    );
    assert!(
        lines.contains("Namespace pruned-two left the set and stays: with prune: all"),
        "{lines}"
    );

    let (code, lines, _) = set.deploy(third, &["--prune=all"]);
    assert_eq!(code, Some(0), "{lines}");
    assert!(!exists("namespace pruned-two") && !exists("crd trees.pruned.example"));
    assert!(
        lines.contains(
            "Namespace pruned left the set and stays: ConfigMap pruned/only of the set needs it"
        ),
        "{lines}"
    );
    assert!(exists("-n pruned configmap only"));

    // What does not go in time is named.
    let stays = "{apiVersion: v1, kind: ConfigMap, metadata: {name: stays, namespace: NAME, finalizers: [example.org/never]}}";
    let (code, lines, _) = set.deploy(&format!("{third}\n---\n{stays}"), &[]);
    assert_eq!(code, Some(0), "{lines}");
    let timeout = timeout(Duration::from_secs(5));
    let (code, lines, _) = set.deploy(third, &["--prune", &timeout]);
    assert_eq!(code, Some(124), "{lines}");
    assert!(
        lines.contains("ConfigMap pruned/stays: it waits for")
            && lines.contains("example.org/never"),
        "{lines}"
    );
    free().unwrap();
    let (code, lines, _) = set.deploy(third, &["--prune"]);
    assert_eq!(code, Some(0), "{lines}");
    assert!(!exists("-n pruned configmap stays"));
}

/// As many objects as Kubeflow has, none of which runs: sent once, then not at all, then all gone.
#[test]
fn sandbox_a_set_of_the_shape_of_kubeflow_comes_stays_and_goes() {
    let Some(_turn) = sandbox(Lane::Cluster) else {
        return;
    };
    let set = Set::new("shape");
    let generated = Command::new("e2e/bench/kubeflow-like")
        .arg("--small")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(generated.status.success());
    let text = String::from_utf8(generated.stdout).unwrap();
    for again in [false, true] {
        let (code, lines, _) = set.deploy(&text, &["--wait=false"]);
        assert_eq!(code, Some(3), "{lines}");
        assert!(
            lines.contains("23 of 611 objects were not accepted"),
            "{lines}"
        );
        assert!(!lines.contains("taken over"), "{lines}");
        let report = set.report();
        for entry in report["deployment"]["objects"].as_array().unwrap() {
            let refused = entry["refused"].as_str().unwrap_or_default();
            let is_guarded = refused.contains("failed calling webhook");
            assert!(
                refused.is_empty() || is_guarded,
                "refused for its order: {entry}"
            );
            assert!(
                is_guarded || entry["unchanged"].is_null() != again,
                "{entry}"
            );
        }
    }
    let only = "{apiVersion: v1, kind: ConfigMap, metadata: {name: shape, namespace: default}}";
    let (code, lines, _) = set.deploy(only, &["--prune=all"]);
    assert_eq!(code, Some(0), "{lines}");
    let report = set.report();
    let pruned = report["pruned"].as_array().unwrap();
    assert_eq!(pruned.len(), 588);
    let left = "get crd,clusterrole,clusterrolebinding,namespace,priorityclass,validatingwebhookconfiguration,mutatingwebhookconfiguration -o name";
    let left = kubectl(left).unwrap();
    let left: Vec<&str> = left
        .lines()
        .filter(|it| it.contains("like.example") || it.contains("/like") || it.contains("/hook-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    kubectl("-n default delete configmap shape").unwrap();
}
