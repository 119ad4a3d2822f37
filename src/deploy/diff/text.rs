//! Two states of an object as a unified diff of YAML, without what only the server writes, without secrets.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;
use similar::TextDiff;

use crate::{api::ObjectId, yaml};

/// A definition of megabytes may take minutes to be compared well. After so long it is compared coarsely.
const LONGEST: Duration = Duration::from_secs(2);
/// What `kubectl apply` keeps beside an object: all of it again, a Secret's values too.
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The difference; none where there is none.
pub(super) fn diff(id: &ObjectId, live: &Value, wanted: &Value) -> Option<String> {
    let (mut live, mut wanted) = (plain(live), plain(wanted));
    if live == wanted {
        return None;
    }
    if id.is("", "Secret") {
        mask(&mut live, &mut wanted);
    }
    let (live, wanted) = (yaml::write(&live), yaml::write(&wanted));
    let diff = TextDiff::configure()
        .timeout(LONGEST)
        .diff_lines(&live, &wanted);
    let text = diff
        .unified_diff()
        .header(&format!("{id} (live)"), &format!("{id} (wanted)"))
        .to_string();
    Some(text)
}

/// An object without what a server adds to each on its own.
fn plain(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(object) = value.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = value
        .pointer_mut("/metadata")
        .and_then(Value::as_object_mut)
    {
        for key in [
            "managedFields",
            "resourceVersion",
            "generation",
            "uid",
            "creationTimestamp",
            "selfLink",
        ] {
            metadata.remove(key);
        }
    }
    value
}

/// Puts a word in place of each value of a Secret; it tells whether the value changes.
fn mask(live: &mut Value, wanted: &mut Value) {
    for part in ["/data", "/stringData"] {
        let keys: BTreeSet<String> = [&*live, &*wanted]
            .into_iter()
            .filter_map(|it| it.pointer(part)?.as_object())
            .flat_map(|values| values.keys().cloned())
            .collect();
        for key in keys {
            conceal(live, wanted, part, &key);
        }
    }
    conceal(live, wanted, "/metadata/annotations", APPLIED);
}

fn conceal(live: &mut Value, wanted: &mut Value, part: &str, key: &str) {
    let values = |it: &Value| it.pointer(part).and_then(|part| part.get(key)).cloned();
    let (before, after) = (values(live), values(wanted));
    let words = if before == after {
        ["***", "***"]
    } else {
        ["*** (as it is)", "*** (changed)"]
    };
    for (object, word) in [(live, words[0]), (wanted, words[1])] {
        let value = object.pointer_mut(part).and_then(|part| part.get_mut(key));
        if let Some(value) = value {
            *value = word.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(kind: &str) -> ObjectId {
        ObjectId {
            group: String::new(),
            kind: kind.to_owned(),
            namespace: Some("n".to_owned()),
            name: "a".to_owned(),
        }
    }

    #[test]
    fn what_the_server_writes_is_no_difference() {
        let live = json!({"metadata": {"name": "a", "generation": 1, "managedFields": [1]}, "status": {"a": 1}});
        let wanted = json!({"metadata": {"name": "a", "generation": 2, "resourceVersion": "3"}});
        assert_eq!(diff(&id("ConfigMap"), &live, &wanted), None);
    }

    #[test]
    fn a_difference_reads_as_one() {
        let object =
            |value: &str| json!({"metadata": {"name": "a"}, "data": {"k": value, "l": "m"}});
        let text = diff(&id("ConfigMap"), &object("old"), &object("new")).unwrap();
        assert_eq!(
            text,
            "--- ConfigMap n/a (live)\n+++ ConfigMap n/a (wanted)\n@@ -1,5 +1,5 @@\n data:\n-  k: old\n+  k: new\n   l: m\n metadata:\n   name: a\n"
        );
    }

    #[test]
    fn a_secret_shows_what_changes_but_no_value() {
        let live = json!({
            "metadata": {"annotations": {APPLIED: "{\"data\":{\"a\":\"aHVzaA==\"}}"}},
            "data": {"a": "aHVzaA==", "b": "c2FtZQ==", "c": "Z29uZQ=="},
        });
        let wanted = json!({
            "metadata": {"annotations": {APPLIED: "{\"data\":{\"a\":\"aHVzaA==\"}}"}},
            "data": {"a": "c2VjcmV0", "b": "c2FtZQ==", "d": "bmV3"},
            "stringData": {"e": "clear"},
        });
        let text = diff(&id("Secret"), &live, &wanted).unwrap();
        for value in [
            "aHVzaA==", "c2FtZQ==", "Z29uZQ==", "c2VjcmV0", "bmV3", "clear",
        ] {
            assert!(!text.contains(value), "{text}");
        }
        assert!(text.contains("-  a: '*** (as it is)'\n"), "{text}");
        assert!(text.contains("+  d: '*** (changed)'\n"), "{text}");
        assert!(text.contains("   b: '***'\n"), "{text}");
    }
}
