//! What `gather-logs` left: how the stages went, and what explains it.
//!
//! A bundle may have been made where a stranger's code ran: all of its text is anybody's, and what is too long is cut.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::Value;
use zip::ZipArchive;

use crate::{
    logs::diagnose::Class,
    record::StageRecord,
    report::{Exit, Explain},
};

/// A file of a bundle that is larger is none that we have written.
const LARGEST: u64 = 8 * 1024 * 1024;

/// What explains a result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// Causes of what failed, the most telling first.
    pub because: Vec<Cause>,
    /// What else is wrong.
    pub also: Vec<Cause>,
}

impl Diagnosis {
    /// The same, in other words.
    #[must_use]
    pub fn reworded(mut self, reword: impl Fn(&str) -> String) -> Self {
        for cause in self.because.iter_mut().chain(&mut self.also) {
            cause.line = reword(&cause.line);
        }
        self
    }
}

/// One cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What kind it is; none for one that this version does not know.
    pub class: Option<Class>,
    /// The objects that it concerns: `Deployment namespace/name`.
    pub affects: Vec<String>,
    /// What it is, in one line.
    pub line: String,
}

/// What a bundle tells.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// How the stages went.
    pub stages: Vec<StageRecord>,
    /// What explains it.
    pub diagnosis: Diagnosis,
    /// Whether the job was cancelled.
    pub cancelled: bool,
}

/// Why a bundle tells nothing.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the bundle {}: {reason}", file.display())]
pub struct BundleError {
    file: PathBuf,
    reason: String,
}

impl Explain for BundleError {
    fn exit(&self) -> Exit {
        Exit::BadInput
    }

    fn hint(&self) -> Option<String> {
        Some("name the zip file of gather-logs by `bundle`, or leave `bundle` out".to_owned())
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Report {
    verdict: String,
    because: Vec<RawCause>,
    also_seen: Vec<RawCause>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawCause {
    class: Value,
    affects: Vec<String>,
    cause: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Stages {
    stages: Vec<StageRecord>,
}

/// The newest bundle in a directory of `gather-logs`.
pub fn newest(directory: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(directory).ok()?.flatten();
    let zips = entries.filter(|entry| entry.path().extension().is_some_and(|end| end == "zip"));
    let dated =
        zips.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())));
    dated.max().map(|(_, path)| path)
}

/// Reads a bundle.
///
/// # Errors
/// [`BundleError`].
pub fn gathered(file: &Path) -> Result<Gathered, BundleError> {
    let failed = |reason: String| BundleError {
        file: file.to_owned(),
        reason,
    };
    let opened = File::open(file).map_err(|error| failed(error.to_string()))?;
    let mut archive = ZipArchive::new(opened).map_err(|error| failed(error.to_string()))?;
    let mut part = |name: &str| -> Result<Option<Value>, BundleError> {
        let Ok(entry) = archive.by_name(name) else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let read = entry.take(LARGEST + 1).read_to_end(&mut bytes);
        read.map_err(|error| failed(format!("{name}: {error}")))?;
        if bytes.len() as u64 > LARGEST {
            return Err(failed(format!("{name} is larger than {LARGEST} bytes")));
        }
        let value = serde_json::from_slice(&bytes);
        value
            .map(Some)
            .map_err(|error| failed(format!("{name}: {error}")))
    };
    let report = part("report.json")?.ok_or_else(|| failed("it has no report.json".to_owned()))?;
    let stages = part("artifacts/stages.json")?.unwrap_or_default();
    let report: Report =
        serde_json::from_value(report).map_err(|error| failed(error.to_string()))?;
    // A bundle without stages is one of a cluster alone.
    let stages: Stages = serde_json::from_value(stages).unwrap_or_default();
    let causes = |raw: Vec<RawCause>| raw.into_iter().map(Cause::from).collect();
    Ok(Gathered {
        stages: stages.stages,
        cancelled: report.verdict == "cancelled",
        diagnosis: Diagnosis {
            because: causes(report.because),
            also: causes(report.also_seen),
        },
    })
}

impl From<RawCause> for Cause {
    fn from(raw: RawCause) -> Self {
        let line = match raw.affects.as_slice() {
            [] => raw.cause,
            [one] => format!("{one}: {}", raw.cause),
            [one, rest @ ..] => format!("{one} and {} more: {}", rest.len(), raw.cause),
        };
        Self {
            class: raw.class.as_str().and_then(Class::of),
            affects: raw.affects,
            line,
        }
    }
}
