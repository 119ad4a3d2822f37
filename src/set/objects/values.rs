//! Objects as they are, for who judges them: with whatever a server has put in.

use serde_json::Value;

use super::{SetError, documents, parse};

/// Reads every document of one source that says what kind it is, and the items of lists: with or without a name, and with
/// whatever a server has put in. An item of a list of one kind (`PodList`) may leave kind and version to the list. What else is
/// in it is left out.
///
/// # Errors
/// [`SetError::Malformed`] naming the document.
pub fn values(source: &str, text: &str) -> Result<Vec<(String, Value)>, SetError> {
    fn open(at: String, mut value: Value, values: &mut Vec<(String, Value)>) {
        let text = |value: &Value, key: &str| value[key].as_str().map(str::to_owned);
        let (Some(kind), Some(version)) = (text(&value, "kind"), text(&value, "apiVersion")) else {
            return;
        };
        let items = match value.get_mut("items") {
            Some(Value::Array(items)) if kind.ends_with("List") => std::mem::take(items),
            _ => return values.push((at, value)),
        };
        let of = kind.strip_suffix("List").unwrap_or_default();
        for (number, mut item) in items.into_iter().enumerate() {
            // A server's list of one kind says that kind once.
            if let (Value::Object(item), false) = (&mut item, of.is_empty()) {
                item.entry("kind").or_insert_with(|| of.into());
                item.entry("apiVersion")
                    .or_insert_with(|| version.as_str().into());
            }
            open(format!("{at}, item {}", number + 1), item, values);
        }
    }
    let mut values = Vec::new();
    for (number, document) in documents(text).enumerate() {
        let at = format!("{source}, document {}", number + 1);
        let value = parse(document).map_err(|reason| SetError::Malformed {
            at: at.clone(),
            reason,
        })?;
        open(at, value, &mut values);
    }
    Ok(values)
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
