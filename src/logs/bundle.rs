//! The bundle: a zip that only holds what the redactor has seen twice, and a manifest of what is in it and what is not.
//!
//! A thread of its own writes it, so that it is finished whatever becomes of the collectors: also when the future that
//! gathers is dropped. It bears its name only once it is whole.

mod target;
mod work;

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufWriter},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use serde::Serialize;
use tokio::sync::mpsc;
use zip::ZipWriter;

use self::{target::Target, work::Work};
use super::{collect::clip::Clipped, layout, redact::Redactor, snapshot::Gap};
use crate::{
    limits::Deadline,
    report::{Exit, Explain, Failure},
    run::Run,
    wait,
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

/// The name of a bundle, without its ending, out of any text.
///
/// # Errors
/// [`Exit::BadInput`] where nothing of it can be a file name.
pub fn name(given: &str) -> Result<String, Failure> {
    let name = layout::file_name(given.trim().trim_end_matches(".zip"));
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
    /// Whether it was made of clean values: then its keys stay.
    is_clean: bool,
}

/// A bundle in the making.
#[derive(Debug)]
pub struct Bundle {
    path: PathBuf,
    queue: Option<mpsc::Sender<Item>>,
    missing: Arc<Mutex<Vec<Gap>>>,
    /// What must not be shown, once that is known.
    known: Arc<OnceLock<Known>>,
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
        let known = Arc::new(OnceLock::new());
        let work = Work {
            zip: ZipWriter::new(Target::new(BufWriter::new(file))),
            entries: Vec::new(),
            names: BTreeSet::new(),
            missing: missing.clone(),
            hurry: hurry.clone(),
            known: known.clone(),
            run: run.clone(),
            written: 0,
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
            known,
            hurry,
            writer: Some(writer),
        })
    }

    /// Puts a file in, cleaned by the redactor. Waits while the queue is full.
    pub async fn add(&self, file: impl Into<String>, clipped: Clipped, redactor: &Arc<Redactor>) {
        self.send(file.into(), clipped, redactor, false).await;
    }

    /// As [`Self::add`], with a text that was made of clean values, such as a scrubbed object: its keys stay as they are.
    pub async fn add_clean(&self, file: impl Into<String>, text: String, redactor: &Arc<Redactor>) {
        let clipped = Clipped {
            bytes: text.into_bytes(),
            left_out: 0,
        };
        self.send(file.into(), clipped, redactor, true).await;
    }

    async fn send(&self, file: String, clipped: Clipped, redactor: &Arc<Redactor>, is_clean: bool) {
        let item = Item {
            file,
            clipped,
            redactor: redactor.clone(),
            is_clean,
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

    /// Tells what must not be shown: what is missing may hold it, too.
    ///
    /// `unlisted`: why the cluster's Secrets are not all known, where they are not.
    pub fn knows(&self, redactor: &Arc<Redactor>, unlisted: Option<&str>) {
        let known = Known {
            redactor: redactor.clone(),
            unlisted: unlisted.map(str::to_owned),
        };
        drop(self.known.set(known));
    }

    /// Notes what is not there.
    pub fn missing(&self, gap: Gap) {
        tracing::debug!("not collected: {}: {}", gap.file, gap.error);
        self.missing
            .lock()
            .expect("nobody panics while holding it")
            .push(gap);
    }

    /// What is known to be missing so far, without secrets.
    pub fn gaps(&self) -> Vec<Gap> {
        let gaps = self.missing.lock().expect("nobody panics while holding it");
        let redactor = redactor(&self.known);
        gaps.iter().map(|gap| clean(gap, &redactor)).collect()
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
        // The thread stays with the bundle until it is done: who drops this future waits for it, and so the archive is whole.
        if deadline.bound(self.written()).await.is_err() {
            self.hurry.store(true, Ordering::Relaxed);
            self.written().await;
        }
        let Some(writer) = self.writer.take() else {
            unreachable!("only this and drop take it");
        };
        writer
            .join()
            .map_err(|_| failed(io::Error::other("the writer panicked")))?
            .map(|entries| (path.clone(), entries))
            .map_err(failed)
    }
}

impl Bundle {
    /// Waits until the thread has ended.
    async fn written(&self) {
        while self.writer.as_ref().is_some_and(|it| !it.is_finished()) {
            wait::pause(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        self.queue = None;
        self.hurry.store(true, Ordering::Relaxed);
        if let Some(writer) = self.writer.take() {
            // The entry that is being written, and the manifest.
            drop(writer.join());
        }
    }
}

/// What is known of the secrets of the cluster.
#[derive(Debug)]
struct Known {
    redactor: Arc<Redactor>,
    unlisted: Option<String>,
}

fn redactor(known: &OnceLock<Known>) -> Arc<Redactor> {
    match known.get() {
        Some(known) => known.redactor.clone(),
        None => Arc::new(Redactor::blind()),
    }
}

/// A gap without secrets.
fn clean(gap: &Gap, redactor: &Redactor) -> Gap {
    Gap {
        file: redactor.file(&gap.file).into_owned(),
        error: redactor.text(&gap.error),
    }
}

#[cfg(test)]
mod tests;
