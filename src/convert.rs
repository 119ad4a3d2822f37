//! What a bundle or files hold, in the layout of another tool; no cluster is asked.
//!
//! must-gather's layout is that of `oc adm inspect` (openshift/oc, `pkg/cli/admin/inspect/util.go`), as omc reads it
//! (gmeghnag/omc, `cmd/get/get.go`, `cmd/logs/pods.go`).

mod plural;

use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    diagnose::{LogPart, Read, is_log},
    logs::snapshot::Object,
    report::{Exit, Explain},
    status::{ReadError, visit},
};
use plural::Plurals;

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Objects, each counted once.
    pub objects: usize,
    /// Logs of containers.
    pub logs: usize,
}

/// Why nothing was written. What was begun is deleted again.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// What is there already would be mixed with it.
    #[error("`{}` is there already", path.display())]
    Taken {
        /// The directory.
        path: PathBuf,
    },
    /// The files cannot be read.
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    /// The directory cannot be written.
    #[error("cannot write `{}`: {reason}", path.display())]
    Unwritable {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
}

impl Explain for ConvertError {
    fn exit(&self) -> Exit {
        match self {
            Self::Taken { .. } => Exit::BadInput,
            Self::Unreadable(error) => error.exit(),
            Self::Unwritable { .. } => Exit::Infrastructure,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Taken { .. } => Some("name another directory with `--output`".to_owned()),
            Self::Unreadable(error) => error.hint(),
            Self::Unwritable { .. } => None,
        }
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::Unreadable(error) => error.details(),
            _ => Vec::new(),
        }
    }
}

/// Writes what was read as must-gather would have: the directory appears when it is complete.
///
/// # Errors
/// [`ConvertError`].
pub fn must_gather(read: &Read, output: &Path) -> Result<Written, ConvertError> {
    let unwritable = |reason: io::Error| ConvertError::Unwritable {
        path: output.to_owned(),
        reason,
    };
    if output.symlink_metadata().is_ok() {
        let path = output.to_owned();
        return Err(ConvertError::Taken { path });
    }
    let parent = match output.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(unwritable)?;
    let mut building = tempfile::Builder::new();
    let building = building
        .prefix(".must-gather-")
        .tempdir_in(parent)
        .map_err(unwritable)?;
    let tree = Tree(building.path());
    let objects = tree.objects(&read.snapshot.objects).map_err(unwritable)?;
    let logs = tree.logs(&read.paths, &unwritable)?;
    let version = concat!("manifests-e2e\n", env!("CARGO_PKG_VERSION"), "\n");
    fs::write(building.path().join("version"), version).map_err(unwritable)?;
    // It is made for this user alone, as temporary files are.
    let mode = fs::metadata(parent).map_err(unwritable)?.permissions();
    fs::set_permissions(building.path(), mode).map_err(unwritable)?;
    fs::rename(building.path(), output).map_err(unwritable)?;
    // There is nothing under its old name.
    drop(building.keep());
    Ok(Written { objects, logs })
}

/// Objects of one kind and namespace, in one file.
#[derive(Serialize)]
struct List<'a> {
    #[serde(rename = "apiVersion")]
    api_version: &'a str,
    kind: String,
    items: Vec<&'a serde_json::Value>,
}

/// The directory in which the layout is built.
struct Tree<'a>(&'a Path);

impl Tree<'_> {
    fn objects(&self, objects: &[Object]) -> io::Result<usize> {
        let plurals = Plurals::of(objects);
        let mut kinds: BTreeMap<(Option<&str>, String, String), Vec<&Object>> = BTreeMap::new();
        for object in objects.iter().filter(|object| !object.name().is_empty()) {
            let group = object.group();
            let names = plurals.name(group, &object.kind);
            let group = if group.is_empty() { "core" } else { group };
            let place = (object.namespace(), group.to_owned(), names);
            kinds.entry(place).or_default().push(object);
        }
        let mut written = 0;
        for ((namespace, group, plural), objects) in &kinds {
            written += objects.len();
            match namespace {
                Some(namespace) => {
                    self.list(&["namespaces", namespace, group, plural], objects)?;
                    if group == "core" && plural == "pods" {
                        for pod in objects {
                            let path = ["namespaces", namespace, "pods", pod.name(), pod.name()];
                            self.yaml(&path, &pod.value)?;
                        }
                    }
                }
                None if group == "core" && plural == "namespaces" => {
                    for object in objects {
                        let path = ["namespaces", object.name(), object.name()];
                        self.yaml(&path, &object.value)?;
                    }
                }
                // omc takes no file for an object whose name has a colon.
                None if objects.iter().any(|object| object.name().contains(':')) => {
                    self.list(&["cluster-scoped-resources", group, plural], objects)?;
                }
                None => {
                    for object in objects {
                        let path = ["cluster-scoped-resources", group, plural, object.name()];
                        self.yaml(&path, &object.value)?;
                    }
                }
            }
        }
        Ok(written)
    }

    fn list(&self, path: &[&str], objects: &[&Object]) -> io::Result<()> {
        let Some(first) = objects.first() else {
            return Ok(());
        };
        let list = List {
            api_version: &first.api_version,
            kind: format!("{}List", first.kind),
            items: objects.iter().map(|object| &object.value).collect(),
        };
        self.yaml(path, &list)
    }

    fn logs(
        &self,
        paths: &[PathBuf],
        unwritable: &impl Fn(io::Error) -> ConvertError,
    ) -> Result<usize, ConvertError> {
        let mut written = 0;
        let mut failed = None;
        for path in paths {
            visit(path, is_log, &mut |file: &str, bytes: Vec<u8>| {
                let text = String::from_utf8_lossy(&bytes);
                for part in LogPart::of(file, &text) {
                    match self.log(&part) {
                        Ok(()) => written += 1,
                        Err(error) => failed = failed.take().or(Some(error)),
                    }
                }
                Ok(())
            })?;
        }
        failed.map_or(Ok(written), |error| Err(unwritable(error)))
    }

    fn log(&self, part: &LogPart<'_>) -> io::Result<()> {
        let key = &part.key;
        let run = if key.previous {
            "previous.log"
        } else {
            "current.log"
        };
        let container = key.container.as_str();
        let path = [
            "namespaces",
            &key.namespace,
            "pods",
            &key.pod,
            container,
            container,
            "logs",
        ];
        let directory = self.place(&path)?;
        fs::create_dir_all(&directory)?;
        fs::write(directory.join(run), part.text)
    }

    fn yaml(&self, path: &[&str], value: &impl Serialize) -> io::Result<()> {
        let mut file = self.place(path)?.into_os_string();
        file.push(".yaml");
        let file = PathBuf::from(file);
        if let Some(directory) = file.parent() {
            fs::create_dir_all(directory)?;
        }
        let mut file = BufWriter::new(fs::File::create(file)?);
        serde_yaml::to_writer(&mut file, value).map_err(io::Error::other)?;
        file.flush()
    }

    /// A path of the layout. Names come from files of strangers: none leads out of the directory.
    fn place(&self, path: &[&str]) -> io::Result<PathBuf> {
        let is_name =
            |part: &&str| !matches!(*part, "" | "." | "..") && !part.contains(['/', '\0']);
        if let Some(part) = path.iter().find(|part| !is_name(part)) {
            return Err(io::Error::other(format!(
                "`{part}` is no name of an object"
            )));
        }
        Ok(path
            .iter()
            .fold(self.0.to_owned(), |all, part| all.join(part)))
    }
}

#[cfg(test)]
mod tests;
