//! The programs that the chain uses, kind and kustomize: found, or downloaded and verified, by version and SHA-256.
//!
//! In this order: `tools-dir`, the runner's own `PATH` where it has the pinned version, a verified download. Nothing
//! that was downloaded is run, or even unpacked, before its hash was right.

mod download;
pub(crate) mod versions;

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::process::Command;

use crate::{
    cli::Arch,
    host::{Host, HostError},
    inputs::Environment,
    limits::Deadline,
    record::Store,
    report::{Exit, Explain},
};

/// A program of ours to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// kind, which makes clusters.
    Kind,
    /// kustomize, which builds manifests.
    Kustomize,
}

impl Tool {
    /// The name of its program.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Kustomize => "kustomize",
        }
    }
}

/// A program that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InstalledTool {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its version, as `v0.33.0`.
    pub(crate) version: String,
}

/// Why a tool could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolError {
    /// No hash is pinned for that version and architecture.
    #[error("no SHA-256 is known for {tool} {version} on {arch}")]
    Unknown {
        /// Its name.
        tool: &'static str,
        /// What was asked for.
        version: String,
        /// `amd64` or `arm64`.
        arch: &'static str,
        /// The versions that are pinned.
        known: Vec<&'static str>,
    },
    /// The one in `tools-dir` is not what was asked for.
    #[error("{} is {found}, not {wanted}", path.display())]
    Mismatch {
        /// The program.
        path: PathBuf,
        /// What it is.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// `tools-dir` is no directory.
    #[error("tools-dir: {} is no directory", .0.display())]
    NoDirectory(PathBuf),
    /// The download failed, after retries.
    #[error("cannot download {url}: {reason}")]
    Download {
        /// From where.
        url: String,
        /// What the last attempt met.
        reason: String,
    },
    /// What came is not what is pinned. It was not kept.
    #[error("{url} has SHA-256 {found}, not {wanted}")]
    Corrupt {
        /// From where.
        url: String,
        /// What it has.
        found: String,
        /// What is pinned.
        wanted: &'static str,
    },
    /// A file could not be read or written.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Explain for ToolError {
    fn exit(&self) -> Exit {
        match self {
            Self::Unknown { .. } | Self::Mismatch { .. } | Self::NoDirectory(_) => Exit::BadInput,
            Self::Download { .. } | Self::Corrupt { .. } | Self::File { .. } => {
                Exit::Infrastructure
            }
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown { tool, known, .. } => format!(
                "use one of {}, or put {tool} into a directory and name it by tools-dir",
                known.join(", ")
            ),
            Self::Mismatch { .. } => "ask for that version, or leave the version empty".to_owned(),
            Self::NoDirectory(_) => "name a directory that holds kind and kustomize".to_owned(),
            Self::Download { .. } => {
                "without a way out, put the program into a directory and name it by tools-dir"
                    .to_owned()
            }
            Self::Corrupt { .. } => {
                "somebody in between changes downloads, or the file was replaced: it was not used"
                    .to_owned()
            }
            Self::File { path, .. } => format!("make {} usable", path.display()),
        })
    }
}

/// What is wanted of a tool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ToolRequest<'a> {
    /// Which.
    pub(crate) tool: Tool,
    /// Its version; the pinned default where none was asked for.
    pub(crate) version: Option<&'a str>,
    /// Of the machine that it runs on.
    pub(crate) arch: Arch,
    /// Input `tools-dir`.
    pub(crate) tools_dir: Option<&'a Path>,
}

/// The kustomize for this machine.
///
/// # Errors
/// [`ToolError`].
pub(crate) async fn kustomize(
    env: &Environment,
    store: &Store,
    tools_dir: Option<&Path>,
    deadline: Deadline,
) -> Result<PathBuf, ToolError> {
    let wanted = ToolRequest {
        tool: Tool::Kustomize,
        version: None,
        arch: this_arch(),
        tools_dir,
    };
    Ok(find(wanted, env, store, deadline).await?.path)
}

/// Finds a tool, or downloads it.
///
/// # Errors
/// [`ToolError`].
pub(crate) async fn find(
    wanted: ToolRequest<'_>,
    env: &Environment,
    store: &Store,
    deadline: Deadline,
) -> Result<InstalledTool, ToolError> {
    let pinned = pinned(wanted);
    if let Some(found) = here(wanted, env).await? {
        return Ok(found);
    }
    let path = download::fetch(wanted.tool, pinned, wanted.arch, env, store, deadline).await?;
    Ok(InstalledTool {
        path,
        version: pinned.to_owned(),
    })
}

/// Where a tool would come from: a path, or an address that answers. Nothing is downloaded.
///
/// # Errors
/// [`ToolError`] as [`find`] would meet it.
pub(crate) async fn look(
    wanted: ToolRequest<'_>,
    env: &Environment,
    store: &Store,
    deadline: Deadline,
) -> Result<String, ToolError> {
    if let Some(found) = here(wanted, env).await? {
        return Ok(format!("{} is {}", found.version, found.path.display()));
    }
    let version = pinned(wanted);
    let place = download::look(wanted.tool, version, wanted.arch, env, store, deadline).await?;
    Ok(format!("{version} {place}"))
}

