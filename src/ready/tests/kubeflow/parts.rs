//! Objects of other kinds that a Kubeflow set has: certificates, claims, what needs no controller.

use super::*;

#[test]
fn a_certificate_is_ready_with_its_secret() {
    let certificate = "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: a, namespace: 'n', generation: 1}\nspec: {secretName: a-tls, issuerRef: {name: i}}";
    let ready = "\nstatus: {conditions: [{type: Ready, status: 'True', observedGeneration: 1, reason: Ready, message: Certificate is up to date and has not expired}]}";
    let secret = "\n---\n{apiVersion: v1, kind: Secret, metadata: {name: a-tls, namespace: 'n'}}";
    assert_eq!(
        judged(&format!("{certificate}{ready}{secret}")).0,
        Is::Ready
    );
    assert_eq!(
        judged(&format!("{certificate}{ready}")),
        (Is::Waiting, "there is no Secret a-tls".to_owned())
    );
    let unready = |since: &str| {
        format!(
            "{{conditions: [{{type: Ready, status: 'False', lastTransitionTime: '{since}', reason: DoesNotExist, message: Issuing certificate as Secret does not exist}}]}}"
        )
    };
    let rows = [
        (unready("2026-01-01T11:58:00Z"), Is::Waiting),
        (unready("2026-01-01T11:54:00Z"), Is::Stuck),
    ];
    for (status, is) in rows {
        expect(certificate, &[(&status, is, "Secret does not exist")]);
        for issuer in ["Issuer", "ClusterIssuer"] {
            expect(
                &format!(
                    "apiVersion: cert-manager.io/v1\nkind: {issuer}\nmetadata: {{name: a, generation: 1}}"
                ),
                &[
                    (&status, is, "DoesNotExist"),
                    (
                        "{conditions: [{type: Ready, status: 'True', reason: IsReady}]}",
                        Is::Ready,
                        "",
                    ),
                ],
            );
        }
    }
}

#[test]
fn what_needs_no_controller_is_ready_when_it_is_there() {
    for (group, kind) in [
        ("serving.kserve.io", "ClusterServingRuntime"),
        ("trainer.kubeflow.org", "ClusterTrainingRuntime"),
        ("trainer.kubeflow.org", "TrainingRuntime"),
        ("networking.istio.io", "VirtualService"),
        ("security.istio.io", "AuthorizationPolicy"),
        ("kubeflow.org", "PodDefault"),
        ("rbac.authorization.k8s.io", "RoleBinding"),
    ] {
        let id = ObjectId {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: Some("n".to_owned()),
            name: "a".to_owned(),
        };
        let live =
            json!({"metadata": {"name": "a", "namespace": "n", "generation": 1}, "spec": {}});
        let view = View::default();
        let cluster = ClusterView::new(&view, NOW.parse().unwrap());
        assert!(judge_live(&id, None, &live, &cluster).is_ready(), "{kind}");
    }
}

#[test]
fn a_pod_that_waits_for_a_claim_names_the_claim_and_its_class() {
    let text = "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db, namespace: 'n', uid: u, generation: 1}, spec: {replicas: 1}, status: {observedGeneration: 1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db-0, namespace: 'n', ownerReferences: [{controller: true, uid: u}]},
 spec: {volumes: [{name: data, persistentVolumeClaim: {claimName: data-db-0}}]},
 status: {phase: Pending, conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable,
   message: '0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.', lastTransitionTime: '2026-01-01T11:59:55Z'}]}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data-db-0, namespace: 'n'}, spec: {storageClassName: gone}, status: {phase: Pending}}";
    // As long as classes were not listed, none is missing.
    assert_eq!(judged(text).0, Is::Waiting);
    let mut view = View::default();
    for text in text.split("\n---") {
        let value = read(text);
        let group = if value["kind"] == "StatefulSet" {
            "apps"
        } else {
            ""
        };
        view.put(
            &format!("{}.{group}", value["kind"].as_str().unwrap()),
            value,
        );
    }
    view.replace("StorageClass.storage.k8s.io", Vec::new());
    let id = ObjectId {
        group: "apps".to_owned(),
        kind: "StatefulSet".to_owned(),
        namespace: Some("n".to_owned()),
        name: "db".to_owned(),
    };
    let verdict = judge(&id, None, 1, &ClusterView::new(&view, NOW.parse().unwrap()));
    assert_eq!(
        verdict,
        Verdict::Stuck(
            Missing::because(
                Why::Claim,
                "PersistentVolumeClaim data-db-0: Pending: there is no StorageClass gone"
            )
            .of_pod("0 of 1 ready", "db-0")
        )
    );
}

#[test]
fn pods_that_are_refused_say_why() {
    let event = |message: &str| {
        json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "n"}, "involvedObject": {"uid": "u"},
               "reason": "FailedCreate", "message": message, "lastTimestamp": "2026-01-01T11:59:00Z"})
    };
    for (kind, status) in [
        ("StatefulSet", "{observedGeneration: 1}"),
        (
            "DaemonSet",
            "{observedGeneration: 1, desiredNumberScheduled: 1}",
        ),
    ] {
        let set = format!(
            "{{apiVersion: apps/v1, kind: {kind}, metadata: {{name: a, namespace: 'n', uid: u, generation: 1}}, spec: {{replicas: 1}}, status: {status}}}"
        );
        for (message, is) in [
            (
                "create Pod a-0 in StatefulSet a failed error: pods \"a-0\" is forbidden: exceeded quota: q",
                Is::Waiting,
            ),
            (
                "create Pod a-0 failed error: pods \"a-0\" is forbidden: violates PodSecurity \"restricted:latest\"",
                Is::Stuck,
            ),
        ] {
            let (found, missing) = judged(&format!("{set}\n---\n{}", event(message)));
            assert_eq!(found, is, "{missing}");
            assert!(missing.contains(message), "{missing}");
        }
    }
    let job = "{apiVersion: batch/v1, kind: Job, metadata: {name: a, namespace: 'n', uid: u, generation: 1}}";
    let refused = "Error creating: pods \"a-x\" is forbidden: error looking up service account n/a: serviceaccount \"a\" not found";
    assert_eq!(
        judged(&format!("{job}\n---\n{}", event(refused))),
        (Is::Waiting, refused.to_owned())
    );
}
