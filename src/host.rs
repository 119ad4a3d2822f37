//! The machine that the cluster runs on: commands, files and ports, over SSH or on this machine.
//!
//! Given a [`HostRecord`]; knows nothing of AWS or Kubernetes.

mod capture;
pub(crate) mod engine;
pub(crate) mod local;
pub(crate) mod login;
pub(crate) mod prepare;
pub mod presence;
pub mod ssh;
pub(crate) mod tunnel;

use std::{fmt, io, path::Path, sync::Arc, time::Duration};

pub(crate) use capture::quoted;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    inputs::Environment,
    limits::{Deadline, humane},
    record::{HostKind, HostRecord},
    report::{Exit, Explain},
};

/// A command for a host, run by `bash -c`.
#[derive(Clone, Debug)]
pub struct Command {
    /// The script.
    pub script: String,
    /// What it reads from standard input; secrets go here, never into the script.
    pub stdin: Vec<u8>,
    /// Run as root: by sudo where the user is not root.
    pub root: bool,
    /// What it prints is shown line by line as it comes.
    pub streamed: bool,
    /// May run twice: a lost connection is made again for it.
    pub repeatable: bool,
    /// Runs detached under this name: it survives a lost connection and is followed by offset, never run twice.
    pub detached: Option<String>,
}

impl Command {
    /// A command whose output is kept for the caller.
    pub fn new(script: impl Into<String>) -> Self {
        Self {
            script: script.into(),
            stdin: Vec::new(),
            root: false,
            streamed: false,
            repeatable: false,
            detached: None,
        }
    }

    /// As root.
    #[must_use]
    pub fn root(mut self) -> Self {
        self.root = true;
        self
    }

    /// Shown line by line.
    #[must_use]
    pub fn streamed(mut self) -> Self {
        self.streamed = true;
        self
    }

    /// One that does no harm when it runs twice.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Detached under a name of `[a-z0-9-]`.
    #[must_use]
    pub fn detached(mut self, name: impl Into<String>) -> Self {
        self.detached = Some(name.into());
        self
    }

    /// With this on standard input.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }
}

/// What a command left: exit code and both streams, lossily as UTF-8. Of a streamed one the last 64 KiB.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// Exit code; 128 + n for a signal.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A byte stream to a port of the host.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A machine that runs commands. Two kinds: over SSH, and this one.
pub trait Host: Send + Sync + fmt::Debug {
    /// For messages: `ubuntu@203.0.113.7`, `this machine`.
    fn describe(&self) -> String;

    /// Runs a command to its end. A non-zero exit is an [`Output`], not an error.
    fn run<'a>(
        &'a self,
        command: &'a Command,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Output, HostError>>;

    /// Puts a local file at an absolute path of the host, whole or not at all.
    fn put<'a>(
        &'a self,
        local: &'a Path,
        remote: &'a str,
        mode: u32,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<(), HostError>>;

    /// Fetches a file of the host to a local path.
    fn get<'a>(
        &'a self,
        remote: &'a str,
        local: &'a Path,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<(), HostError>>;

    /// Connects to a port on the host's loopback.
    fn forward(&self, port: u16) -> BoxFuture<'_, Result<Box<dyn Stream>, HostError>>;
}

/// The host that a record describes. Nothing is connected yet.
///
/// # Errors
/// [`HostError::UnknownHostKey`] and [`HostError::File`]: what is needed to reach it is not there.
pub(crate) fn open(record: &HostRecord, env: &Environment) -> Result<Arc<dyn Host>, HostError> {
    Ok(match record.kind {
        HostKind::Local => Arc::new(local::LocalHost::new(env)),
        HostKind::Ssh => Arc::new(ssh::SshHost::new(record, env)?),
    })
}

