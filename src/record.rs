//! What one step hands the next: a file with the intent before each side effect and the result after it.
//!
//! It is a convenience. Whatever has to be found again without it is found by tags.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    inputs::Environment,
    report::{Exit, Explain},
    run::{Execution, Run},
};

mod launch;
mod private;
mod reach;
mod shared;
mod whose;

pub use launch::{Attempt, Launch};
use private::make_private;
pub use private::write_private;
pub use reach::{ClusterRecord, HostKind, HostRecord, TunnelRecord};

const VERSION: u32 = 1;

/// Why the record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The directory or file could not be read or written.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// What was tried: `create`, `read`, `write`.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No place for state: neither `RUNNER_TEMP` nor a home directory.
    #[error("no place to keep the record of this run")]
    NoPlace,
}

impl Explain for RecordError {
    fn exit(&self) -> Exit {
        match self {
            Self::Io { .. } => Exit::Infrastructure,
            Self::NoPlace => Exit::BadInput,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "the disk is full: free some space and run the same step again".to_owned()
            }
            Self::Io { path, .. } => format!(
                "make {} writable, or point RUNNER_TEMP elsewhere",
                path.display()
            ),
            Self::NoPlace => {
                "set RUNNER_TEMP or HOME to a directory that can be written".to_owned()
            }
        })
    }
}

/// Everything that a later step of the same job may want to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Layout of this file.
    pub version: u32,
    /// Whose record it is.
    pub run: Run,
    /// Side effects in order: what was meant, then what came of it.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// The role that AWS is asked as, where the workflow's token makes a session of it.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// What was asked of the provider.
    #[serde(default)]
    pub launch: Option<Launch>,
    /// How to reach the host.
    #[serde(default)]
    pub host: Option<HostRecord>,
    /// The cluster and how to reach it.
    #[serde(default)]
    pub cluster: Option<ClusterRecord>,
    /// Name of a cluster of this job that does not say whose it is; written before it is created.
    #[serde(default)]
    pub exact_cluster: Option<String>,
    /// How each stage ended, in order.
    #[serde(default)]
    pub stages: Vec<StageRecord>,
}

/// One side effect.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Its name: `RunInstances`, `kind create cluster`.
    pub name: String,
    /// When it was meant.
    pub at: Timestamp,
    /// What was meant.
    pub intent: Value,
    /// What came of it; absent while it is open.
    #[serde(default)]
    pub result: Option<Value>,
}

/// How a stage ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StageRecord {
    /// Its name, as the subcommand.
    pub stage: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; absent while it runs or when it was killed.
    #[serde(default)]
    pub ended: Option<Timestamp>,
    /// Its exit code.
    #[serde(default)]
    pub exit: Option<u8>,
    /// One line of cause, empty when it passed.
    #[serde(default)]
    pub cause: String,
    /// Objects of the cluster that the cause is about and does not name.
    #[serde(default)]
    pub about: Vec<String>,
}

impl Record {
    /// Whether a stage has failed when it ran last, or was killed.
    pub fn has_failed(&self, stage: &str) -> bool {
        let last = self.stages.iter().rev().find(|one| one.stage == stage);
        // Cancelled, by somebody who wants nothing of it any more.
        last.is_some_and(|one| !matches!(one.exit, Some(0 | 130)))
    }
}

/// The record and the directory it lives in, with everything else that a job keeps on the runner.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    record: Record,
    found: bool,
    /// Whether its run has a random name that nothing was done under yet.
    is_unnamed: bool,
    /// Whether the last change is not on disk: it could not be written.
    is_unsaved: bool,
}

/// The directory for the state of a job: `$RUNNER_TEMP/manifests-e2e`, on a laptop
/// `$XDG_STATE_HOME/manifests-e2e` or `~/.local/state/manifests-e2e`.
///
/// # Errors
/// [`RecordError::NoPlace`] where none of the three variables is set.
pub fn state_directory(env: &Environment) -> Result<PathBuf, RecordError> {
    let base = env
        .get("RUNNER_TEMP")
        .or_else(|| env.get("XDG_STATE_HOME"))
        .map(PathBuf::from)
        .or_else(|| {
            env.get("HOME")
                .map(|home| Path::new(home).join(".local/state"))
        });
    base.map(|base| base.join("manifests-e2e"))
        .ok_or(RecordError::NoPlace)
}

impl Store {
    /// Opens the record of this job, or begins it.
    ///
    /// Where there is a record of this job, it decides how the job is called: a later step may not be able to tell. A
    /// record of another job, and one that cannot be read, is set aside, with a warning, never lost. `key` is the input
    /// `job-key`.
    ///
    /// # Errors
    /// [`RecordError`] when the directory cannot be made or read.
    pub fn open(env: &Environment, key: Option<&str>) -> Result<Self, RecordError> {
        let mut store = Self::open_in(state_directory(env)?, Run::of_workflow(env, key))?;
        store.learn(env, key);
        Ok(store)
    }

