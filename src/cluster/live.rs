//! What the server has, asked object by object or kind by kind, and its removal.
//!
//! Given paths; knows nothing of a set. What fails for the moment is asked again.

use std::time::Duration;

use http::{HeaderValue, Method, Request, header};
use kube::{Client, client::Body};
use serde_json::{Value, json};

use crate::{
    api::{Resource, is_leaving, list},
    cluster::{
        errors::{Class, Given},
        request::{MANAGER, METADATA, Refusal, answered},
    },
    limits::Deadline,
    wait::{self, Every, Status, WaitError},
};

/// How many objects a page of a list holds.
const PAGE: usize = 500;
/// How often a list that became too old is begun again.
const MAX_RESTARTS: u32 = 3;
/// A server that cannot answer for so long is given up.
const PATIENCE: Duration = Duration::from_mins(2);
const RETRY_PAUSE: Every<'_> = Every::secs(1);

/// How much of an object is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// Its metadata.
    Metadata,
}

impl Extent {
    const fn one(self) -> &'static str {
        match self {
            Self::Whole => "application/json",
            Self::Metadata => METADATA,
        }
    }

    const fn many(self) -> &'static str {
        match self {
            Self::Whole => "application/json",
            Self::Metadata => {
                "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1, application/json"
            }
        }
    }
}

