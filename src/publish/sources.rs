//! Where the objects that failed are written: files of a directory, by kind and name.
//!
//! What kustomize renames is not found, and what is written twice is not shown: a wrong line would be worse than none.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{Diagnosis, text::clipped};
use crate::{
    status::{identity, is_manifest},
    yaml,
};

/// Larger files are not written by hand.
const LARGEST: u64 = 1024 * 1024;
/// Files that are looked at.
const MAX_FILES: usize = 20_000;
/// Characters of the text of an annotation.
const MAX_MESSAGE: usize = 1000;

/// An object, and where it is written.
struct Written {
    /// `Deployment namespace/name`, or without the namespace where kustomize sets it.
    object: String,
    path: PathBuf,
    line: usize,
}

/// The annotations of a check run, for objects that failed and whose place is known.
pub(super) fn annotations(directory: &Path, diagnosis: &Diagnosis, cause: &str) -> Vec<Value> {
    let written = written(directory);
    let mut annotations = Vec::new();
    for one in &diagnosis.because {
        for object in &one.affects {
            let found: Vec<&Written> = written
                .iter()
                .filter(|it| is_same(object, &it.object))
                .collect();
            let [place] = found.as_slice() else {
                continue;
            };
            annotations.push(json!({
                "path": place.path,
                "start_line": place.line,
                "end_line": place.line,
                "annotation_level": "failure",
                "title": clipped(object, 255),
                "message": clipped(&format!("{} ({cause})", one.line), MAX_MESSAGE),
            }));
        }
    }
    annotations
}

/// Whether they are the same, where one of them may leave the namespace out.
fn is_same(object: &str, written: &str) -> bool {
    let parts = |text: &str| -> Option<(String, Option<String>, String)> {
        let (kind, name) = text.split_once(' ')?;
        Some(match name.split_once('/') {
            Some((namespace, name)) => {
                (kind.to_owned(), Some(namespace.to_owned()), name.to_owned())
            }
            None => (kind.to_owned(), None, name.to_owned()),
        })
    };
    let (Some((kind, namespace, name)), Some(written)) = (parts(object), parts(written)) else {
        return false;
    };
    let same_namespace = written.1.is_none() || written.1 == namespace;
    kind == written.0 && name == written.2 && same_namespace
}

/// The objects of all files below a directory.
fn written(directory: &Path) -> Vec<Written> {
    let (mut found, mut left, mut files) = (Vec::new(), vec![directory.to_owned()], 0);
    while let Some(path) = left.pop() {
        // Links may lead anywhere, and round and round.
        let Ok(kind) = fs::symlink_metadata(&path) else {
            continue;
        };
        if kind.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            left.extend(entries.map(|entry| entry.path()));
        } else if kind.is_file() && kind.len() <= LARGEST && is_manifest(&path) && files < MAX_FILES
        {
            files += 1;
            let text = fs::read(&path)
                .ok()
                .and_then(|bytes| yaml::decode(bytes).ok());
            let shown = path.strip_prefix(".").unwrap_or(&path);
            found.extend(text.into_iter().flat_map(|text| objects(shown, &text)));
        }
    }
    found
}

fn objects(path: &Path, text: &str) -> Vec<Written> {
    let documents = yaml::documents(text);
    let read = documents.iter().filter_map(|document| {
        let id = identity(&document.read().ok()?);
        if id.name.is_empty() || id.kind == "Kustomization" {
            return None;
        }
        Some(Written {
            object: id.to_string(),
            path: path.to_owned(),
            line: document.line(),
        })
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::Cause;

    #[test]
    fn an_object_is_shown_where_it_is_written_once() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write(
            "a.yaml",
            "# a comment\nkind: Service\napiVersion: v1\nmetadata: {name: a}\n---\n\n# about it\nkind: Deployment\napiVersion: apps/v1\nmetadata:\n  name: web\n",
        );
        write(
            "b.yaml",
            "kind: Job\nmetadata: {name: twice, namespace: n}\n---\nkind: Job\nmetadata: {name: twice, namespace: n}\n",
        );
        write(
            "kustomization.yaml",
            "kind: Kustomization\nmetadata: {name: web}\n",
        );
        write("broken.yaml", "a: [\n");
        write("README.md", "kind: Deployment\n");
        let affects = ["Deployment n/web", "Job n/twice", "Pod n/web-1"];
        let diagnosis = Diagnosis {
            because: vec![Cause {
                class: None,
                affects: affects.map(str::to_owned).to_vec(),
                line: "it crashes".to_owned(),
            }],
            also: Vec::new(),
        };
        let annotations = annotations(dir.path(), &diagnosis, "deploy-manifests: no");
        assert_eq!(annotations.len(), 1, "{annotations:?}");
        let one = &annotations[0];
        assert!(one["path"].as_str().unwrap().ends_with("a.yaml"));
        assert_eq!(
            (&one["start_line"], &one["title"]),
            (&json!(8), &json!("Deployment n/web"))
        );
        assert_eq!(one["message"], "it crashes (deploy-manifests: no)");
    }

    #[test]
    fn a_namespace_that_is_written_has_to_be_the_same() {
        assert!(is_same("Deployment n/web", "Deployment web"));
        assert!(is_same("ClusterRole a", "ClusterRole a"));
        assert!(!is_same("Deployment n/web", "Deployment m/web"));
        assert!(!is_same("Deployment n/web", "StatefulSet web"));
    }
}
