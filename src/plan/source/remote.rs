//! GitHub's API in the place of a clone: what two commits have in common, the files in which they differ, a file.
//!
//! Files are told by the trees of both commits: no list ends at 300 or 3,000 of them, as those of a comparison and of a pull
//! request do, and a file that moved is there under both names.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::{
    github::api::{Answer, Api},
    limits::Deadline,
    plan::subject::RawPull,
};

/// What helps where GitHub does not tell.
pub const REMEDY: &str = "or give the step `GITHUB_TOKEN: ${{ github.token }}` in its `env:`, and the job `contents: read`";
/// What stays as it is within a part of a path.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A repository on GitHub.
#[derive(Debug)]
pub struct Remote {
    api: Api,
    /// `owner/name`, as GitHub writes it.
    repository: String,
}

/// The entries of a tree by path: mode and object.
type Entries = BTreeMap<String, (String, String)>;

/// A tree as it was listed.
struct Listed {
    entries: Entries,
    /// Whether all of it is there.
    whole: bool,
}

impl Remote {
    /// The repository `owner/name`, by this API.
    pub fn new(api: Api, repository: &str) -> Self {
        Self {
            api,
            repository: repository.to_owned(),
        }
    }

    /// What a route below the repository answers; an error for all but what is there, or is not.
    async fn get(&self, route: &str, deadline: Deadline) -> Result<Option<Value>, String> {
        let route = format!("/repos/{}{route}", self.repository);
        let answer = self.api.patiently(&route, deadline).await;
        let answer: Answer = answer.map_err(|reason| format!("GitHub's API: {reason}"))?;
        match answer.status {
            200 => Ok(Some(answer.body)),
            404 => Ok(None),
            status => Err(format!("GitHub's API: {status}: {}", answer.message())),
        }
    }

    async fn there(&self, route: &str, what: &str, deadline: Deadline) -> Result<Value, String> {
        let found = self.get(route, deadline).await?;
        found.ok_or_else(|| {
            format!(
                "GitHub's API: {} has no {what}, or shows none to this token",
                self.repository
            )
        })
    }

    /// A pull request by its number.
    ///
    /// # Errors
    /// A text.
    pub async fn pull(&self, number: u64, deadline: Deadline) -> Result<RawPull, String> {
        let what = format!("pull request {number}");
        let answer = self
            .there(&format!("/pulls/{number}"), &what, deadline)
            .await?;
        serde_json::from_value(answer).map_err(|error| format!("GitHub's API: {what}: {error}"))
    }

    /// Where two commits parted; the first may be a branch.
    ///
    /// # Errors
    /// A text.
    pub async fn parted(
        &self,
        base: &str,
        head: &str,
        deadline: Deadline,
    ) -> Result<String, String> {
        let base = utf8_percent_encode(base, PLAIN);
        let route = format!("/compare/{base}...{head}?per_page=1");
        let answer = self
            .there(&route, "commit that the two have in common", deadline)
            .await?;
        let found = answer["merge_base_commit"]["sha"].as_str();
        found
            .map(str::to_owned)
            .ok_or_else(|| "GitHub's API: a comparison without a common commit".to_owned())
    }

    /// Whether there is such a commit.
    ///
    /// # Errors
    /// A text.
    pub async fn has(&self, commit: &str, deadline: Deadline) -> Result<bool, String> {
        Ok(self
            .get(&format!("/git/commits/{commit}"), deadline)
            .await?
            .is_some())
    }

