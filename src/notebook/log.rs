//! The log of a test, live: each line once, also when the connection breaks.

mod lines;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::AsyncBufRead;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::LogParams};
use tokio::sync::watch;

use self::lines::{Lines, Piece};
use crate::{
    notebook::{follow::Progress, job::TEST},
    wait,
};

/// How many of the last lines are kept for the report.
const KEPT: usize = 5000;
/// How many bytes they may have.
const KEPT_BYTES: usize = 4 << 20;
/// How many bytes of a log are shown as they come: a runner keeps all of its own log, and a browser shows it.
const SHOWN_BYTES: usize = 32 << 20;
/// How many lines of its end are shown of a log beyond.
const END: usize = 200;
/// The pause before a broken stream is asked for again.
const AGAIN: Duration = Duration::from_secs(1);
/// A stream that tells nothing for so long after the test's end is taken for a dead one, and the log is read anew.
const QUIET: Duration = Duration::from_secs(2);

/// The last lines of a log, to be read while it is still followed.
#[derive(Clone, Debug, Default)]
pub struct Kept(Arc<Mutex<Last>>);

#[derive(Debug, Default)]
struct Last {
    lines: VecDeque<String>,
    bytes: usize,
    /// How many lines there were before.
    gone: usize,
    /// How many bytes came altogether.
    all: usize,
    /// How many lines came and were not shown.
    unseen: usize,
}

impl Kept {
    /// What there is so far, and first of all what is not.
    pub fn lines(&self) -> Vec<String> {
        let last = self.last();
        let note = (last.gone > 0)
            .then(|| note(&format!("{} earlier lines are left out here", last.gone)));
        note.into_iter().chain(last.lines.iter().cloned()).collect()
    }

    /// How many bytes came so far.
    pub fn all(&self) -> usize {
        self.last().all
    }

    /// Shows a line, where not too much was shown already, and keeps it.
    fn tell(&self, line: String) {
        let mut last = self.last();
        last.all += line.len() + 1;
        if last.all <= SHOWN_BYTES {
            tracing::info!("{}", quoted(&line));
        } else {
            last.unseen += 1;
        }
        last.bytes += line.len();
        last.lines.push_back(line);
        while last.lines.len() > KEPT || last.bytes > KEPT_BYTES {
            let gone = last.lines.pop_front().map_or(0, |line| line.len());
            last.bytes -= gone;
            last.gone += 1;
        }
    }

