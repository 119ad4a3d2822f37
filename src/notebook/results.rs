//! Brings the results out of the pod, through the container that keeps them, and lets the pod end; or reads them on this
//! machine.

use std::{fs, io, path::Path, time::Duration};

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
/// The line after the last one.
const END: &str = "\"end\"";
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
    let command = printing(WORK);
    let fetched = wait::until(
        "the results of the test",
        deadline.within(FETCH),
        Every::millis(500),
        || async {
            // A stream that broke off is asked for again; half a notebook is none.
            Ok::<_, NotebookError>(match exec(pods, pod, &command).await {
                Ok(bytes) if bytes.is_empty() => Status::Ready(None),
                Ok(bytes) => match assembled(&bytes) {
                    Some(notebook) => Status::Ready(Some(notebook)),
                    None => Status::NotYet(format!("{} bytes came of them", bytes.len())),
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

/// Prints what `driver.py` left in that directory. Without a file it prints nothing, and that is no error.
fn printing(work: &str) -> String {
    format!(
        "cd {work}/.manifests-e2e && [ -e executed.jsonl ] || exit 0; \
         cat executed.jsonl && {{ [ ! -e running.json ] || cat running.json; }} && echo '{END}'"
    )
}

/// The executed notebook that a test of this machine saved in that directory; `None` when there is none.
///
/// # Errors
/// [`NotebookError::Fetch`].
pub fn saved(work: &Path) -> Result<Option<Value>, NotebookError> {
    let read = |name: &str| match fs::read(work.join(".manifests-e2e").join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(|error| NotebookError::Fetch(format!("{name}: {error}"))),
    };
    let mut bytes = read("executed.jsonl")?;
    if bytes.is_empty() {
        return Ok(None);
    }
    bytes.extend(read("running.json")?);
    bytes.extend(format!("\n{END}\n").as_bytes());
    Ok(assembled(&bytes))
}

/// The notebook that `driver.py` left: the last state of each of its cells. `None` where its lines do not come to
/// their end.
pub fn assembled(bytes: &[u8]) -> Option<Value> {
    let mut lines = bytes.trim_ascii_end().split(|byte| *byte == b'\n');
    if lines.next_back() != Some(END.as_bytes()) {
        return None;
    }
    let mut notebook = None;
    // A line is torn where the container was killed while it was written.
    for mut line in lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok()) {
        if !line["notebook"].is_null() {
            notebook = Some(line["notebook"].take());
        }
        let Some(notebook) = notebook.as_mut() else {
            continue;
        };
        if !line["metadata"].is_null() {
            notebook["metadata"] = line["metadata"].take();
        }
        let index = line["cell"]
            .as_u64()
            .and_then(|it| usize::try_from(it).ok());
        let Some(cell) = index.and_then(|it| notebook["cells"].get_mut(it)) else {
            continue;
        };
        let state = line["as"].take();
        let is_over = !matches!(papermill_status(cell), Some("pending" | "running"));
        if !(is_over && papermill_status(&state) == Some("running")) {
            *cell = state;
        }
    }
    notebook
}

fn papermill_status(cell: &Value) -> Option<&str> {
    cell["metadata"]["papermill"]["status"].as_str()
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

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use serde_json::json;

    use super::*;

    fn cell(source: &str, status: &str) -> Value {
        json!({ "source": source, "metadata": { "papermill": { "status": status } } })
    }

    fn lines(lines: &[Value], torn: &str) -> Vec<u8> {
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        format!("{}\n{torn}\n{END}\n", lines.join("\n\n")).into_bytes()
    }

    #[test]
    fn the_last_state_of_each_cell_counts_and_what_ran_earlier_replaces_no_end() {
        let begun = json!({ "notebook": { "metadata": {}, "cells": [cell("a", "pending"), cell("b", "pending")] } });
        let all = [
            begun,
            json!({ "cell": 0, "as": cell("a", "running") }),
            json!({ "cell": 0, "as": cell("a!", "completed") }),
            json!({ "cell": 1, "as": cell("b", "running") }),
            json!({ "metadata": { "language_info": { "name": "python" } } }),
            json!({ "cell": 0, "as": cell("a", "running") }),
            json!({ "cell": 9, "as": cell("none", "running") }),
        ];
        let bytes = lines(&all, r#"{"cell": 1, "as": {"sou"#);
        let notebook = assembled(&bytes).unwrap();
        assert_eq!(
            notebook["cells"],
            json!([cell("a!", "completed"), cell("b", "running")])
        );
        assert_eq!(notebook["metadata"]["language_info"]["name"], "python");
        assert_eq!(
            assembled(&bytes[..bytes.len() - END.len() - 1]),
            None,
            "a stream that broke off"
        );
    }

    #[test]
    fn what_is_there_is_printed_and_where_there_is_nothing_nothing_is() {
        let dir = tempfile::tempdir().unwrap();
        let printed = || {
            let command = printing(dir.path().to_str().unwrap());
            let done = Command::new("sh").args(["-c", &command]).output().unwrap();
            assert!(done.status.success(), "{done:?}");
            done.stdout
        };
        assert!(printed().is_empty());
        let ours = dir.path().join(".manifests-e2e");
        fs::create_dir(&ours).unwrap();
        assert!(printed().is_empty());
        let begun = json!({ "notebook": { "cells": [cell("a", "pending")] } });
        fs::write(ours.join("executed.jsonl"), format!("\n{begun}\n")).unwrap();
        assert_eq!(
            assembled(&printed()).unwrap()["cells"][0],
            cell("a", "pending")
        );
        let running = json!({ "cell": 0, "as": cell("a", "running") });
        fs::write(ours.join("running.json"), format!("\n{running}\n")).unwrap();
        assert_eq!(
            assembled(&printed()).unwrap()["cells"][0],
            cell("a", "running")
        );
    }
}
