//! Where a tree is read from: a bucket, or a directory that holds the same.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::HistoryError;
use crate::{
    limits::Deadline,
    logs::s3::{Bucket, Object, Target},
    provider::ec2::Access,
};

/// Bytes of one file at most. A report of 100,000 cases is smaller.
const LARGEST: u64 = 16 << 20;

/// A tree.
#[derive(Debug)]
pub enum Source {
    /// On this machine.
    Directory(PathBuf),
    /// In S3, for all requests that are to come.
    Bucket(Box<Bucket>),
}

/// What a file of a tree is found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// It is not there.
    Absent,
    /// It cannot be used, and why.
    Spoiled(String),
    /// What it holds.
    Bytes(Vec<u8>),
}

/// The names directly below a directory.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) directories: Vec<String>,
    pub(super) files: Vec<String>,
}

impl Source {
    /// Opens a tree by how it was typed: `s3://bucket/prefix`, or a path.
    ///
    /// # Errors
    /// [`HistoryError`]: a URI or a directory that cannot be meant, a bucket that does not answer.
    pub async fn open(
        text: &str,
        access: &Access,
        deadline: Deadline,
    ) -> Result<Self, HistoryError> {
        if !text.starts_with("s3:") {
            return match fs::read_dir(text) {
                Ok(_) => Ok(Self::Directory(text.into())),
                Err(error) => Err(HistoryError::NoDirectory {
                    path: text.into(),
                    reason: error.to_string(),
                }),
            };
        }
        let target = Target::parse(text).map_err(|_| HistoryError::Uri(text.to_owned()))?;
        let bucket = Bucket::open(target, super::tree::LOGS, access, deadline).await;
        let bucket = bucket.map_err(|error| HistoryError::unread(error, false))?;
        if bucket.is_anonymous() {
            tracing::warn!(
                "no AWS credentials are found: the bucket is asked without, as anybody may"
            );
        }
        Ok(Self::Bucket(Box::new(bucket)))
    }

    /// Where pages can be put: found out before anything is read.
    ///
    /// # Errors
    /// [`HistoryError::NotPublic`], [`HistoryError::Anonymous`].
    pub fn publishable(&self) -> Result<&Target, HistoryError> {
        match self {
            Self::Directory(path) => Err(HistoryError::NotPublic(path.clone())),
            Self::Bucket(bucket) if bucket.is_anonymous() => Err(HistoryError::Anonymous),
            Self::Bucket(bucket) => Ok(bucket.target()),
        }
    }

    /// What is directly below a directory; nothing where there is no such directory.
    pub(super) async fn names(&self, directory: &str) -> Result<Names, HistoryError> {
        match self {
            Self::Directory(root) => {
                let path = root.join(directory);
                listed(&path).map_err(|error| HistoryError::NoDirectory {
                    path,
                    reason: error.to_string(),
                })
            }
            Self::Bucket(bucket) => {
                let listing = bucket.list(directory).await;
                let listing =
                    listing.map_err(|error| HistoryError::unread(error, bucket.is_anonymous()))?;
                Ok(Names {
                    directories: listing.directories,
                    files: listing.files,
                })
            }
        }
    }

    /// What a file holds.
    pub(super) async fn read(&self, file: &str) -> Result<Content, HistoryError> {
        match self {
            Self::Directory(root) => Ok(content(&root.join(file))),
            Self::Bucket(bucket) => {
                let largest = i64::try_from(LARGEST).unwrap_or(i64::MAX);
                let object = bucket.get(file, largest).await;
                let object =
                    object.map_err(|error| HistoryError::unread(error, bucket.is_anonymous()))?;
                Ok(match object {
                    Object::Absent => Content::Absent,
                    Object::TooLarge(bytes) => Content::Spoiled(too_large(bytes)),
                    Object::Bytes(bytes) => Content::Bytes(bytes),
                })
            }
        }
    }
}

fn too_large(bytes: impl std::fmt::Display) -> String {
    format!("it has {bytes} bytes, of {LARGEST} at most")
}

/// The names of a directory, in their order. What is no UTF-8 is no name of a job or a build.
fn listed(path: &Path) -> io::Result<Names> {
    let mut names = Names::default();
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if entry.path().is_dir() {
            names.directories.push(name);
        } else {
            names.files.push(name);
        }
    }
    names.directories.sort();
    names.files.sort();
    Ok(names)
}

/// What a file of this machine holds: whatever keeps it from being read spoils this file alone.
fn content(path: &Path) -> Content {
    let read = || -> io::Result<Content> {
        let metadata = fs::metadata(path)?;
        // Who opens a pipe waits for its other end.
        if !metadata.is_file() {
            return Ok(Content::Spoiled("it is no file".to_owned()));
        }
        if metadata.len() > LARGEST {
            return Ok(Content::Spoiled(too_large(metadata.len())));
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(LARGEST).read_to_end(&mut bytes)?;
        Ok(Content::Bytes(bytes))
    };
    match read() {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Content::Absent,
        Err(error) => Content::Spoiled(error.to_string()),
    }
}
