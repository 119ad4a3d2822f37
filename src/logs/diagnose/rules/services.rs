//! Services that lead to no pod, or to a port on which nobody listens.

use super::{Finding, Scene};
use crate::logs::{
    diagnose::{
        Class, Evidence,
        index::{id_of, labels, selects},
        mentions::{How, Mention},
    },
    snapshot::{Object, healthy, list, text},
};

/// What is wrong with each Service.
pub(super) fn services(scene: &Scene<'_>) -> Vec<Finding> {
    let services = scene.index.of_kind("", "Service").iter();
    services
        .filter(|it| it.text("/spec/type") != "ExternalName")
        .filter(|it| labels(it, "/spec/selector").next().is_some())
        .filter_map(|service| one(scene, service))
        .collect()
}

fn one(scene: &Scene<'_>, service: &Object) -> Option<Finding> {
    let pods = scene.index.pods_of(service);
    let complaint = complaint(scene, service);
    let finding = if pods.is_empty() {
        without_pods(scene, service, complaint.is_some())?
    } else {
        ports(scene, service, pods, complaint.is_some())?
    };
    let evidence = complaint.map(|it| Evidence::line(it.log, it.line));
    Some(finding.shown(evidence))
}

/// A line of a log that tells of a Service that does not answer.
fn complaint<'s, 'a>(scene: &'s Scene<'a>, service: &Object) -> Option<&'s Mention<'a>> {
    let about = scene.mentions.of_service(service);
    about
        .filter(|it| it.how != How::NoName)
        .max_by_key(|it| (it.log.is_late(it.line), it.line.times))
}

/// A Service whose selector matches no pod: nobody has these labels, or nobody is wanted.
fn without_pods(scene: &Scene<'_>, service: &Object, is_missed: bool) -> Option<Finding> {
    let namespace = service.namespace().unwrap_or_default();
    let selector: Vec<(&str, &str)> = labels(service, "/spec/selector").collect();
    let template = "/spec/template/metadata/labels";
    let meant = scene.index.workloads_in(namespace).iter().find(|it| {
        let is_zero = it.number("/spec/replicas") == Some(0);
        selects(&selector, it, template) || is_zero && is_selected_by(it, &selector)
    });
    if let Some(workload) = meant {
        // Who is scaled by somebody else is as that wants it.
        let is_scaled = workload.controller().is_some() || is_autoscaled(scene, workload);
        let is_zero = workload.number("/spec/replicas") == Some(0);
        if !is_zero || is_scaled {
            return None;
        }
        let said = format!(
            "it is scaled to zero replicas, and {} has no pods",
            id_of(service)
        );
        let finding = Finding::new(Class::ZeroReplicas, id_of(workload), said)
            .with([id_of(service)])
            .shown([scene.evidence(workload, "replicas: 0")])
            .quiet(!is_missed);
        return Some(finding);
    }
    let (owner, has) = alike(scene, service, &selector)?;
    let wants: Vec<String> = selector
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let said = format!(
        "its selector {} matches no pod; {owner} has {has}",
        wants.join(",")
    );
    let finding = Finding::new(Class::ServiceSelectorMismatch, id_of(service), said)
        .with([owner])
        .shown([scene.evidence(service, &format!("selector: {}", wants.join(",")))])
        .quiet(!is_missed);
    Some(finding)
}

/// Whether a workload without known labels of its pods selects what a Service selects.
fn is_selected_by(workload: &Object, selector: &[(&str, &str)]) -> bool {
    let own: Vec<(&str, &str)> = labels(workload, "/spec/selector/matchLabels").collect();
    let has_template = labels(workload, "/spec/template/metadata/labels")
        .next()
        .is_some();
    !has_template && !own.is_empty() && own.iter().all(|it| selector.contains(it))
}

fn is_autoscaled(scene: &Scene<'_>, workload: &Object) -> bool {
    let scalers = [
        ("autoscaling", "HorizontalPodAutoscaler"),
        ("keda.sh", "ScaledObject"),
    ];
    scalers.iter().any(|(group, kind)| {
        scene.index.of_kind(group, kind).iter().any(|it| {
            it.namespace() == workload.namespace()
                && it.text("/spec/scaleTargetRef/name") == workload.name()
        })
    })
}

/// The workload that a Service was meant for, and the labels that its pods have in place of those that are selected.
fn alike(
    scene: &Scene<'_>,
    service: &Object,
    selector: &[(&str, &str)],
) -> Option<(String, String)> {
    let namespace = service.namespace().unwrap_or_default();
    let pods = scene.index.pods_in(namespace).iter();
    let mut best: Option<(usize, &Object)> = None;
    for pod in pods.filter(|pod| scene.index.services_of(pod).is_empty()) {
        let score = likeness(service, selector, pod);
        if score > 0 && best.is_none_or(|(known, _)| score > known) {
            best = Some((score, pod));
        }
    }
    let (_, pod) = best?;
    let keys: Vec<&str> = selector.iter().map(|(key, _)| *key).collect();
    let own = labels(pod, "/metadata/labels").filter(|(key, value)| {
        keys.contains(key) || selector.iter().any(|(_, wanted)| wanted == value)
    });
    let mut has: Vec<String> = own.map(|(key, value)| format!("{key}={value}")).collect();
    if has.is_empty() {
        let all = labels(pod, "/metadata/labels").filter(|(key, _)| *key != "pod-template-hash");
        has = all.map(|(key, value)| format!("{key}={value}")).collect();
    }
    Some((scene.index.owner(pod), has.join(",")))
}

