//! What a build counts as, by what it left.

use serde_json::json;

use super::*;

const PASSED: &str =
    "<testsuite><testcase name='a'/><testcase name='b'><skipped/></testcase></testsuite>";
const FAILED: &str = "<testsuite><testcase name='a'><error message='gone'/></testcase></testsuite>";
const NOW: i64 = 1_800_000_000;

fn json(value: &Value) -> Content {
    Content::Bytes(value.to_string().into_bytes())
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn judged(started: Content, finished: Content, reports: &[&[u8]]) -> Build {
    let mut files = Files::new(started, finished);
    for (at, report) in reports.iter().enumerate() {
        let name = format!("logs/job/7/artifacts/junit_{at}.xml");
        files.report(&name, Content::Bytes(report.to_vec()));
    }
    let id = BuildId {
        number: 7,
        path: "logs/job/7".to_owned(),
        pull: None,
    };
    files.judge(id, at(NOW))
}

/// A build that began ten minutes ago and finished so.
fn finished(file: &Value, reports: &[&str]) -> (BuildResult, String) {
    let mut file = file.clone();
    file["timestamp"] = json!(NOW);
    let reports: Vec<&[u8]> = reports.iter().map(|it| it.as_bytes()).collect();
    let build = judged(
        json(&json!({"timestamp": NOW - 600})),
        json(&file),
        &reports,
    );
    assert_eq!(build.seconds, Some(600));
    (build.result, build.cause)
}

#[test]
fn judge_takes_a_build_for_passed_only_where_file_and_reports_say_so() {
    let success = json!({"result": "SUCCESS", "passed": true});
    let failure = json!({"result": "FAILURE", "metadata": {"root-cause": "no\n image"}});
    let none = || String::new();
    for (file, reports, result, cause) in [
        (&success, &[PASSED][..], BuildResult::Passed, none()),
        (
            &json!({"passed": true}),
            &[PASSED],
            BuildResult::Passed,
            none(),
        ),
        // The file alone is not enough: one of two reports is red.
        (
            &success,
            &[PASSED, FAILED],
            BuildResult::Failed,
            "a: gone".to_owned(),
        ),
        (
            &failure,
            &[PASSED],
            BuildResult::Failed,
            "no image".to_owned(),
        ),
        (
            &json!({"result": "FAILED"}),
            &[FAILED],
            BuildResult::Failed,
            "a: gone".to_owned(),
        ),
        (
            &json!({"passed": false}),
            &[PASSED],
            BuildResult::Failed,
            "finished.json says so".to_owned(),
        ),
        // No report is no pass, and no fault of the commit either.
        (
            &success,
            &[],
            BuildResult::Error,
            "it has no JUnit report".to_owned(),
        ),
        (&failure, &[], BuildResult::Error, "no image".to_owned()),
        (
            &success,
            &["<testsuites/>"],
            BuildResult::Error,
            "its JUnit reports have no case".to_owned(),
        ),
        (
            &json!({"result": "ERROR"}),
            &[FAILED],
            BuildResult::Error,
            none(),
        ),
        (
            &json!({"result": "ABORTED"}),
            &[],
            BuildResult::Aborted,
            none(),
        ),
        (
            &json!({"result": "?"}),
            &[PASSED],
            BuildResult::Error,
            "finished.json does not say how it ended".to_owned(),
        ),
    ] {
        assert_eq!(
            finished(file, reports),
            (result, cause),
            "{file} {reports:?}"
        );
    }
}

#[test]
fn judge_takes_what_has_not_finished_for_running_for_a_day_whatever_the_clocks_say() {
    let open = |started: i64| {
        let started = json(&json!({"timestamp": started}));
        judged(started, Content::Absent, &[]).result
    };
    assert_eq!(open(NOW - 60), BuildResult::Running);
    assert_eq!(
        open(NOW + 3600),
        BuildResult::Running,
        "a clock that is ahead"
    );
    assert_eq!(open(NOW - 24 * 3600), BuildResult::Lost);
    assert_eq!(open(NOW + 48 * 3600), BuildResult::Lost, "no clock at all");
    assert_eq!(open(i64::MAX), BuildResult::Lost, "no time at all");
    assert_eq!(
        judged(Content::Absent, Content::Absent, &[]).result,
        BuildResult::Lost
    );
    // One that ended before it began took nobody knows how long.
    let ended = json!({"timestamp": 1_799_999_099.5, "result": "SUCCESS"});
    let skewed = judged(
        json(&json!({"timestamp": NOW})),
        json(&ended),
        &[PASSED.as_bytes()],
    );
    assert_eq!((skewed.result, skewed.seconds), (BuildResult::Passed, None));
}

#[test]
fn judge_tells_of_a_file_that_is_spoiled_and_takes_the_others() {
    let success = json(&json!({"result": "SUCCESS"}));
    let build = judged(
        Content::Bytes(b"[".to_vec()),
        success.clone(),
        &[PASSED.as_bytes()],
    );
    assert_eq!(build.result, BuildResult::Passed);
    assert_eq!(build.unreadable[0].file, "logs/job/7/started.json");

    let spoiled = judged(Content::Absent, success, &[PASSED.as_bytes(), b"\xff"]);
    assert_eq!(spoiled.result, BuildResult::Error);
    assert!(
        spoiled
            .cause
            .starts_with("1 of its 2 JUnit reports cannot be read: "),
        "{}",
        spoiled.cause
    );
    assert_eq!((spoiled.tests.passed, spoiled.tests.skipped), (1, 1));

    let cut = judged(
        Content::Absent,
        Content::Bytes(b"{\"result\": \"SUCC".to_vec()),
        &[],
    );
    assert_eq!(cut.result, BuildResult::Error);
    assert!(
        cut.cause.starts_with("finished.json cannot be read: "),
        "{}",
        cut.cause
    );
    let list = judged(Content::Absent, Content::Bytes(b"[1]".to_vec()), &[]);
    assert!(
        list.cause.ends_with("it is no object of JSON"),
        "{}",
        list.cause
    );
}

#[test]
fn judge_loses_one_report_of_a_thousand_to_a_bad_byte() {
    let good = PASSED.as_bytes();
    let mut reports = vec![good; 1000];
    let bad = b"<testsuite><testcase name='\xc3('/></testsuite>";
    reports[500] = bad;
    let build = judged(Content::Absent, json(&json!({"passed": true})), &reports);
    assert_eq!((build.tests.passed, build.unreadable_count), (999, 1));
    assert_eq!(
        build.unreadable[0].file,
        "logs/job/7/artifacts/junit_500.xml"
    );
    assert_eq!(build.result, BuildResult::Error);
}
