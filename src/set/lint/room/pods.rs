//! What one pod asks of a node: what the scheduler counts, and where it may go.

use serde_json::Value;

use crate::{
    api::{Labels, contains, labels, list},
    set::{lint::room::Amounts, objects::Object},
};

/// The pods that an object makes.
#[derive(Clone, Debug)]
pub struct PodDemand {
    /// How many; none for one on each node.
    pub copies: Option<i128>,
    /// Whether they stay: a Job's end.
    pub stay: bool,
    /// What one of them asks for.
    pub asks: Amounts,
    selector: Labels,
    tolerations: Vec<Value>,
}

impl PodDemand {
    /// The pods of an object of the set; none where it makes none, or only later.
    pub fn of(object: &Object) -> Option<Self> {
        let id = &object.id;
        let makes = matches!(
            (id.group.as_str(), id.kind.as_str()),
            ("", "Pod")
                | (
                    "apps",
                    "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet"
                )
                | ("batch", "Job")
        );
        if !makes {
            return None;
        }
        let value = object.value();
        let (_, pod) = crate::set::facts::template(&id.group, &id.kind, &value)?;
        let spec = &value["spec"];
        let number = |key: &str| spec[key].as_i64().map(i128::from);
        let copies = match id.kind.as_str() {
            "Pod" => Some(1),
            "DaemonSet" => None,
            "Job" if spec["suspend"] == true => return None,
            "Job" => {
                let together = number("parallelism").unwrap_or(1);
                Some(number("completions").map_or(together, |all| all.min(together)))
            }
            _ => Some(number("replicas").unwrap_or(1)),
        };
        let restarts = pod["restartPolicy"].as_str();
        Some(Self {
            copies,
            stay: id.kind != "Job" && matches!(restarts, None | Some("Always")),
            asks: asks(pod),
            selector: labels(&pod["nodeSelector"]),
            tolerations: list(&pod["tolerations"]).cloned().collect(),
        })
    }

    /// Whether a node of these labels and taints takes it, if there is room.
    pub fn may_go_to(&self, node: &Labels, taints: &[Value]) -> bool {
        contains(node, &self.selector) && taints.iter().all(|taint| self.tolerates(taint))
    }

    fn tolerates(&self, taint: &Value) -> bool {
        let keeps_off = matches!(taint["effect"].as_str(), Some("NoSchedule" | "NoExecute"));
        let key = taint["key"].as_str().unwrap_or_default();
        // These come and go with the state of the node.
        let passes = key.starts_with("node.kubernetes.io/")
            || key.starts_with("node.cloudprovider.kubernetes.io/");
        !keeps_off
            || passes
            || self.tolerations.iter().any(|toleration| {
                let says = |key: &str| toleration[key].as_str().filter(|text| !text.is_empty());
                let value = taint["value"].as_str().unwrap_or_default();
                says("effect").is_none_or(|effect| taint["effect"] == effect)
                    && match says("operator") {
                        Some("Exists") => says("key").is_none_or(|it| it == key),
                        _ => says("key") == Some(key) && says("value").unwrap_or_default() == value,
                    }
            })
    }
}

/// What the scheduler counts for a pod: its containers and sidecars together, or more while an init container runs.
pub fn asks(pod: &Value) -> Amounts {
    let mut together = Amounts::default();
    let mut most = Amounts::default();
    for container in list(&pod["initContainers"]) {
        let own = of_container(container);
        if container["restartPolicy"] == "Always" {
            // A sidecar: it stays beside all that come after it.
            together.add(&own, 1);
            most.raise_to(&together);
        } else {
            let mut meanwhile = together.clone();
            meanwhile.add(&own, 1);
            most.raise_to(&meanwhile);
        }
    }
    for container in list(&pod["containers"]) {
        together.add(&of_container(container), 1);
    }
    most.raise_to(&together);
    // What is asked for the pod as a whole counts in place of the sum.
    most.0.extend(of_container(pod).0);
    most.add(&Amounts::of(&pod["overhead"]), 1);
    most.0.insert("pods".to_owned(), 1000);
    most
}

