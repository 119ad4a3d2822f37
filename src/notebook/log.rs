//! The log of a test, live: each line once, also when the connection breaks.

use std::collections::VecDeque;

use futures::{AsyncBufReadExt as _, StreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::LogParams};
use tokio::sync::watch;

use crate::{
    notebook::{follow::Progress, job::TEST},
    wait,
};

/// How many of the last lines are kept for the report.
const KEPT: usize = 5000;
/// The pause before a broken stream is asked for again.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// Shows each line of the test's log as it comes; returns the last lines once the log is complete.
pub async fn show(pods: Api<Pod>, mut progress: watch::Receiver<Progress>) -> Vec<String> {
    let mut seen = Seen::default();
    let mut kept = VecDeque::new();
    let begun = progress.wait_for(|progress| progress.begun).await;
    let Some(pod) = begun.ok().and_then(|progress| progress.pod.clone()) else {
        return Vec::new();
    };
    loop {
        // What is read after the end is all that there will be.
        let last = progress.borrow().ended;
        let parameters = LogParams {
            container: Some(TEST.to_owned()),
            follow: true,
            timestamps: true,
            since_time: seen.last.and_then(|last| last.to_string().parse().ok()),
            ..LogParams::default()
        };
        seen.again();
        match pods.log_stream(&pod, &parameters).await {
            Ok(stream) => {
                let mut lines = stream.lines();
                while let Some(line) = lines.next().await {
                    let Ok(line) = line else { break };
                    if let Some(text) = seen.take(&line) {
                        let text = clean(text);
                        tracing::info!("{}", quoted(&text));
                        if kept.len() == KEPT {
                            kept.pop_front();
                        }
                        kept.push_back(text);
                    }
                }
            }
            Err(error) => tracing::debug!("no log of {pod}: {error}"),
        }
        if last {
            return kept.into();
        }
        tokio::select! {
            ended = progress.wait_for(|progress| progress.ended) => if ended.is_err() { return kept.into() },
            () = wait::pause(AGAIN) => {}
        }
    }
}

/// Which lines were shown, by their timestamps. A stream can only be resumed from a whole second.
#[derive(Debug, Default)]
struct Seen {
    last: Option<Timestamp>,
    /// Lines of that very moment that were shown.
    count: usize,
    /// Of these, how many are still to come again.
    skip: usize,
    resumed: bool,
}

impl Seen {
    /// A new stream begins.
    fn again(&mut self) {
        self.skip = self.count;
        self.resumed = self.last.is_some();
    }

    /// The text of a line that was not shown before.
    fn take<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        let (stamp, text) = line.split_once(' ').unwrap_or((line, ""));
        let Ok(moment) = stamp.parse::<Timestamp>() else {
            // The rest of a line that was too long for one entry.
            return Some(line);
        };
        match self.last {
            // Standard output and error may be out of order, but only what comes again is left out.
            Some(last) if self.resumed && moment < last => return None,
            Some(last) if self.resumed && moment == last && self.skip > 0 => {
                self.skip -= 1;
                return None;
            }
            Some(last) if moment == last => self.count += 1,
            Some(last) if moment < last => {}
            _ => {
                self.last = Some(moment);
                self.count = 1;
                self.resumed = false;
            }
        }
        Some(text)
    }
}

/// A line as a terminal would show it in the end: without colours, and only the last state of a progress bar.
pub(super) fn clean(line: &str) -> String {
    let line = line.trim_end_matches('\r');
    let line = line.rsplit('\r').next().unwrap_or(line);
    let mut text = String::with_capacity(line.len());
    let mut letters = line.chars().peekable();
    while let Some(c) = letters.next() {
        if c == '\u{1b}' && letters.next_if_eq(&'[').is_some() {
            // A control sequence ends with a letter.
            for c in letters.by_ref() {
                if c.is_ascii_alphabetic() {
                    break;
                }
            }
        } else if c == '\t' || !c.is_control() {
            text.push(c);
        }
    }
    text
}

/// A line of the test's in our own log. No runner takes it for a command, which `::` begins after any space, and
/// `##[` anywhere.
pub(super) fn quoted(line: &str) -> String {
    format!("| {}", line.replace("##[", "## ["))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(seen: &mut Seen, lines: &[&str]) -> Vec<String> {
        seen.again();
        lines
            .iter()
            .filter_map(|line| seen.take(line))
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
}
