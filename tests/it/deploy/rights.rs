//! `deploy-manifests` by an account that lacks a right.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::time::Duration;

use serde_json::{Value, json};

use crate::it::{
    deploy::redeploy::kubectl,
    support::{Lane, cluster, sandbox, sets, within},
};

/// A kubeconfig of an account of the cluster, in a directory of its own.
fn kubeconfig_of(namespace: &str, account: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let token = kubectl(&format!("-n {namespace} create token {account}")).unwrap();
    let text = std::fs::read_to_string(cluster()).unwrap();
    let mut config: Value = serde_yaml::from_str(&text).unwrap();
    config["users"][0]["user"] = json!({"token": token.trim()});
    std::fs::write(dir.path().join("config"), config.to_string()).unwrap();
    dir
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_a_right_that_is_missing_is_named_in_seconds_and_the_rest_is_told() {
    let Some(_turn) = sandbox(Lane::Cluster) else {
        return;
    };
    let name = "set-rights";
    let rbac = "rbac.authorization.k8s.io/v1";
    let may = |group: &str, resources: &[&str], verbs: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
    let all = ["get", "list", "watch", "create", "patch", "delete"];
    let account = sets::Set::new(
        name,
        vec![
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deployer", "namespace": name}}),
            json!({"apiVersion": rbac, "kind": "ClusterRole", "metadata": {"name": name},
                // It may do all but list and watch Deployments, and see definitions, namespaces or events.
                "rules": [may("", &["configmaps", "services"], &all), may("apps", &["replicasets"], &all), may("", &["pods"], &all),
                    may("apps", &["deployments"], &["get", "create", "patch"])]}),
            json!({"apiVersion": rbac, "kind": "ClusterRoleBinding", "metadata": {"name": name},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
                "subjects": [{"kind": "ServiceAccount", "name": "deployer", "namespace": name}]}),
        ],
    );
    let made = account.deploy(cluster(), "1m").await;
    assert_eq!(made.code, Some(0), "{}", made.said);
    let kubeconfig = kubeconfig_of(name, "deployer");
    let kubeconfig = kubeconfig.path().join("config");
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": name},
        "spec": {"type": "ExternalName", "externalName": "elsewhere.example"}});
    let mut web = sets::deployment(
        name,
        "web",
        &json!({"name": "c", "image": "nowhere.example/none"}),
    );
    web["spec"]["replicas"] = json!(0);

    // What need not be seen is not asked for.
    let without = sets::Set::new("set-rights-service", vec![service.clone()]);
    let passed = without.deploy(&kubeconfig, "1m").await;
    assert_eq!(passed.code, Some(0), "{}", passed.said);

    let with = sets::Set::new("set-rights-web", vec![service, web]);
    let failed = with.deploy(&kubeconfig, "2m").await;
    assert_eq!(failed.code, Some(3), "{}", failed.said);
    assert!(
        failed.took < within(Duration::from_secs(40)),
        "{:?}",
        failed.took
    );
    for word in ["list", "deployments"] {
        assert!(failed.cause().contains(word), "{}", failed.said);
    }
}