/// Requests; the server takes a limit for one where there is none.
fn of_container(container: &Value) -> Amounts {
    let resources = &container["resources"];
    let mut amounts = Amounts::of(&resources["limits"]);
    amounts.0.extend(Amounts::of(&resources["requests"]).0);
    amounts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::set::objects;

    fn cpu(millis: i64) -> Value {
        json!({"requests": {"cpu": format!("{millis}m")}})
    }

    #[test]
    fn a_pod_asks_for_what_the_scheduler_counts() {
        let container = |millis| json!({"resources": cpu(millis)});
        let sidecar = |millis| json!({"resources": cpu(millis), "restartPolicy": "Always"});
        for (pod, millis) in [
            (json!({"containers": [container(100), container(200)]}), 300),
            (
                json!({"containers": [container(100)], "initContainers": [container(500), container(400)]}),
                500,
            ),
            (
                json!({"containers": [container(100)], "initContainers": [sidecar(50), container(400)]}),
                450,
            ),
            (
                json!({"containers": [container(100)], "initContainers": [container(120), sidecar(50)]}),
                150,
            ),
            (
                json!({"containers": [container(600)], "initContainers": [sidecar(50), container(400)]}),
                650,
            ),
            (
                json!({"containers": [container(100)], "overhead": {"cpu": "10m"}}),
                110,
            ),
            (
                json!({"containers": [container(100)], "resources": cpu(70)}),
                70,
            ),
            (
                json!({"containers": [{"resources": {"limits": {"cpu": "2"}}}]}),
                2000,
            ),
            (
                json!({"containers": [{"resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}}}]}),
                1000,
            ),
            (json!({"containers": [{}]}), 0),
        ] {
            let asked = asks(&pod);
            assert_eq!(asked.get("cpu"), millis, "{pod}");
            assert_eq!(asked.get("pods"), 1000);
        }
    }

    #[test]
    fn copies_are_counted_as_their_controllers_make_them() {
        for (text, copies) in [
            (
                "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: {spec: {}}}}",
                Some(Some(1)),
            ),
            (
                "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: a}, spec: {replicas: 3, template: {spec: {}}}}",
                Some(Some(3)),
            ),
            (
                "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: a}, spec: {template: {spec: {}}}}",
                Some(None),
            ),
            (
                "{apiVersion: batch/v1, kind: Job, metadata: {name: a}, spec: {completions: 2, parallelism: 5, template: {spec: {}}}}",
                Some(Some(2)),
            ),
            (
                "{apiVersion: batch/v1, kind: Job, metadata: {name: a}, spec: {suspend: true, template: {spec: {}}}}",
                None,
            ),
            (
                "{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {jobTemplate: {spec: {template: {spec: {}}}}}}",
                None,
            ),
            (
                "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {}}",
                Some(Some(1)),
            ),
            (
                "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {}}",
                None,
            ),
        ] {
            let object = objects::read("x", text).unwrap().remove(0);
            assert_eq!(PodDemand::of(&object).map(|it| it.copies), copies, "{text}");
        }
    }

    #[test]
    fn a_taint_keeps_off_whoever_does_not_tolerate_it() {
        let text = "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {nodeSelector: {os: linux}, tolerations: \
                    [{key: a, operator: Exists}, {key: b, value: '1', effect: NoSchedule}]}}";
        let object = objects::read("x", text).unwrap().remove(0);
        let wanted = PodDemand::of(&object).unwrap();
        let linux = labels(&json!({"os": "linux", "x": "y"}));
        for (taint, goes) in [
            (json!({"key": "a", "effect": "NoExecute"}), true),
            (
                json!({"key": "b", "value": "1", "effect": "NoSchedule"}),
                true,
            ),
            (
                json!({"key": "b", "value": "2", "effect": "NoSchedule"}),
                false,
            ),
            (
                json!({"key": "b", "value": "1", "effect": "NoExecute"}),
                false,
            ),
            (json!({"key": "c", "effect": "NoSchedule"}), false),
            (json!({"key": "c", "effect": "PreferNoSchedule"}), true),
            (
                json!({"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}),
                true,
            ),
        ] {
            assert_eq!(
                wanted.may_go_to(&linux, std::slice::from_ref(&taint)),
                goes,
                "{taint}"
            );
        }
        assert!(!wanted.may_go_to(&Labels::new(), &[]));
    }
}
