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
        /// Its name, or the kind that it converts.
        webhook: String,
        /// Neither the set nor, so far, the server has its Service.
        dangling: bool,
    },
    /// Something that the set or a controller makes is not there yet.
    Missing,
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

impl Class {
    /// Whether it makes sense to send the same again.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Webhook { .. } | Self::Missing | Self::Transient)
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
    static CALL: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r#"failed calling (?:admission )?webhook "([^"]+)"|conversion webhook for (\S+), Kind=\S+ failed"#,
        )
    });
    static SERVICE: LazyLock<Regex> = LazyLock::new(|| pattern(r#"service "([^"]+)" not found"#));
    static HOST: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"https://([a-z0-9-]+)\.([a-z0-9-]+)\.svc"));
    let text = refused.message;
    // First of all: a webhook chooses the code of its answer itself.
    if text.contains("denied the request") && text.contains("admission webhook") {
        return Class::Denied;
    }
    if let Some(call) = CALL.captures(text) {
        let webhook = call.get(1).or(call.get(2));
        let dangling = SERVICE.captures(text).is_some_and(|missing| {
            let host = HOST.captures(text);
            let namespace = host
                .as_ref()
                .map_or("", |host| host.get(2).map_or("", |m| m.as_str()));
            let key = (namespace.to_owned(), missing[1].to_owned());
            !given.services.contains(&key)
        });
        return Class::Webhook {
            webhook: webhook.map_or("", |it| it.as_str()).to_owned(),
            dangling,
        };
    }
    let has = |signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
    match refused.code {
        409 if !refused.causes.is_empty() || text.starts_with("Apply failed with") => {
            Class::Conflict(refused.causes.clone())
        }
        408 | 409 | 429 => Class::Transient,
        404 if has(&["namespaces \""]) => Class::Missing,
        404 if given.defines_kind => Class::Missing,
        404 => Class::Invalid,
        401 => Class::Forbidden,
        403 if has(&[
            "because it is being terminated",
            "error looking up service account",
        ]) =>
        {
            Class::Missing
        }
        403 if has(&["cannot patch resource", "cannot create resource"]) => Class::Forbidden,
        403 => Class::Denied,
        500 if has(&["no matches for kind"]) && given.defines_kind => Class::Missing,
        // The server's fault by its code, the object's by what it says; of a definition of the set, the older may still
        // be served.
        500 if has(&["failed to create typed patch object"]) => {
            if given.defines_kind {
                Class::Missing
            } else {
                Class::Invalid
            }
        }
        code if code >= 500 => Class::Transient,
        _ => Class::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(code: u16, message: &str) -> Class {
        let given = Given {
            services: HashSet::from([("n".to_owned(), "ours".to_owned())]),
            defines_kind: false,
        };
        classify(
            &Refused {
                code,
                message,
                ..Refused::default()
            },
            &given,
        )
    }

    fn webhook(dangling: bool) -> Class {
        Class::Webhook {
            webhook: "w.example".to_owned(),
            dangling,
        }
    }

    #[test]
    fn a_webhook_that_cannot_be_asked_is_waited_for() {
        for end in [
            "failed to call webhook: Post \"https://ours.n.svc:443/x?timeout=10s\": no endpoints available for service \"ours\"",
            "failed to call webhook: Post \"https://ours.n.svc:443/x?timeout=10s\": dial tcp 10.96.0.1:443: connect: connection refused",
            "failed to call webhook: Post \"https://ours.n.svc:443/x?timeout=10s\": context deadline exceeded",
            "failed to call webhook: Post \"https://ours.n.svc:443/x?timeout=10s\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "failed to call webhook: unable to load root certificates: unable to parse bytes as PEM block",
            "failed to call webhook: Post \"https://ours.n.svc:443/x?timeout=10s\": service \"ours\" not found",
            "failed to call webhook: the server is currently unable to handle the request",
            "failed to call webhook: Post \"https://ours.n.svc:443/x?timeout=10s\": EOF",
        ] {
            let text =
                format!("Internal error occurred: failed calling webhook \"w.example\": {end}");
            assert_eq!(class(500, &text), webhook(false), "{text}");
        }
        let text = "Internal error occurred: failed calling webhook \"w.example\": failed to call webhook: Post \"https://other.n.svc:443/x\": service \"other\" not found";
        assert_eq!(class(500, text), webhook(true));
        let text = "conversion webhook for a.example/v1, Kind=A failed: Post \"https://ours.n.svc:443/convert\": dial tcp: connect: connection refused";
        assert!(class(500, text).is_retryable());
    }

    #[test]
    fn a_refusal_means_what_the_table_says() {
        use Class::{Denied, Forbidden, Invalid, Missing, Transient};
        for (code, message, expected) in [
            (
                403,
                "admission webhook \"w.example\" denied the request: no",
                Denied,
            ),
            (
                400,
                "admission webhook \"w.example\" denied the request: no",
                Denied,
            ),
            (
                403,
                "pods \"a\" is forbidden: violates PodSecurity \"restricted:latest\"",
                Denied,
            ),
            (404, "namespaces \"x\" not found", Missing),
            (
                404,
                "the server could not find the requested resource",
                Invalid,
            ),
            (
                403,
                "secrets \"a\" is forbidden: unable to create new content in namespace n because it is being terminated",
                Missing,
            ),
            (
                403,
                "pods \"a\" is forbidden: error looking up service account n/a: serviceaccount \"a\" not found",
                Missing,
            ),
            (
                403,
                "secrets is forbidden: User \"u\" cannot create resource \"secrets\" in API group \"\"",
                Forbidden,
            ),
            (
                409,
                "Operation cannot be fulfilled on resourcequotas \"q\": the object has been modified",
                Transient,
            ),
            (
                422,
                "Deployment.apps \"a\" is invalid: spec.selector: Invalid value: field is immutable",
                Invalid,
            ),
            (413, "Request entity too large: limit is 3145728", Invalid),
            (
                400,
                "failed to create typed patch object: .spec.x: field not declared in schema",
                Invalid,
            ),
            (
                500,
                "failed to create typed patch object (/a; v1, Kind=ConfigMap): .metadata.labels.b: expected string, got &value.valueUnstructured{Value:true}",
                Invalid,
            ),
            (401, "Unauthorized", Forbidden),
            (429, "too many requests", Transient),
            (500, "etcdserver: leader changed", Transient),
            (503, "apiserver is shutting down", Transient),
            (
                504,
                "Timeout: request did not complete within requested timeout",
                Transient,
            ),
        ] {
            assert_eq!(class(code, message), expected, "{code} {message}");
        }
    }

    #[test]
    fn a_kind_that_the_set_defines_is_waited_for() {
        let given = Given {
            defines_kind: true,
            ..Given::default()
        };
        let refused = Refused {
            code: 404,
            message: "the server could not find the requested resource",
            ..Refused::default()
        };
        assert_eq!(classify(&refused, &given), Class::Missing);
    }

    #[test]
    fn a_conflict_names_the_fields() {
        let refused = Refused {
            code: 409,
            message: "Apply failed with 1 conflict: conflict with \"helm\": .spec.replicas",
            causes: vec!["conflict with \"helm\": .spec.replicas".to_owned()],
        };
        assert_eq!(
            classify(&refused, &Given::default()),
            Class::Conflict(refused.causes.clone())
        );
    }
}
