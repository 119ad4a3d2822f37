//! One SSH connection: made, let in, used.

use std::{
    borrow::Cow,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use russh::{
    ChannelMsg, Preferred,
    client::{self, AuthResult},
    keys::{
        HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate,
        agent::{AgentIdentity, client::AgentClient},
        load_secret_key,
    },
};
use tokio::net::TcpStream;

use super::{HostError, OutputStream, SshHost, Stream};
use crate::{host::Host as _, inputs::Environment, report::one_line};

/// For version exchange, key exchange and authentication.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(15);
/// Of what goes to standard input in one piece; a large put would otherwise sit in memory twice.
const PIECE: usize = 256 << 10;

/// What we prove ourselves with.
pub(super) enum Identity {
    /// A key from a file.
    Key(Arc<PrivateKey>),
    /// The keys of an agent at this socket.
    Agent(PathBuf),
}

impl Identity {
    /// The key of the record; else the agent, else `~/.ssh/id_ed25519`.
    pub(super) fn find(file: Option<&Path>, env: &Environment) -> Result<Self, HostError> {
        let file = match (file, env.get("SSH_AUTH_SOCK")) {
            (Some(file), _) => file.to_owned(),
            (None, Some(socket)) => return Ok(Self::Agent(PathBuf::from(socket))),
            (None, None) => Path::new(env.get("HOME").unwrap_or("/root")).join(".ssh/id_ed25519"),
        };
        load_secret_key(&file, None)
            .map(|key| Self::Key(Arc::new(key)))
            .map_err(|error| HostError::File {
                path: file.display().to_string(),
                source: io::Error::other(one_line(&error.to_string())),
            })
    }
}

/// Accepts the one host key that was known beforehand, and notes any other.
pub(super) struct HostKeyCheck {
    expected: PublicKey,
    shown: Arc<Mutex<Option<String>>>,
}

impl client::Handler for HostKeyCheck {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        let fingerprint = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                if key.key_data() == self.expected.key_data() {
                    return Ok(true);
                }
                key.fingerprint(HashAlg::Sha256).to_string()
            }
            PublicKeyOrCertificate::Certificate(_) => "a certificate".to_owned(),
        };
        *self.shown.lock().expect("nobody panics with it") = Some(fingerprint);
        Ok(false)
    }
}

/// A connection that let us in; a clone is the same connection.
#[derive(Clone)]
pub(super) struct SshSession(Arc<client::Handle<HostKeyCheck>>);

