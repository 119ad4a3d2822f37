//! Pull request 7, its comments' signs and labels, and who may what, by REST.

use serde_json::{Value, json};

use super::{Reply, Repository, Request, Token, error, may};

/// What is done, if it is asked for here.
pub(super) fn carry_out(
    repository: &mut Repository,
    token: &Token,
    request: &Request,
    parts: &[&str],
) -> Option<Reply> {
    let reply = match (request.method.as_str(), parts) {
        ("GET", ["pulls"]) => {
            let is_asked = request.query.get("head") == Some(&repository.label);
            let found: Vec<Value> = is_asked.then(|| pull(repository)).into_iter().collect();
            Ok((200, json!(found)))
        }
        ("GET", ["pulls", "7"]) => Ok((200, pull(repository))),
        ("GET", ["collaborators", login, "permission"]) => {
            // Anybody may read what is public.
            let known = repository.permissions.get(*login).copied();
            Ok((200, json!({"permission": known.unwrap_or("read")})))
        }
        ("POST", ["issues", "7", "labels"]) => add_labels(repository, token, request),
        ("DELETE", ["issues", "7", "labels", name]) => take_off(repository, token, name),
        ("POST", ["issues", "comments", id, "reactions"]) => {
            may(token, "pull-requests").map(|()| {
                let content = request.body["content"].as_str().unwrap().to_owned();
                repository.signs.push(((*id).to_owned(), content));
                (201, json!({"id": 1}))
            })
        }
        _ => return None,
    };
    Some(reply.unwrap_or_else(|refused| refused))
}

fn pull(repository: &Repository) -> Value {
    let of = repository.branch_of.as_ref();
    json!({
        "number": 7,
        "state": repository.state,
        "title": repository.title,
        "head": {
            "sha": repository.head,
            "ref": repository.title,
            "label": repository.label,
            "repo": of.map(|name| json!({"full_name": name})),
        },
    })
}

fn add_labels(
    repository: &mut Repository,
    token: &Token,
    request: &Request,
) -> Result<Reply, Reply> {
    may(token, "pull-requests")?;
    let labels = request.body["labels"].as_array().unwrap();
    for label in labels.iter().filter_map(Value::as_str) {
        repository.labels.insert(label.to_owned());
    }
    Ok((200, json!([])))
}

fn take_off(repository: &mut Repository, token: &Token, name: &str) -> Result<Reply, Reply> {
    may(token, "pull-requests")?;
    if repository.labels.remove(name) {
        Ok((200, json!([])))
    } else {
        Err(error(404, "Label does not exist"))
    }
}
