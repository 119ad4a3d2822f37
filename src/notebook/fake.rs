//! An API server in this process that answers as a test wants, on tokio's clock.

use std::time::Duration;

use axum::body::Body as Answered;
use futures::{StreamExt as _, stream};
use http::{Request, Response};
use kube::{Client, client::Body};
use serde_json::{Value, json};

use crate::{
    inputs::Pairs,
    notebook::{job::Job, place::Place, source::Source},
    run::Run,
};

/// What the server does.
pub(super) enum Answer {
    /// Nothing, for ever.
    Hangs,
    /// It refuses, with this code.
    Refuses(u16),
    /// It answers with this.
    Is(Value),
    /// It streams this and does not come to an end.
    Streams(&'static str),
    /// It streams this once a second, for ever.
    Drips(&'static str),
}

/// A client of a server that answers so.
pub(super) fn server(answer: impl Fn(&Request<Body>) -> Answer + Send + Sync + 'static) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| respond(answer(&request)));
    Client::new(service, "n")
}

/// The same, given what each request sends.
pub(super) fn server_of_bodies(
    answer: impl Fn(&Request<()>, Value) -> Answer + Clone + Send + Sync + 'static,
) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let answer = answer.clone();
        async move {
            let (head, body) = request.into_parts();
            let bytes = body.collect_bytes().await?;
            let body = serde_json::from_slice(&bytes).unwrap_or_default();
            respond(answer(&Request::from_parts(head, ()), body)).await
        }
    });
    Client::new(service, "n")
}

async fn respond(answer: Answer) -> Result<Response<Answered>, tower::BoxError> {
    let mut code = 200;
    let body = match answer {
        Answer::Hangs => std::future::pending().await,
        Answer::Is(value) => Answered::from(value.to_string()),
        Answer::Refuses(with) => {
            code = with;
            let reason = if code == 404 { "NotFound" } else { "" };
            let status = json!({ "kind": "Status", "status": "Failure", "message": "no", "reason": reason, "code": code });
            Answered::from(status.to_string())
        }
        Answer::Drips(text) => Answered::from_stream(stream::unfold((), move |()| async move {
            crate::wait::pause(Duration::from_secs(1)).await;
            Some((Ok::<_, std::io::Error>(text), ()))
        })),
        Answer::Streams(text) => {
            let text = stream::iter([Ok::<_, std::io::Error>(text)]);
            Answered::from_stream(text.chain(stream::pending()))
        }
    };
    Ok(Response::builder().status(code).body(body)?)
}

/// Whether a request is for a watch.
pub(super) fn is_watch(request: &Request<Body>) -> bool {
    let query = request.uri().query();
    query.is_some_and(|it| it.contains("watch="))
}

/// The default test as a Job of namespace `n`.
pub(super) fn job() -> Job {
    let place = Place {
        namespace: "n".to_owned(),
        service_account: "default".to_owned(),
        restricted: false,
    };
    let source = Source::read(None, None, &Pairs::default()).unwrap();
    let limit = Duration::from_mins(20);
    Job::new(&Run::random(), place, source, "i", &[], limit)
}

/// What the server has of a test whose container is in this state: its pod in the list of pods, and its Job.
pub(super) fn there_is(path: &str, state: &Value) -> Value {
    if path.ends_with("/pods") {
        let status = json!({"phase": "Running", "containerStatuses": [
            {"name": "test", "image": "i", "imageID": "", "ready": true, "restartCount": 0, "state": state}]});
        let pod = json!({"metadata": {"name": "p"}, "status": status});
        json!({"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": [pod]})
    } else if path.ends_with("/jobs") || path.ends_with("/events") {
        json!({"metadata": {"resourceVersion": "1"}, "items": []})
    } else {
        json!({"metadata": {"name": "j"}})
    }
}
