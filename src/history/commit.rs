//! What a build tested, by `started.json` and `finished.json`.

use serde::Serialize;
use serde_json::Value;

use super::text::clean;

/// Characters of a commit, and of what names one.
const LONGEST: usize = 64;

/// What was tested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tested {
    /// The commit: the head of a pull request, else what was checked out. Empty where nobody noted it.
    pub commit: String,
    /// What makes two builds builds of the same: of a pull request the commit and the one it is to be merged into.
    #[serde(skip)]
    pub(super) same: Option<String>,
}

impl Tested {
    /// By the files of a build. `repos` has `branch:commit`, and `number:commit` behind it for each pull request.
    pub(super) fn of(began: &Value, ended: &Value) -> Self {
        let noted = |file: &Value, key: &str| -> Option<String> {
            let text = clean(file[key].as_str()?, LONGEST);
            (!text.is_empty()).then_some(text)
        };
        let refs = began["repos"]
            .as_object()
            .or(ended["metadata"]["repos"].as_object());
        let refs = refs.and_then(|refs| refs.values().next()?.as_str());
        let parts: Vec<Option<String>> = refs
            .into_iter()
            .flat_map(|refs| refs.split(','))
            .map(|part| {
                // kubeflow/testing noted the commit alone.
                let commit = part.rsplit_once(':').map_or(part, |(_, commit)| commit);
                is_commit(commit).then(|| commit.to_owned())
            })
            .collect();
        let repo_commit = || noted(began, "repo-commit").or_else(|| noted(ended, "revision"));
        let commits: Option<Vec<String>> = parts.iter().cloned().collect();
        let same = match commits {
            Some(commits) if !commits.is_empty() => Some(commits.join("+")),
            _ => repo_commit(),
        };
        let commit = match parts.as_slice() {
            // A pull request's own, or what was pushed.
            [Some(commit)] | [_, Some(commit)] => commit.clone(),
            _ => repo_commit().unwrap_or_default(),
        };
        Self { commit, same }
    }

    /// As people tell commits apart.
    pub fn short(&self) -> &str {
        self.commit.get(..8).unwrap_or(&self.commit)
    }
}

fn is_commit(text: &str) -> bool {
    (7..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tested(refs: &str) -> Tested {
        let began = json!({"repos": {"o/r": refs}, "repo-commit": "feedface"});
        Tested::of(&began, &Value::Null)
    }

    #[test]
    fn commit_of_a_pull_request_is_its_head_and_the_base_counts_too() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let pull = tested(&format!("main:{a},7:{b}"));
        assert_eq!(
            (pull.commit.as_str(), pull.short()),
            (b.as_str(), "bbbbbbbb")
        );
        assert_ne!(pull.same, tested(&format!("main:{b},7:{b}")).same);
        assert_eq!(tested(&format!("main:{a}")).commit, a);
        assert_eq!(tested(&a).same, Some(a.clone()));
        let batch = tested(&format!("main:{a},7:{b},8:{b}"));
        assert_eq!(batch.commit, "feedface");
        assert_eq!(batch.same, Some(format!("{a}+{b}+{b}")));
    }

    #[test]
    fn commit_that_the_refs_do_not_name_is_what_was_checked_out() {
        assert_eq!(tested("main").same.as_deref(), Some("feedface"));
        let ended = json!({"revision": "cafe\u{1b}"});
        let tested = Tested::of(&Value::Null, &ended);
        assert_eq!(tested.commit, "cafe\u{fffd}");
        assert_eq!(Tested::of(&Value::Null, &Value::Null), Tested::default());
    }
}
