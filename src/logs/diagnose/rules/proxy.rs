//! What lies between pods and the Services that they look for: kube-proxy, and the DNS of the cluster.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Scene};
use crate::logs::{
    diagnose::{
        Class, Evidence,
        index::{id, id_of, labels},
        mentions::{How, Mention},
    },
    snapshot::{Object, healthy},
};

/// How often lines have to say that a Service does not answer.
const OFTEN: usize = 5;

/// Services that do not answer from one node, though pods behind them are ready, and kube-proxy is restless there.
pub(super) fn proxy(scene: &Scene<'_>) -> Vec<Finding> {
    let mut of_nodes: BTreeMap<&str, Vec<&Mention<'_>>> = BTreeMap::new();
    for mention in &scene.mentions.all {
        let is_bad = matches!(mention.how, How::Silent | How::NoName);
        if is_bad && mention.log.is_late(mention.line) && has_ready_pods(scene, mention) {
            let node = mention.pod.text("/spec/nodeName");
            of_nodes.entry(node).or_default().push(mention);
        }
    }
    let mut found = Vec::new();
    for (node, mentions) in of_nodes {
        let services: BTreeSet<String> = mentions
            .iter()
            .filter_map(|it| it.service.map(Object::path))
            .collect();
        let times: usize = mentions.iter().map(|it| it.line.times).sum();
        let Some((proxy, is_bad)) = restless(scene, node) else {
            continue;
        };
        if times < OFTEN || services.len() < 2 && !is_bad {
            continue;
        }
        let named: Vec<String> = services.iter().take(3).cloned().collect();
        let said = format!(
            "kube-proxy does not work on the node: pods there cannot reach Services whose pods are ready ({}), and {proxy}",
            named.join(", ")
        );
        let finding = Finding::new(Class::KubeProxyDown, id("Node", "", node), said)
            .with(mentions.iter().map(|it| scene.index.owner(it.pod)))
            .shown(
                mentions
                    .iter()
                    .take(3)
                    .map(|it| Evidence::line(it.log, it.line)),
            );
        found.push(finding);
    }
    found
}

fn has_ready_pods(scene: &Scene<'_>, mention: &Mention<'_>) -> bool {
    let pods = mention
        .service
        .map_or(&[][..], |it| scene.index.pods_of(it));
    pods.iter().any(|pod| healthy(pod))
}

/// What tells that kube-proxy of a node is not well, and whether that is beyond doubt.
fn restless(scene: &Scene<'_>, node: &str) -> Option<(String, bool)> {
    let is_proxy =
        |pod: &&&Object| labels(pod, "/metadata/labels").any(|it| it == ("k8s-app", "kube-proxy"));
    let pods = scene.index.pods_in("kube-system").iter();
    let proxies: Vec<&&Object> = pods.filter(is_proxy).collect();
    let here = proxies
        .iter()
        .find(|pod| pod.text("/spec/nodeName") == node);
    match here {
        Some(pod) if !healthy(pod) => {
            return Some((format!("its pod {} is not ready", pod.name()), true));
        }
        None if !proxies.is_empty() => {
            return Some(("no pod of it is there".to_owned(), true));
        }
        _ => {}
    }
    let node = scene.index.get("Node", "", node)?;
    let events = scene.index.events_of(node).into_iter();
    let starts = events.filter(|event| {
        let by = [
            event.text("/source/component"),
            event.text("/reportingComponent"),
        ];
        event.text("/reason") == "Starting" && by.contains(&"kube-proxy")
    });
    let starts = starts.count();
    (starts >= 2).then(|| (format!("it was started {starts} times lately"), starts >= 4))
}

/// Names of Services that do not resolve although they are there.
pub(super) fn dns(scene: &Scene<'_>) -> Vec<Finding> {
    let servers: Vec<&&Object> = scene
        .index
        .pods_in("kube-system")
        .iter()
        .filter(|pod| labels(pod, "/metadata/labels").any(|it| it == ("k8s-app", "kube-dns")))
        .collect();
    let down = servers.iter().all(|pod| !healthy(pod)) && !servers.is_empty();
    let unresolved = scene
        .mentions
        .all
        .iter()
        .filter(|it| it.how == How::NoName && it.service.is_some() && it.log.is_late(it.line));
    let mut finding: Option<Finding> = None;
    for mention in unresolved {
        let owner = scene.index.owner(mention.pod);
        let service = mention.service.map_or_else(String::new, id_of);
        let matters = down || !healthy(mention.pod) || mention.line.times >= OFTEN;
        // Where the node is at fault that is another finding.
        if !matters || restless(scene, mention.pod.text("/spec/nodeName")).is_some() {
            continue;
        }
        let evidence = Evidence::line(mention.log, mention.line);
        let so_far = finding.take().unwrap_or_else(|| {
            let why = if down {
                "no pod of the cluster's DNS is ready"
            } else {
                "the cluster's DNS does not answer, or the pod does not ask it"
            };
            let said = format!("the name of {service} does not resolve, and it is there: {why}");
            Finding::new(Class::DnsFails, owner.clone(), said)
        });
        finding = Some(so_far.with([owner]).shown([evidence]));
    }
    let needs = servers.iter().map(|pod| scene.index.owner(pod));
    finding.map(|it| it.needing(needs)).into_iter().collect()
}
