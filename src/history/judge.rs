//! How a build went, by the files that it left.
//!
//! The rules are Gubernator's, without its gaps: an `<error>` is a failure, every kind of root counts, and a build that
//! reports nothing has not passed. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    build::{Build, BuildResult, Counts, TestRun, Unreadable},
    commit::Tested,
    junit::{Case, Outcome},
    source::Content,
    text::clean,
    tree::BuildId,
};

/// What began this long ago and has not finished has been killed. A job of GitHub's ends after six hours; one on a runner of
/// one's own may take five days, but tests of manifests never do.
const LOST_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Characters of a cause.
const CAUSE: usize = 300;
/// Tests of a build that are remembered by name, so that a hundred builds fit into memory. All of them count.
const TESTS: usize = 20_000;
/// Files of a build that cannot be read and are named.
const NAMED: usize = 20;

/// What a build left, read so far.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) started: Content,
    pub(super) finished: Content,
    pub(super) has_report: bool,
    /// Reports that were read, and those that could not be.
    reports: usize,
    spoiled_reports: usize,
    runs: BTreeMap<String, TestRun>,
    tests: Counts,
    /// The first case that failed.
    failed: Option<String>,
    unreadable: Vec<Unreadable>,
    unreadable_count: usize,
}

impl Files {
    /// Of a build whose reports are still to come.
    pub(super) fn new(started: Content, finished: Content) -> Self {
        Self {
            started,
            finished,
            has_report: false,
            reports: 0,
            spoiled_reports: 0,
            runs: BTreeMap::new(),
            tests: Counts::default(),
            failed: None,
            unreadable: Vec::new(),
            unreadable_count: 0,
        }
    }

    /// Takes a report of JUnit: its cases, or why there are none.
    pub(super) fn report(&mut self, file: &str, content: Content) {
        let cases = match content {
            Content::Absent => return,
            Content::Spoiled(reason) => Err(reason),
            Content::Bytes(bytes) => super::junit::cases(&bytes).map_err(|error| error.to_string()),
        };
        match cases {
            Ok(cases) => {
                self.reports += 1;
                for case in cases {
                    self.take(case);
                }
            }
            Err(reason) => {
                self.spoiled_reports += 1;
                self.spoiled(file, reason);
            }
        }
    }

    fn take(&mut self, case: Case) {
        self.tests.add(case.outcome);
        if case.outcome == Outcome::Failed && self.failed.is_none() {
            let Case { test, message, .. } = &case;
            self.failed = Some(match message.as_str() {
                "" => test.clone(),
                message => format!("{test}: {message}"),
            });
        }
        if self.runs.len() == TESTS && !self.runs.contains_key(&case.test) {
            return;
        }
        let run = self.runs.entry(case.test).or_default();
        run.counts.add(case.outcome);
        if run.message.is_empty() {
            run.message = case.message;
        }
    }

    fn spoiled(&mut self, file: &str, reason: String) {
        self.unreadable_count += 1;
        if self.unreadable.len() < NAMED {
            let file = clean(file, CAUSE);
            self.unreadable.push(Unreadable { file, reason });
        }
    }

    /// The object that a JSON file holds.
    fn json(&mut self, file: &str, content: Content) -> Option<Value> {
        let read = match content {
            Content::Absent => return None,
            Content::Spoiled(reason) => Err(reason),
            Content::Bytes(bytes) => serde_json::from_slice::<Value>(&bytes)
                .map_err(|error| clean(&error.to_string(), CAUSE)),
        };
        match read {
            Ok(value) if value.is_object() => Some(value),
            Ok(_) => {
                self.spoiled(file, "it is no object of JSON".to_owned());
                None
            }
            Err(reason) => {
                self.spoiled(file, reason);
                None
            }
        }
    }

    /// Judges the build by all of it, as it stands at that moment.
    pub(super) fn judge(mut self, id: BuildId, now: Timestamp) -> Build {
        let taken = |content: &mut Content| std::mem::replace(content, Content::Absent);
        let (began, ended) = (taken(&mut self.started), taken(&mut self.finished));
        let is_open = ended == Content::Absent;
        let began = self.json(&format!("{}/started.json", id.path), began);
        let ended = self.json(&format!("{}/finished.json", id.path), ended);
        let (began, ended) = (began.unwrap_or_default(), ended.unwrap_or_default());
        let (started, finished) = (moment(&began), moment(&ended));
        let seconds = started.zip(finished).and_then(|(started, finished)| {
            let seconds = finished.duration_since(started).as_secs();
            (seconds >= 0).then_some(seconds)
        });
        let (result, cause) = if is_open {
            unfinished(started, now)
        } else {
            self.finished(&ended)
        };
        Build {
            number: id.number.to_string(),
            path: id.path,
            pull: id.pull,
            started,
            finished,
            seconds,
            tested: Tested::of(&began, &ended),
            result,
            cause: clean(&cause, CAUSE),
            tests: self.tests,
            unreadable: self.unreadable,
            unreadable_count: self.unreadable_count,
            has_report: self.has_report,
            runs: self.runs,
        }
    }

