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

fn unasked(of_the_set: bool) -> Class {
    Class::Webhook {
        webhook: "w.example".to_owned(),
        of_the_set,
    }
}

fn stale(service: &str) -> Class {
    Class::StaleWebhook(Box::new(StaleWebhook {
        webhook: "w.example".to_owned(),
        service: service.to_owned(),
    }))
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
        let text = format!("Internal error occurred: failed calling webhook \"w.example\": {end}");
        assert_eq!(class(500, &text), unasked(true), "{text}");
    }
    for (host, end, expected) in [
        (
            "other.n.svc:443",
            "service \"other\" not found",
            stale("n/other"),
        ),
        (
            "ours.m.svc:443",
            "service \"ours\" not found",
            stale("m/ours"),
        ),
        (
            "other.n.svc:443",
            "no endpoints available for service \"other\"",
            unasked(false),
        ),
        (
            "hooks.example.com",
            "dial tcp: lookup hooks.example.com: no such host",
            unasked(false),
        ),
    ] {
        let text = format!(
            "Internal error occurred: failed calling webhook \"w.example\": failed to call webhook: Post \"https://{host}/x\": {end}"
        );
        assert_eq!(class(500, &text), expected, "{text}");
    }
    let text = "conversion webhook for a.example/v1, Kind=A failed: Post \"https://ours.n.svc:443/convert\": dial tcp: connect: connection refused";
    assert!(class(500, text).is_retryable());
}

#[test]
fn a_refusal_means_what_the_table_says() {
    use Awaited::{Account, Deletion, Namespace};
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
        (404, "namespaces \"x\" not found", Missing(Namespace)),
        (
            404,
            "the server could not find the requested resource",
            Invalid,
        ),
        (
            403,
            "secrets \"a\" is forbidden: unable to create new content in namespace n because it is being terminated",
            Missing(Deletion),
        ),
        (
            403,
            "widgets.a.example \"w\" is forbidden: create not allowed while custom resource definition is terminating",
            Missing(Deletion),
        ),
        (
            405,
            "create not allowed while custom resource definition is terminating",
            Missing(Deletion),
        ),
        (
            422,
            "Widget.a.example \"w\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"a.example/f\"}",
            Missing(Deletion),
        ),
        (
            422,
            "configmaps \"c\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
            Denied,
        ),
        (500, "etcdserver: request is too large", Invalid),
        (
            500,
            "rpc error: code = ResourceExhausted desc = trying to send message larger than max (2117283 vs. 2097152)",
            Invalid,
        ),
        (
            403,
            "pods \"a\" is forbidden: error looking up service account n/a: serviceaccount \"a\" not found",
            Missing(Account),
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
    let waits = Class::Missing(Awaited::Definition);
    assert_eq!(classify(&refused, &given), waits);
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

#[test]
fn a_right_that_is_missing_is_told_from_a_policy_whatever_the_verb() {
    for verb in ["get", "list", "patch", "delete"] {
        let message = format!(
            "secrets is forbidden: User \"u\" cannot {verb} resource \"secrets\" in API group \"\" at the cluster scope"
        );
        let refused = Refused {
            code: 403,
            message: &message,
            causes: Vec::new(),
        };
        assert_eq!(classify(&refused, &Given::default()), Class::Forbidden);
    }
}

#[test]
fn a_value_of_the_wrong_type_is_no_change_of_an_older_object() {
    let change = "Job.batch \"j\" is invalid: spec.template: Invalid value: x: field is immutable";
    assert!(is_immutable(change));
    let wrong = "failed to create typed patch object (n/c; /v1, Kind=ConfigMap): .immutable: expected boolean, got \
                 &value.valueUnstructured{Value:\"it is immutable\"}";
    assert!(!is_immutable(wrong));
}

#[test]
fn a_value_that_fits_its_schema_and_not_its_type_is_wrong_for_good() {
    let text = "failed to convert new object (n/store; apps/v1, Kind=Deployment) to proper version: unable to convert unstructured \
                object to apps/v1, Kind=Deployment: quantities must match the regular expression '^([+-]?[0-9.]+)$'";
    assert_eq!(class(500, text), Class::Invalid);
}
