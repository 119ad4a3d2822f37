//! The rule for a kind without a row: ready unless its status says otherwise, in the words of the ecosystem.
//!
//! An object whose controller has not looked at it as it is now is not ready; nor is one with a condition, a phase, a flag
//! or a count that says so. What a status says in other words counts for nothing.

mod words;

use std::time::Duration;

use serde_json::Value;

use crate::{
    api::list,
    ready::{Condition, Verdict, conditions::unobserved, suspend},
    report::one_line,
};

use words::{Meaning, Phase};

/// Said of an object that no controller has written a status of.
pub const NO_STATUS: &str = "no controller has written a status yet";

/// A controller has this long to write the first status of an object; without one it then counts as ready.
pub const SILENCE: Duration = Duration::from_secs(30);

/// The epoch: when a condition changed last that the schema of the kind puts in.
const BY_SCHEMA: &str = "1970-01-01T00:00:00Z";

/// Where a specification says which phase is wanted.
const WANTED_PHASES: [&str; 5] = [
    "/desiredPhase",
    "/desiredState",
    "/job/state",
    "/lifecycle/desiredPhase",
    "/state",
];
/// Fields of a status that are true once all is well.
const FLAGS: [&str; 6] = [
    "ready",
    "isReady",
    "healthy",
    "available",
    "readyToUse",
    "synced",
];
/// Whether no controller has written anything about an object: it has no status, or what the schema of its kind puts in
/// (`default`, where that is known).
pub fn is_silent(live: &Value, default: Option<&Value>) -> bool {
    let status = &live["status"];
    let Some(fields) = status.as_object() else {
        return status.is_null();
    };
    if fields.is_empty() || default.is_some_and(|default| default == status) {
        return true;
    }
    let default_conditions = default.map_or(&Value::Null, |default| &default["conditions"]);
    let is_by_schema = |condition: &Value| {
        condition["lastTransitionTime"] == BY_SCHEMA
            || list(default_conditions).any(|known| known == condition)
    };
    fields.keys().all(|key| {
        key == "conditions" || default.is_some_and(|default| default.get(key) == fields.get(key))
    }) && list(&status["conditions"]).all(is_by_schema)
}

/// Judges an object by its status alone.
pub(super) fn judge(live: &Value) -> Verdict {
    if is_silent(live, None) {
        return match suspend::of(live) {
            Some(what) => suspend::verdict(live, &what),
            None => Verdict::Waiting(NO_STATUS.into()),
        };
    }
    let verdict = by_status(live);
    match suspend::of(live) {
        // What is wrong is wrong, also while it is suspended.
        Some(what) if !matches!(verdict, Verdict::Failed(_)) => suspend::verdict(live, &what),
        _ => verdict,
    }
}

/// What the status says, the worst of it first.
fn by_status(live: &Value) -> Verdict {
    if let Some(waiting) = unobserved(live) {
        return waiting;
    }
    let status = &live["status"];
    let mut said = Said::default();
    said.conditions(live, &status["conditions"]);
    said.conditions(live, &status["conditionedStatus"]["conditions"]);
    // What a route or a policy is to each of its parents, in the words of the Gateway API.
    for parent in parents(live) {
        if list(&parent["conditions"]).next().is_none() {
            said.waiting.get_or_insert_with(|| NO_STATUS.to_owned());
        }
        said.conditions(live, &parent["conditions"]);
    }
    said.fields(status, &live["spec"]);
    said.verdict()
}

/// What a status says of an object to each of its parents. What was said of an older generation only counts where nobody has
/// said anything since: the specification may not name that parent any more.
pub(super) fn parents(live: &Value) -> Vec<&Value> {
    let status = &live["status"];
    let all = || list(&status["parents"]);
    let is_old = |parent: &&Value| {
        let mut conditions = list(&parent["conditions"]).map(Condition::new);
        list(&parent["conditions"]).next().is_some() && conditions.all(|it| it.is_stale(live))
    };
    let current: Vec<&Value> = all().filter(|parent| !is_old(parent)).collect();
    let parents: Vec<&Value> = if current.is_empty() {
        all().collect()
    } else {
        current
    };
    let ancestors = list(&status["ancestors"]);
    parents.into_iter().chain(ancestors).collect()
}

/// What a status says, by how much it counts.
#[derive(Default)]
struct Said {
    wrong: Option<String>,
    waiting: Option<String>,
    suspended: Option<String>,
    /// Of a part, which counts only where nothing says that the object is ready.
    wrong_part: Option<String>,
    waiting_part: Option<String>,
    /// That nobody knows; it counts where nothing says anything good.
    unknown: Option<String>,
    is_good: bool,
    is_ready: bool,
}

fn first(place: &mut Option<String>, text: String) {
    place.get_or_insert(text);
}