    /// By `finished.json` and the reports.
    fn finished(&self, ended: &Value) -> (BuildResult, String) {
        let told = match Said::of(ended) {
            Some(Said::Aborted) => return (BuildResult::Aborted, root_cause(ended)),
            Some(Said::Error) => return (BuildResult::Error, root_cause(ended)),
            told => told,
        };
        let failed = || self.failed.clone().unwrap_or_default();
        let why = |root: String, other: String| if root.is_empty() { other } else { root };
        let cases = self.tests.passed + self.tests.failed + self.tests.skipped;
        let unproven = |reason: String| (BuildResult::Error, reason);
        match told {
            _ if self.tests.failed > 0 && told.is_some() => {
                (BuildResult::Failed, why(root_cause(ended), failed()))
            }
            None => {
                let of_end = |it: &&Unreadable| it.file.ends_with("/finished.json");
                unproven(match self.unreadable.iter().find(of_end) {
                    Some(it) => format!("finished.json cannot be read: {}", it.reason),
                    None => "finished.json does not say how it ended".to_owned(),
                })
            }
            Some(_) if self.reports + self.spoiled_reports == 0 => {
                unproven(why(root_cause(ended), "it has no JUnit report".to_owned()))
            }
            Some(Said::Failed) if cases > 0 => (
                BuildResult::Failed,
                why(root_cause(ended), "finished.json says so".to_owned()),
            ),
            // What failed may be in just that file.
            Some(_) if self.spoiled_reports > 0 => {
                let first = self.unreadable.first();
                let first = first.map_or_else(String::new, |it| it.reason.clone());
                let all = self.reports + self.spoiled_reports;
                unproven(format!(
                    "{} of its {all} JUnit reports cannot be read: {first}",
                    self.spoiled_reports
                ))
            }
            Some(_) if cases == 0 => unproven("its JUnit reports have no case".to_owned()),
            Some(_) => (BuildResult::Passed, String::new()),
        }
    }
}

/// What `finished.json` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Passed,
    Failed,
    Error,
    Aborted,
}

impl Said {
    /// Prow writes both `result` and `passed`; older and other writers have one of them.
    fn of(ended: &Value) -> Option<Self> {
        let result = ended["result"].as_str().map(str::to_ascii_uppercase);
        Some(match (result.as_deref(), ended["passed"].as_bool()) {
            (Some("ERROR"), _) => Self::Error,
            (Some("ABORTED"), _) => Self::Aborted,
            // Before `passed`, which may contradict it.
            (Some("FAILURE" | "FAILED"), _) => Self::Failed,
            (Some("SUCCESS"), _) | (_, Some(true)) => Self::Passed,
            (_, passed) => {
                passed?;
                Self::Failed
            }
        })
    }
}

/// Of a build without `finished.json`. Its clock may be ahead of ours; one that is days ahead says nothing.
fn unfinished(started: Option<Timestamp>, now: Timestamp) -> (BuildResult, String) {
    match started {
        Some(started) if now.duration_since(started).abs() < LOST_AFTER => {
            (BuildResult::Running, "it has not finished".to_owned())
        }
        Some(_) => (
            BuildResult::Lost,
            "it has not finished, and by our clock did not begin within a day".to_owned(),
        ),
        None => (
            BuildResult::Lost,
            "it says neither when it began nor that it finished".to_owned(),
        ),
    }
}

/// In seconds since 1970, where Prow and we write them so.
fn moment(file: &Value) -> Option<Timestamp> {
    let told = &file["timestamp"];
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a part of a second is none"
    )]
    let seconds = told.as_i64().or_else(|| told.as_f64().map(|it| it as i64));
    seconds.and_then(|it| Timestamp::from_second(it).ok())
}

/// As `gather-logs` notes it.
fn root_cause(ended: &Value) -> String {
    let cause = ended["metadata"]["root-cause"].as_str();
    cause.unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests;
