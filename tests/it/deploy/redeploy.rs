//! `deploy-manifests` on a cluster that has an older set: what changed is sent, what is shown is not written, what left
//! the set goes, and a process that dies leaves nothing that the next one cannot take up.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::{process::Command, time::Duration};

use serde_json::Value;

use crate::it::{
    deploy::manifests::{on_cluster, said},
    support::{Lane, cluster, sandbox, timeout},
};

/// A set that is deployed again and again under an inventory of its own.
pub(crate) struct Set {
    name: &'static str,
    pub(crate) state: tempfile::TempDir,
}

impl Set {
    pub(crate) fn new(name: &'static str) -> Self {
        let set = Self {
            name,
            state: tempfile::tempdir().unwrap(),
        };
        set.clean();
        set
    }

    /// Takes away what an earlier run of the test left.
    fn clean(&self) {
        let name = self.name;
        kubectl(&format!(
            "delete namespace {name} {name}-two --ignore-not-found"
        ));
        kubectl(&format!(
            "delete crd trees.{name}.example --ignore-not-found"
        ));
        kubectl(&format!(
            "delete clusterrole {name}-all {name}-part --ignore-not-found"
        ));
        kubectl(&format!(
            "delete configmap -l manifests-e2e/inventory={name}"
        ));
    }

    pub(crate) fn write(&self, text: &str) -> String {
        let file = self.state.path().join("objects.yaml");
        std::fs::write(&file, text.replace("NAME", self.name)).unwrap();
        format!("--manifests={}", file.display())
    }

    /// Deploys a text; its exit code, its lines, what it shows.
    pub(crate) fn deploy(&self, text: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
        let manifests = self.write(text);
        let inventory = format!("--inventory={}", self.name);
        let mut all = vec![manifests.as_str(), inventory.as_str()];
        all.extend(arguments);
        let timeout = timeout(Duration::from_mins(2));
        if !arguments.iter().any(|it| it.starts_with("--timeout")) {
            all.push(&timeout);
        }
        let (output, _) = on_cluster(self.state.path(), &all);
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), said(&output), shown)
    }

    pub(crate) fn report(&self) -> Value {
        let file = self.state.path().join("manifests-e2e/deploy-report.json");
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    }

    /// What became of an object in the last deploy.
    pub(crate) fn entry(&self, object: &str) -> Value {
        let object = object.replace("NAME", self.name);
        let report = self.report();
        let objects = report["deployment"]["objects"].as_array().unwrap();
        let entry = objects.iter().find(|entry| entry["object"] == *object);
        entry
            .unwrap_or_else(|| panic!("no {object} in {report}"))
            .clone()
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.clean();
        }
    }
}

/// Runs a kubectl command, written with spaces; what it printed, nothing where it failed.
pub(crate) fn kubectl(words: &str) -> Option<String> {
    let output = Command::new("kubectl")
        .args(words.split(' '))
        .env("KUBECONFIG", cluster())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

pub(crate) fn exists(words: &str) -> bool {
    kubectl(&format!("get {words}")).is_some()
}

/// Each object that a command prints has, on the cluster, one manager of ours, and that by apply.
pub(crate) fn one_manager_each(build: &str) {
    let output = Command::new("bash")
        .arg("-c")
        .arg(format!(
            "{build} | kubectl get -f - -o json --show-managed-fields"
        ))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("KUBECONFIG", cluster())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let live: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let objects = live["items"].as_array().unwrap();
    assert!(objects.len() > 20);
    for object in objects {
        let managers = object["metadata"]["managedFields"].as_array().unwrap();
        let ours: Vec<_> = managers
            .iter()
            .filter(|entry| entry["manager"].as_str().unwrap().contains("manifests-e2e"))
            .collect();
        assert!(
            ours.len() == 1 && ours[0]["operation"] == "Apply",
            "{}: {managers:?}",
            object["metadata"]["name"]
        );
    }
}

const FIRST: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: NAME}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: NAME}
data: {k: one}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: b, namespace: NAME}
data: {k: two}
---
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: NAME}
stringData: {password: first-hush, same: other-hush}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d, namespace: NAME}
spec:
  replicas: 0
  selector: {matchLabels: {app: d}}
  template:
    metadata: {labels: {app: d}}
    spec:
      containers:
      - name: c
        image: nowhere.example/none
        resources: {requests: {cpu: 1000m, memory: 1024Mi}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NAME-all}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {NAME.example/part: 'true'}}]}
rules: []
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NAME-part, labels: {NAME.example/part: 'true'}}
rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]
";