/// How much speaks for a pod being what a Service was meant for.
fn likeness(service: &Object, selector: &[(&str, &str)], pod: &Object) -> usize {
    let plain = |text: &str| text.replace(['-', '_', '.'], "").to_lowercase();
    let own: Vec<(&str, &str)> = labels(pod, "/metadata/labels").collect();
    let mut score = 0;
    for (key, value) in selector {
        let same_pair = own.contains(&(key, value));
        let same_value = own.iter().any(|(_, other)| plain(other) == plain(value));
        score += usize::from(same_pair) + usize::from(same_value);
    }
    let name = service.name();
    score += usize::from(own.iter().any(|(_, value)| *value == name));
    let is_named = pod
        .name()
        .strip_prefix(name)
        .is_some_and(|it| it.starts_with('-'));
    score + usize::from(is_named)
}

/// A port of a Service that leads to none of its pods' ports.
fn ports(
    scene: &Scene<'_>,
    service: &Object,
    pods: &[&Object],
    is_missed: bool,
) -> Option<Finding> {
    let pod = pods.first()?;
    let declared: Vec<&serde_json::Value> = ["/spec/containers", "/spec/initContainers"]
        .iter()
        .flat_map(|pointer| pod.list(pointer))
        .flat_map(|it| list(it, "/ports"))
        .collect();
    if declared.is_empty() {
        return None;
    }
    let ports = service.list("/spec/ports");
    for port in ports {
        let number = &port["port"];
        let target = port.get("targetPort").unwrap_or(number);
        let protocol = |it: &serde_json::Value| match text(it, "/protocol") {
            "" => "TCP".to_owned(),
            protocol => protocol.to_owned(),
        };
        let matches = |it: &&&serde_json::Value| match target.as_str() {
            Some(name) => text(it, "/name") == name,
            None => it["containerPort"] == *target,
        };
        let leads_to: Vec<_> = declared.iter().filter(matches).collect();
        let owner = scene.index.owner(pod);
        let shown = [scene.evidence(service, &format!("targetPort: {}", plain(target)))];
        // Objects that were told in text have lost the names of their ports; then it is the endpoints that tell.
        let has_names = declared.iter().any(|it| !text(it, "/name").is_empty());
        if target.is_string() && !has_names && !has_no_endpoints(scene, service, pods) {
            continue;
        }
        if leads_to.is_empty() {
            // A process may listen on more ports than its container declares.
            let is_certain = target.is_string() || is_missed;
            let known: Vec<String> = declared
                .iter()
                .map(|it| plain(&it["containerPort"]))
                .collect();
            let probed = probed_ports(pod);
            if !is_certain && (ports.len() > 1 || probed.contains(&plain(target))) {
                continue;
            }
            let what = if target.is_string() {
                "no container has a port of that name"
            } else {
                "no container declares that port"
            };
            let said = format!(
                "its port {} leads to port {} of the pods of {owner}, and {what}: they have {}",
                plain(number),
                plain(target),
                known.join(", ")
            );
            let finding = Finding::new(Class::ServicePortMismatch, id_of(service), said)
                .with([owner])
                .shown(shown)
                .quiet(!is_certain);
            return Some(finding);
        }
        if !leads_to.iter().any(|it| protocol(it) == protocol(port)) {
            let said = format!(
                "its port {} is {}, and the pods of {owner} listen by {}: the protocol is another one",
                plain(number),
                protocol(port),
                protocol(leads_to[0])
            );
            let finding = Finding::new(Class::ServiceProtocolMismatch, id_of(service), said)
                .with([owner])
                .shown([scene.evidence(service, &format!("protocol: {}", protocol(port)))])
                .quiet(!is_missed);
            return Some(finding);
        }
    }
    None
}

/// Whether a Service has ready pods, and no endpoints all the same.
fn has_no_endpoints(scene: &Scene<'_>, service: &Object, pods: &[&Object]) -> bool {
    let namespace = service.namespace().unwrap_or_default();
    let endpoints = scene.index.get("Endpoints", namespace, service.name());
    endpoints.is_some_and(|it| it.list("/subsets").is_empty()) && pods.iter().any(|it| healthy(it))
}

/// The ports that the probes of a pod ask.
fn probed_ports(pod: &Object) -> Vec<String> {
    let probes = ["livenessProbe", "readinessProbe", "startupProbe"];
    let ports = ["/httpGet/port", "/tcpSocket/port", "/grpc/port"];
    let containers = pod.list("/spec/containers").iter();
    let of = containers.flat_map(|it| probes.iter().map(move |probe| &it[*probe]));
    of.flat_map(|probe| ports.iter().filter_map(|port| probe.pointer(port)))
        .map(plain)
        .collect()
}

/// A number or a name as text.
fn plain(value: &serde_json::Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
