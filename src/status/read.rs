//! The objects of files, directories and bundles.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde_json::Value;
use zip::ZipArchive;

use crate::{
    report::{Exit, Explain},
    set::objects::{SetError, values},
};

/// An object, and where it was read.
#[derive(Clone, Debug)]
pub struct Found {
    /// `e2e/sample/a.yaml, document 2`.
    pub source: String,
    /// The object, with its status where it has one.
    pub value: Value,
}

/// Why nothing can be told.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A path cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A document is no YAML.
    #[error(transparent)]
    Malformed(#[from] SetError),
    /// No object is there.
    #[error("{} holds no Kubernetes object", path.display())]
    Empty {
        /// The path.
        path: PathBuf,
    },
}

impl Explain for ReadError {
    fn exit(&self) -> Exit {
        Exit::BadInput
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Empty { .. } => Some(
                "name a file of YAML or JSON, a directory of such files, or a bundle of gather-logs"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// Reads the objects of files, directories and bundles, in the order of the paths. What is no object is left out, but each
/// path has to hold one.
///
/// # Errors
/// [`ReadError`].
pub fn read(paths: &[PathBuf]) -> Result<Vec<Found>, ReadError> {
    let mut found = Vec::new();
    for path in paths {
        let before = found.len();
        let unreadable = |reason: io::Error| ReadError::Unreadable {
            path: path.clone(),
            reason: reason.to_string(),
        };
        if path.is_dir() {
            let mut files = Vec::new();
            walk(path, &mut files).map_err(unreadable)?;
            for file in files {
                let text = fs::read_to_string(&file).map_err(unreadable)?;
                take(&file.display().to_string(), &text, &mut found)?;
            }
        } else if is_zip(path).map_err(unreadable)? {
            unpack(path, &mut found)?;
        } else {
            let text = fs::read_to_string(path).map_err(unreadable)?;
            take(&path.display().to_string(), &text, &mut found)?;
        }
        if found.len() == before {
            return Err(ReadError::Empty { path: path.clone() });
        }
    }
    Ok(found)
}

fn take(source: &str, text: &str, found: &mut Vec<Found>) -> Result<(), SetError> {
    // What kustomize reads is no object of a cluster.
    let is_object = |value: &Value| {
        let api_version = value["apiVersion"].as_str().unwrap_or_default();
        !api_version.starts_with("kustomize.config.k8s.io/")
    };
    let values = values(source, text)?.into_iter();
    let values = values.filter(|(_, value)| is_object(value));
    found.extend(values.map(|(source, value)| Found { source, value }));
    Ok(())
}

fn is_manifest(path: &Path) -> bool {
    let end = path.extension().and_then(|end| end.to_str());
    matches!(end, Some("yaml" | "yml" | "json"))
}

/// The files of a directory that may hold objects, by name.
fn walk(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            walk(&path, files)?;
        } else if is_manifest(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn is_zip(path: &Path) -> io::Result<bool> {
    let mut begin = [0; 4];
    let read = File::open(path)?.read(&mut begin)?;
    Ok(read == 4 && begin == *b"PK\x03\x04")
}

fn unpack(path: &Path, found: &mut Vec<Found>) -> Result<(), ReadError> {
    let unreadable = |reason: String| ReadError::Unreadable {
        path: path.to_owned(),
        reason,
    };
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut archive = ZipArchive::new(file).map_err(|error| unreadable(error.to_string()))?;
    for at in 0..archive.len() {
        let mut entry = archive
            .by_index(at)
            .map_err(|error| unreadable(error.to_string()))?;
        let name = entry
            .name()
            .map_err(|error| unreadable(error.to_string()))?
            .into_owned();
        if !entry.is_file() || !is_manifest(Path::new(&name)) {
            continue;
        }
        let mut text = String::new();
        entry
            .read_to_string(&mut text)
            .map_err(|error| unreadable(format!("{name}: {error}")))?;
        take(&name, &text, found)?;
    }
    Ok(())
}
