//! Renders the manifests once: kustomize directories and URLs by kustomize, files and URLs of YAML as they are.
//!
//! Given lines as the user wrote them; refuses what does not exist. Only a network that fails is tried again.

mod error;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{process::Command, time::Instant};

use crate::{
    http_client,
    inputs::Environment,
    limits::Deadline,
    report::innermost,
    set::{
        lint::LintFinding,
        objects::{self, Object, SetError},
    },
    wait, yaml,
};

pub use error::BuildError;

/// How often a remote base is tried in all.
const ATTEMPTS: u32 = 3;
/// Pause before the second try; it doubles.
const PAUSE: Duration = Duration::from_secs(2);
/// What kustomize and git say when the network is at fault and not the manifests.
const NETWORK: [&str; 14] = [
    "hit 27s timeout",
    "could not resolve host",
    "no such host",
    "early eof",
    "i/o timeout",
    "tls handshake timeout",
    "connection reset",
    "connection refused",
    "connection timed out",
    "temporary failure",
    "network is unreachable",
    "unexpected disconnect",
    "the remote end hung up",
    "context deadline exceeded",
];

/// What a line of `manifests` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A directory of kustomize's.
    Directory(PathBuf),
    /// A URL that kustomize understands.
    Remote(String),
    /// A file of YAML or JSON.
    File(PathBuf),
    /// A URL of a file of YAML or JSON.
    Download(String),
}

impl Source {
    /// Whether kustomize renders it.
    pub fn needs_kustomize(&self) -> bool {
        matches!(self, Self::Directory(_) | Self::Remote(_))
    }
}

/// What was rendered.
#[derive(Debug)]
pub struct Rendered {
    /// The text as it came, sources in order.
    pub text: String,
    /// Its objects, in order.
    pub objects: Vec<Object>,
    /// What was found out on the way.
    pub findings: Vec<LintFinding>,
    /// How long that took.
    pub took: Duration,
}

/// Tells what each line names, before anything is run.
///
/// # Errors
/// [`BuildError::Missing`].
pub fn sources(lines: &[String]) -> Result<Vec<(String, Source)>, BuildError> {
    let tell = |line: &String| Ok((line.clone(), source(line)?));
    lines.iter().map(tell).collect()
}

fn source(line: &str) -> Result<Source, BuildError> {
    let path = Path::new(line);
    if path.is_dir() {
        return Ok(Source::Directory(path.to_owned()));
    }
    if path.is_file() {
        let is_kustomization = matches!(
            path.file_name().and_then(|name| name.to_str()),
            Some("kustomization.yaml" | "kustomization.yml" | "Kustomization")
        );
        return Ok(match path.parent() {
            Some(parent) if is_kustomization && parent.as_os_str().is_empty() => {
                Source::Directory(PathBuf::from("."))
            }
            Some(parent) if is_kustomization => Source::Directory(parent.to_owned()),
            _ => Source::File(path.to_owned()),
        });
    }
    if let Ok(url) = url::Url::parse(line)
        && matches!(url.scheme(), "http" | "https")
    {
        let is_file = [".yaml", ".yml", ".json"]
            .iter()
            .any(|end| url.path().ends_with(end));
        return Ok(if is_file {
            Source::Download(line.to_owned())
        } else {
            Source::Remote(line.to_owned())
        });
    }
    // What git knows: `github.com/owner/name//path?ref=v1`, `git@host:owner/name`, `ssh://…`.
    let remote = ["github.com/", "git@", "ssh://", "git::", "file://"];
    if remote.iter().any(|start| line.starts_with(start)) {
        return Ok(Source::Remote(line.to_owned()));
    }
    Err(BuildError::NoFile {
        line: line.to_owned(),
        path: std::path::absolute(line).unwrap_or_else(|_| path.to_owned()),
        below: below(Path::new("."), path),
    })
}

/// The directories of `dir` below which a relative path is there: where a workflow has set `working-directory`.
fn below(dir: &Path, path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let with_it = entries.filter(|entry| path.is_relative() && entry.path().join(path).exists());
    let mut names: Vec<String> = with_it
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort_unstable();
    names
}

