//! When an object is ready by its user's own word: `ready-when`, in the syntax of `kubectl wait --for`.
//!
//! ```text
//! kafkas.kafka.strimzi.io condition=Ready
//! workflows.argoproj.io jsonpath={.status.phase}=Succeeded fail jsonpath={.status.phase}=Failed
//! things.example.org accepted
//! ```

use std::{fmt, str::FromStr};

use serde_json::Value;

use crate::{
    api::ObjectId,
    ready::{
        Condition, Verdict,
        conditions::unobserved,
        generic::NO_STATUS,
        jsonpath::{Path, text_of},
    },
};

/// What makes the objects of some kinds ready; a kind has one line at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadyWhen(Vec<Rule>);

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The resource as its user wrote it: plural and group, or kind and group.
    pub resource: String,
    /// All of these have to hold; none where it is enough that it was accepted.
    ready: Vec<Check>,
    /// Each of these is its end.
    fail: Vec<Check>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Check {
    Condition { kind: String, status: String },
    Field { path: Path, value: Option<String> },
}

impl FromStr for ReadyWhen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut rules: Vec<Rule> = Vec::new();
        let lines = text.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let rule = Rule::parse(line)?;
            if rules.iter().any(|known| known.resource == rule.resource) {
                return Err(format!("{} has two lines", rule.resource));
            }
            rules.push(rule);
        }
        Ok(Self(rules))
    }
}

impl ReadyWhen {
    /// The line for an object, whose kind is served under this name; without one what the name may be is guessed.
    pub fn of(&self, id: &ObjectId, plural: Option<&str>) -> Option<&Rule> {
        self.0.iter().find(|rule| rule.is_for(id, plural))
    }

    /// Every line.
    pub fn rules(&self) -> &[Rule] {
        &self.0
    }
}

impl Rule {
    fn parse(line: &str) -> Result<Self, String> {
        let mut words = words(line).into_iter();
        let resource = words.next().unwrap_or_default().to_ascii_lowercase();
        let mut rule = Self {
            resource,
            ready: Vec::new(),
            fail: Vec::new(),
        };
        let (mut fails, mut accepts) = (false, false);
        for word in words {
            match word.as_str() {
                "fail" if !fails => fails = true,
                "accepted" if !fails => accepts = true,
                word => {
                    let checks = if fails {
                        &mut rule.fail
                    } else {
                        &mut rule.ready
                    };
                    checks.push(Check::parse(word)?);
                }
            }
        }
        let says_when = accepts == rule.ready.is_empty();
        if !says_when || fails == rule.fail.is_empty() {
            return Err(format!(
                "`{line}` is not a resource with `condition=NAME`, `jsonpath={{PATH}}=VALUE` or `accepted`, and what fails it after `fail`"
            ));
        }
        Ok(rule)
    }

    /// Whether it is enough that an object was accepted.
    pub fn accepts(&self) -> bool {
        self.ready.is_empty() && self.fail.is_empty()
    }

    /// Whether it says what an end in failure is: the objects of its kind come to an end.
    pub fn fails(&self) -> bool {
        !self.fail.is_empty()
    }

    /// Whether it is for the kind of an object.
    pub fn is_for(&self, id: &ObjectId, plural: Option<&str>) -> bool {
        let (name, group) = self
            .resource
            .split_once('.')
            .unwrap_or((&self.resource, ""));
        if group != id.group {
            return false;
        }
        let kind = id.kind.to_ascii_lowercase();
        let guesses = || {
            let with_y = kind.strip_suffix('y').map(|stem| format!("{stem}ies"));
            let guesses = [Some(format!("{kind}s")), Some(format!("{kind}es")), with_y];
            guesses.into_iter().flatten().any(|guess| guess == name)
        };
        name == kind || plural.map_or_else(guesses, |plural| plural == name)
    }

    /// Judges an object.
    pub(super) fn judge(&self, live: &Value) -> Verdict {
        if let Some(failed) = self.fail.iter().find(|check| check.holds(live)) {
            return Verdict::Failed(failed.found(live).into());
        }
        if let Some(waiting) = unobserved(live) {
            return waiting;
        }
        match self.ready.iter().find(|check| !check.holds(live)) {
            Some(missing) => Verdict::Waiting(missing.found(live).into()),
            None => Verdict::Ready,
        }
    }
}

impl Check {
    fn parse(word: &str) -> Result<Self, String> {
        if let Some(condition) = word.strip_prefix("condition=") {
            let (kind, status) = condition.split_once('=').unwrap_or((condition, "True"));
            if kind.is_empty() || status.is_empty() {
                return Err(format!("`{word}` names no condition"));
            }
            return Ok(Self::Condition {
                kind: kind.to_owned(),
                status: status.to_owned(),
            });
        }
        let Some(text) = word.strip_prefix("jsonpath=") else {
            return Err(format!(
                "`{word}` is neither `condition=NAME`, `jsonpath={{PATH}}=VALUE`, `accepted` nor `fail`"
            ));
        };
        let text = unquoted(text);
        // An equals sign in a filter is none of the value.
        let end = match text.rfind('}') {
            Some(brace) => Some(brace + 1).filter(|end| text[*end..].starts_with('=')),
            None => text.find('='),
        };
        let (path, value) = match end {
            Some(end) => (&text[..end], Some(unquoted(&text[end + 1..]).to_owned())),
            None => (text, None),
        };
        Ok(Self::Field {
            path: Path::parse(path)?,
            value,
        })
    }