/// One object; none where there is none, or nobody serves its kind.
///
/// # Errors
/// [`Refusal`].
pub async fn get(client: &Client, path: &str, extent: Extent) -> Result<Option<Value>, Refusal> {
    match ask(client, Method::GET, path, extent.one(), None).await {
        Ok(object) => Ok(Some(object)),
        Err(refusal) if refusal.code == 404 => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

/// The definition of a custom kind; none where another API server serves it.
///
/// # Errors
/// [`Refusal`].
pub async fn definition(client: &Client, kind: &Resource) -> Result<Option<Value>, Refusal> {
    let name = kind.definition();
    let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
    get(client, &path, Extent::Whole).await
}

/// A document in one of the accepted forms.
///
/// # Errors
/// [`Refusal`].
pub async fn document(client: &Client, path: &str, accept: &'static str) -> Result<Value, Refusal> {
    ask(client, Method::GET, path, accept, None).await
}

/// Every object below a path, page by page; `query` is what the server is to choose by, such as `&labelSelector=a`.
///
/// A list that becomes too old between two pages is begun again, a few times.
///
/// # Errors
/// [`Refusal`].
pub async fn pages(
    client: &Client,
    path: &str,
    query: &str,
    extent: Extent,
) -> Result<Vec<Value>, Refusal> {
    let mut objects = Vec::new();
    let (mut from, mut restarts) = (String::new(), 0);
    loop {
        let page = format!("{path}?limit={PAGE}{query}{from}");
        let mut answer = match ask(client, Method::GET, &page, extent.many(), None).await {
            Ok(answer) => answer,
            Err(refusal) if refusal.code == 404 => return Ok(objects),
            Err(refusal) if refusal.code == 410 && restarts < MAX_RESTARTS => {
                restarts += 1;
                objects.clear();
                from.clear();
                continue;
            }
            Err(refusal) => return Err(refusal),
        };
        if let Some(Value::Array(items)) = answer.get_mut("items").map(Value::take) {
            objects.extend(items);
        }
        match answer["metadata"]["continue"].as_str() {
            Some(more) if !more.is_empty() => {
                let more: String = url::form_urlencoded::byte_serialize(more.as_bytes()).collect();
                from = format!("&continue={more}");
            }
            _ => return Ok(objects),
        }
    }
}

/// Makes an object below a path, or puts one in place of what is there at its path.
///
/// # Errors
/// [`Refusal`]; code 409 where somebody else was there first.
pub async fn put(
    client: &Client,
    path: &str,
    object: &Value,
    is_new: bool,
) -> Result<Value, Refusal> {
    let method = if is_new { Method::POST } else { Method::PUT };
    let path = format!("{path}?fieldManager={MANAGER}");
    ask(client, method, &path, Extent::Metadata.one(), Some(object)).await
}

/// Asks that this very object go, and after it what it owns; with `owner_last` the other way round. What is gone already is
/// no error.
///
/// # Errors
/// [`Refusal`].
pub async fn delete(
    client: &Client,
    path: &str,
    uid: &str,
    owner_last: bool,
) -> Result<(), Refusal> {
    let options = json!({
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": if owner_last { "Foreground" } else { "Background" },
        "preconditions": {"uid": uid},
    });
    let accept = Extent::Metadata.one();
    match ask(client, Method::DELETE, path, accept, Some(&options)).await {
        Ok(_) => Ok(()),
        // 409: another object has its name by now.
        Err(refusal) if matches!(refusal.code, 404 | 409) => Ok(()),
        Err(refusal) => Err(refusal),
    }
}

async fn ask(
    client: &Client,
    method: Method,
    path: &str,
    accept: &'static str,
    body: Option<&Value>,
) -> Result<Value, Refusal> {
    let bytes = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
    let mut request = Request::new(Body::from(bytes));
    *request.method_mut() = method;
    *request.uri_mut() = path
        .parse()
        .map_err(|error: http::uri::InvalidUri| Refusal {
            class: Class::Invalid,
            code: 0,
            message: format!("{path} is no path: {error}"),
            retry_after: None,
        })?;
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    if body.is_some() {
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
    }
    let answer = answered(client, request, &Given::default()).await?;
    Ok(answer.value)
}

/// Tries until the server answers for good.
///
/// # Errors
/// The last [`Refusal`].
pub async fn steadily<T, F>(
    what: &str,
    deadline: Deadline,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Refusal>
where
    F: Future<Output = Result<T, Refusal>>,
{
    let look = || {
        let attempt = attempt();
        async {
            match attempt.await {
                Ok(done) => Ok(Status::Ready(done)),
                // 409 is no trouble of the server's: the caller has to look again. A webhook may be between two pods.
                Err(it)
                    if matches!(it.class, Class::Transient | Class::Webhook { .. })
                        && it.code != 409 =>
                {
                    Ok(Status::NotYet(it.message))
                }
                Err(refusal) => Err(refusal),
            }
        }
    };
    wait::until(what, deadline.within(PATIENCE), RETRY_PAUSE, look)
        .await
        .map_err(|error| match error {
            WaitError::Failed(refusal) => refusal,
            WaitError::TimedOut { last, .. } => Refusal {
                class: Class::Transient,
                code: 0,
                message: last,
                retry_after: None,
            },
        })
}

/// Tries a call of kube's own until the server answers for good: "too many requests" and "unavailable" are no answers.
///
/// # Errors
/// What the last try met.
pub async fn until_answered<T, F>(
    what: &str,
    deadline: Deadline,
    mut attempt: impl FnMut() -> F,
) -> kube::Result<T>
where
    F: Future<Output = kube::Result<T>>,
{
    let patience = deadline.within(PATIENCE);
    let look = || {
        let attempt = attempt();
        async {
            match attempt.await {
                Err(kube::Error::Api(status)) if is_busy(&status) => {
                    Ok(Status::NotYet(status.message.clone()))
                }
                done => done.map(Status::Ready),
            }
        }
    };
    wait::until(what, patience, RETRY_PAUSE, look)
        .await
        .map_err(|error| match error {
            WaitError::Failed(error) => error,
            WaitError::TimedOut { last, .. } => kube::Error::Service(last.into()),
        })
}

/// Whether a server says no more than that it has no time now.
pub fn is_busy(status: &kube::core::Status) -> bool {
    matches!(status.code, 429 | 503 | 504)
}

/// What [`keeps`] says of an object that is being deleted and that no finalizer keeps.
pub const NO_FINALIZER: &str = "it is being deleted";

/// What still keeps an object that is to go.
pub fn keeps(object: &Value) -> String {
    let finalizers: Vec<&str> = list(&object["metadata"]["finalizers"])
        .chain(list(&object["spec"]["finalizers"]))
        .filter_map(Value::as_str)
        .collect();
    // Of a namespace the server says what is left in it, and what it cannot ask for.
    let conditions = list(&object["status"]["conditions"]).filter(|condition| {
        let kind = condition["type"].as_str().unwrap_or_default();
        let tells = kind.ends_with("Remaining") || kind.starts_with("NamespaceDeletion");
        tells && condition["status"] == "True"
    });
    let said: Vec<&str> = conditions
        .filter_map(|condition| condition["message"].as_str())
        .collect();
    if !is_leaving(object) {
        "its deletion has not begun".to_owned()
    } else if !said.is_empty() {
        said.join("; ")
    } else if finalizers.is_empty() {
        NO_FINALIZER.to_owned()
    } else {
        format!("it waits for {}", finalizers.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    /// A server whose second pages are too old for the first `expired` times.
    async fn listed(expired: usize) -> Result<usize, Refusal> {
        let tries = Arc::new(AtomicUsize::new(0));
        let service = tower::service_fn(move |request: Request<Body>| {
            let query = request.uri().query().unwrap_or_default().to_owned();
            let (code, answer) = if !query.contains("continue=") {
                (
                    200,
                    json!({"metadata": {"continue": "x/y"}, "items": [{}, {}]}),
                )
            } else if tries.fetch_add(1, Ordering::SeqCst) < expired {
                (
                    410,
                    json!({"message": "The provided continue parameter is too old", "reason": "Expired"}),
                )
            } else {
                (200, json!({"metadata": {}, "items": [{}]}))
            };
            async move {
                let body = Body::from(answer.to_string().into_bytes());
                let answer = http::Response::builder().status(code).body(body);
                answer.map_err(tower::BoxError::from)
            }
        });
        let client = Client::new(service, "default");
        let objects = pages(&client, "/api/v1/pods", "", Extent::Whole).await?;
        Ok(objects.len())
    }

    #[tokio::test]
    async fn a_list_that_became_too_old_is_begun_again_but_not_for_ever() {
        assert_eq!(listed(0).await.unwrap(), 3);
        assert_eq!(listed(2).await.unwrap(), 3);
        assert_eq!(listed(usize::MAX).await.unwrap_err().code, 410);
    }

    #[tokio::test(start_paused = true)]
    async fn a_webhook_that_cannot_be_asked_for_a_moment_is_asked_again() {
        let tries = AtomicUsize::new(0);
        let attempt = || async {
            if tries.fetch_add(1, Ordering::SeqCst) > 1 {
                return Ok(());
            }
            Err(Refusal {
                class: Class::Webhook {
                    webhook: "w".to_owned(),
                    of_the_set: false,
                },
                code: 500,
                message: "failed calling webhook \"w\"".to_owned(),
                retry_after: None,
            })
        };
        let deadline = Deadline::after(crate::limits::Limit::secs(60));
        steadily("a deletion", deadline, attempt).await.unwrap();
        assert_eq!(tries.into_inner(), 3);
    }

    #[test]
    fn all_that_keeps_a_namespace_is_named() {
        let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "message": format!("{kind} it is")});
        let mut namespace = json!({
            "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"finalizers": ["kubernetes"]},
        });
        assert_eq!(keeps(&namespace), "it waits for kubernetes");
        namespace["status"]["conditions"] = json!([
            condition("NamespaceDeletionDiscoveryFailure", "True"),
            condition("NamespaceDeletionContentFailure", "False"),
            condition("NamespaceContentRemaining", "True"),
            condition("NamespaceFinalizersRemaining", "True"),
            condition("Ready", "True"),
        ]);
        assert_eq!(
            keeps(&namespace),
            "NamespaceDeletionDiscoveryFailure it is; NamespaceContentRemaining it is; NamespaceFinalizersRemaining it is"
        );
        namespace["metadata"]["deletionTimestamp"] = Value::Null;
        assert_eq!(keeps(&namespace), "its deletion has not begun");
    }
}
