use serde_json::json;

use super::*;
use crate::{
    limits::Limit,
    notebook::fake::{Answer, is_watch, job, server, there_is},
};

fn refusal() -> kube::Error {
    let status = kube::core::Status::failure("pods is forbidden", "Forbidden").with_code(403);
    kube::Error::Api(Box::new(status))
}

#[tokio::test(start_paused = true)]
async fn a_server_that_has_just_started_may_refuse_for_a_while_what_it_allowed_before() {
    let asked = Instant::now();
    let mut never_allowed = Memory::default();
    assert!(never_allowed.silence(asked, Some(refusal())).is_err());
    let mut memory = Memory {
        answered: true,
        ..Memory::default()
    };
    let status = memory.silence(asked, Some(refusal()));
    assert!(
        matches!(&status, Ok(Status::NotYet(why)) if why.contains("refuses what it allowed before"))
    );
    tokio::time::advance(SILENCE).await;
    assert!(memory.silence(asked, Some(refusal())).is_err());
}

/// Follows a test on a server that gives no answer to what it is asked so early; how it ended, and after how many seconds.
async fn followed(hangs_until: Duration) -> (Result<Ended, NotebookError>, u64) {
    let begun = Instant::now();
    let client = server(move |request| {
        if begun.elapsed() < hangs_until {
            return Answer::Hangs;
        }
        if is_watch(request) {
            return Answer::Streams("");
        }
        let state = json!({"terminated": {"exitCode": 0}});
        Answer::Is(there_is(request.uri().path(), &state))
    });
    let (progress, _receiver) = watch::channel(Progress::default());
    let deadline = Deadline::after(Limit::secs(1200));
    let result = until_ended(&client, &job(), deadline, &progress).await;
    (result, begun.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_is_silent_and_not_waited_for_until_the_limit() {
    let (result, took) = followed(Duration::MAX).await;
    let error = result.unwrap_err();
    assert!(matches!(error, NotebookError::Silent { .. }), "{error}");
    assert!((90..=100).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_is_asked_for_again() {
    let (result, took) = followed(Duration::from_secs(5)).await;
    assert_eq!(result.unwrap().code, 0);
    assert_eq!(took, 15, "a look and a pause");
}

#[tokio::test(start_paused = true)]
async fn events_that_do_not_come_keep_no_test_from_being_followed() {
    let begun = Instant::now();
    let client = server(move |request| {
        let path = request.uri().path();
        if path.ends_with("/events") {
            return Answer::Hangs;
        }
        if is_watch(request) {
            return Answer::Streams("");
        }
        let state = if begun.elapsed() < Duration::from_secs(1) {
            json!({"waiting": {"reason": "ContainerCreating"}})
        } else {
            json!({"terminated": {"exitCode": 7}})
        };
        Answer::Is(there_is(path, &state))
    });
    let (progress, _receiver) = watch::channel(Progress::default());
    let deadline = Deadline::after(Limit::secs(1200));
    let ended = until_ended(&client, &job(), deadline, &progress).await;
    assert_eq!(ended.unwrap().code, 7);
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn the_newest_warning_is_named_when_the_time_is_up() {
    let event = |reason: &str, at: &str, message: &str| json!({"metadata": {"name": reason}, "involvedObject": {}, "reason": reason, "message": message, "lastTimestamp": at});
    let client = server(move |request| {
        let path = request.uri().path();
        if is_watch(request) {
            return Answer::Streams("");
        }
        if path.ends_with("/events") {
            let items = [
                event(
                    "FailedCreatePodSandBox",
                    "2026-01-01T00:09:00Z",
                    "no network",
                ),
                event(
                    "FailedMount",
                    "2026-01-01T00:01:00Z",
                    "secret \"s\" not found",
                ),
            ];
            return Answer::Is(json!({"metadata": {"resourceVersion": "1"}, "items": items}));
        }
        Answer::Is(there_is(
            path,
            &json!({"waiting": {"reason": "ContainerCreating"}}),
        ))
    });
    let (progress, _receiver) = watch::channel(Progress::default());
    let deadline = Deadline::after(Limit::secs(60));
    let error = until_ended(&client, &job(), deadline, &progress)
        .await
        .unwrap_err();
    let error = error.to_string();
    assert!(
        error.ends_with("the last warning: FailedCreatePodSandBox: no network"),
        "{error}"
    );
}
