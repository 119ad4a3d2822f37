//! The comments of a pull request, by GraphQL.

use serde_json::{Value, json};

use super::{Reply, Repository, Token};

/// A comment as GitHub keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Comment {
    pub(crate) id: String,
    /// As the token that wrote it.
    pub(crate) login: String,
    pub(crate) body: String,
    pub(crate) is_hidden: bool,
    /// How often it was edited.
    pub(crate) edits: usize,
}

/// What GraphQL gives, and what kind of error.
type Given = Result<Value, (&'static str, String)>;

/// What a request of GraphQL is called here: its mutation, or `look`.
pub(super) fn operation(body: &Value) -> &str {
    const MUTATIONS: [&str; 5] = [
        "addComment",
        "updateIssueComment",
        "unminimizeComment",
        "minimizeComment",
        "deleteIssueComment",
    ];
    let query = body["query"].as_str().unwrap_or_default();
    let found = MUTATIONS
        .into_iter()
        .find(|name| query.contains(&format!(" {name}(")));
    found.unwrap_or("look")
}

pub(super) fn carry_out(
    repository: &mut Repository,
    token: &Token,
    body: &Value,
    is_stale: bool,
) -> Reply {
    let (operation, variables) = (operation(body), &body["variables"]);
    let given = if operation == "look" {
        look(repository, token, variables, is_stale)
    } else {
        change(repository, token, operation, &variables["input"])
    };
    match given {
        Ok(data) => (200, json!({"data": data})),
        Err((kind, message)) => {
            let errors = json!([{"type": kind, "message": message, "path": [operation]}]);
            (200, json!({"data": null, "errors": errors}))
        }
    }
}

fn look(repository: &Repository, token: &Token, variables: &Value, is_stale: bool) -> Given {
    let is_there =
        variables["owner"] == "o" && variables["name"] == "r" && variables["number"] == 7;
    if !is_there {
        return Err(("NOT_FOUND", "Could not resolve to a PullRequest".to_owned()));
    }
    let comments = if is_stale {
        &repository.comments_before
    } else {
        &repository.comments
    };
    let from: usize = variables["after"]
        .as_str()
        .map_or(0, |after| after.parse().unwrap());
    let page = repository.page;
    let nodes = comments.iter().skip(from).take(page).map(|one| {
        // An app has its plain name as an author.
        let app = one.login.strip_suffix("[bot]");
        json!({
            "id": one.id,
            "url": format!("https://github.com/o/r/pull/7#issuecomment-{}", one.id),
            "body": one.body,
            "isMinimized": one.is_hidden,
            "author": {
                "__typename": if app.is_some() { "Bot" } else { "User" },
                "login": app.unwrap_or(&one.login),
            },
        })
    });
    let nodes: Vec<Value> = nodes.collect();
    let end = from + nodes.len();
    let info = json!({"hasNextPage": end < comments.len(), "endCursor": end.to_string()});
    let pull = json!({
        "id": "PR_7",
        "headRefOid": repository.head,
        "comments": {"pageInfo": info, "nodes": nodes},
    });
    Ok(json!({"viewer": {"login": token.login}, "repository": {"pullRequest": pull}}))
}

fn change(repository: &mut Repository, token: &Token, operation: &str, input: &Value) -> Given {
    if !token.may.contains(&"pull-requests") {
        let message = "Resource not accessible by integration".to_owned();
        return Err(("FORBIDDEN", message));
    }
    let text = |key: &str| input[key].as_str().unwrap_or_default().to_owned();
    let before = repository.comments.clone();
    if operation == "addComment" {
        if text("subjectId") != "PR_7" || text("body").is_empty() || text("body").len() > 65_536 {
            return Err(("UNPROCESSABLE", "Validation failed".to_owned()));
        }
        let id = format!("IC_{}", repository.id());
        repository.comments_before = before;
        repository.comments.push(Comment {
            id: id.clone(),
            login: token.login.to_owned(),
            body: text("body"),
            is_hidden: false,
            edits: 0,
        });
        return Ok(json!({"addComment": {"commentEdge": {"node": {"id": id}}}}));
    }
    let id = match operation {
        "minimizeComment" | "unminimizeComment" => text("subjectId"),
        _ => text("id"),
    };
    let Some(at) = repository.comments.iter().position(|one| one.id == id) else {
        return Err((
            "NOT_FOUND",
            format!("Could not resolve to a node with the global id of '{id}'"),
        ));
    };
    repository.comments_before = before;
    let one = &mut repository.comments[at];
    match operation {
        "updateIssueComment" => {
            one.body = text("body");
            one.edits += 1;
        }
        "minimizeComment" if text("classifier") == "RESOLVED" => one.is_hidden = true,
        "unminimizeComment" => one.is_hidden = false,
        "deleteIssueComment" => drop(repository.comments.remove(at)),
        _ => return Err(("UNPROCESSABLE", "Validation failed".to_owned())),
    }
    Ok(json!({operation: {}}))
}