impl SshSession {
    /// Connects, within `patience` for TCP alone.
    pub(super) async fn connect(host: &SshHost, patience: Duration) -> Result<Self, HostError> {
        let target = (host.address.as_str(), host.port);
        let stream = tokio::time::timeout(patience, TcpStream::connect(target))
            .await
            .map_err(|_| host.unreachable("no answer"))?
            .map_err(|error| host.unreachable(reason(&error)))?;
        // A small write must not wait for an acknowledgement: it makes every command slower.
        stream
            .set_nodelay(true)
            .map_err(|error| host.unreachable(error.to_string()))?;
        let shown = Arc::new(Mutex::new(None));
        let handshake = async {
            let config = client::Config {
                keepalive_interval: Some(Duration::from_secs(15)),
                keepalive_max: 4,
                nodelay: true,
                preferred: Preferred {
                    // The server may have keys of other kinds; only this one is known.
                    key: Cow::Owned(vec![host.host_key.algorithm()]),
                    ..Preferred::default()
                },
                ..client::Config::default()
            };
            let known = HostKeyCheck {
                expected: host.host_key.clone(),
                shown: Arc::clone(&shown),
            };
            let mut handle = client::connect_stream(Arc::new(config), stream, known).await?;
            let accepted = authenticate(&mut handle, host).await?;
            Ok::<_, russh::Error>((handle, accepted))
        };
        let result = tokio::time::timeout(HANDSHAKE_LIMIT, handshake).await;
        if let Some(shown) = shown.lock().expect("nobody panics with it").take() {
            return Err(HostError::WrongHostKey {
                host: host.describe(),
                shown,
                expected: host.host_key.fingerprint(HashAlg::Sha256).to_string(),
            });
        }
        match result {
            Err(_) => Err(host.unreachable("it accepts connections, but does not speak")),
            Ok(Err(error)) => Err(host.unreachable(one_line(&error.to_string()))),
            Ok(Ok((_, false))) => Err(HostError::AuthRefused {
                host: host.address.clone(),
                user: host.user.clone(),
            }),
            Ok(Ok((handle, true))) => Ok(Self(Arc::new(handle))),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        !self.0.is_closed()
    }

    /// Runs a command; what it prints goes to `sink` as it comes. The error is why no exit code came.
    pub(super) async fn exec(
        &self,
        command: &str,
        stdin: &[u8],
        sink: &mut (dyn FnMut(OutputStream, &[u8]) + Send),
    ) -> Result<i32, String> {
        let said = |error: russh::Error| one_line(&error.to_string());
        let channel = self.0.channel_open_session().await.map_err(said)?;
        channel.exec(true, command).await.map_err(said)?;
        let (mut reader, writer) = channel.split();
        let feed = async {
            for piece in stdin.chunks(PIECE) {
                // A command that does not read its input is no failure; a lost connection shows below.
                if writer.data_bytes(piece.to_vec()).await.is_err() {
                    return;
                }
            }
            drop(writer.eof().await);
        };
        let listen = async {
            let mut status = None;
            while let Some(message) = reader.wait().await {
                match message {
                    ChannelMsg::Data { data } => sink(OutputStream::Stdout, &data),
                    ChannelMsg::ExtendedData { data, ext: 1 } => sink(OutputStream::Stderr, &data),
                    ChannelMsg::ExitStatus { exit_status } => {
                        status = Some(i32::try_from(exit_status).unwrap_or(255));
                    }
                    ChannelMsg::ExitSignal { .. } => status = Some(128 + 9),
                    ChannelMsg::Failure => return Err("it refuses to run commands".to_owned()),
                    ChannelMsg::Close => break,
                    _ => {}
                }
            }
            status.ok_or_else(|| "the connection was lost".to_owned())
        };
        tokio::pin!(feed, listen);
        tokio::select! {
            // Ends first when the command does not read all of its input.
            status = &mut listen => status,
            () = &mut feed => listen.await,
        }
    }

    /// A stream to a port of the host's loopback.
    pub(super) async fn forward(&self, port: u16) -> Result<Box<dyn Stream>, String> {
        let channel = self
            .0
            .channel_open_direct_tcpip("127.0.0.1", u32::from(port), "127.0.0.1", 0)
            .await
            .map_err(|error| format!("port {port}: {error}"))?;
        Ok(Box::new(channel.into_stream()))
    }
}

async fn authenticate(
    handle: &mut client::Handle<HostKeyCheck>,
    host: &SshHost,
) -> Result<bool, russh::Error> {
    let socket = match &host.identity {
        Identity::Key(key) => {
            let key = PrivateKeyWithHashAlg::new(Arc::clone(key), None);
            return accepted(&handle.authenticate_publickey(&host.user, key).await?);
        }
        Identity::Agent(socket) => socket,
    };
    let mut agent = AgentClient::connect_uds(socket).await?;
    for identity in agent.request_identities().await? {
        let AgentIdentity::PublicKey { key, .. } = identity else {
            continue;
        };
        let hash = if key.algorithm().is_rsa() {
            handle.best_supported_rsa_hash().await?.flatten()
        } else {
            None
        };
        // An agent that declines one key may hold another.
        if let Ok(result) = handle
            .authenticate_publickey_with(&host.user, key, hash, &mut agent)
            .await
            && accepted(&result)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether we are let in. A refusal that names no other method is how a connection that was lost looks here.
fn accepted(result: &AuthResult) -> Result<bool, russh::Error> {
    match result {
        AuthResult::Success => Ok(true),
        AuthResult::Failure {
            remaining_methods, ..
        } if remaining_methods.is_empty() => Err(russh::Error::Disconnect),
        AuthResult::Failure { .. } => Ok(false),
    }
}

/// Why there is no connection, in few words.
pub(in crate::host) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::TimedOut => "no answer".to_owned(),
        _ => one_line(&error.to_string()),
    }
}
