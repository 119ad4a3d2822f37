//! Why nothing could be rendered.

use std::path::PathBuf;

use crate::{
    report::{Exit, Explain},
    set::{
        build::{ATTEMPTS, last_line},
        objects::SetError,
    },
};

/// Why nothing could be rendered.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A line names nothing that exists.
    #[error("the manifests `{0}` do not exist")]
    Missing(String),
    /// A line names no file of this machine.
    #[error("the manifests `{line}` do not exist: there is no {}", path.display())]
    NoFile {
        /// The line.
        line: String,
        /// What was looked for.
        path: PathBuf,
        /// Directories beside, below which the same path is there.
        below: Vec<String>,
    },
    /// A file cannot be read.
    #[error("cannot read the manifests `{path}`: {reason}")]
    Unreadable {
        /// The line.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// kustomize refuses it.
    #[error("kustomize cannot build `{line}`: {}", last_line(.output))]
    Refused {
        /// The line.
        line: String,
        /// All that kustomize said.
        output: String,
    },
    /// The network failed three times.
    #[error("cannot fetch the manifests `{line}` after {ATTEMPTS} attempts: {reason}")]
    Unreachable {
        /// The line.
        line: String,
        /// What the last attempt met.
        reason: String,
    },
    /// kustomize itself cannot be run.
    #[error("cannot run {program}: {reason}")]
    NoKustomize {
        /// Its path.
        program: String,
        /// What the system said.
        reason: String,
    },
    /// The deadline passed.
    #[error("building `{0}`: not done in time")]
    TimedOut(String),
    /// What was rendered cannot be taken.
    #[error(transparent)]
    Set(#[from] SetError),
}

impl Explain for BuildError {
    fn exit(&self) -> Exit {
        match self {
            Self::Missing(_)
            | Self::NoFile { .. }
            | Self::Unreadable { .. }
            | Self::Refused { .. } => Exit::BadInput,
            Self::Unreachable { .. } | Self::NoKustomize { .. } => Exit::Infrastructure,
            Self::TimedOut(_) => Exit::TimeLimit,
            Self::Set(error) => error.exit(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoFile { line, below, .. } if !below.is_empty() => {
                let there: Vec<String> = below.iter().map(|dir| format!("{dir}/{line}")).collect();
                Some(format!(
                    "it is there as {}: an action does not know the `working-directory` of a workflow, and paths count from \
                     the workspace",
                    there.join(", ")
                ))
            }
            Self::Missing(line) | Self::NoFile { line, .. } if unexpanded(line) => Some(
                "only a shell puts something in place of `~` and `$HOME`: write the path itself, or \
                 `${{ github.workspace }}/…` in a workflow"
                    .to_owned(),
            ),
            Self::Missing(_) | Self::NoFile { .. } => Some(
                "name a directory with a kustomization.yaml, a file, or a URL; relative paths count from the working directory"
                    .to_owned(),
            ),
            Self::Refused { line, output } if output.contains("already registered id") => Some(
                format!("two objects of `{line}` have one kind, namespace and name: rename or remove one"),
            ),
            Self::Refused { line, .. } => Some(format!("`kustomize build {line}` shows the same")),
            Self::Unreachable { .. } => {
                Some("is the host right, and may this machine reach it?".to_owned())
            }
            Self::Set(error) => error.hint(),
            _ => None,
        }
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::Refused { output, .. } if output.lines().count() > 1 => {
                output.lines().map(str::to_owned).collect()
            }
            Self::Set(error) => error.details(),
            _ => Vec::new(),
        }
    }
}

/// Whether a path was written for a shell.
fn unexpanded(line: &str) -> bool {
    line.starts_with('~') || line.contains('$')
}