    /// The files in which two commits differ.
    ///
    /// # Errors
    /// A text.
    pub async fn between(
        &self,
        before: &str,
        after: &str,
        deadline: Deadline,
    ) -> Result<BTreeSet<String>, String> {
        let mut files = BTreeSet::new();
        let pair = (Some(before.to_owned()), Some(after.to_owned()));
        let mut left = vec![(String::new(), pair)];
        while let Some((below, (before, after))) = left.pop() {
            let (mut old, mut new) = (
                self.tree(before.as_deref(), true, deadline).await?,
                self.tree(after.as_deref(), true, deadline).await?,
            );
            let whole = old.whole && new.whole;
            if !whole {
                // Too large to be listed at once: one level, and then only what differs.
                old = self.tree(before.as_deref(), false, deadline).await?;
                new = self.tree(after.as_deref(), false, deadline).await?;
            }
            let paths: BTreeSet<&String> = old.entries.keys().chain(new.entries.keys()).collect();
            for path in paths {
                let (before, after) = (old.entries.get(path), new.entries.get(path));
                if before == after {
                    continue;
                }
                let is_tree =
                    |one: Option<&(String, String)>| one.is_some_and(|(mode, _)| mode == TREE);
                let subtree = |one: Option<&(String, String)>| {
                    one.filter(|(mode, _)| mode == TREE)
                        .map(|(_, object)| object.clone())
                };
                let is_file = |one: Option<&(String, String)>| one.is_some() && !is_tree(one);
                if is_file(before) || is_file(after) {
                    files.insert(format!("{below}{path}"));
                }
                if !whole && (is_tree(before) || is_tree(after)) {
                    let pair = (subtree(before), subtree(after));
                    left.push((format!("{below}{path}/"), pair));
                }
            }
        }
        Ok(files)
    }

    /// A tree by its own name or its commit's, with all that is below it where `deep`.
    async fn tree(
        &self,
        name: Option<&str>,
        deep: bool,
        deadline: Deadline,
    ) -> Result<Listed, String> {
        let Some(name) = name else {
            return Ok(Listed {
                entries: Entries::new(),
                whole: true,
            });
        };
        let query = if deep { "?recursive=1" } else { "" };
        let route = format!("/git/trees/{name}{query}");
        let answer = self
            .there(&route, &format!("commit or tree {name}"), deadline)
            .await?;
        let list = answer["tree"].as_array();
        let list = list.ok_or_else(|| format!("GitHub's API: {name} is no tree"))?;
        let whole = answer["truncated"].as_bool() == Some(false);
        if !whole && !deep {
            return Err(format!(
                "GitHub's API: the tree {name} is too large to be listed"
            ));
        }
        let text = |entry: &Value, key: &str| entry[key].as_str().map(str::to_owned);
        let entry = |entry: &Value| {
            Some((
                text(entry, "path")?,
                (text(entry, "mode")?, text(entry, "sha")?),
            ))
        };
        let entries: Option<Entries> = list.iter().map(entry).collect();
        let entries =
            entries.ok_or_else(|| format!("GitHub's API: {name} has an entry without a name"))?;
        Ok(Listed { entries, whole })
    }

    /// A file as a commit has it; `None` where there is none of that name.
    ///
    /// # Errors
    /// A text; also where the commit is not there.
    pub async fn file(
        &self,
        commit: &str,
        path: &str,
        deadline: Deadline,
    ) -> Result<Option<Vec<u8>>, String> {
        let parts = path
            .split('/')
            .map(|part| utf8_percent_encode(part, PLAIN).to_string());
        let path = parts.collect::<Vec<_>>().join("/");
        let Some(answer) = self
            .get(&format!("/contents/{path}?ref={commit}"), deadline)
            .await?
        else {
            // No file is an answer; no commit, or no right to see one, is none.
            return if self.has(commit, deadline).await? {
                Ok(None)
            } else {
                Err(format!(
                    "GitHub's API: {} has no commit {commit}, or shows none to this token",
                    self.repository
                ))
            };
        };
        let content = answer["content"]
            .as_str()
            .filter(|_| answer["encoding"] == "base64");
        let content = content.ok_or_else(|| format!("GitHub's API: {path} is no file"))?;
        let packed: String = content.split_whitespace().collect();
        let bytes = STANDARD
            .decode(packed)
            .map_err(|error| format!("GitHub's API: {path}: {error}"))?;
        Ok(Some(bytes))
    }
}

/// The mode of a directory.
const TREE: &str = "040000";