/// Renders every source, in order, with the kustomize at `kustomize`.
///
/// # Errors
/// [`BuildError`]; nothing is written anywhere.
pub async fn render(
    sources: &[(String, Source)],
    kustomize: &Path,
    env: &Environment,
    deadline: Deadline,
) -> Result<Rendered, BuildError> {
    let begun = Instant::now();
    let mut rendered = Rendered {
        text: String::new(),
        objects: Vec::new(),
        findings: Vec::new(),
        took: Duration::ZERO,
    };
    let mut errors = Vec::new();
    for (line, source) in sources {
        let bytes = match fetch(line, source, kustomize, env, deadline).await {
            Ok(bytes) => bytes,
            Err(error) if errors.is_empty() => return Err(error),
            // What came first is told.
            Err(_) => break,
        };
        match read(line, bytes) {
            Ok((text, objects)) => {
                rendered.objects.extend(objects);
                if !rendered.text.is_empty() {
                    rendered.text.push_str("\n---\n");
                }
                rendered.text.push_str(&text);
            }
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(SetError::all(errors).into());
    }
    if rendered.objects.is_empty() {
        return Err(SetError::Empty.into());
    }
    rendered.took = begun.elapsed();
    Ok(rendered)
}

async fn fetch(
    line: &str,
    source: &Source,
    kustomize: &Path,
    env: &Environment,
    deadline: Deadline,
) -> Result<Vec<u8>, BuildError> {
    match source {
        Source::File(path) => {
            let read = tokio::fs::read(path).await;
            read.map_err(|error| BuildError::Unreadable {
                path: line.to_owned(),
                reason: error.to_string(),
            })
        }
        Source::Download(url) => attempts(line, deadline, || download(url)).await,
        Source::Directory(path) => {
            let target = path.as_os_str();
            attempts(line, deadline, || build(line, kustomize, target, env)).await
        }
        Source::Remote(url) => {
            let target = url.as_ref();
            attempts(line, deadline, || build(line, kustomize, target, env)).await
        }
    }
}

/// The text of a source, and its objects.
fn read(line: &str, bytes: Vec<u8>) -> Result<(String, Vec<Object>), SetError> {
    let text = yaml::decode(bytes).map_err(|fault| SetError::of(line, fault))?;
    let objects = objects::read(line, &text)?;
    Ok((yaml::with_marks(text), objects))
}

/// Why one attempt gave nothing.
enum Attempt {
    /// The network: try again.
    Network(String),
    /// Anything else.
    Final(BuildError),
}

async fn attempts<F>(
    line: &str,
    deadline: Deadline,
    attempt: impl Fn() -> F,
) -> Result<Vec<u8>, BuildError>
where
    F: Future<Output = Result<Vec<u8>, Attempt>>,
{
    let mut pause = PAUSE;
    for number in 1.. {
        let result = deadline.bound(attempt()).await;
        match result.map_err(|_| BuildError::TimedOut(line.to_owned()))? {
            Ok(bytes) => return Ok(bytes),
            Err(Attempt::Final(error)) => return Err(error),
            Err(Attempt::Network(reason)) if number >= ATTEMPTS => {
                return Err(BuildError::Unreachable {
                    line: line.to_owned(),
                    reason,
                });
            }
            Err(Attempt::Network(reason)) => {
                tracing::warn!("{line}: {reason}; trying again");
                let paused = deadline.bound(wait::pause(pause)).await;
                paused.map_err(|_| BuildError::TimedOut(line.to_owned()))?;
                pause *= 2;
            }
        }
    }
    unreachable!("the last attempt returns")
}

async fn build(
    line: &str,
    kustomize: &Path,
    target: &std::ffi::OsStr,
    env: &Environment,
) -> Result<Vec<u8>, Attempt> {
    let ran = Command::new(kustomize)
        .arg("build")
        .arg(target)
        .env_clear()
        .envs(env.for_git())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    let output = ran.map_err(|error| {
        Attempt::Final(BuildError::NoKustomize {
            program: kustomize.display().to_string(),
            reason: error.to_string(),
        })
    })?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() {
        for warning in said.lines() {
            tracing::warn!("kustomize: {}", warning.trim_start_matches("# Warning: "));
        }
        return Ok(output.stdout);
    }
    let low = said.to_lowercase();
    Err(if NETWORK.iter().any(|sign| low.contains(sign)) {
        Attempt::Network(last_line(&said).to_owned())
    } else {
        Attempt::Final(BuildError::Refused {
            line: line.to_owned(),
            output: said,
        })
    })
}

async fn download(url: &str) -> Result<Vec<u8>, Attempt> {
    let network = |error: reqwest::Error| Attempt::Network(innermost(&error));
    let client = http_client::client().map_err(network)?;
    let response = client.get(url).send().await.map_err(network)?;
    let status = response.status();
    if status.is_server_error() || status == http::StatusCode::TOO_MANY_REQUESTS {
        return Err(Attempt::Network(format!("it answers {status}")));
    }
    if !status.is_success() {
        return Err(Attempt::Final(BuildError::Missing(format!(
            "{url}, which answers {status},"
        ))));
    }
    let body = response.bytes().await.map_err(network)?;
    Ok(body.into())
}

fn last_line(output: &str) -> &str {
    output
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("it said nothing")
        .trim_start_matches("Error: ")
}

#[cfg(test)]
mod tests;
