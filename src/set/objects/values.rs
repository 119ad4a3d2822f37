//! Objects as they are, for who judges them: with whatever a server has put in.

use serde_json::Value;

use super::{SetError, documents, parse};

/// Reads every document of one source that says what kind it is, and the items of lists: with or without a name, and with
/// whatever a server has put in. What else is in it is left out.
///
/// # Errors
/// [`SetError::Malformed`] naming the document.
pub fn values(source: &str, text: &str) -> Result<Vec<(String, Value)>, SetError> {
    fn open(at: String, value: Value, values: &mut Vec<(String, Value)>) {
        let is_text = |key: &str| value[key].is_string();
        if !is_text("kind") || !is_text("apiVersion") {
            return;
        }
        let is_list = value["kind"]
            .as_str()
            .is_some_and(|kind| kind.ends_with("List"));
        match value.get("items").and_then(Value::as_array) {
            Some(items) if is_list => {
                for (number, item) in items.iter().enumerate() {
                    open(format!("{at}, item {}", number + 1), item.clone(), values);
                }
            }
            _ => values.push((at, value)),
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
