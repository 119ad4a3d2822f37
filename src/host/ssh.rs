//! A host over SSH: strict host key, keepalive, one connection that is made again when it is lost.
//!
//! Refused, silent, wrong key and not let in are told apart; a wrong host key is final for as long as this lives.

mod detached;
mod session;

use std::{
    io::Write as _,
    path::Path,
    sync::{OnceLock, atomic::AtomicU32},
    time::{Duration, Instant},
};

use futures::{FutureExt as _, future::BoxFuture};
use russh::keys::PublicKey;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

pub(super) use self::session::reason;
use self::session::{Identity, SshSession};
use super::{
    Command, Host, HostError, Output, Stream,
    capture::{Capture, OutputStream, quoted},
};
use crate::{
    inputs::Environment,
    limits::Deadline,
    record::HostRecord,
    wait::{self, Every, Status},
};

/// For how long a host that has just come up may refuse our key: until its boot is over, sshd lets nobody in.
const BOOT_LIMIT: Duration = Duration::from_secs(30);
/// For one attempt at a connection, where nothing else is known.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How often a lost connection is made again for one thing that may be done twice.
const MAX_RETRIES: usize = 5;

/// A host over SSH.
pub struct SshHost {
    address: String,
    port: u16,
    user: String,
    identity: Identity,
    host_key: PublicKey,
    session: Mutex<Option<SshSession>>,
    /// Tells the detached commands of this process from those of an earlier one.
    nonce: u32,
    started: AtomicU32,
}

impl std::fmt::Debug for SshHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.describe())
    }
}

impl SshHost {
    /// The host that a record describes; nothing is connected yet.
    ///
    /// # Errors
    /// [`HostError::UnknownHostKey`]; [`HostError::File`] for a private key that cannot be read.
    pub fn new(record: &HostRecord, env: &Environment) -> Result<Self, HostError> {
        let host_key = record
            .host_key
            .as_deref()
            .and_then(|key| PublicKey::from_openssh(key).ok())
            .ok_or_else(|| HostError::UnknownHostKey {
                host: record.address.clone(),
            })?;
        Ok(Self {
            address: record.address.clone(),
            port: record.ssh_port(),
            user: record.user.clone(),
            identity: Identity::find(record.private_key.as_deref(), env)?,
            host_key,
            session: Mutex::default(),
            nonce: rand::random(),
            started: AtomicU32::new(0),
        })
    }

    /// Waits until a host that was just launched lets us in: a look every 200 ms.
    ///
    /// # Errors
    /// [`HostError::WrongHostKey`] at once, [`HostError::AuthRefused`] once its boot must be over; at the deadline
    /// [`HostError::Unreachable`] with what the last attempt met.
    pub async fn wait_until_up(&self, deadline: Deadline) -> Result<(), HostError> {
        let refused_since = OnceLock::new();
        let up = wait::until(
            format!("SSH on {}", self.describe()),
            deadline,
            Every::millis(200),
            async || match self.connected(Duration::from_secs(1)).await {
                Ok(_) => Ok(Status::Ready(())),
                Err(HostError::Unreachable { reason, .. }) => Ok(Status::NotYet(reason)),
                Err(error @ HostError::AuthRefused { .. }) => {
                    if refused_since.get_or_init(Instant::now).elapsed() > BOOT_LIMIT {
                        return Err(error);
                    }
                    Ok(Status::NotYet("it does not let us in yet".to_owned()))
                }
                Err(error) => Err(error),
            },
        );
        up.await.map_err(|error| match error {
            wait::WaitError::TimedOut { last, .. } => self.unreachable(last),
            wait::WaitError::Failed(error) => error,
        })
    }

    /// Has a connection, made where there is none.
    ///
    /// # Errors
    /// [`HostError`], at the first failure.
    pub async fn touch(&self) -> Result<(), HostError> {
        self.connected(CONNECT_LIMIT).await.map(drop)
    }

