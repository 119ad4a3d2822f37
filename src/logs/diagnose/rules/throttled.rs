//! Network plugins that wait for their CPU.

use super::{Finding, Scene};
use crate::logs::{
    diagnose::{
        Class, Evidence,
        index::{id, labels},
    },
    snapshot::{Object, text},
};

/// Periods of a hundred from which on it is told.
const OFTEN: u64 = 50;

/// The names of network plugins, as their pods' labels have them.
const PLUGINS: [&str; 7] = [
    "kindnet",
    "calico-node",
    "cilium",
    "flannel",
    "kube-router",
    "weave-net",
    "antrea",
];

/// Each pod of a network plugin that had to wait most of the time.
pub(super) fn plugins(scene: &Scene<'_>) -> Vec<Finding> {
    let pods = scene.index.pods().iter();
    pods.filter_map(|pod| one(scene, pod)).collect()
}

fn one(scene: &Scene<'_>, pod: &Object) -> Option<Finding> {
    let names = ["app", "k8s-app", "app.kubernetes.io/name", "name"];
    let mut own = labels(pod, "/metadata/labels");
    let (_, plugin) = own.find(|(key, value)| names.contains(key) && PLUGINS.contains(value))?;
    let stats = &scene.index.snapshot.cpu;
    let waits = stats.waits(pod.text("/metadata/uid"))?;
    if waits < OFTEN {
        return None;
    }
    let limits = pod.list("/spec/containers").iter();
    let limits: Vec<&str> = limits.map(|it| text(it, "/resources/limits/cpu")).collect();
    let said = format!(
        "the network plugin {plugin} had to wait for its CPU in {waits} % of the time: its limit of {} is low",
        limits.join(", ")
    );
    let evidence = Evidence {
        path: Some(stats.file.clone()),
        line: None,
        text: format!(
            "nr_throttled: {waits} % of nr_periods of pod {}",
            pod.path()
        ),
    };
    let node = id("Node", "", pod.text("/spec/nodeName"));
    let finding = Finding::new(Class::NetworkPluginThrottled, node, said)
        .with([scene.index.owner(pod)])
        .shown([evidence]);
    Some(finding)
}
