//! The comments of a pull request that are ours, by GraphQL: REST knows nothing of hidden ones.

use serde_json::{Value, json};

use super::{marker::Marker, steps::Change};
use crate::{
    github::api::{Api, SendError},
    limits::Deadline,
};

/// Pages of a hundred comments.
const MAX_PAGES: usize = 40;

const LOOK: &str = "query($owner: String!, $name: String!, $number: Int!, $after: String) {
  viewer { login }
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      id
      headRefOid
      comments(first: 100, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes { id url body isMinimized author { __typename login } }
      }
    }
  }
}";

/// A pull request.
pub(super) struct Thread<'a> {
    pub(super) api: &'a Api,
    pub(super) repository: &'a str,
    pub(super) number: u64,
    pub(super) deadline: Deadline,
}

/// What was seen of it.
#[derive(Debug)]
pub(super) struct Seen {
    /// Its id.
    pub(super) pull: String,
    /// The commit that it ends at.
    pub(super) head: String,
    /// Ours, in GitHub's order.
    pub(super) comments: Vec<Comment>,
}

/// A comment of ours.
#[derive(Debug)]
pub(super) struct Comment {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) body: String,
    pub(super) marker: Marker,
    pub(super) is_hidden: bool,
}

impl Seen {
    pub(super) fn has(&self, id: &str) -> bool {
        self.comments.iter().any(|one| one.id == id)
    }
}

impl Thread<'_> {
    /// Looks for the comments with this key.
    pub(super) async fn look(&self, key: &str) -> Result<Seen, SendError> {
        let (owner, name) = self.repository.split_once('/').unwrap_or_default();
        let mut seen: Option<Seen> = None;
        let mut after = Value::Null;
        for _ in 0..MAX_PAGES {
            let variables =
                json!({"owner": owner, "name": name, "number": self.number, "after": after});
            let page = self.api.graphql(LOOK, variables, self.deadline).await?;
            let viewer = text(&page["viewer"]["login"]);
            let pull = &page["repository"]["pullRequest"];
            let seen = seen.get_or_insert_with(|| Seen {
                pull: text(&pull["id"]),
                head: text(&pull["headRefOid"]),
                comments: Vec::new(),
            });
            let nodes = pull["comments"]["nodes"].as_array().into_iter().flatten();
            // A stranger may copy our marker.
            let ours = nodes.filter(|node| is_by(&viewer, &node["author"]));
            let comments = ours.filter_map(comment);
            seen.comments
                .extend(comments.filter(|one| one.marker.key == key));
            let info = &pull["comments"]["pageInfo"];
            if info["hasNextPage"] != true {
                break;
            }
            after = info["endCursor"].clone();
        }
        let gone = || SendError::Gone(format!("there is no pull request {}", self.number));
        seen.filter(|seen| !seen.pull.is_empty()).ok_or_else(gone)
    }

    /// Makes one change; the id of what was added.
    pub(super) async fn carry_out(
        &self,
        change: &Change,
        seen: &Seen,
    ) -> Result<Option<String>, SendError> {
        let (name, kind, input, answer) = match change {
            Change::Add(body) => (
                "addComment",
                "AddCommentInput",
                json!({"subjectId": seen.pull, "body": body}),
                "commentEdge { node { id } }",
            ),
            Change::Edit(id, body) => (
                "updateIssueComment",
                "UpdateIssueCommentInput",
                json!({"id": id, "body": body}),
                "issueComment { id }",
            ),
            Change::Hide(id) => (
                "minimizeComment",
                "MinimizeCommentInput",
                json!({"subjectId": id, "classifier": "RESOLVED"}),
                "minimizedComment { isMinimized }",
            ),
            Change::Show(id) => (
                "unminimizeComment",
                "UnminimizeCommentInput",
                json!({"subjectId": id}),
                "unminimizedComment { isMinimized }",
            ),
            Change::Delete(id) => (
                "deleteIssueComment",
                "DeleteIssueCommentInput",
                json!({"id": id}),
                "clientMutationId",
            ),
        };
        let query = format!("mutation($input: {kind}!) {{ {name}(input: $input) {{ {answer} }} }}");
        let variables = json!({"input": input});
        let made = self.api.graphql(&query, variables, self.deadline).await?;
        let added = &made[name]["commentEdge"]["node"]["id"];
        Ok(added.as_str().map(str::to_owned))
    }
}

/// Whether somebody is who asks. An app is `name[bot]` as who asks, and `name` as an author.
fn is_by(viewer: &str, author: &Value) -> bool {
    let (login, is_bot) = (&author["login"], author["__typename"] == "Bot");
    match viewer.strip_suffix("[bot]") {
        Some(app) => is_bot && (login == app || login == viewer),
        None => !is_bot && login == viewer,
    }
}

fn comment(node: &Value) -> Option<Comment> {
    let body = text(&node["body"]);
    Some(Comment {
        id: text(&node["id"]),
        url: text(&node["url"]),
        marker: Marker::read(&body)?,
        is_hidden: node["isMinimized"] == true,
        body,
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_is_taken_for_the_author() {
        let author = |kind: &str, login: &str| json!({"__typename": kind, "login": login});
        let us = "github-actions[bot]";
        assert!(is_by(us, &author("Bot", "github-actions")));
        assert!(!is_by(us, &author("User", "github-actions")));
        assert!(!is_by(us, &author("Bot", "dependabot")));
        assert!(is_by("somebody", &author("User", "somebody")));
        assert!(!is_by("somebody", &author("Bot", "somebody")));
        assert!(!is_by(us, &Value::Null), "an account that is gone");
    }
}
