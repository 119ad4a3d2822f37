//! The rules, one kind of trouble a file. Each says what it finds; none knows of another.

mod addresses;
mod claims;
mod control_plane;
mod init;
mod jobs;
mod lines;
mod namespaces;
mod nodes;
mod pods;
mod probes;
mod proxy;
mod quota;
mod refused;
mod sandbox;
mod services;
mod throttled;

use super::{Finding, Scene};

/// A rule.
type Rule = fn(&Scene<'_>) -> Vec<Finding>;

const RULES: [Rule; 18] = [
    nodes::nodes,
    control_plane::components,
    control_plane::scheduler,
    control_plane::controllers,
    control_plane::api_server,
    proxy::proxy,
    proxy::dns,
    sandbox::sandboxes,
    throttled::plugins,
    lines::databases,
    pods::pods,
    probes::liveness,
    init::hanging,
    refused::refused,
    claims::claims,
    jobs::jobs,
    namespaces::terminating,
    services::services,
];

/// What all rules find.
pub(super) fn all(scene: &Scene<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = RULES.iter().flat_map(|rule| rule(scene)).collect();
    found.extend(quota::services(scene));
    found.extend(quota::claims(scene));
    found.extend(addresses::addresses(scene));
    found.extend(addresses::unknown_names(scene));
    found
}

/// The text between two others.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?
        .1
        .split_once(after)
        .map(|(found, _)| found)
}
