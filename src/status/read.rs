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
    yaml,
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

    fn details(&self) -> Vec<String> {
        match self {
            Self::Malformed(error) => error.details(),
            _ => Vec::new(),
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
        visit(path, is_manifest, &mut |file: &str, bytes: Vec<u8>| {
            take(file, bytes, &mut found)
        })?;
        if found.len() == before {
            return Err(ReadError::Empty { path: path.clone() });
        }
    }
    Ok(found)
}

/// Reads a file, or those files of a directory or an archive that are `wanted`, by name. Each is handed on with its name
/// and its content.
///
/// # Errors
/// [`ReadError::Unreadable`], and whatever `take` refuses.
pub fn visit(
    path: &Path,
    wanted: impl Fn(&Path) -> bool,
    take: &mut impl FnMut(&str, Vec<u8>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    if path.is_dir() {
        let mut files = Vec::new();
        walk(path, &mut files).map_err(unreadable(path))?;
        for file in files.into_iter().filter(|file| wanted(file)) {
            let bytes = fs::read(&file).map_err(unreadable(path))?;
            take(&file.display().to_string(), bytes)?;
        }
        return Ok(());
    }
    match begin(path).map_err(unreadable(path))? {
        [b'P', b'K', 3, 4] => unzip(path, wanted, take),
        [0x1f, 0x8b, ..] => untar(path, wanted, take),
        _ => {
            let bytes = fs::read(path).map_err(unreadable(path))?;
            take(&path.display().to_string(), bytes)
        }
    }
}

/// Takes the objects of a file, with the documents that they stand in.
///
/// # Errors
/// [`ReadError::Malformed`].
pub fn take(source: &str, bytes: Vec<u8>, found: &mut Vec<Found>) -> Result<(), ReadError> {
    let text = yaml::decode(bytes).map_err(|fault| SetError::of(source, fault))?;
    // What kustomize reads is no object of a cluster.
    let is_object = |value: &Value| {
        let api_version = value["apiVersion"].as_str().unwrap_or_default();
        !api_version.starts_with("kustomize.config.k8s.io/")
    };
    let values = values(source, &text)?.into_iter();
    let values = values.filter(|(_, value)| is_object(value));
    found.extend(values.map(|(source, value)| Found { source, value }));
    Ok(())
}

/// Whether a file may hold objects, by its name.
pub fn is_manifest(path: &Path) -> bool {
    let end = path.extension().and_then(|end| end.to_str());
    matches!(end, Some("yaml" | "yml" | "json"))
}

/// The files of a directory, by name.
fn walk(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            walk(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// That a path cannot be read, for a reason.
fn unreadable<R: ToString>(path: &Path) -> impl Fn(R) -> ReadError {
    move |reason| ReadError::Unreadable {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

/// The first bytes of a file, which say what it is.
fn begin(path: &Path) -> io::Result<[u8; 4]> {
    let mut begin = [0; 4];
    let read = File::open(path)?.read(&mut begin)?;
    // A shorter file is no archive.
    Ok(if read == begin.len() { begin } else { [0; 4] })
}

fn unzip(
    path: &Path,
    wanted: impl Fn(&Path) -> bool,
    take: &mut impl FnMut(&str, Vec<u8>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let file = File::open(path).map_err(unreadable(path))?;
    let mut archive = ZipArchive::new(file).map_err(unreadable(path))?;
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at).map_err(unreadable(path))?;
        let name = entry.name().map_err(unreadable(path))?.into_owned();
        if !entry.is_file() || !wanted(Path::new(&name)) {
            continue;
        }
        let mut bytes = Vec::new();
        entry
            .read_to_end(&mut bytes)
            .map_err(|error| unreadable(path)(format!("{name}: {error}")))?;
        take(&name, bytes)?;
    }
    Ok(())
}

fn untar(
    path: &Path,
    wanted: impl Fn(&Path) -> bool,
    take: &mut impl FnMut(&str, Vec<u8>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let file = File::open(path).map_err(unreadable(path))?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    for entry in archive.entries().map_err(unreadable(path))? {
        let mut entry = entry.map_err(unreadable(path))?;
        let name = entry
            .path()
            .map_err(unreadable(path))?
            .display()
            .to_string();
        if !entry.header().entry_type().is_file() || !wanted(Path::new(&name)) {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(unreadable(path))?;
        take(&name, bytes)?;
    }
    Ok(())
}