    fn holds(&self, live: &Value) -> bool {
        match self {
            Self::Condition { kind, status } => {
                let condition = Condition::of_any_case(live, kind);
                condition.is_some_and(|it| it.is(status) && !it.is_stale(live))
            }
            Self::Field { path, value } => {
                let found = path.find(live);
                match value {
                    Some(value) => found.into_iter().any(|it| text_of(it) == *value),
                    None => !found.is_empty(),
                }
            }
        }
    }

    /// What an object has where it is looked at.
    fn found(&self, live: &Value) -> String {
        match self {
            Self::Condition { kind, status } => match Condition::of_any_case(live, kind) {
                Some(it) if it.is_stale(live) => {
                    format!("its condition {kind} is that of an older generation of it")
                }
                Some(it) => it.named(),
                None if live["status"].is_null() => NO_STATUS.to_owned(),
                None => format!("it has no condition {kind}, which is to be {status}"),
            },
            Self::Field { path, .. } => {
                let found: Vec<String> = path.find(live).into_iter().map(text_of).collect();
                match found.as_slice() {
                    [] => format!("{path} is not there"),
                    found => format!("{path} is {}", found.join(", ")),
                }
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource)
    }
}

fn unquoted(text: &str) -> &str {
    ['"', '\'']
        .into_iter()
        .find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(text)
}

/// The words of a line. A blank within braces or quotes parts none.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let (mut depth, mut quote) = (0_usize, None);
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None if c == '{' => depth += 1,
            None if c == '}' => depth = depth.saturating_sub(1),
            None if c.is_whitespace() && depth == 0 => {
                words.push(std::mem::take(&mut word));
                continue;
            }
            _ => {}
        }
        word.push(c);
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(group: &str, kind: &str) -> ObjectId {
        ObjectId {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: None,
            name: "a".to_owned(),
        }
    }

    #[test]
    fn a_line_says_when_a_kind_is_ready_and_when_it_failed() {
        let rules: ReadyWhen = "# mine\n\nworkflows.argoproj.io jsonpath={.status.phase}=Succeeded fail jsonpath={.status.phase}=Failed\n\
            kafkas.kafka.strimzi.io condition=Ready\nthings.example.org accepted\npods condition=ready=false jsonpath='{.spec.nodeName}'"
            .parse()
            .unwrap();
        let judge = |group: &str, kind: &str, live: Value| {
            let id = id(group, kind);
            rules.of(&id, None).unwrap().judge(&live)
        };
        let phase = |phase: &str| json!({"status": {"phase": phase}});
        assert!(judge("argoproj.io", "Workflow", phase("Succeeded")).is_ready());
        assert_eq!(
            judge("argoproj.io", "Workflow", phase("Running")),
            Verdict::Waiting("{.status.phase} is Running".into())
        );
        assert_eq!(
            judge("argoproj.io", "Workflow", phase("Failed")),
            Verdict::Failed("{.status.phase} is Failed".into())
        );
        let condition = |status: &str, generation: i64| {
            json!({"metadata": {"generation": 2}, "status": {"conditions": [
                {"type": "Ready", "status": status, "reason": "R", "observedGeneration": generation}]}})
        };
        let kafka = |live: Value| judge("kafka.strimzi.io", "Kafka", live);
        assert!(kafka(condition("True", 2)).is_ready());
        assert!(!kafka(condition("True", 1)).is_ready());
        assert_eq!(
            kafka(condition("False", 2)),
            Verdict::Waiting("Ready is False: R".into())
        );
        assert_eq!(kafka(json!({})), Verdict::Waiting(NO_STATUS.into()));
        assert!(
            rules
                .of(&id("example.org", "Thing"), None)
                .unwrap()
                .accepts()
        );
        let pod = json!({"spec": {"nodeName": "n"}, "status": {"conditions": [{"type": "Ready", "status": "False"}]}});
        assert!(judge("", "Pod", pod).is_ready());
        assert!(rules.of(&id("example.org", "Other"), None).is_none());
        assert!(rules.of(&id("other.org", "Thing"), None).is_none());
    }

    #[test]
    fn a_resource_is_named_as_it_is_served() {
        let rules: ReadyWhen =
            "policies.example.org accepted\nbox.example.org accepted\nsheep.example.org accepted"
                .parse()
                .unwrap();
        for (kind, plural, is_there) in [
            ("Policy", None, true),
            ("Box", Some("boxes"), true),
            ("Sheep", Some("sheep"), true),
            ("Policy", Some("rules"), false),
        ] {
            let rule = rules.of(&id("example.org", kind), plural);
            assert_eq!(rule.is_some(), is_there, "{kind}");
        }
    }

    #[test]
    fn a_line_that_means_nothing_is_refused() {
        for line in [
            "things.example.org",
            "things.example.org accepted condition=Ready",
            "things.example.org condition=",
            "things.example.org Ready",
            "things.example.org condition=Ready fail",
            "things.example.org jsonpath={.a[}",
            "things.example.org accepted\nthings.example.org condition=Ready",
        ] {
            assert!(line.parse::<ReadyWhen>().is_err(), "{line}");
        }
    }
}
