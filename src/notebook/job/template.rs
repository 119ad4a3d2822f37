//! The Job and its pod as Kubernetes takes them.

use std::time::Duration;

use k8s_openapi::api::batch::v1;
use serde_json::{Value, json};

use super::{Job, KEEPER, TEST, WORK};

const INPUT: &str = "/manifests-e2e/input";
/// The Job outlives the stage's limit by this, so that the stage, which says more, ends first.
const GRACE: Duration = Duration::from_mins(2);
/// How long a Job that ended is kept on a cluster that lives on.
const KEPT: Duration = Duration::from_hours(24);
/// Waits for SIGTERM; a shell that is process 1 heeds only what it traps.
const KEEP: &str = "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done";

impl Job {
    pub(super) fn object(&self) -> v1::Job {
        serde_json::from_value(json!({
            "metadata": { "name": self.name, "labels": self.labels },
            "spec": {
                // A second attempt would hide the first one's error.
                "backoffLimit": 0,
                "activeDeadlineSeconds": (self.limit + GRACE).as_secs(),
                "ttlSecondsAfterFinished": KEPT.as_secs(),
                "template": self.template(),
            }
        }))
        .expect("this is a Job")
    }

    pub(super) fn template(&self) -> Value {
        let container = |name: &str, command: Value, cpu: &str, memory: &str| {
            json!({
                "name": name,
                "image": self.image,
                "imagePullPolicy": "IfNotPresent",
                "command": command,
                "workingDir": WORK,
                // A quota on requests, as profiles have one, refuses pods without.
                "resources": { "requests": { "cpu": cpu, "memory": memory } },
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "capabilities": { "drop": ["ALL"] },
                },
                "volumeMounts": [{ "name": "work", "mountPath": WORK }],
            })
        };
        let start = json!(["sh", format!("{INPUT}/start.sh"), self.kind.word()]);
        let mut test = container(TEST, start, "100m", "256Mi");
        let mut env = vec![
            json!({ "name": "MANIFESTS_E2E_INPUT", "value": INPUT }),
            json!({ "name": "MANIFESTS_E2E_WORK", "value": WORK }),
            // The log is live.
            json!({ "name": "PYTHONUNBUFFERED", "value": "1" }),
        ];
        let given = self.env.iter();
        env.extend(given.map(|(name, value)| json!({ "name": name, "value": value })));
        test["env"] = json!(env);
        if let Some(mounts) = test["volumeMounts"].as_array_mut() {
            mounts.push(json!({ "name": "input", "mountPath": INPUT, "readOnly": true }));
        }
        let keeper = container(KEEPER, json!(["sh", "-c", KEEP]), "1m", "8Mi");
        let sources: Vec<Value> = (0..self.lots.len())
            .map(|index| json!({ "configMap": { "name": self.config_map(index) } }))
            .collect();
        let mut security = json!({ "seccompProfile": { "type": "RuntimeDefault" } });
        if self.place.restricted {
            // Elsewhere an image of root's may run: many notebook images are.
            security["runAsNonRoot"] = json!(true);
        }
        let mut template = json!({
            "metadata": {
                "labels": self.labels,
                "annotations": {
                    // A test that begins before its sidecar has no network.
                    "proxy.istio.io/config": r#"{"holdApplicationUntilProxyStarts": true}"#,
                },
            },
            "spec": {
                "restartPolicy": "Never",
                "serviceAccountName": self.place.service_account,
                "terminationGracePeriodSeconds": 5,
                "securityContext": security,
                "containers": [test, keeper],
                "volumes": [
                    { "name": "input", "projected": { "sources": sources } },
                    { "name": "work", "emptyDir": {} },
                ],
            }
        });
        self.patch.apply(&mut template);
        template
    }
}
