//! Every request for an instance and its answer: kept in the record, reported in the failure and in the job summary.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use super::request::Candidate;
use crate::{
    record::{Attempt, RecordError, Store},
    report::escape_markdown,
};

/// Records an answer.
pub(crate) fn note(
    store: &mut Store,
    candidate: &Candidate,
    round: u32,
    answer: String,
    took: Duration,
) -> Result<(), RecordError> {
    let attempt = Attempt {
        instance_type: candidate.instance_type.clone(),
        zone: candidate.subnet.zone.clone(),
        market: candidate.market.name().to_owned(),
        round,
        answer,
        seconds: (took.as_secs_f64() * 10.0).round() / 10.0,
    };
    store.update_launch(|launch| launch.attempts.push(attempt))
}

/// Replaces the answer of the last request by what happened to its instance.
pub(crate) fn correct(store: &mut Store, answer: String) -> Result<(), RecordError> {
    store.update_launch(|launch| {
        if let Some(last) = launch.attempts.last_mut() {
            last.answer = answer;
        }
    })
}

/// One line for each candidate and answer, with how often it was given.
pub(crate) fn tally(store: &Store) -> Vec<String> {
    let mut launch = Vec::new();
    let mut times = BTreeMap::<String, u32>::new();
    for one in store.record().attempts() {
        let line = format!(
            "{} ({}) in {}: {}",
            one.instance_type, one.market, one.zone, one.answer
        );
        let count = times.entry(line.clone()).or_default();
        *count += 1;
        if *count == 1 {
            launch.push(line);
        }
    }
    let line = |line: String| match times[&line] {
        1 => line,
        count => format!("{line} ({count} times)"),
    };
    launch.into_iter().map(line).collect()
}

/// All of them as a table in Markdown, for the job summary; empty where there are none.
pub(crate) fn table(attempts: &[Attempt]) -> String {
    if attempts.is_empty() {
        return String::new();
    }
    let mut text =
        "| type | zone | market | round | answer | seconds |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for one in attempts {
        let answer = escape_markdown(&one.answer);
        let row = format_args!(
            "| {} | {} | {} | {} | {answer} | {:.1} |",
            one.instance_type, one.zone, one.market, one.round, one.seconds
        );
        writeln!(text, "{row}").expect("a string takes any text");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_was_asked_and_answered() {
        let attempt = Attempt {
            instance_type: "m7i.2xlarge".to_owned(),
            zone: "us-east-1a".to_owned(),
            market: "spot".to_owned(),
            round: 2,
            answer: "a|b".to_owned(),
            seconds: 1.0,
        };
        let table = table(&[attempt]);
        assert!(
            table.contains("| m7i.2xlarge | us-east-1a | spot | 2 | a\\|b | 1.0 |"),
            "{table}"
        );
        assert_eq!(super::table(&[]), "");
    }
}
