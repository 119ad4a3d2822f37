//! The bundle: a zip that only holds what the redactor has seen twice, and a manifest of what is in it and what is not.
//!
//! A thread of its own writes it, so that it is finished whatever becomes of the collectors: also when the future that
//! gathers is dropped. It bears its name only once it is whole.

mod target;

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use self::target::Target;
use super::{collect::containers::Clipped, layout, redact::Redactor, snapshot::Gap};
use crate::{
    limits::Deadline,
    report::{Exit, Explain, Failure},
    run::{Run, short_hash},
};

/// Files on their way to the thread; each may be some MiB.
const QUEUE: usize = 8;

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the bundle {}", path.display())]
pub struct BundleError {
    /// Where it should be.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl Explain for BundleError {
    fn exit(&self) -> Exit {
        Exit::Infrastructure
    }

    fn hint(&self) -> Option<String> {
        Some(match self.source.kind() {
            io::ErrorKind::StorageFull => {
                "the disk is full: set `output` to a directory with space".to_owned()
            }
            _ => "set `output` to a directory that can be written".to_owned(),
        })
    }
}

/// One line of the manifest: a file of the bundle, or one that should be there.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Entry {
    /// Its path in the bundle.
    pub file: String,
    /// Its size in the bundle.
    pub bytes: u64,
    /// Of what is in the bundle; absent where nothing is.
    pub sha256: Option<String>,
    /// Bytes left out of its middle.
    pub truncated: u64,
    /// Secrets that were replaced.
    pub redactions: usize,
    /// Why it is not there.
    pub error: Option<String>,
}

#[derive(Serialize)]
struct Manifest<'a> {
    version: u32,
    run: &'a Run,
    finished: Timestamp,
    files: &'a [Entry],
}

/// The name of a bundle, without its ending, out of any text.
///
/// # Errors
/// [`Exit::BadInput`] where nothing of it can be a file name.
pub fn name(given: &str) -> Result<String, Failure> {
    let name = layout::safe_name(given.trim().trim_end_matches(".zip"));
    if name == "unnamed" {
        return Err(Failure::new(
            Exit::BadInput,
            format!("name: `{given}` cannot be the name of a file"),
        ));
    }
    Ok(name)
}

struct Item {
    file: String,
    clipped: Clipped,
    redactor: Arc<Redactor>,
}

/// A bundle in the making.
#[derive(Debug)]
pub struct Bundle {
    path: PathBuf,
    queue: Option<mpsc::Sender<Item>>,
    missing: Arc<Mutex<Vec<Gap>>>,
    /// Told when no time is left: what waits in the queue is then left out.
    hurry: Arc<AtomicBool>,
    writer: Option<JoinHandle<io::Result<Vec<Entry>>>>,
}

impl Bundle {
    /// Begins `name.zip` in a directory, which is made where it does not exist.
    ///
    /// # Errors
    /// [`BundleError`] when nothing can be written there.
    pub fn create(directory: &Path, name: &str, run: &Run) -> Result<Self, BundleError> {
        let path = directory.join(format!("{name}.zip"));
        let partial = directory.join(format!("{name}.zip.partial"));
        let failed = |source| BundleError {
            path: path.clone(),
            source,
        };
        std::fs::create_dir_all(directory).map_err(failed)?;
        let file = File::create(&partial).map_err(failed)?;
        let (queue, items) = mpsc::channel(QUEUE);
        let missing = Arc::new(Mutex::new(Vec::new()));
        let hurry = Arc::new(AtomicBool::new(false));
        let work = Work {
            zip: ZipWriter::new(Target::new(BufWriter::new(file))),
            entries: Vec::new(),
            names: BTreeSet::new(),
            missing: missing.clone(),
            hurry: hurry.clone(),
            run: run.clone(),
        };
        let target = path.clone();
        let writer = std::thread::Builder::new()
            .name("bundle".to_owned())
            .spawn(move || {
                let result = work.carry_out(items);
                match result {
                    Ok(entries) => {
                        std::fs::rename(&partial, &target)?;
                        Ok(entries)
                    }
                    Err(error) => {
                        // Half an archive helps nobody and fills a disk that may be full.
                        drop(std::fs::remove_file(&partial));
                        Err(error)
                    }
                }
            })
            .map_err(failed)?;
        Ok(Self {
            path,
            queue: Some(queue),
            missing,
            hurry,
            writer: Some(writer),
        })
    }

    /// Puts a file in, cleaned by the redactor. Waits while the queue is full.
    pub async fn add(&self, file: impl Into<String>, clipped: Clipped, redactor: &Arc<Redactor>) {
        let item = Item {
            file: file.into(),
            clipped,
            redactor: redactor.clone(),
        };
        if let Some(queue) = &self.queue {
            // An error means that the writer has failed; `finish` says how.
            drop(queue.send(item).await);
        }
    }

    /// As [`Self::add`], with a text that is whole.
    pub async fn add_text(&self, file: impl Into<String>, text: String, redactor: &Arc<Redactor>) {
        let clipped = Clipped {
            bytes: text.into_bytes(),
            left_out: 0,
        };
        self.add(file, clipped, redactor).await;
    }