impl Said {
    fn conditions(&mut self, live: &Value, conditions: &Value) {
        for condition in list(conditions).map(Condition::new) {
            let Some(meaning) = words::condition(condition.kind()) else {
                continue;
            };
            let text = || condition.named();
            let (is_true, is_false) = (condition.is("True"), condition.is("False"));
            match meaning {
                Meaning::Summary | Meaning::Needed if condition.is_stale(live) => {
                    first(&mut self.waiting, unseen(condition));
                }
                Meaning::Summary if is_true => self.is_ready = true,
                // Nothing is there, as it was asked for.
                Meaning::Summary if live["spec"]["replicas"] == 0 => self.is_ready = true,
                Meaning::Summary | Meaning::Needed if is_false && condition.complains() => {
                    first(&mut self.wrong, text());
                }
                Meaning::Summary | Meaning::Needed if !is_true => {
                    first(&mut self.waiting, text());
                }
                // As the operators that run Ansible say that they are at it.
                Meaning::Part if is_true && condition.is_at_it() => {
                    first(&mut self.waiting, text());
                }
                Meaning::Part if is_false => first(&mut self.waiting_part, text()),
                Meaning::Part if !is_true => first(&mut self.unknown, text()),
                Meaning::Wrong if is_true => first(&mut self.wrong, text()),
                Meaning::WrongPart if is_true => first(&mut self.wrong_part, text()),
                Meaning::Busy if is_true && !condition.is_done() => {
                    first(&mut self.waiting, text());
                }
                Meaning::Busy if is_false && condition.complains() => {
                    first(&mut self.wrong, text());
                }
                Meaning::Suspended if is_true => first(&mut self.suspended, text()),
                _ => {}
            }
        }
    }

    fn fields(&mut self, status: &Value, spec: &Value) {
        for (name, value) in phases(status) {
            let (phase, what) = (words::phase(value), || format!("{name}: {value}"));
            let is_wanted = WANTED_PHASES.iter().any(|path| {
                let wanted = spec.pointer(path).and_then(Value::as_str);
                wanted.is_some_and(|wanted| wanted.eq_ignore_ascii_case(value))
            });
            match phase {
                Some(_) if is_wanted => {}
                Some(Phase::Wrong) => first(&mut self.wrong, what()),
                Some(Phase::Suspended) => first(&mut self.suspended, what()),
                Some(Phase::Busy) if value.eq_ignore_ascii_case("unknown") => {
                    first(&mut self.unknown, what());
                }
                Some(Phase::Busy) => first(&mut self.waiting, what()),
                Some(Phase::Ready) => self.is_good = true,
                None => {}
            }
        }
        for flag in FLAGS {
            match status[flag].as_bool() {
                Some(true) => self.is_ready = true,
                Some(false) => first(&mut self.waiting, format!("{flag} is false")),
                None => {}
            }
        }
        for (name, value) in complaints(status) {
            let text = value.as_str().or_else(|| value["message"].as_str());
            if let Some(text) = text.map(one_line).filter(|text| !text.is_empty()) {
                first(&mut self.wrong, format!("{name}: {text}"));
            }
        }
        let wanted = spec["replicas"].as_i64().or(status["replicas"].as_i64());
        for count in ["readyReplicas", "availableReplicas"] {
            if let (Some(wanted), Some(there)) = (wanted, status[count].as_i64())
                && there < wanted
            {
                first(&mut self.waiting, format!("{there} of {wanted} {count}"));
            }
        }
    }

    fn verdict(self) -> Verdict {
        let unknown = self.unknown.filter(|_| !self.is_good);
        let (wrong_part, waiting_part) = if self.is_ready {
            (None, None)
        } else {
            (self.wrong_part, self.waiting_part.or(unknown))
        };
        if let Some(what) = self.wrong.or(wrong_part) {
            return Verdict::Failed(what.into());
        }
        if let Some(what) = self.suspended {
            return Verdict::Suspended(what.into());
        }
        match self.waiting.or(waiting_part) {
            Some(what) => Verdict::Waiting(what.into()),
            None => Verdict::Ready,
        }
    }
}

/// The fields of a status that hold a phase, by their names: `phase`, `state`, `jobStatus.state`.
fn phases(status: &Value) -> impl Iterator<Item = (String, &str)> {
    let fields = status.as_object().into_iter().flatten();
    fields.flat_map(|(name, value)| {
        let own = value.as_str().map(|text| (name.clone(), text));
        let below = ["phase", "state", "status"]
            .into_iter()
            .filter_map(move |key| {
                let text = value.get(key)?.as_str()?;
                Some((format!("{name}.{key}"), text))
            });
        let is_phase = is_phase(name);
        own.into_iter().chain(below).filter(move |_| is_phase)
    })
}

/// Whether a field is one of a phase as it is now: `certificateStatus`, and not `lastState`.
fn is_phase(name: &str) -> bool {
    const OTHERS: [&str; 6] = ["desired", "last", "next", "old", "prev", "target"];
    let name = name.to_ascii_lowercase();
    let ends = ["phase", "state", "status", "health"];
    ends.iter().any(|end| name.ends_with(end)) && !OTHERS.iter().any(|it| name.starts_with(it))
}

/// The fields of a status that are there where something is wrong: `error`, `failureMessage`.
fn complaints(status: &Value) -> impl Iterator<Item = (&String, &Value)> {
    const ENDS: [&str; 6] = [
        "error",
        "description",
        "detail",
        "message",
        "reason",
        "failure",
    ];
    let fields = status.as_object().into_iter().flatten();
    fields.filter(|(name, _)| {
        let name = name.to_ascii_lowercase();
        let begins = name.starts_with("error") || name.starts_with("failure");
        (begins || name == "reconcileerror") && ENDS.iter().any(|end| name.ends_with(end))
    })
}

fn unseen(condition: Condition<'_>) -> String {
    format!("{} is that of an older generation of it", condition.kind())
}
