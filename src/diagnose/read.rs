//! A snapshot from files: objects by their content, logs by their names.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use crate::{
    logs::snapshot::{CpuStats, Log, LogKey, Object, Snapshot},
    status::{self, Found, ReadError, identity},
};

/// Where a bundle keeps the cluster's objects; what else is YAML in it was sent to the cluster, not read from it.
const CLUSTER: &str = "cluster-state/";

/// What files hold.
#[derive(Debug)]
pub struct Read {
    /// The objects as they were found.
    pub found: Vec<Found>,
    /// The same with what is kept of the logs.
    pub snapshot: Snapshot,
    /// The paths that were read.
    pub paths: Vec<PathBuf>,
}

/// Reads files, directories and archives. A file of a directory or an archive that is no YAML is left out with a warning.
///
/// # Errors
/// [`ReadError`]: a path that cannot be read, a named file that is no YAML, a path without an object.
pub fn read(paths: &[PathBuf]) -> Result<Read, ReadError> {
    let mut found: Vec<Found> = Vec::new();
    let mut snapshot = Snapshot::empty("files");
    for path in paths {
        let before = found.len();
        status::visit(path, is_wanted, &mut |file: &str, bytes: Vec<u8>| {
            if let Some(cpu) = CpuStats::read(file, &bytes) {
                snapshot.cpu = cpu;
                return Ok(());
            }
            if is_log(Path::new(file)) {
                let text = String::from_utf8_lossy(&bytes);
                let logs = LogPart::of(file, &text).into_iter();
                snapshot.logs.extend(logs.map(|part| part.read(file)));
                return Ok(());
            }
            match status::take(file, bytes, &mut found) {
                Err(error) if Path::new(file) != path.as_path() => {
                    tracing::warn!("left out: {error}");
                    Ok(())
                }
                taken => taken,
            }
        })?;
        if found.len() == before {
            return Err(ReadError::Empty { path: path.clone() });
        }
        let of_path = found.split_off(before);
        let is_bundle = of_path.iter().any(|it| it.source.contains(CLUSTER));
        let of_cluster = of_path.into_iter();
        found.extend(of_cluster.filter(|it| !is_bundle || it.source.contains(CLUSTER)));
    }
    // What the server serves is told in the same form.
    let is_object = |it: &Found| {
        let version = it.value["apiVersion"].as_str().unwrap_or_default();
        !version.starts_with("apidiscovery.k8s.io/")
    };
    found.retain(is_object);
    // Dumps hold an object more than once.
    let mut seen = HashSet::new();
    found.retain(|it| {
        let id = identity(&it.value);
        id.name.is_empty() || seen.insert(id)
    });
    let objects = found.iter().filter_map(|it| {
        let file = it.source.split(", document ").next().unwrap_or_default();
        let mut object = Object::of(it.value.clone())?;
        file.clone_into(&mut object.file);
        Some(object)
    });
    snapshot.objects = objects.collect();
    Ok(Read {
        found,
        snapshot,
        paths: paths.to_vec(),
    })
}

/// Whether a file may hold logs, by its name.
pub fn is_log(path: &Path) -> bool {
    let end = path.extension().and_then(|end| end.to_str());
    end == Some("log") || path.file_name().is_some_and(|name| name == "logs.txt")
}

fn is_wanted(path: &Path) -> bool {
    is_log(path) || status::is_manifest(path) || CpuStats::is_in(&path.to_string_lossy())
}

/// A log as a file has it: all of the file, or a part.
#[derive(Debug, PartialEq, Eq)]
pub struct LogPart<'a> {
    /// Whose it is.
    pub key: LogKey,
    /// Lines of the file before it.
    pub before: usize,
    /// What it says.
    pub text: &'a str,
}

impl<'a> LogPart<'a> {
    /// The logs of a file, by the layouts that are known: crust-gather's and must-gather's name the run in the file, a
    /// support bundle the container; `cluster-info dump` has all containers of a pod in one file.
    pub fn of(file: &str, text: &'a str) -> Vec<Self> {
        let parts: Vec<&str> = file.split('/').collect();
        let key = |namespace: &str, pod: &str, container: &str, previous: bool| LogKey {
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            container: container.to_owned(),
            previous,
        };
        let whole = |key: LogKey| {
            let before = 0;
            vec![Self { key, before, text }]
        };
        match parts.as_slice() {
            [
                ..,
                "namespaces",
                namespace,
                "v1",
                "pod",
                pod,
                container,
                run,
            ]
            | [
                ..,
                "namespaces",
                namespace,
                "pods",
                pod,
                _,
                container,
                "logs",
                run,
            ] => whole(key(namespace, pod, container, *run == "previous.log")),
            [.., "pods", "logs", namespace, pod, name] => {
                let name = name.trim_end_matches(".log");
                let container = name.strip_suffix("-previous");
                let previous = container.is_some();
                whole(key(namespace, pod, container.unwrap_or(name), previous))
            }
            [.., namespace, pod, "logs.txt"] => sections(text)
                .map(|(container, before, text)| Self {
                    key: key(namespace, pod, container, false),
                    before,
                    text,
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    fn read(self, file: &str) -> (LogKey, Log) {
        (
            self.key,
            Log::of(file, self.text.lines()).after(self.before),
        )
    }
}

/// Container, lines before it and text of each log in a file of `cluster-info dump`.
fn sections(text: &str) -> impl Iterator<Item = (&str, usize, &str)> {
    const BEGIN: &str = "==== START logs for container ";
    const END: &str = "==== END logs ";
    let mut found = Vec::new();
    // Container, lines before its log, byte at which that begins.
    let mut open: Option<(&str, usize, usize)> = None;
    let mut at = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if line.starts_with(END) {
            found.extend(
                open.take()
                    .map(|(name, before, begin)| (name, before, &text[begin..at])),
            );
        } else if let (None, Some(head)) = (open, line.strip_prefix(BEGIN)) {
            let name = head.split_whitespace().next().unwrap_or_default();
            open = Some((name, number + 1, at + line.len()));
        }
        at += line.len();
    }
    found.extend(open.map(|(name, before, begin)| (name, before, &text[begin..])));
    found.into_iter()
}
