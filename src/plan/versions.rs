//! `e2e/versions.yaml`: on which versions each test runs. Each key but `exclude` is an axis of the matrix.

use serde_json::{Map, Value};

use super::{config::ConfigError, matrix::is_field};
use crate::yaml;

/// Where it is looked for.
pub const FILE: &str = "e2e/versions.yaml";
const EXCLUDE: &str = "exclude";

/// One combination of versions: a value for each axis.
pub type Combination = Map<String, Value>;

/// All combinations but those that are excluded; one without any axis where there is no file.
///
/// # Errors
/// [`ConfigError`].
pub fn combinations(file: &str, text: Option<&str>) -> Result<Vec<Combination>, ConfigError> {
    let Some(text) = text else {
        return Ok(vec![Combination::new()]);
    };
    of(text).map_err(|reason| ConfigError {
        file: file.to_owned(),
        reason,
    })
}

fn of(text: &str) -> Result<Vec<Combination>, String> {
    let Value::Object(mut top) = yaml::one(text).map_err(|fault| fault.to_string())? else {
        return Err("it is no mapping of names to lists of versions".to_owned());
    };
    let excluded = match top.remove(EXCLUDE) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(all)) => all,
        Some(_) => return Err("`exclude` is no list".to_owned()),
    };
    if top.is_empty() {
        return Err("it names no versions".to_owned());
    }
    for (axis, values) in &top {
        checked(axis, values)?;
    }
    let mut all = vec![Combination::new()];
    for (axis, values) in &top {
        let values = values.as_array().into_iter().flatten();
        let with = |value: &Value| {
            let with = |one: &Combination| {
                let mut one = one.clone();
                one.insert(axis.clone(), value.clone());
                one
            };
            all.iter().map(with).collect::<Vec<_>>()
        };
        all = values.flat_map(with).collect();
        if all.len() > MANY {
            return Err(format!("it makes more than {MANY} combinations"));
        }
    }
    for out in &excluded {
        let Value::Object(out) = out else {
            return Err("an entry of `exclude` is no mapping".to_owned());
        };
        if let Some(axis) = out.keys().find(|axis| !top.contains_key(*axis)) {
            return Err(format!(
                "`exclude` names `{axis}`, of which there are no versions"
            ));
        }
        let before = all.len();
        all.retain(|one| {
            out.is_empty() || out.iter().any(|(axis, value)| one.get(axis) != Some(value))
        });
        if all.len() == before {
            return Err(format!(
                "{} in `exclude` excludes nothing",
                Value::Object(out.clone())
            ));
        }
    }
    if all.is_empty() {
        return Err("it excludes all that it names".to_owned());
    }
    Ok(all)
}

/// More than any matrix can have; more is only memory.
const MANY: usize = 10_000;

fn checked(axis: &str, values: &Value) -> Result<(), String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if axis.is_empty()
        || !axis.chars().all(is_name)
        || axis.starts_with(|c: char| !c.is_ascii_alphabetic())
    {
        return Err(format!(
            "`{}` is no name of a version: letters, digits, - and _",
            axis.escape_default()
        ));
    }
    if is_field(axis) {
        return Err(format!(
            "`{axis}` is a field of each job, and cannot be a version"
        ));
    }
    let Value::Array(values) = values else {
        return Err(format!("`{axis}` is no list"));
    };
    if values.is_empty() {
        return Err(format!("`{axis}` is an empty list: nothing would run"));
    }
    for (number, value) in values.iter().enumerate() {
        match value {
            // 1.30 is the number 1.3.
            Value::Number(number) if !number.is_u64() => {
                return Err(format!(
                    "{number} of `{axis}` is a number: put each version into quotes"
                ));
            }
            Value::String(text) if text.is_empty() => {
                return Err(format!("`{axis}` has an empty version"));
            }
            Value::String(_) | Value::Number(_) => {}
            other => return Err(format!("{other} of `{axis}` is no version")),
        }
        if values[..number].contains(value) {
            return Err(format!("`{axis}` has {value} twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
