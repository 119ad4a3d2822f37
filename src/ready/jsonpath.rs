//! The part of `JSONPath` that `kubectl wait` is used with: fields, elements, all of them, and a filter on a field.

use std::fmt;

use serde_json::Value;

/// A path into an object, such as `{.status.conditions[?(@.type=="Ready")].status}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    text: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    /// Counted from the end where it is negative.
    Element(i64),
    All,
    Filter {
        path: Vec<String>,
        is: bool,
        value: String,
    },
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Path {
    /// Reads a path; braces around it and the first dot may be missing.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let inner = text.trim();
        let inner = inner
            .strip_prefix('{')
            .and_then(|inner| inner.strip_suffix('}'))
            .unwrap_or(inner)
            .trim();
        let inner = inner.strip_prefix('$').unwrap_or(inner);
        let mut steps = Vec::new();
        let mut rest = inner;
        while !rest.is_empty() {
            rest = step(rest, steps.is_empty(), &mut steps).ok_or_else(|| {
                format!("`{text}` is no JSONPath of fields, elements and filters")
            })?;
        }
        if steps.is_empty() {
            return Err(format!("`{text}` is no JSONPath: it names no field"));
        }
        Ok(Self {
            text: format!("{{{inner}}}"),
            steps,
        })
    }

    /// What it leads to in an object.
    pub(super) fn find<'a>(&self, object: &'a Value) -> Vec<&'a Value> {
        let mut found = vec![object];
        for step in &self.steps {
            found = found
                .into_iter()
                .flat_map(|value| step.take(value))
                .collect();
        }
        found
    }
}

/// Takes one step off a path; none where there is none.
fn step<'a>(text: &'a str, is_first: bool, steps: &mut Vec<Step>) -> Option<&'a str> {
    if let Some(inner) = text.strip_prefix('[') {
        let end = closing(inner)?;
        let (content, rest) = (inner[..end].trim(), &inner[end + 1..]);
        steps.push(bracket(content)?);
        return Some(rest);
    }
    let rest = match text.strip_prefix('.') {
        Some(rest) => rest,
        None if is_first => text,
        None => return None,
    };
    let mut name = String::new();
    let mut chars = rest.char_indices();
    let mut end = rest.len();
    while let Some((at, c)) = chars.next() {
        match c {
            // A dot in the name of a label or an annotation.
            '\\' => name.push(chars.next()?.1),
            '.' | '[' => {
                end = at;
                break;
            }
            '*' if name.is_empty() => {
                steps.push(Step::All);
                return Some(&rest[at + 1..]);
            }
            c if c.is_whitespace() || matches!(c, '{' | '}' | ']' | '(' | ')' | '"') => {
                return None;
            }
            c => name.push(c),
        }
    }
    if name.is_empty() {
        return None;
    }
    steps.push(Step::Field(name));
    Some(&rest[end..])
}

/// Where the bracket ends that was opened, past texts in quotes.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None if c == ']' => return Some(at),
            _ => {}
        }
    }
    None
}

fn bracket(content: &str) -> Option<Step> {
    if content == "*" {
        return Some(Step::All);
    }
    if let Ok(number) = content.parse() {
        return Some(Step::Element(number));
    }
    if let Some(name) = quoted(content) {
        return Some(Step::Field(name));
    }
    let filter = content.strip_prefix("?(")?.strip_suffix(')')?.trim();
    let (path, is, value) = match (filter.split_once("=="), filter.split_once("!=")) {
        (Some((path, value)), _) => (path, true, value),
        (None, Some((path, value))) => (path, false, value),
        (None, None) => return None,
    };
    let path = path.trim().strip_prefix("@.")?;
    let value = value.trim();
    Some(Step::Filter {
        path: path.split('.').map(str::to_owned).collect(),
        is,
        value: quoted(value).unwrap_or_else(|| value.to_owned()),
    })
}

fn quoted(text: &str) -> Option<String> {
    ['"', '\''].into_iter().find_map(|quote| {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(quote)).then(|| inner.to_owned())
    })
}

impl Step {
    fn take<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        let all = || -> Vec<&'a Value> {
            match value {
                Value::Array(items) => items.iter().collect(),
                Value::Object(map) => map.values().collect(),
                _ => Vec::new(),
            }
        };
        match self {
            Self::Field(name) => value.get(name).into_iter().collect(),
            Self::Element(at) => {
                let items = value.as_array().map_or(&[][..], Vec::as_slice);
                let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                let at = if *at < 0 { length + at } else { *at };
                let at = usize::try_from(at).ok();
                at.and_then(|at| items.get(at)).into_iter().collect()
            }
            Self::All => all(),
            Self::Filter { path, is, value } => all()
                .into_iter()
                .filter(|item| {
                    let found = path.iter().try_fold(*item, |it, key| it.get(key));
                    found.is_some_and(|found| text_of(found) == *value) == *is
                })
                .collect(),
        }
    }
}

/// A value as `kubectl` prints it.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_leads_where_kubectl_goes() {
        let object = json!({
            "metadata": {"labels": {"a.b/c": "d"}},
            "status": {"phase": "Running", "count": 3, "items": [{"n": 1}, {"n": 2}],
                "conditions": [{"type": "Ready", "status": "True"}, {"type": "Stalled", "status": "False"}]},
        });
        for (path, expected) in [
            ("{.status.phase}", vec!["Running"]),
            (".status.phase", vec!["Running"]),
            ("status.phase", vec!["Running"]),
            ("{$.status.count}", vec!["3"]),
            ("{.status.items[0].n}", vec!["1"]),
            ("{.status.items[-1].n}", vec!["2"]),
            ("{.status.items[*].n}", vec!["1", "2"]),
            ("{.status['phase']}", vec!["Running"]),
            ("{.metadata.labels.a\\.b/c}", vec!["d"]),
            (
                "{.status.conditions[?(@.type==\"Ready\")].status}",
                vec!["True"],
            ),
            (
                "{.status.conditions[?(@.type!='Ready')].status}",
                vec!["False"],
            ),
            ("{.status.nothing}", vec![]),
        ] {
            let parsed = Path::parse(path).unwrap();
            let found: Vec<String> = parsed.find(&object).into_iter().map(text_of).collect();
            assert_eq!(found, expected, "{path}");
        }
        for path in ["{}", "", "{..phase}", "{.a b}", "{.a[?(@.b)]}", "{.a[}"] {
            assert!(Path::parse(path).is_err(), "{path}");
        }
    }
}
