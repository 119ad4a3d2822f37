//! `deploy-manifests` of a set whose objects cannot be changed in place: refused, or made anew where somebody asks for it.

use crate::it::{
    deploy::redeploy::{Set, kubectl},
    support::{Lane, sandbox},
};

/// None of these has a pod: a suspended Job, no replicas, a binding.
const FIRST: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: NAME}
---
apiVersion: batch/v1
kind: Job
metadata: {name: j, namespace: NAME}
spec:
  suspend: true
  template: {spec: {restartPolicy: Never, containers: [{name: c, image: nowhere.example/one}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d, namespace: NAME}
spec:
  replicas: 0
  selector: {matchLabels: {app: one}}
  template: {metadata: {labels: {app: one}}, spec: {containers: [{name: c, image: nowhere.example/one}]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: b, namespace: NAME}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: default, namespace: NAME}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: p, namespace: NAME, annotations: {manifests-e2e.example/why: a claim that is bound late}}
spec: {accessModes: [ReadWriteOnce], storageClassName: '', volumeName: absent, resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Endpoints
metadata: {name: e, namespace: NAME}
subsets: [{addresses: [{ip: 192.0.2.1}], ports: [{port: 80}]}]
";

#[test]
fn sandbox_what_cannot_be_changed_is_made_anew_where_it_is_asked_for() {
    let Some(_turn) = sandbox(Lane::Cluster) else {
        return;
    };
    let set = Set::new("recreated");
    // No volume serves the claim: nothing is waited for.
    let (code, lines, _) = set.deploy(FIRST, &["--wait=false"]);
    assert_eq!(code, Some(0), "{lines}");
    let uid = |of: &str| {
        kubectl(&format!(
            "-n recreated get {of} -o jsonpath={{.metadata.uid}}"
        ))
        .unwrap()
    };
    let all = ["job j", "deployment d", "rolebinding b"];
    let before = all.map(uid);

    let second = FIRST
        .replace("one", "two")
        .replace("name: view", "name: edit");
    let (code, lines, _) = set.deploy(&second, &["--wait=false"]);
    assert_eq!(code, Some(1), "{lines}");
    assert!(lines.contains("recreate: true"), "{lines}");
    assert_eq!(all.map(uid), before);

    let (code, lines, shown) = set.deploy(&second, &["--dry-run", "--recreate"]);
    assert_eq!(code, Some(0), "{lines}{shown}");
    for object in ["Job", "Deployment", "RoleBinding"] {
        let line = shown
            .lines()
            .find(|line| line.starts_with(&format!("± {object} recreated/")));
        assert!(
            line.is_some_and(|line| line.contains("would be deleted and made anew")),
            "{object}: {shown}"
        );
    }
    assert_eq!(all.map(uid), before);
    let warning = "the API server warns: v1 Endpoints is deprecated";
    assert!(shown.contains(warning), "{shown}");
    assert!(shown.contains("(Endpoints recreated/e)"), "{shown}");

    let (code, lines, _) = set.deploy(&second, &["--wait=false", "--recreate"]);
    assert_eq!(code, Some(0), "{lines}");
    for (of, before) in all.into_iter().zip(before) {
        assert_ne!(uid(of), before, "{of}");
    }
    assert_eq!(set.entry("Job NAME/j")["recreated"], true);
    let second = second.replace("192.0.2.1", "192.0.2.2");
    let (code, lines, _) = set.deploy(&second, &["--wait=false"]);
    assert_eq!(code, Some(0), "{lines}");
    let warnings = set.entry("Endpoints NAME/e")["warnings"].to_string();
    assert!(warnings.contains("is deprecated"), "{warnings}");

    // What holds data goes by nobody's word but its own manifest's.
    let third = second.replace("volumeName: absent", "volumeName: another");
    let claim = uid("pvc p");
    let (code, lines, _) = set.deploy(&third, &["--wait=false", "--recreate"]);
    assert_eq!(code, Some(1), "{lines}");
    assert!(
        lines.contains("PersistentVolumeClaim recreated/p"),
        "{lines}"
    );
    assert_eq!(uid("pvc p"), claim);
    let forced = third.replace(
        "manifests-e2e.example/why: a claim that is bound late",
        "argocd.argoproj.io/sync-options: Force=true",
    );
    let (code, lines, _) = set.deploy(&forced, &["--wait=false"]);
    assert_eq!(code, Some(0), "{lines}");
    assert_ne!(uid("pvc p"), claim);
}
