//! What must not be shown of this run, and what may.

use std::{collections::BTreeSet, path::PathBuf};

use serde_json::Value;

use super::{GatherRequest, results::Results};
use crate::{
    logs::{
        redact::{Marker, Redactor, harvest::Secrets, names::is_secret_name},
        snapshot::{Log, Object, Snapshot, containers},
    },
    record::Record,
};

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
    let objects = || snapshot.objects.iter().chain(rendered.clone());
    let names = names(objects());
    for object in objects() {
        secrets.add_object(object, &names);
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
    Redactor::new(Marker::random(), &secrets, names)
}

/// Names of objects: a Secret that holds one of them as a value (a user, a bucket, a host) must not garble all text.
pub(super) fn names<'a>(objects: impl Iterator<Item = &'a Object>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for object in objects {
        names.insert(object.name().to_owned());
        names.extend(object.namespace().map(str::to_owned));
        names.insert(object.kind.clone());
        words(&object.value, &mut names);
        if object.kind == "Pod" {
            let containers = containers(object);
            names.extend(containers.iter().map(|container| container.name.to_owned()));
        }
    }
    names
}

/// Words of the API in which an object says how it is: a cause is found by them.
fn words(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(word)
                        if matches!(key.as_str(), "reason" | "type" | "phase" | "kind") =>
                    {
                        names.insert(word.clone());
                    }
                    value => words(value, names),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| words(item, names)),
        _ => {}
    }
}

/// What is kept of a log, without its secrets.
pub(super) fn log(file: &str, log: &[u8], redactor: &Redactor) -> Log {
    let text = String::from_utf8_lossy(log);
    Log::of(file, text.lines()).reworded(|text| redactor.text(text))
}

pub(super) fn without_secrets(record: &Record, redactor: &Redactor) -> Record {
    let mut record = record.clone();
    for stage in &mut record.stages {
        stage.cause = redactor.text(&stage.cause);
    }
    record
}
