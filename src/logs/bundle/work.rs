//! What the thread of a bundle does: cleans each file, looks at it again, writes it, and ends with the manifest.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    fs::File,
    io::{self, BufWriter, Write as _},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::{Entry, Item, Known, clean, redactor, target::Target};
use crate::{
    logs::{layout, snapshot::Gap},
    run::{Run, short_hash},
};

/// Bytes of all files together after which logs are cut short.
const PLENTY: u64 = 768 * 1024 * 1024;
/// How a log begins and ends is kept up to here then.
const SHORT: (usize, usize) = (32 * 1024, 128 * 1024);

#[derive(Serialize)]
struct Manifest<'a> {
    version: u32,
    run: &'a Run,
    finished: Timestamp,
    /// `listed`, or why not: then what the cluster's Secrets hold is not known.
    secrets: String,
    files: &'a [Entry],
}

/// What the thread does.
pub(super) struct Work {
    pub(super) zip: ZipWriter<Target<BufWriter<File>>>,
    pub(super) entries: Vec<Entry>,
    pub(super) names: BTreeSet<String>,
    pub(super) missing: Arc<Mutex<Vec<Gap>>>,
    pub(super) hurry: Arc<AtomicBool>,
    pub(super) known: Arc<OnceLock<Known>>,
    pub(super) run: Run,
    /// Bytes of all files so far.
    pub(super) written: u64,
}

impl Work {
    pub(super) fn carry_out(mut self, mut items: mpsc::Receiver<Item>) -> io::Result<Vec<Entry>> {
        while let Some(item) = items.blocking_recv() {
            if self.hurry.load(Ordering::Relaxed) {
                self.note(
                    item.redactor.file(&item.file).into_owned(),
                    "no time was left to write it".to_owned(),
                );
            } else {
                self.write(&item)?;
            }
        }
        let gaps =
            std::mem::take(&mut *self.missing.lock().expect("nobody panics while holding it"));
        let redactor = redactor(&self.known);
        for gap in gaps {
            let gap = clean(&gap, &redactor);
            self.note(gap.file, gap.error);
        }
        self.entries.sort_by(|a, b| a.file.cmp(&b.file));
        let manifest = serde_json::to_vec_pretty(&Manifest {
            version: 1,
            run: &self.run,
            finished: Timestamp::now(),
            secrets: match self.known.get() {
                Some(Known { unlisted: None, .. }) => "listed".to_owned(),
                Some(Known {
                    unlisted: Some(reason),
                    ..
                }) => format!("not listed: {reason}"),
                None => "not listed: it ended before".to_owned(),
            },
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
        let shortened;
        let clipped = if self.written > PLENTY && item.file.contains(".log") {
            shortened = item.clipped.clone().within(SHORT.0, SHORT.1);
            &shortened
        } else {
            &item.clipped
        };
        let file = self.unique(&item.redactor.file(&item.file));
        let bytes = clipped.bytes.as_slice();
        let is_clean = item.is_clean && !item.redactor.leaks_beside_keys(bytes);
        let (clean, redactions) = if is_clean {
            (Cow::Borrowed(bytes), 0)
        } else {
            item.redactor.bytes(bytes)
        };
        // What nothing was found in was looked at to its end.
        if redactions > 0 && item.redactor.leaks(&clean) {
            self.note(
                file,
                "left out: a secret was still in it after redaction".to_owned(),
            );
            return Ok(());
        }
        self.zip.start_file(file.as_str(), options())?;
        self.zip.write_all(&clean)?;
        self.written += clean.len() as u64;
        self.entries.push(Entry {
            file,
            bytes: clean.len() as u64,
            sha256: Some(hex::encode(Sha256::digest(&clean))),
            truncated: clipped.left_out,
            redactions,
            error: None,
        });
        Ok(())
    }

    /// A name that can be unpacked and that no other file has, told apart by a hash: some file systems do not tell `A` from
    /// `a`.
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
