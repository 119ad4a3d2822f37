//! Statuses and check runs of commits.

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
        ("GET", ["commits", sha, "statuses"]) => Ok(statuses(repository, sha)),
        ("GET", ["commits", sha, "status"]) => Ok(combined(repository, sha)),
        ("POST", ["statuses", sha]) => make_status(repository, token, request, sha),
        ("GET", ["commits", sha, "check-runs"]) => Ok(checks(repository, request, sha)),
        ("POST", ["check-runs"]) => make_check(repository, token, request),
        ("PATCH", ["check-runs", id]) => change_check(repository, token, request, id),
        _ => return None,
    };
    Some(reply.unwrap_or_else(|refused| refused))
}

fn invalid(what: &str) -> Reply {
    error(422, &format!("Validation Failed: {what}"))
}

/// The newest first.
fn statuses(repository: &Repository, sha: &str) -> Reply {
    let all = repository.statuses.iter().rev();
    let of_commit = all.filter(|one| one["sha"] == sha);
    (200, of_commit.take(100).cloned().collect())
}

/// The last of each context.
fn combined(repository: &Repository, sha: &str) -> Reply {
    let mut last: Vec<&Value> = Vec::new();
    for one in repository
        .statuses
        .iter()
        .rev()
        .filter(|one| one["sha"] == sha)
    {
        if !last.iter().any(|seen| seen["context"] == one["context"]) {
            last.push(one);
        }
    }
    (200, json!({"total_count": last.len(), "statuses": last}))
}

fn make_status(
    repository: &mut Repository,
    token: &Token,
    request: &Request,
    sha: &str,
) -> Result<Reply, Reply> {
    may(token, "statuses")?;
    let body = &request.body;
    if !repository.commits.iter().any(|commit| commit == sha) {
        return Err(error(422, &format!("No commit found for SHA: {sha}")));
    }
    let text = |key: &str| body[key].as_str().unwrap_or_default();
    if !["error", "failure", "pending", "success"].contains(&text("state")) {
        return Err(invalid("state"));
    }
    if text("description").chars().count() > 140 {
        return Err(invalid(
            "description is too long (maximum is 140 characters)",
        ));
    }
    let mut status = body.clone();
    status["id"] = json!(repository.id());
    status["sha"] = json!(sha);
    status["creator"] = json!({"login": token.login});
    repository.statuses.push(status.clone());
    Ok((201, status))
}

fn checks(repository: &Repository, request: &Request, sha: &str) -> Reply {
    let name = request.query.get("check_name");
    let runs = repository.checks.iter().rev().filter(|run| {
        run["head_sha"] == sha && name.is_none_or(|name| run["name"] == name.as_str())
    });
    let runs: Vec<Value> = runs.cloned().collect();
    (200, json!({"total_count": runs.len(), "check_runs": runs}))
}

/// What GitHub takes as a check run.
fn check(body: &Value) -> Result<(), Reply> {
    const CONCLUSIONS: [&str; 7] = [
        "action_required",
        "cancelled",
        "failure",
        "neutral",
        "success",
        "skipped",
        "timed_out",
    ];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match text(&body["status"]).as_str() {
        "completed" if CONCLUSIONS.contains(&text(&body["conclusion"]).as_str()) => {}
        "queued" | "in_progress" if body["conclusion"].is_null() => {}
        _ => return Err(invalid("status and conclusion")),
    }
    let output = &body["output"];
    if text(&output["title"]).is_empty() || text(&output["summary"]).len() > 65_535 {
        return Err(invalid("output"));
    }
    let annotations = output["annotations"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let is_whole = |one: &Value| {
        let path = text(&one["path"]);
        let levels = ["notice", "warning", "failure"];
        !path.is_empty()
            && !path.starts_with(['/', '.'])
            && one["start_line"].as_u64() > Some(0)
            && levels.contains(&text(&one["annotation_level"]).as_str())
            && !text(&one["message"]).is_empty()
    };
    if annotations.len() > 50 || !annotations.iter().all(is_whole) {
        return Err(invalid("annotations"));
    }
    Ok(())
}

fn make_check(
    repository: &mut Repository,
    token: &Token,
    request: &Request,
) -> Result<Reply, Reply> {
    may(token, "checks")?;
    check(&request.body)?;
    let id = repository.id();
    let mut run = request.body.clone();
    run["id"] = json!(id);
    run["html_url"] = json!(format!("https://github.com/o/r/runs/{id}"));
    repository.checks.push(run.clone());
    Ok((201, run))
}

fn change_check(
    repository: &mut Repository,
    token: &Token,
    request: &Request,
    id: &str,
) -> Result<Reply, Reply> {
    may(token, "checks")?;
    check(&request.body)?;
    let mut runs = repository.checks.iter_mut();
    let found = runs.find(|run| run["id"].as_u64() == id.parse().ok());
    let run = found.ok_or_else(|| error(404, "Not Found"))?;
    for (key, value) in request.body.as_object().into_iter().flatten() {
        run[key] = value.clone();
    }
    Ok((200, run.clone()))
}
