//! The logs of all containers, those of the run before the present one too: the head and the tail of each.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use futures::{Stream, StreamExt as _, stream};

use super::{
    CONCURRENCY, RequestError, Server,
    clip::{Clip, Clipped},
};
use crate::logs::{
    layout,
    snapshot::{Container, Gap, LogKey, Object, Snapshot, containers, healthy, list, text},
};

/// How a log begins is kept up to here.
pub const HEAD: usize = 256 * 1024;
/// How it ends is kept up to here.
pub const TAIL: usize = 4 * 1024 * 1024;
/// A node that gave no answer so often is not asked again.
const SILENCES: usize = 2;

/// The log of one container, or why there is none.
pub type Found = Result<(LogKey, Clipped), Gap>;

/// A log to ask for.
struct Wanted<'a> {
    key: LogKey,
    node: &'a str,
    /// Why it is not asked for.
    why_not: Option<String>,
}

/// All logs that the pods of a snapshot may have, those of troubled pods first.
///
/// `hidden`: containers whose logs must not be taken, since what they know is not known here.
pub fn collect<'a>(
    server: &'a Server,
    snapshot: &'a Snapshot,
    hidden: &HashSet<LogKey>,
) -> impl Stream<Item = Found> + 'a {
    let mut pods: Vec<_> = snapshot.pods().collect();
    pods.sort_by_key(|pod| healthy(pod));
    let mut wanted = Vec::new();
    for pod in pods {
        for container in containers(pod) {
            let node = pod.text("/spec/nodeName");
            let key = |previous| key_of(pod, container.name, previous);
            let is_hidden = hidden.contains(&key(false)).then(|| HIDDEN.to_owned());
            if container.has_previous() {
                let why_not = is_hidden.clone();
                wanted.push(Wanted {
                    key: key(true),
                    node,
                    why_not,
                });
            }
            let why_not = is_hidden.or_else(|| why_not(&container));
            wanted.push(Wanted {
                key: key(false),
                node,
                why_not,
            });
        }
    }
    let context = snapshot.context.clone();
    let silences = Arc::new(Silences::default());
    stream::iter(wanted)
        .map(move |wanted| {
            let (context, silences) = (context.clone(), silences.clone());
            async move {
                let gap = |error: String| Gap {
                    file: layout::log(&context, &wanted.key),
                    error,
                };
                if let Some(error) = wanted.why_not {
                    return Err(gap(error));
                }
                if silences.of(wanted.node) >= SILENCES {
                    return Err(gap(format!("its node {} does not answer", wanted.node)));
                }
                match fetch(server, &wanted.key).await {
                    Ok(log) => Ok((wanted.key, log)),
                    Err(error) => {
                        silences.note(wanted.node, &error);
                        Err(gap(error.to_string()))
                    }
                }
            }
        })
        .buffer_unordered(CONCURRENCY)
}

const HIDDEN: &str = "left out: this container uses Secrets, which could not be listed, so they could not be taken out of its log";

/// How often each node gave no answer.
#[derive(Default)]
struct Silences(Mutex<HashMap<String, usize>>);

impl Silences {
    fn of(&self, node: &str) -> usize {
        let silences = self.0.lock().expect("nobody panics while holding it");
        silences.get(node).copied().unwrap_or(0)
    }

    fn note(&self, node: &str, error: &RequestError) {
        // The API server asks the kubelet, and says so when that one is gone.
        let silent = match error {
            RequestError::TimedOut(_) => true,
            RequestError::Refused { code, message } => *code >= 500 && message.contains(":10250"),
            RequestError::Broken(_) => false,
        };
        if silent && !node.is_empty() {
            let mut silences = self.0.lock().expect("nobody panics while holding it");
            *silences.entry(node.to_owned()).or_default() += 1;
        }
    }
}

fn key_of(pod: &Object, container: &str, previous: bool) -> LogKey {
    LogKey {
        namespace: pod.namespace().unwrap_or_default().to_owned(),
        pod: pod.name().to_owned(),
        container: container.to_owned(),
        previous,
    }
}

/// The containers that can read a Secret: by their environment, or by a volume that they mount.
pub fn with_secrets(snapshot: &Snapshot) -> HashSet<LogKey> {
    let mut found = HashSet::new();
    for pod in snapshot.pods() {
        let holds = |volume: &&serde_json::Value| {
            let projected = list(volume, "/projected/sources");
            volume.get("secret").is_some()
                || volume.pointer("/csi/nodePublishSecretRef").is_some()
                || projected
                    .iter()
                    .any(|source| source.get("secret").is_some())
        };
        let volumes: HashSet<&str> = pod
            .list("/spec/volumes")
            .iter()
            .filter(holds)
            .map(|volume| text(volume, "/name"))
            .collect();
        for container in containers(pod) {
            let spec = container.spec;
            let env = list(spec, "/env")
                .iter()
                .any(|variable| variable.pointer("/valueFrom/secretKeyRef").is_some());
            let from = list(spec, "/envFrom")
                .iter()
                .any(|source| source.get("secretRef").is_some());
            let mounts = list(spec, "/volumeMounts")
                .iter()
                .any(|mount| volumes.contains(text(mount, "/name")));
            if env || from || mounts {
                found.insert(key_of(pod, container.name, false));
            }
        }
    }
    found
}

fn why_not(container: &Container<'_>) -> Option<String> {
    let reason = container.never_started()?;
    let message = text(container.status, "/state/waiting/message");
    Some(if reason.is_empty() {
        "it has not started".to_owned()
    } else if message.is_empty() {
        format!("it has not started: {reason}")
    } else {
        format!("it has not started: {reason}: {message}")
    })
}

async fn fetch(server: &Server, key: &LogKey) -> Result<Clipped, RequestError> {
    /// The kubelet answers 200 with a sentence in place of a log while it replaces a container; soon after there is one.
    const NONE: &[u8] = b"unable to retrieve container logs for ";
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}/log?container={}&timestamps=true&previous={}",
        key.namespace, key.pod, key.container, key.previous
    );
    server
        .stream(
            &path,
            || Clip::new(HEAD, TAIL),
            Clip::push,
            |clip, error| {
                let came = !clip.is_empty();
                let log = clip.finish();
                match error {
                    None if log.bytes.starts_with(NONE) => Err(RequestError::Broken(
                        String::from_utf8_lossy(&log.bytes).into_owned(),
                    )),
                    None => Ok(log),
                    // What came is worth more than a second try, which may bring nothing.
                    Some(error) if came => Ok(cut(log, &error)),
                    Some(error) => Err(error),
                }
            },
        )
        .await
}

/// A log whose rest did not come.
fn cut(mut log: Clipped, error: &RequestError) -> Clipped {
    // Half a line may be half a secret.
    let end = log
        .bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let lost = log.bytes.len() - end;
    log.bytes.truncate(end);
    log.bytes
        .extend_from_slice(format!("[… the rest is missing: {error} …]\n").as_bytes());
    log.left_out += (lost as u64).max(1);
    log
}