    /// Takes in what a step with this environment and `job-key` shows of the job.
    pub fn learn(&mut self, env: &Environment, key: Option<&str>) {
        self.record.learn(&Execution::of(env, key));
    }

    /// As [`Self::open`], in a directory and for a run that the caller names.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_in(dir: PathBuf, run: Option<Run>) -> Result<Self, RecordError> {
        make_private(&dir)?;
        let path = dir.join("record.json");
        let kept = match fs::read(&path) {
            Ok(bytes) => match serde_json::from_slice::<Record>(&bytes) {
                Ok(record) if record.version != VERSION => {
                    set_aside(&path, &format!("it has version {}", record.version));
                    None
                }
                Ok(record) if run.as_ref().is_some_and(|run| !record.belongs_to(run)) => {
                    set_aside(
                        &path,
                        &format!("it belongs to run {} job {}", record.run.id, record.run.job),
                    );
                    None
                }
                Ok(record) => Some(record),
                Err(error) => {
                    set_aside(&path, &error.to_string());
                    None
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => {
                return Err(RecordError::Io {
                    what: "read",
                    path,
                    source,
                });
            }
        };
        let found = kept.is_some();
        let is_unnamed = !found && run.is_none();
        let record = kept.unwrap_or_else(|| Record {
            version: VERSION,
            run: run.unwrap_or_else(Run::random),
            steps: Vec::new(),
            role_arn: None,
            launch: None,
            host: None,
            cluster: None,
            exact_cluster: None,
            stages: Vec::new(),
        });
        Ok(Self {
            dir,
            record,
            found,
            is_unnamed,
            is_unsaved: false,
        })
    }

    /// Whether there was a record of this job before.
    pub fn found(&self) -> bool {
        self.found
    }

    /// What is known.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Whose record this is.
    pub fn run(&self) -> &Run {
        &self.record.run
    }

    /// The directory of this job's state, 0700.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A file of this job's state.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Notes something and puts it on disk, beside what other processes of this job have noted since.
    ///
    /// # Errors
    /// [`RecordError`] when it cannot be written: then the side effect must not be carried out.
    pub fn update(&mut self, change: impl FnOnce(&mut Record)) -> Result<(), RecordError> {
        let _turn = shared::Turn::take(&self.dir);
        self.take_in();
        change(&mut self.record);
        let text = serde_json::to_vec_pretty(&self.record).expect("a record is plain data");
        let written = write_private(&self.path("record.json"), &text);
        self.is_unsaved = written.is_err();
        written
    }

    /// As [`Self::update`], of what was launched; nothing else changes where nothing was.
    ///
    /// # Errors
    /// As [`Self::update`].
    pub fn update_launch(&mut self, change: impl FnOnce(&mut Launch)) -> Result<(), RecordError> {
        self.update(|record| {
            if let Some(launch) = &mut record.launch {
                change(launch);
            }
        })
    }

    /// Puts the intent of a side effect on disk. To be called before the side effect.
    ///
    /// # Errors
    /// As [`Self::update`].
    pub fn intend(&mut self, name: &str, intent: Value) -> Result<(), RecordError> {
        self.update(|record| {
            record.steps.push(Step {
                name: name.to_owned(),
                at: Timestamp::now(),
                intent,
                result: None,
            });
        })
    }

    /// Puts the result of the newest open step of that name on disk.
    ///
    /// # Errors
    /// As [`Self::update`].
    pub fn achieve(&mut self, name: &str, result: Value) -> Result<(), RecordError> {
        self.update(|record| {
            if let Some(step) = record
                .steps
                .iter_mut()
                .rev()
                .find(|step| step.name == name && step.result.is_none())
            {
                step.result = Some(result);
            }
        })
    }

    /// The newest step of that name that is still open.
    pub fn open_step(&self, name: &str) -> Option<&Step> {
        self.record
            .steps
            .iter()
            .rev()
            .find(|step| step.name == name && step.result.is_none())
    }
}

fn set_aside(path: &Path, why: &str) {
    let named = |at: i64| path.with_file_name(format!("record-{at}.json"));
    let mut at = Timestamp::now().as_millisecond();
    // Two may be set aside within one millisecond.
    while named(at).exists() {
        at += 1;
    }
    let aside = named(at);
    tracing::warn!(
        "the record in {} is not used ({why}); it is kept as {}",
        path.display(),
        aside.display()
    );
    if let Err(error) = fs::rename(path, &aside) {
        tracing::warn!("could not keep it: {error}");
    }
}

#[cfg(test)]
mod tests;
