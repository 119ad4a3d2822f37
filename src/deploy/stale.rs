//! Webhooks of the cluster that call a Service which is not there: whose they are, and what can be done about them.

use std::collections::BTreeMap;

use kube::Client;

use crate::{
    api::list,
    cluster::{
        errors::{Class, StaleWebhook},
        live::{self, Extent},
    },
    deploy::{Answer, Deployment},
};

/// The two kinds of configurations: as it is written, and as `kubectl` takes it.
const KINDS: [(&str, &str); 2] = [
    (
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
    ),
    (
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
    ),
];

/// The configurations of webhooks that call nobody, by the name of the webhook; none where it is not known yet or cannot be
/// found.
#[derive(Debug, Default)]
pub(super) struct Configurations(BTreeMap<String, Option<String>>);

impl Configurations {
    pub(super) fn found(&mut self, webhook: String, configuration: Option<String>) {
        self.0.insert(webhook, configuration);
    }

    /// What can be done about a webhook that calls a Service which is not there.
    pub(super) fn remedy(&self, class: &Class) -> Option<String> {
        let Class::StaleWebhook(stale) = class else {
            return None;
        };
        let StaleWebhook { webhook, service } = &**stale;
        let calls =
            format!("calls the Service {service}, which neither the set nor the cluster has");
        // Of a conversion the server tells group and version.
        if webhook.contains('/') {
            return Some(format!(
                "the definition that converts {webhook} {calls}: deploy what serves it"
            ));
        }
        let configuration = self.0.get(webhook).and_then(Option::as_ref);
        Some(match configuration {
            Some(configuration) => format!(
                "{configuration} {calls}: deploy what serves it, or `kubectl delete {}`",
                configuration.to_lowercase()
            ),
            None => format!(
                "the webhook {webhook} {calls}: deploy what serves it, or delete its configuration: \
                 `kubectl get {},{}`",
                KINDS[0].1, KINDS[1].1
            ),
        })
    }
}

impl Deployment<'_> {
    /// Has the configuration of a webhook looked for, once, where that calls nobody.
    pub(super) fn find_configuration(&mut self, class: &Class) {
        let Class::StaleWebhook(stale) = class else {
            return;
        };
        let StaleWebhook { webhook, service } = (**stale).clone();
        if webhook.contains('/') || self.stale.0.contains_key(&webhook) {
            return;
        }
        self.stale.0.insert(webhook.clone(), None);
        let client = self.client.0.clone();
        self.ask(async move {
            let found = configuration(&client, &webhook, &service).await;
            Answer::Configuration(webhook, found)
        });
    }
}

/// The configuration that has a webhook of this name which calls this Service; none where it cannot be told.
async fn configuration(client: &Client, webhook: &str, service: &str) -> Option<String> {
    for (kind, plural) in KINDS {
        let path = format!("/apis/admissionregistration.k8s.io/v1/{plural}");
        let all = live::pages(client, &path, "", Extent::Whole).await;
        let all = all.unwrap_or_else(|refusal| {
            tracing::debug!("{path}: {}", refusal.message);
            Vec::new()
        });
        let found = all.iter().find(|configuration| {
            list(&configuration["webhooks"]).any(|one| {
                let called = &one["clientConfig"]["service"];
                let part = |key: &str| called[key].as_str().unwrap_or_default();
                one["name"] == webhook
                    && format!("{}/{}", part("namespace"), part("name")) == service
            })
        });
        if let Some(name) = found.and_then(|it| it["metadata"]["name"].as_str()) {
            return Some(format!("{kind} {name}"));
        }
    }
    None
}
