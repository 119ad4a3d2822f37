//! The stages as test cases, and what each deployed object came to.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as JUnit, TestCase, TestCaseStatus, TestSuite};
use serde_json::Value;

use crate::{
    logs::verdict::State,
    notebook::junit::xml,
    record::{Record, StageRecord},
    report::{Exit, one_line},
};

/// JUnit of a job: a case for each stage, and where manifests were deployed one for each object that had to get ready.
///
/// Characters that XML cannot hold are left out.
pub fn of_stages(record: &Record, deploy: Option<&Value>) -> String {
    let mut report = JUnit::new("manifests-e2e");
    let mut suite = TestSuite::new("stages");
    // The stage that writes this has not ended.
    let ended = record.stages.iter().filter(|stage| stage.ended.is_some());
    suite.add_test_cases(ended.map(stage));
    report.add_test_suite(suite);
    let objects = deploy.and_then(|report| report.pointer("/deployment/objects"));
    let objects = objects.and_then(Value::as_array).map(Vec::as_slice);
    let cases: Vec<TestCase> = objects
        .unwrap_or_default()
        .iter()
        .filter_map(object)
        .collect();
    if !cases.is_empty() {
        let mut suite = TestSuite::new("objects");
        suite.add_test_cases(cases);
        report.add_test_suite(suite);
    }
    report
        .to_string()
        .expect("a report in memory can be written")
}

fn stage(stage: &StageRecord) -> TestCase {
    let code = stage.exit.unwrap_or_default();
    let kind = match State::of_failed(stage, None) {
        State::Failure => NonSuccessKind::Failure,
        _ => NonSuccessKind::Error,
    };
    let mut case = case(
        &stage.stage,
        (code != Exit::Passed.code()).then_some((kind, stage.cause.as_str())),
    );
    let span = stage.ended.map(|ended| ended.duration_since(stage.started));
    if let Some(span) = span.and_then(|span| Duration::try_from(span).ok()) {
        case.set_time(span);
    }
    case
}

/// One that was waited for, or that is missing; what was ready as soon as it was accepted is none.
fn object(entry: &Value) -> Option<TestCase> {
    let name = entry["object"].as_str()?;
    let moment = |name: &str| entry[name].as_u64();
    let missing = entry["missing"].as_str().unwrap_or_default();
    let waited = moment("ready")
        .zip(moment("accepted"))
        .map(|(ready, accepted)| ready.saturating_sub(accepted));
    if missing.is_empty() && waited.unwrap_or_default() == 0 {
        return None;
    }
    let failed = (!missing.is_empty()).then_some((NonSuccessKind::Failure, missing));
    let mut case = case(name, failed);
    let path = name.split_once(' ').map_or(name, |(_, path)| path);
    let namespace = path
        .split_once('/')
        .map_or("cluster", |(namespace, _)| namespace);
    case.set_classname(namespace);
    if let Some(span) = moment("ready").zip(moment("sent")) {
        case.set_time(Duration::from_millis(span.0.saturating_sub(span.1)));
    }
    Some(case)
}

fn case(name: &str, failed: Option<(NonSuccessKind, &str)>) -> TestCase {
    let Some((kind, cause)) = failed else {
        return TestCase::new(xml(name), TestCaseStatus::success());
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(xml(&one_line(cause)));
    TestCase::new(xml(name), status)
}
