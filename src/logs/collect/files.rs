//! What this job left on the runner: the stages' record, what was deployed, reports and the executed notebook.
//!
//! Files are taken by name; a kubeconfig, a key, or anything else of the state directory never is, nor what other jobs left
//! there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::clip::{self, Clipped};
use crate::{
    logs::{
        redact::{Redactor, structure},
        snapshot::Object,
    },
    record::Record,
    yaml,
};

/// Larger files are no results of ours.
const LARGEST: u64 = 64 * 1024 * 1024;
/// How deep results lie in the state directory.
const DEPTH: usize = 3;

/// The results in a state directory, by their path in it.
pub fn results(state: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(state, Path::new(""), DEPTH, &mut found);
    found.sort();
    found
}

fn walk(state: &Path, below: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(state.join(below)) else {
        return;
    };
    for entry in entries.flatten() {
        let path = below.join(entry.file_name());
        // Links may lead anywhere.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 1 => walk(state, &path, depth - 1, found),
            Ok(kind) if kind.is_file() && is_result(&path) => found.push(path),
            _ => {}
        }
    }
}

/// By its ending, or by the name that a stage of ours gives it: no key and no kubeconfig has one of these.
fn is_result(path: &Path) -> bool {
    // Of other jobs, on a machine where the directory is shared, and of this stage.
    if path.starts_with("runs") || path.starts_with("gathered") {
        return false;
    }
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
        .to_ascii_lowercase();
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension {
        Some("ipynb" | "xml" | "log" | "tsv") => true,
        Some("json") => name.contains("report"),
        Some("yaml" | "yml") => name.contains("rendered"),
        _ => false,
    }
}

/// The objects of a rendered set of manifests, for harvesting its secrets before anything is written.
///
/// # Errors
/// Why it cannot be read; then it must not be taken.
pub fn objects(path: &Path) -> Result<Vec<Object>, String> {
    let text = yaml::decode(read(path)?.bytes).map_err(|fault| fault.to_string())?;
    let mut objects = Vec::new();
    for document in yaml::documents(&text) {
        match document.read().map_err(|faults| faults[0].to_string())? {
            Value::Null => {}
            value => objects.push(Object::of(value).ok_or("a document in it is no object")?),
        }
    }
    Ok(objects)
}

/// Such objects as YAML without their secrets.
pub fn rendered(objects: Vec<Object>, redactor: &Redactor) -> String {
    let mut text = String::new();
    for mut object in objects {
        structure::scrub(&mut object, redactor);
        text.push_str("---\n");
        text.push_str(&yaml::write(&object.value));
    }
    text
}

/// A file, whole.
///
/// # Errors
/// Why it cannot be taken.
pub fn read(path: &Path) -> Result<Clipped, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if path.extension().is_some_and(|extension| extension == "log") {
        let file = fs::File::open(path).map_err(|error| error.to_string())?;
        return clip::read(file, super::containers::HEAD, super::containers::TAIL)
            .map_err(|error| error.to_string());
    }
    if size > LARGEST {
        return Err(format!("it has {} MiB", size / 1024 / 1024));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    Ok(Clipped::whole(bytes))
}

/// How the stages went, without the ways to the host.
pub fn stages(record: &Record) -> String {
    let steps: Vec<_> = record
        .steps
        .iter()
        .map(|step| json!({"name": step.name, "at": step.at, "done": step.result.is_some()}))
        .collect();
    let text = json!({
        "run": record.run,
        "launch": record.launch.as_ref().map(|launch| json!({
            "provider": launch.provider, "region": launch.region, "instance_id": launch.instance_id,
            "security_group_id": launch.security_group_id, "expires_at": launch.expires_at,
        })),
        "cluster": record.cluster.as_ref().map(|cluster| &cluster.name),
        "steps": steps,
        "stages": record.stages,
    });
    format!("{text:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_taken_and_keys_are_not() {
        let dir = tempfile::tempdir().unwrap();
        for file in [
            "rendered.yaml",
            "kubeconfig",
            "kubeconfig.yaml",
            "record.json",
            "id_ed25519",
            "notebook/executed.ipynb",
            "notebook/junit.xml",
            "deploy/report.json",
            "gathered/old-report.json",
            "tunnel.log",
            "kind.yaml",
            "tests/tokenizer/grid_search_key.ipynb",
            "runs/1234/rendered.yaml",
            "runs/1234/tunnel.log",
            "record-1.json",
        ] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let found: Vec<_> = results(dir.path())
            .into_iter()
            .map(|path| path.display().to_string())
            .collect();
        assert_eq!(
            found,
            [
                "deploy/report.json",
                "notebook/executed.ipynb",
                "notebook/junit.xml",
                "rendered.yaml",
                "tests/tokenizer/grid_search_key.ipynb",
                "tunnel.log"
            ]
        );
    }

    #[test]
    fn what_was_deployed_is_shown_without_its_secrets() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rendered.yaml");
        fs::write(
            &path,
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: abc}\n---\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n",
        )
        .unwrap();
        let text = rendered(objects(&path).unwrap(), &Redactor::blind());
        assert!(text.contains("a: <redacted len=3"), "{text}");
        assert!(
            !text.contains("abc") && text.contains("ConfigMap"),
            "{text}"
        );
        fs::write(&path, "- no\n- object\n").unwrap();
        assert!(objects(&path).is_err());
    }
}