/// Runs a command that has to succeed, and says every 30 s that it still runs.
///
/// `what` is what is meant by it, in a few words.
///
/// # Errors
/// [`HostError::Failed`] with the end of its output for any exit code but 0.
pub(crate) async fn check(
    host: &dyn Host,
    what: &str,
    command: &Command,
    deadline: Deadline,
) -> Result<Output, HostError> {
    let running = host.run(command, deadline);
    tokio::pin!(running);
    let output = loop {
        if let Ok(output) = tokio::time::timeout(Duration::from_secs(30), &mut running).await {
            break output;
        }
        tracing::info!(
            "waiting for {what} on {} ({} left)",
            host.describe(),
            humane(deadline.remaining())
        );
    };
    let output = output.map_err(|error| match error {
        HostError::TimedOut { host, .. } => HostError::TimedOut {
            host,
            what: what.to_owned(),
        },
        error => error,
    })?;
    if output.status == 0 {
        return Ok(output);
    }
    let said = if output.stderr.trim().is_empty() {
        &output.stdout
    } else {
        &output.stderr
    };
    let lines: Vec<&str> = said.trim_end().lines().collect();
    Err(HostError::Failed {
        host: host.describe(),
        what: what.to_owned(),
        status: output.status,
        output: lines[lines.len().saturating_sub(15)..].join("\n"),
    })
}

/// The first line of a script, for messages.
fn few_words(script: &str) -> String {
    let line = script.trim().lines().next().unwrap_or_default();
    line.chars().take(60).collect()
}

impl HostError {
    /// How every error about a host begins that cannot be reached.
    pub(crate) fn lost(host: &HostRecord) -> String {
        format!("cannot reach {}@{}", host.user, host.address)
    }
}

/// Why a host did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// It could not be reached.
    #[error("cannot reach {host}: {reason}")]
    Unreachable {
        /// Which host.
        host: String,
        /// Refused, timed out, no route.
        reason: String,
    },
    /// It is somebody else: never tried again.
    #[error("{host} shows the host key {shown}, not the one known beforehand ({expected})")]
    WrongHostKey {
        /// Which host.
        host: String,
        /// Fingerprint that it shows.
        shown: String,
        /// Fingerprint that was expected.
        expected: String,
    },
    /// Nobody said beforehand which key it has.
    #[error("the host key of {host} is not known")]
    UnknownHostKey {
        /// Which host.
        host: String,
    },
    /// It does not let us in.
    #[error("{host} does not accept the key of {user}")]
    AuthRefused {
        /// Which host.
        host: String,
        /// Whom we tried to log in as.
        user: String,
    },
    /// It was booted anew in the middle of something.
    #[error("{host} was rebooted while this ran on it: {what}")]
    Rebooted {
        /// Which host.
        host: String,
        /// What was cut short.
        what: String,
    },
    /// A command failed.
    #[error("`{what}` failed on {host} with exit code {status}")]
    Failed {
        /// Which host.
        host: String,
        /// What was meant, in a few words.
        what: String,
        /// Exit code.
        status: i32,
        /// The end of what it printed.
        output: String,
    },
    /// The deadline passed.
    #[error("{what} on {host}: not done in time")]
    TimedOut {
        /// Which host.
        host: String,
        /// What was meant.
        what: String,
    },
    /// A file of this machine could not be read or written.
    #[error("cannot use {path}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Explain for HostError {
    fn exit(&self) -> Exit {
        match self {
            Self::TimedOut { .. } => Exit::TimeLimit,
            Self::UnknownHostKey { .. } => Exit::BadInput,
            _ => Exit::Infrastructure,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } => Some(
                "is the host still up, and may this machine reach its port 22 (ssh-cidr)?"
                    .to_owned(),
            ),
            Self::WrongHostKey { .. } => {
                Some("somebody may be in between; nothing was sent to it".to_owned())
            }
            Self::UnknownHostKey { .. } => Some(
                "set host-key to its /etc/ssh/ssh_host_ed25519_key.pub, or log in once by ssh so that ~/.ssh/known_hosts has it"
                    .to_owned(),
            ),
            Self::Rebooted { .. } => Some(
                "it is the same host with the same key: run this stage again, or tear it down and begin anew"
                    .to_owned(),
            ),
            Self::AuthRefused { .. } => Some("check user and private key".to_owned()),
            _ => None,
        }
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::Failed { output, .. } => output.lines().map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }
}