    /// The connection, made where there is none.
    async fn connected(&self, patience: Duration) -> Result<SshSession, HostError> {
        let mut session = self.session.lock().await;
        if let Some(session) = session.as_ref().filter(|session| session.is_open()) {
            return Ok(session.clone());
        }
        *session = None;
        let made = SshSession::connect(self, patience).await?;
        Ok(session.insert(made).clone())
    }

    /// The connection, tried for a while: a network that is away for a minute is no reason to fail.
    async fn reconnected(&self, deadline: Deadline) -> Result<SshSession, HostError> {
        wait::until(
            format!("a connection to {}", self.describe()),
            deadline.within(Duration::from_mins(2)),
            Every::secs(1),
            async || match self.connected(CONNECT_LIMIT).await {
                Ok(session) => Ok(Status::Ready(session)),
                Err(HostError::Unreachable { reason, .. }) => Ok(Status::NotYet(reason)),
                Err(error) => Err(error),
            },
        )
        .await
        .map_err(|error| match error {
            wait::WaitError::TimedOut { last, .. } => self.unreachable(last),
            wait::WaitError::Failed(error) => error,
        })
    }

    fn unreachable(&self, reason: impl Into<String>) -> HostError {
        HostError::Unreachable {
            host: self.describe(),
            reason: reason.into(),
        }
    }

    fn timed_out(&self, what: &str) -> HostError {
        HostError::TimedOut {
            host: self.describe(),
            what: super::few_words(what),
        }
    }

    /// Runs a script once on the connection there is, or on a new one.
    async fn once(
        &self,
        script: &str,
        root: bool,
        stdin: &[u8],
        deadline: Deadline,
        sink: &mut (dyn FnMut(OutputStream, &[u8]) + Send),
    ) -> Result<i32, HostError> {
        let session = self.reconnected(deadline).await?;
        self.on(&session, script, root, stdin, deadline, sink).await
    }

    /// Runs a script once on this connection.
    async fn on(
        &self,
        session: &SshSession,
        script: &str,
        root: bool,
        stdin: &[u8],
        deadline: Deadline,
        sink: &mut (dyn FnMut(OutputStream, &[u8]) + Send),
    ) -> Result<i32, HostError> {
        let status = deadline
            .bound(session.exec(&self.wrapped(script, root), stdin, sink))
            .await
            .map_err(|_| self.timed_out(script))?;
        status.map_err(|reason| self.unreachable(reason))
    }

    /// As [`Self::once`], but again when the connection is lost: for what may be done twice.
    async fn again(
        &self,
        script: &str,
        root: bool,
        stdin: &[u8],
        deadline: Deadline,
    ) -> Result<Output, HostError> {
        let mut lost = 0;
        loop {
            // A host that is away for as long as this waits will not be there the next time.
            let session = self.reconnected(deadline).await?;
            let mut capture = Capture::new(false);
            let mut sink = |which, bytes: &[u8]| capture.push(which, bytes);
            match self
                .on(&session, script, root, stdin, deadline, &mut sink)
                .await
            {
                Err(HostError::Unreachable { reason, .. }) if lost < MAX_RETRIES => {
                    lost += 1;
                    tracing::warn!("{}: {reason}; connecting again", self.describe());
                    wait::pause(Duration::from_millis(500)).await;
                }
                status => return Ok(capture.finish(status?)),
            }
        }
    }

    fn wrapped(&self, script: &str, root: bool) -> String {
        let shell = if root && self.user != "root" {
            "sudo -n -- bash -c"
        } else {
            "bash -c"
        };
        format!("{shell} {}", quoted(script))
    }
}

impl Host for SshHost {
    fn describe(&self) -> String {
        format!("{}@{}", self.user, self.address)
    }

