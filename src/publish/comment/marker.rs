//! What a comment says of itself, in its first line, which nobody sees.

use serde::{Deserialize, Serialize};

use super::{Message, State};
use crate::{publish::Turn, run::short_hash};

const BEGIN: &str = "<!-- manifests-e2e:publish ";
const END: &str = " -->";

/// Whose result a comment shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    /// Of the name, as a hash: names are anybody's text.
    pub(super) key: String,
    /// The commit.
    pub(super) sha: String,
    run: u64,
    attempt: u32,
    /// Whether it passed.
    pub(super) passed: bool,
}

impl Marker {
    pub(super) fn of(message: &Message, sha: &str) -> Self {
        Self {
            key: short_hash(&message.name),
            sha: sha.to_owned(),
            run: message.turn.run,
            attempt: message.turn.attempt,
            passed: message.verdict.state == State::Success,
        }
    }

    /// As the first line of a comment.
    pub(super) fn line(&self) -> String {
        let json = serde_json::to_string(self).expect("a marker is plain data");
        format!("{BEGIN}{json}{END}")
    }

    /// That of a comment.
    pub(super) fn read(body: &str) -> Option<Self> {
        let line = body.lines().next()?.trim_end();
        let json = line.strip_prefix(BEGIN)?.strip_suffix(END)?;
        serde_json::from_str(json).ok()
    }

    /// What is newer is larger: what is about the head of the pull request before what is not, then the later run.
    pub(super) fn rank(&self, head: &str) -> (bool, Turn) {
        let turn = Turn {
            run: self.run,
            attempt: self.attempt,
        };
        (self.sha == head, turn)
    }

    #[cfg(test)]
    pub(super) fn test(sha: &str, run: u64, attempt: u32, passed: bool) -> Self {
        Self {
            key: "0123abcd".to_owned(),
            sha: sha.to_owned(),
            run,
            attempt,
            passed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_read_as_it_is_written_and_from_the_first_line_alone() {
        let marker = Marker::test("a", 42, 3, false);
        let body = format!("{}\r\n### e2e", marker.line());
        assert_eq!(Marker::read(&body), Some(marker.clone()));
        assert_eq!(Marker::read(&format!("hello\n{}", marker.line())), None);
        assert_eq!(Marker::read("<!-- manifests-e2e:publish {} -->"), None);
    }

    #[test]
    fn the_head_counts_before_the_run_and_the_run_before_the_attempt() {
        let rank = |sha: &str, run, attempt| Marker::test(sha, run, attempt, true).rank("head");
        assert!(rank("head", 41, 1) > rank("old", 42, 9));
        assert!(rank("head", 42, 1) > rank("head", 41, 2));
        assert!(rank("head", 42, 2) > rank("head", 42, 1));
        assert!(rank("old", 42, 1) > rank("older", 41, 1));
    }
}
