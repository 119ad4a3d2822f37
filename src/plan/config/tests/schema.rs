//! `docs/e2e.schema.json` says what the parser says: of a number of files, and of each field.

use serde_json::json;

use super::super::*;

const SCHEMA: &str = include_str!("../../../../docs/e2e.schema.json");

/// Whether a value is of a schema, as far as this one goes.
fn holds(schema: &Value, whole: &Value, value: &Value) -> bool {
    let known = [
        "$schema",
        "$id",
        "$ref",
        "$defs",
        "title",
        "description",
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "minLength",
        "pattern",
    ];
    let schema = match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => whole.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    for key in schema.as_object().unwrap().keys() {
        assert!(
            known.contains(&key.as_str()),
            "this test does not know `{key}`"
        );
    }
    let is_type = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "null" => value.is_null(),
        other => panic!("a type `{other}`"),
    };
    let of_type = match &schema["type"] {
        Value::String(name) => is_type(name),
        Value::Array(names) => names.iter().any(|name| is_type(name.as_str().unwrap())),
        _ => true,
    };
    let in_enum = schema["enum"]
        .as_array()
        .is_none_or(|all| all.contains(value));
    let long = value
        .as_str()
        .is_none_or(|text| text.len() as u64 >= schema["minLength"].as_u64().unwrap_or(0));
    let like = match (schema["pattern"].as_str(), value.as_str()) {
        (Some(pattern), Some(text)) => regex::Regex::new(pattern).unwrap().is_match(text),
        _ => true,
    };
    let members = value.as_object().is_none_or(|map| {
        let required = schema["required"].as_array().into_iter().flatten();
        let has_all = required
            .into_iter()
            .all(|name| map.contains_key(name.as_str().unwrap()));
        let each = map
            .iter()
            .all(|(name, member)| match schema["properties"].get(name) {
                Some(one) => holds(one, whole, member),
                None => schema["additionalProperties"] != json!(false),
            });
        has_all && each
    });
    let items = value.as_array().is_none_or(|items| {
        schema
            .get("items")
            .is_none_or(|one| items.iter().all(|item| holds(one, whole, item)))
    });
    of_type && in_enum && long && like && members && items
}

/// Whether the parser takes such a file, and what it says else.
fn taken(value: &Value) -> (bool, String) {
    match read("e2e.yaml", &value.to_string()) {
        Ok(_) => (true, String::new()),
        Err(error) => (false, error.to_string()),
    }
}

#[test]
fn the_schema_takes_what_the_parser_takes() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let fields = schema["$defs"]["workflow"]["properties"]
        .as_object()
        .unwrap();
    let mut files = vec![
        json!({}),
        json!([]),
        json!({"workflows": {}}),
        json!({"workflows": null}),
        json!({"workflows": []}),
        json!({"workflows": [], "more": 1}),
        json!({"workflows": [1]}),
        json!({"workflows": [{}]}),
        json!({"workflows": [{"name": ""}]}),
        json!({"workflows": [{"name": "a", "kw_args": {}}]}),
        json!({"workflows": [{"name": "a", "job_types": ["presubmits"]}]}),
        json!({"workflows": [{"name": "a", "job_types": ["presubmit", "postsubmit", "periodic", "batch"]}]}),
        json!({"workflows": [{"name": "a", "include_dirs": [""]}]}),
        json!({"workflows": [{"name": "a", "params": {"x": {"y": [1, null]}}}]}),
        json!({"workflows": [], "python_paths": null}),
        json!({"workflows": [], "python_paths": ["o/r/py", "${REPO_OWNER}/${REPO_NAME}/x"]}),
    ];
    for path in [
        "", "o", "o/", "/o/r", "o//r", "../o", "o/r/../x", "o/r:x", "o/r/", "o/.", "o/r\nx",
    ] {
        files.push(json!({"workflows": [], "python_paths": [path]}));
    }
    // Each field with a value of each kind, and without one.
    for field in fields.keys() {
        for value in [
            json!("x"),
            json!(1),
            json!(true),
            json!(null),
            json!([]),
            json!(["x"]),
            json!([1]),
            json!({}),
            json!({"x": 1}),
        ] {
            let mut workflow = json!({"name": "a"});
            workflow[field] = value;
            files.push(json!({"workflows": [workflow]}));
        }
    }
    let mut counted = [0, 0];
    for file in &files {
        let (taken, said) = taken(file);
        assert_eq!(holds(&schema, &schema, file), taken, "{file}: {said}");
        counted[usize::from(taken)] += 1;
    }
    assert!(counted[0] > 30 && counted[1] > 30, "{counted:?}");
}
