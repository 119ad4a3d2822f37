//! Numbers of ports to which a Service leads, and that no container of its pods names.
//!
//! A container may listen on a port that it does not name, so this warns, and only where every pod names some port. A port
//! by name is judged on the cluster, where pods show it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    api::{Labels, contains, labels, list},
    set::{
        facts::{Facts, template},
        lint::{LintFinding, Rule, Severity},
        objects::Object,
    },
};

/// Labels of the pods that an object makes, and the numbers of the ports that their containers name.
struct Pods<'a> {
    namespace: &'a Option<String>,
    labels: &'a Labels,
    ports: BTreeSet<i64>,
}

/// Each Service of which no pod of the set names the port.
pub fn check(objects: &[Object], facts: &[Facts]) -> Vec<LintFinding> {
    let all: Vec<Pods<'_>> = objects.iter().zip(facts).filter_map(pods).collect();
    let services = objects.iter().filter(|object| object.id.is("", "Service"));
    let wrong = services.filter_map(|service| {
        let spec = &service.value()["spec"];
        let wanted = labels(&spec["selector"]);
        let its: Vec<&Pods<'_>> = all
            .iter()
            .filter(|pods| {
                *pods.namespace == service.id.namespace && contains(pods.labels, &wanted)
            })
            .collect();
        if wanted.is_empty() || its.is_empty() || its.iter().any(|pods| pods.ports.is_empty()) {
            return None;
        }
        let is_absent = |number: &i64| !its.iter().any(|pods| pods.ports.contains(number));
        let number = list(&spec["ports"]).filter_map(target).find(is_absent)?;
        let named: BTreeSet<String> = its
            .iter()
            .flat_map(|pods| pods.ports.iter().map(i64::to_string))
            .collect();
        let named: Vec<String> = named.into_iter().collect();
        Some(LintFinding {
            severity: Severity::Warning,
            rule: Rule::Reference,
            object: service.id.to_string(),
            message: format!(
                "{} leads to port {number}, and no container of its pods names it",
                service.id
            ),
            remedy: format!("is {} meant?", named.join(" or ")),
        })
    });
    wrong.collect()
}

/// The number to which a port of a Service leads, unless it is a name.
fn target(port: &Value) -> Option<i64> {
    match &port["targetPort"] {
        Value::Null => port["port"].as_i64(),
        target => target.as_i64(),
    }
}

fn pods<'a>((object, facts): (&'a Object, &'a Facts)) -> Option<Pods<'a>> {
    let id = &object.id;
    let labels = &facts.pod.as_ref()?.labels;
    let value = object.value();
    let (_, spec) = template(&id.group, &id.kind, &value)?;
    let containers = list(&spec["containers"]).chain(list(&spec["initContainers"]));
    let ports = containers.flat_map(|container| list(&container["ports"]));
    Some(Pods {
        namespace: &id.namespace,
        labels,
        ports: ports
            .filter_map(|port| port["containerPort"].as_i64())
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set::objects;

    fn found(container: &str, port: &str) -> Vec<String> {
        let text = format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: web, namespace: 'n'}},\n\
             \x20spec: {{template: {{metadata: {{labels: {{app: web}}}}, spec: {{containers: [{container}]}}}}}}}}\n---\n\
             {{apiVersion: v1, kind: Service, metadata: {{name: web, namespace: 'n'}}, spec: {{selector: {{app: web}}, ports: [{port}]}}}}"
        );
        let objects = objects::read("x", &text).unwrap();
        let facts: Vec<Facts> = objects.iter().map(Facts::of).collect();
        let found = check(&objects, &facts);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_number_that_no_container_names_is_told() {
        let two =
            "{name: a, ports: [{containerPort: 8080}]}, {name: b, ports: [{containerPort: 9090}]}";
        for port in ["{port: 80, targetPort: 8008}", "{port: 8008}"] {
            assert_eq!(
                found(two, port),
                [
                    "Service n/web leads to port 8008, and no container of its pods names it; is 8080 or 9090 meant?"
                ]
            );
        }
    }

    #[test]
    fn what_may_be_right_is_not_told() {
        let one = "{name: a, ports: [{containerPort: 8080, name: http}]}";
        for (container, port) in [
            (one, "{port: 80, targetPort: 8080}"),
            (one, "{port: 8080}"),
            // By name: pods tell.
            (one, "{port: 80, targetPort: web}"),
            // A container need not name its ports.
            ("{name: a}", "{port: 80, targetPort: 8008}"),
        ] {
            assert_eq!(found(container, port), [""; 0], "{container} {port}");
        }
    }
}
