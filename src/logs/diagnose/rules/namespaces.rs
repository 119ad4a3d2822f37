//! What does not go: namespaces that are being deleted, and what holds them.

use super::{Finding, Scene};
use crate::{
    logs::{
        diagnose::{Class, index::id_of},
        snapshot::{Object, text},
    },
    pod::brief,
};

/// Seconds after which a deletion is told.
const LONG: i64 = 120;

/// APIs that do not answer, and each namespace that stays.
pub(super) fn terminating(scene: &Scene<'_>) -> Vec<Finding> {
    let apis = scene.index.of_kind("apiregistration.k8s.io", "APIService");
    let mut found: Vec<Finding> = apis.iter().filter_map(|it| api(scene, it)).collect();
    let namespaces = scene.index.of_kind("", "Namespace").iter();
    let leaving = namespaces.filter(|it| it.text("/status/phase") == "Terminating");
    found.extend(leaving.filter_map(|it| namespace(scene, it)));
    found
}

/// An API that another server should answer.
fn api(scene: &Scene<'_>, api: &Object) -> Option<Finding> {
    let available = api.condition("Available")?;
    if text(available, "/status") == "True" {
        return None;
    }
    let message = text(available, "/message");
    let (namespace, name) = (
        api.text("/spec/service/namespace"),
        api.text("/spec/service/name"),
    );
    let service = scene.index.get("Service", namespace, name);
    let behind = service.map_or_else(Vec::new, |it| scene.index.owners_behind(it));
    let said = format!("the API {} is not served: {}", api.name(), brief(message));
    let finding = Finding::new(Class::ApiNotServed, id_of(api), said)
        .shown([scene.evidence(api, message)])
        .needing(behind)
        .needing(service.map(id_of))
        .since(text(available, "/lastTransitionTime").parse().ok());
    Some(finding)
}

fn namespace(scene: &Scene<'_>, namespace: &Object) -> Option<Finding> {
    let condition = |kind: &str| {
        let found = namespace.condition(kind)?;
        (text(found, "/status") == "True").then(|| text(found, "/message"))
    };
    let discovery = condition("NamespaceDeletionDiscoveryFailure");
    let group = condition("NamespaceDeletionGroupVersionParsingFailure");
    let finalizers = condition("NamespaceFinalizersRemaining");
    let content = condition("NamespaceContentRemaining");
    let begun = namespace.text("/metadata/deletionTimestamp").parse().ok();
    if let Some(message) = discovery.or(group) {
        let apis = scene.index.of_kind("apiregistration.k8s.io", "APIService");
        let dead = apis.iter().filter(|it| !it.is("Available", "True"));
        let said = format!(
            "it cannot be deleted, since an API does not answer: {}",
            brief(message)
        );
        let finding = Finding::new(Class::NamespaceHeldByApi, id_of(namespace), said)
            .shown([scene.evidence(namespace, message)])
            .needing(dead.map(|it| id_of(it)))
            .since(begun);
        return Some(finding);
    }
    let message = finalizers.or(content)?;
    let long = match (begun, scene.index.now) {
        (Some(begun), Some(now)) => now.as_second() - begun.as_second() >= LONG,
        _ => true,
    };
    let said = format!(
        "it cannot be deleted, since objects stay in it: {}",
        brief(message)
    );
    long.then(|| {
        Finding::new(Class::NamespaceHeldByFinalizer, id_of(namespace), said)
            .shown(content.map(|it| scene.evidence(namespace, it)))
            .shown([scene.evidence(namespace, message)])
            .since(begun)
    })
}
