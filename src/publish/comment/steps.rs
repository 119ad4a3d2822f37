//! What has to change so that there is one comment with the newest result.

use super::{marker::Marker, thread::Seen};

/// What this run would write.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) marker: Marker,
    pub(super) body: String,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Add a comment with this text.
    Add(String),
    /// Put this text into a comment.
    Edit(String, String),
    /// Hide a comment as resolved.
    Hide(String),
    /// Show it again.
    Show(String),
    /// Delete it.
    Delete(String),
}

/// What has to change. `has_written`: a result of the same run that is there by now may be that of another step, and stays.
pub(super) fn next(seen: &Seen, own: &Draft, has_written: bool) -> Vec<Change> {
    let head = seen.head.as_str();
    let Some((kept, others)) = seen.comments.split_first() else {
        // Nobody has to be told that nothing is wrong.
        return if own.marker.passed {
            Vec::new()
        } else {
            vec![Change::Add(own.body.clone())]
        };
    };
    let newest = seen
        .comments
        .iter()
        .max_by_key(|one| one.marker.rank(head))
        .expect("one was taken from them");
    let (theirs, ours) = (newest.marker.rank(head), own.marker.rank(head));
    let (marker, body) = if theirs > ours || (theirs == ours && has_written) {
        (&newest.marker, &newest.body)
    } else {
        (&own.marker, &own.body)
    };
    let mut changes = Vec::new();
    if !same(&kept.body, body) {
        changes.push(Change::Edit(kept.id.clone(), body.clone()));
    }
    if kept.is_hidden != marker.passed {
        let id = kept.id.clone();
        changes.push(if marker.passed {
            Change::Hide(id)
        } else {
            Change::Show(id)
        });
    }
    // The last, when nothing of them is needed any more.
    changes.extend(others.iter().map(|one| Change::Delete(one.id.clone())));
    changes
}

/// GitHub keeps neither the ends of lines nor what is blank at the end.
fn same(one: &str, other: &str) -> bool {
    let lines = |text: &'_ str| -> Vec<String> {
        text.trim_end()
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect()
    };
    lines(one) == lines(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::comment::thread::Comment;

    fn comment(id: &str, run: u64, passed: bool, is_hidden: bool) -> Comment {
        let marker = Marker::test("head", run, 1, passed);
        Comment {
            id: id.to_owned(),
            url: String::new(),
            body: format!("{}\nof {run}", marker.line()),
            marker,
            is_hidden,
        }
    }

    fn draft(run: u64, passed: bool) -> Draft {
        let Comment { marker, body, .. } = comment("", run, passed, false);
        Draft { marker, body }
    }

    fn seen(comments: Vec<Comment>) -> Seen {
        Seen {
            pull: "p".to_owned(),
            head: "head".to_owned(),
            comments,
        }
    }

    #[test]
    fn a_comment_is_made_when_something_is_wrong_and_only_then() {
        let bad = draft(42, false);
        assert_eq!(
            next(&seen(vec![]), &bad, false),
            [Change::Add(bad.body.clone())]
        );
        assert_eq!(next(&seen(vec![]), &draft(42, true), false), []);
    }

    #[test]
    fn the_first_stays_with_the_newest_result_and_the_others_go() {
        let there = vec![
            comment("a", 41, false, false),
            comment("b", 43, true, false),
        ];
        let newest = there[1].body.clone();
        let changes = next(&seen(there), &draft(42, false), true);
        let expected = [
            Change::Edit("a".to_owned(), newest),
            Change::Hide("a".to_owned()),
            Change::Delete("b".to_owned()),
        ];
        assert_eq!(changes, expected);
    }

    #[test]
    fn nothing_changes_where_all_is_said() {
        let own = draft(42, true);
        assert_eq!(
            next(&seen(vec![comment("a", 42, true, true)]), &own, false),
            []
        );
        assert_eq!(
            next(&seen(vec![comment("a", 43, false, false)]), &own, false),
            []
        );
        let red = next(
            &seen(vec![comment("a", 41, true, true)]),
            &draft(42, false),
            false,
        );
        assert!(
            matches!(&red[..], [Change::Edit(..), Change::Show(_)]),
            "{red:?}"
        );
    }

    #[test]
    fn a_later_step_of_the_same_run_is_written_once() {
        let there = || {
            let mut one = comment("a", 42, false, false);
            one.body.push_str(", by an earlier step");
            seen(vec![one])
        };
        assert_eq!(next(&there(), &draft(42, false), false).len(), 1);
        assert_eq!(next(&there(), &draft(42, false), true), []);
    }
}
