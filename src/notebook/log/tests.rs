use axum::body::Body as Answered;
use futures::{StreamExt as _, stream};
use http::{Request, Response};
use kube::{Client, client::Body};
use tokio_util::task::AbortOnDropHandle;

use super::*;

fn taken(seen: &mut Seen, lines: &[&str]) -> Vec<String> {
    seen.again();
    lines
        .iter()
        .filter_map(|line| seen.take(line, true))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_stream_that_breaks_loses_and_repeats_nothing() {
    let mut seen = Seen::default();
    let log = [
        "2026-01-01T00:00:01.100000000Z a",
        "2026-01-01T00:00:01.200000000Z b",
        "2026-01-01T00:00:01.200000000Z b",
        "2026-01-01T00:00:01.200000000Z c",
        "2026-01-01T00:00:01.300000000Z d",
        "2026-01-01T00:00:01.250000000Z late",
    ];
    assert_eq!(taken(&mut seen, &log[..3]), ["a", "b", "b"]);
    assert_eq!(taken(&mut seen, &log[..4]), ["c"]);
    assert_eq!(taken(&mut seen, &log), ["d", "late"]);
    assert_eq!(taken(&mut seen, &log), Vec::<String>::new());
}

#[test]
fn a_stream_that_goes_on_in_another_file_says_so() {
    let mut seen = Seen::default();
    taken(
        &mut seen,
        &[
            "2026-01-01T00:00:01.100000000Z a",
            "2026-01-01T00:00:01.200000000Z b",
        ],
    );
    taken(
        &mut seen,
        &["2026-01-01T00:00:01.200000000Z b", "2026-01-01T00:00:02Z c"],
    );
    assert!(!seen.has_gap);
    assert_eq!(taken(&mut seen, &["2026-01-01T00:00:09Z z"]), ["z"]);
    assert!(seen.has_gap);
}

#[test]
fn the_rest_of_a_long_line_goes_where_its_begin_went() {
    let mut seen = Seen::default();
    let mut read = |again: bool| {
        if again {
            seen.again();
        }
        let begin = seen.take("2026-01-01T00:00:01.1Z a", true).is_some();
        (
            begin,
            seen.take("2026-01-01T00:00:09.1Z b", false).is_some(),
        )
    };
    assert_eq!(read(false), (true, true));
    assert_eq!(read(true), (false, false));
}

#[test]
fn an_empty_line_is_a_line() {
    let mut seen = Seen::default();
    assert_eq!(taken(&mut seen, &["2026-01-01T00:00:01.1Z "]), [""]);
}

#[test]
fn a_test_cannot_speak_to_the_runner() {
    assert_eq!(quoted("::x ##[add-mask]y"), "| ::x ## [add-mask]y");
    assert_eq!(clean("\u{1b}[31mred\u{1b}[39;00m 10%\r100%\u{7}\r"), "100%");
    assert_eq!(clean("\u{1b}[38;5;28;01mTrue\u{1b}[0m"), "True");
}

#[test]
fn what_is_kept_is_the_last_has_a_bound_and_says_what_it_lacks() {
    let kept = Kept::default();
    for number in 0..KEPT + 10 {
        kept.tell(number.to_string());
    }
    let lines = kept.lines();
    assert_eq!(lines.len(), KEPT + 1);
    assert_eq!(
        lines[..2],
        ["[manifests-e2e: 10 earlier lines are left out here]", "10"]
    );
    for _ in 0..6 {
        kept.tell("x".repeat(KEPT_BYTES / 4));
    }
    assert_eq!(kept.lines().len(), 5);
}

#[test]
fn beyond_a_bound_lines_are_counted_and_no_longer_shown() {
    let kept = Kept::default();
    for _ in 0..10 {
        kept.tell("x".repeat(SHOWN_BYTES / 8));
    }
    assert_eq!(kept.last().unseen, 3);
    kept.tell_end();
    assert_eq!(kept.last().unseen, 0);
}

/// Follows what a server streams, each answer being the next of these; an answer that is not the last goes on for ever.
fn followed(answers: Vec<&'static [u8]>) -> (watch::Sender<Progress>, Kept, AbortOnDropHandle<()>) {
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    let service = tower::service_fn(move |_: Request<Body>| {
        let mut answers = answers.lock().unwrap();
        let bytes = answers.pop_front().unwrap();
        let chunk = stream::iter([Ok::<_, std::io::Error>(bytes)]);
        let body = if answers.is_empty() {
            Answered::from_stream(chunk)
        } else {
            Answered::from_stream(chunk.chain(stream::pending()))
        };
        async move { Ok::<_, tower::BoxError>(Response::new(body)) }
    });
    let pods = Api::namespaced(Client::new(service, "n"), "n");
    let (sender, receiver) = watch::channel(Progress {
        pod: Some("p".to_owned()),
        begun: true,
        ended: false,
    });
    let kept = Kept::default();
    let following = tokio::spawn(show(pods, receiver, kept.clone()));
    (sender, kept, AbortOnDropHandle::new(following))
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_text_end_neither_the_log_nor_what_is_kept_of_it() {
    let log = b"2026-01-01T00:00:01.1Z a\n2026-01-01T00:00:01.2Z \xe9\n2026-01-01T00:00:01.3Z b";
    let (progress, kept, following) = followed(vec![log]);
    progress.send_modify(|progress| progress.ended = true);
    let whole = tokio::time::timeout(QUIET * 2, following).await;
    whole.expect("the log comes to its end").unwrap();
    assert_eq!(kept.lines(), ["a", "\u{fffd}", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_hangs_costs_neither_what_it_told_nor_what_it_did_not() {
    let first = b"2026-01-01T00:00:01.1Z a\n2026-01-01T00:00:01.2Z half";
    let all = b"2026-01-01T00:00:01.1Z a\n2026-01-01T00:00:01.2Z half a line\n";
    let (progress, kept, following) = followed(vec![first, all]);
    wait::pause(Duration::from_mins(1)).await;
    // Whoever gives up here has what was shown.
    assert_eq!(kept.lines(), ["a"]);
    progress.send_modify(|progress| progress.ended = true);
    let whole = tokio::time::timeout(QUIET * 2, following).await;
    whole.expect("the log comes to its end").unwrap();
    assert_eq!(kept.lines(), ["a", "half a line"]);
}
