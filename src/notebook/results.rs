//! Brings the results out of the pod, through the container that keeps them, and lets the pod end.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::AttachParams};
use serde_json::Value;
use tokio::io::AsyncReadExt as _;

use crate::{
    limits::Deadline,
    notebook::{
        NotebookError,
        job::{KEEPER, WORK},
    },
    report::one_line,
    wait::{self, Every, Status, WaitError},
};

/// How long the results may take.
const FETCH: Duration = Duration::from_mins(1);
/// What tells Istio's sidecar to end, and the keeper after it. Their answers change nothing.
const QUIT: &str = "curl -fsS -m 5 -X POST http://localhost:15020/quitquitquit || \
    python3 -c 'import urllib.request as u; u.urlopen(u.Request(\"http://localhost:15020/quitquitquit\", method=\"POST\"), timeout=5)'; \
    kill -TERM 1";

/// The executed notebook, as far as it was saved; `None` when there is none.
///
/// # Errors
/// [`NotebookError::Fetch`] when it cannot be read whole.
pub async fn executed(
    pods: &Api<Pod>,
    pod: &str,
    deadline: Deadline,
) -> Result<Option<Value>, NotebookError> {
    // Without a file it prints nothing, and that is no error.
    let command = format!("[ ! -e {WORK}/executed.ipynb ] || cat {WORK}/executed.ipynb");
    let fetched = wait::until(
        "the results of the test",
        deadline.within(FETCH),
        Every::millis(500),
        || async {
            // A stream that broke off is asked for again; half a notebook is none.
            Ok::<_, NotebookError>(match exec(pods, pod, &command).await {
                Ok(bytes) if bytes.is_empty() => Status::Ready(None),
                Ok(bytes) => match serde_json::from_slice(&bytes) {
                    Ok(notebook) => Status::Ready(Some(notebook)),
                    Err(error) => Status::NotYet(format!("{} bytes: {error}", bytes.len())),
                },
                Err(reason) => Status::NotYet(reason),
            })
        },
    );
    fetched.await.map_err(|error| match error {
        WaitError::TimedOut { last, .. } => NotebookError::Fetch(last),
        WaitError::Failed(error) => error,
    })
}

/// Ends the keeper, so that the Job comes to its own end, and a sidecar that would not end by itself.
pub async fn release(pods: &Api<Pod>, pod: &str, sidecar: bool, deadline: Deadline) {
    let command = if sidecar { QUIT } else { "kill -TERM 1" };
    let done = deadline
        .within(Duration::from_secs(10))
        .bound(exec(pods, pod, command))
        .await;
    if let Ok(Err(reason)) = done {
        // It may be gone before it can answer.
        tracing::debug!("the keeper of {pod}: {reason}");
    }
}

/// The standard output of a command in the keeper.
async fn exec(pods: &Api<Pod>, pod: &str, command: &str) -> Result<Vec<u8>, String> {
    let parameters = AttachParams::default()
        .container(KEEPER)
        .stdin(false)
        .stdout(true)
        .stderr(true);
    let said = |error: &dyn std::error::Error| one_line(&error.to_string());
    let mut process = pods
        .exec(pod, ["sh", "-c", command], &parameters)
        .await
        .map_err(|error| said(&error))?;
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let (mut stdout, mut stderr) = (process.stdout(), process.stderr());
    let status = process.take_status();
    let read = async {
        if let Some(stream) = &mut stdout {
            stream.read_to_end(&mut output).await?;
        }
        std::io::Result::Ok(())
    };
    let read_errors = async {
        if let Some(stream) = &mut stderr {
            stream.read_to_end(&mut errors).await?;
        }
        std::io::Result::Ok(())
    };
    tokio::try_join!(read, read_errors).map_err(|error| said(&error))?;
    let status = match status {
        Some(status) => status.await,
        None => None,
    };
    process.join().await.map_err(|error| said(&error))?;
    match status {
        Some(status) if status.status.as_deref() == Some("Success") => Ok(output),
        Some(status) => Err(one_line(&format!(
            "{}: {}",
            status.message.unwrap_or_default(),
            String::from_utf8_lossy(&errors)
        ))),
        None => Err("the connection broke off".to_owned()),
    }
}
