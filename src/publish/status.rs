//! The status of the commit: one for each name, of which GitHub shows the last.

use http::Method;
use serde_json::json;

use super::{Message, Outcome, Target, Turn, text};
use crate::{
    github::api::{Api, SendError},
    limits::Deadline,
};

pub(super) async fn tell(
    api: &Api,
    target: &Target,
    message: &Message,
    deadline: Deadline,
) -> Result<Outcome, SendError> {
    let route = format!(
        "/repos/{}/commits/{}/statuses?per_page=100",
        target.repository, target.sha
    );
    let look = api.look(&route, deadline).await?;
    let state = message.verdict.state.of_status();
    let description = text::description(&message.verdict);
    // The newest comes first. Who may not look may still tell.
    let statuses = look.body.as_array().into_iter().flatten();
    let last = statuses
        .into_iter()
        .find(|one| one["context"] == message.name.as_str());
    if let Some(last) = last {
        let turn = last["target_url"].as_str().and_then(Turn::of_page);
        if turn.is_some_and(|turn| turn > message.turn) {
            return Ok(Outcome::Newer);
        }
        let is_same = last["target_url"].as_str() == message.url.as_deref()
            && last["state"] == state
            && last["description"] == description.as_str();
        if is_same {
            return Ok(Outcome::Told(None));
        }
    }
    let status = json!({
        "state": state,
        "context": message.name,
        "description": description,
        "target_url": message.url,
    });
    let route = format!("/repos/{}/statuses/{}", target.repository, target.sha);
    api.send(Method::POST, &route, &status, deadline).await?;
    Ok(Outcome::Told(None))
}
