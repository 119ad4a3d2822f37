//! What must not be shown of this run, and what may.

use std::{collections::BTreeSet, path::PathBuf};

use jiff::Timestamp;

use super::{GatherRequest, Results};
use crate::{
    logs::{
        redact::{
            Marker, Redactor,
            harvest::{Secrets, is_secret_name},
        },
        snapshot::{Snapshot, containers},
    },
    record::Record,
};

/// Lines of a log that describe and report may show.
const TAIL_LINES: usize = 40;
/// A shorter value of our own environment is a setting rather than a secret.
const SHORTEST_OF_OURS: usize = 12;

/// All that must not be shown: the cluster's secrets, those of the manifests, and our own.
pub(super) fn redactor(
    wanted: &GatherRequest<'_>,
    snapshot: &Snapshot,
    results: &Results,
) -> Redactor {
    let mut secrets = Secrets::default();
    let rendered = results
        .iter()
        .filter_map(|(_, objects)| objects.as_ref()?.as_ref().ok())
        .flatten();
    for object in snapshot.objects.iter().chain(rendered) {
        secrets.add_object(object);
    }
    for (name, value) in wanted.env.iter() {
        if value.len() >= SHORTEST_OF_OURS && is_secret_name(name) {
            secrets.add(value.as_bytes());
        }
    }
    let record = wanted.store.record();
    let kubeconfigs = wanted
        .cluster
        .as_ref()
        .map_or("", |cluster| cluster.kubeconfig.as_str())
        .split(':')
        .map(PathBuf::from)
        .chain(
            record
                .cluster
                .as_ref()
                .map(|cluster| cluster.kubeconfig.clone()),
        );
    for file in kubeconfigs {
        if let Ok(text) = std::fs::read_to_string(file) {
            secrets.add_kubeconfig(&text);
        }
    }
    let key = record
        .host
        .as_ref()
        .and_then(|host| host.private_key.as_ref());
    if let Some(text) = key.and_then(|key| std::fs::read(key).ok()) {
        secrets.add(&text);
    }
    Redactor::new(Marker::random(), &secrets, &names(snapshot))
}

/// Names of objects: a Secret that holds one of them as a value (a user, a bucket, a host) must not garble all text.
fn names(snapshot: &Snapshot) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for object in &snapshot.objects {
        names.insert(object.name().to_owned());
        names.extend(object.namespace().map(str::to_owned));
        if object.kind == "Pod" {
            let containers = containers(object);
            names.extend(containers.iter().map(|container| container.name.to_owned()));
        }
    }
    names
}

/// The last lines of a log without their timestamps and secrets.
pub(super) fn tail(log: &[u8], redactor: &Redactor) -> Vec<String> {
    let from = log
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, byte)| **byte == b'\n')
        .nth(TAIL_LINES)
        .map_or(0, |(at, _)| at + 1);
    let text = redactor.text(&String::from_utf8_lossy(&log[from..]));
    let line = |line: &str| {
        let line = line
            .split_once(' ')
            .filter(|(time, _)| time.parse::<Timestamp>().is_ok())
            .map_or(line, |(_, line)| line);
        line.chars().take(400).collect::<String>()
    };
    text.lines()
        .map(line)
        .filter(|line| !line.trim().is_empty())
        .collect()
}

pub(super) fn without_secrets(record: &Record, redactor: &Redactor) -> Record {
    let mut record = record.clone();
    for stage in &mut record.stages {
        stage.cause = redactor.text(&stage.cause);
    }
    record
}
