//! Workloads that cannot have the pods they want: a webhook that does not answer, a quota, a missing account.

use std::collections::HashSet;

use super::{Finding, Scene, between};
use crate::{
    logs::{
        diagnose::{
            Class,
            index::{began, id, id_of},
            mentions,
        },
        snapshot::{Object, event_time, text},
    },
    pod::{self, Why, brief},
};

/// The newest refusal of each workload that still lacks pods.
pub(super) fn refused(scene: &Scene<'_>) -> Vec<Finding> {
    let events = scene.index.of_kind("", "Event").iter();
    let mut events: Vec<_> = events
        .filter(|event| event.text("/reason") == "FailedCreate")
        .collect();
    events.sort_by_key(|event| std::cmp::Reverse(event_time(event)));
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for event in events {
        let (kind, name) = (
            event.text("/involvedObject/kind"),
            event.text("/involvedObject/name"),
        );
        let namespace = event.text("/involvedObject/namespace");
        let workload = scene.index.get(kind, namespace, name);
        let Some(workload) = workload.filter(|workload| lacks_pods(workload)) else {
            continue;
        };
        if seen.insert((kind, namespace, name)) {
            found.push(one(scene, event, workload, namespace));
        }
    }
    found
}

fn one(scene: &Scene<'_>, event: &Object, workload: &Object, namespace: &str) -> Finding {
    let message = event.text("/message");
    let why = pod::not_created(message);
    let owner = scene.index.owner(workload);
    let finding = match class(why, message) {
        Class::WebhookDown => webhook(scene, owner, message),
        Class::QuotaExceeded => quota(owner, namespace, message),
        Class::ServiceAccountMissing => {
            let account = between(message, "serviceaccount \"", "\"").unwrap_or_default();
            let said = format!("the service account {namespace}/{account} does not exist");
            Finding::new(Class::ServiceAccountMissing, owner, said)
        }
        class => {
            let said = format!("the API server refuses its pods: {}", brief(message));
            Finding::new(class, owner, said)
        }
    };
    finding
        .shown([scene.evidence(event, message)])
        .since(began(event))
}

/// A webhook that does not answer, which the workload behind its Service explains.
fn webhook(scene: &Scene<'_>, owner: String, message: &str) -> Finding {
    let name = between(message, "webhook \"", "\"").unwrap_or_default();
    let reason = message.rsplit(": ").next().unwrap_or_default();
    let said = format!("webhook {name} does not answer: {}", brief(reason));
    let mut services = mentions::addresses(message).into_iter();
    let service = services.find_map(|it| mentions::service(&scene.index, "", &it));
    let kinds = [
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
    ];
    let all = kinds
        .into_iter()
        .flat_map(|kind| scene.index.of_kind("admissionregistration.k8s.io", kind));
    let has = |it: &&&Object| {
        let mut webhooks = it.list("/webhooks").iter();
        !name.is_empty() && webhooks.any(|webhook| text(webhook, "/name") == name)
    };
    Finding::new(Class::WebhookDown, owner, said.clone())
        .with(all.filter(has).map(|it| id_of(it)))
        .sharing(name, said)
        .needing(service.map(id_of))
        .needing(service.map_or_else(Vec::new, |it| scene.index.owners_behind(it)))
}

/// A quota that is used up, by the words of the admission plugin.
fn quota(owner: String, namespace: &str, message: &str) -> Finding {
    let part = |before: &str, after: &str| between(message, before, after).unwrap_or_default();
    let name = if message.contains("failed quota") {
        part("failed quota: ", ":")
    } else {
        part("exceeded quota: ", ",")
    };
    let said = if message.contains("must specify") {
        let missing = message.rsplit("must specify ").next().unwrap_or_default();
        format!(
            "quota {namespace}/{name} wants the pods to specify {}",
            brief(missing)
        )
    } else {
        match message.rsplit_once(", limited: ") {
            Some((_, limited)) => format!(
                "quota {namespace}/{name} is used up: requested {}, used {}, allowed {}",
                part("requested: ", ", used:"),
                part("used: ", ", limited:"),
                brief(limited)
            ),
            None => format!("a quota is used up: {}", brief(message)),
        }
    };
    let finding = Finding::new(Class::QuotaExceeded, owner, said);
    if name.is_empty() {
        return finding;
    }
    let quota = id("ResourceQuota", namespace, name);
    let together = format!("quota {namespace}/{name} is used up");
    finding.with([quota.clone()]).sharing(quota, together)
}

/// The class of what the API server refuses.
pub(super) fn class(why: Why, message: &str) -> Class {
    match why {
        Why::Webhook => Class::WebhookDown,
        Why::PodSecurity => Class::PodSecurityViolated,
        Why::Quota => Class::QuotaExceeded,
        _ if message.contains("serviceaccount") && message.contains("not found") => {
            Class::ServiceAccountMissing
        }
        _ => Class::PodsRefused,
    }
}

fn lacks_pods(workload: &Object) -> bool {
    if workload.kind == "Job" {
        return !workload.is("Complete", "True");
    }
    let wanted = workload
        .number("/spec/replicas")
        .or_else(|| workload.number("/status/desiredNumberScheduled"))
        .unwrap_or(1);
    let there = workload
        .number("/status/replicas")
        .or_else(|| workload.number("/status/currentNumberScheduled"))
        .unwrap_or(0);
    there < wanted
}