    /// Shows the end of what came and was not shown.
    fn tell_end(&self) {
        let mut last = self.last();
        let unseen = std::mem::take(&mut last.unseen);
        if unseen > END {
            let words = format!("{} lines are not shown here", unseen - END);
            tracing::info!("{}", quoted(&note(&words)));
        }
        let end = last.lines.len().saturating_sub(unseen.min(END));
        for line in last.lines.range(end..) {
            tracing::info!("{}", quoted(line));
        }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line of ours in a test's log.
fn note(words: &str) -> String {
    format!("[manifests-e2e: {words}]")
}

/// Shows each line of the test's log as it comes and keeps the last of them; returns once the log is complete.
pub async fn show(pods: Api<Pod>, progress: watch::Receiver<Progress>, kept: Kept) {
    follow(&pods, progress, &kept).await;
    kept.tell_end();
}

/// Shows each line of a stream as it comes and keeps the last of them, to its end.
pub async fn show_all(stream: impl AsyncBufRead + Unpin, kept: &Kept) {
    let mut lines = Lines::of(stream);
    loop {
        match lines.next().await {
            Ok(Some(piece)) => kept.tell(clean(&piece.text)),
            Ok(None) => break,
            Err(error) => {
                tracing::debug!("the log broke off: {error}");
                break;
            }
        }
    }
    kept.tell_end();
}

/// Shows the end of a log that is too long to be followed to its end.
pub async fn show_end(pods: &Api<Pod>, pod: &str, kept: &Kept) {
    kept.tell_end();
    let parameters = LogParams {
        container: Some(TEST.to_owned()),
        tail_lines: Some(i64::try_from(END).unwrap_or(i64::MAX)),
        ..LogParams::default()
    };
    match pods.log_stream(pod, &parameters).await {
        Ok(stream) => {
            kept.tell(note("lines are left out here: they came too slowly"));
            let mut lines = Lines::of(stream);
            while let Ok(Some(piece)) = lines.next().await {
                kept.tell(clean(&piece.text));
            }
            kept.tell_end();
        }
        Err(error) => tracing::debug!("no end of the log of {pod}: {error}"),
    }
}

async fn follow(pods: &Api<Pod>, mut progress: watch::Receiver<Progress>, kept: &Kept) {
    let mut seen = Seen::default();
    let begun = progress.wait_for(|progress| progress.begun).await;
    let Some(pod) = begun.ok().and_then(|progress| progress.pod.clone()) else {
        return;
    };
    loop {
        // What is read after the end is all that there will be.
        let is_last = progress.borrow().ended;
        let parameters = LogParams {
            container: Some(TEST.to_owned()),
            follow: true,
            timestamps: true,
            since_time: seen.last.and_then(|last| last.to_string().parse().ok()),
            ..LogParams::default()
        };
        seen.again();
        let stream = tokio::select! {
            stream = pods.log_stream(&pod, &parameters) => stream,
            () = quiet(&mut progress), if !is_last => continue,
        };
        match stream {
            Ok(stream) => {
                let mut lines = Lines::of(stream);
                loop {
                    let piece = tokio::select! {
                        biased;
                        piece = lines.next() => piece,
                        () = quiet(&mut progress), if !is_last => break,
                    };
                    match piece {
                        // The rest of it may be lost with the connection; the next stream has it whole.
                        Ok(Some(piece)) if piece.is_cut_off && !is_last => {}
                        Ok(Some(piece)) => tell(&piece, &mut seen, kept),
                        Ok(None) => break,
                        Err(error) => {
                            tracing::debug!("the log of {pod} broke off: {error}");
                            break;
                        }
                    }
                }
            }
            Err(error) => tracing::debug!("no log of {pod}: {error}"),
        }
        if is_last {
            return;
        }
        tokio::select! {
            ended = progress.wait_for(|progress| progress.ended) => if ended.is_err() { return },
            () = wait::pause(AGAIN) => {}
        }
    }
}

/// Returns some time after the test has ended.
async fn quiet(progress: &mut watch::Receiver<Progress>) {
    let ended = progress.wait_for(|progress| progress.ended).await.is_ok();
    if !ended {
        // Nobody will tell any more.
        std::future::pending::<()>().await;
    }
    wait::pause(QUIET).await;
}

fn tell(piece: &Piece, seen: &mut Seen, kept: &Kept) {
    if let Some(text) = seen.take(&piece.text, piece.begins) {
        let text = clean(text);
        if std::mem::take(&mut seen.has_gap) {
            kept.tell(note(
                "lines may be missing here: the node has put them into another file",
            ));
        }
        kept.tell(text);
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
    /// Whether the line before was left out, and so the rest of it.
    left_out: bool,
    /// Whether what was shown last did not come again, and so what came between may be gone: the server reads the newest
    /// file of a log only, and the kubelet begins a new one after some megabytes.
    has_gap: bool,
}

impl Seen {
    /// A new stream begins.
    fn again(&mut self) {
        self.skip = self.count;
        self.resumed = self.last.is_some();
    }

    /// The text of a line, or of the next piece of it, that was not shown before.
    fn take<'a>(&mut self, line: &'a str, begins: bool) -> Option<&'a str> {
        let (stamp, text) = line.split_once(' ').unwrap_or((line, ""));
        let stamp = stamp.parse::<Timestamp>().ok().filter(|_| begins);
        let Some(moment) = stamp else {
            // The rest of a line that was too long for one entry.
            return (!self.left_out).then_some(line);
        };
        self.left_out = self.was_shown(moment);
        (!self.left_out).then_some(text)
    }

    /// Whether a line of that moment was shown, by an earlier stream.
    fn was_shown(&mut self, moment: Timestamp) -> bool {
        match self.last {
            // Standard output and error may be out of order, but only what comes again is left out.
            Some(last) if self.resumed && moment < last => return true,
            Some(last) if self.resumed && moment == last && self.skip > 0 => {
                self.skip -= 1;
                return true;
            }
            Some(last) if moment == last => self.count += 1,
            Some(last) if moment < last => {}
            _ => {
                self.has_gap = self.resumed && self.skip > 0;
                self.last = Some(moment);
                self.count = 1;
                self.resumed = false;
            }
        }
        false
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
        } else if matches!(c, '\u{fffe}' | '\u{ffff}') {
            // No character of XML, and so of JUnit.
            text.push(char::REPLACEMENT_CHARACTER);
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
mod tests;
