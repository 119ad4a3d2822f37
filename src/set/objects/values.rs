//! Objects as they are, for who judges them: with whatever a server has put in.

use serde_json::Value;

use super::SetError;
use crate::yaml;

/// Whether an object is a list of others. A list has no name: a custom resource whose kind ends so has one.
pub(super) fn is_list(kind: &str, value: &Value) -> bool {
    kind.ends_with("List") && value["items"].is_array() && value["metadata"]["name"].is_null()
}

/// An item of a list: one of a single kind says that kind once.
pub(super) fn of_list(mut item: Value, kind: &str, version: &str) -> Value {
    let of = kind.strip_suffix("List").unwrap_or_default();
    if let (Value::Object(item), false) = (&mut item, of.is_empty()) {
        item.entry("kind").or_insert_with(|| of.into());
        item.entry("apiVersion").or_insert_with(|| version.into());
    }
    item
}

/// Reads every document of one source that says what kind it is, and the items of lists: with or without a name, and with
/// whatever a server has put in. An item of a list of one kind (`PodList`) may leave kind and version to the list. What else is
/// in it is left out.
///
/// # Errors
/// [`SetError`] naming each document that cannot be read.
pub fn values(source: &str, text: &str) -> Result<Vec<(String, Value)>, SetError> {
    fn open(at: String, mut value: Value, values: &mut Vec<(String, Value)>) {
        let text = |value: &Value, key: &str| value[key].as_str().map(str::to_owned);
        let (Some(kind), Some(version)) = (text(&value, "kind"), text(&value, "apiVersion")) else {
            return;
        };
        if !is_list(&kind, &value) {
            return values.push((at, value));
        }
        let items = value["items"].as_array_mut().map(std::mem::take);
        for (number, item) in items.into_iter().flatten().enumerate() {
            let item = of_list(item, &kind, &version);
            open(format!("{at}, item {}", number + 1), item, values);
        }
    }
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for (number, document) in yaml::documents(text).iter().enumerate() {
        let at = format!("{source}, document {}", number + 1);
        match document.read() {
            Ok(value) => open(at, value, &mut values),
            Err(faults) => errors.push(SetError::malformed(source, document, faults)),
        }
    }
    if errors.is_empty() {
        Ok(values)
    } else {
        Err(SetError::all(errors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_takes_kind_and_version_of_its_list() {
        let text = "{kind: PodList, apiVersion: v1, items: [{metadata: {name: a}}, {metadata: {name: b}}]}\n---\n\
                    {kind: List, apiVersion: v1, items: [{metadata: {name: c}}, {kind: X, apiVersion: y/v1}]}";
        let found = values("x", text).unwrap().into_iter();
        let found: Vec<(String, Value)> = found
            .map(|(_, it)| (it["kind"].to_string(), it["apiVersion"].clone()))
            .collect();
        let pod = ("\"Pod\"".to_owned(), Value::from("v1"));
        let other = ("\"X\"".to_owned(), Value::from("y/v1"));
        assert_eq!(found, [pod.clone(), pod, other]);
    }
}
