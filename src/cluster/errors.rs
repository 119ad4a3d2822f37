//! What an API server's refusal means, given the set: wait for something, try again, or give up.
//!
//! Kubernetes has no codes for most of these; the texts are those of its source.

use std::{collections::HashSet, sync::LazyLock};

use regex::Regex;

/// What a refusal means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// A webhook could not be asked.
    Webhook {
        /// Its name, or the group and version that it converts.
        webhook: String,
        /// Whether a Service of the set answers for it, or one that the refusal does not name.
        of_the_set: bool,
    },
    /// A webhook could not be asked, since it calls a Service that neither the set nor the server has.
    StaleWebhook(Box<StaleWebhook>),
    /// Something that the set or a controller makes is not there yet.
    Missing(Awaited),
    /// The server or the way to it is in trouble.
    Transient,
    /// Another manager holds fields that the set gives.
    Conflict(Vec<String>),
    /// A webhook or a policy said no.
    Denied,
    /// The object itself is wrong.
    Invalid,
    /// The credentials do not suffice.
    Forbidden,
}

/// A webhook that calls a Service which is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleWebhook {
    /// Its name, or the group and version that it converts.
    pub webhook: String,
    /// The Service: namespace and name with a slash between.
    pub service: String,
}

/// What a refused object waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// Its namespace.
    Namespace,
    /// Its kind as the set defines it: for a while the server does not serve it, or serves an older definition.
    Definition,
    /// Its service account.
    Account,
    /// The end of a deletion: of the object itself, of its namespace, or of the definition of its kind.
    Deletion,
}

impl Class {
    /// Whether it makes sense to send the same again.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Webhook { .. } | Self::StaleWebhook(_) | Self::Missing(_) | Self::Transient
        )
    }
}

/// What of a set decides between waiting and giving up.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Services of the set: namespace and name.
    pub services: HashSet<(String, String)>,
    /// Whether the set defines the object's kind.
    pub defines_kind: bool,
}

/// A refusal as it came.
#[derive(Clone, Debug, Default)]
pub struct Refused<'a> {
    /// HTTP status.
    pub code: u16,
    /// Its message.
    pub message: &'a str,
    /// Messages of its causes.
    pub causes: Vec<String>,
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is valid")
}

/// Tells what it means.
pub fn classify(refused: &Refused<'_>, given: &Given) -> Class {
    let text = refused.message;
    let has = |signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
    // First of all: a webhook and a policy choose the code of their answer themselves.
    if text.contains("denied the request") && text.contains("admission webhook")
        || text.contains("denied request: ") && text.contains("ValidatingAdmissionPolicy")
    {
        return Class::Denied;
    }
    if let Some(class) = webhook(text, given) {
        return class;
    }
    if has(&[
        "because it is being terminated",
        "while custom resource definition is terminating",
        OWN_DELETION,
    ]) {
        return Class::Missing(Awaited::Deletion);
    }
    match refused.code {
        409 if !refused.causes.is_empty() || text.starts_with("Apply failed with") => {
            Class::Conflict(refused.causes.clone())
        }
        408 | 409 | 429 => Class::Transient,
        404 if has(&["namespaces \""]) => Class::Missing(Awaited::Namespace),
        404 if given.defines_kind => Class::Missing(Awaited::Definition),
        404 => Class::Invalid,
        401 => Class::Forbidden,
        403 if has(&["error looking up service account"]) => Class::Missing(Awaited::Account),
        // RBAC's words: `User "u" cannot list resource "secrets" in API group ""`.
        403 if text.contains(" cannot ") && text.contains(" resource \"") => Class::Forbidden,
        403 => Class::Denied,
        500 if has(&["no matches for kind"]) && given.defines_kind => {
            Class::Missing(Awaited::Definition)
        }
        // The server's fault by its code, the object's by what it says; of a definition of the set, the older may still
        // be served.
        500 if has(&[MISFIT]) => {
            if given.defines_kind {
                Class::Missing(Awaited::Definition)
            } else {
                Class::Invalid
            }
        }
        // A quantity that is none, such as `5 milli`: it fits its schema, and not its type.
        500 if has(&["unable to convert unstructured object"]) => Class::Invalid,
        // No other try makes it smaller: etcd takes 1.5 MiB, its client 2 MiB.
        500 if has(&TOO_LARGE) => Class::Invalid,
        code if code >= 500 => Class::Transient,
        _ => Class::Invalid,
    }
}

/// Whether a fault that a server reports with the code 500 is about itself, or about the way to its store or to a webhook.
pub fn is_trouble(message: &str) -> bool {
    const SIGNS: [&str; 13] = [
        "etcdserver",
        "timed out",
        "timeout",
        "deadline exceeded",
        "connect",
        "dial tcp",
        "eof",
        "leader",
        "context canceled",
        "unavailable",
        "unable to handle",
        "try again",
        "failed calling webhook",
    ];
    let message = message.to_lowercase();
    SIGNS.iter().any(|sign| message.contains(sign))
}

/// Whether a refusal is of a change that no object of its kind takes.
pub fn is_immutable(message: &str) -> bool {
    const SIGNS: [&str; 7] = [
        "is immutable",
        "are immutable",
        "may not change once set",
        "cannot change roleRef",
        "pod updates may not change fields other than",
        "updates to statefulset spec for fields other than",
        // Of a storage class: "updates to parameters are forbidden".
        "Forbidden: updates to",
    ];
    // What does not fit its schema would not be taken either if it was new, whatever values the message quotes.
    const UNREADABLE: [&str; 2] = [MISFIT, "cannot be handled as a"];
    let has = |signs: &[&str]| signs.iter().any(|sign| message.contains(sign));
    has(&SIGNS) && !has(&UNREADABLE)
}

/// What the server says of an object that its schema does not take.
pub const MISFIT: &str = "failed to create typed patch object";

/// What the server says of finalizers for an object that is being deleted.
pub const OWN_DELETION: &str = "if the object is being deleted";

/// What the server says of an object that its store does not take.
pub const TOO_LARGE: [&str; 2] = [
    "etcdserver: request is too large",
    "trying to send message larger than max",
];

/// Whether a webhook could not be asked, and who answers for it.
fn webhook(text: &str, given: &Given) -> Option<Class> {
    static CALL: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r#"failed calling (?:admission )?webhook "([^"]+)"|conversion webhook for (\S+), Kind=\S+ failed"#,
        )
    });
    static ADDRESS: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"https://(?:([a-z0-9-]+)\.([a-z0-9-]+)\.svc\b|[^\s]+)"));
    let call = CALL.captures(text)?;
    let webhook = call.get(1).or(call.get(2));
    let webhook = webhook.map_or("", |it| it.as_str()).to_owned();
    let address = ADDRESS.captures(text);
    let service = address
        .as_ref()
        .and_then(|it| Some((it.get(1)?.as_str(), it.get(2)?.as_str())));
    let Some((name, namespace)) = service else {
        return Some(Class::Webhook {
            webhook,
            of_the_set: address.is_none(),
        });
    };
    let key = (namespace.to_owned(), name.to_owned());
    let of_the_set = given.services.contains(&key);
    if !of_the_set && text.contains(&format!("service \"{name}\" not found")) {
        let service = format!("{namespace}/{name}");
        return Some(Class::StaleWebhook(Box::new(StaleWebhook {
            webhook,
            service,
        })));
    }
    Some(Class::Webhook {
        webhook,
        of_the_set,
    })
}

#[cfg(test)]
mod tests;
