//! An SSH server that runs real commands, behind a wire that can be cut.

use std::{net::SocketAddr, process::Stdio, sync::Arc, time::Duration};

use manifests_e2e::{
    host::ssh::SshHost,
    inputs::Environment,
    record::{HostKind, HostRecord},
    wait,
};
use russh::{
    Channel, ChannelMsg,
    keys::{Algorithm, PrivateKey, PublicKey, ssh_key::LineEnding},
    server,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::broadcast,
};

/// A server that lets one key in.
pub(super) struct Server {
    address: SocketAddr,
    host_key: PublicKey,
    /// Ends all connections there are.
    cut: broadcast::Sender<()>,
    /// Home of the user, with its key in `key`.
    pub(super) home: tempfile::TempDir,
}

struct Session {
    key: PublicKey,
    home: std::path::PathBuf,
}

impl server::Handler for Session {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        _user: &str,
        key: server::VerifiedPublicKey<'_>,
    ) -> Result<server::Auth, russh::Error> {
        Ok(if key.public_key.key_data() == self.key.key_data() {
            server::Auth::Accept
        } else {
            server::Auth::reject()
        })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<server::Msg>,
        reply: server::ChannelOpenHandle,
        _session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        tokio::spawn(run(channel, self.home.clone()));
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: russh::ChannelId,
        _data: &[u8],
        session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<server::Msg>,
        host: &str,
        port: u32,
        _from: &str,
        _from_port: u32,
        reply: server::ChannelOpenHandle,
        _session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        let target = (host.to_owned(), u16::try_from(port).unwrap());
        tokio::spawn(async move {
            match TcpStream::connect(target).await {
                Ok(mut stream) => {
                    reply.accept().await;
                    drop(
                        tokio::io::copy_bidirectional(&mut channel.into_stream(), &mut stream)
                            .await,
                    );
                }
                Err(_) => reply.reject(russh::ChannelOpenFailure::ConnectFailed).await,
            }
        });
        Ok(())
    }
}

/// Runs what a channel asks for, as sshd does: by a shell, in the user's home.
async fn run(channel: Channel<server::Msg>, home: std::path::PathBuf) {
    let (mut reader, writer) = channel.split();
    let Some(ChannelMsg::Exec { command, .. }) = reader.wait().await else {
        return;
    };
    let mut child = tokio::process::Command::new("bash")
        .args(["-c", &String::from_utf8(command).unwrap()])
        .env("HOME", &home)
        .current_dir(&home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take();
    tokio::spawn(async move {
        while let Some(message) = reader.wait().await {
            match (message, &mut stdin) {
                (ChannelMsg::Data { data }, Some(pipe)) => drop(pipe.write_all(&data).await),
                (ChannelMsg::Eof, _) => stdin = None,
                _ => {}
            }
        }
    });
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (mut out, mut err) = (vec![0; 65536], vec![0; 65536]);
    let (mut more_out, mut more_err) = (true, true);
    while more_out || more_err {
        tokio::select! {
            read = stdout.read(&mut out), if more_out => match read {
                Ok(read @ 1..) => drop(writer.data_bytes(out[..read].to_vec()).await),
                _ => more_out = false,
            },
            read = stderr.read(&mut err), if more_err => match read {
                Ok(read @ 1..) => drop(writer.extended_data_bytes(1, err[..read].to_vec()).await),
                _ => more_err = false,
            },
        }
    }
    let status = child.wait().await.unwrap().code().unwrap_or(255);
    drop(writer.exit_status(u32::try_from(status).unwrap()).await);
    drop(writer.eof().await);
    drop(writer.close().await);
}

impl Server {
    pub(super) async fn start() -> Self {
        let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
        let user = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
        let home = tempfile::tempdir().unwrap();
        user.write_openssh_file(home.path().join("key").as_path(), LineEnding::LF)
            .unwrap();
        let host_key = key.public_key().clone();
        let config = Arc::new(server::Config {
            keys: vec![key],
            auth_rejection_time: Duration::from_millis(10),
            ..server::Config::default()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cut, _) = broadcast::channel(1);
        let server = Self {
            address,
            host_key,
            cut: cut.clone(),
            home,
        };
        let home = server.home.path().to_owned();
        tokio::spawn(async move {
            while let Ok((mut outer, _)) = listener.accept().await {
                let (mut inner, stream) = tokio::io::duplex(1 << 20);
                let session = Session {
                    key: user.public_key().clone(),
                    home: home.clone(),
                };
                let config = Arc::clone(&config);
                tokio::spawn(async move {
                    if let Ok(running) = server::run_stream(config, stream, session).await {
                        drop(running.await);
                    }
                });
                let mut cut = cut.subscribe();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut outer, &mut inner) => {}
                        _ = cut.recv() => {}
                    }
                });
            }
        });
        server
    }

    pub(super) fn record(&self) -> HostRecord {
        HostRecord {
            kind: HostKind::Ssh,
            address: "127.0.0.1".to_owned(),
            port: self.address.port(),
            user: "ubuntu".to_owned(),
            private_key: Some(self.home.path().join("key")),
            host_key: Some(self.host_key.to_openssh().unwrap()),
        }
    }

    /// Ends the connections there are; where there is none, because one is just made again, the next.
    pub(super) async fn cut_now(&self) {
        while self.cut.send(()).is_err() {
            wait::pause(Duration::from_millis(5)).await;
        }
    }

    pub(super) fn host(&self) -> SshHost {
        SshHost::new(&self.record(), &Environment::default()).unwrap()
    }
}