    /// Notes what is not there.
    pub fn missing(&self, gap: Gap) {
        tracing::debug!("not collected: {}: {}", gap.file, gap.error);
        self.missing
            .lock()
            .expect("nobody panics while holding it")
            .push(gap);
    }

    /// What is known to be missing so far.
    pub fn gaps(&self) -> Vec<Gap> {
        self.missing
            .lock()
            .expect("nobody panics while holding it")
            .clone()
    }

    /// Ends the archive with its manifest. At the deadline what still waits is left out, and noted.
    ///
    /// # Errors
    /// [`BundleError`]: then there is no archive.
    pub async fn finish(
        mut self,
        deadline: Deadline,
    ) -> Result<(PathBuf, Vec<Entry>), BundleError> {
        self.queue = None;
        let path = self.path.clone();
        let failed = |source| BundleError {
            path: path.clone(),
            source,
        };
        let Some(writer) = self.writer.take() else {
            unreachable!("only this and drop take it");
        };
        let hurry = self.hurry.clone();
        let mut joined = tokio::task::spawn_blocking(move || writer.join());
        let result = if let Ok(result) = deadline.bound(&mut joined).await {
            result
        } else {
            hurry.store(true, Ordering::Relaxed);
            joined.await
        };
        result
            .map_err(|error| failed(io::Error::other(error)))?
            .map_err(|_| failed(io::Error::other("the writer panicked")))?
            .map(|entries| (path.clone(), entries))
            .map_err(failed)
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        self.queue = None;
        self.hurry.store(true, Ordering::Relaxed);
        if let Some(writer) = self.writer.take() {
            // The last entry and the manifest: well under a second.
            drop(writer.join());
        }
    }
}

/// What the thread does.
struct Work {
    zip: ZipWriter<Target<BufWriter<File>>>,
    entries: Vec<Entry>,
    names: BTreeSet<String>,
    missing: Arc<Mutex<Vec<Gap>>>,
    hurry: Arc<AtomicBool>,
    run: Run,
}

impl Work {
    fn carry_out(mut self, mut items: mpsc::Receiver<Item>) -> io::Result<Vec<Entry>> {
        while let Some(item) = items.blocking_recv() {
            if self.hurry.load(Ordering::Relaxed) {
                self.note(item.file, "no time was left to write it".to_owned());
            } else {
                self.write(&item)?;
            }
        }
        let gaps =
            std::mem::take(&mut *self.missing.lock().expect("nobody panics while holding it"));
        let blind = Redactor::blind();
        for gap in gaps {
            self.note(gap.file, blind.text(&gap.error));
        }
        self.entries.sort_by(|a, b| a.file.cmp(&b.file));
        let manifest = serde_json::to_vec_pretty(&Manifest {
            version: 1,
            run: &self.run,
            finished: Timestamp::now(),
            files: &self.entries,
        })
        .expect("a manifest is plain data");
        self.zip.start_file("MANIFEST.json", options())?;
        self.zip.write_all(&manifest)?;
        let mut file = self.zip.finish()?.whole()?;
        file.flush()?;
        file.get_ref().sync_all()?;
        Ok(self.entries)
    }

    fn note(&mut self, file: String, error: String) {
        self.entries.push(Entry {
            file,
            bytes: 0,
            sha256: None,
            truncated: 0,
            redactions: 0,
            error: Some(error),
        });
    }

    fn write(&mut self, item: &Item) -> io::Result<()> {
        let file = self.unique(&item.file);
        let (clean, redactions) = item.redactor.bytes(&item.clipped.bytes);
        if item.redactor.leaks(&clean) {
            self.note(
                file,
                "left out: a secret was still in it after redaction".to_owned(),
            );
            return Ok(());
        }
        self.zip.start_file(file.as_str(), options())?;
        self.zip.write_all(&clean)?;
        self.entries.push(Entry {
            file,
            bytes: clean.len() as u64,
            sha256: Some(hex::encode(Sha256::digest(&clean))),
            truncated: item.clipped.left_out,
            redactions,
            error: None,
        });
        Ok(())
    }

    /// A name that can be uploaded and that no other file has, told apart by a hash: `system:x` and `system-x` may both
    /// be there, and some file systems do not tell `A` from `a`.
    fn unique(&mut self, wanted: &str) -> String {
        let safe = layout::safe(wanted);
        let mut name = safe.clone();
        let mut salt = 0;
        while !self.names.insert(name.to_lowercase()) {
            let hash = short_hash(&format!("{wanted} {salt}"));
            let (stem, end) = safe.rsplit_once('.').unwrap_or((&safe, "txt"));
            name = format!("{stem}-{hash}.{end}");
            salt += 1;
        }
        name
    }
}

fn options() -> SimpleFileOptions {
    let now = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .unix_permissions(0o644);
    match zip::DateTime::try_from(now.datetime()) {
        Ok(now) => options.last_modified_time(now),
        Err(_) => options,
    }
}

#[cfg(test)]
mod tests;
