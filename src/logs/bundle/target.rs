//! What a zip is written to. After its first failure it takes the rest without a word: an archive that is given up is still
//! finished when it is dropped, and `zip` then prints what went wrong into the middle of our own report.

use std::io::{self, Seek, SeekFrom, Write};

/// A writer that fails once, and is then done for.
pub(super) struct Target<W> {
    inner: W,
    failed: bool,
}

impl<W> Target<W> {
    pub(super) fn new(inner: W) -> Self {
        Self {
            inner,
            failed: false,
        }
    }

    /// The writer, when all that was written is there.
    ///
    /// # Errors
    /// When something is not; why was said by the write that failed.
    pub(super) fn whole(self) -> io::Result<W> {
        if self.failed {
            return Err(io::Error::other("a part of it could not be written"));
        }
        Ok(self.inner)
    }

    fn tried<T>(&mut self, instead: T, act: impl FnOnce(&mut W) -> io::Result<T>) -> io::Result<T> {
        if self.failed {
            return Ok(instead);
        }
        let done = act(&mut self.inner);
        // Who is only interrupted tries again.
        let again = |error: &io::Error| error.kind() == io::ErrorKind::Interrupted;
        self.failed = done.as_ref().is_err_and(|error| !again(error));
        done
    }
}

impl<W: Write> Write for Target<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tried(bytes.len(), |inner| inner.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tried((), W::flush)
    }
}

impl<W: Seek> Seek for Target<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.tried(0, |inner| inner.seek(to))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::OpenOptions, io::BufWriter};

    use super::*;

    #[test]
    fn what_failed_once_is_never_whole() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut target = Target::new(BufWriter::with_capacity(1, full));
        let error = target.write_all(b"more than fits").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        // What `zip` does when it is dropped: no word of it.
        target.seek(SeekFrom::Start(0)).unwrap();
        target.write_all(b"the rest").unwrap();
        target.flush().unwrap();
        assert!(target.whole().is_err());
        assert!(Target::new(io::sink()).whole().is_ok());
    }
}
