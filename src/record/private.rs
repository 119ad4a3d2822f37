//! Files and directories that only their owner can read.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::Path,
};

use super::RecordError;

/// Writes a file that only its owner can read: whole or not at all, also when the machine dies.
///
/// # Errors
/// [`RecordError::Io`] naming the file.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), RecordError> {
    let attempt = || -> io::Result<()> {
        let parent = path.parent().unwrap_or(Path::new("."));
        // tempfile makes it 0600.
        let mut file = tempfile::NamedTempFile::new_in(parent)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        fs::File::open(parent)?.sync_all()
    };
    attempt().map_err(|source| RecordError::Io {
        what: "write",
        path: path.to_owned(),
        source,
    })
}

pub(super) fn make_private(dir: &Path) -> Result<(), RecordError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .and_then(|()| fs::set_permissions(dir, fs::Permissions::from_mode(0o700)))
        .map_err(|source| RecordError::Io {
            what: "create",
            path: dir.to_owned(),
            source,
        })
}
