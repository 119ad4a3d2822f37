//! One record that several processes of a job write: a step in the background, two commands on a laptop.
//!
//! Each change is made to what the file has by then, one process at a time. So nobody takes back what another noted.

use std::{
    fs::{File, TryLockError},
    io::ErrorKind,
    path::Path,
    time::{Duration, Instant},
};

use super::{Record, Store, VERSION, set_aside};
use crate::limits::humane;

/// The turn to read and write a record. It ends with the process, too: nobody waits for one that was killed.
pub(super) struct Turn(
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the lock is held as long as the file is open")
    )]
    Option<File>,
);

/// How long another process may keep its turn. It takes milliseconds, unless the process was stopped in the middle of it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the turn is asked for.
const PAUSE: Duration = Duration::from_millis(5);

impl Turn {
    /// Waits until no other process writes the record of this directory. A file system without locks gives no turns.
    pub(super) fn take(dir: &Path) -> Self {
        Self::take_within(dir, PATIENCE)
    }

    /// The same, but whoever keeps the turn for longer is not waited for.
    #[expect(
        clippy::disallowed_methods,
        reason = "a turn takes milliseconds, and a record is written where nothing can be awaited"
    )]
    fn take_within(dir: &Path, patience: Duration) -> Self {
        let until = Instant::now() + patience;
        let locked = File::open(dir).and_then(|file| {
            loop {
                match file.try_lock() {
                    Ok(()) => return Ok(file),
                    Err(TryLockError::WouldBlock) if Instant::now() < until => {
                        std::thread::sleep(PAUSE);
                    }
                    Err(TryLockError::WouldBlock) => {
                        tracing::warn!(
                            "another process of this job has held the record in {} for {}, and may be stopped (`fuser -v {}` names \
                             it): the record is written all the same",
                            dir.display(),
                            humane(patience),
                            dir.display(),
                        );
                        return Err(ErrorKind::WouldBlock.into());
                    }
                    Err(TryLockError::Error(error)) => return Err(error),
                }
            }
        });
        if let Err(error) = &locked {
            tracing::debug!("the record in {} is not locked: {error}", dir.display());
        }
        Self(locked.ok())
    }
}

impl Store {
    /// Takes in what other processes have noted since. What another job has put in place of this record is kept aside.
    pub(super) fn take_in(&mut self) {
        // What could not be written is in memory alone.
        if self.is_unsaved {
            return;
        }
        let path = self.path("record.json");
        let bytes = std::fs::read(&path).unwrap_or_default();
        let is_unnamed = std::mem::take(&mut self.is_unnamed);
        let kept = serde_json::from_slice::<Record>(&bytes).ok();
        let Some(mut kept) = kept.filter(|kept| kept.version == VERSION) else {
            return;
        };
        let own = &self.record.run;
        if kept.belongs_to(own) {
            if own.execution.key.is_some() {
                kept.learn(&own.execution);
            } else {
                kept.run.execution.learn(&own.execution);
            }
            self.record = kept;
        } else if is_unnamed {
            // Two commands began at once: the first that wrote names the run of both.
            self.record = kept;
        } else {
            let run = &kept.run;
            let why = format!("run {} job {} wrote it meanwhile", run.id, run.job);
            set_aside(&path, &why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_keeps_the_turn_is_waited_for_but_not_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let held = Turn::take(dir.path());
        assert!(held.0.is_some());
        let other = Turn::take_within(dir.path(), Duration::from_millis(30));
        assert!(other.0.is_none(), "two have the turn");
        let path = dir.path().to_owned();
        let waits = std::thread::spawn(move || Turn::take(&path).0.is_some());
        drop(held);
        assert!(waits.join().unwrap(), "the turn was free, and not had");
    }
}
