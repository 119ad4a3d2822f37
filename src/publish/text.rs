//! What is told in words: a line for a status, Markdown for a check and a comment.
//!
//! Causes hold text of clusters and of anybody's code. It stands in code blocks, where GitHub finds no mention, no link, no
//! HTML and no reference, and it is cut: what is too long for GitHub would be refused whole.

use std::fmt::Write as _;

use super::{Cause, Message, State, Target, Verdict};
use crate::{logs::diagnose::Class, report::one_line};

/// Characters that GitHub takes as the description of a status.
const MAX_DESCRIPTION: usize = 140;
/// Of a cause.
const MAX_CAUSE: usize = 2000;
/// Of one line that explains it.
const MAX_LINE: usize = 400;
/// Lines that explain it.
const MAX_LINES: usize = 8;

/// One line, at most so many characters, and none that controls anything.
pub fn clipped(text: &str, most: usize) -> String {
    // Marks that turn the direction of text make it look like another.
    let is_plain = |c: &char| {
        !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let line: String = one_line(text).chars().filter(is_plain).collect();
    if line.chars().count() <= most {
        return line;
    }
    let kept: String = line.chars().take(most - 1).collect();
    format!("{}…", kept.trim_end())
}

/// The verdict in one line of at most 140 characters.
pub fn description(verdict: &Verdict) -> String {
    let head = match verdict.state {
        State::Pending => "running",
        State::Success => "passed",
        State::Failure => "failed",
        State::Error => "not the change's fault",
        State::Cancelled => "cancelled",
    };
    let text = match (verdict.state, verdict.cause.as_str()) {
        (_, "") => head.to_owned(),
        // The sign of a failure says that it is one.
        (State::Failure | State::Cancelled, cause) => cause.to_owned(),
        (_, cause) => format!("{head}: {cause}"),
    };
    clipped(&text, MAX_DESCRIPTION)
}

/// What a check shows: the cause and what explains it.
pub fn summary(message: &Message) -> String {
    let verdict = &message.verdict;
    let mut text = match verdict.state {
        State::Pending => "It runs.".to_owned(),
        State::Success => "It passed.".to_owned(),
        State::Failure => "The test failed, or the manifests are wrong.".to_owned(),
        State::Error => {
            "The machine, the cluster, a registry or the network failed: this shows nothing about the change. Run it again."
                .to_owned()
        }
        State::Cancelled => "It was cancelled: this shows nothing about the change.".to_owned(),
    };
    text.push_str("\n\n");
    text.push_str(&findings(message));
    text
}

/// The comment on a pull request, below the line that nobody sees.
pub(super) fn comment(message: &Message, target: &Target, marker: &str) -> String {
    let (sign, word) = match message.verdict.state {
        State::Pending => ("⏳", "runs"),
        State::Success => ("✅", "passed"),
        State::Failure => ("❌", "failed"),
        State::Error => ("⚠️", "failed, and this shows nothing about the change"),
        State::Cancelled => ("🚫", "was cancelled"),
    };
    let name = message.name.replace('`', "'");
    let mut text = format!("{marker}\n### {sign} `{name}` {word}\n\n");
    text.push_str(&findings(message));
    let sha = target.sha.get(..10).unwrap_or(&target.sha);
    write!(text, "Commit {sha}").expect("a String takes everything");
    if let Some(url) = &message.url {
        write!(text, ", [the run and its report](<{url}>)").expect("a String takes everything");
    }
    text.push_str(
        ". The next result takes the place of this one; when all is well this comment is hidden.\n",
    );
    text
}

/// The cause, and what explains it, as code.
pub(super) fn findings(message: &Message) -> String {
    let mut text = String::new();
    if !message.verdict.cause.is_empty() {
        text.push_str(&fenced([clipped(&message.verdict.cause, MAX_CAUSE)]));
    }
    if message.verdict.state == State::Success {
        return text;
    }
    let parts = [
        ("Because", &message.diagnosis.because),
        ("Also seen", &message.diagnosis.also),
    ];
    for (title, causes) in parts.into_iter().filter(|(_, causes)| !causes.is_empty()) {
        let mut lines: Vec<String> = causes.iter().take(MAX_LINES).map(line).collect();
        if let Some(more @ 1..) = causes.len().checked_sub(MAX_LINES) {
            lines.push(format!("… and {more} more in the report"));
        }
        write!(text, "{title}:\n\n{}", fenced(lines)).expect("a String takes everything");
    }
    // What to do is our own text.
    let first = message
        .diagnosis
        .because
        .iter()
        .find_map(|cause| cause.class);
    if let Some(class) = first {
        write!(text, "**What to do:** {}\n\n", class.remedy()).expect("a String takes everything");
    }
    text
}

fn line(cause: &Cause) -> String {
    let title = cause.class.map(Class::title);
    let title = title.map_or_else(String::new, |title| format!("{title}: "));
    clipped(&format!("{title}{}", cause.line), MAX_LINE)
}

/// Lines as a block of code that none of them can end.
fn fenced(lines: impl IntoIterator<Item = String>) -> String {
    let lines: Vec<String> = lines.into_iter().collect();
    let longest = lines
        .iter()
        .map(|line| longest_run(line))
        .max()
        .unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    format!("{fence}text\n{}\n{fence}\n\n", lines.join("\n"))
}

/// How many backticks stand one after another at most.
fn longest_run(line: &str) -> usize {
    let runs = line.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::publish::{Diagnosis, Turn};

    fn message(state: State, cause: &str, because: &[&str]) -> Message {
        let because = because.iter().map(|line| Cause {
            class: Some(Class::NodePressure),
            affects: Vec::new(),
            line: (*line).to_owned(),
        });
        Message {
            name: "e2e".to_owned(),
            verdict: Verdict::new(state, cause),
            diagnosis: Diagnosis {
                because: because.collect(),
                also: Vec::new(),
            },
            url: None,
            turn: Turn::default(),
            sources: None,
        }
    }

    #[test]
    fn a_description_says_why_and_fits() {
        let said = |state, cause: &str| description(&Verdict::new(state, cause));
        assert_eq!(said(State::Success, ""), "passed");
        assert_eq!(
            said(State::Failure, "deploy-manifests: no"),
            "deploy-manifests: no"
        );
        assert_eq!(
            said(State::Error, "install-kind: no\n disk"),
            "not the change's fault: install-kind: no disk"
        );
        let long = said(State::Failure, &"ä".repeat(200));
        assert_eq!((long.chars().count(), long.ends_with('…')), (140, true));
        assert_eq!(said(State::Failure, "a\u{1b}[31m\u{202e}b"), "a[31mb");
    }

    #[test]
    fn a_summary_explains_and_says_what_to_do() {
        let text = summary(&message(
            State::Error,
            "deploy-manifests: evicted",
            &["Node a: disk"],
        ));
        assert!(text.contains("shows nothing about the change"), "{text}");
        assert!(
            text.contains("Because:\n\n```text\nnode under pressure: Node a: disk\n```\n"),
            "{text}"
        );
        assert!(text.contains(Class::NodePressure.remedy()), "{text}");
        let many: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let text = summary(&message(State::Failure, "x", &many));
        assert!(text.contains("… and 12 more in the report"), "{text}");
    }

    proptest! {
        #[test]
        fn text_of_anybody_never_leaves_its_block(cause in "[`@#a\n ~]{0,80}", line in "(?s).{0,80}") {
            let text = findings(&message(State::Failure, &cause, &[&line]));
            // Outside the blocks stands nothing but ours.
            let mut fence: Option<&str> = None;
            for line in text.lines() {
                match fence {
                    Some(open) if line == open => fence = None,
                    Some(_) => {}
                    None if line.ends_with("text") && line.starts_with("```") => {
                        fence = Some(line.trim_end_matches("text"));
                    }
                    None => prop_assert!(
                        line.is_empty() || line == "Because:" || line.starts_with("**What to do:** "),
                        "{line}"
                    ),
                }
            }
            prop_assert_eq!(fence, None);
        }

        #[test]
        fn a_description_is_one_line_of_140(cause in "(?s).{0,400}") {
            let said = description(&Verdict::new(State::Failure, cause));
            prop_assert!(said.chars().count() <= 140 && !said.contains(['\n', '\r']));
        }
    }
}
