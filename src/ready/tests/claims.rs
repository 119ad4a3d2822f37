//! Claims and the classes that volumes are made by.

use super::*;

fn class(name: &str, created: &str, mode: &str) -> (&'static str, Value) {
    let annotations = json!({"storageclass.kubernetes.io/is-default-class": "true"});
    let class = json!({"metadata": {"name": name, "creationTimestamp": created, "annotations": annotations},
        "provisioner": "p.example", "volumeBindingMode": mode});
    ("StorageClass.storage.k8s.io", class)
}

fn claim(created: &str, classes: Vec<(&'static str, Value)>) -> Verdict {
    let id = id("", "PersistentVolumeClaim");
    let mut claim = live(&id, json!({}), json!({"phase": "Pending"}));
    claim["metadata"]["creationTimestamp"] = created.into();
    let mut objects = vec![("PersistentVolumeClaim.", claim)];
    objects.extend(classes);
    verdict(&id, objects)
}

#[test]
fn of_two_default_classes_the_newer_counts_and_of_equals_the_first_by_name() {
    let (old, new) = ("2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z");
    let (waits, binds) = ("WaitForFirstConsumer", "Immediate");
    for (classes, ready) in [
        (vec![class("a", old, binds), class("b", new, waits)], true),
        (vec![class("a", old, waits), class("b", new, binds)], false),
        (vec![class("a", new, waits), class("b", new, binds)], true),
        (vec![class("b", new, waits), class("a", new, binds)], false),
    ] {
        let verdict = claim("2026-01-01T11:59:00Z", classes);
        assert_eq!(verdict.is_ready(), ready, "{verdict:?}");
    }
}

#[test]
fn a_claim_that_nobody_makes_a_volume_for_is_stuck_after_a_while() {
    for (created, stuck) in [
        ("2026-01-01T11:56:00Z", false),
        ("2026-01-01T11:54:00Z", true),
    ] {
        let class = class("a", created, "Immediate");
        let verdict = claim(created, vec![class]);
        assert_eq!(matches!(verdict, Verdict::Stuck(_)), stuck, "{verdict:?}");
    }
}
