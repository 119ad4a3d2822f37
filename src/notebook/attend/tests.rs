use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::{
    limits::Limit,
    notebook::{
        fake::{Answer, is_watch, job, server, there_is},
        junit::Outcome,
    },
    report::{Exit, Explain as _},
};

#[tokio::test(start_paused = true)]
async fn at_the_limit_a_server_that_hangs_costs_seconds_and_nothing_that_was_told() {
    let deletions = Arc::new(Mutex::new(0));
    let asked = deletions.clone();
    let client = server(move |request| {
        let path = request.uri().path();
        if request.method() == Method::DELETE {
            *asked.lock().unwrap() += 1;
            Answer::Hangs
        } else if path.ends_with("/exec") {
            Answer::Hangs
        } else if path.ends_with("/log") {
            Answer::Streams("2026-01-01T00:00:01.1Z a\n2026-01-01T00:00:01.2Z b\n")
        } else if is_watch(request) {
            Answer::Streams("")
        } else {
            Answer::Is(there_is(path, &json!({"running": {}})))
        }
    });
    for (limit, kind) in [(60, Kind::Sh), (60, Kind::Notebook), (4, Kind::Notebook)] {
        let begun = Instant::now();
        let deadline = Deadline::after(Limit::secs(limit));
        let job = job();
        let attended = to_its_end(&client, &job, "suite", kind, deadline).await;
        let (verdict, ending) = attended.unwrap();
        assert!(!deadline.passed(), "{limit}");
        assert_eq!(*deletions.lock().unwrap(), 0, "nothing is kept yet");
        assert_eq!(verdict.error.unwrap().exit(), Exit::TimeLimit);
        if kind == Kind::Sh {
            let case = &verdict.cases[0];
            assert_eq!(case.output, "a\nb");
            assert!(matches!(&case.outcome, Outcome::Failed { kind, .. } if kind == "NotDone"));
        }
        ending.carry_out(&client, &job, deadline).await;
        assert_eq!(std::mem::take(&mut *deletions.lock().unwrap()), 1);
        // Two seconds later the stage would be dropped with all that it has to say.
        let over = begun.elapsed().saturating_sub(Duration::from_secs(limit));
        assert!(over <= BEYOND, "{over:?} beyond {limit}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_whose_end_does_not_come_is_shown_as_far_as_it_came() {
    let client = server(|request| {
        let path = request.uri().path();
        if path.ends_with("/log") {
            // All streams hang, the one after the end as well.
            return Answer::Streams("2026-01-01T00:00:01.1Z the reason\n");
        }
        if is_watch(request) {
            return Answer::Streams("");
        }
        Answer::Is(there_is(path, &json!({"terminated": {"exitCode": 7}})))
    });
    let deadline = Deadline::after(Limit::secs(600));
    let attended = to_its_end(&client, &job(), "suite", Kind::Sh, deadline).await;
    let (verdict, Ending::Release { .. }) = attended.unwrap() else {
        panic!("it came to its end")
    };
    assert_eq!(verdict.cases[0].output, "the reason");
    let error = verdict.error.unwrap();
    assert_eq!(error.exit(), Exit::TestFailed);
    assert_eq!(error.details(), ["| the reason"]);
}

#[tokio::test(start_paused = true)]
async fn of_a_log_that_comes_too_slowly_the_end_is_shown() {
    let client = server(|request| {
        let path = request.uri().path();
        let query = request.uri().query().unwrap_or_default();
        if path.ends_with("/log") && query.contains("tailLines=") {
            return Answer::Is(json!("LAST"));
        }
        if path.ends_with("/log") {
            return Answer::Drips("2026-01-01T00:00:01.1Z a\n");
        }
        if is_watch(request) {
            return Answer::Streams("");
        }
        Answer::Is(there_is(path, &json!({"terminated": {"exitCode": 7}})))
    });
    let begun = Instant::now();
    let deadline = Deadline::after(Limit::secs(600));
    let attended = to_its_end(&client, &job(), "suite", Kind::Sh, deadline).await;
    let (verdict, _) = attended.unwrap();
    let details = verdict.error.unwrap().details();
    assert_eq!(details.last().unwrap(), "| \"LAST\"");
    assert!(
        details.iter().any(|line| line.contains("left out here")),
        "{details:?}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(40),
        "{:?}",
        begun.elapsed()
    );
}
