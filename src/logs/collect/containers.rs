//! The logs of all containers, those of the run before the present one too: the head and the tail of each.

use std::{collections::VecDeque, io, pin::Pin};

use futures::{AsyncBufRead, AsyncReadExt as _, Stream, StreamExt as _, stream};

use super::{CONCURRENCY, Server};
use crate::logs::{
    layout,
    snapshot::{Container, Gap, LogKey, Snapshot, containers, healthy, text},
};

/// How a log begins is kept up to here.
pub const HEAD: usize = 256 * 1024;
/// How it ends is kept up to here.
pub const TAIL: usize = 4 * 1024 * 1024;

/// Text of which the middle may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clipped {
    /// What is there, with a line that says what is not.
    pub bytes: Vec<u8>,
    /// Bytes left out.
    pub left_out: u64,
}

/// Takes text as it comes and keeps whole lines of its head and its tail.
#[derive(Debug)]
pub struct Clip {
    head_limit: usize,
    tail_limit: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    left_out: u64,
}

impl Clip {
    /// One that keeps so many bytes of both ends.
    pub fn new(head_limit: usize, tail_limit: usize) -> Self {
        Self {
            head_limit,
            tail_limit,
            head: Vec::new(),
            tail: VecDeque::new(),
            left_out: 0,
        }
    }

    /// Takes the next piece.
    pub fn push(&mut self, bytes: &[u8]) {
        let room = self.head_limit - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        self.tail.extend(rest);
        let over = self.tail.len().saturating_sub(self.tail_limit);
        self.tail.drain(..over);
        self.left_out += over as u64;
    }

    /// What was kept. Where something is left out, the cut is at the ends of lines: half a line may be half a secret,
    /// which nobody would know again.
    pub fn finish(mut self) -> Clipped {
        let mut bytes = self.head;
        if self.left_out > 0 {
            let end = bytes
                .iter()
                .rposition(|b| *b == b'\n')
                .map_or(0, |at| at + 1);
            self.left_out += (bytes.len() - end) as u64;
            bytes.truncate(end);
            let begin = self
                .tail
                .iter()
                .position(|b| *b == b'\n')
                .map_or(self.tail.len(), |at| at + 1);
            self.left_out += begin as u64;
            self.tail.drain(..begin);
            bytes.extend_from_slice(format!("[… {} bytes left out …]\n", self.left_out).as_bytes());
        }
        let (front, back) = self.tail.as_slices();
        bytes.extend_from_slice(front);
        bytes.extend_from_slice(back);
        Clipped {
            bytes,
            left_out: self.left_out,
        }
    }
}

/// The log of one container, or why there is none.
pub type Found = Result<(LogKey, Clipped), Gap>;

/// All logs that the pods of a snapshot may have, those of troubled pods first.
pub fn collect<'a>(server: &'a Server, snapshot: &'a Snapshot) -> impl Stream<Item = Found> + 'a {
    let mut pods: Vec<_> = snapshot.pods().collect();
    pods.sort_by_key(|pod| healthy(pod));
    let mut wanted = Vec::new();
    for pod in pods {
        for container in containers(pod) {
            let key = |previous| LogKey {
                namespace: pod.namespace().unwrap_or_default().to_owned(),
                pod: pod.name().to_owned(),
                container: container.name.to_owned(),
                previous,
            };
            if container.has_previous() {
                wanted.push((key(true), None));
            }
            wanted.push((key(false), why_not(&container)));
        }
    }
    let context = snapshot.context.clone();
    stream::iter(wanted)
        .map(move |(key, why_not)| {
            let context = context.clone();
            async move {
                let gap = |error: String| Gap {
                    file: layout::log(&context, &key),
                    error,
                };
                if let Some(error) = why_not {
                    return Err(gap(error));
                }
                match fetch(server, &key).await {
                    Ok(log) => Ok((key, log)),
                    Err(error) => Err(gap(error)),
                }
            }
        })
        .buffer_unordered(CONCURRENCY)
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

async fn fetch(server: &Server, key: &LogKey) -> Result<Clipped, String> {
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}/log?container={}&timestamps=true&previous={}",
        key.namespace, key.pod, key.container, key.previous
    );
    server
        .stream(&path, read)
        .await
        .map_err(|error| error.to_string())
}

/// The kubelet answers 200 with a sentence in place of a log while it replaces a container; soon after there is one.
fn there(log: Clipped) -> io::Result<Clipped> {
    const NONE: &[u8] = b"unable to retrieve container logs for ";
    if log.bytes.starts_with(NONE) {
        return Err(io::Error::other(String::from_utf8_lossy(&log.bytes)));
    }
    Ok(log)
}

async fn read(mut stream: Pin<Box<dyn AsyncBufRead + Send>>) -> io::Result<Clipped> {
    let mut clip = Clip::new(HEAD, TAIL);
    let mut buffer = vec![0; 32 * 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return there(clip.finish()),
            read => clip.push(&buffer[..read]),
        }
    }
}
