//! IAM's evaluation of identity policies, as far as ours use it: no denials, no variables, these operators.

use std::collections::BTreeMap;

use serde_json::Value;

/// One call on one resource, with what IAM would know of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) call: String,
    pub(crate) resource: String,
    pub(crate) context: BTreeMap<String, Vec<String>>,
}

impl Request {
    pub(crate) fn new(call: &str, resource: &str) -> Self {
        Self {
            call: call.to_owned(),
            resource: resource.to_owned(),
            ..Self::default()
        }
    }

    /// With a key of the context.
    pub(crate) fn with(mut self, key: &str, values: &[&str]) -> Self {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        self.context.insert(key.to_owned(), values);
        self
    }
}

/// Whether a policy allows it.
pub(crate) fn allows(policy: &Value, request: &Request) -> bool {
    let statements = policy["Statement"]
        .as_array()
        .expect("a policy has statements");
    statements.iter().any(|statement| {
        assert_eq!(statement["Effect"], "Allow");
        let one_of = |key: &str, asked: &str| {
            statement
                .get(key)
                .is_none_or(|patterns| texts(patterns).iter().any(|pattern| like(pattern, asked)))
        };
        one_of("Action", &request.call)
            && one_of("Resource", &request.resource)
            && statement
                .get("Condition")
                .is_none_or(|conditions| holds(conditions, request))
    })
}

fn holds(conditions: &Value, request: &Request) -> bool {
    let each = conditions
        .as_object()
        .expect("conditions are by operator")
        .iter();
    each.flat_map(|(operator, keys)| {
        let keys = keys.as_object().expect("an operator has keys").iter();
        keys.map(move |(key, wanted)| (operator.as_str(), key, texts(wanted)))
    })
    .all(|(operator, key, wanted)| {
        let there = request.context.get(key);
        let is = |value: &String| wanted.contains(value);
        match operator {
            "Null" => wanted[0] == if there.is_none() { "true" } else { "false" },
            // Of a key with one value; absent is unequal.
            "StringEquals" => there.is_some_and(|values| values.iter().any(is)),
            "StringLike" => there.is_some_and(|values| {
                values
                    .iter()
                    .any(|value| wanted.iter().any(|pattern| like(pattern, value)))
            }),
            // None is among any.
            "ForAllValues:StringEquals" => there.is_none_or(|values| values.iter().all(is)),
            other => panic!("{other} is not known here"),
        }
    })
}

/// A text or a list of texts, as policies have both.
pub(crate) fn texts(value: &Value) -> Vec<String> {
    let list = value
        .as_array()
        .cloned()
        .unwrap_or_else(|| vec![value.clone()]);
    list.iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// IAM's wildcard: `*` is any text, across all separators.
fn like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text
            .strip_prefix(before)
            .is_some_and(|rest| (0..=rest.len()).any(|skipped| like(after, &rest[skipped..]))),
    }
}
