//! What is kept of a log.

use super::*;

#[test]
fn the_end_is_kept_and_before_it_each_kind_of_trouble_once() {
    let mut text = vec!["2026-01-02T03:04:05.6Z starting".to_owned()];
    text.extend((0..5).map(|at| format!("2026-01-02T03:04:06Z error: no answer {at}")));
    text.extend((0..100).map(|at| format!("fine {at}")));
    let log = Log::of("f", text.iter().map(String::as_str));
    assert_eq!((log.total, log.end, log.lines.len()), (106, 40, 41));
    let trouble = &log.lines[0];
    assert_eq!(trouble.text, "error: no answer 0");
    assert_eq!((trouble.number, trouble.times, trouble.last), (2, 5, 6));
    assert!(!log.is_late(trouble));
    assert_eq!(log.tail()[39].text, "fine 99");
    assert_eq!(log.tail()[39].number, 106);
}

#[test]
fn a_secret_of_several_lines_may_become_one() {
    let log = Log::of("f", "a\nsecret 1\nsecret 2\nb".lines());
    let same = log.clone().reworded(|text| text.replace("secret", "***"));
    assert_eq!(same.lines[1].number, 2);
    let fewer = log.reworded(|text| text.replace("secret 1\nsecret 2", "***"));
    let texts: Vec<&str> = fewer.lines.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(texts, ["a", "***", "b"]);
    assert_eq!((fewer.lines[1].number, fewer.end), (0, 3));
}