    fn run<'a>(
        &'a self,
        command: &'a Command,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Output, HostError>> {
        async move {
            if let Some(name) = &command.detached {
                return detached::run(self, name, command, deadline).await;
            }
            if command.repeatable {
                let (script, root) = (&command.script, command.root);
                return self.again(script, root, &command.stdin, deadline).await;
            }
            let mut capture = Capture::new(command.streamed);
            let status = self
                .once(
                    &command.script,
                    command.root,
                    &command.stdin,
                    deadline,
                    &mut |which, bytes| capture.push(which, bytes),
                )
                .await?;
            Ok(capture.finish(status))
        }
        .boxed()
    }

    fn put<'a>(
        &'a self,
        local: &'a Path,
        remote: &'a str,
        mode: u32,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<(), HostError>> {
        async move {
            let bytes = std::fs::read(local).map_err(|source| HostError::File {
                path: local.display().to_string(),
                source,
            })?;
            let hash = hex::encode(Sha256::digest(&bytes));
            let target = quoted(remote);
            let script = format!(
                "set -e; umask 077; mkdir -p \"$(dirname {target})\"; t=$(mktemp {target}.XXXXXX); trap 'rm -f \"$t\"' EXIT\n\
                 cat >\"$t\"; echo '{hash}  '\"$t\" | sha256sum -c --quiet; chmod {mode:o} \"$t\"; mv \"$t\" {target}"
            );
            let output = self.again(&script, false, &bytes, deadline).await?;
            self.succeeded(&format!("put {remote}"), output).map(drop)
        }
        .boxed()
    }

    fn get<'a>(
        &'a self,
        remote: &'a str,
        local: &'a Path,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<(), HostError>> {
        async move {
            let failed = |source| HostError::File {
                path: local.display().to_string(),
                source,
            };
            let parent = local.parent().unwrap_or(Path::new("."));
            let script = format!("cat {}", quoted(remote));
            let mut lost = 0;
            let (file, written, said, status) = loop {
                let mut file = tempfile::NamedTempFile::new_in(parent).map_err(failed)?;
                let mut written = Ok(());
                let mut said = Capture::new(false);
                let mut sink = |which, bytes: &[u8]| match which {
                    OutputStream::Stdout if written.is_ok() => written = file.write_all(bytes),
                    OutputStream::Stdout => {}
                    OutputStream::Stderr => said.push(which, bytes),
                };
                let session = self.reconnected(deadline).await?;
                let got = self.on(&session, &script, false, &[], deadline, &mut sink);
                match got.await {
                    Err(HostError::Unreachable { reason, .. }) if lost < MAX_RETRIES => {
                        lost += 1;
                        tracing::warn!("{}: {reason}; connecting again", self.describe());
                        wait::pause(Duration::from_millis(500)).await;
                    }
                    status => break (file, written, said, status?),
                }
            };
            self.succeeded(&format!("get {remote}"), said.finish(status))?;
            written.map_err(failed)?;
            file.persist(local).map_err(|error| failed(error.error))?;
            Ok(())
        }
        .boxed()
    }

    fn forward(&self, port: u16) -> BoxFuture<'_, Result<Box<dyn Stream>, HostError>> {
        async move {
            let session = self.connected(CONNECT_LIMIT).await?;
            if let Ok(stream) = tokio::time::timeout(CONNECT_LIMIT, session.forward(port)).await {
                return stream.map_err(|reason| self.unreachable(reason));
            }
            // Dead without a word, as keepalive would find in a minute.
            *self.session.lock().await = None;
            Err(self.unreachable("the connection is dead"))
        }
        .boxed()
    }
}

impl SshHost {
    fn succeeded(&self, what: &str, output: Output) -> Result<Output, HostError> {
        if output.status == 0 {
            return Ok(output);
        }
        Err(HostError::Failed {
            host: self.describe(),
            what: what.to_owned(),
            status: output.status,
            output: output.stderr,
        })
    }
}

/// The keys that a `known_hosts` file has for a host, as in a `.pub` file, ed25519 first.
///
/// An absent file has none.
pub(crate) fn known_host_key(known_hosts: &Path, address: &str, port: u16) -> Option<String> {
    let mut keys =
        russh::keys::known_hosts::known_host_keys_path(address, port, known_hosts).ok()?;
    // The handshake has no RSA.
    keys.retain(|(_, key)| !key.algorithm().is_rsa());
    keys.sort_by_key(|(_, key)| key.algorithm() != russh::keys::Algorithm::Ed25519);
    keys.first()?.1.to_openssh().ok()
}
