//! A snapshot from files: objects by their content, logs by their names.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
};

use crate::{
    logs::snapshot::{LogKey, Object, Snapshot},
    status::{self, Found, ReadError, identity},
};

/// Lines of a log that are looked at.
const TAIL: usize = 40;

/// Where a bundle keeps the cluster's objects; what else is YAML in it was sent to the cluster, not read from it.
const CLUSTER: &str = "cluster-state/";

/// What files hold.
#[derive(Debug)]
pub struct Read {
    /// The objects as they were found.
    pub found: Vec<Found>,
    /// The same with the ends of the logs.
    pub snapshot: Snapshot,
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
            let text = String::from_utf8_lossy(&bytes);
            if is_log(Path::new(file)) {
                snapshot.tails.extend(logs(file, &text));
                return Ok(());
            }
            match status::take(file, &text, &mut found) {
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
    }
    if found.iter().any(|it| it.source.contains(CLUSTER)) {
        found.retain(|it| it.source.contains(CLUSTER));
    }
    // Dumps hold an object more than once.
    let mut seen = HashSet::new();
    found.retain(|it| {
        let id = identity(&it.value);
        id.name.is_empty() || seen.insert(id)
    });
    let objects = found.iter().map(|it| it.value.clone());
    snapshot.objects = objects.filter_map(Object::of).collect();
    Ok(Read { found, snapshot })
}

fn is_log(path: &Path) -> bool {
    let end = path.extension().and_then(|end| end.to_str());
    end == Some("log") || path.file_name().is_some_and(|name| name == "logs.txt")
}

fn is_wanted(path: &Path) -> bool {
    is_log(path) || status::is_manifest(path)
}

/// The logs of a file, by the layouts that are known: crust-gather's and must-gather's name the run in the file, a support
/// bundle the container; `cluster-info dump` has all containers of a pod in one file.
fn logs(file: &str, text: &str) -> BTreeMap<LogKey, Vec<String>> {
    let parts: Vec<&str> = file.split('/').collect();
    let key = |namespace: &str, pod: &str, container: &str, previous: bool| LogKey {
        namespace: namespace.to_owned(),
        pod: pod.to_owned(),
        container: container.to_owned(),
        previous,
    };
    let one = |key: LogKey| BTreeMap::from([(key, tail(text.lines()))]);
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
        ] => one(key(namespace, pod, container, *run == "previous.log")),
        [.., "pods", "logs", namespace, pod, name] => {
            let name = name.trim_end_matches(".log");
            let container = name.strip_suffix("-previous");
            let previous = container.is_some();
            one(key(namespace, pod, container.unwrap_or(name), previous))
        }
        [.., namespace, pod, "logs.txt"] => sections(text)
            .map(|(container, lines)| (key(namespace, pod, container, false), lines))
            .collect(),
        _ => BTreeMap::new(),
    }
}

/// Container and lines of each part of a file of `cluster-info dump`.
fn sections(text: &str) -> impl Iterator<Item = (&str, Vec<String>)> {
    let parts = text.split("==== START logs for container ").skip(1);
    parts.filter_map(|part| {
        let (head, lines) = part.split_once('\n')?;
        let container = head.split(' ').next()?;
        let lines = lines
            .lines()
            .take_while(|it| !it.starts_with("==== END logs "));
        Some((container, tail(lines)))
    })
}

/// The last lines, without the time that kubectl and crust-gather put before each.
fn tail<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let lines: Vec<&str> = lines.filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(TAIL)..];
    let plain = |line: &&str| {
        let rest = line.split_once(' ');
        let rest = rest.filter(|(time, _)| time.parse::<jiff::Timestamp>().is_ok());
        rest.map_or(*line, |(_, rest)| rest).to_owned()
    };
    last.iter().map(plain).collect()
}