/// The version that is meant.
fn pinned(wanted: ToolRequest<'_>) -> &str {
    wanted.version.unwrap_or(match wanted.tool {
        Tool::Kind => versions::KIND,
        Tool::Kustomize => versions::KUSTOMIZE,
    })
}

/// One that is on this machine already, in `tools-dir` or on `PATH`.
async fn here(
    wanted: ToolRequest<'_>,
    env: &Environment,
) -> Result<Option<InstalledTool>, ToolError> {
    let (tool, pinned) = (wanted.tool, pinned(wanted));
    if let Some(dir) = wanted.tools_dir {
        if !dir.is_dir() {
            return Err(ToolError::NoDirectory(dir.to_owned()));
        }
        let path = dir.join(tool.name());
        if path.is_file() {
            return given(path, wanted, env).await.map(Some);
        }
        tracing::info!("{} has no {}", dir.display(), tool.name());
    }
    for dir in std::env::split_paths(env.get("PATH").unwrap_or_default()) {
        let path = dir.join(tool.name());
        if architecture(&path) == Some(wanted.arch)
            && wanted.arch == this_arch()
            && version_of(tool, &path, env).await.as_deref() == Some(pinned)
        {
            tracing::debug!("{} {pinned} is {}", tool.name(), path.display());
            return Ok(Some(InstalledTool {
                path,
                version: pinned.to_owned(),
            }));
        }
    }
    Ok(None)
}

/// The one that the user put there: taken as it is, unless another version was asked for.
async fn given(
    path: PathBuf,
    wanted: ToolRequest<'_>,
    env: &Environment,
) -> Result<InstalledTool, ToolError> {
    let mismatch = |path: &Path, found: String, wanted: String| ToolError::Mismatch {
        path: path.to_owned(),
        found,
        wanted,
    };
    if architecture(&path) != Some(wanted.arch) {
        let arch = format!("a Linux program for {}", arch_name(wanted.arch));
        return Err(mismatch(&path, "something else".to_owned(), arch));
    }
    let version = if wanted.arch == this_arch() {
        version_of(wanted.tool, &path, env).await
    } else {
        // It cannot be run here.
        wanted.version.map(str::to_owned)
    };
    match (version, wanted.version) {
        (Some(found), Some(asked)) if found != asked => {
            Err(mismatch(&path, found, asked.to_owned()))
        }
        (found, asked) => Ok(InstalledTool {
            path,
            version: found
                .or(asked.map(str::to_owned))
                .unwrap_or_else(|| "unknown".to_owned()),
        }),
    }
}

/// The architecture of this machine.
pub(crate) fn this_arch() -> Arch {
    if cfg!(target_arch = "aarch64") {
        Arch::Arm64
    } else {
        Arch::Amd64
    }
}

/// Its name in release files and node images.
pub(crate) const fn arch_name(arch: Arch) -> &'static str {
    match arch {
        Arch::Amd64 => "amd64",
        Arch::Arm64 => "arm64",
    }
}

/// What an ELF header says that a program runs on.
fn architecture(path: &Path) -> Option<Arch> {
    let mut header = [0; 20];
    fs::File::open(path).ok()?.read_exact(&mut header).ok()?;
    match (&header[..4], header[18], header[19]) {
        (b"\x7fELF", 0x3e, 0) => Some(Arch::Amd64),
        (b"\x7fELF", 0xb7, 0) => Some(Arch::Arm64),
        _ => None,
    }
}

/// What `kind version` (`kind v0.33.0 go1.26 linux/amd64`) and `kustomize version` (`v5.8.1`) say.
async fn version_of(tool: Tool, path: &Path, env: &Environment) -> Option<String> {
    let run = Command::new(path)
        .arg("version")
        .env_clear()
        .envs(env.for_programs())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(10), run)
        .await
        .ok()?
        .ok()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = said
        .split_whitespace()
        .find(|word| word.starts_with('v') && word.contains('.'))?;
    tracing::debug!("{} of {} says {version}", path.display(), tool.name());
    Some(version.to_owned())
}

/// Puts kind where the host can run it: under the home directory of another machine; on this one it is there.
///
/// # Errors
/// [`HostError`].
pub(crate) async fn place(
    host: &dyn Host,
    found: &InstalledTool,
    home: Option<&str>,
    deadline: Deadline,
) -> Result<String, HostError> {
    let Some(home) = home else {
        return Ok(found.path.display().to_string());
    };
    let remote = format!("{home}/.cache/manifests-e2e/bin/kind-{}", found.version);
    host.put(&found.path, &remote, 0o755, deadline).await?;
    Ok(remote)
}
