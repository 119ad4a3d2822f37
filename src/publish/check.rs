//! The check run of the commit: one for each name and attempt, of which GitHub shows the last.

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{Message, Outcome, Target, Turn, sources, text};
use crate::{
    github::api::{Api, SendError},
    limits::Deadline,
};

/// GitHub takes so many in one request.
const MAX_ANNOTATIONS: usize = 50;

pub(super) async fn tell(
    api: &Api,
    target: &Target,
    message: &Message,
    deadline: Deadline,
) -> Result<Outcome, SendError> {
    let repository = &target.repository;
    let name = utf8_percent_encode(&message.name, NON_ALPHANUMERIC);
    let route = format!(
        "/repos/{repository}/commits/{}/check-runs?check_name={name}&filter=all&per_page=100",
        target.sha
    );
    let look = api.look(&route, deadline).await?;
    let runs = look.body["check_runs"].as_array().into_iter().flatten();
    let ours = runs.filter_map(|run| {
        Some((
            Turn::of_id(run["external_id"].as_str()?)?,
            run["id"].as_u64()?,
        ))
    });
    let newest = ours.max();
    if newest.is_some_and(|(turn, _)| turn > message.turn) {
        return Ok(Outcome::Newer);
    }
    let same = newest.filter(|(turn, _)| *turn == message.turn);
    let (method, route) = match same {
        Some((_, id)) => (
            Method::PATCH,
            format!("/repos/{repository}/check-runs/{id}"),
        ),
        None => (Method::POST, format!("/repos/{repository}/check-runs")),
    };
    let made = api
        .send(method, &route, &body(target, message), deadline)
        .await?;
    Ok(Outcome::Told(made["html_url"].as_str().map(str::to_owned)))
}

fn body(target: &Target, message: &Message) -> Value {
    let verdict = &message.verdict;
    let mut annotations = match &message.sources {
        Some(directory) => sources::annotations(directory, &message.diagnosis, &verdict.cause),
        None => Vec::new(),
    };
    annotations.truncate(MAX_ANNOTATIONS);
    let mut body = json!({
        "name": message.name,
        "head_sha": target.sha,
        "external_id": message.turn.id(),
        "output": {
            "title": text::description(verdict),
            "summary": text::summary(message),
            "annotations": annotations,
        },
    });
    if let Some(url) = &message.url {
        body["details_url"] = json!(url);
    }
    match verdict.state.of_check() {
        Some(conclusion) => {
            body["status"] = json!("completed");
            body["conclusion"] = json!(conclusion);
        }
        None => body["status"] = json!("in_progress"),
    }
    body
}
