//! Objects that cannot be changed in place.

use super::*;

const JOB: &str = "{apiVersion: batch/v1, kind: Job, metadata: {name: j}, \
                   spec: {template: {spec: {containers: []}}}}";

/// A server that has a Job with another template until it is gone, which takes some seconds.
fn server(refused: u16, message: &str) -> Server {
    let there = json!({"metadata": {"name": "j", "uid": "old", "deletionTimestamp": "2026-01-01T00:00:00Z",
        "finalizers": ["foregroundDeletion"]}});
    let done = json!({"metadata": {"name": "j", "namespace": "default", "uid": "u", "generation": 1},
        "status": {"conditions": [{"type": "Complete", "status": "True"}]}});
    let gone = (404, json!({"message": "not found"}));
    Server::new()
        .lists("jobs", vec![vec![done]])
        .says(
            (0, 20),
            (Method::PATCH, "j"),
            (refused, json!({ "message": message })),
        )
        .says((0, 20), (Method::GET, "j"), (200, there))
        .says((20, 100_000), (Method::GET, "j"), gone)
        .says((0, 100_000), (Method::DELETE, "j"), (200, json!({})))
}

const IMMUTABLE: &str =
    "Job.batch \"j\" is invalid: spec.template: Invalid value: x: field is immutable";

#[tokio::test(start_paused = true)]
async fn what_cannot_be_changed_is_made_anew_where_its_user_says_so() {
    let flux = JOB.replace(
        "{name: j}",
        "{name: j, annotations: {kustomize.toolkit.fluxcd.io/force: Enabled}}",
    );
    let argo = JOB.replace(
        "{name: j}",
        "{name: j, annotations: {argocd.argoproj.io/sync-options: 'Prune=false,Force=true'}}",
    );
    let hook = JOB.replace(
        "{name: j}",
        "{name: j, annotations: {helm.sh/hook: pre-upgrade}}",
    );
    for (set, recreates) in [(JOB, true), (&flux, false), (&argo, false), (&hook, false)] {
        let mut server = server(422, IMMUTABLE);
        server.recreates = recreates;
        let (result, took, journal) = server.deploy_all(set, "45m").await;
        result.unwrap();
        assert!((20..=23).contains(&took), "{took}");
        assert!(journal.objects[0].recreated);
        assert_eq!(journal.objects[0].tries, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_deleted_unasked_nor_for_another_refusal() {
    let (result, _, server) = server(422, IMMUTABLE).deploy(JOB, "45m").await;
    let error = result.unwrap_err();
    assert!(error.to_string().contains("field is immutable"), "{error}");
    assert!(error.hint().unwrap().contains("recreate: true"), "{error}");
    assert!(server.deleted().is_empty());

    let kept = JOB.replace(
        "{name: j}",
        "{name: j, annotations: {helm.sh/hook: pre-upgrade, helm.sh/hook-delete-policy: hook-failed}}",
    );
    let (result, _, server) = self::server(422, IMMUTABLE).deploy(&kept, "45m").await;
    result.unwrap_err();
    assert!(server.deleted().is_empty());

    let other = ".spec.immutable: expected boolean, got no";
    let mut server = self::server(400, other);
    server.recreates = true;
    let (result, _, server) = server.deploy(JOB, "45m").await;
    let error = result.unwrap_err();
    assert!(!error.hint().unwrap().contains("recreate"), "{error}");
    assert!(server.deleted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_holds_data_is_made_anew_only_by_its_own_manifests_word() {
    let claim = "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: j}}";
    let mut server = server(
        422,
        "spec: Forbidden: spec is immutable after creation except resources.requests",
    );
    server.recreates = true;
    let (result, _, server) = server.deploy(claim, "45m").await;
    assert_eq!(result.unwrap_err().exit(), Exit::TestFailed);
    assert!(server.deleted().is_empty());
}