#[test]
fn sandbox_a_redeploy_sends_what_changed_and_what_others_changed() {
    let Some(_turn) = sandbox(Lane::Cluster) else {
        return;
    };
    let set = Set::new("redeployed");
    let (code, lines, _) = set.deploy(FIRST, &[]);
    assert_eq!(code, Some(0), "{lines}");
    let filled = "get clusterrole redeployed-all -o jsonpath={.rules[*].resources}";
    assert!(kubectl(filled).unwrap().contains("pods"));

    // Others change one object, delete one, and change one in a field that is not ours.
    kubectl("-n redeployed patch configmap a -p {\"data\":{\"k\":\"theirs\"}}").unwrap();
    kubectl("-n redeployed patch secret s -p {\"data\":{\"same\":\"dGhlaXJz\"}}").unwrap();
    kubectl("-n redeployed delete configmap b").unwrap();
    kubectl("-n redeployed annotate deployment d seen=by-others").unwrap();
    let (code, lines, _) = set.deploy(FIRST, &[]);
    assert_eq!(code, Some(0), "{lines}");
    let warnings: Vec<&str> = lines
        .lines()
        .filter(|it| it.contains("taken over"))
        .collect();
    assert_eq!(warnings.len(), 2, "{lines}");
    for (object, field) in [
        ("ConfigMap redeployed/a", ".data.k"),
        ("Secret redeployed/s", ".data.same"),
    ] {
        let taken = warnings.iter().find(|it| it.contains(object));
        let taken = taken.unwrap_or_else(|| panic!("{object}: {lines}"));
        assert!(
            taken.contains("\"kubectl-patch\"") && taken.contains(field),
            "{lines}"
        );
    }
    let value = "-n redeployed get configmap a -o jsonpath={.data.k}";
    assert_eq!(kubectl(value).unwrap(), "one");
    let secret = "-n redeployed get secret s -o jsonpath={.data}";
    assert!(!kubectl(secret).unwrap().contains("dGhlaXJz"));
    assert_eq!(set.entry("ConfigMap NAME/b")["created"], true);
    for object in [
        "Deployment NAME/d",
        "ClusterRole NAME-all",
        "Namespace NAME",
    ] {
        assert_eq!(set.entry(object)["unchanged"], true, "{object}");
    }

    // A field that leaves the set leaves the object; the rest is not sent.
    let changed = FIRST.replace("data: {k: one}", "data: {l: one}");
    let changed = changed.replace("password: first-hush, ", "");
    let (code, lines, _) = set.deploy(&changed, &[]);
    assert_eq!(code, Some(0), "{lines}");
    assert!(!lines.contains("taken over"), "{lines}");
    assert_eq!(kubectl(value).unwrap(), "");
    assert!(!kubectl(secret).unwrap().contains("password"));
    assert_eq!(set.entry("ConfigMap NAME/a")["tries"], 1);
    assert_eq!(set.entry("ConfigMap NAME/b")["tries"], 0);

    // Without the inventory's memory everything is sent, and nothing changes.
    kubectl("delete configmap -l manifests-e2e/inventory=redeployed").unwrap();
    let (code, lines, _) = set.deploy(&changed, &[]);
    assert_eq!(code, Some(0), "{lines}");
    assert!(!lines.contains("taken over"), "{lines}");
    assert_eq!(set.entry("ConfigMap NAME/b")["tries"], 1);
}

/// Has what `FIRST` has not, and lacks what that has.
pub(crate) const SECOND: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: NAME}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: NAME}
data: {k: changed}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c, namespace: NAME}
data: {k: three}
---
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: NAME}
stringData: {password: second-hush, same: other-hush}
---
apiVersion: v1
kind: Namespace
metadata: {name: NAME-two}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: within, namespace: NAME-two}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: trees.NAME.example}
spec:
  group: NAME.example
  names: {kind: Tree, plural: trees}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: NAME.example/v1
kind: Tree
metadata: {name: oak, namespace: NAME}
";

#[test]
fn sandbox_a_dry_run_shows_what_would_change_and_writes_nothing() {
    let Some(_turn) = sandbox(Lane::Cluster) else {
        return;
    };
    let set = Set::new("shown");
    let (code, lines, _) = set.deploy(FIRST, &[]);
    assert_eq!(code, Some(0), "{lines}");
    let versions = || {
        kubectl("get namespace,configmap,secret,deployment,clusterrole -A -o jsonpath={range.items[*]}{.kind}/{.metadata.namespace}/{.metadata.name}={.metadata.resourceVersion};{end}")
            .unwrap()
            .split(';')
            .filter(|line| line.contains("shown"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let before = versions();
    assert!(before.len() >= 7, "{before:?}");
    let (code, lines, shown) = set.deploy(SECOND, &["--dry-run", "--prune"]);
    assert_eq!(code, Some(0), "{lines}");
    for line in [
        "~ ConfigMap shown/a: would be changed",
        "-  k: one",
        "+  k: changed",
        "+ ConfigMap shown/c: would be created",
        "~ Secret shown/s: would be changed",
        "-  password: '*** (as it is)'",
        "+  password: '*** (changed)'",
        "   same: '***'",
        "+ Namespace shown-two: would be created",
        "+ ConfigMap shown-two/within: would be created",
        "+ CustomResourceDefinition trees.shown.example: would be created",
        "+ Tree shown/oak: would be created",
        "- ConfigMap shown/b: would be deleted",
        "- Deployment shown/d: would be deleted",
    ] {
        assert!(shown.contains(&format!("{line}\n")), "no {line} in {shown}");
    }
    assert!(
        lines.contains("5 would be created, 2 changed, 1 unchanged, 4 pruned"),
        "{lines}"
    );
    assert!(
        !shown.contains("hush") && !shown.contains("c2Vjb25kLWh1c2g"),
        "{shown}"
    );
    assert_eq!(versions(), before);
    assert!(!exists("namespace shown-two") && !exists("crd trees.shown.example"));

    let (code, lines, shown) = set.deploy(FIRST, &["--dry-run"]);
    assert_eq!(code, Some(0), "{lines}");
    assert!(
        lines.contains("0 would be created, 0 changed, 7 unchanged, 0 pruned"),
        "{lines}{shown}"
    );

    let refused = FIRST.replace("{app: d}", "{app: e}");
    let (code, lines, _) = set.deploy(&refused, &["--dry-run"]);
    assert_eq!(code, Some(1), "{lines}");
    assert!(
        lines.contains("the cluster would refuse Deployment shown/d")
            && lines.contains("immutable"),
        "{lines}"
    );
}
